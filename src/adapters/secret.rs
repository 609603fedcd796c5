//! The secret that the embedded mode makes for itself and keeps.

use std::{
    fs::OpenOptions,
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use secrecy::SecretString;

use super::token::random;
use crate::domain::error::{Error, Result};

/// The secret in the file at `path`; made, readable by its owner alone, if there is none.
///
/// # Errors
/// When the file can't be read or made; the cause names it.
pub async fn load_or_create(path: PathBuf) -> Result<SecretString> {
    tokio::task::spawn_blocking(move || {
        read_or_write(&path)
            .map_err(|error| Error::internal(format_args!("{}: {error}", path.display())))
    })
    .await
    .map_err(Error::internal)?
}

fn read_or_write(path: &Path) -> std::io::Result<SecretString> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let secret = random().map_err(std::io::Error::other)?;
    // Written beside and linked into place: whoever finds the file finds it whole, and of two
    // processes that start at once one wins.
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(secret.as_bytes())?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&beside, path);
    std::fs::remove_file(&beside)?;
    match linked {
        Ok(()) => Ok(secret.into()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let secret = std::fs::read_to_string(path)?.trim().to_owned();
            if secret.len() < 32 {
                return Err(std::io::Error::other("holds fewer than 32 characters"));
            }
            Ok(secret.into())
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data/jwt-secret");
        let first = read_or_write(&path).unwrap();
        let second = read_or_write(&path).unwrap();
        assert_eq!(first.expose_secret(), second.expose_secret());
        assert!(first.expose_secret().len() >= 32);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(path.parent().unwrap().read_dir().unwrap().count(), 1);
    }
}
