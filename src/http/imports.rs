//! `POST /images/import`: a picture that the service fetches.

use serde_json::{Value, json};
use utoipa::ToSchema;
use warp::{Filter, filters::BoxedFilter, reply::Response};

use super::{
    body::{self, Body, json},
    context::{Context, Request},
    fields::Fields,
    images::{ImageView, check_tags},
    limit::{RateLimited, Tally},
    problem::answered,
    upload::{accept, check_specs, created, harmless},
};
use crate::{
    adapters::fetch::MAX_URL,
    domain::{error::Result, ids::ImageId, transform::Spec},
    flows::{import, overlays, upload::Description},
};

pub(super) fn routes(context: &Context) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "v1" / "images" / "import")
        .and(warp::post())
        .and(context.request())
        .and(body::stream())
        .then(|request, body| answered(import(request, body)))
        .boxed()
}

/// Where the picture is, and what is said of it.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(super) struct ImportBody {
    /// `https`, or in development `http`, on a host that everybody can reach. Up to five redirects are followed.
    #[schema(format = "uri", max_length = 2048, example = "https://example.com/cat.jpg")]
    url: String,
    /// Its name; by default what the answer calls it, or the last segment of its URL.
    filename: Option<String>,
    /// Labels.
    #[schema(max_items = 50)]
    tags: Option<Vec<String>>,
    /// Specs to run as jobs.
    #[schema(max_items = 20)]
    eager: Option<Vec<Spec>>,
}

/// Imports a picture by its URL.
///
/// What it is, is decided by its bytes. A URL that breaks a rule, or that leads where one may not go, is `fetch_refused`; one
/// that could not be read to its end is `fetch_failed`.
#[utoipa::path(post, path = "/api/v1/images/import", operation_id = "import_image", tag = "images",
    params(("Idempotency-Key" = Option<String>, Header, description = "a retry with it gets the first answer")),
    request_body = ImportBody,
    responses(
        (status = 201, body = ImageView, headers(("Location" = String))),
        (status = 429, response = inline(RateLimited)),
    ))]
pub(super) async fn import(request: Request, body: Body) -> Result<Response> {
    let mut tally = Tally::default();
    let answer = take_in(request, body, &mut tally).await;
    tally.told(answer)
}

async fn take_in(request: Request, body: Body, tally: &mut Tally) -> Result<Response> {
    let eager = |import: &Import| import.eager.len();
    let (user_id, attempt, import) = accept(&request, tally, read(&request, body), eager).await?;
    let Import { url, filename, tags, eager, overlays } = import;
    let specs: Vec<Value> = eager.iter().map(Spec::canonical).collect();
    let asked = json!({ "url": url, "filename": filename, "tags": tags, "eager": specs });
    let work = async move {
        let services = request.services();
        overlays::check(services, user_id, overlays).await?;
        let imported = import::fetch(services, user_id, &url).await?;
        let filename = filename.or(imported.filename).unwrap_or_default();
        let description = Description { filename: harmless(&filename), tags, eager };
        created(&request, user_id, imported.spooled, description).await
    };
    attempt.settle(&asked, work).await
}

/// What was asked for.
struct Import {
    url: String,
    filename: Option<String>,
    tags: Vec<String>,
    eager: Vec<Spec>,
    /// The pictures that eager specs lay over this one, and where they name them.
    overlays: Vec<(String, ImageId)>,
}

async fn read(request: &Request, body: Body) -> Result<Import> {
    Fields::of_query(&request.query)?.finish()?;
    let mut fields = Fields::of(json(request, body).await?)?;
    let url = fields.checked("url", |url| {
        (url.len() > MAX_URL).then_some("must be a URL of at most 2048 bytes")
    });
    let filename = fields.verbatim("filename");
    let tags = fields.optional::<Vec<String>>("tags", "a list of strings").unwrap_or_default();
    let tags = check_tags(tags).unwrap_or_else(|faults| {
        fields.faults_under("tags", faults);
        Vec::new()
    });
    let eager = fields.optional::<Vec<Value>>("eager", "a list of specs").unwrap_or_default();
    let (eager, overlays) =
        check_specs(&eager, request.services().profile).unwrap_or_else(|faults| {
            fields.faults_under("eager", faults);
            Default::default()
        });
    fields.finish()?;
    Ok(Import { url, filename, tags, eager, overlays })
}
