//! `POST /images/{id}/transform`: at once, or as a job.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use warp::{
    Filter,
    filters::BoxedFilter,
    http::{StatusCode, header},
    reply::Response,
};

use super::{
    body::{self, Body, json, reply, with_header},
    context::{Context, Request},
    fields::Fields,
    idempotency::Attempt,
    images,
    jobs::status_url,
    limit::{Limit, RateLimited, Tally},
    problem::answered,
    variants::VariantView,
};
use crate::{
    adapters::fetch::MAX_URL,
    domain::{
        error::{Error, Fault, Result},
        ids::{ImageId, JobId, VariantId},
        image::Image,
        transform::Spec,
    },
    failpoint,
    flows::{
        enqueue::enqueue,
        overlays,
        transform::{source, transform_now},
    },
};

pub(super) fn routes(context: &Context) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "v1" / "images" / String / "transform")
        .and(warp::post())
        .and(context.request())
        .and(body::stream())
        .then(|id, request, body| answered(transform(request, id, body)))
        .boxed()
}

/// A job that was accepted.
#[derive(Serialize, ToSchema)]
pub(super) struct AcceptedView {
    #[schema(example = "Transformation accepted")]
    message: &'static str,
    job_id: JobId,
    variant_id: VariantId,
    /// Where to watch the job.
    status_url: String,
}

/// What to make, and who is to be told of it.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(super) struct TransformBody {
    #[serde(flatten)]
    spec: Spec,
    /// Is told of the end of the job, by a signed POST (Standard Webhooks); not with `sync=true`. At most 16 URLs for each job.
    #[schema(format = "uri", max_length = 2048, example = "https://example.com/hooks/darkroom")]
    webhook_url: Option<String>,
}

/// Transforms a picture.
///
/// As a job, unless `sync=true`. An equal spec is the same variant, whoever asks how often.
#[utoipa::path(post, path = "/api/v1/images/{id}/transform", operation_id = "transform_image", tag = "transforms",
    params(
        ("id" = ImageId, Path),
        ("sync" = Option<bool>, Query, description = "wait for the picture"),
        ("Idempotency-Key" = Option<String>, Header, description = "a retry with it gets the first answer"),
    ),
    request_body = TransformBody,
    responses(
        (status = 200, description = "with `sync=true`; `X-Cache` tells whether it was there", body = VariantView),
        (status = 202, body = AcceptedView),
        (status = 429, response = inline(RateLimited)),
    ))]
pub(super) async fn transform(request: Request, id: String, body: Body) -> Result<Response> {
    let mut tally = Tally::default();
    let answer = take_on(request, id, body, &mut tally).await;
    tally.told(answer)
}

async fn take_on(request: Request, id: String, body: Body, tally: &mut Tally) -> Result<Response> {
    let user_id = request.caller().await?.user_id;
    tally.take_of_account(&request, Limit::Transforms, user_id, 1).await?;
    let attempt = Attempt::begin(&request, user_id).await?;
    let Read { sync, spec, overlays, webhook_url } = match read(&request, body).await {
        Ok(read) => read,
        Err(error) => return Err(attempt.abandon(error).await),
    };
    let mut asked = json!({ "sync": sync, "spec": spec.canonical() });
    if let (Some(url), Some(asked)) = (&webhook_url, asked.as_object_mut()) {
        asked.insert("webhook_url".to_owned(), Value::from(url.as_str()));
    }
    let work = async move {
        let image = images::find(&request, user_id, &id).await?;
        overlays::check(request.services(), user_id, overlays).await?;
        let spec = spec.resolved(source(&image), request.header(header::ACCEPT));
        if sync {
            at_once(&request, image, spec).await
        } else {
            as_job(&request, &image, &spec, webhook_url).await
        }
    };
    let answer = attempt.settle(&asked, work).await;
    failpoint::reached("http.before_answer");
    answer
}

/// What was asked for.
struct Read {
    /// Whether to wait for the picture.
    sync: bool,
    spec: Spec,
    /// The pictures that the spec names, and where.
    overlays: Vec<(String, ImageId)>,
    webhook_url: Option<String>,
}

async fn read(request: &Request, body: Body) -> Result<Read> {
    let mut query = Fields::of_query(&request.query)?;
    let sync = query.parsed("sync", "true or false", |_: &bool| true).unwrap_or(false);
    query.finish()?;
    let mut value = json(request, body).await?;
    let webhook_url = value.as_object_mut().and_then(|fields| fields.remove("webhook_url"));
    let webhook_url = webhook_url.filter(|url| !url.is_null());
    let mut faults = Vec::new();
    let webhook_url = webhook_url.and_then(|url| {
        check_webhook_url(request, sync, url)
            .map_err(|detail| faults.push(Fault::new("/webhook_url", detail)))
            .ok()
    });
    let spec = Spec::parse_with(&value, request.services().profile).unwrap_or_else(|found| {
        faults.extend(found);
        Spec::default()
    });
    if faults.is_empty() {
        Ok(Read { sync, spec, overlays: Spec::overlays_named(&value), webhook_url })
    } else {
        Err(Error::invalid(faults))
    }
}

/// Checks what a URL tells by itself; where its host leads is looked at when it is told something.
fn check_webhook_url(request: &Request, sync: bool, url: Value) -> Result<String, String> {
    if sync {
        return Err("can't stand beside sync=true".to_owned());
    }
    let Value::String(url) = url else { return Err("must be a URL".to_owned()) };
    if url.len() > MAX_URL || url.contains(char::is_control) {
        return Err(format!(
            "must be a URL of at most {MAX_URL} bytes, without control characters"
        ));
    }
    match request.services().fetcher.check(&url) {
        Ok(()) => Ok(url),
        Err(why) => Err(format!("is not allowed: {why}")),
    }
}

async fn at_once(request: &Request, image: Image, spec: Spec) -> Result<Response> {
    let (variant, was_there) = transform_now(request.services(), image, spec).await?;
    let response = reply(StatusCode::OK, &VariantView::new(request, variant))?;
    with_header(response, "x-cache", if was_there { "hit" } else { "miss" })
}

async fn as_job(
    request: &Request,
    image: &Image,
    spec: &Spec,
    webhook_url: Option<String>,
) -> Result<Response> {
    let (variant, job) = enqueue(request.services(), image, spec, webhook_url).await?;
    let view = AcceptedView {
        message: "Transformation accepted",
        job_id: job.id,
        variant_id: variant.id,
        status_url: status_url(request, job.id),
    };
    with_header(reply(StatusCode::ACCEPTED, &view)?, "location", &view.status_url)
}
