//! Whose a data directory is: one process's at a time, and one storage's.

use std::{
    fs::{File, TryLockError},
    path::Path,
};

use super::StartError;
use crate::{
    config::{self, Config, StorageKind},
    domain::error::Error,
};

/// A storage that was only recognised before must not take the place of the disk by itself: nothing of it would be there.
pub(super) fn check_storage(config: &Config) -> Result<(), StartError> {
    let config::Storage { kind, is_said, .. } = config.storage;
    let directory = config.data_dir.join("objects");
    let is_empty = || directory.read_dir().map_or(true, |mut entries| entries.next().is_none());
    if is_said || kind == StorageKind::Fs || is_empty() {
        return Ok(());
    }
    Err(StartError::WhichStorage { directory, kind })
}

/// What a process that serves from an embedded database's directory has locked.
const LOCK: &str = "lock";

/// Whether a process serves from `directory`, an embedded database's.
///
/// # Errors
/// When the system can't tell.
pub fn is_served(directory: &Path) -> std::io::Result<bool> {
    let file = match File::open(directory.join(LOCK)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    // Given back at once.
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Makes sure that no other process serves from `directory`. The kernel keeps the lock, so it ends with the process, however
/// that ends.
pub(super) fn lock(directory: &Path) -> Result<File, StartError> {
    std::fs::create_dir_all(directory).map_err(Error::internal)?;
    let path = directory.join(LOCK);
    let file = File::options().create(true).truncate(false).write(true).open(path);
    let file = file.map_err(Error::internal)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::InUse { directory: directory.to_owned() }),
        Err(TryLockError::Error(error)) => Err(Error::internal(error).into()),
    }
}
