//! Stored objects: originals and variants, under keys that we make ourselves, at one of several backends.

use std::{ops::Range, path::PathBuf};

use bytes::Bytes;

use super::{Query, Resource};
use crate::{
    config::{self, StorageKind},
    domain::{
        error::{Code, Error, Result},
        object::Object,
    },
};

mod backend;
mod body;
mod cloudinary;
mod fs;
mod guard;
mod s3;
mod spool;

use self::{backend::Answer, guard::Guard, spool::SpoolDirectory};
pub use self::{
    backend::{Backend, Stored},
    body::{Body, ByteStream},
    spool::{Spool, Spooled},
};

/// Where objects are kept, and where they wait on their way there.
pub struct Storage {
    backend: Box<dyn Backend>,
    guard: Guard,
    spool: SpoolDirectory,
}

impl Storage {
    /// Opens a storage. Of what is on the network nothing is asked yet.
    ///
    /// # Errors
    /// When the directory of this machine can't be made or written, or the settings make no client.
    pub async fn open(
        kind: StorageKind,
        settings: &config::Storage,
        data_dir: PathBuf,
    ) -> Result<Self> {
        let backend: Box<dyn Backend> = match kind {
            StorageKind::Fs => Box::new(fs::FsStorage::open(&data_dir).await?),
            StorageKind::S3 => Box::new(s3::S3Storage::open(settings.s3.as_ref())?),
            StorageKind::Cloudinary => {
                let settings = settings.cloudinary.as_ref();
                let settings =
                    settings.ok_or_else(|| Error::internal("Cloudinary is not configured"))?;
                Box::new(cloudinary::Cloudinary::new(settings)?)
            }
        };
        let spool = SpoolDirectory::open(&data_dir).await?;
        Ok(Self { backend, guard: Guard::default(), spool })
    }
}

impl Resource for Storage {
    const WHAT: &'static str = "the storage";

    async fn close(&self) {}
}

/// Begins a file.
pub struct OpenSpool;

impl Query<Storage> for OpenSpool {
    const NAME: &'static str = "storage.open_spool";
    type Output = Spool;

    /// Where the storage is known to be away, nothing need be received for it.
    async fn run(self, storage: &Storage) -> Result<Spool> {
        storage.guard.ask(storage.backend.as_ref(), None, storage.spool.begin()).await
    }
}

/// Stores an object under a key, in place of what was there.
pub struct PutObject {
    /// The key.
    pub key: String,
    /// The object.
    pub body: Body,
}

impl Query<Storage> for PutObject {
    const NAME: &'static str = "storage.put";
    /// What the backend calls it.
    type Output = Stored;

    async fn run(self, storage: &Storage) -> Result<Stored> {
        let backend = storage.backend.as_ref();
        let progress = self.body.progress();
        storage.guard.ask(backend, Some(progress), backend.put(&self.key, self.body)).await
    }
}

/// What `error` says of an object whose row is there: it is never `not_found`, but being deleted in this moment, or out of reach.
pub fn out_of_reach(error: Error) -> Error {
    match error.code {
        Code::NotFound => Error::unavailable(Storage::WHAT, error),
        _ => error,
    }
}

/// The whole object, which is seen to be what was stored; `not_found` if there is none.
pub struct GetObject {
    /// The object.
    pub object: Object,
}

impl Query<Storage> for GetObject {
    const NAME: &'static str = "storage.get";
    type Output = Bytes;

    async fn run(self, storage: &Storage) -> Result<Bytes> {
        let backend = storage.backend.as_ref();
        storage.guard.ask(backend, None, backend.get(&self.object)).await
    }
}

/// A part of the object, to be read as it is sent. Ends with an error, before its last bytes, where it is shorter than it should
/// be, and where all of it was asked for and it is something else than was stored.
pub struct OpenObject {
    /// The object.
    pub object: Object,
    /// From the first byte to behind the last.
    pub part: Range<u64>,
}

impl Query<Storage> for OpenObject {
    const NAME: &'static str = "storage.open";
    type Output = ByteStream;

    async fn run(self, storage: &Storage) -> Result<ByteStream> {
        let Self { object, part } = self;
        let part = part.start..part.end.min(object.size);
        let length = part.end.saturating_sub(part.start);
        let hash = (part == (0..object.size)).then_some(object.sha256.as_str());
        let bytes: ByteStream = if length == 0 && object.size > 0 {
            Box::pin(futures_util::stream::empty())
        } else {
            let backend = storage.backend.as_ref();
            storage.guard.ask(backend, None, backend.open(&object, part)).await?
        };
        Ok(body::checked(bytes, length, hash))
    }
}

/// Has the storage itself copy an object from another prefix of the same place.
pub struct CopyWithin {
    /// The other prefix.
    pub prefix: String,
    /// The key, under either.
    pub key: String,
}

impl Query<Storage> for CopyWithin {
    const NAME: &'static str = "storage.copy_within";
    type Output = ();

    async fn run(self, storage: &Storage) -> Result<()> {
        let backend = storage.backend.as_ref();
        storage.guard.ask(backend, None, backend.copy_within(&self.prefix, &self.key)).await
    }
}

/// Removes the object; one that is not there is removed.
pub struct DeleteObject {
    /// The key.
    pub key: String,
}

impl Query<Storage> for DeleteObject {
    const NAME: &'static str = "storage.delete";
    type Output = ();

    async fn run(self, storage: &Storage) -> Result<()> {
        let backend = storage.backend.as_ref();
        storage.guard.ask(backend, None, backend.delete(&self.key)).await
    }
}

/// Removes what was begun a day ago and never stored: the remains of a crash.
pub struct SweepSpool;

impl Query<Storage> for SweepSpool {
    const NAME: &'static str = "storage.sweep_spool";
    type Output = ();

    async fn run(self, storage: &Storage) -> Result<()> {
        storage.spool.sweep().await
    }
}

/// Whether files can be taken in and the backend is in reach.
pub struct CheckStorage;

impl Query<Storage> for CheckStorage {
    const NAME: &'static str = "storage.check";
    type Output = ();

    async fn run(self, storage: &Storage) -> Result<()> {
        // First the storage: a disk that hangs keeps one thread then, and not one for each who asks.
        storage.guard.ping(storage.backend.as_ref()).await?;
        storage.spool.begin().await.map(drop)
    }
}

/// What a directory for objects is like, for those who look before it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Nothing was ever stored there.
    pub is_new: bool,
    /// Bytes that there is room for.
    pub free: u64,
}

/// Writes, reads and removes a file of its own in the storage under `root`. Where there is none yet, none is made: it is seen
/// whether one could be.
///
/// # Errors
/// `dependency_unavailable` when the disk refuses.
pub async fn probe(root: PathBuf) -> Result<Probe> {
    fs::FsStorage::probe(root).await
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // A String takes whatever is written to it.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The storage did not do what it was asked.
fn refused(error: std::io::Error) -> Error {
    Error::unavailable(Storage::WHAT, error)
}

/// Work on the disk, off the threads that wait.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?.map_err(refused)
}
