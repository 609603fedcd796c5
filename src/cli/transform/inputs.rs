//! Where pictures come from and where they go.

use std::{
    collections::HashSet,
    ffi::OsString,
    fmt, fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use super::{Problem, exit};
use crate::domain::format::Format;

/// One picture to read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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

    /// Its name without the extension.
    fn stem(&self) -> OsString {
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
pub(super) fn expand(arguments: &[String]) -> Result<Vec<Input>, Problem> {
    let mut inputs = Vec::new();
    for argument in arguments {
        if argument == "-" {
            inputs.push(Input::Stdin);
        } else if argument.contains(['*', '?', '[']) && !Path::new(argument).exists() {
            let paths = glob::glob(argument)
                .map_err(|error| Problem::new(exit::USAGE, format!("{argument}: {error}")))?;
            let files = paths.filter_map(Result::ok).filter(|path| path.is_file());
            let before = inputs.len();
            inputs.extend(files.map(Input::File));
            if inputs.len() == before {
                return Err(Problem::new(exit::NO_INPUT, format!("{argument} matches no file")));
            }
        } else {
            inputs.push(Input::File(argument.into()));
        }
    }
    Ok(inputs)
}

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
    /// Where `path` says that so many inputs go; a directory is made if it is missing.
    pub(super) fn open(path: &str, inputs: &[Input]) -> Result<Self, Problem> {
        let several = inputs.len() > 1;
        let directory = PathBuf::from(path);
        if path == "-" {
            return if several {
                Err(Problem::new(exit::USAGE, "only one picture can go to standard output"))
            } else {
                Ok(Output::Stdout)
            };
        }
        if !several && !path.ends_with('/') && !directory.is_dir() {
            return Ok(Output::File(directory));
        }
        let mut stems = HashSet::new();
        if let Some(twice) = inputs.iter().find(|input| !stems.insert(input.stem())) {
            return Err(Problem::new(
                exit::USAGE,
                format!("{twice}: two inputs would get the same name"),
            ));
        }
        fs::create_dir_all(&directory).map_err(|error| {
            Problem::new(exit::CANT_CREATE, format!("{}: {error}", directory.display()))
        })?;
        Ok(Output::Directory(directory))
    }

    /// The format that a file's extension asks for.
    pub(super) fn format(&self) -> Option<Format> {
        let Output::File(path) = self else { return None };
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        Format::from_name(&extension).filter(|format| format.is_writable())
    }

    /// Whether pictures go where reports would go.
    pub(super) const fn is_stdout(&self) -> bool {
        matches!(self, Output::Stdout)
    }

    /// Writes what was made of `input`; where it went.
    pub(super) fn write(
        &self,
        input: &Input,
        format: Format,
        bytes: &[u8],
    ) -> Result<String, Problem> {
        let path = match self {
            Output::Stdout => {
                let mut out = io::stdout().lock();
                return match out.write_all(bytes).and_then(|()| out.flush()) {
                    // A reader that has left, as `head` does, is no failure.
                    Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                        Err(Problem::new(exit::CANT_CREATE, error))
                    }
                    _ => Ok("-".to_owned()),
                };
            }
            Output::File(path) => path.clone(),
            Output::Directory(directory) => {
                let mut name = input.stem();
                name.push(".");
                name.push(format.extension());
                directory.join(name)
            }
        };
        let shown = path.display().to_string();
        match fs::write(&path, bytes) {
            Ok(()) => Ok(shown),
            Err(error) => Err(Problem::new(exit::CANT_CREATE, format!("{shown}: {error}"))),
        }
    }
}
