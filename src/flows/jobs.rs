//! What can be done with a job that was accepted.

use super::Services;
use crate::{
    actors::notifier::News,
    adapters::db::{
        jobs::{CancelJob, RetryJob},
        now,
    },
    domain::{
        error::Result,
        ids::{JobId, UserId},
        job::Job,
    },
};

/// Takes a job back: a queued one never runs, a running one stops at its next step, wherever it runs.
///
/// # Errors
/// `not_found`; `job_not_cancellable` when it has finished.
pub async fn cancel(services: &Services, user_id: UserId, id: JobId) -> Result<Job> {
    let job = services.database.ask(CancelJob { user_id, id, now: now() }).await?;
    changed(services, &job);
    Ok(job)
}

/// Has a job that failed or was cancelled run again; the job that has the work.
///
/// # Errors
/// `not_found`.
pub async fn retry(services: &Services, user_id: UserId, id: JobId) -> Result<Job> {
    let job = services.database.ask(RetryJob { user_id, id, now: now() }).await?;
    changed(services, &job);
    Ok(job)
}

/// Tells those who wait for it that a job is queued, or otherwise not what it was.
pub(super) fn changed(services: &Services, job: &Job) {
    services.notifier.tell(News { user_id: job.user_id, job_id: job.id });
    services.jobs.ring();
}
