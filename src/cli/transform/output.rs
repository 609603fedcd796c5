//! Where results go.

use std::{
    ffi::OsStr,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{exit, inputs::Input, problem::Problem, replace};
use crate::domain::format::Format;

/// Other names of standard output. Who opened them as files would write over what is already there.
const STDOUT: &[&str] = &["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];

/// Where results go.
#[derive(Debug, Clone)]
pub(super) enum Output {
    /// Standard output, written `-`.
    Stdout,
    /// This file.
    File(PathBuf),
    /// Files in this directory: the input's stem and the new extension.
    Directory(PathBuf),
}

impl Output {
    /// Where `path` says that so many inputs go.
    pub(super) fn new(path: &OsStr, inputs: usize) -> Result<Self, Problem> {
        let several = inputs > 1;
        if STDOUT.iter().any(|name| path == *name) {
            return if several {
                Err(Problem::new(exit::USAGE, "only one picture can go to standard output"))
            } else {
                Ok(Output::Stdout)
            };
        }
        let is_directory = several || path.as_encoded_bytes().ends_with(b"/");
        let path = PathBuf::from(path);
        if is_directory || path.is_dir() {
            Ok(Output::Directory(path))
        } else {
            Ok(Output::File(path))
        }
    }

    /// Makes the directory, if it is missing.
    pub(super) fn prepare(&self) -> Result<(), Problem> {
        let Output::Directory(directory) = self else { return Ok(()) };
        fs::create_dir_all(directory)
            .map_err(|error| Problem::new(exit::CANT_CREATE, error).of(directory.display()))
    }

    /// The file that a result of `input` goes to; none is standard output.
    pub(super) fn path(&self, input: &Input, format: Format) -> Option<PathBuf> {
        match self {
            Output::Stdout => None,
            Output::File(path) => Some(path.clone()),
            Output::Directory(directory) => {
                let mut name = input.stem();
                name.push(".");
                name.push(format.extension());
                Some(directory.join(name))
            }
        }
    }

    /// The extension of the one file to write: it asks for a format.
    pub(super) fn extension(&self) -> Option<&OsStr> {
        match self {
            Output::File(path) => path.extension(),
            _ => None,
        }
    }

    /// The format that the extension asks for; none if nothing is written in it.
    pub(super) fn format(&self) -> Option<Format> {
        let extension = self.extension()?.to_str()?.to_ascii_lowercase();
        Format::from_name(&extension).filter(|format| format.is_writable())
    }

    /// Whether pictures go where reports would go.
    pub(super) const fn is_stdout(&self) -> bool {
        matches!(self, Output::Stdout)
    }
}

/// Writes a picture to `path`, or to standard output; where it went.
pub(super) fn write(path: Option<&Path>, bytes: &[u8]) -> Result<String, Problem> {
    let Some(path) = path else {
        let mut out = io::stdout().lock();
        return match out.write_all(bytes).and_then(|()| out.flush()) {
            // A reader that has left, as `head` does, is no failure.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Problem::new(exit::CANT_CREATE, error))
            }
            _ => Ok("-".to_owned()),
        };
    };
    let shown = path.display().to_string();
    match replace::write(path, bytes) {
        Ok(()) => Ok(shown),
        Err(error) => Err(Problem::new(exit::CANT_CREATE, error).of(shown)),
    }
}
