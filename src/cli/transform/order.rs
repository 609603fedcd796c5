//! What is to be done, the same for every picture.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rayon::prelude::*;
use serde_json::Value;

use super::{
    Args,
    claims::Claims,
    exit,
    inputs::Input,
    output::{self, Output},
    problem::Problem,
    warn,
};
use crate::{
    config::{Engine, Settings},
    domain::{
        error::{Code, Error, Fault},
        format::Format,
        ids::ImageId,
        limits::Limits,
        transform::{FormatChoice, Profile, Spec},
    },
    imaging::{self, Control, Failure, Overlays, Threads},
};

/// A picture that was made and written.
pub(super) struct Made {
    /// Where it went.
    pub(super) path: String,
    /// Bytes of the input.
    pub(super) size: usize,
    /// What was made.
    pub(super) output: imaging::Output,
    /// What is odd about it.
    pub(super) warning: Option<String>,
}

/// What holds for every picture.
pub(super) struct Order {
    spec: Spec,
    overlays: Overlays,
    limits: Limits,
    timeout: Option<Duration>,
    claims: Claims,
    /// Where results go.
    pub(super) output: Output,
}

impl Order {
    /// Understands the arguments, and refuses before anything is done what can't go well.
    pub(super) fn new(args: &Args, inputs: &[Input]) -> Result<Self, Problem> {
        let output = Output::new(&args.out, inputs.len())?;
        let (engine, warnings) =
            Settings::load().check_engine().map_err(|faults| Problem::new(exit::CONFIG, faults))?;
        for warning in warnings {
            warn(warning);
        }
        let Engine { limits, profile, timeout } = engine;
        let named = args.profile.as_deref();
        let named = Profile::NAMES.iter().find(|(name, _)| Some(*name) == named);
        let profile = named.map_or(profile, |(_, profile)| *profile);
        let spec = spec(args, &output, profile)?;
        let files = overlay_files(&args.overlay)?;
        let overlays = overlays(&files, &spec, &limits)?;
        let claims = Claims::new(inputs.iter().chain(files.iter().map(|(_, file)| file)));
        let timeout = args.timeout.or(timeout);
        let order = Self { spec, overlays, limits, timeout, claims, output };
        order.claim_all(inputs)?;
        order.output.prepare()?;
        Ok(order)
    }

    /// Claims the file of every result whose name is already known.
    fn claim_all(&self, inputs: &[Input]) -> Result<(), Problem> {
        let path = |input: &Input| match &self.output {
            Output::File(path) => Some(path.clone()),
            output => output.path(input, self.format(input)?),
        };
        let paths: Vec<_> = inputs.par_iter().map(path).collect();
        for (index, (input, path)) in inputs.iter().zip(paths).enumerate() {
            if let Some(path) = path {
                self.claims.claim(&path, index, input)?;
            }
        }
        Ok(())
    }

    /// The format of the result, where it can be told before `input` is read.
    fn format(&self, input: &Input) -> Option<Format> {
        match self.spec.format {
            Some(FormatChoice::Fixed(format)) => Some(format),
            _ => Some(self.spec.output(input.probe(&self.limits)?.source())),
        }
    }

    /// Transforms one picture, the `index`th.
    pub(super) fn transform(
        &self,
        index: usize,
        input: &Input,
        threads: Threads,
    ) -> Result<Made, Problem> {
        let bytes = input.read(self.limits.upload_size)?;
        let probe = imaging::probe(std::io::Cursor::new(&bytes), &self.limits)?;
        let spec = self.spec.resolved(probe.source(), None);
        let deadline = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let control = Control { deadline, threads, ..Control::default() };
        let output = imaging::transform(&bytes, &self.overlays, &spec, &self.limits, &control)
            .map_err(|failure| self.problem(failure))?;
        let path = self.output.path(input, output.format);
        if let Some(path) = &path {
            self.claims.claim(path, index, input)?;
        }
        let path = output::write(path.as_deref(), &output.bytes)?;
        let warning = self.mismatch(output.format).map(|what| format!("{path} {what}"));
        Ok(Made { path, size: bytes.len(), output, warning })
    }

    fn problem(&self, failure: Failure) -> Problem {
        match (failure, self.timeout) {
            (Failure::Refused(error), Some(timeout)) if error.code == Code::TransformTimeout => {
                let timeout = humantime::format_duration(timeout);
                let detail = format!("{}: {timeout} (--timeout, TRANSFORM_TIMEOUT)", error.detail);
                Error { detail, ..error }.into()
            }
            (Failure::Refused(error), _) => error.into(),
            (Failure::Cancelled, _) => Problem::new(exit::SOFTWARE, "cancelled"),
        }
    }

    /// What is odd about a result in `format`: that its name says otherwise.
    fn mismatch(&self, format: Format) -> Option<String> {
        let extension = self.output.extension()?;
        (self.output.format() != Some(format))
            .then(|| format!("is {}, not what .{} says", format.as_str(), extension.display()))
    }
}

/// What the command line asks for. Without a format it is the one that the output's name asks for.
fn spec(args: &Args, output: &Output, profile: Profile) -> Result<Spec, Problem> {
    let invalid = |option: &str, faults: Vec<Fault>| {
        let faults = faults.iter().map(|fault| format!("\n  {}: {}", fault.pointer, fault.detail));
        Problem::new(exit::USAGE, format!("{option} is not valid:{}", faults.collect::<String>()))
    };
    let format = output.format();
    let spec = if let Some(text) = &args.t {
        let mut spec = Spec::from_url(text, profile).map_err(|faults| invalid("--t", faults))?;
        spec.format = spec.format.or(format.map(FormatChoice::Fixed));
        spec
    } else {
        let mut value: Value = serde_json::from_str(&args.spec)
            .map_err(|error| Problem::new(exit::USAGE, format!("--spec is not JSON: {error}")))?;
        if let (Some(fields), Some(format)) = (value.as_object_mut(), format) {
            fields.entry("format").or_insert_with(|| format.as_str().into());
        }
        Spec::parse_with(&value, profile).map_err(|faults| invalid("--spec", faults))?
    };
    match output.extension() {
        Some(extension) if spec.format.is_none() && format.is_none() => {
            let formats = Format::ALL.iter().filter(|format| format.is_writable());
            let formats: Vec<_> = formats.map(|format| format.as_str()).collect();
            let message = format!(
                "--out: .{} is no format that can be written: {}; what the spec's own `format` says is written under any name",
                extension.display(),
                formats.join(", "),
            );
            Err(Problem::new(exit::USAGE, message))
        }
        _ => Ok(spec),
    }
}

/// The files that the arguments say watermarks show.
fn overlay_files(arguments: &[OsString]) -> Result<Vec<(ImageId, Input)>, Problem> {
    arguments
        .iter()
        .map(|argument| {
            let parts = split_once(argument, b'=');
            let parsed = parts.and_then(|(id, path)| {
                Some((id.to_str()?.parse().ok()?, Input::File(path.into())))
            });
            parsed.ok_or_else(|| {
                let message = format!("--overlay {} is not ID=PATH", argument.display());
                Problem::new(exit::USAGE, message)
            })
        })
        .collect()
}

/// The pictures that watermarks show, all that `spec` names.
fn overlays(files: &[(ImageId, Input)], spec: &Spec, limits: &Limits) -> Result<Overlays, Problem> {
    let mut overlays = Overlays::new();
    for (id, file) in files {
        let option = || format!("--overlay {file}");
        let bytes = file.read(limits.upload_size).map_err(|problem| problem.of(option()))?;
        imaging::probe(std::io::Cursor::new(&bytes), limits)
            .map_err(|error| Problem::from(error).of(option()))?;
        overlays.insert(*id, Bytes::from(bytes));
    }
    match spec.overlays().find(|id| !overlays.contains_key(id)) {
        Some(id) => {
            let message = format!("a watermark shows image {id}: name it by --overlay {id}=PATH");
            Err(Problem::new(exit::USAGE, message))
        }
        None => Ok(overlays),
    }
}

fn split_once(text: &OsStr, at: u8) -> Option<(&OsStr, &OsStr)> {
    let bytes = text.as_bytes();
    let at = bytes.iter().position(|byte| *byte == at)?;
    let (before, after) = bytes.split_at_checked(at)?;
    Some((OsStr::from_bytes(before), OsStr::from_bytes(after.get(1..)?)))
}
