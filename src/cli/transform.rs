//! `darkroom transform`: the engine with no server.

mod inputs;
mod report;

use std::{
    io::{IsTerminal, stderr},
    process::ExitCode,
};

use bytes::Bytes;
use clap::Args as ClapArgs;
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use serde_json::Value;

use self::inputs::{Input, Output};
use super::{exit, fail, print};
use crate::{
    config::Settings,
    domain::{
        error::{Code, Error, Fault},
        limits::Limits,
        transform::{FormatChoice, Profile, Source, Spec},
    },
    imaging::{self, Control, Failure, Overlays},
};

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// The pictures: files, patterns like 'photos/**/*.jpg', or - for standard input.
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<String>,
    /// Where to write: a file, - for standard output, or a directory (made if it is missing) when
    /// there are several inputs or the path ends in `/`. In a directory a picture keeps its name and
    /// gets the new extension.
    #[arg(long, short, value_name = "PATH")]
    out: String,
    /// What to do: a spec as JSON, as in `POST /images/{id}/transform`. A spec without `format`
    /// takes it from the extension of the file to write.
    #[arg(long, short, value_name = "JSON", default_value = "{}")]
    spec: String,
    /// What to do, as in a delivery URL: c_fill,w_300,h_200/e_sepia:50.
    #[arg(long, short, value_name = "URLFORM", conflicts_with = "spec")]
    t: Option<String>,
    /// What is dear when the spec doesn't say: best (how it looks) or fast (how long it takes).
    /// Otherwise TRANSFORM_PROFILE.
    #[arg(long, value_name = "PROFILE", value_parser = ["best", "fast"])]
    profile: Option<String>,
    /// How many pictures to work on at a time; one for each processor otherwise.
    #[arg(long, short, value_name = "N")]
    jobs: Option<std::num::NonZeroUsize>,
    /// A picture that a watermark's image_id names.
    #[arg(long, value_name = "ID=PATH")]
    overlay: Vec<String>,
    /// Say what was done, step by step, what was skipped and why, and how long each step took.
    #[arg(long)]
    explain: bool,
    /// Say it as JSON, one object a picture and line, failures too.
    #[arg(long)]
    json: bool,
}

/// Why something was not done.
#[derive(Debug)]
struct Problem {
    /// The exit code.
    code: u8,
    /// The error's code as in the API, or what comes nearest.
    name: &'static str,
    /// For people.
    message: String,
}

impl Problem {
    fn new(code: u8, message: impl std::fmt::Display) -> Self {
        let name = match code {
            exit::USAGE => "usage",
            exit::NO_INPUT => "no_input",
            exit::CANT_CREATE => "cant_create",
            exit::DATA => "validation_failed",
            _ => "internal",
        };
        Self { code, name, message: message.to_string() }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let code = if error.code == Code::Internal { exit::SOFTWARE } else { exit::DATA };
        Self { code, name: error.code.as_str(), message: error.detail }
    }
}

/// A picture that was made and written.
struct Made {
    /// Where it went.
    path: String,
    /// Bytes of the input.
    size: usize,
    /// What was made.
    output: imaging::Output,
}

/// What holds for every picture.
struct Order {
    spec: Spec,
    overlays: Overlays,
    limits: Limits,
    output: Output,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let prepared = inputs::expand(&args.inputs)
        .and_then(|inputs| Ok((Order::from(args, &inputs)?, inputs)))
        .and_then(|prepared| Ok((prepared, pool(args)?)));
    let ((order, inputs), pool) = match prepared {
        Ok(prepared) => prepared,
        Err(problem) => return fail(problem.code, problem.message),
    };
    let bar = progress(inputs.len());
    let codes: Vec<u8> = pool.install(|| {
        let codes = inputs.par_iter().map(|input| {
            let result = order.transform(input);
            bar.suspend(|| tell(args, &order.output, input, &result));
            bar.inc(1);
            result.map_or_else(|problem| problem.code, |_| 0)
        });
        codes.collect()
    });
    bar.finish_and_clear();
    // The first failure's, in the order of the inputs.
    codes.into_iter().find(|code| *code != 0).unwrap_or(0).into()
}

/// Threads for so many pictures at a time.
fn pool(args: &Args) -> Result<rayon::ThreadPool, Problem> {
    let threads = args.jobs.map_or(0, std::num::NonZeroUsize::get);
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|error| Problem::new(exit::OS, error))
}

/// On a terminal, and only when there is something to wait for.
fn progress(pictures: usize) -> ProgressBar {
    if pictures < 2 || !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:32} {pos}/{len} pictures, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(pictures as u64).with_style(style)
}

/// Says what became of a picture. Where the picture itself goes to standard output, nothing else does.
fn tell(args: &Args, output: &Output, input: &Input, result: &Result<Made, Problem>) {
    let text = match result {
        _ if args.json => report::json(input, result).to_string(),
        Ok(made) if args.explain => {
            report::line(input, made) + &report::explained(&made.output.steps)
        }
        Ok(made) => report::line(input, made),
        Err(problem) => {
            fail(problem.code, format_args!("{input}: {}", problem.message));
            return;
        }
    };
    if output.is_stdout() {
        eprintln(&text);
    } else {
        print(&text);
    }
}

fn eprintln(text: &str) {
    use std::io::Write;
    // Nobody listening is nobody to tell.
    let _ = writeln!(stderr(), "{text}");
}

impl Order {
    fn from(args: &Args, inputs: &[Input]) -> Result<Self, Problem> {
        let output = Output::open(&args.out, inputs)?;
        // What is configured, if it can be understood.
        let config = Settings::load().check().ok().map(|(config, _)| config);
        let limits = config.as_ref().map_or_else(Limits::default, |config| config.limits.clone());
        let named = args.profile.as_deref();
        let profile = Profile::NAMES
            .iter()
            .find(|(name, _)| Some(*name) == named)
            .map(|(_, profile)| *profile)
            .or(config.map(|config| config.transform_profile))
            .unwrap_or_default();
        let spec = spec(args, &output, profile)?;
        Ok(Self { spec, overlays: overlays(&args.overlay, &limits)?, limits, output })
    }

    /// Transforms one picture.
    fn transform(&self, input: &Input) -> Result<Made, Problem> {
        let bytes = input.read(self.limits.upload_size)?;
        let probe = imaging::probe(std::io::Cursor::new(&bytes), &self.limits)?;
        let source = Source {
            format: probe.format,
            has_alpha: probe.has_alpha,
            is_animated: probe.frames > 1,
            focus: None,
        };
        let spec = self.spec.resolved(source, None);
        let control = Control::default();
        let output = imaging::transform(&bytes, &self.overlays, &spec, &self.limits, &control)
            .map_err(|failure| match failure {
                Failure::Refused(error) => error.into(),
                Failure::Cancelled => Problem::new(exit::SOFTWARE, "cancelled"),
            })?;
        let path = self.output.write(input, output.format, &output.bytes)?;
        Ok(Made { path, size: bytes.len(), output })
    }
}

/// What the command line asks for. Without a format it is the one that the output's name asks for.
fn spec(args: &Args, output: &Output, profile: Profile) -> Result<Spec, Problem> {
    let invalid = |option: &str, faults: Vec<Fault>| {
        let faults = faults.iter().map(|fault| format!("\n  {}: {}", fault.pointer, fault.detail));
        Problem::new(exit::USAGE, format!("{option} is not valid:{}", faults.collect::<String>()))
    };
    let format = output.format();
    if let Some(text) = &args.t {
        let mut spec = Spec::from_url(text, profile).map_err(|faults| invalid("--t", faults))?;
        spec.format = spec.format.or(format.map(FormatChoice::Fixed));
        return Ok(spec);
    }
    let mut value: Value = serde_json::from_str(&args.spec)
        .map_err(|error| Problem::new(exit::USAGE, format!("--spec is not JSON: {error}")))?;
    if let (Some(fields), Some(format)) = (value.as_object_mut(), format) {
        fields.entry("format").or_insert_with(|| format.as_str().into());
    }
    Spec::parse_with(&value, profile).map_err(|faults| invalid("--spec", faults))
}

/// The pictures that watermarks show.
fn overlays(arguments: &[String], limits: &Limits) -> Result<Overlays, Problem> {
    arguments
        .iter()
        .map(|argument| {
            let wrong =
                || Problem::new(exit::USAGE, format!("--overlay {argument} is not ID=PATH"));
            let (id, path) = argument.split_once('=').ok_or_else(wrong)?;
            let id = id.parse().map_err(|_| wrong())?;
            let input = Input::File(path.into());
            let bytes = input.read(limits.upload_size).map_err(|problem| Problem {
                message: format!("{path}: {}", problem.message),
                ..problem
            })?;
            Ok((id, Bytes::from(bytes)))
        })
        .collect()
}
