//! Jobs in the hands of workers, who take them, renew their leases, and finish or give back what they hold. How jobs come
//! to them is in `outbox.rs`.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    Mode, Transaction,
    error::Stop,
    events,
    jobs::{self, JobRow},
    objects, outbox,
    tx::{Bind, Tx, binds, placeholders},
    variants,
};
use crate::domain::{
    error::Code,
    ids::{JobId, UserId, VariantId},
    job::{Job, JobStatus, Outcome},
    variant::Failure,
};

/// How many lost jobs one call sets right, so that it stays short after an outage.
const RESCUES: i64 = 100;
/// When a worker that vanished is forgotten.
const FORGOTTEN: TimeDelta = TimeDelta::hours(1);
/// A job that comes earlier than this is put back: brokers and clocks are not exact, and nobody minds a second.
const EARLY: TimeDelta = TimeDelta::seconds(1);
/// Workers that may vanish over a job that they ran alone.
const MAX_LOST_ALONE: i32 = 3;

/// Gives a worker a job that the queue has brought it.
#[derive(Debug, Clone)]
pub struct TakeJob {
    /// Who asks.
    pub worker: Uuid,
    /// The job.
    pub job_id: JobId,
    /// Nothing else runs on this worker, and nothing will while the job does.
    pub alone: bool,
    /// The present.
    pub now: DateTime<Utc>,
    /// Until when it is this worker's; it renews that before.
    pub lease_until: DateTime<Utc>,
}

/// What a worker gets.
#[derive(Debug, Clone, PartialEq)]
pub enum Taken {
    /// The job, to run.
    Job(Box<Job>),
    /// A worker vanished over it: it may only be run alone.
    OnlyAlone,
    /// Nothing: somebody else has it, or had it, it was taken back, or it is not due.
    Nothing,
}

impl Transaction for TakeJob {
    const NAME: &'static str = "jobs.take";
    const MODE: Mode = Mode::Write;
    type Output = Taken;

    async fn perform(&self, tx: &mut Tx) -> Result<Taken, Stop> {
        let soon = self.now + EARLY;
        let row: Option<JobRow> = tx
            .fetch_optional(
                concat!(
                    "UPDATE jobs SET status = 'running', attempts = attempts + 1, started_at = $4,
                         lease_worker = $2, lease_until = $3, lease_alone = $5,
                         version = version + 1
                     WHERE id = $1 AND status = 'queued' AND (NOT alone OR $5) AND EXISTS (
                         SELECT 1 FROM outbox WHERE job_id = jobs.id AND run_at <= $6)
                     RETURNING ",
                    jobs::columns!()
                ),
                binds![self.job_id, self.worker, self.lease_until, self.now, self.alone, soon],
            )
            .await?;
        if let Some(row) = row {
            outbox::remove(tx, self.job_id).await?;
            events::record(tx, &row).await?;
            return Ok(Taken::Job(Box::new(row.try_into()?)));
        }
        let sql = format!(
            "SELECT jobs.alone, outbox.run_at <= $2 FROM jobs JOIN outbox ON outbox.job_id = jobs.id
             WHERE jobs.id = $1 AND jobs.status = 'queued' {}",
            tx.dialect().for_update
        );
        let row: Option<(bool, bool)> =
            tx.fetch_optional(AssertSqlSafe(sql), binds![self.job_id, soon]).await?;
        match row {
            Some((true, true)) => Ok(Taken::OnlyAlone),
            Some((_, false)) => {
                tx.execute(
                    "UPDATE outbox SET state = 'delayed', until = NULL WHERE job_id = $1",
                    binds![self.job_id],
                )
                .await?;
                Ok(Taken::Nothing)
            }
            _ => Ok(Taken::Nothing),
        }
    }
}

/// Takes the jobs of workers that were not heard of in time: back into the queue, unless nobody wants them any more, or
/// too many workers have vanished while they had nothing else to do. A job that another one may have taken down with it is
/// not to blame: the run doesn't count, and the next one is alone on its worker, which will tell.
#[derive(Debug, Clone)]
pub struct RescueJobs {
    /// The present.
    pub now: DateTime<Utc>,
    /// Leases that end by then have ended; later than the present if it is known that no worker lives.
    pub ended: DateTime<Utc>,
}

impl Transaction for RescueJobs {
    const NAME: &'static str = "jobs.rescue";
    const MODE: Mode = Mode::Write;
    /// The jobs that were lost.
    type Output = Vec<(UserId, JobId)>;

    async fn perform(&self, tx: &mut Tx) -> Result<Self::Output, Stop> {
        let lost = Failure {
            code: Code::WorkerLost.as_str().to_owned(),
            detail: "the worker that had the job was lost".to_owned(),
        };
        let sql = format!(
            "WITH lost AS MATERIALIZED (
                 SELECT id FROM jobs WHERE status = 'running' AND lease_until <= $6
                 ORDER BY lease_until, id LIMIT $2 {}
             )
             UPDATE jobs SET
                 status = CASE WHEN cancel_requested THEN 'cancelled'
                     WHEN lease_alone AND lost_alone + 1 >= $5 THEN 'failed' ELSE 'queued' END,
                 finished_at = CASE
                     WHEN cancel_requested OR lease_alone AND lost_alone + 1 >= $5 THEN $1 END,
                 error_code = CASE WHEN NOT cancel_requested THEN $3 END,
                 error_detail = CASE WHEN NOT cancel_requested THEN $4 END,
                 attempts = attempts - 1, alone = TRUE,
                 lost_alone = lost_alone + CASE WHEN lease_alone THEN 1 ELSE 0 END,
                 lease_worker = NULL, lease_until = NULL, version = version + 1
             WHERE status = 'running' AND lease_until <= $6 AND id IN (SELECT id FROM lost)
             RETURNING {}",
            tx.dialect().skip_locked,
            jobs::columns!()
        );
        let rows: Vec<JobRow> = tx
            .fetch_all(
                AssertSqlSafe(sql),
                binds![self.now, RESCUES, &lost.code, &lost.detail, MAX_LOST_ALONE, self.ended],
            )
            .await?;
        for row in &rows {
            match row.status.as_str() {
                "queued" => {
                    outbox::insert(tx, JobId(row.id), UserId(row.user_id), self.now, None).await?;
                }
                "failed" => variants::fail(tx, VariantId(row.variant_id), &lost).await?,
                _ => {}
            }
            events::record(tx, row).await?;
        }
        Ok(rows.iter().map(|row| (UserId(row.user_id), JobId(row.id))).collect())
    }
}

/// A worker lives, and holds this many jobs at a time.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    /// The worker.
    pub worker: Uuid,
    /// `QUEUE_PREFETCH_COUNT`.
    pub prefetch: i64,
    /// The present.
    pub now: DateTime<Utc>,
}

impl Transaction for Heartbeat {
    const NAME: &'static str = "workers.heartbeat";
    const MODE: Mode = Mode::Write;
    type Output = ();

    async fn perform(&self, tx: &mut Tx) -> Result<(), Stop> {
        tx.execute(
            "INSERT INTO workers (id, prefetch, seen_at) VALUES ($1, $2, $3)
             ON CONFLICT (id) DO UPDATE SET prefetch = excluded.prefetch, seen_at = excluded.seen_at",
            binds![self.worker, self.prefetch, self.now],
        )
        .await?;
        // Those that vanished long ago.
        tx.execute("DELETE FROM workers WHERE seen_at < $1", binds![self.now - FORGOTTEN]).await?;
        Ok(())
    }
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
    /// As if it had not run.
    Again,
}

impl Transaction for FinishJob {
    const NAME: &'static str = "jobs.finish";
    const MODE: Mode = Mode::Write;
    /// What the job is now, and whether somebody has asked to be told of its end; `None` if it is no longer this worker's, or
    /// gone.
    type Output = Option<(JobStatus, bool)>;

    async fn perform(&self, tx: &mut Tx) -> Result<Self::Output, Stop> {
        if !variants::lock(tx, self.variant_id).await? {
            if let Outcome::Done(made) = &self.outcome {
                // Stored after the deletion had listed its objects: it goes by a list of its own.
                objects::abandon(tx, self.user_id, &made.object_key, self.now).await?;
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
                match variants::complete(tx, self.variant_id, made, None, self.now).await? {
                    Some(_) => End::Succeeded,
                    None if cancel_requested => End::Cancelled,
                    None => End::Again,
                }
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
            // It was told to stop, and then somebody wanted it again.
            Outcome::Cancelled => End::Again,
            Outcome::Gone => return Ok(None),
        };
        self.write(tx, end).await.map(Some)
    }
}

impl FinishJob {
    async fn write(&self, tx: &mut Tx, end: End) -> Result<(JobStatus, bool), Stop> {
        let uncounted = i32::from(matches!(end, End::Again));
        let (status, failure, run_at) = match end {
            End::Succeeded => (JobStatus::Succeeded, None, None),
            End::Failed(failure) => (JobStatus::Failed, Some(failure), None),
            End::Cancelled => (JobStatus::Cancelled, None, None),
            End::Again => (JobStatus::Queued, None, Some(self.now)),
            End::Queued(failure, after) => {
                let after = TimeDelta::from_std(after).unwrap_or(TimeDelta::days(1));
                (JobStatus::Queued, Some(failure), Some(self.now + after))
            }
        };
        let (code, detail) = failure.map(|failure| (failure.code, failure.detail)).unzip();
        let row: JobRow = tx
            .fetch_one(
                concat!(
                    "UPDATE jobs SET status = $2, error_code = $3, error_detail = $4,
                         finished_at = $5, attempts = attempts - $6, alone = FALSE, lost_alone = 0,
                         lease_worker = NULL, lease_until = NULL, version = version + 1
                     WHERE id = $1 RETURNING ",
                    jobs::columns!()
                ),
                binds![
                    self.job_id,
                    status.as_str(),
                    code,
                    detail,
                    status.is_finished().then_some(self.now),
                    uncounted
                ],
            )
            .await?;
        if run_at.is_some() {
            outbox::insert(tx, self.job_id, self.user_id, self.now, run_at).await?;
        }
        events::record(tx, &row).await?;
        Ok((status, row.has_webhooks))
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
    /// The jobs.
    type Output = Vec<(UserId, JobId)>;

    async fn perform(&self, tx: &mut Tx) -> Result<Self::Output, Stop> {
        let rows: Vec<JobRow> = tx
            .fetch_all(
                concat!(
                    "UPDATE jobs SET
                         status = CASE WHEN cancel_requested THEN 'cancelled' ELSE 'queued' END,
                         finished_at = CASE WHEN cancel_requested THEN $2 END,
                         attempts = attempts - 1, lease_worker = NULL, lease_until = NULL,
                         version = version + 1
                     WHERE status = 'running' AND lease_worker = $1 RETURNING ",
                    jobs::columns!()
                ),
                binds![self.worker, self.now],
            )
            .await?;
        for row in &rows {
            if row.status == "queued" {
                outbox::insert(tx, JobId(row.id), UserId(row.user_id), self.now, None).await?;
            }
            events::record(tx, row).await?;
        }
        tx.execute("DELETE FROM workers WHERE id = $1", binds![self.worker]).await?;
        Ok(rows.iter().map(|row| (UserId(row.user_id), JobId(row.id))).collect())
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
