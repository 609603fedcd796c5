//! Webhooks: who is told of a job's end, and what is to be sent. What became of it is in `history.rs`, what signs it in
//! `secrets.rs`.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    Mode, Transaction,
    error::Stop,
    jobs::JobRow,
    tx::{Bind, Tx, binds, placeholders},
};
use crate::domain::{
    ids::{UserId, WebhookId},
    job::{Job, JobStatus},
    webhook::{Attempt, DeliveryStatus, WebhookType},
};

mod history;
mod secrets;

pub use self::{
    history::{DeliveriesOf, PurgeWebhooks},
    secrets::{RotateWebhookSecret, WebhookSecretOf},
};

/// Has `url` told of the end of `job`, whose variant's row is held; at once if that has succeeded. `false` if it has ended
/// otherwise since it was read: then it tells nobody any more.
pub(super) async fn subscribe(
    tx: &mut Tx,
    job: &Job,
    url: &str,
    now: DateTime<Utc>,
) -> Result<bool, Stop> {
    if job.status == JobStatus::Succeeded {
        deliver(tx, job, WebhookType::JobSucceeded, url, now).await?;
        return Ok(true);
    }
    let unfinished = tx
        .execute(
            "UPDATE jobs SET has_webhooks = TRUE
             WHERE id = $1 AND status IN ('queued', 'running')",
            binds![job.id],
        )
        .await?;
    if unfinished == 0 {
        return Ok(false);
    }
    tx.execute(
        "INSERT INTO webhooks (job_id, url) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        binds![job.id, url],
    )
    .await?;
    Ok(true)
}

/// Tells whoever has asked for it that `row` has ended, if it has.
pub(super) async fn announce(tx: &mut Tx, row: &JobRow) -> Result<(), Stop> {
    if !row.has_webhooks {
        return Ok(());
    }
    let job = Job::try_from(row.clone())?;
    let (Some(event), Some(at)) = (WebhookType::of(job.status), job.finished_at) else {
        return Ok(());
    };
    let urls: Vec<(String,)> =
        tx.fetch_all("SELECT url FROM webhooks WHERE job_id = $1", binds![job.id]).await?;
    for (url,) in urls {
        deliver(tx, &job, event, &url, at).await?;
    }
    Ok(())
}

/// Puts what is told into the outbox, as it is now: what is sent again is the same.
async fn deliver(
    tx: &mut Tx,
    job: &Job,
    event: WebhookType,
    url: &str,
    at: DateTime<Utc>,
) -> Result<(), Stop> {
    let body = json!({ "type": event, "timestamp": at, "data": job }).to_string();
    tx.execute(
        "INSERT INTO webhook_deliveries (id, job_id, user_id, url, event, body, status, due_at,
             created_at)
         VALUES ($1, $2, $3, $4, $5, $6, 'pending', $7, $7)",
        binds![WebhookId::new(), job.id, job.user_id, url, event.as_str(), body, at],
    )
    .await?;
    Ok(())
}

/// Gives whoever asks deliveries that are due. They are its own for a while.
#[derive(Debug, Clone)]
pub struct LeaseWebhooks {
    /// The present.
    pub now: DateTime<Utc>,
    /// How long they are left to it.
    pub lease: TimeDelta,
    /// How many at most.
    pub limit: i64,
    /// How many of one account, so that slow receivers of one do not stand before another's.
    pub per_account: i64,
    /// Accounts that have enough under way.
    pub busy: Vec<UserId>,
}

/// A delivery to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leased {
    /// Its identity.
    pub id: WebhookId,
    /// The account.
    pub user_id: UserId,
    /// The receiver.
    pub url: String,
    /// What is sent.
    pub body: String,
    /// Which attempt this is.
    pub attempt: i32,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// What it is signed with: the secret in force first.
    pub secrets: Vec<String>,
    /// Whether an operator has shut the account.
    pub disabled: bool,
}

row! {
    struct LeasedRow {
        id: Uuid,
        user_id: Uuid,
        url: String,
        body: String,
        attempts: i32,
        created_at: DateTime<Utc>,
    }
}

impl Transaction for LeaseWebhooks {
    const NAME: &'static str = "webhooks.lease";
    const MODE: Mode = Mode::Write;
    type Output = Vec<Leased>;

    async fn perform(&self, tx: &mut Tx) -> Result<Vec<Leased>, Stop> {
        let others = match self.busy.len() {
            0 => String::new(),
            busy => format!("AND user_id NOT IN ({})", placeholders(5, busy)),
        };
        // Two that ask at once may mean the same rows: the outer predicate gives each to one.
        let sql = format!(
            "UPDATE webhook_deliveries SET due_at = $2, attempts = attempts + 1
             WHERE status = 'pending' AND due_at <= $1 AND id IN (
                 SELECT id FROM (
                     SELECT id, due_at,
                         row_number() OVER (PARTITION BY user_id ORDER BY due_at, id) AS place
                     FROM webhook_deliveries
                     WHERE status = 'pending' AND due_at <= $1 {others}
                 ) AS due
                 WHERE place <= $3 ORDER BY due_at, id LIMIT $4)
             RETURNING id, user_id, url, body, attempts, created_at"
        );
        let until = self.now + self.lease;
        let mut values = binds![self.now, until, self.per_account, self.limit].to_vec();
        values.extend(self.busy.iter().copied().map(Bind::from));
        let rows: Vec<LeasedRow> = tx.fetch_all(AssertSqlSafe(sql), values).await?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let users: Vec<Uuid> = rows.iter().map(|row| row.user_id).collect();
        let secrets = secrets::of(tx, &users, self.now).await?;
        let disabled = disabled(tx, &users).await?;
        let leased = rows.into_iter().map(|row| Leased {
            id: WebhookId(row.id),
            user_id: UserId(row.user_id),
            url: row.url,
            body: row.body,
            attempt: row.attempts,
            created_at: row.created_at,
            secrets: secrets.get(&row.user_id).cloned().unwrap_or_default(),
            disabled: disabled.contains(&row.user_id),
        });
        Ok(leased.collect())
    }
}

async fn disabled(tx: &mut Tx, users: &[Uuid]) -> Result<HashSet<Uuid>, Stop> {
    let sql =
        format!("SELECT id FROM users WHERE disabled AND id IN ({})", placeholders(1, users.len()));
    let values: Vec<_> = users.iter().copied().map(Bind::from).collect();
    let rows: Vec<(Uuid,)> = tx.fetch_all(AssertSqlSafe(sql), values).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// What follows an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing: it was delivered.
    Delivered,
    /// Nothing: it is given up on.
    GivenUp,
    /// Another attempt, then.
    Again(DateTime<Utc>),
}

/// Records what became of an attempt.
#[derive(Debug, Clone)]
pub struct SettleWebhook {
    /// The delivery.
    pub id: WebhookId,
    /// Which attempt it was.
    pub number: i32,
    /// How it went.
    pub attempt: Attempt,
    /// What follows.
    pub next: Next,
    /// The present.
    pub now: DateTime<Utc>,
}

impl Transaction for SettleWebhook {
    const NAME: &'static str = "webhooks.settle";
    const MODE: Mode = Mode::Write;
    /// Whether it was still this attempt's to settle.
    type Output = bool;

    async fn perform(&self, tx: &mut Tx) -> Result<bool, Stop> {
        let (status, due_at) = match self.next {
            Next::Delivered => (DeliveryStatus::Delivered, None),
            Next::GivenUp => (DeliveryStatus::Failed, None),
            Next::Again(at) => (DeliveryStatus::Pending, Some(at)),
        };
        let finished_at = due_at.is_none().then_some(self.now);
        // Another may have taken it over meanwhile; what was delivered is delivered all the same.
        let settled = tx
            .execute(
                "UPDATE webhook_deliveries
                 SET status = $3, due_at = coalesce($4, due_at), finished_at = $5
                 WHERE id = $1 AND status = 'pending' AND (attempts = $2 OR $3 = 'delivered')",
                binds![self.id, self.number, status.as_str(), due_at, finished_at],
            )
            .await?;
        if settled == 0 {
            return Ok(false);
        }
        tx.execute(
            "INSERT INTO webhook_attempts (delivery_id, attempt, at, duration_ms, status_code, error)
             VALUES ($1, $2, $3, $4, $5, $6)",
            binds![
                self.id,
                self.number,
                self.attempt.at,
                self.attempt.duration_ms,
                self.attempt.status_code.map(i32::from),
                self.attempt.error.clone()
            ],
        )
        .await?;
        Ok(true)
    }
}
