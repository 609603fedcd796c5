//! `/`: the console, one page with its style and its scripts, all of it in the binary.

use warp::{Filter, filters::BoxedFilter, reply::Response};

use super::{body::with_header, problem::answered};
use crate::domain::error::Result;

/// The page loads nothing from elsewhere, and shows pictures that it has fetched itself.
const POLICY: &str = "default-src 'self'; img-src 'self' blob: data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

pub(super) fn routes() -> BoxedFilter<(Response,)> {
    let page = warp::path::end().and(warp::get()).then(|| answered(page())).boxed();
    let style = warp::path!("console.css").and(warp::get()).then(|| answered(style())).boxed();
    let script = warp::path!("console.js").and(warp::get()).then(|| answered(script())).boxed();
    let delivery =
        warp::path!("delivery.js").and(warp::get()).then(|| answered(delivery())).boxed();
    page.or(style).unify().or(script).unify().or(delivery).unify().boxed()
}

/// The console.
#[utoipa::path(get, path = "/", operation_id = "console", tag = "operations", security(()),
    responses((status = 200, content_type = "text/html", body = String)))]
pub(super) async fn page() -> Result<Response> {
    let page = file("text/html; charset=utf-8", include_str!("console/index.html"))?;
    with_header(page, "content-security-policy", POLICY)
}

/// The console's style.
#[utoipa::path(get, path = "/console.css", operation_id = "console_style", tag = "operations", security(()),
    responses((status = 200, content_type = "text/css", body = String)))]
pub(super) async fn style() -> Result<Response> {
    file("text/css; charset=utf-8", include_str!("console/console.css"))
}

/// The console's script.
#[utoipa::path(get, path = "/console.js", operation_id = "console_script", tag = "operations", security(()),
    responses((status = 200, content_type = "text/javascript", body = String)))]
pub(super) async fn script() -> Result<Response> {
    file("text/javascript; charset=utf-8", include_str!("console/console.js"))
}

/// The console's script for delivery.
#[utoipa::path(get, path = "/delivery.js", operation_id = "console_delivery", tag = "operations", security(()),
    responses((status = 200, content_type = "text/javascript", body = String)))]
pub(super) async fn delivery() -> Result<Response> {
    file("text/javascript; charset=utf-8", include_str!("console/delivery.js"))
}

fn file(content_type: &str, text: &'static str) -> Result<Response> {
    let response = with_header(Response::new(text.into()), "content-type", content_type)?;
    let response = with_header(response, "x-content-type-options", "nosniff")?;
    // The files change with the binary, and are small.
    with_header(response, "cache-control", "no-cache")
}
