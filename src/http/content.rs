//! Stored bytes as an answer: conditional (RFC 9110 §13), in ranges (§14), and harmless to browsers.

use warp::{
    Reply,
    http::{HeaderValue, StatusCode, header},
    reply::Response,
};

use super::context::Request;
use crate::{
    adapters::{
        Resource,
        storage::{OpenObject, Storage},
    },
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
    let etag = format!("\"{}\"", content.object.sha256);
    let size = content.object.size;
    let matches = request.headers.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        value.to_str().is_ok_and(|value| value.split(',').any(|tag| is_match(tag, &etag)))
    });
    if matches {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return describe(response, &etag);
    }
    // A range of something else than what the client has is of no use to it.
    let same = request.header(header::IF_RANGE).is_none_or(|value| value.trim() == etag);
    let range = request.header(header::RANGE).filter(|_| same);
    let range = match range.map(|range| parse_range(range, size)) {
        None | Some(Range::Ignored) => None,
        Some(Range::Part(first, last)) => Some((first, last)),
        Some(Range::Unsatisfiable) => {
            let detail = format!("the content has {size} bytes");
            let response = super::problem::raise(Error::new(Code::RangeNotSatisfiable, detail));
            let value = format!("bytes */{size}");
            return super::body::with_header(response, "content-range", &value);
        }
    };
    let (offset, length) = range.map_or((0, size), |(first, last)| (first, last - first + 1));
    let object = OpenObject { object: content.object, part: offset..offset + length };
    let stream =
        request.services().storage.ask(object).await.map_err(|error| match error.code {
            // The row is there and its object is not: being deleted in this moment, or out of reach.
            Code::NotFound => Error::unavailable(Storage::WHAT, error),
            _ => error,
        })?;
    let mut response = warp::reply::stream(stream).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content.format.mime_type()));
    headers.insert(header::CONTENT_LENGTH, length.into());
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some((first, last)) = range {
        let value = format!("bytes {first}-{last}/{size}");
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        response = super::body::with_header(response, "content-range", &value)?;
    }
    describe(response, &etag)
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
enum Range {
    /// From the first to the last byte, both included.
    Part(u64, u64),
    /// Something that we may ignore: another unit, several ranges, no range at all.
    Ignored,
    /// Nothing of it is there.
    Unsatisfiable,
}

/// Reads a `Range` header (RFC 9110 §14.2) for content of `size` bytes.
fn parse_range(header: &str, size: u64) -> Range {
    let Some((first, last)) =
        header.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-'))
    else {
        return Range::Ignored;
    };
    let end = size.saturating_sub(1);
    match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(first), Ok(last)) if first > last => Range::Ignored,
        (Ok(first), _) if first >= size => Range::Unsatisfiable,
        (Ok(first), Ok(last)) => Range::Part(first, last.min(end)),
        (Ok(first), Err(_)) if last.trim().is_empty() => Range::Part(first, end),
        (Err(_), Ok(0)) if first.trim().is_empty() => Range::Unsatisfiable,
        (Err(_), Ok(suffix)) if first.trim().is_empty() && size > 0 => {
            Range::Part(size.saturating_sub(suffix), end)
        }
        _ => Range::Ignored,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_are_read_as_rfc_9110_says() {
        for (header, expected) in [
            ("bytes=0-0", Range::Part(0, 0)),
            ("bytes=2-", Range::Part(2, 9)),
            ("bytes=-3", Range::Part(7, 9)),
            ("bytes=-30", Range::Part(0, 9)),
            ("bytes=5-100", Range::Part(5, 9)),
            ("bytes=10-", Range::Unsatisfiable),
            ("bytes=-0", Range::Unsatisfiable),
            ("bytes=5-2", Range::Ignored),
            ("bytes=0-1,4-5", Range::Ignored),
            ("lines=0-1", Range::Ignored),
            ("bytes=-", Range::Ignored),
        ] {
            assert_eq!(parse_range(header, 10), expected, "{header}");
        }
    }

    proptest! {
        #[test]
        fn a_part_lies_within_the_content(header in "bytes=[0-9]{0,20}-[0-9]{0,20}", size in 0u64..100) {
            if let Range::Part(first, last) = parse_range(&header, size) {
                prop_assert!(first <= last && last < size);
            }
        }
    }
}
