//! `darkroom transform`: the engine with no server.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args as ClapArgs;
use rayon::prelude::*;
use serde_json::Value;

use super::{exit, fail, print, shown};
use crate::{
    config::Settings,
    domain::{
        error::Error,
        format::Format,
        limits::Limits,
        transform::{Source, Spec},
    },
    imaging::{self, Control, Failure},
};

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// The pictures.
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Where to write: a file, or a directory (made if it is missing) when there are several inputs
    /// or the path ends in `/`. In a directory a picture keeps its name and gets the new extension.
    #[arg(long, short, value_name = "PATH")]
    out: PathBuf,
    /// What to do: a spec as JSON, as in `POST /images/{id}/transform`. A spec without `format`
    /// takes it from the extension of the file to write.
    #[arg(long, short, value_name = "JSON", default_value = "{}")]
    spec: String,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let mut spec: Value = match serde_json::from_str(&args.spec) {
        Ok(spec) => spec,
        Err(error) => return fail(exit::USAGE, format_args!("--spec is not JSON: {error}")),
    };
    let directory = args.inputs.len() > 1 || names_directory(&args.out);
    if !directory && let (Some(fields), Some(format)) = (spec.as_object_mut(), format_of(&args.out))
    {
        fields.entry("format").or_insert_with(|| format.as_str().into());
    }
    let spec = match Spec::parse(&spec) {
        Ok(spec) => spec,
        Err(faults) => {
            let lines: Vec<String> = faults
                .iter()
                .map(|fault| format!("\n  {}: {}", fault.pointer, fault.detail))
                .collect();
            return fail(exit::USAGE, format_args!("--spec is not valid:{}", lines.concat()));
        }
    };
    if directory && let Err(error) = std::fs::create_dir_all(&args.out) {
        return fail(exit::CANT_CREATE, format_args!("{}: {error}", shown(&args.out)));
    }
    let mut stems = HashSet::new();
    if let Some(twice) = args.inputs.iter().find(|input| !stems.insert(input.file_stem())) {
        let message = "two inputs would get the same name";
        return fail(exit::USAGE, format_args!("{}: {message}", shown(twice)));
    }
    // The limits that are configured, if what is configured can be understood.
    let limits =
        Settings::load().check().map_or_else(|_| Limits::default(), |(config, _)| config.limits);
    let out = if directory { Out::Directory(&args.out) } else { Out::File(&args.out) };
    let codes: Vec<u8> = args
        .inputs
        .par_iter()
        .filter_map(|input| match transform(input, &spec, &limits, out) {
            Ok(line) => {
                print(&line);
                None
            }
            Err((code, message)) => {
                fail(code, format_args!("{}: {message}", shown(input)));
                Some(code)
            }
        })
        .collect();
    codes.first().map_or(ExitCode::SUCCESS, |code| (*code).into())
}

#[derive(Clone, Copy)]
enum Out<'a> {
    File(&'a Path),
    Directory(&'a Path),
}

/// Transforms one picture; what was done, in a line.
fn transform(
    input: &Path,
    spec: &Spec,
    limits: &Limits,
    out: Out<'_>,
) -> Result<String, (u8, String)> {
    let data = |error: Error| (exit::DATA, error.detail);
    let bytes = std::fs::read(input).map_err(|error| (exit::NO_INPUT, error.to_string()))?;
    let probe = imaging::probe(std::io::Cursor::new(&bytes), limits).map_err(data)?;
    let source = Source { format: probe.format, has_alpha: probe.has_alpha };
    let output =
        imaging::transform(&bytes, &spec.resolved(source, None), limits, &Control::default())
            .map_err(|failure| match failure {
                Failure::Refused(error) => data(error),
                Failure::Cancelled => (exit::SOFTWARE, "cancelled".to_owned()),
            })?;
    let path = match out {
        Out::File(path) => path.to_owned(),
        Out::Directory(directory) => {
            let stem = input.file_stem().unwrap_or("image".as_ref());
            let mut name = stem.to_owned();
            name.push(".");
            name.push(output.format.extension());
            directory.join(name)
        }
    };
    std::fs::write(&path, &output.bytes)
        .map_err(|error| (exit::CANT_CREATE, format!("{}: {error}", path.display())))?;
    Ok(format!(
        "{} -> {} {}x{} {}, {} -> {} bytes",
        input.display(),
        path.display(),
        output.width,
        output.height,
        output.format.as_str(),
        bytes.len(),
        output.bytes.len()
    ))
}

fn names_directory(path: &Path) -> bool {
    path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

/// The format that a path's extension asks for.
fn format_of(path: &Path) -> Option<Format> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    Format::from_name(&extension).filter(|format| format.is_writable())
}
