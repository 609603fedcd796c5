//! `POST /transforms/explain`: what a spec would make of a picture, without making it.

use std::num::NonZeroU32;

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
    body::{self, Body, json, reply},
    context::{Context, Request},
    fields::{Fields, escape},
    idempotency::Attempt,
    images,
    problem::answered,
};
use crate::{
    domain::{
        error::{Error, Fault, Result},
        format::Format,
        ids::{ImageId, UserId},
        transform::{FormatChoice, Quality, Spec},
    },
    flows::{inspect, overlays, presets::Presets, transform::source},
    imaging::{Foreseen, Foretold, Probe},
};

pub(super) fn routes(context: &Context) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "v1" / "transforms" / "explain")
        .and(warp::post())
        .and(context.request())
        .and(body::stream())
        .then(|request, body| answered(explain(request, body)))
        .boxed()
}

/// What to explain: a spec or a transformation, of a picture of the account, of one that is only described, or of any.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(super) struct ExplainBody {
    #[serde(flatten)]
    spec: Spec,
    /// The spec as in a URL; in its place.
    #[schema(example = "c_fill,w_300,h_200/q_auto")]
    transformation: Option<String>,
    /// A picture of the account.
    image_id: Option<ImageId>,
    /// A picture that nobody need have; not with `image_id`.
    source: Option<SourceBody>,
}

/// A picture as its headers would describe it.
#[derive(ToSchema)]
#[allow(dead_code)]
struct SourceBody {
    #[schema(minimum = 1)]
    width: u32,
    #[schema(minimum = 1)]
    height: u32,
    /// JPEG if it is left out.
    #[schema(example = "jpeg")]
    format: Option<String>,
    /// No if it is left out.
    has_alpha: Option<bool>,
    /// 1 if it is left out.
    #[schema(minimum = 1)]
    frames: Option<u32>,
}

/// What would be done.
#[derive(Serialize, ToSchema)]
pub(super) struct ExplanationView {
    /// The canonical spec; resolved for the picture where there is one.
    #[schema(value_type = Object)]
    spec: Value,
    /// SHA-256 of the canonical spec, hex.
    spec_hash: String,
    /// The result's format; null where it depends on the picture.
    #[schema(example = "jpeg")]
    format: Option<&'static str>,
    /// 1 to 100, or `auto` and its kinds; null where quality means nothing, or depends on the picture.
    #[schema(value_type = Option<Object>)]
    quality: Value,
    /// Pixels across; null where only a picture tells.
    width: Option<u32>,
    /// Pixels down; null where only a picture tells.
    height: Option<u32>,
    /// What would be done, in order; null without a picture.
    steps: Option<Vec<StepView>>,
    /// What it would take, at most; null without a picture.
    cost: Option<CostView>,
    /// What may not be as it was meant.
    warnings: Vec<String>,
}

/// A step that would be done.
#[derive(Serialize, ToSchema)]
struct StepView {
    /// `decode`, `upright`, the name of an operation, `encode`.
    #[schema(example = "resize")]
    name: &'static str,
    /// What it would do in particular, or why there is nothing to do.
    detail: String,
    /// Whether there is nothing to do.
    skipped: bool,
    /// Pixels across after it; null where only the pixels tell.
    width: Option<u32>,
    /// Pixels down after it; null where only the pixels tell.
    height: Option<u32>,
}

/// What a transformation would take.
#[derive(Serialize, ToSchema)]
struct CostView {
    /// Of memory, at the worst moment, beside the file's own.
    memory_bytes: u64,
    /// Of one processor, estimated.
    cpu_ms: f64,
}

impl ExplanationView {
    /// Of a spec alone.
    fn of_spec(spec: &Spec) -> Self {
        Self {
            spec: spec.canonical(),
            spec_hash: spec.hash(),
            format: match spec.format {
                Some(FormatChoice::Fixed(format)) => Some(format.as_str()),
                Some(FormatChoice::Auto) | None => None,
            },
            quality: spec.quality.map_or(Value::Null, quality),
            width: None,
            height: None,
            steps: None,
            cost: None,
            warnings: Vec::new(),
        }
    }

    fn of_picture(spec: &Spec, told: Foretold) -> Self {
        Self {
            format: Some(told.format.as_str()),
            quality: told.quality.map_or(Value::Null, quality),
            width: told.size.map(|(width, _)| width),
            height: told.size.map(|(_, height)| height),
            steps: Some(told.steps.into_iter().map(StepView::from).collect()),
            cost: Some(CostView {
                memory_bytes: told.cost.memory,
                cpu_ms: (told.cost.time.as_secs_f64() * 1e4).round() / 10.0,
            }),
            warnings: told.warnings,
            ..Self::of_spec(spec)
        }
    }
}

impl From<Foreseen> for StepView {
    fn from(Foreseen { name, detail, skipped, size }: Foreseen) -> Self {
        let (width, height) = size.unzip();
        Self { name, detail, skipped, width, height }
    }
}

fn quality(quality: Quality) -> Value {
    match quality {
        Quality::Fixed(quality) => Value::from(quality),
        Quality::Auto(auto) => Value::from(auto.name()),
    }
}

/// Explains a transformation.
///
/// Says what would be done, without doing it. Does not count as a transform.
#[utoipa::path(post, path = "/api/v1/transforms/explain", operation_id = "explain_transform", tag = "transforms",
    params(("Idempotency-Key" = Option<String>, Header, description = "a retry with it gets the first answer")),
    request_body = ExplainBody,
    responses((status = 200, body = ExplanationView)))]
pub(super) async fn explain(request: Request, body: Body) -> Result<Response> {
    let user_id = request.caller().await?.user_id;
    let attempt = Attempt::begin(&request, user_id).await?;
    let asked = match read(&request, user_id, body).await {
        Ok(asked) => asked,
        Err(error) => return Err(attempt.abandon(error).await),
    };
    let fingerprint = json!({
        "spec": asked.spec.canonical(),
        "of": match &asked.of {
            Of::Any => Value::Null,
            Of::Image(id) => json!(id),
            Of::Source(described) => json!(format!("{described:?}")),
        },
    });
    let work = async move { answer(&request, user_id, asked).await };
    attempt.settle(&fingerprint, work).await
}

async fn answer(request: &Request, user_id: UserId, asked: Asked) -> Result<Response> {
    let services = request.services();
    let accept = request.header(header::ACCEPT);
    overlays::check(services, user_id, asked.overlays).await?;
    let (source, probe) = match asked.of {
        Of::Any => return reply(StatusCode::OK, &ExplanationView::of_spec(&asked.spec)),
        Of::Image(id) => {
            let image = images::find(request, user_id, &id).await?;
            (source(&image), inspect::probe(services, &image).await?)
        }
        Of::Source(described) => {
            let Described { format, size, frames, has_alpha } = described;
            let probe = Probe::imagined(format, size, frames, has_alpha, &services.limits)?;
            (probe.source(), probe)
        }
    };
    let spec = asked.spec.resolved(source, accept);
    let told = inspect::foretell(services, user_id, &probe, &spec).await?;
    reply(StatusCode::OK, &ExplanationView::of_picture(&spec, told))
}

/// What was asked for.
struct Asked {
    spec: Spec,
    /// The pictures that the spec names, and where.
    overlays: Vec<(String, ImageId)>,
    of: Of,
}

/// Of what it is to be explained.
enum Of {
    /// Of any picture.
    Any,
    /// Of a picture of the account.
    Image(String),
    /// Of one that is only described.
    Source(Described),
}

/// A picture that nobody need have.
#[derive(Debug)]
struct Described {
    format: Format,
    size: (u32, u32),
    frames: u32,
    has_alpha: bool,
}

async fn read(request: &Request, user_id: UserId, body: Body) -> Result<Asked> {
    let mut rest = json(request, body).await?;
    let mut take = |name: &str| {
        let value = rest.as_object_mut().and_then(|fields| fields.remove(name));
        value.filter(|value| !value.is_null())
    };
    let (transformation, image_id, described) =
        (take("transformation"), take("image_id"), take("source"));
    let mut faults = Vec::new();
    let of = match (image_id, described) {
        (None, None) => Of::Any,
        (Some(_), Some(_)) => {
            faults.push(Fault::new("/source", "can't stand beside image_id"));
            Of::Any
        }
        (Some(Value::String(id)), None) => Of::Image(id),
        (Some(_), None) => {
            faults.push(Fault::new("/image_id", "must be the id of an image"));
            Of::Any
        }
        (None, Some(described)) => match read_source(described) {
            Ok(described) => Of::Source(described),
            Err(error) => {
                let under =
                    |fault: Fault| Fault::new(format!("/source{}", fault.pointer), fault.detail);
                faults.extend(error.faults.into_iter().map(under));
                Of::Any
            }
        },
    };
    let services = request.services();
    let profile = services.profile;
    let (spec, overlays) = match transformation {
        None => (Spec::parse_with(&rest, profile), Spec::overlays_named(&rest)),
        Some(Value::String(text)) => {
            let beside = rest.as_object().into_iter().flat_map(|fields| fields.keys());
            faults.extend(beside.map(|name| {
                Fault::new(format!("/{}", escape(name)), "can't stand beside transformation")
            }));
            let presets = Presets::of(services, user_id).await?;
            let whole = |fault: Fault| Fault::new("/transformation", fault.detail);
            let spec = presets.read(&text, profile);
            let spec = spec.map_err(|faults| faults.into_iter().map(whole).collect());
            let named = spec.iter().flat_map(Spec::overlays);
            let overlays = named.map(|id| ("/transformation".to_owned(), id)).collect();
            (spec, overlays)
        }
        Some(_) => (Err(vec![Fault::new("/transformation", "must be a string")]), Vec::new()),
    };
    match spec {
        Ok(spec) if faults.is_empty() => Ok(Asked { spec, overlays, of }),
        Ok(_) => Err(Error::invalid(faults)),
        Err(found) => Err(Error::invalid(faults.into_iter().chain(found).collect())),
    }
}

fn read_source(described: Value) -> Result<Described> {
    const WHOLE: &str = "a whole number, 1 or more";
    if !described.is_object() {
        return Err(Error::field("", "must be an object with width and height"));
    }
    let mut fields = Fields::of(described)?;
    let mut side = |name| fields.required::<Option<NonZeroU32>>(name, WHOLE);
    let sides = [side("width"), side("height")];
    let [width, height] = sides.map(|side| side.map_or(1, NonZeroU32::get));
    let frames = fields.optional("frames", WHOLE).map_or(1, NonZeroU32::get);
    let format = match fields.optional::<String>("format", "the name of a format") {
        None => Format::Jpeg,
        Some(name) => Format::from_name(&name).unwrap_or_else(|| {
            let names: Vec<_> = Format::ALL.iter().map(|format| format.as_str()).collect();
            fields.fault("format", format!("must be one of: {}", names.join(", ")));
            Format::Jpeg
        }),
    };
    let has_alpha = fields.optional("has_alpha", "true or false").unwrap_or(false);
    fields.finish()?;
    Ok(Described { format, size: (width, height), frames, has_alpha })
}
