//! Files on their way in: written to the disk of this machine while they are received, wherever they are stored then.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use sha2::{Digest, Sha256};
use tempfile::TempPath;
use tokio::{fs::File, io::AsyncWriteExt, time::timeout};

use super::{Body, Storage, blocking, hex, refused};
use crate::{
    adapters::Resource,
    domain::error::{Error, Result},
};

/// How long a file that was begun and never stored is kept, in case somebody still writes to it.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// How long the disk of this machine may take to begin a file.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Where they lie.
pub(super) struct SpoolDirectory(PathBuf);

impl SpoolDirectory {
    /// Makes it if it is missing, and sees whether it can be written.
    pub(super) async fn open(root: &Path) -> Result<Self> {
        let directory = Self(root.join("spool"));
        tokio::fs::create_dir_all(&directory.0).await.map_err(refused)?;
        directory.begin().await?;
        Ok(directory)
    }

    pub(super) async fn begin(&self) -> Result<Spool> {
        let directory = self.0.clone();
        let begun = blocking(move || tempfile::NamedTempFile::new_in(directory));
        let file = timeout(PATIENCE, begun).await.map_err(|_| {
            Error::unavailable(Storage::WHAT, "the disk of this machine does not answer")
        })??;
        let (file, path) = file.into_parts();
        Ok(Spool { file: File::from_std(file), path, hash: Sha256::new(), size: 0 })
    }

    /// Removes what a crash has left.
    pub(super) async fn sweep(&self) -> Result<()> {
        let directory = self.0.clone();
        blocking(move || {
            for entry in std::fs::read_dir(directory)?.flatten() {
                let modified = entry.metadata().and_then(|file| file.modified());
                let age = modified.map(|time| SystemTime::now().duration_since(time));
                if let Ok(Ok(age)) = age
                    && age > LIFETIME
                {
                    // Stored in this moment, or for the next round.
                    let _ = std::fs::remove_file(entry.path());
                }
            }
            Ok(())
        })
        .await
    }
}

/// A file on its way in: counted and hashed as it is written, gone if it is dropped before it was
/// stored.
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

/// A file that has arrived whole and is not stored yet.
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

    /// To be stored.
    pub fn into_body(self) -> Body {
        Body::file(self.path, self.size, self.sha256)
    }
}
