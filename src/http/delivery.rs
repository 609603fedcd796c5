//! `/i/…`: pictures by URL.

use std::time::{Duration, SystemTime};

use warp::{
    Filter,
    filters::BoxedFilter,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    reply::Response,
};

use super::{
    content::{self, Version},
    context::{Context, Request},
    jobs::status_url,
    problem::answered,
};
use crate::{
    domain::{
        error::{Error, Result},
        link::PREFIX,
        transform::{Asks, Hints, accepted},
    },
    flows::delivery::{Ask, Delivered, Found, Plan, deliver},
};

/// Where pictures are, as the document says it, and with all the slashes that may be in it.
pub(super) const PATH: &str = "/i/{path}";
pub(super) const WHOLE_PATH: &str = "/i/{*path}";

/// A link that says nothing of its end is the same picture for ever.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// What is shown until there is something better.
const FOR_NOW: &str = "public, max-age=60, stale-while-revalidate=86400";
/// The same of a link that ends, in seconds.
const BRIEFLY: u64 = 60;
/// Headers of an answer, about.
const HEADERS: usize = 24;
/// After how many seconds a job is to be looked at.
const LOOK_AGAIN: u32 = 2;

pub(super) fn routes(context: &Context) -> BoxedFilter<(Response,)> {
    let get = warp::path("i")
        .and(warp::get())
        .and(context.request())
        .then(|request| answered(picture(request)));
    let ask = warp::path("i").and(warp::options()).then(|| answered(preflight()));
    get.or(ask).unify().boxed()
}

/// A picture, transformed.
///
/// Made by whoever asks first, and kept. Unsigned it is had if the image is public and the account allows the transformation
/// (`/me/delivery`, presets), else by a signed link (`/images/{id}/sign`). docs/DELIVERY.md tells the rest.
#[utoipa::path(get, path = "/i/{path}", operation_id = "deliver", tag = "delivery",
    params(
        ("path" = String, Path, description = "`[s--<signature>--/][<transformation>/]<image id>[.<ext>]`; the transformation has slashes of its own", example = "c_fill,w_300,h_200/q_auto,f_auto/0199c2f0-7a3e-7c51-b0d4-3f1f6c2a9e10"),
        ("exp" = Option<i64>, Query, description = "until when a signed link is good, in seconds since 1970"),
        ("dl" = Option<String>, Query, description = "`1` to have it saved under the image's own name; any other text is the name"),
        ("Prefer" = Option<String>, Header, description = "`respond-async, wait=5`: what takes longer is left to a job"),
    ),
    responses(
        (status = 200, content_type = "image/*"),
        (status = 206, content_type = "image/*"),
        (status = 302, description = "a job makes it; `Location` tells which"),
        (status = 304),
    ),
    security(()))]
pub(super) async fn picture(request: Request) -> Result<Response> {
    let query = Query::read(&request.query);
    let path = request.path.strip_prefix(PREFIX).unwrap_or_default();
    let ask = Ask {
        path: path.to_owned(),
        exp: query.exp.map(str::to_owned),
        accept: accepted(Some(&all(&request.headers, header::ACCEPT))),
        hints: hints(&request.headers),
    };
    let patience = patience(&request.headers, request.services().limits.timeout);
    let services = request.shared_services();
    match deliver(&services, &ask, patience).await? {
        Delivered::Picture { found, plan, instead_of } => {
            let mut response = show(&request, &query, &plan, &found, instead_of.is_some())?;
            if let Some(code) = instead_of {
                let code = HeaderValue::from_static(code.as_str());
                response.headers_mut().insert("x-fallback", code);
            }
            Ok(response)
        }
        Delivered::Later(job) => {
            let mut response = Response::default();
            *response.status_mut() = StatusCode::FOUND;
            let headers = response.headers_mut();
            let place = HeaderValue::from_str(&status_url(&request, job));
            headers.insert(header::LOCATION, place.map_err(Error::internal)?);
            headers.insert(header::RETRY_AFTER, LOOK_AGAIN.into());
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            headers.insert("preference-applied", HeaderValue::from_static("respond-async"));
            Ok(response)
        }
    }
}

/// The picture, or what of it the client has not.
fn show(
    request: &Request,
    query: &Query<'_>,
    plan: &Plan,
    found: &Found,
    is_other: bool,
) -> Result<Response> {
    let picture = &found.picture;
    let version = Version::new(&picture.sha256, Some(picture.made_at.into()));
    let mut response = Response::default();
    // Room for all of them at once.
    response.headers_mut().reserve(HEADERS);
    if version.is_held(&request.headers) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        let size = picture.bytes.len() as u64;
        let part = match version.part(&request.headers, size) {
            Ok(part) => part,
            Err(refused) => return Ok(*refused),
        };
        // A part lies within the bytes, whose number fits.
        let bytes = match &part {
            #[allow(clippy::cast_possible_truncation)]
            Some(part) => picture.bytes.slice(part.start as usize..part.end as usize),
            None => picture.bytes.clone(),
        };
        *response.body_mut() = Response::new(bytes.into()).into_body();
        content::bounds(&mut response, picture.format, size, part)?;
        if let Some(name) = query.dl {
            let value = disposition(&file_name(name, plan, found));
            response.headers_mut().insert(header::CONTENT_DISPOSITION, value?);
        }
    }
    let text = |text: &str| HeaderValue::from_str(text).map_err(Error::internal);
    let headers = response.headers_mut();
    headers.insert(header::ETAG, text(&version.etag)?);
    if let Some(modified) = version.modified {
        headers.insert(header::LAST_MODIFIED, text(&httpdate::fmt_http_date(modified))?);
    }
    let is_for_now = is_other || found.is_stale();
    let kept = match plan.expires() {
        Some(until) => {
            let left = until.duration_since(SystemTime::now()).unwrap_or_default().as_secs();
            let left = if is_for_now { left.min(BRIEFLY) } else { left };
            text(&format!("public, max-age={left}"))?
        }
        None => HeaderValue::from_static(if is_for_now { FOR_NOW } else { FOR_EVER }),
    };
    headers.insert(header::CACHE_CONTROL, kept);
    depends(headers, plan.asks);
    headers.insert(header::LINK, text(&canonical(request, query))?);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert("cache-tag", text(&tags(plan))?);
    let cache = if found.made.is_some() { "miss" } else { "hit" };
    headers.insert("x-cache", HeaderValue::from_static(cache));
    if let Some(timings) = &found.made {
        headers.insert("server-timing", text(&timings.server_timing())?);
    }
    Ok(response)
}

/// What a CDN knows the answer by that is told to forget pictures: the image, and what lies over it.
fn tags(plan: &Plan) -> String {
    let images = std::iter::once(plan.image.id).chain(plan.spec.overlays());
    images.map(|id| id.to_string()).collect::<Vec<_>>().join(",")
}

/// Says what of the request the answer depends on, and asks for it.
fn depends(headers: &mut HeaderMap, asks: Asks) {
    let of = [
        (asks.accept, "Accept"),
        (asks.dpr, "Sec-CH-DPR"),
        (asks.width, "Sec-CH-Width"),
        (asks.save_data, "Save-Data"),
    ];
    for (_, name) in of.into_iter().filter(|(depends, _)| *depends) {
        headers.append(header::VARY, HeaderValue::from_static(name));
    }
    for (_, name) in of.into_iter().filter(|(depends, name)| *depends && name.starts_with("Sec-CH"))
    {
        headers.append("accept-ch", HeaderValue::from_static(name));
    }
}

/// What pages of any origin may do with the answer, whatever it is.
pub(super) fn open(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            "ETag, Content-Length, Content-Range, Retry-After, Server-Timing, X-Cache, X-Fallback, X-Request-Id",
        ),
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
        (HeaderName::from_static("timing-allow-origin"), "*"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// What a browser asks before it sends headers that a page has chosen.
#[utoipa::path(options, path = "/i/{path}", operation_id = "deliver_preflight", tag = "delivery",
    params(("path" = String, Path)), responses((status = 204, description = "pages of any origin may")), security(()))]
pub(super) async fn preflight() -> Result<Response> {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "*"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
        (header::ALLOW, "GET, HEAD, OPTIONS"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

/// The parameters that count, as they were sent; of several of one name the first.
#[derive(Debug, Default, PartialEq)]
struct Query<'a> {
    exp: Option<&'a str>,
    dl: Option<&'a str>,
}

impl<'a> Query<'a> {
    fn read(query: &'a str) -> Self {
        let value = |name| {
            let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
            pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
        };
        Self {
            exp: value("exp"),
            dl: value("dl").filter(|value| !matches!(*value, "" | "0" | "false")),
        }
    }
}

/// The link of the picture, however it is to be saved.
fn canonical(request: &Request, query: &Query<'_>) -> String {
    let exp = query.exp.map_or_else(String::new, |exp| format!("?exp={exp}"));
    format!("<{}{exp}>; rel=\"canonical\"", request.url(&request.path))
}

/// What the picture is saved as: `wanted`, or with `1` the image's own name.
fn file_name(wanted: &str, plan: &Plan, found: &Found) -> String {
    let wanted = percent_encoding::percent_decode_str(wanted).decode_utf8_lossy();
    let name =
        if matches!(&*wanted, "1" | "true") { plan.image.filename.as_str() } else { &wanted };
    // Of a path its last part: nothing is saved anywhere else than the client chooses.
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = match name.rsplit_once('.') {
        Some((stem, ext)) if !stem.is_empty() && ext.len() <= 5 => stem,
        _ => name,
    };
    let stem: String = stem
        .chars()
        .filter(|letter| !letter.is_control() && !"<>:\"|?*".contains(*letter))
        .take(100)
        .collect();
    let stem = stem.trim().trim_start_matches('.');
    let stem = if stem.is_empty() { "picture" } else { stem };
    format!("{stem}.{}", found.picture.format.extension())
}

/// To be saved under `name`: for old clients in ASCII, for all others as it is (RFC 6266, RFC 8187).
fn disposition(name: &str) -> Result<HeaderValue> {
    /// What RFC 8187 calls `attr-char`, turned round.
    const ESCAPED: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
        .remove(b'!')
        .remove(b'#')
        .remove(b'$')
        .remove(b'&')
        .remove(b'+')
        .remove(b'-')
        .remove(b'.')
        .remove(b'^')
        .remove(b'_')
        .remove(b'`')
        .remove(b'|')
        .remove(b'~');
    let plain = |letter: char| {
        if letter.is_ascii_graphic() && !"\"\\%".contains(letter) || letter == ' ' {
            letter
        } else {
            '_'
        }
    };
    let ascii: String = name.chars().map(plain).collect();
    let mut value = format!("attachment; filename=\"{ascii}\"");
    if ascii != name {
        let exact = percent_encoding::utf8_percent_encode(name, ESCAPED);
        value.push_str(&format!("; filename*=UTF-8''{exact}"));
    }
    HeaderValue::from_str(&value).map_err(Error::internal)
}

/// What the client says of its screen and its line.
fn hints(headers: &HeaderMap) -> Hints {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let number = |name| {
        let value = text(name)?.parse::<f64>().ok();
        value.filter(|value| value.is_finite() && *value > 0.0)
    };
    // A picture is never wider than a few thousand pixels.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let width = number("sec-ch-width").map(|width| width.ceil().clamp(1.0, 1e5) as u32);
    Hints {
        dpr: number("sec-ch-dpr"),
        width,
        save_data: text("save-data").is_some_and(|value| value.eq_ignore_ascii_case("on")),
    }
}

/// The lines of a header that is a list.
fn all(headers: &HeaderMap, name: HeaderName) -> String {
    let lines = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    lines.collect::<Vec<_>>().join(",")
}

/// How long a client waits that prefers to be told later (RFC 7240): as long as it says, and no longer than a picture may take.
fn patience(headers: &HeaderMap, longest: Duration) -> Option<Duration> {
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let preferences: Vec<_> =
        values.flat_map(|value| value.split([',', ';'])).map(str::trim).collect();
    preferences.iter().find(|name| name.eq_ignore_ascii_case("respond-async"))?;
    let wait = preferences.iter().find_map(|preference| {
        let (name, value) = preference.split_once('=')?;
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("wait").then(|| value.parse().ok())?
    });
    Some(wait.map_or(longest, |seconds| Duration::from_secs(seconds).min(longest)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn of_the_query_two_parameters_count() {
        let both = Query { exp: Some("12"), dl: Some("a%20b") };
        assert_eq!(Query::read("_a=BAM&exp=12&dl=a%20b&exp=13"), both);
        assert_eq!(Query::read("dl"), Query::default());
        assert_eq!(Query::read("dl=0&expo=1"), Query::default());
    }

    #[test]
    fn names_are_told_to_old_clients_and_new_ones() {
        let told = |name| disposition(name).unwrap().to_str().unwrap().to_owned();
        assert_eq!(told("a b.jpg"), "attachment; filename=\"a b.jpg\"");
        assert_eq!(
            told("Größe \"1\".jpg"),
            "attachment; filename=\"Gr__e _1_.jpg\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%221%22.jpg"
        );
    }

    #[test]
    fn a_client_may_prefer_not_to_wait() {
        let waits = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("prefer", HeaderValue::from_str(value).unwrap());
            patience(&headers, Duration::from_secs(20)).map(|patience| patience.as_secs())
        };
        assert_eq!(waits("respond-async"), Some(20));
        assert_eq!(waits("respond-async, wait=3"), Some(3));
        assert_eq!(waits("wait=90; Respond-Async"), Some(20));
        assert_eq!(waits("respond-async, wait=soon"), Some(20));
        assert_eq!(waits("wait=3"), None);
    }

    proptest! {
        #[test]
        fn any_name_can_be_told(name in ".{0,40}") {
            prop_assert!(disposition(&name).is_ok());
        }
    }
}
