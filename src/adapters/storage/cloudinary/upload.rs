//! Objects on their way to Cloudinary: in one request, or, when they are large, in several.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use futures_util::TryStreamExt;
use reqwest::{
    StatusCode,
    header::{CONTENT_RANGE, HeaderMap, HeaderName, HeaderValue},
    multipart::Part,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    client::{Client, Failure, Reply, tried},
    name::Name,
    remove,
};
use crate::{
    adapters::storage::{Body, ByteStream, Stored},
    domain::error::{Code, Error, Result},
};

/// What is larger than this is sent in chunks.
const WHOLE: u64 = 20_000_000;
/// The size of a chunk. Cloudinary takes none of less than 5 MB but the last; a small one is less to send again.
const CHUNK: u64 = 10_000_000;
const UPLOAD_ID: HeaderName = HeaderName::from_static("x-unique-upload-id");
/// What is stored for an object without bytes: Cloudinary takes no empty file.
const EMPTY: &[u8] = b"empty";

/// Stores `body` under `key`: as a picture, if it should be one and Cloudinary will give it back as it is; else as bytes.
pub(super) async fn put(client: &Client, key: &str, body: Body) -> Result<Stored> {
    let folder = &client.settings.folder;
    let raw = Name::raw(folder, key);
    if body.size() == 0 {
        return keep(client, &raw, &Body::bytes(Bytes::from_static(EMPTY))).await;
    }
    let Some(image) = Name::image(folder, key) else { return keep(client, &raw, &body).await };
    match send(client, &image, &body).await {
        Ok(reply) if is_kept(&reply, &image, &body) => return Ok(stored(reply, image)),
        Ok(Reply { bytes, format, .. }) => {
            let sent = body.size();
            tracing::warn!(key, sent, bytes, format, "Cloudinary changes pictures");
        }
        // It can't open the picture, or has no patience for that many pixels.
        Err(failure) if failure.is(StatusCode::BAD_REQUEST) && !is_too_large(&failure) => {
            tracing::debug!(key, %failure, "Cloudinary does not take it as a picture");
        }
        Err(failure) => return Err(refused(&failure, &body)),
    }
    let stored = keep(client, &raw, &body).await?;
    // Where both are, it is the picture that is read: what was there before, or was changed.
    remove(client, &image).await?;
    Ok(stored)
}

/// Stores `body` as it is, or not at all.
async fn keep(client: &Client, name: &Name, body: &Body) -> Result<Stored> {
    let reply = send(client, name, body).await.map_err(|failure| refused(&failure, body))?;
    if is_kept(&reply, name, body) {
        return Ok(stored(reply, name.clone()));
    }
    let cause = format!("it was sent {} bytes and has {:?}", body.size(), reply.bytes);
    Err(Failure::Silent(cause).into())
}

fn is_kept(reply: &Reply, name: &Name, body: &Body) -> bool {
    reply.bytes == Some(body.size()) && name.is_kept_as(reply.format.as_deref())
}

fn stored(reply: Reply, name: Name) -> Stored {
    Stored { name: reply.public_id.or(Some(name.public_id)), asset_id: reply.asset_id }
}

async fn send(client: &Client, name: &Name, body: &Body) -> Result<Reply, Failure> {
    let size = body.size();
    if size <= WHOLE {
        return tried(|| request(client, name, body, (body.read(), size), HeaderMap::new())).await;
    }
    let id = Uuid::now_v7().simple().to_string();
    let mut before = Sha256::new();
    let mut start = 0;
    loop {
        let end = size.min(start + CHUNK);
        let headers = || chunk_headers(&id, &format!("bytes {start}-{}/{size}", end - 1));
        if end == size {
            // With it Cloudinary has all: its end is held back until it is known what that is.
            let last = || (body.read_end(start, before.clone()), end - start);
            return tried(|| request(client, name, body, last(), headers())).await;
        }
        let attempt = || {
            let hash = Arc::new(Mutex::new(before.clone()));
            let bytes = hashed(body.read_part(start..end), hash.clone());
            let sent = request(client, name, body, (bytes, end - start), headers());
            async move {
                sent.await?;
                Ok(hash.lock().unwrap_or_else(PoisonError::into_inner).clone())
            }
        };
        before = tried(attempt).await?;
        start = end;
    }
}

async fn request(
    client: &Client,
    name: &Name,
    body: &Body,
    (bytes, length): (ByteStream, u64),
    headers: HeaderMap,
) -> Result<Reply, Failure> {
    let unreadable = Arc::new(OnceLock::new());
    let seen = unreadable.clone();
    let bytes = bytes.inspect_err(move |error| {
        // The first is the one that counts.
        let _ = seen.set(error.to_string());
    });
    let file_name = name.path().rsplit('/').next().unwrap_or_default().to_owned();
    let file = Part::stream_with_length(reqwest::Body::wrap_stream(bytes), length);
    let parameters = vec![
        ("public_id", name.public_id.clone()),
        ("type", "authenticated".to_owned()),
        ("overwrite", "true".to_owned()),
        ("invalidate", "true".to_owned()),
    ];
    let form = client.form(parameters).part("file", file.file_name(file_name));
    let moved = body.progress();
    let answer = client.call((name.kind, "upload"), headers, form, &moved).await;
    match (answer, unreadable.get()) {
        (Err(_), Some(cause)) => Err(Failure::Unreadable(cause.clone())),
        (answer, _) => answer,
    }
}

fn chunk_headers(id: &str, range: &str) -> HeaderMap {
    let values = [(UPLOAD_ID, id), (CONTENT_RANGE, range)];
    let values =
        values.into_iter().map(|(name, value)| Some((name, HeaderValue::from_str(value).ok()?)));
    values.flatten().collect()
}

/// `bytes`, seen by `hash` as they pass.
fn hashed(bytes: ByteStream, hash: Arc<Mutex<Sha256>>) -> ByteStream {
    Box::pin(bytes.inspect_ok(move |piece| {
        hash.lock().unwrap_or_else(PoisonError::into_inner).update(piece);
    }))
}

/// What Cloudinary says of a file that is larger than the plan allows.
fn is_too_large(failure: &Failure) -> bool {
    match failure {
        Failure::Refused { status, message, .. } => {
            *status == StatusCode::PAYLOAD_TOO_LARGE
                || (*status == StatusCode::BAD_REQUEST && message.contains("File size too large"))
        }
        _ => false,
    }
}

/// The error of a body that was not stored.
fn refused(failure: &Failure, body: &Body) -> Error {
    match failure {
        Failure::Refused { message, .. } if is_too_large(failure) => {
            let limit = message
                .split_once("Maximum is ")
                .and_then(|(_, rest)| rest.split(|c: char| !c.is_ascii_digit()).next())
                .filter(|digits| !digits.is_empty());
            let takes = match limit {
                Some(limit) => format!("takes no more than {limit} bytes a file"),
                None => "takes less".to_owned(),
            };
            let size = body.size();
            let detail =
                format!("Cloudinary, where pictures are kept here, {takes}; this one has {size}");
            Error::new(Code::PayloadTooLarge, detail).caused_by(failure)
        }
        failure => failure.into(),
    }
}
