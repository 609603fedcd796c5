//! Whose each file is: no result takes the place of an input, or of another result of the same run.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::{exit, inputs::Input, problem::Problem};

/// A file by whatever name: its device and its number there.
type Identity = (u64, u64);

/// What may not be written twice.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Place {
    Path(PathBuf),
    File(Identity),
}

/// Whose each file is.
#[derive(Debug)]
pub(super) struct Claims {
    /// The files that are read.
    read: HashMap<Identity, String>,
    /// The files that are written: by which input, by its place in the list and by name.
    written: Mutex<HashMap<Place, (usize, String)>>,
}

impl Claims {
    /// With `inputs`, and whatever else is read, to be left alone.
    pub(super) fn new<'a>(inputs: impl IntoIterator<Item = &'a Input>) -> Self {
        let read = inputs.into_iter().filter_map(|input| {
            let path = input.path().unwrap_or(Path::new("/dev/stdin"));
            Some((identity(path)?, input.to_string()))
        });
        Self { read: read.collect(), written: Mutex::default() }
    }

    /// `path` shall hold the result of `input`, which is the `index`th. Claimed before anything is done where that can be
    /// known, and again before it is written.
    pub(super) fn claim(&self, path: &Path, index: usize, input: &Input) -> Result<(), Problem> {
        let shown = path.display();
        let identity = identity(path);
        if let Some(name) = identity.and_then(|identity| self.read.get(&identity)) {
            let advice = "write to another name or directory";
            let message = if *name == shown.to_string() {
                format!("{shown} is an input and would be overwritten; {advice}")
            } else {
                format!("{shown} is the input {name} and would be overwritten; {advice}")
            };
            return Err(Problem::new(exit::USAGE, message));
        }
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let places = [Some(Place::Path(path.to_owned())), identity.map(Place::File)];
        for place in places.into_iter().flatten() {
            let (owner, name) = written.entry(place).or_insert_with(|| (index, input.to_string()));
            if *owner != index {
                let message = format!("{name} and {input} would both be written to {shown}");
                return Err(Problem::new(exit::USAGE, message));
            }
        }
        Ok(())
    }
}

/// Of a file; pipes and devices can be written by many.
fn identity(path: &Path) -> Option<Identity> {
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some((metadata.dev(), metadata.ino()))
}
