//! Bytes on their way into the storage or out of it, checked as they pass.

use std::{
    io::{Error, ErrorKind, SeekFrom},
    ops::Range,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};
use tempfile::TempPath;
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
};
use tokio_util::io::ReaderStream;

use super::hex;

/// What is read from the disk at a time.
pub(super) const CHUNK: usize = 64 * 1024;

/// Bytes as they are read, piece by piece.
pub type ByteStream = Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send + Sync>>;

/// Opens a part of what is to be stored.
type OpenPart = dyn Fn(Range<u64>) -> ByteStream + Send + Sync;

/// What is to be stored: its length and hash are known, and it can be read again when a try has failed.
#[derive(Clone)]
pub struct Body {
    size: u64,
    sha256: String,
    source: Source,
    read: Arc<AtomicU64>,
}

#[derive(Clone)]
enum Source {
    Bytes(Bytes),
    /// Removed with the last of those who hold it, unless it was moved.
    File(Arc<TempPath>),
    Opened(Arc<OpenPart>),
}

impl Body {
    fn new(size: u64, sha256: String, source: Source) -> Self {
        Self { size, sha256, source, read: Arc::default() }
    }

    /// What is in memory.
    pub fn bytes(bytes: Bytes) -> Self {
        let sha256 = hex(&Sha256::digest(&bytes));
        Self::new(bytes.len() as u64, sha256, Source::Bytes(bytes))
    }

    /// What is in a file, which is removed afterwards.
    pub(super) fn file(path: TempPath, size: u64, sha256: String) -> Self {
        Self::new(size, sha256, Source::File(Arc::new(path)))
    }

    /// What `open` reads, each part of it as often as it is asked for.
    pub fn opened(
        size: u64,
        sha256: String,
        open: impl Fn(Range<u64>) -> ByteStream + Send + Sync + 'static,
    ) -> Self {
        Self::new(size, sha256, Source::Opened(Arc::new(open)))
    }

    /// Its length in bytes.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// SHA-256 of its bytes, hex.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// All of it. Ends with an error where it is not as long as was said, or not what was said; then nothing may be stored.
    pub fn read(&self) -> ByteStream {
        checked(self.unchecked(0..self.size), self.size, Some(&self.sha256))
    }

    /// A part of it. Ends with an error where there is less of it.
    pub fn read_part(&self, part: Range<u64>) -> ByteStream {
        let length = part.end.saturating_sub(part.start);
        checked(self.unchecked(part), length, None)
    }

    /// The rest of it from `start` on, where `before` has seen what precedes that. Ends as all of it does.
    pub(super) fn read_end(&self, start: u64, before: Sha256) -> ByteStream {
        let length = self.size.saturating_sub(start);
        let hash = Some((before, self.sha256.clone()));
        Checked::over(self.unchecked(start..self.size), length, hash)
    }

    /// How many bytes were read of it so far, by all who read it: whether its storing goes on.
    pub(super) fn progress(&self) -> Arc<AtomicU64> {
        self.read.clone()
    }

    /// The file, if it is one and nobody else holds it.
    pub(super) fn into_file(self) -> Result<TempPath, Self> {
        let Self { size, sha256, source, read } = self;
        let with = |source| Self { size, sha256, source, read };
        match source {
            Source::File(path) => Arc::try_unwrap(path).map_err(|path| with(Source::File(path))),
            source => Err(with(source)),
        }
    }

    fn unchecked(&self, part: Range<u64>) -> ByteStream {
        let bytes = match &self.source {
            Source::Bytes(bytes) => Box::pin(stream::iter(pieces(bytes, part))),
            Source::File(path) => read_file(path.clone(), part),
            Source::Opened(open) => open(part),
        };
        let read = self.read.clone();
        Box::pin(bytes.inspect_ok(move |piece| {
            read.fetch_add(piece.len() as u64, Ordering::Relaxed);
        }))
    }
}

/// Refcounted pieces, so that what takes them never takes everything at once.
fn pieces(bytes: &Bytes, part: Range<u64>) -> Vec<std::io::Result<Bytes>> {
    let end = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
    let mut rest = bytes.slice(end(part.start).min(end(part.end))..end(part.end));
    let mut pieces = Vec::with_capacity(rest.len() / CHUNK + 1);
    while !rest.is_empty() {
        pieces.push(Ok(rest.split_to(CHUNK.min(rest.len()))));
    }
    pieces
}

fn read_file(path: Arc<TempPath>, part: Range<u64>) -> ByteStream {
    let opened = async move {
        let mut file = File::open(path.as_ref()).await?;
        if part.start > 0 {
            file.seek(SeekFrom::Start(part.start)).await?;
        }
        let length = part.end.saturating_sub(part.start);
        // The path is held as long as the file is read.
        let held = move |piece| {
            let _ = &path;
            piece
        };
        std::io::Result::Ok(ReaderStream::with_capacity(file.take(length), CHUNK).map(held))
    };
    // The future is polled by one task alone.
    Box::pin(sync_wrapper::SyncStream::new(stream::once(opened).try_flatten()))
}

/// `bytes`, but with an error in place of its last piece where it is not `size` bytes long or has another hash.
pub(super) fn checked(bytes: ByteStream, size: u64, sha256: Option<&str>) -> ByteStream {
    Checked::over(bytes, size, sha256.map(|expected| (Sha256::new(), expected.to_owned())))
}

struct Checked {
    bytes: ByteStream,
    left: u64,
    hash: Option<(Sha256, String)>,
    ended: bool,
}

impl Checked {
    fn over(bytes: ByteStream, size: u64, hash: Option<(Sha256, String)>) -> ByteStream {
        Box::pin(Self { bytes, left: size, hash, ended: false })
    }

    /// What is to be said when everything was seen.
    fn verdict(&mut self) -> std::io::Result<()> {
        let Some((hash, expected)) = self.hash.take() else { return Ok(()) };
        if hex(&hash.finalize()) == expected {
            Ok(())
        } else {
            Err(Error::new(ErrorKind::InvalidData, "the bytes are others than were stored"))
        }
    }
}

impl Stream for Checked {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let next = ready!(self.bytes.as_mut().poll_next(context));
        let answer = match next {
            Some(Ok(piece)) => match self.left.checked_sub(piece.len() as u64) {
                Some(left) => {
                    self.left = left;
                    if let Some((hash, _)) = &mut self.hash {
                        hash.update(&piece);
                    }
                    // The last is held back until it is known what all of them are.
                    if left == 0 { self.verdict().map(|()| piece) } else { Ok(piece) }
                }
                None => {
                    Err(Error::new(ErrorKind::InvalidData, "there are more bytes than were stored"))
                }
            },
            Some(Err(error)) => Err(error),
            None => {
                self.ended = true;
                match (self.left, self.verdict()) {
                    (0, Ok(())) => return Poll::Ready(None),
                    (0, Err(error)) => Err(error),
                    _ => Err(Error::new(ErrorKind::UnexpectedEof, "the bytes end too early")),
                }
            }
        };
        self.ended |= answer.is_err();
        Poll::Ready(Some(answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pieces: &[&'static str]) -> ByteStream {
        let pieces: Vec<_> =
            pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes()))).collect();
        Box::pin(stream::iter(pieces))
    }

    async fn read(bytes: ByteStream) -> std::io::Result<Vec<u8>> {
        let pieces: Vec<Bytes> = bytes.try_collect().await?;
        Ok(pieces.concat())
    }

    #[tokio::test]
    async fn what_is_not_what_was_said_ends_in_an_error() {
        let hash = hex(&Sha256::digest("abcdef"));
        let whole = |pieces: &[&'static str]| checked(of(pieces), 6, Some(&hash));
        assert_eq!(read(whole(&["abc", "def"])).await.unwrap(), b"abcdef");
        for wrong in [&["abc", "deg"][..], &["abc"], &["abc", "defg"], &["abc", "def", "g"], &[]] {
            assert!(read(whole(wrong)).await.is_err(), "{wrong:?}");
        }
        // Nobody gets as many bytes as were promised before it is known that they are the right ones.
        let mut wrong = whole(&["abc", "deg"]);
        assert_eq!(wrong.next().await.unwrap().unwrap(), "abc");
        assert!(wrong.next().await.unwrap().is_err());
        assert!(wrong.next().await.is_none());
    }

    #[tokio::test]
    async fn a_body_can_be_read_again_and_in_parts() {
        let text = "0123456789".repeat(20_000);
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        let sha256 = hex(&Sha256::digest(&text));
        let bytes = Bytes::from(text.clone());
        let all = bytes.clone();
        let open = move |part: Range<u64>| of_part(&all, part);
        for body in [
            Body::bytes(bytes),
            Body::file(file.into_temp_path(), 200_000, sha256.clone()),
            Body::opened(200_000, sha256, open),
        ] {
            for _ in 0..2 {
                assert_eq!(read(body.read()).await.unwrap(), text.as_bytes());
            }
            assert_eq!(read(body.read_part(70_000..70_005)).await.unwrap(), b"01234");
            assert_eq!(read(body.read_part(5..5)).await.unwrap(), b"");
            assert!(read(body.read_part(199_999..200_001)).await.is_err());
            assert_eq!(body.progress().load(Ordering::Relaxed), 400_006);
            let before = Sha256::new_with_prefix(&text.as_bytes()[..150_000]);
            let end = read(body.read_end(150_000, before)).await.unwrap();
            assert_eq!(end, text.as_bytes()[150_000..]);
            assert!(read(body.read_end(150_000, Sha256::new())).await.is_err());
        }
    }

    fn of_part(bytes: &Bytes, part: Range<u64>) -> ByteStream {
        Box::pin(stream::iter(pieces(bytes, part)))
    }
}
