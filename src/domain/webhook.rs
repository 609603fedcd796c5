//! Telling somebody's server that a job has ended.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    ids::{JobId, WebhookId},
    job::JobStatus,
};

/// What somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum WebhookType {
    /// The job has made its variant.
    #[serde(rename = "job.succeeded")]
    JobSucceeded,
    /// The job was given up on.
    #[serde(rename = "job.failed")]
    JobFailed,
}

impl WebhookType {
    /// Every type.
    pub const ALL: &[WebhookType] = &[WebhookType::JobSucceeded, WebhookType::JobFailed];

    /// The type as it stands in a webhook and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            WebhookType::JobSucceeded => "job.succeeded",
            WebhookType::JobFailed => "job.failed",
        }
    }

    /// What is told of a job that has come to `status`.
    pub const fn of(status: JobStatus) -> Option<Self> {
        match status {
            JobStatus::Succeeded => Some(WebhookType::JobSucceeded),
            JobStatus::Failed => Some(WebhookType::JobFailed),
            JobStatus::Queued | JobStatus::Running | JobStatus::Cancelled => None,
        }
    }
}

/// How far a delivery has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// It will be tried, or tried again.
    Pending,
    /// It was taken: the receiver has answered 2xx.
    Delivered,
    /// It was given up on.
    Failed,
}

impl DeliveryStatus {
    /// Every status.
    pub const ALL: &[DeliveryStatus] =
        &[DeliveryStatus::Pending, DeliveryStatus::Delivered, DeliveryStatus::Failed];

    /// The status as it stands in an answer and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            DeliveryStatus::Pending => "pending",
            DeliveryStatus::Delivered => "delivered",
            DeliveryStatus::Failed => "failed",
        }
    }
}

/// One attempt to deliver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Attempt {
    /// When it began.
    pub at: DateTime<Utc>,
    /// How long it took.
    pub duration_ms: i64,
    /// What the receiver answered, if it did.
    pub status_code: Option<u16>,
    /// Why it came to nothing, if it did.
    pub error: Option<String>,
}

/// What is told to one receiver of the end of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its identity, which the receiver sees as `webhook-id`.
    pub id: WebhookId,
    /// The job.
    pub job_id: JobId,
    /// The receiver.
    pub url: String,
    /// What it is told.
    pub event: WebhookType,
    /// How far it has come.
    pub status: DeliveryStatus,
    /// What was tried, in order.
    pub attempts: Vec<Attempt>,
    /// When it is tried next, while it is pending.
    pub due_at: DateTime<Utc>,
    /// When the job ended, or the request that found it so was accepted.
    pub created_at: DateTime<Utc>,
    /// When it was delivered or given up on.
    pub finished_at: Option<DateTime<Utc>>,
}

/// What an account's webhooks are signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret {
    /// `whsec_…`.
    pub secret: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Until when the one before it signs too.
    pub previous_until: Option<DateTime<Utc>>,
}

impl fmt::Debug for WebhookSecret {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("WebhookSecret");
        shown.field("created_at", &self.created_at).field("previous_until", &self.previous_until);
        shown.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown_by_accident() {
        let secret = WebhookSecret {
            secret: "whsec_abc".to_owned(),
            created_at: Utc::now(),
            previous_until: None,
        };
        assert!(!format!("{secret:?}").contains("abc"));
    }
}
