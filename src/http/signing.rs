//! `/signing-keys`, and what they sign: `/images/{id}/sign` and `/sign`.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;
use warp::{Filter, filters::BoxedFilter, http::StatusCode, reply::Response};

use super::{
    body::{self, Body, json, no_content, reply, with_header},
    context::{Context, Request},
    fields::Fields,
    idempotency::Attempt,
    limit::{Limit, RateLimited, Tally},
    problem::answered,
};
use crate::{
    adapters::db::signing_keys::SigningKeysOf,
    domain::{
        delivery::SigningKey,
        error::{Error, Fault, Result},
        format::Format,
        ids::ImageId,
        user::check_api_key_name,
    },
    flows::{
        metadata,
        signing::{self, Order, SignedUrl, create_key},
    },
};

/// URLs that are signed at once.
const MAX_ITEMS: usize = 1000;
/// The longest that a URL may hold, or a window be: ten years.
const MAX_SECONDS: i64 = 10 * 365 * 24 * 60 * 60;

pub(super) fn routes(context: &Context) -> BoxedFilter<(Response,)> {
    let keys = warp::path!("api" / "v1" / "signing-keys" / ..);
    let post = || warp::post().and(context.request()).and(body::stream());
    let create = keys
        .and(warp::path::end())
        .and(post())
        .then(|request, body| answered(create(request, body)))
        .boxed();
    let list = keys
        .and(warp::path::end())
        .and(warp::get())
        .and(context.request())
        .then(|request| answered(list(request)))
        .boxed();
    let delete = keys
        .and(warp::path!(String))
        .and(warp::delete())
        .and(context.request())
        .then(|id, request| answered(delete(request, id)))
        .boxed();
    let sign = warp::path!("api" / "v1" / "images" / String / "sign")
        .and(post())
        .then(|id, request, body| answered(sign(request, id, body)))
        .boxed();
    let sign_all = warp::path!("api" / "v1" / "sign")
        .and(post())
        .then(|request, body| answered(sign_all(request, body)))
        .boxed();
    create.or(list).unify().or(delete).unify().or(sign).unify().or(sign_all).unify().boxed()
}

/// What the key is called.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(super) struct SigningKeyBody {
    #[schema(min_length = 1, max_length = 100, default = "default", example = "website 2026")]
    name: Option<String>,
}

/// A key. `secret` is there only in the answer that made it.
#[derive(Serialize, ToSchema)]
pub(super) struct SigningKeyView {
    /// Stands in the URLs that it signs.
    #[schema(example = "4fZ0aB9x")]
    id: String,
    name: String,
    /// HMAC's key is this text, as it stands here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "kq3ZkJ0lWbX3b4w4a1uX5mPp0yB7u6nq2cQe8HkX1pA")]
    secret: Option<String>,
    created_at: DateTime<Utc>,
}

impl SigningKeyView {
    fn new(key: SigningKey, is_shown: bool) -> Self {
        let SigningKey { id, name, secret, created_at, .. } = key;
        Self { id, name, secret: is_shown.then_some(secret), created_at }
    }
}

/// Makes a signing key. Its secret is shown this once.
///
/// From now on it is what the service signs with; what older ones have signed holds as long as they are there.
#[utoipa::path(post, path = "/api/v1/signing-keys", operation_id = "create_signing_key", tag = "delivery",
    request_body = SigningKeyBody,
    responses((status = 201, body = SigningKeyView), (status = 429, response = inline(RateLimited))))]
pub(super) async fn create(request: Request, body: Body) -> Result<Response> {
    let mut tally = Tally::default();
    let answer = create_counted(&request, body, &mut tally).await;
    tally.told(answer)
}

async fn create_counted(request: &Request, body: Body, tally: &mut Tally) -> Result<Response> {
    let user_id = request.caller().await?.logged_in()?.user_id;
    tally.take_of_account(request, Limit::Transforms, user_id, 1).await?;
    let mut fields = Fields::of(json(request, body).await?)?;
    let name: Option<String> = fields.optional("name", "a string");
    if let Some(detail) = name.as_deref().and_then(check_api_key_name) {
        fields.fault("name", detail);
    }
    fields.finish()?;
    let key = create_key(request.services(), user_id, name).await?;
    let view = SigningKeyView::new(key, true);
    with_header(reply(StatusCode::CREATED, &view)?, "cache-control", "no-store")
}

/// Signing keys, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct SigningKeysView {
    signing_keys: Vec<SigningKeyView>,
}

/// The signing keys of the account, without their secrets, newest first.
#[utoipa::path(get, path = "/api/v1/signing-keys", operation_id = "list_signing_keys", tag = "delivery",
    responses((status = 200, body = SigningKeysView)))]
pub(super) async fn list(request: Request) -> Result<Response> {
    let user_id = request.caller().await?.logged_in()?.user_id;
    let keys = request.services().database.ask(SigningKeysOf { user_id }).await?;
    let signing_keys = keys.into_iter().map(|key| SigningKeyView::new(key, false)).collect();
    reply(StatusCode::OK, &SigningKeysView { signing_keys })
}

/// Takes a signing key back: the URLs that it has signed are refused within 5 s.
#[utoipa::path(delete, path = "/api/v1/signing-keys/{id}", operation_id = "delete_signing_key", tag = "delivery",
    params(("id" = String, Path)), responses((status = 204)))]
pub(super) async fn delete(request: Request, id: String) -> Result<Response> {
    let user_id = request.caller().await?.logged_in()?.user_id;
    signing::delete_key(request.services(), user_id, id).await?;
    Ok(no_content())
}

/// What to sign.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(super) struct SignBody {
    /// In the URL form; what may not stand in a path is encoded. Left out, it is the picture as it is.
    #[schema(max_length = 2000, example = "c_fill,w_300,h_200/f_auto,q_auto")]
    transformation: Option<String>,
    /// The format, unless the transformation names one.
    #[schema(example = "jpg")]
    ext: Option<String>,
    /// Seconds. Left out, the URL holds as long as the key.
    #[schema(minimum = 1, maximum = 315_360_000)]
    expires_in: Option<i64>,
    /// Seconds: the end is moved to the next multiple of it, so that URLs made within one are the same, and stay in caches. Left out, it
    /// is the largest of 1, 10, 60, 300, 900, 3600, 21600 and 86400 that is at most a quarter of `expires_in`.
    #[schema(minimum = 1, maximum = 315_360_000)]
    window: Option<i64>,
}

/// A signed URL.
#[derive(Serialize, ToSchema)]
pub(super) struct SignedView {
    url: String,
    /// Null, if it does not end by itself.
    expires_at: Option<DateTime<Utc>>,
}

impl SignedView {
    fn new(request: &Request, signed: &SignedUrl) -> Self {
        Self { url: request.url(&signed.path), expires_at: signed.expires_at }
    }
}

/// Reads what is to be signed of a picture, and all that is wrong with it.
fn read(mut fields: Fields, pointer: String, image_id: ImageId) -> (Order, Vec<Fault>) {
    let transformation = fields.optional("transformation", "a string").unwrap_or_default();
    let ext: Option<String> = fields.optional("ext", "a string");
    if let Some(ext) = &ext
        && !Format::from_name(ext).is_some_and(Format::is_writable)
    {
        let written = Format::ALL.iter().filter(|format| format.is_writable());
        let names: Vec<&str> = written.map(|format| format.extension()).collect();
        fields.fault("ext", format!("must be one of {}", names.join(", ")));
    }
    let mut seconds = |name| {
        let seconds = fields.optional::<i64>(name, "a whole number of seconds")?;
        if !(1..=MAX_SECONDS).contains(&seconds) {
            fields.fault(name, format!("must be between 1 and {MAX_SECONDS} seconds"));
        }
        Some(seconds)
    };
    let (expires_in, window) = (seconds("expires_in"), seconds("window"));
    if window.is_some() && expires_in.is_none() {
        fields.fault("window", "means nothing without `expires_in`");
    }
    let faults =
        fields.finish().map_or_else(|error| under(&pointer, error.faults), |()| Vec::new());
    (Order { pointer, image_id, transformation, ext, expires_in, window }, faults)
}

/// Reads one of many, and all that is wrong with it; what is of no picture is no order.
fn read_item(item: Value, pointer: String) -> (Option<Order>, Vec<Fault>) {
    let Ok(mut fields) = Fields::of(item) else {
        return (None, vec![Fault::new(pointer, "must be an object")]);
    };
    let id = fields.checked("image_id", |text| {
        text.parse::<ImageId>().is_err().then_some("must be the id of an image")
    });
    let image_id = id.parse().ok();
    let (order, faults) = read(fields, pointer, image_id.unwrap_or(ImageId(Uuid::nil())));
    (image_id.map(|_| order), faults)
}

fn under(pointer: &str, faults: Vec<Fault>) -> Vec<Fault> {
    let under = |fault: Fault| Fault::new(format!("{pointer}{}", fault.pointer), fault.detail);
    faults.into_iter().map(under).collect()
}

/// Signs a URL of a picture.
///
/// With the newest of the account's signing keys; if it has none, one is made.
#[utoipa::path(post, path = "/api/v1/images/{id}/sign", operation_id = "sign_image", tag = "delivery",
    params(
        ("id" = ImageId, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "a retry with it gets the first answer"),
    ),
    request_body = SignBody, responses((status = 200, body = SignedView)))]
pub(super) async fn sign(request: Request, id: String, body: Body) -> Result<Response> {
    let user_id = request.caller().await?.user_id;
    let id: ImageId = id.parse().map_err(|_| Error::not_found("image"))?;
    let attempt = Attempt::begin(&request, user_id).await?;
    let fields = match json(&request, body).await.and_then(Fields::of) {
        Ok(fields) => fields,
        Err(error) => return Err(attempt.abandon(error).await),
    };
    let (order, faults) = read(fields, String::new(), id);
    let Order { transformation, ext, expires_in, window, .. } = &order;
    let asked = json!([transformation, ext, expires_in, window]);
    let work = async move {
        metadata::image(request.services(), user_id, id).await?;
        let signed = signing::sign(request.services(), user_id, vec![order], faults).await?;
        let signed = signed.first().ok_or_else(|| Error::internal("nothing was signed"))?;
        reply(StatusCode::OK, &SignedView::new(&request, signed))
    };
    attempt.settle(&asked, work).await
}

/// URLs to be signed.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(super) struct SignAllBody {
    #[schema(max_items = 1000)]
    items: Vec<SignItem>,
}

/// What to sign, and of which picture.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(super) struct SignItem {
    image_id: ImageId,
    #[serde(flatten)]
    body: SignBody,
}

/// Signed URLs, in the order that they were asked for.
#[derive(Serialize, ToSchema)]
pub(super) struct SignedAllView {
    items: Vec<SignedView>,
}

/// Signs many URLs at once; all of them, or none.
#[utoipa::path(post, path = "/api/v1/sign", operation_id = "sign_all", tag = "delivery",
    request_body = SignAllBody, responses((status = 200, body = SignedAllView)))]
pub(super) async fn sign_all(request: Request, body: Body) -> Result<Response> {
    let user_id = request.caller().await?.user_id;
    let mut fields = Fields::of(json(&request, body).await?)?;
    let items: Vec<Value> = fields.required("items", "a list of objects");
    if items.len() > MAX_ITEMS {
        fields.fault("items", format!("has {} entries; at most {MAX_ITEMS}", items.len()));
    }
    fields.finish()?;
    let (mut orders, mut faults) = (Vec::with_capacity(items.len()), Vec::new());
    for (index, item) in items.into_iter().enumerate() {
        let pointer = format!("/items/{index}");
        let (order, found) = read_item(item, pointer);
        orders.extend(order);
        faults.extend(found);
    }
    let signed = signing::sign(request.services(), user_id, orders, faults).await?;
    let items = signed.iter().map(|signed| SignedView::new(&request, signed)).collect();
    reply(StatusCode::OK, &SignedAllView { items })
}
