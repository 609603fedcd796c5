//! The directory of one process under `CACHE_DIR`: `<number>/<end of the image's id>/<image's id>/<hash of the spec>`.

use std::{
    fs::{self, File, TryLockError},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    time::SystemTime,
};

use tempfile::NamedTempFile;

use super::{super::Key, file};
use crate::{adapters::storage::hex, domain::ids::ImageId};

/// Processes that may share a directory.
const SLOTS: u32 = 1024;
/// Where files are that are not written yet.
const UNFINISHED: &str = "unfinished";

/// A directory that no other process uses.
pub(super) struct Slot {
    root: PathBuf,
    /// Locked as long as it lives: the kernel sees to that, however the process ends.
    _lock: File,
}

/// A file that a process before has left.
pub(super) struct Left {
    pub(super) key: Key,
    pub(super) bytes: u64,
    pub(super) modified: SystemTime,
}

impl Slot {
    /// Takes the first directory that is nobody's.
    pub(super) fn take(directory: &Path) -> io::Result<Self> {
        for number in 0..SLOTS {
            let root = directory.join(number.to_string());
            fs::create_dir_all(&root)?;
            let lock =
                File::options().create(true).truncate(false).write(true).open(root.join("lock"))?;
            match lock.try_lock() {
                Ok(()) => {
                    let slot = Self { root, _lock: lock };
                    // What was being written when a process died.
                    gone(fs::remove_dir_all(slot.root.join(UNFINISHED)))?;
                    return Ok(slot);
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Err(io::Error::other(format!("{SLOTS} processes use it already")))
    }

    /// Tells of every file. What can't be read is passed by.
    pub(super) fn scan(&self, mut tell: impl FnMut(Left)) {
        for fan in self.fans() {
            for image in entries(&fan) {
                let name = image.file_name();
                let Some(id) = name.to_str().and_then(|name| name.parse::<ImageId>().ok()) else {
                    continue;
                };
                for file in entries(&image.path()) {
                    left(id, &file).into_iter().for_each(&mut tell);
                }
            }
        }
    }

    pub(super) fn open(&self, key: &Key) -> io::Result<File> {
        File::open(self.path(key))
    }

    /// Writes a file and gives it its name, in place of what had it.
    pub(super) fn write(&self, key: &Key, head: &[u8], bytes: &[u8]) -> io::Result<()> {
        let unfinished = self.root.join(UNFINISHED);
        fs::create_dir_all(&unfinished)?;
        let temporary = NamedTempFile::new_in(unfinished)?;
        file::write(temporary.as_file(), head, bytes)?;
        fs::create_dir_all(self.image(key.image))?;
        // Not synced: what a crash of the machine leaves is compared with its hash.
        temporary.persist(self.path(key))?;
        Ok(())
    }

    pub(super) fn remove(&self, key: &Key) -> io::Result<()> {
        gone(fs::remove_file(self.path(key)))?;
        // Fails, rightly, where the image has others.
        let _ = fs::remove_dir(self.image(key.image));
        Ok(())
    }

    pub(super) fn remove_image(&self, image: ImageId) -> io::Result<()> {
        gone(fs::remove_dir_all(self.image(image)))
    }

    /// The directories of images.
    fn fans(&self) -> Vec<PathBuf> {
        let is_fan = |name: &str| name.len() == 2;
        let entries = entries(&self.root);
        let fans = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_fan));
        fans.map(|entry| entry.path()).collect()
    }

    fn image(&self, image: ImageId) -> PathBuf {
        let name = image.to_string();
        // Its first digits are the time.
        self.root.join(name.get(name.len() - 2..).unwrap_or_default()).join(name)
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.image(key.image).join(hex(&key.spec))
    }
}

fn left(image: ImageId, file: &fs::DirEntry) -> Option<Left> {
    let key = Key::new(image, file.file_name().to_str()?)?;
    let metadata = file.metadata().ok().filter(fs::Metadata::is_file)?;
    Some(Left { key, bytes: metadata.len(), modified: metadata.modified().ok()? })
}

fn entries(directory: &Path) -> impl Iterator<Item = fs::DirEntry> + use<> {
    fs::read_dir(directory).into_iter().flatten().flatten()
}

/// What is not there need not be removed.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
