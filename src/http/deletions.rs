//! `GET /deletions/{id}`: what became of a deletion.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use warp::{Filter, filters::BoxedFilter, http::StatusCode, reply::Response};

use super::{
    body::reply,
    context::{Context, Request},
    problem::answered,
};
use crate::{
    adapters::db::deletions::DeletionById,
    domain::{
        error::{Error, Result},
        ids::DeletionId,
    },
};

pub(super) fn routes(context: &Context) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "v1" / "deletions" / String)
        .and(warp::get())
        .and(context.request())
        .then(|id, request| answered(get(request, id)))
        .boxed()
}

/// How far a deletion has come.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum DeletionStatus {
    Running,
    Finished,
}

/// A deletion.
#[derive(Serialize, ToSchema)]
pub(super) struct DeletionView {
    status: DeletionStatus,
    /// Stored objects that it covers.
    objects: i64,
    /// Of those, the ones still to be removed.
    remaining: i64,
    finished_at: Option<DateTime<Utc>>,
}

/// What became of a deletion.
///
/// The receipt is all that is needed: after the deletion of an account nobody could log in to ask.
#[utoipa::path(get, path = "/api/v1/deletions/{id}", operation_id = "get_deletion", tag = "images", security(()),
    params(("id" = DeletionId, Path)), responses((status = 200, body = DeletionView)))]
pub(super) async fn get(request: Request, id: String) -> Result<Response> {
    let id = id.parse().map_err(|_| Error::not_found("deletion"))?;
    let deletion = request.services().database.ask(DeletionById { id }).await?;
    let view = DeletionView {
        status: match deletion.finished_at {
            Some(_) => DeletionStatus::Finished,
            None => DeletionStatus::Running,
        },
        objects: deletion.objects,
        remaining: deletion.remaining,
        finished_at: deletion.finished_at,
    };
    reply(StatusCode::OK, &view)
}
