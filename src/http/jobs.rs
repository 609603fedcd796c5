//! `/jobs`: work in the background.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use warp::{Filter, filters::BoxedFilter, http::StatusCode, reply::Response};

use super::{
    body::{reply, with_header},
    context::{Context, Request},
    fields::Fields,
    images::limit,
    problem::answered,
};
use crate::{
    adapters::db::jobs::{JobById, ListJobs},
    domain::{
        error::{Error, Result},
        ids::{ImageId, JobId, VariantId},
        job::{Job, JobKind, JobStatus},
        variant::Failure,
    },
    flows::jobs,
};

pub(super) fn routes(context: &Context) -> BoxedFilter<(Response,)> {
    let jobs = warp::path!("api" / "v1" / "jobs" / ..);
    let list = jobs
        .and(warp::path::end())
        .and(warp::get())
        .and(context.request())
        .then(|request| answered(list(request)))
        .boxed();
    let get = jobs
        .and(warp::path!(String))
        .and(warp::get())
        .and(context.request())
        .then(|id, request| answered(get(request, id)))
        .boxed();
    let cancel = jobs
        .and(warp::path!(String))
        .and(warp::delete())
        .and(context.request())
        .then(|id, request| answered(cancel(request, id)))
        .boxed();
    let retry = jobs
        .and(warp::path!(String / "retry"))
        .and(warp::post())
        .and(context.request())
        .then(|id, request| answered(retry(request, id)))
        .boxed();
    list.or(get).unify().or(cancel).unify().or(retry).unify().boxed()
}

/// A piece of background work.
#[derive(Serialize, ToSchema)]
pub(super) struct JobView {
    id: JobId,
    kind: JobKind,
    status: JobStatus,
    /// How often it was begun.
    attempts: i32,
    /// How often it may be.
    max_attempts: i32,
    image_id: ImageId,
    variant_id: VariantId,
    /// The canonical spec.
    #[schema(value_type = Object)]
    spec: Value,
    /// Why it failed, or why it was put back last.
    error: Option<Failure>,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

impl From<Job> for JobView {
    fn from(job: Job) -> Self {
        Self {
            id: job.id,
            kind: job.kind,
            status: job.status,
            attempts: job.attempts,
            max_attempts: job.max_attempts,
            image_id: job.image_id,
            variant_id: job.variant_id,
            spec: job.spec,
            error: job.error,
            created_at: job.created_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
        }
    }
}

/// Jobs, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct JobsView {
    jobs: Vec<JobView>,
    /// Where the next page begins; null on the last one.
    next_cursor: Option<JobId>,
}

pub(super) fn job_id(id: &str) -> Result<JobId> {
    id.parse().map_err(|_| Error::not_found("job"))
}

/// Where a job can be watched.
pub(super) fn status_url(request: &Request, id: JobId) -> String {
    request.url(&format!("/api/v1/jobs/{id}"))
}

/// The jobs of the account, newest first.
#[utoipa::path(get, path = "/api/v1/jobs", operation_id = "list_jobs", tag = "jobs",
    params(
        ("status" = Option<JobStatus>, Query, description = "only those with this status"),
        ("image_id" = Option<ImageId>, Query, description = "only those of this image"),
        ("limit" = Option<i64>, Query, description = "1 to 100, 20 if left out", minimum = 1, maximum = 100),
        ("cursor" = Option<JobId>, Query, description = "the `next_cursor` of the page before"),
    ),
    responses((status = 200, body = JobsView)))]
pub(super) async fn list(request: Request) -> Result<Response> {
    let user_id = request.caller().await?.user_id;
    let mut fields = Fields::of_query(&request.query)?;
    let status = fields.optional("status", "queued, running, succeeded, failed or cancelled");
    let image_id = fields.parsed("image_id", "the id of an image", |_: &ImageId| true);
    let limit = limit(&mut fields);
    let after = fields.parsed("cursor", "a `next_cursor` of this list", |_: &JobId| true);
    fields.finish()?;
    let query = ListJobs { user_id, status, image_id, limit: limit + 1, after };
    let mut jobs = request.services().database.ask(query).await?;
    let shown = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = jobs.len() > shown;
    jobs.truncate(shown);
    let next_cursor = jobs.last().filter(|_| more).map(|job| job.id);
    let jobs = jobs.into_iter().map(JobView::from).collect();
    reply(StatusCode::OK, &JobsView { jobs, next_cursor })
}

/// One job.
#[utoipa::path(get, path = "/api/v1/jobs/{id}", operation_id = "get_job", tag = "jobs",
    params(("id" = JobId, Path)), responses((status = 200, body = JobView)))]
pub(super) async fn get(request: Request, id: String) -> Result<Response> {
    let user_id = request.caller().await?.user_id;
    let job = request.services().database.ask(JobById { user_id, id: job_id(&id)? }).await?;
    reply(StatusCode::OK, &JobView::from(job))
}

/// Takes a job back: a queued one never runs, a running one stops at its next step.
#[utoipa::path(delete, path = "/api/v1/jobs/{id}", operation_id = "cancel_job", tag = "jobs",
    params(("id" = JobId, Path)), responses((status = 202, body = JobView)))]
pub(super) async fn cancel(request: Request, id: String) -> Result<Response> {
    let user_id = request.caller().await?.user_id;
    let job = jobs::cancel(request.services(), user_id, job_id(&id)?).await?;
    accepted(&request, job)
}

/// Has a job that failed or was cancelled run again.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/retry", operation_id = "retry_job", tag = "jobs",
    params(("id" = JobId, Path)), responses((status = 202, body = JobView)))]
pub(super) async fn retry(request: Request, id: String) -> Result<Response> {
    let user_id = request.caller().await?.user_id;
    let job = jobs::retry(request.services(), user_id, job_id(&id)?).await?;
    accepted(&request, job)
}

fn accepted(request: &Request, job: Job) -> Result<Response> {
    let location = status_url(request, job.id);
    with_header(reply(StatusCode::ACCEPTED, &JobView::from(job))?, "location", &location)
}
