//! Stored objects: originals and variants, under keys that we make ourselves.

use std::{
    path::{Path, PathBuf},
    pin::Pin,
    time::Duration,
};

use bytes::Bytes;
use futures_util::Stream;
use sha2::{Digest, Sha256};
use tempfile::TempPath;
use tokio::{fs::File, io::AsyncWriteExt};

use super::{Query, Resource};
use crate::domain::error::{Error, Result};

mod fs;

/// How long a file that was begun and never committed is kept, in case somebody still writes to it.
const SPOOL_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Where objects are kept.
pub enum Storage {
    /// On this machine's disk.
    Fs(fs::FsStorage),
}

impl Storage {
    /// Opens the storage under `root`, which is made if it is missing.
    ///
    /// # Errors
    /// When the directory can't be made or written.
    pub async fn open_fs(root: PathBuf) -> Result<Self> {
        fs::FsStorage::open(root).await.map(Storage::Fs)
    }
}

impl Resource for Storage {
    const WHAT: &'static str = "the storage";

    async fn close(&self) {}
}

/// A body as it is read, piece by piece.
pub type ByteStream = Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send + Sync>>;

/// A file on its way in: counted and hashed as it is written, gone if it is dropped before it was
/// committed.
pub struct Spool {
    file: File,
    path: TempPath,
    hash: Sha256,
    size: u64,
}

impl Spool {
    /// Appends `bytes`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        self.file.write_all(bytes).await.map_err(refused)
    }

    /// Bytes so far.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Nothing more will come.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn finish(mut self) -> Result<Spooled> {
        self.file.flush().await.map_err(refused)?;
        let sha256 = hex(&self.hash.finalize());
        Ok(Spooled { path: self.path, sha256, size: self.size })
    }
}

/// A file that has arrived whole and has no key yet.
pub struct Spooled {
    path: TempPath,
    /// SHA-256 of the bytes, hex.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
}

impl Spooled {
    /// Reads it with `read`, off the threads that serve requests.
    ///
    /// # Errors
    /// What `read` returns, and when the disk refuses.
    pub async fn read<T: Send + 'static>(
        self,
        read: impl FnOnce(std::fs::File) -> Result<T> + Send + 'static,
    ) -> Result<(Self, T)> {
        tokio::task::spawn_blocking(move || {
            let value = read(std::fs::File::open(&self.path).map_err(refused)?)?;
            Ok((self, value))
        })
        .await
        .map_err(Error::internal)?
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

/// Begins a file.
pub struct OpenSpool;

impl Query<Storage> for OpenSpool {
    const NAME: &'static str = "storage.open_spool";
    type Output = Spool;

    async fn run(self, storage: &Storage) -> Result<Spool> {
        match storage {
            Storage::Fs(fs) => fs.open_spool().await,
        }
    }
}

/// Gives a file that has arrived its key; from then on it is there, whole, whatever crashes.
pub struct Commit {
    /// The file.
    pub spooled: Spooled,
    /// Its key.
    pub key: String,
}

impl Query<Storage> for Commit {
    const NAME: &'static str = "storage.commit";
    type Output = ();

    async fn run(self, storage: &Storage) -> Result<()> {
        match storage {
            Storage::Fs(fs) => fs.commit(self.spooled, &self.key).await,
        }
    }
}

/// Stores `bytes` under `key`, in place of what was there.
pub struct PutObject {
    /// The key.
    pub key: String,
    /// The object.
    pub bytes: Bytes,
}

impl Query<Storage> for PutObject {
    const NAME: &'static str = "storage.put";
    type Output = ();

    async fn run(self, storage: &Storage) -> Result<()> {
        match storage {
            Storage::Fs(fs) => {
                let mut spool = fs.open_spool().await?;
                spool.write(&self.bytes).await?;
                fs.commit(spool.finish().await?, &self.key).await
            }
        }
    }
}

/// The whole object; `not_found` if there is none.
pub struct GetObject {
    /// The key.
    pub key: String,
}

impl Query<Storage> for GetObject {
    const NAME: &'static str = "storage.get";
    type Output = Bytes;

    async fn run(self, storage: &Storage) -> Result<Bytes> {
        match storage {
            Storage::Fs(fs) => fs.get(&self.key).await,
        }
    }
}

/// `length` bytes of the object from `offset`, to be read as they are sent.
pub struct OpenObject {
    /// The key.
    pub key: String,
    /// The first byte.
    pub offset: u64,
    /// How many.
    pub length: u64,
}

impl Query<Storage> for OpenObject {
    const NAME: &'static str = "storage.open";
    type Output = ByteStream;

    async fn run(self, storage: &Storage) -> Result<ByteStream> {
        match storage {
            Storage::Fs(fs) => fs.open_object(&self.key, self.offset, self.length).await,
        }
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
        match storage {
            Storage::Fs(fs) => fs.delete(&self.key).await,
        }
    }
}

/// Removes what was begun a day ago and never committed: the remains of a crash.
pub struct SweepSpool;

impl Query<Storage> for SweepSpool {
    const NAME: &'static str = "storage.sweep_spool";
    type Output = ();

    async fn run(self, storage: &Storage) -> Result<()> {
        match storage {
            Storage::Fs(fs) => fs.sweep_spool(SPOOL_LIFETIME).await,
        }
    }
}

/// Whether the storage can be written.
pub struct CheckStorage;

impl Query<Storage> for CheckStorage {
    const NAME: &'static str = "storage.check";
    type Output = ();

    async fn run(self, storage: &Storage) -> Result<()> {
        match storage {
            Storage::Fs(fs) => fs.open_spool().await.map(drop),
        }
    }
}

/// What a storage is like, for those who look before it is used.
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

/// The disk did not do what it was asked.
fn refused(error: std::io::Error) -> Error {
    Error::unavailable(Storage::WHAT, error)
}

/// An object could not be opened; mostly because it is not there.
fn not_opened(error: std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::NotFound => Error::not_found("object").caused_by(error),
        _ => refused(error),
    }
}
