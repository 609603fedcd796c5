//! Errors as answers: `application/problem+json` (RFC 9457).

use std::future::Future;

use serde::Serialize;
use utoipa::ToSchema;
use warp::{
    http::{HeaderValue, StatusCode, header},
    reply::Response,
};

use crate::domain::error::{Code, Error, Fault, Result};

/// What a client is told of an error.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem<'a> {
    /// Always `about:blank`: the code says it all.
    r#type: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// Which of the documented errors this is.
    code: Code,
    /// What happened, and what would be accepted.
    detail: &'a str,
    /// The fields at fault.
    #[serde(skip_serializing_if = "<[Fault]>::is_empty")]
    errors: &'a [Fault],
    /// To be named when asking us about it.
    request_id: &'a str,
}

/// A handler's result as an answer. An error travels on it and is written out by [`render`], where
/// the request's id is known.
pub async fn answered(handler: impl Future<Output = Result<Response>>) -> Response {
    handler.await.unwrap_or_else(raise)
}

/// An answer that is nothing but an error, still to be written out.
pub fn raise(error: Error) -> Response {
    let mut response = Response::default();
    *response.status_mut() = status(&error);
    response.extensions_mut().insert(error);
    response
}

/// Writes out the error that `response` carries, if it carries one.
pub fn render(response: &mut Response, request_id: &str) {
    let Some(error) = response.extensions_mut().remove::<Error>() else { return };
    match error.code {
        Code::Internal => {
            tracing::error!(request_id, cause = error.cause, "internal error");
        }
        Code::DependencyUnavailable | Code::Overloaded => {
            tracing::warn!(request_id, code = %error.code, cause = error.cause, "not available");
        }
        _ => {
            tracing::debug!(request_id, %error, cause = error.cause, "refused");
        }
    }
    let status = status(&error);
    let problem = Problem {
        r#type: "about:blank",
        title: status.canonical_reason().unwrap_or_default(),
        status: status.as_u16(),
        code: error.code,
        detail: &error.detail,
        errors: &error.faults,
        request_id,
    };
    // Strings and numbers only: it can't fail.
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let set = |headers: &mut warp::http::HeaderMap, name, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(headers, header::CONTENT_TYPE, "application/problem+json");
    set(headers, header::CACHE_CONTROL, "no-store");
    set(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(headers, header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox");
    headers.insert(header::CONTENT_LENGTH, body.len().into());
    if status == StatusCode::UNAUTHORIZED {
        set(headers, header::WWW_AUTHENTICATE, "Bearer");
    }
    if let Some(seconds) = error.retry_after {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    *response.body_mut() = warp::reply::Response::new(body.into()).into_body();
}

fn status(error: &Error) -> StatusCode {
    StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
