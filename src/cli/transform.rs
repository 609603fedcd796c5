//! `darkroom transform`: the engine with no server.

mod claims;
mod inputs;
mod order;
mod output;
mod problem;
mod replace;
mod report;

use std::{
    ffi::OsString,
    io::{IsTerminal, Write, stderr},
    num::NonZeroUsize,
    process::ExitCode,
    time::Duration,
};

use clap::Args as ClapArgs;
use indicatif::{ProgressBar, ProgressStyle};
use rayon::{ThreadPool, ThreadPoolBuilder, prelude::*};

use self::{
    inputs::Input,
    order::{Made, Order},
    output::Output,
    problem::Problem,
};
use super::{exit, fail, print};
use crate::{
    config::{Value, find},
    imaging::Threads,
};

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Files are written wholly or not at all. A result that would take the place of an input, or of another
result, is refused before anything is done where that can be known, and never written.

Limits are those of the server: MAX_UPLOAD_SIZE, MAX_IMAGE_WIDTH, MAX_IMAGE_HEIGHT, MAX_PIXELS,
MAX_ANIMATION_PIXELS and MAX_FRAMES, from the environment, .env or darkroom.toml.

Exit codes: 0 all is well, 64 wrong usage, 65 a picture could not be transformed, 66 an input is
missing, 70 a fault of ours, 71 the system refused, 73 an output could not be written, 78 wrong
configuration. Of several failures it is the first one's, in the order of the inputs; all other
pictures are made.")]
pub(super) struct Args {
    /// The pictures: files, patterns like 'photos/**/*.jpg', or - for standard input.
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<OsString>,
    /// Where to write: a file, - for standard output, or a directory (made if it is missing) when
    /// there are several inputs or the path ends in `/`. In a directory a picture keeps its name and
    /// gets the new extension.
    #[arg(long, short, value_name = "PATH")]
    out: OsString,
    /// What to do: a spec as JSON, as in `POST /images/{id}/transform`. A spec without `format`
    /// takes it from the extension of the file to write; one that says otherwise than the
    /// extension is stronger, with a warning.
    #[arg(long, short, value_name = "JSON", default_value = "{}")]
    spec: String,
    /// What to do, as in a delivery URL: c_fill,w_300,h_200/e_sepia:50.
    #[arg(long, short, value_name = "URLFORM", conflicts_with = "spec")]
    t: Option<String>,
    /// What is dear when the spec doesn't say: best (how it looks) or fast (how long it takes).
    /// Otherwise TRANSFORM_PROFILE.
    #[arg(long, value_name = "PROFILE", value_parser = ["best", "fast"])]
    profile: Option<String>,
    /// How long one picture may take, such as 90s or 5m; plain numbers are seconds. Otherwise
    /// TRANSFORM_TIMEOUT if it is set, else as long as it takes: the server's default is not meant.
    #[arg(long, value_name = "TIME", value_parser = timeout)]
    timeout: Option<Duration>,
    /// How many pictures to work on at a time; one for each processor otherwise. A large picture uses what no other needs.
    #[arg(long, short, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// A picture that a watermark's image_id names.
    #[arg(long, value_name = "ID=PATH")]
    overlay: Vec<OsString>,
    /// Say what was done, step by step, what was skipped and why, and how long each step took.
    #[arg(long)]
    explain: bool,
    /// Say it as JSON, one object a picture and line, failures too.
    #[arg(long)]
    json: bool,
}

/// A time as TRANSFORM_TIMEOUT takes it.
fn timeout(text: &str) -> Result<Duration, String> {
    match find("TRANSFORM_TIMEOUT").map(|variable| variable.kind.parse(text)) {
        Some(Ok(Value::Time(time))) => Ok(time),
        Some(Err(detail)) => Err(detail),
        _ => Err("must be a time".to_owned()),
    }
}

pub(super) fn run(args: &Args) -> ExitCode {
    let prepared = inputs::expand(&args.inputs).and_then(|inputs| {
        let pool = pool(args.jobs)?;
        let order = pool.install(|| Order::new(args, &inputs))?;
        Ok((inputs, pool, order))
    });
    let (inputs, pool, order) = match prepared {
        Ok(prepared) => prepared,
        Err(problem) => return fail(problem.code, problem.message),
    };
    let bar = progress(inputs.len());
    let threads = Threads::new(pool.current_num_threads());
    // Threads are lent when fewer pictures are left than there are threads.
    let expected: Vec<_> = inputs.iter().map(|_| threads.expect()).collect();
    let codes: Vec<u8> = pool.install(|| {
        let codes =
            inputs.par_iter().zip(expected).enumerate().map(|(index, (input, expected))| {
                let result = order.transform(index, input, threads.clone());
                drop(expected);
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
fn pool(jobs: Option<NonZeroUsize>) -> Result<ThreadPool, Problem> {
    ThreadPoolBuilder::new()
        .num_threads(jobs.map_or(0, NonZeroUsize::get))
        .thread_name(|index| format!("transform-{index}"))
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
    if let Ok(Made { warning: Some(warning), .. }) = result {
        warn(warning);
    }
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

fn warn(warning: impl std::fmt::Display) {
    eprintln(&format!("darkroom: warning: {warning}"));
}

fn eprintln(text: &str) {
    // Nobody listening is nobody to tell.
    let _ = writeln!(stderr(), "{text}");
}
