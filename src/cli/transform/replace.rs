//! A file is written wholly or not at all.

use std::{
    fs::{self, File, Metadata, OpenOptions, Permissions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

/// As many links as Linux follows.
const LINKS: usize = 40;

/// Puts `bytes` into the place of the file `path`: until all of them are there, what was there before stays. Links are
/// followed and stay; owner and permissions of a file that was there stay too.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(before) if before.is_file() => {
            // Who may not write to a file may not replace it either.
            OpenOptions::new().write(true).open(path)?;
            match replace(&fs::canonicalize(path)?, Some(&before), bytes) {
                // A directory that lets nothing be renamed, a file that is a mount of its own or somebody else's.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::PermissionDenied | ErrorKind::ResourceBusy
                    ) =>
                {
                    write_through(path, bytes)
                }
                done => done,
            }
        }
        // A pipe or a device takes bytes as they come; a directory says itself that it doesn't.
        Ok(_) => write_through(path, bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => replace(&end(path), None, bytes),
        Err(error) => Err(error),
    }
}

fn write_through(path: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).truncate(true).open(path)?.write_all(bytes)
}

/// Writes a file beside `target`, and renames it.
fn replace(target: &Path, before: Option<&Metadata>, bytes: &[u8]) -> io::Result<()> {
    let directory = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // A directory that is missing says so better than the name of a temporary file.
    fs::metadata(directory)?;
    let mut file = tempfile::Builder::new()
        .prefix(".darkroom-")
        // Like every new file: what the umask leaves of it.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(directory)?;
    file.write_all(bytes)?;
    if let Some(before) = before {
        resemble(file.as_file(), before)?;
    }
    file.persist(target).map_err(|error| error.error)?;
    Ok(())
}

fn resemble(file: &File, before: &Metadata) -> io::Result<()> {
    let now = file.metadata()?;
    if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
        fchown(file, Some(before.uid()), Some(before.gid()))?;
    }
    file.set_permissions(Permissions::from_mode(before.mode() & 0o777))
}

/// Where the links from `path` lead, though nothing is there yet.
fn end(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let Ok(link) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("")).join(link);
    }
    path
}
