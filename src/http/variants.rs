//! `/variants`: pictures made from pictures.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use warp::{Filter, filters::BoxedFilter, http::StatusCode, reply::Response};

use super::{
    body::{no_content, reply},
    content::{self, Content},
    context::{Context, Request},
    problem::answered,
};
use crate::{
    adapters::db::jobs::LatestJobStatus,
    domain::{
        error::{Code, Error, Result},
        ids::{ImageId, UserId, VariantId},
        job::JobStatus,
        variant::{Failure, Variant, VariantStatus},
    },
    flows::{delete::delete_variant, metadata, purge::make_again},
};

pub(super) fn routes(context: &Context) -> BoxedFilter<(Response,)> {
    let variants = warp::path!("api" / "v1" / "variants" / ..);
    let get = variants
        .and(warp::path!(String))
        .and(warp::get())
        .and(context.request())
        .then(|id, request| answered(get(request, id)))
        .boxed();
    let content = variants
        .and(warp::path!(String / "content"))
        .and(warp::get())
        .and(context.request())
        .then(|id, request| answered(picture(request, id)))
        .boxed();
    let delete = variants
        .and(warp::path!(String))
        .and(warp::delete())
        .and(context.request())
        .then(|id, request| answered(delete(request, id)))
        .boxed();
    get.or(content).unify().or(delete).unify().boxed()
}

/// A picture made from another.
#[derive(Serialize, ToSchema)]
pub(super) struct VariantView {
    id: VariantId,
    image_id: ImageId,
    /// The canonical spec.
    #[schema(value_type = Object)]
    spec: Value,
    /// SHA-256 of the canonical spec, hex.
    spec_hash: String,
    /// Version of the engine; 0 after a purge.
    engine: i32,
    status: VariantStatus,
    /// Null until it is ready, like the next three.
    #[schema(example = "image/webp")]
    mime_type: Option<&'static str>,
    /// Bytes.
    size: Option<i64>,
    width: Option<u32>,
    height: Option<u32>,
    /// Why it could not be made.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
    created_at: DateTime<Utc>,
    /// Where its bytes are, once ready.
    url: String,
}

impl VariantView {
    pub(super) fn new(request: &Request, variant: Variant) -> Self {
        let made = variant.made.as_ref().filter(|_| variant.status == VariantStatus::Ready);
        Self {
            mime_type: made.map(|made| made.format.mime_type()),
            size: made.map(|made| made.size),
            width: made.map(|made| made.width),
            height: made.map(|made| made.height),
            url: request.url(&format!("/api/v1/variants/{}/content", variant.id)),
            id: variant.id,
            image_id: variant.image_id,
            spec: variant.spec,
            spec_hash: variant.spec_hash,
            engine: variant.engine,
            status: variant.status,
            error: variant.error,
            created_at: variant.created_at,
        }
    }
}

async fn find(request: &Request, user_id: UserId, id: &str) -> Result<Variant> {
    let id: VariantId = id.parse().map_err(|_| Error::not_found("variant"))?;
    metadata::variant(request.services(), user_id, id).await
}

/// One variant.
#[utoipa::path(get, path = "/api/v1/variants/{id}", operation_id = "get_variant", tag = "variants",
    params(("id" = VariantId, Path)), responses((status = 200, body = VariantView)))]
pub(super) async fn get(request: Request, id: String) -> Result<Response> {
    let user_id = request.caller().await?.user_id;
    let variant = find(&request, user_id, &id).await?;
    reply(StatusCode::OK, &VariantView::new(&request, variant))
}

/// The variant's bytes.
///
/// Before it is ready 409 `variant_not_ready`; if it could not be made, 422 with the reason. After a purge it is made again at once.
#[utoipa::path(get, path = "/api/v1/variants/{id}/content", operation_id = "get_variant_content", tag = "variants",
    params(("id" = VariantId, Path)),
    responses((status = 200, content_type = "image/*"), (status = 206, content_type = "image/*"), (status = 304)))]
pub(super) async fn picture(request: Request, id: String) -> Result<Response> {
    let user_id = request.caller().await?.user_id;
    let mut variant = find(&request, user_id, &id).await?;
    if is_to_be_made(&request, &variant).await? {
        variant = make_again(request.services(), variant).await?;
    }
    match (variant.status, variant.made, variant.error) {
        (VariantStatus::Ready, Some(made), _) => {
            let content = Content { format: made.format, object: made.object() };
            content::serve(&request, content).await
        }
        (VariantStatus::Failed, _, Some(failure)) => Err(failure.to_error()),
        _ => {
            let detail = "the picture is still being made";
            Err(Error::new(Code::VariantNotReady, detail).retry_after(1))
        }
    }
}

/// Whether a picture that was there before is to be made by whoever asks for it: a purge has given it up, and no job is to make it
/// or was told not to.
async fn is_to_be_made(request: &Request, variant: &Variant) -> Result<bool> {
    if variant.status != VariantStatus::Pending || variant.is_purged() {
        return Ok(variant.is_purged());
    }
    // Somebody has tried since, and had no luck.
    let query = LatestJobStatus { variant_id: variant.id };
    let latest = request.services().database.ask(query).await?;
    Ok(matches!(latest, None | Some(JobStatus::Succeeded)))
}

/// Deletes a variant.
#[utoipa::path(delete, path = "/api/v1/variants/{id}", operation_id = "delete_variant", tag = "variants",
    params(("id" = VariantId, Path)), responses((status = 204)))]
pub(super) async fn delete(request: Request, id: String) -> Result<Response> {
    let user_id = request.caller().await?.user_id;
    let id = id.parse().map_err(|_| Error::not_found("variant"))?;
    delete_variant(request.services(), user_id, id).await?;
    Ok(no_content())
}
