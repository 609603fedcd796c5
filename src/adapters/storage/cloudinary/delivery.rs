//! Objects on their way from Cloudinary, by signed URLs: of authenticated assets no others work.
//!
//! Every URL says `v1`. The version is not signed and not looked at, it only makes a name of its own in the caches of Cloudinary's
//! CDN; and `v1` is the one that is forgotten there in every cloud when an object is removed. What may be found under it is an
//! object that was replaced a moment ago: keys are not used twice, and another hash would be noticed.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use futures_util::stream;
use reqwest::{
    Response, StatusCode,
    header::{CONTENT_RANGE, HeaderMap, HeaderValue, RANGE},
};
use sync_wrapper::SyncStream;
use tokio::time::timeout;

use super::{
    client::{Client, Failure, PATIENCE, tried},
    name::Name,
};
use crate::{
    adapters::storage::ByteStream,
    domain::{
        error::{Error, Result},
        object::Object,
    },
};

/// How often a download is taken up again where it broke off.
const RESUMES: u32 = 2;

/// Begins to read a part of `object`.
pub(super) async fn open(
    client: Arc<Client>,
    object: &Object,
    part: Range<u64>,
) -> Result<ByteStream> {
    let folder = &client.settings.folder;
    let names = match object.size {
        // There is a marker in its place.
        0 => vec![Name::raw(folder, &object.key)],
        _ => Name::all(folder, &object.key),
    };
    // All of it is asked for plainly: of some CDNs a part is not cached.
    let is_whole = part == (0..object.size);
    for name in names {
        let url = client.url(name.kind, &name.path());
        let range = if is_whole { None } else { Some(part.clone()) };
        match tried(|| fetch(&client, &url, range.clone())).await {
            Ok(_) if object.size == 0 => return Ok(Box::pin(stream::empty())),
            Ok(served) => {
                let download =
                    Download { client: client.clone(), url, part, served, resumes: RESUMES };
                return Ok(download.into_stream());
            }
            Err(failure) if failure.is(StatusCode::NOT_FOUND) => {}
            Err(failure) => return Err(failure.into()),
        }
    }
    Err(Error::not_found("object"))
}

/// An answer with a file in it.
struct Served {
    response: Response,
    /// What precedes the part, where more is sent than was asked for.
    skip: u64,
    /// Whether it ends where the part ends; not so where the server knows nothing of parts.
    is_exact: bool,
}

async fn fetch(client: &Client, url: &str, part: Option<Range<u64>>) -> Result<Served, Failure> {
    let Some(part) = part else {
        let response = client.fetch(url, HeaderMap::new()).await?;
        return Ok(Served { response, skip: 0, is_exact: true });
    };
    let range = format!("bytes={}-{}", part.start, part.end.saturating_sub(1));
    let value =
        HeaderValue::from_str(&range).map_err(|error| Failure::Unreadable(error.to_string()))?;
    let response = client.fetch(url, HeaderMap::from_iter([(RANGE, value)])).await?;
    if response.status() != StatusCode::PARTIAL_CONTENT {
        return Ok(Served { response, skip: part.start, is_exact: false });
    }
    let said = response.headers().get(CONTENT_RANGE).and_then(|said| said.to_str().ok());
    if said.is_some_and(|said| said.starts_with(&format!("bytes {}-", part.start))) {
        Ok(Served { response, skip: 0, is_exact: true })
    } else {
        Err(Failure::Silent(format!("it sends {said:?} for {range}")))
    }
}

/// Reads on where an answer broke off.
struct Download {
    client: Arc<Client>,
    url: String,
    /// What is still to come.
    part: Range<u64>,
    served: Served,
    resumes: u32,
}

impl Download {
    fn into_stream(self) -> ByteStream {
        let pieces = stream::try_unfold(self, |mut download| async move {
            let next = download
                .next()
                .await
                .map_err(|failure| std::io::Error::other(failure.to_string()))?;
            Ok(next.map(|piece| (piece, download)))
        });
        // The future is polled by one task alone.
        Box::pin(SyncStream::new(pieces))
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let piece = match timeout(PATIENCE, self.served.response.chunk()).await {
                Ok(Ok(piece)) => piece,
                Ok(Err(error)) => {
                    self.resume(error.into()).await?;
                    continue;
                }
                Err(_) => {
                    let cause = format!("nothing more came for {} s", PATIENCE.as_secs());
                    return Err(Failure::Silent(cause));
                }
            };
            let Some(mut piece) = piece else { return Ok(None) };
            let skipped = length(self.served.skip).min(piece.len());
            self.served.skip -= skipped as u64;
            let _ = piece.split_to(skipped);
            if !self.served.is_exact {
                let left = self.part.end.saturating_sub(self.part.start);
                if left == 0 {
                    return Ok(None);
                }
                piece.truncate(length(left));
            }
            self.part.start += piece.len() as u64;
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
    }

    async fn resume(&mut self, failure: Failure) -> Result<(), Failure> {
        if self.resumes == 0 || self.part.is_empty() {
            return Err(failure);
        }
        self.resumes -= 1;
        tracing::debug!(%failure, "a download is taken up again");
        let rest = self.part.clone();
        self.served = tried(|| fetch(&self.client, &self.url, Some(rest.clone()))).await?;
        Ok(())
    }
}

fn length(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
