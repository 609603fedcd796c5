//! What became of webhooks.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::super::{
    Mode, Transaction,
    error::Stop,
    jobs,
    tx::{Tx, binds},
};
use crate::domain::{
    ids::{JobId, UserId, WebhookId},
    webhook::{Attempt, Delivery, DeliveryStatus, WebhookType},
};

/// Deliveries of one job that are told of.
const SHOWN: i64 = 100;

/// What was sent, or is to be sent, of the end of a job: the latest, in order.
#[derive(Debug, Clone)]
pub struct DeliveriesOf {
    /// The account.
    pub user_id: UserId,
    /// The job.
    pub job_id: JobId,
}

row! {
    struct DeliveryRow {
        id: Uuid,
        url: String,
        event: String,
        status: String,
        due_at: DateTime<Utc>,
        created_at: DateTime<Utc>,
        finished_at: Option<DateTime<Utc>>,
    }
}

row! {
    struct AttemptRow {
        delivery_id: Uuid,
        at: DateTime<Utc>,
        duration_ms: i64,
        status_code: Option<i32>,
        error: Option<String>,
    }
}

impl Transaction for DeliveriesOf {
    const NAME: &'static str = "webhooks.of_job";
    const MODE: Mode = Mode::Read;
    type Output = Vec<Delivery>;

    async fn perform(&self, tx: &mut Tx) -> Result<Vec<Delivery>, Stop> {
        jobs::get(tx, self.user_id, self.job_id).await?;
        let mut rows: Vec<DeliveryRow> = tx
            .fetch_all(
                "SELECT id, url, event, status, due_at, created_at, finished_at
                 FROM webhook_deliveries WHERE job_id = $1 ORDER BY id DESC LIMIT $2",
                binds![self.job_id, SHOWN],
            )
            .await?;
        rows.reverse();
        let Some(first) = rows.first() else { return Ok(Vec::new()) };
        let attempts: Vec<AttemptRow> = tx
            .fetch_all(
                "SELECT a.delivery_id, a.at, a.duration_ms, a.status_code, a.error
                 FROM webhook_attempts a JOIN webhook_deliveries d ON d.id = a.delivery_id
                 WHERE d.job_id = $1 AND d.id >= $2 ORDER BY a.delivery_id, a.attempt",
                binds![self.job_id, first.id],
            )
            .await?;
        let mut tried: BTreeMap<Uuid, Vec<Attempt>> = BTreeMap::new();
        for row in attempts {
            tried.entry(row.delivery_id).or_default().push(Attempt {
                at: row.at,
                duration_ms: row.duration_ms,
                status_code: row.status_code.and_then(|code| u16::try_from(code).ok()),
                error: row.error,
            });
        }
        let delivery = |row: DeliveryRow| {
            let event = WebhookType::ALL.iter().find(|event| event.as_str() == row.event);
            let status = DeliveryStatus::ALL.iter().find(|status| status.as_str() == row.status);
            Ok(Delivery {
                id: WebhookId(row.id),
                job_id: self.job_id,
                url: row.url,
                event: *event.ok_or_else(|| Stop::corrupt(&row.event))?,
                status: *status.ok_or_else(|| Stop::corrupt(&row.status))?,
                attempts: tried.remove(&row.id).unwrap_or_default(),
                due_at: row.due_at,
                created_at: row.created_at,
                finished_at: row.finished_at,
            })
        };
        rows.into_iter().map(delivery).collect()
    }
}

/// Forgets deliveries that came to their end long ago, and secrets that sign nothing any more.
#[derive(Debug, Clone)]
pub struct PurgeWebhooks {
    /// Deliveries that ended before it go.
    pub before: DateTime<Utc>,
    /// How many deliveries at most, so that nobody waits long for the locks.
    pub limit: i64,
    /// The present.
    pub now: DateTime<Utc>,
}

impl Transaction for PurgeWebhooks {
    const NAME: &'static str = "webhooks.purge";
    const MODE: Mode = Mode::Write;
    /// How many deliveries.
    type Output = u64;

    async fn perform(&self, tx: &mut Tx) -> Result<u64, Stop> {
        tx.execute("DELETE FROM webhook_secrets WHERE expires_at <= $1", binds![self.now]).await?;
        tx.execute(
            "DELETE FROM webhook_deliveries WHERE id IN (
                 SELECT id FROM webhook_deliveries
                 WHERE status <> 'pending' AND finished_at < $1 LIMIT $2)",
            binds![self.before, self.limit],
        )
        .await
    }
}
