//! Jobs as an operator sees them: those of every account.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    Mode, Transaction,
    error::Stop,
    jobs::{self, JobRow},
    tx::{Bind, Tx, binds},
    variants,
};
use crate::domain::{
    error::Error,
    ids::{JobId, VariantId},
    job::{Job, JobStatus},
};

/// Jobs of all accounts, newest first.
#[derive(Debug, Clone)]
pub struct AllJobs {
    /// Only those of this status.
    pub status: Option<JobStatus>,
    /// How many at most.
    pub limit: i64,
}

impl Transaction for AllJobs {
    const NAME: &'static str = "operator.list";
    const MODE: Mode = Mode::Read;
    type Output = Vec<Job>;

    async fn perform(&self, tx: &mut Tx) -> Result<Vec<Job>, Stop> {
        let sql = match self.status {
            None => concat!("SELECT ", jobs::columns!(), " FROM jobs ORDER BY id DESC LIMIT $1"),
            Some(_) => concat!(
                "SELECT ",
                jobs::columns!(),
                " FROM jobs WHERE status = $2 ORDER BY id DESC LIMIT $1"
            ),
        };
        let mut values = binds![self.limit].to_vec();
        values.extend(self.status.map(|status| Bind::from(status.as_str())));
        let rows: Vec<JobRow> = tx.fetch_all(sql, values).await?;
        rows.into_iter().map(Job::try_from).collect()
    }
}

/// Puts a job that failed or was cancelled back into the queue, whoever's it is.
#[derive(Debug, Clone)]
pub struct RetryAnyJob {
    /// The job.
    pub id: JobId,
    /// The present.
    pub now: DateTime<Utc>,
}

impl Transaction for RetryAnyJob {
    const NAME: &'static str = "operator.retry";
    const MODE: Mode = Mode::Write;
    /// The job that has the work.
    type Output = Job;

    async fn perform(&self, tx: &mut Tx) -> Result<Job, Stop> {
        let row: Option<(Uuid,)> =
            tx.fetch_optional("SELECT variant_id FROM jobs WHERE id = $1", binds![self.id]).await?;
        let (variant_id,) = row.ok_or_else(|| Error::not_found("job"))?;
        variants::lock(tx, VariantId(variant_id)).await?;
        let row: Option<JobRow> = tx
            .fetch_optional(
                concat!("SELECT ", jobs::columns!(), " FROM jobs WHERE id = $1"),
                binds![self.id],
            )
            .await?;
        let job = row.ok_or_else(|| Error::not_found("job"))?.try_into()?;
        jobs::retry(tx, job, self.now).await
    }
}

/// Forgets jobs that ended before a time. What they made stays.
#[derive(Debug, Clone)]
pub struct PurgeJobs {
    /// Only those of this status, which must be an end.
    pub status: JobStatus,
    /// Only those that ended before it.
    pub before: DateTime<Utc>,
    /// How many at most, so that nobody waits long for the locks.
    pub limit: i64,
}

impl Transaction for PurgeJobs {
    const NAME: &'static str = "operator.purge";
    const MODE: Mode = Mode::Write;
    /// How many went.
    type Output = u64;

    async fn perform(&self, tx: &mut Tx) -> Result<u64, Stop> {
        if !self.status.is_finished() {
            return Ok(0);
        }
        tx.execute(
            "DELETE FROM jobs WHERE status = $1 AND id IN (
                 SELECT id FROM jobs WHERE status = $1 AND finished_at < $2 LIMIT $3)",
            binds![self.status.as_str(), self.before, self.limit],
        )
        .await
    }
}
