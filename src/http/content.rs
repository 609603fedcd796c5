//! Stored bytes as an answer: conditional (RFC 9110 §13), in ranges (§14), and harmless to browsers.

use std::{ops::Range, time::SystemTime};

use warp::{
    Reply,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    reply::Response,
};

use super::context::Request;
use crate::{
    adapters::storage::{OpenObject, out_of_reach},
    domain::{
        error::{Code, Error, Result},
        format::Format,
        object::Object,
    },
};

/// What is served.
pub struct Content {
    /// What the bytes are.
    pub format: Format,
    /// Where they are; their hash is the strong `ETag`.
    pub object: Object,
}

/// Answers with `content`, or the part of it that was asked for.
///
/// # Errors
/// `range_not_satisfiable`, `dependency_unavailable` if the object can't be reached.
pub async fn serve(request: &Request, content: Content) -> Result<Response> {
    let version = Version::new(&content.object.sha256, None);
    let size = content.object.size;
    if version.is_held(&request.headers) {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return describe(response, &version.etag);
    }
    let part = match version.part(&request.headers, size) {
        Ok(part) => part,
        Err(refused) => return Ok(*refused),
    };
    let whole = 0..size;
    let object =
        OpenObject { object: content.object, part: part.as_ref().unwrap_or(&whole).clone() };
    let stream = request.services().storage.ask(object).await.map_err(out_of_reach)?;
    let mut response = warp::reply::stream(stream).into_response();
    bounds(&mut response, content.format, size, part)?;
    describe(response, &version.etag)
}

/// Says what the body is, and which part of it.
pub(super) fn bounds(
    response: &mut Response,
    format: Format,
    size: u64,
    part: Option<Range<u64>>,
) -> Result<()> {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.mime_type()));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let length = part.as_ref().map_or(size, |part| part.end - part.start);
    headers.insert(header::CONTENT_LENGTH, length.into());
    if let Some(part) = part {
        let value = format!("bytes {}-{}/{size}", part.start, part.end.saturating_sub(1));
        headers
            .insert(header::CONTENT_RANGE, HeaderValue::from_str(&value).map_err(Error::internal)?);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(())
}

/// What tells bytes from those that were, or will be, at the same place.
pub(super) struct Version {
    /// Strong: the same only for the same bytes.
    pub etag: String,
    /// To the second.
    pub modified: Option<SystemTime>,
}

impl Version {
    /// Of bytes with this hash, there since `modified`.
    pub fn new(sha256: &str, modified: Option<SystemTime>) -> Self {
        Self { etag: format!("\"{sha256}\""), modified }
    }

    /// Whether the client has these bytes (RFC 9110 §13.1). A date counts only for one that names no tag.
    pub fn is_held(&self, headers: &HeaderMap) -> bool {
        let mut tags = headers.get_all(header::IF_NONE_MATCH).iter().peekable();
        if tags.peek().is_some() {
            return tags.any(|value| {
                let mut tags = value.to_str().into_iter().flat_map(|value| value.split(','));
                tags.any(|tag| is_match(tag, &self.etag))
            });
        }
        match (self.modified, date(headers, header::IF_MODIFIED_SINCE)) {
            // What was there before, and is there again, is older than what the client has: only the very second counts.
            (Some(modified), Some(held)) => is_same(modified, held),
            _ => false,
        }
    }

    /// The part that was asked for, of `size` bytes; `None` is everything.
    ///
    /// # Errors
    /// The answer, if there is no such part.
    pub fn part(
        &self,
        headers: &HeaderMap,
        size: u64,
    ) -> Result<Option<Range<u64>>, Box<Response>> {
        let Some(range) = headers.get(header::RANGE).and_then(|range| range.to_str().ok()) else {
            return Ok(None);
        };
        // A part of something else than what the client has is of no use to it.
        if headers.contains_key(header::IF_RANGE) && !self.is_continued(headers) {
            return Ok(None);
        }
        match parse_range(range, size) {
            Asked::Ignored => Ok(None),
            Asked::Part(first, last) => Ok(Some(first..last + 1)),
            Asked::Unsatisfiable => {
                let detail = format!("the content has {size} bytes");
                let mut response =
                    super::problem::raise(Error::new(Code::RangeNotSatisfiable, detail));
                if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
                    response.headers_mut().insert(header::CONTENT_RANGE, value);
                }
                Err(Box::new(response))
            }
        }
    }

    /// Whether `If-Range` names these bytes: by strong comparison, or by the very second.
    fn is_continued(&self, headers: &HeaderMap) -> bool {
        let named = headers.get(header::IF_RANGE).and_then(|value| value.to_str().ok());
        named.is_some_and(|value| value.trim() == self.etag)
            || match (self.modified, date(headers, header::IF_RANGE)) {
                (Some(modified), Some(held)) => is_same(modified, held),
                _ => false,
            }
    }
}

/// Whether both are the same as they are told, without fractions of a second.
fn is_same(one: SystemTime, other: SystemTime) -> bool {
    httpdate::fmt_http_date(one) == httpdate::fmt_http_date(other)
}

fn date(headers: &HeaderMap, name: header::HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
}

/// What every answer about content says.
fn describe(response: Response, etag: &str) -> Result<Response> {
    let mut response = super::body::with_header(response, "etag", etag)?;
    let headers = response.headers_mut();
    let fixed = [
        (header::CACHE_CONTROL, "private, no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

/// Weak comparison (RFC 9110 §8.8.3.2), which is what `If-None-Match` asks for.
fn is_match(tag: &str, etag: &str) -> bool {
    let tag = tag.trim();
    tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag
}

#[derive(Debug, PartialEq)]
enum Asked {
    /// From the first to the last byte, both included.
    Part(u64, u64),
    /// Something that we may ignore: another unit, several ranges, no range at all.
    Ignored,
    /// Nothing of it is there.
    Unsatisfiable,
}

/// Reads a `Range` header (RFC 9110 §14.2) for content of `size` bytes.
fn parse_range(header: &str, size: u64) -> Asked {
    let Some((first, last)) =
        header.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-'))
    else {
        return Asked::Ignored;
    };
    let end = size.saturating_sub(1);
    match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(first), Ok(last)) if first > last => Asked::Ignored,
        (Ok(first), _) if first >= size => Asked::Unsatisfiable,
        (Ok(first), Ok(last)) => Asked::Part(first, last.min(end)),
        (Ok(first), Err(_)) if last.trim().is_empty() => Asked::Part(first, end),
        (Err(_), Ok(0)) if first.trim().is_empty() => Asked::Unsatisfiable,
        (Err(_), Ok(suffix)) if first.trim().is_empty() && size > 0 => {
            Asked::Part(size.saturating_sub(suffix), end)
        }
        _ => Asked::Ignored,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_are_read_as_rfc_9110_says() {
        for (header, expected) in [
            ("bytes=0-0", Asked::Part(0, 0)),
            ("bytes=2-", Asked::Part(2, 9)),
            ("bytes=-3", Asked::Part(7, 9)),
            ("bytes=-30", Asked::Part(0, 9)),
            ("bytes=5-100", Asked::Part(5, 9)),
            ("bytes=10-", Asked::Unsatisfiable),
            ("bytes=-0", Asked::Unsatisfiable),
            ("bytes=5-2", Asked::Ignored),
            ("bytes=0-1,4-5", Asked::Ignored),
            ("lines=0-1", Asked::Ignored),
            ("bytes=-", Asked::Ignored),
        ] {
            assert_eq!(parse_range(header, 10), expected, "{header}");
        }
    }

    proptest! {
        #[test]
        fn a_part_lies_within_the_content(header in "bytes=[0-9]{0,20}-[0-9]{0,20}", size in 0u64..100) {
            if let Asked::Part(first, last) = parse_range(&header, size) {
                prop_assert!(first <= last && last < size);
            }
        }
    }
}
