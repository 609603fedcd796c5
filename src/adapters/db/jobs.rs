//! Jobs, as those who asked for them see them. How workers get them is in `queue.rs`.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{
    Mode, Transaction,
    error::Stop,
    events, outbox,
    tx::{Tx, binds},
    variants, webhooks,
};
use crate::domain::{
    error::{Code, Error},
    ids::{ImageId, JobId, UserId, VariantId},
    job::{Job, JobKind, JobStatus},
    variant::{Variant, VariantStatus},
};

/// The columns of a [`JobRow`].
macro_rules! columns {
    () => {
        "id, user_id, kind, status, attempts, max_attempts, image_id, variant_id, spec,
         error_code, error_detail, created_at, started_at, finished_at, version, has_webhooks"
    };
}

pub(super) use columns;

row! {
    #[derive(Clone)]
    pub(super) struct JobRow {
        pub(super) id: Uuid,
        pub(super) user_id: Uuid,
        kind: String,
        pub(super) status: String,
        pub(super) attempts: i32,
        max_attempts: i32,
        image_id: Uuid,
        pub(super) variant_id: Uuid,
        spec: Value,
        pub(super) error_code: Option<String>,
        pub(super) error_detail: Option<String>,
        created_at: DateTime<Utc>,
        pub(super) started_at: Option<DateTime<Utc>>,
        pub(super) finished_at: Option<DateTime<Utc>>,
        /// How often its state has changed.
        pub(super) version: i32,
        /// Somebody is to be told of its end.
        pub(super) has_webhooks: bool,
    }
}

impl TryFrom<JobRow> for Job {
    type Error = Stop;

    fn try_from(row: JobRow) -> Result<Self, Stop> {
        Ok(Job {
            id: JobId(row.id),
            user_id: UserId(row.user_id),
            kind: match row.kind.as_str() {
                "transform" => JobKind::Transform,
                other => return Err(Stop::corrupt(other)),
            },
            status: status(&row.status)?,
            attempts: row.attempts,
            max_attempts: row.max_attempts,
            image_id: ImageId(row.image_id),
            variant_id: VariantId(row.variant_id),
            spec: row.spec,
            error: variants::failure(row.error_code, row.error_detail),
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
        })
    }
}

fn status(text: &str) -> Result<JobStatus, Stop> {
    let known = JobStatus::ALL.iter().copied().find(|status| status.as_str() == text);
    known.ok_or_else(|| Stop::corrupt(text))
}

const fn kind_name(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Transform => "transform",
    }
}

/// Asks for a variant to be made in the background.
#[derive(Debug, Clone)]
pub struct EnqueueTransform {
    /// What to insert if there is no such variant.
    pub variant: Variant,
    /// What to insert if no job has that work.
    pub job: Job,
    /// Who is to be told of the end of the job that has it.
    pub webhook_url: Option<String>,
}

impl Transaction for EnqueueTransform {
    const NAME: &'static str = "jobs.enqueue";
    const MODE: Mode = Mode::Write;
    /// The variant, and the job that makes it or that made it.
    type Output = (Variant, Job);

    async fn perform(&self, tx: &mut Tx) -> Result<Self::Output, Stop> {
        loop {
            let (variant, job) = enqueue(tx, &self.variant, &self.job).await?;
            let Some(url) = &self.webhook_url else { return Ok((variant, job)) };
            if webhooks::subscribe(tx, &job, url, self.job.created_at).await? {
                return Ok((variant, job));
            }
            // It was taken back, or its workers are lost: what follows it has the work.
        }
    }
}

/// See [`EnqueueTransform`]. The variant's row is held from the first statement on: of equal requests
/// at once, one comes first.
pub(super) async fn enqueue(
    tx: &mut Tx,
    variant: &Variant,
    job: &Job,
) -> Result<(Variant, Job), Stop> {
    let reserved = variant.id;
    let variant = variants::reserve(tx, variant).await?;
    let job = Job {
        image_id: variant.image_id,
        variant_id: variant.id,
        spec: variant.spec.clone(),
        error: None,
        ..job.clone()
    };
    if variant.status == VariantStatus::Ready {
        let row: Option<JobRow> = tx
            .fetch_optional(
                concat!(
                    "SELECT ",
                    columns!(),
                    " FROM jobs WHERE variant_id = $1 AND status = 'succeeded'
                     ORDER BY id DESC LIMIT 1"
                ),
                binds![variant.id],
            )
            .await?;
        let job = match row {
            Some(row) => row.try_into()?,
            None => {
                let at = Some(job.created_at);
                let status = JobStatus::Succeeded;
                let job = Job { status, started_at: at, finished_at: at, ..job };
                insert(tx, &job).await?;
                job
            }
        };
        return Ok((variant, job));
    }
    // What was inserted just now has no job yet.
    if variant.id != reserved
        && let Some(unfinished) = unfinished(tx, variant.id).await?
    {
        return Ok((variant, unfinished));
    }
    let job = Job { status: JobStatus::Queued, started_at: None, finished_at: None, ..job };
    insert(tx, &job).await?;
    outbox::insert(tx, job.id, job.user_id, job.created_at, None).await?;
    Ok((variant, job))
}

/// The job that has the work already, if there is one. Should it have been told to stop: now it is wanted again.
async fn unfinished(tx: &mut Tx, variant_id: VariantId) -> Result<Option<Job>, Stop> {
    tx.execute(
        "UPDATE jobs SET cancel_requested = FALSE
         WHERE variant_id = $1 AND status = 'running' AND cancel_requested",
        binds![variant_id],
    )
    .await?;
    let row: Option<JobRow> = tx
        .fetch_optional(
            concat!(
                "SELECT ",
                columns!(),
                " FROM jobs WHERE variant_id = $1 AND status IN ('queued', 'running')"
            ),
            binds![variant_id],
        )
        .await?;
    row.map(Job::try_from).transpose()
}

/// How the last job stands that had a variant to make; `None` if none ever had.
#[derive(Debug, Clone)]
pub struct LatestJobStatus {
    /// The variant.
    pub variant_id: VariantId,
}

impl Transaction for LatestJobStatus {
    const NAME: &'static str = "jobs.latest_status";
    const MODE: Mode = Mode::Read;
    type Output = Option<JobStatus>;

    async fn perform(&self, tx: &mut Tx) -> Result<Option<JobStatus>, Stop> {
        let row: Option<(String,)> = tx
            .fetch_optional(
                "SELECT status FROM jobs WHERE variant_id = $1 ORDER BY id DESC LIMIT 1",
                binds![self.variant_id],
            )
            .await?;
        row.map(|(text,)| status(&text)).transpose()
    }
}

/// Inserts a job in the first state that its watchers see.
async fn insert(tx: &mut Tx, job: &Job) -> Result<(), Stop> {
    tx.execute(
        "INSERT INTO jobs (id, user_id, kind, status, attempts, max_attempts, image_id,
             variant_id, spec, run_at, created_at, started_at, finished_at, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11, $12, $13)",
        binds![
            job.id,
            job.user_id,
            kind_name(job.kind),
            job.status.as_str(),
            job.attempts,
            job.max_attempts,
            job.image_id,
            job.variant_id,
            &job.spec,
            job.created_at,
            job.started_at,
            job.finished_at,
            events::FIRST
        ],
    )
    .await?;
    events::begin(tx, job).await
}

/// A job of an account.
#[derive(Debug, Clone)]
pub struct JobById {
    /// The account.
    pub user_id: UserId,
    /// The job.
    pub id: JobId,
}

impl Transaction for JobById {
    const NAME: &'static str = "jobs.get";
    const MODE: Mode = Mode::Read;
    type Output = Job;

    async fn perform(&self, tx: &mut Tx) -> Result<Job, Stop> {
        get(tx, self.user_id, self.id).await
    }
}

pub(super) async fn get(tx: &mut Tx, user_id: UserId, id: JobId) -> Result<Job, Stop> {
    let row: Option<JobRow> = tx
        .fetch_optional(
            concat!("SELECT ", columns!(), " FROM jobs WHERE id = $1 AND user_id = $2"),
            binds![id, user_id],
        )
        .await?;
    row.ok_or_else(|| Error::not_found("job"))?.try_into()
}

/// A page of an account's jobs, newest first.
#[derive(Debug, Clone)]
pub struct ListJobs {
    /// The account.
    pub user_id: UserId,
    /// Only those of this status.
    pub status: Option<JobStatus>,
    /// Only those on this picture.
    pub image_id: Option<ImageId>,
    /// How many at most.
    pub limit: i64,
    /// Begins after this one.
    pub after: Option<JobId>,
}

impl Transaction for ListJobs {
    const NAME: &'static str = "jobs.list";
    const MODE: Mode = Mode::Read;
    type Output = Vec<Job>;

    async fn perform(&self, tx: &mut Tx) -> Result<Vec<Job>, Stop> {
        // One text for each filter, so that each is answered from its own index.
        let sql = match (self.image_id, self.status) {
            (None, None) => concat!(
                "SELECT ",
                columns!(),
                " FROM jobs WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3"
            ),
            (None, Some(_)) => concat!(
                "SELECT ",
                columns!(),
                " FROM jobs WHERE user_id = $1 AND id < $2 AND status = $4
                 ORDER BY id DESC LIMIT $3"
            ),
            (Some(_), None) => concat!(
                "SELECT ",
                columns!(),
                " FROM jobs WHERE user_id = $1 AND id < $2 AND image_id = $4
                 ORDER BY id DESC LIMIT $3"
            ),
            (Some(_), Some(_)) => concat!(
                "SELECT ",
                columns!(),
                " FROM jobs WHERE user_id = $1 AND id < $2 AND image_id = $4 AND status = $5
                 ORDER BY id DESC LIMIT $3"
            ),
        };
        let after = self.after.map_or(Uuid::max(), |JobId(id)| id);
        let mut binds = binds![self.user_id, after, self.limit].to_vec();
        binds.extend(self.image_id.map(Into::into));
        binds.extend(self.status.map(|status| status.as_str().into()));
        let rows: Vec<JobRow> = tx.fetch_all(sql, binds).await?;
        rows.into_iter().map(Job::try_from).collect()
    }
}

/// Takes a job back: one that waits never runs, one that runs is asked to stop.
#[derive(Debug, Clone)]
pub struct CancelJob {
    /// The account.
    pub user_id: UserId,
    /// The job.
    pub id: JobId,
    /// The present.
    pub now: DateTime<Utc>,
}

impl Transaction for CancelJob {
    const NAME: &'static str = "jobs.cancel";
    const MODE: Mode = Mode::Write;
    /// The job as it is now.
    type Output = Job;

    async fn perform(&self, tx: &mut Tx) -> Result<Job, Stop> {
        let cancelled: Option<JobRow> = tx
            .fetch_optional(
                concat!(
                    "UPDATE jobs SET status = 'cancelled', finished_at = $3,
                         cancel_requested = TRUE, version = version + 1
                     WHERE id = $1 AND user_id = $2 AND status = 'queued'
                     RETURNING ",
                    columns!()
                ),
                binds![self.id, self.user_id, self.now],
            )
            .await?;
        if let Some(row) = cancelled {
            outbox::remove(tx, self.id).await?;
            events::record(tx, &row).await?;
            return row.try_into();
        }
        let running: Option<JobRow> = tx
            .fetch_optional(
                concat!(
                    "UPDATE jobs SET cancel_requested = TRUE
                     WHERE id = $1 AND user_id = $2 AND status = 'running'
                     RETURNING ",
                    columns!()
                ),
                binds![self.id, self.user_id],
            )
            .await?;
        if let Some(row) = running {
            return row.try_into();
        }
        let job = get(tx, self.user_id, self.id).await?;
        let detail = format!("the job has already {}", ended(job.status));
        Err(Error::new(Code::JobNotCancellable, detail).into())
    }
}

const fn ended(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Failed => "failed",
        JobStatus::Cancelled => "been cancelled",
        _ => "finished",
    }
}

/// Puts a job that failed or was cancelled back into the queue. One that waits, runs or succeeded is left
/// as it is; and when another job has the same work by now, that one is the answer.
#[derive(Debug, Clone)]
pub struct RetryJob {
    /// The account.
    pub user_id: UserId,
    /// The job.
    pub id: JobId,
    /// The present.
    pub now: DateTime<Utc>,
}

impl Transaction for RetryJob {
    const NAME: &'static str = "jobs.retry";
    const MODE: Mode = Mode::Write;
    /// The job that has the work.
    type Output = Job;

    async fn perform(&self, tx: &mut Tx) -> Result<Job, Stop> {
        let variant_id = get(tx, self.user_id, self.id).await?.variant_id;
        variants::lock(tx, variant_id).await?;
        let job = get(tx, self.user_id, self.id).await?;
        retry(tx, job, self.now).await
    }
}

/// See [`RetryJob`]; its variant's row is held.
pub(super) async fn retry(tx: &mut Tx, job: Job, now: DateTime<Utc>) -> Result<Job, Stop> {
    if !matches!(job.status, JobStatus::Failed | JobStatus::Cancelled) {
        return Ok(job);
    }
    if let Some(other) = unfinished(tx, job.variant_id).await? {
        return Ok(other);
    }
    tx.execute(
        "UPDATE variants SET status = 'pending', error_code = NULL, error_detail = NULL
         WHERE id = $1 AND status = 'failed'",
        binds![job.variant_id],
    )
    .await?;
    let row: JobRow = tx
        .fetch_one(
            concat!(
                "UPDATE jobs SET status = 'queued', attempts = 0, alone = FALSE, lost_alone = 0,
                     cancel_requested = FALSE, error_code = NULL, error_detail = NULL,
                     started_at = NULL, finished_at = NULL, version = version + 1
                 WHERE id = $1 RETURNING ",
                columns!()
            ),
            binds![job.id],
        )
        .await?;
    outbox::insert(tx, job.id, job.user_id, now, None).await?;
    events::record(tx, &row).await?;
    row.try_into()
}
