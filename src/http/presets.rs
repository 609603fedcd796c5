//! `/presets`: transformations with names; and `/me/delivery`: what may be asked for unsigned.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use warp::{Filter, filters::BoxedFilter, http::StatusCode, reply::Response};

use super::{
    body::{self, Body, json, no_content, reply},
    context::{Context, Request},
    fields::{Fields, escape},
    limit::{Limit, RateLimited, Tally},
    problem::answered,
};
use crate::{
    adapters::db::{
        delivery::DeliverySettings,
        presets::{PresetByName, PresetsOf},
    },
    domain::{
        delivery::{MAX_ALLOWED, Preset, Settings, check_preset_name},
        error::{Error, Fault, Result},
        ids::ImageId,
        transform::{Profile, Spec},
    },
    flows::presets::{self, read_alone},
};

pub(super) fn routes(context: &Context) -> BoxedFilter<(Response,)> {
    let presets = warp::path!("api" / "v1" / "presets" / ..);
    let settings = warp::path!("api" / "v1" / "me" / "delivery");
    let list = presets
        .and(warp::path::end())
        .and(warp::get())
        .and(context.request())
        .then(|request| answered(list(request)))
        .boxed();
    let get = presets
        .and(warp::path!(String))
        .and(warp::get())
        .and(context.request())
        .then(|name, request| answered(get(request, name)))
        .boxed();
    let put = presets
        .and(warp::path!(String))
        .and(warp::put())
        .and(context.request())
        .and(body::stream())
        .then(|name, request, body| answered(put(request, name, body)))
        .boxed();
    let delete = presets
        .and(warp::path!(String))
        .and(warp::delete())
        .and(context.request())
        .then(|name, request| answered(delete(request, name)))
        .boxed();
    let get_settings = settings
        .and(warp::get())
        .and(context.request())
        .then(|request| answered(get_settings(request)))
        .boxed();
    let put_settings = settings
        .and(warp::put())
        .and(context.request())
        .and(body::stream())
        .then(|request, body| answered(put_settings(request, body)))
        .boxed();
    list.or(get)
        .unify()
        .or(put)
        .unify()
        .or(delete)
        .unify()
        .boxed()
        .or(get_settings)
        .unify()
        .or(put_settings)
        .unify()
        .boxed()
}

/// A transformation with a name.
#[derive(Serialize, ToSchema)]
pub(super) struct PresetView {
    #[schema(example = "card")]
    name: String,
    /// Canonical, but for `auto`, which only a request resolves.
    #[schema(value_type = Object)]
    spec: Value,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Preset> for PresetView {
    fn from(preset: Preset) -> Self {
        let Preset { name, spec, created_at, updated_at } = preset;
        Self { name, spec, created_at, updated_at }
    }
}

/// Presets, by name.
#[derive(Serialize, ToSchema)]
pub(super) struct PresetsView {
    presets: Vec<PresetView>,
}

/// The presets of the account.
#[utoipa::path(get, path = "/api/v1/presets", operation_id = "list_presets", tag = "delivery",
    responses((status = 200, body = PresetsView)))]
pub(super) async fn list(request: Request) -> Result<Response> {
    let user_id = request.caller().await?.user_id;
    let presets = request.services().database.ask(PresetsOf { user_id }).await?;
    let presets = presets.into_iter().map(PresetView::from).collect();
    reply(StatusCode::OK, &PresetsView { presets })
}

/// One preset.
#[utoipa::path(get, path = "/api/v1/presets/{name}", operation_id = "get_preset", tag = "delivery",
    params(("name" = String, Path)), responses((status = 200, body = PresetView)))]
pub(super) async fn get(request: Request, name: String) -> Result<Response> {
    let user_id = request.caller().await?.user_id;
    let preset = request.services().database.ask(PresetByName { user_id, name }).await?;
    reply(StatusCode::OK, &PresetView::from(preset))
}

/// A transformation: its fields, or its URL form in the place of all of them.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(super) struct PresetBody {
    #[serde(flatten)]
    spec: Spec,
    /// The URL form, which can't name another preset.
    #[schema(max_length = 2000, example = "c_fill,w_300,h_200/f_auto,q_auto")]
    transformation: Option<String>,
}

/// Gives a name to a transformation, or another transformation to a name.
///
/// In URLs it is `t_` and the name. Whoever delivers pictures of it makes them anew within seconds; what browsers and CDNs have is kept
/// there until it is purged or expires. A canonical spec has at most 8 KiB as JSON; those of all presets together have 256 KiB.
#[utoipa::path(put, path = "/api/v1/presets/{name}", operation_id = "put_preset", tag = "delivery",
    params(("name" = String, Path, description = "1 to 64 of `A-Z a-z 0-9 _ -`")), request_body = PresetBody,
    responses((status = 200, body = PresetView, description = "it has another transformation now"),
              (status = 201, body = PresetView, description = "it is a new one"),
              (status = 429, response = inline(RateLimited))))]
pub(super) async fn put(request: Request, name: String, body: Body) -> Result<Response> {
    let mut tally = Tally::default();
    let answer = put_counted(&request, name, body, &mut tally).await;
    tally.told(answer)
}

async fn put_counted(
    request: &Request,
    name: String,
    body: Body,
    tally: &mut Tally,
) -> Result<Response> {
    let user_id = request.caller().await?.user_id;
    tally.take_of_account(request, Limit::Transforms, user_id, 1).await?;
    let value = json(request, body).await?;
    let services = request.services();
    let mut faults = Vec::new();
    faults.extend(check_preset_name(&name).map(|detail| Fault::new("/name", detail)));
    let (spec, named) = read(&value, services.profile).unwrap_or_else(|found| {
        faults.extend(found);
        Default::default()
    });
    if !faults.is_empty() {
        return Err(Error::invalid(faults));
    }
    let (preset, is_new) = presets::put(services, user_id, name, &spec, named).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    reply(status, &PresetView::from(preset))
}

/// A spec, and the pictures that it names and where.
type Named = (Spec, Vec<(String, ImageId)>);

fn read(value: &Value, profile: Profile) -> Result<Named, Vec<Fault>> {
    let Some(text) = value.get("transformation") else {
        let spec = Spec::parse_with(value, profile)?;
        return Ok((spec, Spec::overlays_named(value)));
    };
    let pointer = "/transformation";
    let beside = value.as_object().into_iter().flat_map(|fields| fields.keys());
    let mut faults: Vec<Fault> = beside
        .filter(|name| *name != "transformation")
        .map(|name| Fault::new(format!("/{}", escape(name)), "can't stand beside `transformation`"))
        .collect();
    let spec = match text.as_str() {
        Some(text) => read_alone(text, profile).unwrap_or_else(|found| {
            faults.extend(found.into_iter().map(|fault| Fault::new(pointer, fault.detail)));
            Spec::default()
        }),
        None => {
            faults.push(Fault::new(pointer, "must be a string"));
            Spec::default()
        }
    };
    if faults.is_empty() {
        let named = spec.overlays().map(|id| (pointer.to_owned(), id)).collect();
        Ok((spec, named))
    } else {
        Err(faults)
    }
}

/// Takes a name back.
#[utoipa::path(delete, path = "/api/v1/presets/{name}", operation_id = "delete_preset", tag = "delivery",
    params(("name" = String, Path)), responses((status = 204)))]
pub(super) async fn delete(request: Request, name: String) -> Result<Response> {
    let user_id = request.caller().await?.user_id;
    presets::delete(request.services(), user_id, name).await?;
    Ok(no_content())
}

/// What of public pictures may be asked for unsigned, and what is shown in the place of what can't be.
#[derive(Serialize, ToSchema)]
pub(super) struct SettingsView {
    /// Transformations in the URL form, beside presets.
    #[schema(max_items = 100, example = json!(["w_300", "t_card/f_auto"]))]
    allowed: Vec<String>,
    /// Whether nothing else may be asked for unsigned.
    strict: bool,
    /// A picture of the account.
    fallback_image_id: Option<ImageId>,
}

impl From<Settings> for SettingsView {
    fn from(settings: Settings) -> Self {
        let Settings { strict, allowed, fallback_image_id } = settings;
        Self { allowed, strict, fallback_image_id }
    }
}

/// What of public pictures may be asked for unsigned.
#[utoipa::path(get, path = "/api/v1/me/delivery", operation_id = "get_delivery_settings", tag = "delivery",
    responses((status = 200, body = SettingsView)))]
pub(super) async fn get_settings(request: Request) -> Result<Response> {
    let user_id = request.caller().await?.user_id;
    let settings = request.services().database.ask(DeliverySettings { user_id }).await?;
    reply(StatusCode::OK, &SettingsView::from(settings))
}

/// What is said of it; what is left out is as if nothing had ever been said.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(super) struct SettingsBody {
    /// Transformations in the URL form, beside presets, which they may name.
    #[schema(max_items = 100, example = json!(["w_300", "t_card/f_auto"]))]
    allowed: Option<Vec<String>>,
    /// False: whatever of public pictures can be asked for may be, unsigned.
    #[schema(default = true)]
    strict: Option<bool>,
    /// A picture of the account.
    fallback_image_id: Option<ImageId>,
}

/// Says what of public pictures may be asked for unsigned.
#[utoipa::path(put, path = "/api/v1/me/delivery", operation_id = "put_delivery_settings", tag = "delivery",
    request_body = SettingsBody,
    responses((status = 200, body = SettingsView), (status = 429, response = inline(RateLimited))))]
pub(super) async fn put_settings(request: Request, body: Body) -> Result<Response> {
    let mut tally = Tally::default();
    let answer = put_settings_counted(&request, body, &mut tally).await;
    tally.told(answer)
}

async fn put_settings_counted(
    request: &Request,
    body: Body,
    tally: &mut Tally,
) -> Result<Response> {
    let user_id = request.caller().await?.user_id;
    tally.take_of_account(request, Limit::Transforms, user_id, 1).await?;
    let mut fields = Fields::of(json(request, body).await?)?;
    let allowed: Vec<String> = fields.optional("allowed", "a list of strings").unwrap_or_default();
    if allowed.len() > MAX_ALLOWED {
        let detail = format!("has {} entries; at most {MAX_ALLOWED}", allowed.len());
        fields.fault("allowed", detail);
    }
    let strict = fields.optional("strict", "true or false").unwrap_or(true);
    let fallback_image_id = fields.optional("fallback_image_id", "the id of an image, or null");
    fields.finish()?;
    let settings = Settings { strict, allowed, fallback_image_id };
    presets::put_settings(request.services(), user_id, settings.clone()).await?;
    reply(StatusCode::OK, &SettingsView::from(settings))
}
