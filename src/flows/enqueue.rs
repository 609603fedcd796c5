//! Accepting a transformation as a job.

use super::{Services, jobs, transform::plan};
use crate::{
    adapters::db::{jobs::EnqueueTransform, now},
    domain::{
        error::Result,
        ids::JobId,
        image::Image,
        job::{Job, JobKind, JobStatus, MAX_ATTEMPTS},
        transform::Spec,
        variant::Variant,
    },
};

/// A job that makes `variant`, as a row to be.
pub fn job_for(variant: &Variant) -> Job {
    Job {
        id: JobId::new(),
        user_id: variant.user_id,
        kind: JobKind::Transform,
        status: JobStatus::Queued,
        attempts: 0,
        max_attempts: MAX_ATTEMPTS,
        image_id: variant.image_id,
        variant_id: variant.id,
        spec: variant.spec.clone(),
        error: None,
        created_at: now(),
        started_at: None,
        finished_at: None,
    }
}

/// Accepts the transformation of `image` by `spec`: the job that makes the variant, which may have
/// been accepted, or even done, before. Its end is told to `webhook_url`.
///
/// # Errors
/// `not_found` if the image has gone.
pub async fn enqueue(
    services: &Services,
    image: &Image,
    spec: &Spec,
    webhook_url: Option<String>,
) -> Result<(Variant, Job)> {
    let variant = plan(image, spec);
    let job = job_for(&variant);
    let is_told = webhook_url.is_some();
    let query = EnqueueTransform { variant, job, webhook_url };
    let (variant, job) = services.database.ask(query).await?;
    jobs::changed(services, &job);
    if is_told && job.status.is_finished() {
        services.webhooks.ring();
    }
    Ok((variant, job))
}
