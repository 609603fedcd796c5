//! The OpenAPI document, made from the handlers, and Swagger UI to read it with.

use std::sync::{Arc, LazyLock};

use utoipa::{
    Modify, OpenApi,
    openapi::{
        ContentBuilder, Ref, RefOr, ResponseBuilder,
        path::Operation,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use warp::{Filter, filters::BoxedFilter, http::StatusCode, reply::Response};

use super::{
    accounts,
    body::{reply, with_header},
    console, deletions, delivery, events, explain, health, images, imports, info, jobs, limit,
    presets,
    problem::{Problem, answered},
    purge, signing, transforms, upload, variants, webhooks,
};
use crate::domain::{
    error::{Error, Result},
    ids::{DeletionId, EventId},
};

/// The document. Every path of the service stands in it, and no other is let in (`http/gate.rs`).
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Darkroom",
        description = "Upload pictures, have them transformed at once or as jobs, and fetch the results.\n\n\
                       Every error is `application/problem+json` with a stable `code`.",
    ),
    paths(
        accounts::register, accounts::log_in, accounts::refresh, accounts::log_out,
        accounts::me, accounts::close, accounts::change_password,
        accounts::create_api_key, accounts::list_api_keys, accounts::delete_api_key,
        upload::upload, imports::import, images::list, images::get, images::patch, images::original, images::delete,
        info::info,
        transforms::transform, explain::explain,
        images::variants, variants::get, variants::picture, variants::delete,
        jobs::list, jobs::get, jobs::cancel, jobs::retry,
        events::of_job, events::of_account,
        webhooks::deliveries, webhooks::secret, webhooks::rotate,
        deletions::get, delivery::picture, delivery::preflight,
        presets::list, presets::get, presets::put, presets::delete, presets::get_settings, presets::put_settings,
        signing::create, signing::list, signing::delete, signing::sign, signing::sign_all,
        purge::one, purge::tagged,
        health::health, health::ready, document, swagger, swagger_file,
        console::page, console::style, console::script, console::delivery,
    ),
    components(schemas(Problem, DeletionId, EventId)),
    tags(
        (name = "accounts", description = "Who you are"),
        (name = "images", description = "Pictures as they were uploaded"),
        (name = "transforms", description = "Making pictures from pictures"),
        (name = "variants", description = "Pictures made from pictures"),
        (name = "jobs", description = "Work in the background"),
        (name = "webhooks", description = "Being told of a job's end"),
        (name = "delivery", description = "Pictures by URL: what may be asked for, and signed"),
        (name = "operations", description = "The service itself"),
    ),
    security(("bearer" = [])),
    modifiers(&Shared),
)]
struct Document;

/// What all operations have in common.
struct Shared;

impl Modify for Shared {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("An access token, or an API key (`dk_…`)."))
            .build();
        if let Some(components) = &mut document.components {
            components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        }
        let problem = ResponseBuilder::new()
            .description("An error")
            .content(
                "application/problem+json",
                ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build(),
            )
            .build();
        for path in document.paths.paths.values_mut() {
            let operations: [&mut Option<Operation>; 6] = [
                &mut path.get,
                &mut path.post,
                &mut path.put,
                &mut path.patch,
                &mut path.delete,
                &mut path.options,
            ];
            for operation in operations.into_iter().flatten() {
                let responses = &mut operation.responses.responses;
                for (status, response) in responses.iter_mut() {
                    if let RefOr::T(response) = response
                        && response.description.is_empty()
                    {
                        // The specification demands one; the status says it well enough.
                        response.description = reason(status).to_owned();
                    }
                }
                responses.insert("default".to_owned(), RefOr::T(problem.clone()));
                if responses.contains_key("429") {
                    limit::document(responses.values_mut());
                }
            }
        }
    }
}

fn reason(status: &str) -> &'static str {
    let status = status.parse().ok().and_then(|status| StatusCode::from_u16(status).ok());
    status.and_then(|status| status.canonical_reason()).unwrap_or_default()
}

/// The document, made once.
pub static OPENAPI: LazyLock<utoipa::openapi::OpenApi> = LazyLock::new(Document::openapi);

pub(super) fn routes() -> BoxedFilter<(Response,)> {
    let document =
        warp::path!("openapi.json").and(warp::get()).then(|| answered(document())).boxed();
    let swagger = warp::path!("swagger").and(warp::get()).then(|| answered(swagger())).boxed();
    let file = warp::path!("swagger" / String)
        .and(warp::get())
        .then(|file| answered(swagger_file(file)))
        .boxed();
    document.or(swagger).unify().or(file).unify().boxed()
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "operations", security(()),
    responses((status = 200, content_type = "application/json", body = Object)))]
async fn document() -> Result<Response> {
    reply(StatusCode::OK, &*OPENAPI)
}

/// Swagger UI.
#[utoipa::path(get, path = "/swagger/", tag = "operations", security(()),
    responses((status = 200, content_type = "text/html", body = String)))]
async fn swagger() -> Result<Response> {
    swagger_file("index.html".to_owned()).await
}

/// A part of Swagger UI.
#[utoipa::path(get, path = "/swagger/{file}", tag = "operations", security(()),
    params(("file" = String, Path)), responses((status = 200, body = String)))]
async fn swagger_file(file: String) -> Result<Response> {
    static CONFIG: LazyLock<Arc<utoipa_swagger_ui::Config<'static>>> =
        LazyLock::new(|| Arc::new(utoipa_swagger_ui::Config::from("/openapi.json")));
    let file = utoipa_swagger_ui::serve(&file, CONFIG.clone())
        .map_err(Error::internal)?
        .ok_or_else(|| Error::not_found("file"))?;
    let response = Response::new(file.bytes.into_owned().into());
    with_header(response, "content-type", &file.content_type)
}
