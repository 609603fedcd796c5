//! Objects as files: written beside, synced, renamed into place. A file's name is a hash of its key,
//! so that no name from outside reaches the file system and no directory grows too large.

use std::{
    io::{ErrorKind, SeekFrom, Write},
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
use uuid::Uuid;

use super::{ByteStream, Probe, Spool, Spooled, hex, not_opened, refused};
use crate::domain::error::{Error, Result};

/// What is read from the disk at a time.
const CHUNK: usize = 64 * 1024;

/// A directory of objects, and one of files on their way in, on the same file system.
pub struct FsStorage {
    objects: PathBuf,
    spool: PathBuf,
}

impl FsStorage {
    fn at(root: &Path) -> Self {
        Self { objects: root.join("objects"), spool: root.join("spool") }
    }

    pub(super) async fn open(root: PathBuf) -> Result<Self> {
        let storage = Self::at(&root);
        for directory in [&storage.objects, &storage.spool] {
            tokio::fs::create_dir_all(directory).await.map_err(refused)?;
        }
        storage.open_spool().await?;
        Ok(storage)
    }

    /// See [`probe`](super::probe). All of it off the threads that wait: a disk may hang.
    pub(super) async fn probe(root: PathBuf) -> Result<Probe> {
        let storage = Self::at(&root);
        blocking(move || {
            let is_new = !storage.objects.exists();
            let there = root.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
            if is_new {
                tempfile::NamedTempFile::new_in(there)?;
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
        let mut file = tempfile::NamedTempFile::new_in(&self.spool)?;
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
            // Its own directory alone: were the whole store gone, a disk that is not mounted, making
            // it anew would hide it.
            match std::fs::create_dir(directory) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            spooled.path.persist(&target)?;
            // The name is safe only once its directory is.
            std::fs::File::open(directory)?.sync_all()
        })
        .await
    }

    pub(super) async fn get(&self, key: &str) -> Result<Bytes> {
        tokio::fs::read(self.path(key)).await.map(Bytes::from).map_err(not_opened)
    }

    pub(super) async fn open_object(
        &self,
        key: &str,
        offset: u64,
        length: u64,
    ) -> Result<ByteStream> {
        let mut file = File::open(self.path(key)).await.map_err(not_opened)?;
        if offset > 0 {
            file.seek(SeekFrom::Start(offset)).await.map_err(refused)?;
        }
        Ok(Box::pin(ReaderStream::with_capacity(file.take(length), CHUNK)))
    }

    pub(super) async fn delete(&self, key: &str) -> Result<()> {
        match tokio::fs::remove_file(self.path(key)).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
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

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;

    use super::*;
    use crate::{
        adapters::{
            Query,
            storage::{DeleteObject, GetObject, OpenObject, PutObject, Storage, SweepSpool, probe},
        },
        domain::error::Code,
    };

    struct Disk {
        storage: Storage,
        directory: tempfile::TempDir,
    }

    impl Disk {
        async fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let storage = Storage::open_fs(directory.path().to_owned()).await.unwrap();
            Self { storage, directory }
        }

        async fn put(&self, key: &str, bytes: &'static [u8]) -> Result<()> {
            let put = PutObject { key: key.to_owned(), bytes: Bytes::from_static(bytes) };
            put.run(&self.storage).await
        }

        async fn get(&self, key: &str) -> Result<Bytes> {
            GetObject { key: key.to_owned() }.run(&self.storage).await
        }

        fn spooled(&self) -> usize {
            self.directory.path().join("spool").read_dir().unwrap().count()
        }
    }

    #[tokio::test]
    async fn an_object_is_there_until_it_is_removed() {
        let disk = Disk::new().await;
        // A key is a name and never a path.
        for key in ["images/1", "../../etc/passwd", ""] {
            assert_eq!(disk.get(key).await.unwrap_err().code, Code::NotFound);
            disk.put(key, b"first").await.unwrap();
            disk.put(key, b"second").await.unwrap();
            assert_eq!(disk.get(key).await.unwrap(), "second");
            let delete = || DeleteObject { key: key.to_owned() };
            delete().run(&disk.storage).await.unwrap();
            delete().run(&disk.storage).await.unwrap();
            assert_eq!(disk.get(key).await.unwrap_err().code, Code::NotFound);
        }
        disk.put("empty", b"").await.unwrap();
        assert_eq!(disk.get("empty").await.unwrap(), "");
        assert_eq!(disk.spooled(), 0);
    }

    #[tokio::test]
    async fn a_part_can_be_read() {
        let disk = Disk::new().await;
        disk.put("digits", b"0123456789").await.unwrap();
        for (offset, length, expected) in
            [(0, 10, "0123456789"), (3, 2, "34"), (9, 1, "9"), (4, 0, "")]
        {
            let open = OpenObject { key: "digits".to_owned(), offset, length };
            let pieces: Vec<Bytes> =
                open.run(&disk.storage).await.unwrap().try_collect().await.unwrap();
            assert_eq!(pieces.concat(), expected.as_bytes());
        }
    }

    #[tokio::test]
    async fn what_is_not_committed_leaves_nothing_behind() {
        let Disk { storage: Storage::Fs(fs), directory } = Disk::new().await;
        let mut spool = fs.open_spool().await.unwrap();
        spool.write(b"half a pict").await.unwrap();
        let spooled = || directory.path().join("spool").read_dir().unwrap().count();
        assert_eq!(spooled(), 1);
        SweepSpool.run(&Storage::Fs(fs)).await.unwrap();
        assert_eq!(spooled(), 1, "somebody may still write to it");
        drop(spool);
        assert_eq!(spooled(), 0);
    }

    #[tokio::test]
    async fn a_probe_leaves_nothing_behind() {
        let disk = Disk::new().await;
        let root = disk.directory.path();
        let found = probe(root.to_owned()).await.unwrap();
        assert!(!found.is_new && found.free > 0);
        assert_eq!((disk.spooled(), root.join("objects").read_dir().unwrap().count()), (0, 0));
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
        let disk = Disk::new().await;
        std::fs::remove_dir_all(disk.directory.path().join("objects")).unwrap();
        assert_eq!(disk.put("key", b"value").await.unwrap_err().code, Code::DependencyUnavailable);
    }
}
