//! Large bodies, sent in parts: nothing is there until all of them are, and what was begun is taken back if they never will be.

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt, stream};
use object_store::{
    Attributes, ObjectStoreExt, PutMultipartOptions, PutPayload, aws::AmazonS3,
    multipart::MultipartStore, path::Path,
};
use tokio::{runtime::Handle, sync::OwnedSemaphorePermit};

use super::{
    super::{Body, refused as not_read},
    refusal, refused,
    room::Room,
};
use crate::domain::error::Result;

/// A part: more than S3 demands, and all of one size, as R2 does.
const PART: u64 = 8 << 20;
/// The most parts there may be.
const PARTS: u64 = 10_000;
/// Parts of a body in memory: one under way while the next is read.
const IN_FLIGHT: usize = 2;

/// Stores `body` in place of what was there.
pub(super) async fn put(
    client: &AmazonS3,
    path: &Path,
    body: &Body,
    attributes: Attributes,
    room: &Room,
) -> Result<()> {
    let options = PutMultipartOptions { attributes, ..PutMultipartOptions::default() };
    let id = client.create_multipart_opts(path, options).await.map_err(|error| refused(&error))?;
    let mut upload = Upload { client: client.clone(), path: path.clone(), id, is_over: false };
    let sent = upload.send(body, room).await;
    match sent {
        Ok(()) => upload.is_over = true,
        Err(_) => upload.abort().await,
    }
    sent
}

/// Parts of which nothing is seen until they are completed.
struct Upload {
    client: AmazonS3,
    path: Path,
    id: String,
    is_over: bool,
}

impl Upload {
    async fn send(&self, body: &Body, room: &Room) -> Result<()> {
        let Self { client, path, id, .. } = self;
        let parts = parts(body, room).map_ok(|Part { index, payload, held }| async move {
            let sent = client.put_part(path, id, index, payload).await;
            drop(held);
            sent.map_err(|error| refused(&error))
        });
        // The last is given only once the whole body was what it was said to be.
        let parts = parts.try_buffered(IN_FLIGHT).try_collect().await?;
        let completed = client.complete_multipart(path, id, parts).await;
        match completed {
            // It was tried again, for the answer to the first was lost; that one had completed it.
            Err(error) if refusal::is_over(&error) && self.is_there(body.size()).await => Ok(()),
            done => done.map(drop).map_err(|error| refused(&error)),
        }
    }

    /// Whether there is an object of this size where it goes.
    async fn is_there(&self, size: u64) -> bool {
        self.client.head(&self.path).await.is_ok_and(|object| object.size == size)
    }

    /// Has its parts thrown away.
    async fn abort(&mut self) {
        let aborted = self.client.abort_multipart(&self.path, &self.id).await;
        self.is_over = aborted.map_or_else(|error| refusal::is_over(&error), |()| true);
    }
}

impl Drop for Upload {
    /// Whoever waited for it has left, or it could not be aborted: that is tried once more, by itself. What is left all the same
    /// after a crash is for the bucket's lifecycle rule (docs/STORAGE.md).
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            let (client, path, id) = (self.client.clone(), self.path.clone(), self.id.clone());
            runtime.spawn(async move {
                if let Err(error) = client.abort_multipart(&path, &id).await {
                    let cause = refusal::cause(&error);
                    tracing::warn!(%path, cause, "an upload in parts was left behind in the bucket");
                }
            });
        }
    }
}

/// A part, and the room that it takes until it is sent.
struct Part {
    index: usize,
    payload: PutPayload,
    held: OwnedSemaphorePermit,
}

/// `body` in parts. Each is read when there is room for it.
fn parts(body: &Body, room: &Room) -> impl Stream<Item = Result<Part>> + Send + use<> {
    let size = size_of_part(body.size());
    let begin = (body.read(), Bytes::new(), 0, body.size(), room.clone());
    stream::try_unfold(begin, move |(mut pieces, mut rest, index, unread, room)| async move {
        let held = room.take(unread.min(size)).await?;
        let mut part = Vec::new();
        let mut left = usize::try_from(size).unwrap_or(usize::MAX);
        while left > 0 {
            if rest.is_empty() {
                match pieces.try_next().await.map_err(not_read)? {
                    Some(piece) => rest = piece,
                    None => break,
                }
            }
            let piece = rest.split_to(left.min(rest.len()));
            left -= piece.len();
            part.push(piece);
        }
        let payload: PutPayload = part.into_iter().collect();
        let is_end = payload.content_length() == 0;
        let part = Part { index, payload, held };
        Ok((!is_end).then(|| (part, (pieces, rest, index + 1, unread.saturating_sub(size), room))))
    })
}

/// As small as the number of parts allows.
const fn size_of_part(body: u64) -> u64 {
    let least = body.div_ceil(PARTS);
    if least > PART { least } else { PART }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lengths(size: usize) -> Vec<usize> {
        let body = Body::bytes(Bytes::from(vec![7; size]));
        let parts: Vec<_> = parts(&body, &Room::new()).try_collect().await.unwrap();
        assert!(parts.iter().enumerate().all(|(n, part)| n == part.index));
        parts.iter().map(|part| part.payload.content_length()).collect()
    }

    #[tokio::test]
    async fn parts_have_one_size_and_the_last_has_the_rest() {
        const SIZE: usize = 8 << 20;
        assert_eq!(lengths(SIZE + 1).await, [SIZE, 1]);
        assert_eq!(lengths(2 * SIZE).await, [SIZE, SIZE]);
        assert_eq!(lengths(2 * SIZE + 5).await, [SIZE, SIZE, 5]);
    }

    #[test]
    fn there_are_never_too_many() {
        for size in [PART, PART * PARTS, PART * PARTS + 1, 5 << 40] {
            assert!(size.div_ceil(size_of_part(size)) <= PARTS, "{size}");
        }
        assert_eq!(size_of_part(PART * PARTS), PART);
    }
}
