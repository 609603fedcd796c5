//! Its delivery.

use bytes::Bytes;
use hyper::{HeaderMap, Response};
use percent_encoding::percent_decode_str;

use super::{World, signature};

impl World {
    /// `/{cloud or another prefix}/{resource type}/{type}/{signature}/{version}/{public id and format}`
    pub fn deliver(&self, path: &str, headers: &HeaderMap) -> Response<Bytes> {
        let refuse = |status: u16, error: &str| {
            let answer = Response::builder().status(status).header("x-cld-error", error);
            answer.body(Bytes::new()).unwrap()
        };
        let segments: Vec<&str> = path.trim_start_matches('/').splitn(6, '/').collect();
        let ["demo" | "private-cdn", kind, kept_as, given, version, rest] = segments[..] else {
            return refuse(400, "Invalid URL");
        };
        if !version.starts_with('v') {
            return refuse(400, "Invalid version");
        }
        if given != signature::of_path(self.options.algorithm, rest) {
            return refuse(
                401,
                "Invalid signature or unauthorized access to authenticated resource",
            );
        }
        let name = percent_decode_str(rest).decode_utf8().unwrap();
        let (public_id, wanted) = match kind {
            "image" => {
                name.rsplit_once('.').map_or((&*name, None), |(id, format)| (id, Some(format)))
            }
            _ => (&*name, None),
        };
        let key = (kind.to_owned(), kept_as.to_owned(), public_id.to_owned());
        let Some(asset) = self.assets.get(&key) else {
            return refuse(404, &format!("Resource not found - {public_id}"));
        };
        let bytes = match (wanted, asset.format.as_deref()) {
            // In another format it is made anew.
            (Some(wanted), Some(kept)) if wanted != kept => Bytes::from("made anew"),
            _ => asset.bytes.clone(),
        };
        let range = headers.get("range").filter(|_| self.options.knows_ranges);
        let Some(range) = range.map(|range| range.to_str().unwrap()) else {
            return whole(200, &bytes, bytes.clone()).body(bytes).unwrap();
        };
        let (start, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
        let (start, last): (usize, usize) = (start.parse().unwrap(), last.parse().unwrap());
        if start >= bytes.len() || last < start {
            return refuse(416, "Range not satisfiable");
        }
        let last = last.min(bytes.len() - 1);
        let part = bytes.slice(start..=last);
        let said = format!("bytes {start}-{last}/{}", bytes.len());
        whole(206, &bytes, part.clone()).header("content-range", said).body(part).unwrap()
    }
}

fn whole(status: u16, bytes: &Bytes, part: Bytes) -> hyper::http::response::Builder {
    let tag = format!("\"{}\"", bytes.len());
    Response::builder().status(status).header("etag", tag).header("content-length", part.len())
}
