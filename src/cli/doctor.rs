//! `darkroom doctor`: everything that a server would need, looked at from outside.

mod database;
mod machine;
mod services;
mod storage;

use std::{future::Future, process::ExitCode, time::Duration};

use serde_json::{Value as Json, json};

use super::{error_code, exit, print, runtime};
use crate::{
    config::{Parts, Settings},
    domain::error::Error,
};

/// What follows `darkroom doctor --help`.
pub(super) const HELP: &str = "\
Exit codes: 0 nothing is in the way (there may be warnings), 78 the configuration is wrong, else 69
something does not answer, else 70 something is not as it must be.";

/// How long a check may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What one check came to.
#[derive(Debug)]
struct Finding {
    check: &'static str,
    state: State,
    found: String,
    mend: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ok,
    Warning,
    /// A server would not start, or not do its work; what the program then ends with.
    Fault(u8),
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Fault(_) => "fault",
        }
    }
}

impl Finding {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, state: State::Ok, found: found.into(), mend: None }
    }

    fn warning(
        check: &'static str,
        found: impl Into<String>,
        mend: impl Into<Option<String>>,
    ) -> Self {
        Self { check, state: State::Warning, found: found.into(), mend: mend.into() }
    }

    fn fault(check: &'static str, code: u8, found: impl Into<String>, mend: &str) -> Self {
        let (state, mend) = (State::Fault(code), Some(mend.to_owned()));
        Self { check, state, found: found.into(), mend }
    }

    /// That `place`, which names no secret, failed.
    fn failure(check: &'static str, place: &str, error: &Error, mend: &str) -> Self {
        let found = format!("{place}: {}", error.cause.as_ref().unwrap_or(&error.detail));
        Self::fault(check, error_code(error), found, mend)
    }

    fn as_json(&self) -> Json {
        json!({
            "check": self.check,
            "state": self.state.as_str(),
            "found": self.found,
            "mend": self.mend,
        })
    }
}

/// Looks at everything and says what it found.
pub(super) fn run(json: bool) -> ExitCode {
    let settings = Settings::load();
    let parts = settings.parts();
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let mut findings = configuration(&parts);
    findings.extend(runtime.block_on(look(&parts)));
    // A disk that hangs is not waited for.
    runtime.shutdown_background();
    let printed = print(&if json { as_json(&findings) } else { as_text(&findings) });
    let codes = [exit::CONFIG, exit::UNAVAILABLE, exit::SOFTWARE];
    let has = |code: &u8| findings.iter().any(|finding| finding.state == State::Fault(*code));
    codes.into_iter().find(has).map_or(printed, ExitCode::from)
}

/// What is wrong with what was said.
fn configuration(parts: &Parts) -> Vec<Finding> {
    const CHECK: &str = "configuration";
    const MEND: &str =
        "say otherwise; `darkroom config` shows what is in force, the README what is accepted";
    let faults = parts.faults.iter();
    let faults = faults.map(|fault| Finding::fault(CHECK, exit::CONFIG, fault.to_string(), MEND));
    let warnings = parts.warnings.iter();
    let warnings = warnings.map(|warning| Finding::warning(CHECK, warning.to_string(), None));
    let findings: Vec<Finding> = faults.chain(warnings).collect();
    if findings.is_empty() {
        return vec![Finding::ok(CHECK, "nothing is wrong with it")];
    }
    findings
}

/// All checks beside each other. What has no sound configuration is left out.
async fn look(parts: &Parts) -> Vec<Finding> {
    let (database, cache, queue, objects, storage) = tokio::join!(
        checked("database", parts.database.as_ref(), database::check),
        checked("cache", parts.redis.as_ref(), services::check_cache),
        checked("queue", parts.queue.as_ref(), services::check_queue),
        checked("storage", parts.storage.as_ref(), storage::check_objects),
        checked("storage", parts.data_dir.as_ref(), |data_dir| {
            storage::check(data_dir, parts.storage.as_ref(), parts.database.as_ref())
        }),
    );
    let mut findings: Vec<Finding> =
        [database, cache, queue, objects, storage].into_iter().flatten().collect();
    findings.extend(machine::codecs());
    findings.extend(parts.transforms.map(machine::memory));
    findings
}

/// What a check finds, unless it takes too long.
async fn checked<'p, T, F>(
    name: &'static str,
    part: Option<&'p T>,
    check: impl FnOnce(&'p T) -> F,
) -> Vec<Finding>
where
    F: Future<Output = Vec<Finding>>,
{
    let Some(part) = part else { return Vec::new() };
    // In a box: what is awaited here is large.
    tokio::time::timeout(PATIENCE, Box::pin(check(part))).await.unwrap_or_else(|_| {
        let found = format!("no answer within {}", humantime::format_duration(PATIENCE));
        let mend = "see what keeps it from answering, and whether a firewall is in between";
        vec![Finding::fault(name, exit::UNAVAILABLE, found, mend)]
    })
}

/// A line for each finding, and one that says how to mend it.
fn as_text(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.check.len()).max().unwrap_or_default();
    let mut text = String::new();
    for Finding { check, state, found, mend } in findings {
        let state = state.as_str();
        text += &format!("{state:<7}  {check:<width$}  {}\n", one_line(found));
        if let Some(mend) = mend {
            text += &format!("{:<7}  {:<width$}    {}\n", "", "", one_line(mend));
        }
    }
    text
}

/// A line break in what others said would fake a finding of its own.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn as_json(findings: &[Finding]) -> String {
    let count =
        |state: &str| findings.iter().filter(|finding| finding.state.as_str() == state).count();
    let report = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "faults": count("fault"),
        "warnings": count("warning"),
        "checks": findings.iter().map(Finding::as_json).collect::<Vec<_>>(),
    });
    format!("{report:#}")
}

/// A time as it is told: to a tenth of a millisecond.
fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
