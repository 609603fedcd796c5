//! `/images/{id}/purge` and `/purge`: giving up what was made of pictures.

use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use warp::{Filter, filters::BoxedFilter, http::StatusCode, reply::Response};

use super::{
    body::{self, Body, json, no_content, reply},
    context::{Context, Request},
    fields::Fields,
    idempotency::Attempt,
    limit::{Limit, RateLimited, Tally},
    problem::answered,
};
use crate::{
    domain::{
        error::{Error, Result},
        ids::ImageId,
    },
    flows::purge::{count_tagged, purge_image, purge_tag},
};

pub(super) fn routes(context: &Context) -> BoxedFilter<(Response,)> {
    let one = warp::path!("api" / "v1" / "images" / String / "purge")
        .and(warp::post())
        .and(context.request())
        .then(|id, request| answered(one(request, id)))
        .boxed();
    let tagged = warp::path!("api" / "v1" / "purge")
        .and(warp::post())
        .and(context.request())
        .and(body::stream())
        .then(|request, body| answered(tagged(request, body)))
        .boxed();
    one.or(tagged).unify().boxed()
}

/// Gives up all that was made of a picture.
///
/// Within 5 s no process serves any of it; it is made again when it is next asked for. Variants keep their ids, and are `pending` with
/// `engine` 0 until then. A CDN that the operator has named is told.
#[utoipa::path(post, path = "/api/v1/images/{id}/purge", operation_id = "purge_image", tag = "delivery",
    params(
        ("id" = ImageId, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "a retry with it purges nothing more"),
    ),
    responses((status = 204), (status = 429, response = inline(RateLimited))))]
pub(super) async fn one(request: Request, id: String) -> Result<Response> {
    let mut tally = Tally::default();
    let answer = one_counted(request, &id, &mut tally).await;
    tally.told(answer)
}

async fn one_counted(request: Request, id: &str, tally: &mut Tally) -> Result<Response> {
    let user_id = request.caller().await?.user_id;
    tally.take_of_account(&request, Limit::Transforms, user_id, 1).await?;
    let id: ImageId = id.parse().map_err(|_| Error::not_found("image"))?;
    let attempt = Attempt::begin(&request, user_id).await?;
    let work = async move {
        purge_image(request.services(), user_id, id).await?;
        Ok(no_content())
    };
    attempt.settle(&json!({}), work).await
}

/// Which pictures.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(super) struct PurgeBody {
    /// Those with this label.
    #[schema(example = "summer")]
    tag: String,
}

/// What was purged.
#[derive(Serialize, ToSchema)]
pub(super) struct PurgedView {
    /// Pictures with the label.
    images: usize,
}

/// Gives up all that was made of the pictures with a label, as `POST /images/{id}/purge` does of one, and counts as that many.
#[utoipa::path(post, path = "/api/v1/purge", operation_id = "purge_tag", tag = "delivery",
    request_body = PurgeBody,
    responses((status = 200, body = PurgedView), (status = 429, response = inline(RateLimited))))]
pub(super) async fn tagged(request: Request, body: Body) -> Result<Response> {
    let mut tally = Tally::default();
    let answer = tagged_counted(&request, body, &mut tally).await;
    tally.told(answer)
}

async fn tagged_counted(request: &Request, body: Body, tally: &mut Tally) -> Result<Response> {
    let user_id = request.caller().await?.user_id;
    let mut fields = Fields::of(json(request, body).await?)?;
    let tag: String = fields.required("tag", "a string");
    fields.finish()?;
    let count = count_tagged(request.services(), user_id, tag.clone()).await?;
    // A label on more pictures than may be purged at all takes everything there is.
    let most = request.settings().rate_limits.transforms as usize;
    let cost = count.min(most).max(1);
    tally.take_of_account(request, Limit::Transforms, user_id, cost).await?;
    let images = purge_tag(request.services(), user_id, tag).await?;
    reply(StatusCode::OK, &PurgedView { images })
}
