//! `/jobs/{id}/events` and `/events`: jobs as they change, as server-sent events.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use sync_wrapper::SyncStream;
use tokio::sync::watch;
use warp::{
    Filter, Reply,
    filters::BoxedFilter,
    http::{HeaderValue, header},
    reply::Response,
};

use super::{
    context::{Context, Request},
    jobs::{JobView, job_id},
    problem::answered,
};
use crate::{
    domain::{
        error::{Error, Result},
        ids::{EventId, JobId},
        job::Job,
    },
    flows::{Services, events::Feed, sessions::Caller},
};

/// How often a connection on which nothing happens shows that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(super) fn routes(context: &Context) -> BoxedFilter<(Response,)> {
    let job = warp::path!("api" / "v1" / "jobs" / String / "events")
        .and(warp::get())
        .and(context.request())
        .then(|id, request| answered(of_job(request, id)))
        .boxed();
    let all = warp::path!("api" / "v1" / "events")
        .and(warp::get())
        .and(context.request())
        .then(|request| answered(of_account(request)))
        .boxed();
    job.or(all).unify().boxed()
}

/// Follows a job until it has ended.
///
/// Each event is `event: job` with the job in `data`; after a reconnection with `Last-Event-ID` those that came after it.
#[utoipa::path(get, path = "/api/v1/jobs/{id}/events", operation_id = "follow_job", tag = "jobs",
    params(
        ("id" = JobId, Path),
        ("Last-Event-ID" = Option<EventId>, Header, description = "the last event that was received"),
    ),
    responses((status = 200, content_type = "text/event-stream", body = JobView)))]
pub(super) async fn of_job(request: Request, id: String) -> Result<Response> {
    let caller = request.caller().await?;
    let (services, after) = (request.shared_services(), last_event(&request)?);
    let feed = Feed::of_job(services, caller.user_id, job_id(&id)?, after).await?;
    Ok(stream(feed, caller, &request))
}

/// Follows all jobs of the account.
///
/// Without `Last-Event-ID` from now on; with it, after that event. Some of the last may come again, none is left out.
#[utoipa::path(get, path = "/api/v1/events", operation_id = "follow_jobs", tag = "jobs",
    params(
        ("Last-Event-ID" = Option<EventId>, Header, description = "the last event that was received"),
    ),
    responses((status = 200, content_type = "text/event-stream", body = JobView)))]
pub(super) async fn of_account(request: Request) -> Result<Response> {
    let caller = request.caller().await?;
    let (services, after) = (request.shared_services(), last_event(&request)?);
    let feed = Feed::of_account(services, caller.user_id, after).await?;
    Ok(stream(feed, caller, &request))
}

fn last_event(request: &Request) -> Result<Option<EventId>> {
    match request.header("last-event-id").filter(|id| !id.is_empty()) {
        Some(id) => id.parse().map(Some).map_err(|_| {
            Error::field("/Last-Event-ID", "must be the `id` of an event that was received")
        }),
        None => Ok(None),
    }
}

/// What a stream is made of.
struct Open {
    feed: Feed,
    caller: Caller,
    services: Arc<Services>,
    draining: watch::Receiver<bool>,
}

/// The feed as a body that ends with it, when its caller is shut out, or when the process is about to stop.
fn stream(feed: Feed, caller: Caller, request: &Request) -> Response {
    let (services, draining) = (request.shared_services(), request.draining());
    let open = Open { feed, caller, services, draining };
    let body = futures_util::stream::unfold(open, |mut open| async {
        let next = tokio::time::timeout(KEEP_ALIVE, open.feed.next());
        let piece = tokio::select! {
            next = next => match next {
                Ok(Some((id, job))) => written(id, job),
                Ok(None) => return None,
                Err(_) => Bytes::from_static(b":\n\n"),
            },
            _ = open.draining.wait_for(|draining| *draining) => return None,
        };
        // Whoever was let in long ago may have been shut out since.
        if open.caller.is_shut_out(&open.services).await {
            return None;
        }
        Some((Ok::<_, Infallible>(piece), open))
    });
    let mut response = warp::reply::stream(SyncStream::new(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies that collect answers before they pass them on are asked not to.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

fn written(id: Option<EventId>, job: Job) -> Bytes {
    // Strings, numbers, ids and times have a JSON form, without line breaks.
    let job = serde_json::to_string(&JobView::from(job)).unwrap_or_default();
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    Bytes::from(format!("{id}event: job\ndata: {job}\n\n"))
}
