//! `/images`: listing, looking at, changing and deleting uploaded pictures.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use warp::{Filter, filters::BoxedFilter, http::StatusCode, reply::Response};

use super::{
    body::{self, Body, json, no_content, reply, with_header},
    content::{self, Content},
    context::{Context, Request},
    fields::Fields,
    problem::answered,
    variants::VariantView,
};
use crate::{
    adapters::db::{
        images::{ListImages, Page},
        variants::{VariantsOf, VariantsOfMany},
    },
    domain::{
        error::{Error, Fault, Result},
        ids::{ImageId, UserId},
        image::{Exif, Focus, Image, ImagePatch},
        variant::Variant,
    },
    flows::{delete::delete_image, metadata},
};

/// Rows in an answer when nothing is said.
const DEFAULT_LIMIT: i64 = 20;
/// Labels of one image.
const MAX_TAGS: usize = 50;
/// Characters of a label.
const MAX_TAG: usize = 100;

pub(super) fn routes(context: &Context) -> BoxedFilter<(Response,)> {
    let images = warp::path!("api" / "v1" / "images" / ..);
    let one = || images.and(warp::path!(String));
    let list = images
        .and(warp::path::end())
        .and(warp::get())
        .and(context.request())
        .then(|request| answered(list(request)))
        .boxed();
    let get = one()
        .and(warp::get())
        .and(context.request())
        .then(|id, request| answered(get(request, id)))
        .boxed();
    let patch = one()
        .and(warp::patch())
        .and(context.request())
        .and(body::stream())
        .then(|id, request, body| answered(patch(request, id, body)))
        .boxed();
    let delete = one()
        .and(warp::delete())
        .and(context.request())
        .then(|id, request| answered(delete(request, id)))
        .boxed();
    let content = images
        .and(warp::path!(String / "content"))
        .and(warp::get())
        .and(context.request())
        .then(|id, request| answered(original(request, id)))
        .boxed();
    let variants = images
        .and(warp::path!(String / "variants"))
        .and(warp::get())
        .and(context.request())
        .then(|id, request| answered(variants(request, id)))
        .boxed();
    list.or(get)
        .unify()
        .or(patch)
        .unify()
        .boxed()
        .or(delete)
        .unify()
        .or(content)
        .unify()
        .or(variants)
        .unify()
        .boxed()
}

/// The image that a path names.
///
/// # Errors
/// `not_found`, also for what is no id, and for another account's.
pub(super) async fn find(request: &Request, user_id: UserId, id: &str) -> Result<Image> {
    let id: ImageId = id.parse().map_err(|_| Error::not_found("image"))?;
    metadata::image(request.services(), user_id, id).await
}

/// An uploaded picture.
#[derive(Serialize, ToSchema)]
pub(super) struct ImageView {
    id: ImageId,
    filename: String,
    #[schema(example = "image/jpeg")]
    mime_type: &'static str,
    /// Bytes.
    size: i64,
    /// Pixels across, as displayed.
    width: u32,
    /// Pixels down, as displayed.
    height: u32,
    frames: u32,
    has_alpha: bool,
    /// Of the bytes, hex.
    sha256: String,
    public: bool,
    tags: Vec<String>,
    /// The point that crops keep.
    focus: Option<Focus>,
    /// Null until a background job has filled it.
    thumbhash: Option<String>,
    /// Null until a background job has filled it.
    dominant_color: Option<String>,
    /// Up to six colours, the most frequent first. Null until a background job has filled it.
    palette: Option<Vec<String>>,
    /// How the picture looks in 64 bits, hexadecimal (pHash): pictures that look alike differ in few of them. Null until a
    /// background job has filled it.
    phash: Option<String>,
    /// What EXIF says of the photograph, but for where it was taken. Null until a background job has filled it, and where
    /// there is none.
    exif: Option<Exif>,
    created_at: DateTime<Utc>,
    original_url: String,
    variants: Vec<VariantView>,
}

impl ImageView {
    pub(super) fn new(request: &Request, image: Image, variants: Vec<Variant>) -> Self {
        Self {
            original_url: request.url(&format!("/api/v1/images/{}/content", image.id)),
            id: image.id,
            filename: image.filename,
            mime_type: image.format.mime_type(),
            size: image.size,
            width: image.width,
            height: image.height,
            frames: image.frames,
            has_alpha: image.has_alpha,
            sha256: image.sha256,
            public: image.public,
            tags: image.tags,
            focus: image.focus,
            thumbhash: image.facts.thumbhash,
            dominant_color: image.facts.dominant_color,
            palette: image.facts.palette,
            phash: image.facts.phash,
            exif: image.facts.exif,
            created_at: image.created_at,
            variants: variants
                .into_iter()
                .map(|variant| VariantView::new(request, variant))
                .collect(),
        }
    }
}

/// Pictures, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct ImagesView {
    images: Vec<ImageView>,
    /// How many there are in all.
    total: i64,
    limit: i64,
    offset: i64,
    /// Where the next page begins; null on the last one.
    next_cursor: Option<ImageId>,
}

/// The `limit` of a list.
pub(super) fn limit(fields: &mut Fields) -> i64 {
    fields
        .parsed("limit", "an integer between 1 and 100", |limit| (1..=100).contains(limit))
        .unwrap_or(DEFAULT_LIMIT)
}

/// The pictures of the account, newest first.
#[utoipa::path(get, path = "/api/v1/images", operation_id = "list_images", tag = "images",
    params(
        ("limit" = Option<i64>, Query, description = "1 to 100, 20 if left out", minimum = 1, maximum = 100),
        ("offset" = Option<i64>, Query, description = "how many to leave out", minimum = 0),
        ("cursor" = Option<ImageId>, Query, description = "the `next_cursor` of the page before; not with `offset`"),
        ("tag" = Option<String>, Query, description = "only those with this label"),
    ),
    responses((status = 200, body = ImagesView)))]
pub(super) async fn list(request: Request) -> Result<Response> {
    let user_id = request.caller().await?.user_id;
    let mut fields = Fields::of_query(&request.query)?;
    let limit = limit(&mut fields);
    let offset = fields.parsed("offset", "an integer, 0 or more", |offset: &i64| *offset >= 0);
    let cursor = fields.parsed("cursor", "a `next_cursor` of this list", |_: &ImageId| true);
    let tag: Option<String> = fields.optional("tag", "a string");
    if offset.is_some() && cursor.is_some() {
        fields.fault("cursor", "can't stand beside `offset`");
    }
    fields.finish()?;

    let offset = offset.unwrap_or(0);
    let page = cursor.map_or(Page::Offset(offset), Page::After);
    let database = &request.services().database;
    // One more than is shown tells whether there is a next page.
    let query = ListImages { user_id, tag, limit: limit + 1, page };
    let (mut images, total) = database.ask(query).await?;
    let shown = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = images.len() > shown;
    images.truncate(shown);
    let next_cursor = images.last().filter(|_| more).map(|image| image.id);
    let image_ids = images.iter().map(|image| image.id).collect();
    let mut variants = database.ask(VariantsOfMany { user_id, image_ids }).await?;
    let images = images
        .into_iter()
        .map(|image| {
            let own = variants.extract_if(.., |variant| variant.image_id == image.id).collect();
            ImageView::new(&request, image, own)
        })
        .collect();
    reply(StatusCode::OK, &ImagesView { images, total, limit, offset, next_cursor })
}

/// One picture, with what was made of it.
#[utoipa::path(get, path = "/api/v1/images/{id}", operation_id = "get_image", tag = "images",
    params(("id" = ImageId, Path)), responses((status = 200, body = ImageView)))]
pub(super) async fn get(request: Request, id: String) -> Result<Response> {
    let user_id = request.caller().await?.user_id;
    let image = find(&request, user_id, &id).await?;
    view(&request, image).await
}

async fn view(request: &Request, image: Image) -> Result<Response> {
    let query = VariantsOf { user_id: image.user_id, image_id: image.id };
    let variants = request.services().database.ask(query).await?;
    reply(StatusCode::OK, &ImageView::new(request, image, variants))
}

/// What of a picture can be changed; what is left out stays.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(super) struct ImagePatchBody {
    /// Whether it may be delivered unsigned.
    public: Option<bool>,
    /// All of its labels.
    #[schema(max_items = 50)]
    tags: Option<Vec<String>>,
    /// The point that crops keep; null takes it away.
    focus: Option<Focus>,
}

/// Changes a picture.
#[utoipa::path(patch, path = "/api/v1/images/{id}", operation_id = "patch_image", tag = "images", request_body = ImagePatchBody,
    params(("id" = ImageId, Path)), responses((status = 200, body = ImageView)))]
pub(super) async fn patch(request: Request, id: String, body: Body) -> Result<Response> {
    let user_id = request.caller().await?.user_id;
    let image = find(&request, user_id, &id).await?;
    let value = json(&request, body).await?;
    let no_focus = value.get("focus").is_some_and(Value::is_null);
    let mut fields = Fields::of(value)?;
    let public = fields.optional("public", "true or false");
    let tags = fields.optional::<Vec<String>>("tags", "a list of strings");
    let tags = tags.map(|tags| match check_tags(tags) {
        Ok(tags) => tags,
        Err(faults) => {
            fields.faults_under("tags", faults);
            Vec::new()
        }
    });
    let focus = fields.optional::<Focus>("focus", "{x, y}, each between 0 and 1");
    if let Some(Focus { x, y }) = focus
        && !((0.0..=1.0).contains(&x) && (0.0..=1.0).contains(&y))
    {
        fields.fault("focus", "must be {x, y}, each between 0 and 1");
    }
    fields.finish()?;
    let focus = if no_focus { Some(None) } else { focus.map(Some) };
    let patch = ImagePatch { public, tags, focus };
    let image = metadata::patch_image(request.services(), user_id, image.id, patch).await?;
    view(&request, image).await
}

/// Labels without their margins and repetitions.
pub(super) fn check_tags(tags: Vec<String>) -> Result<Vec<String>, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut kept: Vec<String> = Vec::new();
    for (index, tag) in tags.iter().map(|tag| tag.trim()).enumerate() {
        if !(1..=MAX_TAG).contains(&tag.chars().count()) || tag.contains(char::is_control) {
            let detail = format!("must be 1 to {MAX_TAG} characters, none of them a control");
            faults.push(Fault::new(format!("/{index}"), detail));
        } else if !kept.iter().any(|known| known == tag) {
            kept.push(tag.to_owned());
        }
        // Each is compared with those before it: what is refused anyhow is not looked at any further.
        if kept.len().max(faults.len()) > MAX_TAGS {
            break;
        }
    }
    if kept.len() > MAX_TAGS {
        faults.push(Fault::new("", format!("must be at most {MAX_TAGS} labels")));
    }
    if faults.is_empty() { Ok(kept) } else { Err(faults) }
}

/// The picture's bytes, as they were uploaded.
#[utoipa::path(get, path = "/api/v1/images/{id}/content", operation_id = "get_image_content", tag = "images",
    params(("id" = ImageId, Path)),
    responses((status = 200, content_type = "image/*"), (status = 206, content_type = "image/*"), (status = 304)))]
pub(super) async fn original(request: Request, id: String) -> Result<Response> {
    let user_id = request.caller().await?.user_id;
    let image = find(&request, user_id, &id).await?;
    let content = Content { format: image.format, object: image.object() };
    content::serve(&request, content).await
}

/// Deletes a picture with everything made of it.
#[utoipa::path(delete, path = "/api/v1/images/{id}", operation_id = "delete_image", tag = "images",
    params(("id" = ImageId, Path)),
    responses((status = 204, headers(("Deletion-Receipt" = String, description = "see `GET /deletions/{id}`")))))]
pub(super) async fn delete(request: Request, id: String) -> Result<Response> {
    let user_id = request.caller().await?.user_id;
    let id = id.parse().map_err(|_| Error::not_found("image"))?;
    let deletion = delete_image(request.services(), user_id, id).await?;
    with_header(no_content(), "deletion-receipt", &deletion.id.to_string())
}

/// What was made of a picture.
#[derive(Serialize, ToSchema)]
pub(super) struct VariantsView {
    variants: Vec<VariantView>,
}

/// What was made of a picture.
#[utoipa::path(get, path = "/api/v1/images/{id}/variants", operation_id = "list_variants", tag = "variants",
    params(("id" = ImageId, Path)), responses((status = 200, body = VariantsView)))]
pub(super) async fn variants(request: Request, id: String) -> Result<Response> {
    let user_id = request.caller().await?.user_id;
    let image = find(&request, user_id, &id).await?;
    let query = VariantsOf { user_id, image_id: image.id };
    let variants = request.services().database.ask(query).await?;
    let variants =
        variants.into_iter().map(|variant| VariantView::new(&request, variant)).collect();
    reply(StatusCode::OK, &VariantsView { variants })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_beyond_the_limit_are_not_looked_at() {
        let many = |tag: fn(usize) -> String| (0..2_000_000).map(tag).collect::<Vec<_>>();
        for (tags, faults) in [(many(|n| n.to_string()), 1), (many(|_| String::new()), 51)] {
            assert_eq!(check_tags(tags).map_err(|faults| faults.len()), Err(faults));
        }
        assert_eq!(
            check_tags(many(|n| (n % 50).to_string())).map(|kept| kept.len()).ok(),
            Some(50)
        );
    }
}
