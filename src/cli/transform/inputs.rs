//! Where pictures come from.

use std::{
    ffi::{OsStr, OsString},
    fmt, fs,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

use super::{exit, problem::Problem};
use crate::{
    domain::limits::Limits,
    imaging::{self, Probe},
};

/// One picture to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Input {
    /// Standard input, written `-`.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl Input {
    /// The bytes; more than `limit` are refused.
    pub(super) fn read(&self, limit: u64) -> Result<Vec<u8>, Problem> {
        let unreadable = |error: io::Error| Problem::new(exit::NO_INPUT, error);
        let mut bytes = Vec::new();
        // One byte more than is allowed shows that there is more.
        let most = limit.saturating_add(1);
        match self {
            Input::Stdin => io::stdin().lock().take(most).read_to_end(&mut bytes),
            Input::File(path) => {
                fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes))
            }
        }
        .map_err(unreadable)?;
        if bytes.len() as u64 > limit {
            let message = format!("larger than {limit} bytes (MAX_UPLOAD_SIZE)");
            return Err(Problem::new(exit::DATA, message));
        }
        Ok(bytes)
    }

    /// What it is by its headers, where that can be known before it is read: what comes through a pipe is read only once.
    pub(super) fn probe(&self, limits: &Limits) -> Option<Probe> {
        let path = self.path().filter(|path| path.is_file())?;
        imaging::probe(BufReader::new(fs::File::open(path).ok()?), limits).ok()
    }

    /// Its file, if it is one.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Input::Stdin => None,
            Input::File(path) => Some(path),
        }
    }

    /// Its name without the extension.
    pub(super) fn stem(&self) -> OsString {
        match self {
            Input::Stdin => "stdin".into(),
            Input::File(path) => path.file_stem().unwrap_or("image".as_ref()).to_owned(),
        }
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Input::Stdin => f.write_str("-"),
            Input::File(path) => path.display().fmt(f),
        }
    }
}

/// The inputs that the arguments name. What is no file and looks like a pattern is one, for shells that don't expand them
/// and for patterns in quotes; `**` stands for any number of directories.
pub(super) fn expand(arguments: &[OsString]) -> Result<Vec<Input>, Problem> {
    let mut inputs = Vec::new();
    for argument in arguments {
        if argument == "-" {
            if inputs.contains(&Input::Stdin) {
                return Err(Problem::new(exit::USAGE, "standard input can be read only once"));
            }
            inputs.push(Input::Stdin);
        } else if let Some(pattern) = pattern(argument) {
            let before = inputs.len();
            for path in
                glob::glob(pattern).map_err(|error| Problem::new(exit::USAGE, error).of(pattern))?
            {
                // A directory that can't be looked into may hold what is meant.
                let path = path.map_err(|error| Problem::new(exit::NO_INPUT, error).of(pattern))?;
                if path.is_file() {
                    inputs.push(Input::File(path));
                }
            }
            if inputs.len() == before {
                return Err(Problem::new(exit::NO_INPUT, format!("{pattern} matches no file")));
            }
        } else {
            inputs.push(Input::File(argument.into()));
        }
    }
    Ok(inputs)
}

/// The argument as a pattern, if it is one. A name that is no UTF-8 is a file's own.
fn pattern(argument: &OsStr) -> Option<&str> {
    let text = argument.to_str()?;
    (text.contains(['*', '?', '[']) && !Path::new(text).exists()).then_some(text)
}
