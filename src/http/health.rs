//! `/health` and `/ready`: for those who watch over the process.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use warp::{Filter, filters::BoxedFilter, http::StatusCode, reply::Response};

use super::{
    body::{reply, with_header},
    context::{Context, Request},
    problem::answered,
};
use crate::{
    adapters::{
        cache::CheckCache,
        db::{Ping, now},
        queue::CheckQueue,
        storage::CheckStorage,
    },
    domain::error::{Error, Result},
};

pub(super) fn routes(context: &Context) -> BoxedFilter<(Response,)> {
    let health = warp::path!("health").and(warp::get()).then(|| answered(health())).boxed();
    let ready = warp::path!("ready")
        .and(warp::get())
        .and(context.request())
        .then(|request| answered(ready(request)))
        .boxed();
    health.or(ready).unify().boxed()
}

/// The process lives.
#[derive(Serialize, ToSchema)]
pub(super) struct HealthView {
    #[schema(example = "ok")]
    status: &'static str,
    time: DateTime<Utc>,
}

/// Whether the process lives.
#[utoipa::path(get, path = "/health", tag = "operations", security(()),
    responses((status = 200, body = HealthView)))]
pub(super) async fn health() -> Result<Response> {
    uncached(reply(StatusCode::OK, &HealthView { status: "ok", time: now() })?)
}

/// What the process can do.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Readiness {
    Ready,
    /// Slower: something is down that it can do without.
    Degraded,
    Unready,
    Draining,
}

/// Whether requests should be sent here.
#[derive(Serialize, ToSchema)]
pub(super) struct ReadyView {
    status: Readiness,
}

/// Whether requests should be sent here: 503 while the database or the storage is down, and while
/// the process is about to stop. Without Redis or RabbitMQ it is `degraded`, and answers all the same: jobs are accepted, and wait.
#[utoipa::path(get, path = "/ready", tag = "operations", security(()),
    responses((status = 200, body = ReadyView), (status = 503, body = ReadyView)))]
pub(super) async fn ready(request: Request) -> Result<Response> {
    let services = request.services();
    let status = if request.is_draining() {
        Readiness::Draining
    } else {
        let (database, storage, cache, queue) = tokio::join!(
            services.database.ask(Ping),
            services.storage.ask(CheckStorage),
            services.cache.ask(CheckCache),
            services.publisher.ask(CheckQueue),
        );
        let needed = [database.err(), storage.err()];
        // What it can do without.
        let useful = [cache.err(), queue.err()];
        readiness(needed.into_iter().flatten().collect(), useful.into_iter().flatten().collect())
    };
    let code = match status {
        Readiness::Ready | Readiness::Degraded => StatusCode::OK,
        Readiness::Unready | Readiness::Draining => StatusCode::SERVICE_UNAVAILABLE,
    };
    uncached(reply(code, &ReadyView { status })?)
}

/// What follows from what is down.
fn readiness(needed: Vec<Error>, useful: Vec<Error>) -> Readiness {
    for error in &needed {
        tracing::warn!(%error, cause = error.cause, "not ready");
    }
    for error in &useful {
        // Whoever lost it has told so, once.
        tracing::debug!(%error, cause = error.cause, "degraded");
    }
    match (needed.is_empty(), useful.is_empty()) {
        (true, true) => Readiness::Ready,
        (true, false) => Readiness::Degraded,
        (false, _) => Readiness::Unready,
    }
}

fn uncached(response: Response) -> Result<Response> {
    with_header(response, "cache-control", "no-store")
}
