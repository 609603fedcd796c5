//! Objects as files: written beside, synced, renamed into place. A file's name is a hash of its key,
//! so that no name from outside reaches the file system and no directory grows too large.

use std::{
    io::{ErrorKind, SeekFrom, Write},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures_util::StreamExt;
use sha2::{Digest, Sha256};
use tempfile::{NamedTempFile, TempPath};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt},
    sync::Semaphore,
};
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use super::{
    Answer, Backend, Body, ByteStream, Probe, Stored, blocking, body::CHUNK, hex, refused,
};
use crate::domain::{
    error::{Error, Result},
    object::Object,
};

/// A directory of objects, and one beside it of files that are being written.
pub struct FsStorage {
    objects: PathBuf,
    spool: PathBuf,
    pings: Arc<Semaphore>,
}

impl FsStorage {
    fn at(root: &Path) -> Self {
        let pings = Arc::new(Semaphore::new(1));
        Self { objects: root.join("objects"), spool: root.join("spool"), pings }
    }

    pub(super) async fn open(root: &Path) -> Result<Self> {
        let storage = Self::at(root);
        for directory in [&storage.objects, &storage.spool] {
            tokio::fs::create_dir_all(directory).await.map_err(refused)?;
        }
        Ok(storage)
    }

    /// See [`probe`](super::probe). All of it off the threads that wait: a disk may hang.
    pub(super) async fn probe(root: PathBuf) -> Result<Probe> {
        let storage = Self::at(&root);
        blocking(move || {
            let is_new = !storage.objects.exists();
            let there = root.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
            if is_new {
                NamedTempFile::new_in(there)?;
            } else {
                storage.send_through()?;
            }
            let disk = rustix::fs::statvfs(there)?;
            Ok(Probe { is_new, free: disk.f_bavail.saturating_mul(disk.f_frsize) })
        })
        .await
    }

    /// Has a file of its own go the way of an object: written, synced, named, read, removed. It lies beside the directories of
    /// objects: one that was made for it would belong to whoever looks, who may be somebody else than the service.
    fn send_through(&self) -> std::io::Result<()> {
        let written = Uuid::now_v7().into_bytes();
        let mut file = NamedTempFile::new_in(&self.spool)?;
        file.write_all(&written)?;
        file.as_file().sync_all()?;
        let target = self.objects.join(format!("probe-{}", Uuid::now_v7()));
        file.persist(&target)?;
        let read = std::fs::read(&target);
        std::fs::remove_file(&target)?;
        if read? == written {
            Ok(())
        } else {
            Err(std::io::Error::other("what was written is not what is read"))
        }
    }

    async fn store(&self, key: &str, body: Body) -> Result<Stored> {
        let target = self.path(key);
        let file = match body.into_file() {
            // It lies on the same disk: it is moved.
            Ok(file) => file,
            Err(body) => self.write(&body).await?,
        };
        blocking(move || settle(file, &target)).await?;
        Ok(Stored::default())
    }

    /// A file with all of `body` in it, which is gone again if that ends in an error.
    async fn write(&self, body: &Body) -> Result<TempPath> {
        let spool = self.spool.clone();
        let (file, path) = blocking(move || NamedTempFile::new_in(spool)).await?.into_parts();
        let mut file = File::from_std(file);
        let mut pieces = body.read();
        while let Some(piece) = pieces.next().await {
            file.write_all(&piece.map_err(refused)?).await.map_err(refused)?;
        }
        file.flush().await.map_err(refused)?;
        Ok(path)
    }

    fn path(&self, key: &str) -> PathBuf {
        let name = hex(&Sha256::digest(key.as_bytes()));
        let (fan, rest) = name.split_at(2);
        self.objects.join(fan).join(rest)
    }
}

/// Gives a file its name, for good.
fn settle(file: TempPath, target: &Path) -> std::io::Result<()> {
    std::fs::File::open(&file)?.sync_all()?;
    let directory = target.parent().unwrap_or(Path::new("."));
    // Its own directory alone: were the whole store gone, a disk that is not mounted, making
    // it anew would hide it.
    match std::fs::create_dir(directory) {
        Ok(()) => std::fs::File::open(directory.parent().unwrap_or(directory))?.sync_all()?,
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        Err(_) => {}
    }
    file.persist(target)?;
    // The name is safe only once its directory is.
    std::fs::File::open(directory)?.sync_all()
}

impl Backend for FsStorage {
    fn name(&self) -> &'static str {
        "the disk"
    }

    fn put<'a>(&'a self, key: &'a str, body: Body) -> Answer<'a, Stored> {
        Box::pin(self.store(key, body))
    }

    fn open<'a>(&'a self, object: &'a Object, part: Range<u64>) -> Answer<'a, ByteStream> {
        Box::pin(async move {
            let mut file = File::open(self.path(&object.key)).await.map_err(not_opened)?;
            if part.start > 0 {
                file.seek(SeekFrom::Start(part.start)).await.map_err(refused)?;
            }
            let length = part.end.saturating_sub(part.start);
            let stream: ByteStream =
                Box::pin(ReaderStream::with_capacity(file.take(length), CHUNK));
            Ok(stream)
        })
    }

    fn get<'a>(&'a self, object: &'a Object) -> Answer<'a, Bytes> {
        let (path, object) = (self.path(&object.key), object.clone());
        Box::pin(async move {
            let read = move || {
                let bytes = std::fs::read(path).map_err(not_opened)?;
                if bytes.len() as u64 == object.size
                    && hex(&Sha256::digest(&bytes)) == object.sha256
                {
                    Ok(Bytes::from(bytes))
                } else {
                    Err(refused(std::io::Error::other("the bytes are others than were stored")))
                }
            };
            tokio::task::spawn_blocking(read).await.map_err(Error::internal)?
        })
    }

    fn delete<'a>(&'a self, key: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            match tokio::fs::remove_file(self.path(key)).await {
                // Not where the whole store is away: the object will come back with it.
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    tokio::fs::metadata(&self.objects).await.map(drop).map_err(refused)
                }
                result => result.map_err(refused),
            }
        })
    }

    fn ping(&self) -> Answer<'_, ()> {
        // Whether it can be written is for those to find out who write: others may still read.
        let objects = self.objects.clone();
        Box::pin(async move {
            // One at a time: each takes a thread, and a disk that hangs would keep them all.
            let turn = self.pings.clone().acquire_owned().await.map_err(Error::internal)?;
            blocking(move || {
                let _turn = turn;
                std::fs::read_dir(objects)?.next().transpose().map(drop)
            })
            .await
        })
    }
}

/// An object could not be opened; mostly because it is not there.
fn not_opened(error: std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::not_found("object").caused_by(error),
        _ => refused(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{adapters::storage::probe, domain::error::Code};

    #[tokio::test]
    async fn a_key_is_a_name_and_never_a_path() {
        let directory = tempfile::tempdir().unwrap();
        let storage = FsStorage::open(&directory.path().join("data")).await.unwrap();
        for key in ["../../etc/passwd", "/etc/passwd", "", "a/../../b", "\0"] {
            storage.put(key, Body::bytes(Bytes::from_static(b"x"))).await.unwrap();
        }
        let names = |path: &Path| -> Vec<String> {
            let entries = path.read_dir().unwrap().map(Result::unwrap);
            entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
        };
        assert_eq!(names(directory.path()), ["data"]);
        let objects = directory.path().join("data/objects");
        let fans = names(&objects);
        assert!(fans.iter().all(|fan| fan.len() == 2), "{fans:?}");
        let files: Vec<_> = fans.iter().flat_map(|fan| names(&objects.join(fan))).collect();
        assert_eq!(files.len(), 5);
        assert!(
            files
                .iter()
                .all(|file| file.len() == 62 && file.bytes().all(|byte| byte.is_ascii_hexdigit()))
        );
        assert_eq!(names(&directory.path().join("data/spool")).len(), 0);
    }

    #[tokio::test]
    async fn a_probe_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        FsStorage::open(root).await.unwrap();
        let found = probe(root.to_owned()).await.unwrap();
        assert!(!found.is_new && found.free > 0);
        let count = |name| root.join(name).read_dir().unwrap().count();
        assert_eq!((count("spool"), count("objects")), (0, 0));
        let elsewhere = root.join("not/yet");
        assert!(probe(elsewhere.clone()).await.unwrap().is_new);
        assert!(!elsewhere.parent().unwrap().exists());
        let file = root.join("file");
        std::fs::write(&file, "no directory").unwrap();
        let refused = probe(file.join("data")).await.unwrap_err();
        assert_eq!(refused.code, Code::DependencyUnavailable);
    }

    #[tokio::test]
    async fn a_store_that_has_gone_is_not_made_anew() {
        let directory = tempfile::tempdir().unwrap();
        let storage = FsStorage::open(directory.path()).await.unwrap();
        std::fs::remove_dir_all(directory.path().join("objects")).unwrap();
        let put = storage.put("key", Body::bytes(Bytes::from_static(b"value"))).await;
        assert_eq!(put.unwrap_err().code, Code::DependencyUnavailable);
        assert!(storage.ping().await.is_err());
        // Nor is anything taken for removed that comes back with it.
        assert_eq!(storage.delete("key").await.unwrap_err().code, Code::DependencyUnavailable);
    }
}
