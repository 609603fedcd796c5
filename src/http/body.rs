//! Bodies: JSON within a limit, pictures as they stream in, and answers.

use std::{pin::Pin, time::Duration};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt, TryStreamExt};
use serde::Serialize;
use serde_json::Value;
use warp::{
    Filter,
    http::{HeaderValue, StatusCode, header},
    reply::Response,
};

use super::context::Request;
use crate::domain::error::{Code, Error, Result};

/// How long a client may pause in the middle of a body.
const PATIENCE: Duration = Duration::from_secs(30);

/// The body of a request, piece by piece, each waited for within [`PATIENCE`].
pub type Body = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// Extracts the body of a request. Never rejects.
pub fn stream() -> impl Filter<Extract = (Body,), Error = warp::Rejection> + Copy {
    warp::body::stream().map(|body| -> Body { Box::pin(pieces(body)) })
}

fn pieces<B: Buf>(
    body: impl Stream<Item = Result<B, warp::Error>> + Send,
) -> impl Stream<Item = Result<Bytes>> + Send {
    let body = body.map(|piece| {
        piece.map(|mut piece| piece.copy_to_bytes(piece.remaining())).map_err(|error| {
            Error::new(Code::MalformedRequest, "the body ended before its time").caused_by(error)
        })
    });
    futures_util::stream::try_unfold(Box::pin(body), |mut body| async move {
        match tokio::time::timeout(PATIENCE, body.next()).await {
            Ok(piece) => Ok(piece.transpose()?.map(|piece| (piece, body))),
            Err(_) => {
                let detail = format!("nothing was sent for {} s", PATIENCE.as_secs());
                Err(Error::new(Code::RequestTimeout, detail))
            }
        }
    })
}

/// The body as JSON; an empty one is an empty object.
///
/// # Errors
/// `payload_too_large` past `MAX_BODY_SIZE`, `malformed_request`, `request_timeout`.
pub async fn json(request: &Request, mut body: Body) -> Result<Value> {
    let limit = request.settings().max_body_size;
    let too_large =
        || Error::new(Code::PayloadTooLarge, format!("the body is larger than {limit} bytes"));
    if declared_length(request).is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut bytes = BytesMut::new();
    while let Some(piece) = body.try_next().await? {
        if (bytes.len() + piece.len()) as u64 > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&piece);
    }
    if bytes.is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        // serde_json's own words name a line and a column, and nothing of ours.
        Error::new(Code::MalformedRequest, format!("the body is not JSON: {error}"))
    })
}

/// What `Content-Length` says.
pub fn declared_length(request: &Request) -> Option<u64> {
    request.header(header::CONTENT_LENGTH)?.parse().ok()
}

/// A JSON answer that nobody may keep.
///
/// # Errors
/// `internal`, if `value` has no JSON form.
pub fn reply<T: Serialize>(status: StatusCode, value: &T) -> Result<Response> {
    let body = serde_json::to_vec(value).map_err(Error::internal)?;
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response)
}

/// An answer without a body.
pub fn no_content() -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Adds a header that we made ourselves.
///
/// # Errors
/// `internal`, if the value can't stand in a header.
pub fn with_header(mut response: Response, name: &'static str, value: &str) -> Result<Response> {
    let value = HeaderValue::from_str(value).map_err(Error::internal)?;
    response.headers_mut().insert(name, value);
    Ok(response)
}
