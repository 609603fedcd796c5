//! Webhooks: who is told of a job's end, and what is to be sent. What became of it is in `history.rs`, what signs it in
//! `secrets.rs`.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    Mode, Transaction,
    error::Stop,
    jobs::JobRow,
    tx::{Tx, binds},
};
use crate::domain::{
    error::{Code, Error},
    ids::{UserId, WebhookId},
    job::{Job, JobStatus},
    webhook::{Attempt, DeliveryStatus, WebhookType},
};

mod history;
mod lease;
mod secrets;

pub use self::{
    history::{DeliveriesOf, PurgeWebhooks},
    lease::{LeaseWebhooks, Leased},
    secrets::{RotateWebhookSecret, WebhookSecretOf},
};

/// URLs that one job's end is told to: all of them are written in the transaction that ends it.
pub const URLS_OF_JOB: i64 = 16;
/// Deliveries that an account may have pending; then nothing more is taken on for it.
pub const PENDING_OF_ACCOUNT: i64 = 10_000;
/// When an account that has that many should ask again: the first pauses have passed by then.
const FULL_FOR: u32 = 60;

/// Has `url` told of the end of `job`, whose variant's row is held; at once if that has succeeded. `false` if it has ended
/// otherwise since it was read: then it tells nobody any more.
pub(super) async fn subscribe(
    tx: &mut Tx,
    job: &Job,
    url: &str,
    now: DateTime<Utc>,
) -> Result<bool, Stop> {
    check_room(tx, job.user_id).await?;
    if job.status == JobStatus::Succeeded {
        deliver(tx, job, WebhookType::JobSucceeded, &[url], now).await?;
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
    // The job's row is held: nobody else adds to them meanwhile.
    let (urls,): (i64,) =
        tx.fetch_one("SELECT count(*) FROM webhooks WHERE job_id = $1", binds![job.id]).await?;
    if urls > URLS_OF_JOB {
        let detail =
            format!("must be one of at most {URLS_OF_JOB} URLs that a job's end is told to");
        return Err(Error::field("/webhook_url", detail).into());
    }
    Ok(true)
}

/// Whether more may be pending of the account. Requests at once may pass it together, by as many as they are.
async fn check_room(tx: &mut Tx, user_id: UserId) -> Result<(), Stop> {
    let last: Option<(Uuid,)> = tx
        .fetch_optional(
            "SELECT id FROM webhook_deliveries WHERE status = 'pending' AND user_id = $1
             LIMIT 1 OFFSET $2",
            binds![user_id, PENDING_OF_ACCOUNT - 1],
        )
        .await?;
    if last.is_none() {
        return Ok(());
    }
    let detail = format!("{PENDING_OF_ACCOUNT} webhooks of the account are still to be delivered");
    Err(Error::new(Code::QuotaExceeded, detail).retry_after(FULL_FOR).into())
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
    let urls: Vec<&str> = urls.iter().map(|(url,)| url.as_str()).collect();
    deliver(tx, &job, event, &urls, at).await?;
    if job.status == JobStatus::Succeeded {
        // It can't end once more: whoever asks from now on is told at once.
        tx.execute("DELETE FROM webhooks WHERE job_id = $1", binds![job.id]).await?;
    }
    Ok(())
}

/// Puts what is told into the outbox, as it is now: what is sent again is the same.
async fn deliver(
    tx: &mut Tx,
    job: &Job,
    event: WebhookType,
    urls: &[&str],
    at: DateTime<Utc>,
) -> Result<(), Stop> {
    if urls.is_empty() {
        return Ok(());
    }
    let body = json!({ "type": event, "timestamp": at, "data": job }).to_string();
    let row = |n: usize| {
        let (id, url) = (6 + 2 * n, 7 + 2 * n);
        format!("(${id}, $1, $2, ${url}, $3, $4, 'pending', $5, $5)")
    };
    let rows: Vec<String> = (0..urls.len()).map(row).collect();
    let sql = format!(
        "INSERT INTO webhook_deliveries (id, job_id, user_id, url, event, body, status, due_at,
             created_at)
         VALUES {}",
        rows.join(", ")
    );
    let mut values = binds![job.id, job.user_id, event.as_str(), body, at].to_vec();
    for url in urls {
        values.extend(binds![WebhookId::new(), *url]);
    }
    tx.execute(AssertSqlSafe(sql), values).await?;
    Ok(())
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
