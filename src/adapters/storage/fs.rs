//! Objects as files: written beside, synced, renamed into place. A file's name is a hash of its key,
//! so that no name from outside reaches the file system and no directory grows too large.

use std::{
    io::SeekFrom,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
};
use tokio_util::io::ReaderStream;

use super::{ByteStream, Spool, Spooled, hex, refused};
use crate::domain::error::{Error, Result};

/// What is read from the disk at a time.
const CHUNK: usize = 64 * 1024;

/// A directory of objects, and one of files on their way in, on the same file system.
pub struct FsStorage {
    objects: PathBuf,
    spool: PathBuf,
}

impl FsStorage {
    pub(super) async fn open(root: PathBuf) -> Result<Self> {
        let storage = Self { objects: root.join("objects"), spool: root.join("spool") };
        for directory in [&storage.objects, &storage.spool] {
            tokio::fs::create_dir_all(directory).await.map_err(refused)?;
        }
        storage.open_spool().await?;
        Ok(storage)
    }

    pub(super) async fn open_spool(&self) -> Result<Spool> {
        let directory = self.spool.clone();
        let file = blocking(move || tempfile::NamedTempFile::new_in(directory)).await?;
        let (file, path) = file.into_parts();
        Ok(Spool { file: File::from_std(file), path, hash: Sha256::new(), size: 0 })
    }

    pub(super) async fn commit(&self, spooled: Spooled, key: &str) -> Result<()> {
        let target = self.path(key);
        blocking(move || {
            std::fs::File::open(spooled.path())?.sync_all()?;
            let directory = target.parent().unwrap_or(Path::new("."));
            std::fs::create_dir_all(directory)?;
            spooled.path.persist(&target)?;
            // The name is safe only once its directory is.
            std::fs::File::open(directory)?.sync_all()
        })
        .await
    }

    pub(super) async fn get(&self, key: &str) -> Result<Bytes> {
        tokio::fs::read(self.path(key)).await.map(Bytes::from).map_err(refused)
    }

    pub(super) async fn open_object(
        &self,
        key: &str,
        offset: u64,
        length: u64,
    ) -> Result<ByteStream> {
        let mut file = File::open(self.path(key)).await.map_err(refused)?;
        if offset > 0 {
            file.seek(SeekFrom::Start(offset)).await.map_err(refused)?;
        }
        Ok(Box::pin(ReaderStream::with_capacity(file.take(length), CHUNK)))
    }

    pub(super) async fn delete(&self, key: &str) -> Result<()> {
        match tokio::fs::remove_file(self.path(key)).await {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            result => result.map_err(refused),
        }
    }

    pub(super) async fn sweep_spool(&self, lifetime: Duration) -> Result<()> {
        let directory = self.spool.clone();
        blocking(move || {
            for entry in std::fs::read_dir(directory)?.flatten() {
                let modified = entry.metadata().and_then(|file| file.modified());
                let age = modified.map(|time| SystemTime::now().duration_since(time));
                if let Ok(Ok(age)) = age
                    && age > lifetime
                {
                    // Committed in this moment, or for the next round.
                    let _ = std::fs::remove_file(entry.path());
                }
            }
            Ok(())
        })
        .await
    }

    fn path(&self, key: &str) -> PathBuf {
        let name = hex(&Sha256::digest(key.as_bytes()));
        let (fan, rest) = name.split_at(2);
        self.objects.join(fan).join(rest)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?.map_err(refused)
}
