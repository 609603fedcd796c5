//! The jobs table as a queue: workers lease jobs, renew their leases, and finish what they hold.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    Mode, Transaction, deletions,
    error::Stop,
    jobs::{self, JobRow},
    tx::{Bind, Tx, binds, placeholders},
    variants,
};
use crate::domain::{
    ids::{DeletionId, JobId, UserId, VariantId},
    job::{Job, JobStatus, Outcome},
    variant::Failure,
};

/// How many expired leases one call sets right, so that it stays short after an outage.
const RESCUES: i64 = 100;

/// Gives a worker the jobs that are due, oldest first.
#[derive(Debug, Clone)]
pub struct LeaseJobs {
    /// Who asks.
    pub worker: Uuid,
    /// How many at most.
    pub limit: i64,
    /// The present.
    pub now: DateTime<Utc>,
    /// Until when they are this worker's; it renews them before that.
    pub lease_until: DateTime<Utc>,
}

impl Transaction for LeaseJobs {
    const NAME: &'static str = "jobs.lease";
    const MODE: Mode = Mode::Write;
    type Output = Vec<Job>;

    async fn perform(&self, tx: &mut Tx) -> Result<Vec<Job>, Stop> {
        rescue(tx, self.now).await?;
        // The predicate stands outside the list too: a row that changed after it was listed is left
        // alone, also where the list takes no locks.
        let sql = format!(
            "WITH due AS MATERIALIZED (
                 SELECT id FROM jobs WHERE status = 'queued' AND run_at <= $2
                 ORDER BY run_at, id LIMIT $4 {}
             )
             UPDATE jobs SET status = 'running', attempts = attempts + 1, started_at = $2,
                 lease_worker = $1, lease_until = $3
             WHERE status = 'queued' AND run_at <= $2 AND id IN (SELECT id FROM due)
             RETURNING {}",
            tx.dialect().skip_locked,
            jobs::columns!()
        );
        let rows: Vec<JobRow> = tx
            .fetch_all(
                AssertSqlSafe(sql),
                binds![self.worker, self.now, self.lease_until, self.limit],
            )
            .await?;
        let mut jobs: Vec<Job> =
            rows.into_iter().map(Job::try_from).collect::<Result<_, Stop>>()?;
        jobs.sort_by_key(|job| (job.created_at, job.id));
        Ok(jobs)
    }
}

/// Takes the jobs of workers that were not heard of in time: back into the queue, unless nobody wants
/// them any more, or they were given their last chance.
async fn rescue(tx: &mut Tx, now: DateTime<Utc>) -> Result<(), Stop> {
    let sql = format!(
        "WITH lost AS MATERIALIZED (
             SELECT id FROM jobs WHERE status = 'running' AND lease_until <= $1
             ORDER BY lease_until, id LIMIT $2 {}
         )
         UPDATE jobs SET
             status = CASE WHEN cancel_requested THEN 'cancelled'
                 WHEN attempts >= max_attempts THEN 'failed' ELSE 'queued' END,
             finished_at = CASE WHEN cancel_requested OR attempts >= max_attempts THEN $1 END,
             error_code = CASE WHEN NOT cancel_requested THEN $3 END,
             error_detail = CASE WHEN NOT cancel_requested THEN $4 END,
             lease_worker = NULL, lease_until = NULL
         WHERE status = 'running' AND lease_until <= $1 AND id IN (SELECT id FROM lost)
         RETURNING variant_id, status",
        tx.dialect().skip_locked,
    );
    let lost = Failure {
        code: "worker_lost".to_owned(),
        detail: "the worker that had the job was lost".to_owned(),
    };
    let rows: Vec<(Uuid, String)> =
        tx.fetch_all(AssertSqlSafe(sql), binds![now, RESCUES, &lost.code, &lost.detail]).await?;
    for (variant_id, _) in rows.iter().filter(|(_, status)| status == "failed") {
        variants::fail(tx, VariantId(*variant_id), &lost).await?;
    }
    Ok(())
}

/// Keeps jobs for the worker that has them.
#[derive(Debug, Clone)]
pub struct RenewLeases {
    /// Who asks.
    pub worker: Uuid,
    /// The jobs that it works on.
    pub jobs: Vec<JobId>,
    /// Until when they are its own now.
    pub lease_until: DateTime<Utc>,
}

impl Transaction for RenewLeases {
    const NAME: &'static str = "jobs.renew";
    const MODE: Mode = Mode::Write;
    /// The jobs that it still has, and whether each was asked to stop.
    type Output = Vec<(JobId, bool)>;

    async fn perform(&self, tx: &mut Tx) -> Result<Self::Output, Stop> {
        if self.jobs.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "UPDATE jobs SET lease_until = $2
             WHERE status = 'running' AND lease_worker = $1 AND id IN ({})
             RETURNING id, cancel_requested",
            placeholders(3, self.jobs.len())
        );
        let mut values = binds![self.worker, self.lease_until].to_vec();
        values.extend(self.jobs.iter().copied().map(Bind::from));
        let rows: Vec<(Uuid, bool)> = tx.fetch_all(AssertSqlSafe(sql), values).await?;
        Ok(rows.into_iter().map(|(id, cancel)| (JobId(id), cancel)).collect())
    }
}

/// Records what became of a run, in the job and in its variant.
#[derive(Debug, Clone)]
pub struct FinishJob {
    /// Who ran it.
    pub worker: Uuid,
    /// Whose job it is.
    pub user_id: UserId,
    /// The job.
    pub job_id: JobId,
    /// Its variant.
    pub variant_id: VariantId,
    /// What became of it.
    pub outcome: Outcome,
    /// The present.
    pub now: DateTime<Utc>,
}

/// What a job becomes.
enum End {
    Succeeded,
    Failed(Failure),
    Cancelled,
    Queued(Failure, Duration),
}

impl Transaction for FinishJob {
    const NAME: &'static str = "jobs.finish";
    const MODE: Mode = Mode::Write;
    /// What the job is now; `None` if it is no longer this worker's, or gone.
    type Output = Option<JobStatus>;

    async fn perform(&self, tx: &mut Tx) -> Result<Option<JobStatus>, Stop> {
        if !variants::lock(tx, self.variant_id).await? {
            if let Outcome::Done(made) = &self.outcome {
                // Stored after the deletion had listed its objects: it goes by a list of its own.
                let keys = [made.object_key.clone()];
                let id = DeletionId::new();
                deletions::record_keys(tx, self.user_id, id, &keys, self.now).await?;
            }
            return Ok(None);
        }
        let sql = format!(
            "SELECT attempts, max_attempts, cancel_requested FROM jobs
             WHERE id = $1 AND variant_id = $2 AND lease_worker = $3 AND status = 'running' {}",
            tx.dialect().for_update
        );
        let held: Option<(i32, i32, bool)> = tx
            .fetch_optional(AssertSqlSafe(sql), binds![self.job_id, self.variant_id, self.worker])
            .await?;
        let Some((attempts, max_attempts, cancel_requested)) = held else { return Ok(None) };
        let end = match &self.outcome {
            Outcome::Done(made) => {
                variants::complete(tx, self.variant_id, made, None, self.now).await?;
                End::Succeeded
            }
            Outcome::Retry(..) | Outcome::Cancelled if cancel_requested => End::Cancelled,
            Outcome::Retry(error, after) if attempts < max_attempts => {
                End::Queued(error.into(), *after)
            }
            Outcome::Retry(error, _) | Outcome::Fail(error) => {
                let failure = Failure::from(error);
                variants::fail(tx, self.variant_id, &failure).await?;
                End::Failed(failure)
            }
            Outcome::Cancelled => End::Cancelled,
            Outcome::Gone => return Ok(None),
        };
        self.write(tx, end).await.map(Some)
    }
}

impl FinishJob {
    async fn write(&self, tx: &mut Tx, end: End) -> Result<JobStatus, Stop> {
        let (status, failure, run_at) = match end {
            End::Succeeded => (JobStatus::Succeeded, None, None),
            End::Failed(failure) => (JobStatus::Failed, Some(failure), None),
            End::Cancelled => (JobStatus::Cancelled, None, None),
            End::Queued(failure, after) => {
                let after = TimeDelta::from_std(after).unwrap_or(TimeDelta::days(1));
                (JobStatus::Queued, Some(failure), Some(self.now + after))
            }
        };
        let (code, detail) = failure.map(|failure| (failure.code, failure.detail)).unzip();
        tx.execute(
            "UPDATE jobs SET status = $2, error_code = $3, error_detail = $4,
                 run_at = coalesce($5, run_at), finished_at = $6,
                 lease_worker = NULL, lease_until = NULL
             WHERE id = $1",
            binds![
                self.job_id,
                status.as_str(),
                code,
                detail,
                run_at,
                status.is_finished().then_some(self.now)
            ],
        )
        .await?;
        Ok(status)
    }
}

/// Gives back, without counting the attempt, what a worker that stops still holds.
#[derive(Debug, Clone)]
pub struct ReleaseJobs {
    /// Who stops.
    pub worker: Uuid,
    /// The present.
    pub now: DateTime<Utc>,
}

impl Transaction for ReleaseJobs {
    const NAME: &'static str = "jobs.release";
    const MODE: Mode = Mode::Write;
    /// How many.
    type Output = u64;

    async fn perform(&self, tx: &mut Tx) -> Result<u64, Stop> {
        tx.execute(
            "UPDATE jobs SET
                 status = CASE WHEN cancel_requested THEN 'cancelled' ELSE 'queued' END,
                 finished_at = CASE WHEN cancel_requested THEN $2 END,
                 attempts = attempts - 1, lease_worker = NULL, lease_until = NULL
             WHERE status = 'running' AND lease_worker = $1",
            binds![self.worker, self.now],
        )
        .await
    }
}

/// How many jobs wait or run, of all accounts.
#[derive(Debug, Clone)]
pub struct CountUnfinished {}

impl Transaction for CountUnfinished {
    const NAME: &'static str = "jobs.count_unfinished";
    const MODE: Mode = Mode::Read;
    type Output = i64;

    async fn perform(&self, tx: &mut Tx) -> Result<i64, Stop> {
        let (count,) = tx
            .fetch_one("SELECT count(*) FROM jobs WHERE status IN ('queued', 'running')", [])
            .await?;
        Ok(count)
    }
}
