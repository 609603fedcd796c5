//! Its upload API.

use bytes::Bytes;
use chrono::Utc;
use futures_util::stream;
use hyper::HeaderMap;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Answer, Asset, Partial, World, json, refusal, signature};

/// A chunk has at least so many bytes, but the last.
const SMALLEST_CHUNK: usize = 5 * 1024 * 1024;

/// What was posted.
#[derive(Default)]
pub struct Form {
    pub fields: Vec<(String, String)>,
    file: Option<Bytes>,
    file_name: String,
}

impl Form {
    /// The form in `body`; nothing if there is none.
    pub async fn read(headers: &HeaderMap, body: Bytes) -> Self {
        let mut form = Self::default();
        let Some(boundary) = headers
            .get("content-type")
            .and_then(|value| multer::parse_boundary(value.to_str().unwrap()).ok())
        else {
            return form;
        };
        let body = stream::iter([Ok::<_, std::io::Error>(body)]);
        let mut parts = multer::Multipart::new(body, boundary);
        while let Some(part) = parts.next_field().await.unwrap() {
            let name = part.name().unwrap().to_owned();
            if name == "file" {
                form.file_name = part.file_name().unwrap().to_owned();
                form.file = Some(part.bytes().await.unwrap());
            } else {
                form.fields.push((name, part.text().await.unwrap()));
            }
        }
        form
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What the bytes are a picture of.
fn format(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xd8, 0xff, ..] => Some("jpg"),
        [0x89, b'P', b'N', b'G', ..] => Some("png"),
        [b'G', b'I', b'F', b'8', ..] => Some("gif"),
        [b'B', b'M', ..] => Some("bmp"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("webp"),
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', b'f', ..] => Some("avif"),
        _ => None,
    }
}

impl World {
    pub fn call(&mut self, path: &str, headers: &HeaderMap, form: &Form) -> Answer {
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let ["v1_1", cloud, kind @ ("image" | "raw"), action] = segments[..] else {
            return refusal(404, "no such call");
        };
        if let Err((status, message)) = self.admit(cloud, form) {
            return refusal(status, &message);
        }
        let Some(public_id) = form.field("public_id") else {
            return refusal(400, "Missing required parameter - public_id");
        };
        let kept_as = form.field("type").unwrap_or("upload");
        let name = (kind.to_owned(), kept_as.to_owned(), public_id.to_owned());
        match action {
            "upload" => self.upload(name, headers, form),
            "destroy" => {
                let was_there = self.assets.remove(&name).is_some();
                json(200, &json!({ "result": if was_there { "ok" } else { "not found" } }))
            }
            _ => refusal(404, "no such call"),
        }
    }

    /// Whether the caller is who they say.
    fn admit(&self, cloud: &str, form: &Form) -> Result<(), (u16, String)> {
        if cloud != "demo" {
            return Err((401, format!("Invalid cloud_name {cloud}")));
        }
        match form.field("api_key") {
            Some("1234567890") => {}
            Some(other) => return Err((401, format!("Unknown API key {other}"))),
            None => return Err((401, "Missing required parameter - api_key".to_owned())),
        }
        let Some(said) = form.field("timestamp").and_then(|said| said.parse::<i64>().ok()) else {
            return Err((400, "Missing required parameter - timestamp".to_owned()));
        };
        if (Utc::now().timestamp() - said).abs() > 3600 {
            let message = format!("Stale request - reported time is {said}");
            return Err((400, format!("{message} which is more than 1 hour ago")));
        }
        let text = signature::string_to_sign(&form.fields);
        let given = form.field("signature").unwrap_or_default();
        if given != signature::of_call(self.options.algorithm, &text) {
            return Err((401, format!("Invalid Signature {given}. String to sign - '{text}'.")));
        }
        Ok(())
    }

    fn upload(
        &mut self,
        name: (String, String, String),
        headers: &HeaderMap,
        form: &Form,
    ) -> Answer {
        let Some(file) = form.file.clone() else {
            return refusal(400, "Missing required parameter - file");
        };
        let header = |name| headers.get(name).map(|value| value.to_str().unwrap());
        let total = match header("content-range") {
            Some(range) => range.rsplit_once('/').unwrap().1.parse().unwrap(),
            None => file.len() as u64,
        };
        let limit = self.options.max_bytes;
        if total > limit {
            let message = format!("File size too large. Got {total}. Maximum is {limit}.");
            let offer = "Upgrade your plan to enjoy higher limits \
                         https://www.cloudinary.com/pricing/upgrades/file-limit";
            return refusal(400, &format!("{message} {offer}"));
        }
        match (header("x-unique-upload-id"), header("content-range")) {
            (None, None) => self.finish(name, file, form),
            (Some(id), Some(range)) => match self.join(id, range, &name.2, &file) {
                Ok(Some(whole)) => self.finish(name, whole, form),
                Ok(None) => json(200, &json!({ "done": false, "kind": "upload" })),
                Err(message) => refusal(400, message),
            },
            _ => refusal(400, "a chunk says both its upload and its range"),
        }
    }

    /// Adds a chunk; the whole file once it is there.
    fn join(
        &mut self,
        id: &str,
        range: &str,
        public_id: &str,
        chunk: &[u8],
    ) -> Result<Option<Bytes>, &'static str> {
        let numbers: Vec<u64> = range
            .strip_prefix("bytes ")
            .ok_or("Invalid Content-Range")?
            .split(['-', '/'])
            .map(|number| number.parse().unwrap())
            .collect();
        let [start, last, total] = numbers[..] else { return Err("Invalid Content-Range") };
        if last + 1 - start != chunk.len() as u64 || last >= total {
            return Err("Content-Range is not the chunk's length");
        }
        let is_last = last + 1 == total;
        if !is_last && chunk.len() < SMALLEST_CHUNK {
            return Err("All parts except EOF-chunk must be larger than 5mb");
        }
        let partial = self.partials.entry(id.to_owned()).or_insert_with(|| Partial {
            public_id: public_id.to_owned(),
            total,
            ..Partial::default()
        });
        if (partial.total, &*partial.public_id) != (total, public_id) {
            return Err("the chunks are of several files");
        }
        let start = usize::try_from(start).unwrap();
        // What its sender never heard of may come again.
        if start == partial.last_start {
            partial.bytes.truncate(start);
        }
        if start != partial.bytes.len() {
            return Err("the chunks do not follow each other");
        }
        partial.last_start = start;
        partial.bytes.extend_from_slice(chunk);
        let whole = if is_last { self.partials.remove(id) } else { None };
        Ok(whole.map(|whole| whole.bytes.into()))
    }

    fn finish(&mut self, name: (String, String, String), bytes: Bytes, form: &Form) -> Answer {
        if bytes.is_empty() {
            return refusal(400, "Empty file");
        }
        let mut bytes = bytes;
        let mut kept_format = None;
        if name.0 == "image" {
            let named = form.file_name.rsplit_once('.').map(|(_, extension)| extension);
            let known = format(&bytes).or(named.filter(|_| self.options.opens_anything));
            let Some(format) = known else { return refusal(400, "Invalid image file") };
            kept_format = Some(format.to_owned());
            if self.options.changes_images {
                bytes = [&bytes[..], b"changed"].concat().into();
            }
        }
        self.uploads += 1;
        let version = Utc::now().timestamp().unsigned_abs() + self.uploads;
        let id = format!("{:032x}", self.uploads);
        let asset = Asset { format: kept_format.clone(), bytes, version, id };
        let reply = json!({
            "asset_id": asset.id,
            "public_id": name.2,
            "version": asset.version,
            "resource_type": name.0,
            "type": name.1,
            "format": kept_format,
            "bytes": asset.bytes.len(),
            // Not MD5, as the real one's: nobody reads it.
            "etag": Sha256::digest(&asset.bytes)[..16].iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
            "secure_url": format!("https://{}/demo/{}/{}/{}", self.address, name.0, name.1, name.2),
            "created_at": Utc::now().to_rfc3339(),
        });
        if self.assets.contains_key(&name) && form.field("overwrite") != Some("true") {
            return json(200, &json!({ "public_id": name.2, "existing": true }));
        }
        self.assets.insert(name, asset);
        json(200, &reply)
    }
}
