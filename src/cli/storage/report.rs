//! What it came to, for people and for programs.

use std::process::ExitCode;

use indicatif::HumanBytes;
use serde_json::{Value as Json, json};

use super::object::Fault;
use crate::{
    cli::{error_code, exit, fail, in_full, print},
    config::StorageKind,
    domain::error::Error,
};

/// What a copy came to.
#[derive(Debug, Default)]
pub(super) struct Copied {
    pub(super) copied: u64,
    /// Of what was copied.
    pub(super) bytes: u64,
    /// What was there before.
    pub(super) there: u64,
    /// What was deleted meanwhile.
    pub(super) gone: u64,
    /// What was copied once, and removed from the destination since nothing names it any more.
    pub(super) removed: u64,
    pub(super) failed: Vec<Fault>,
    /// Why it did not come to its end.
    pub(super) stopped: Option<Error>,
}

impl Copied {
    pub(super) fn tell(&self, (from, to): (StorageKind, StorageKind), json: bool) -> ExitCode {
        let text = if json { self.as_json(from, to).to_string() } else { self.as_text(to) };
        end(&text, &self.failed, self.stopped.as_ref(), "run it again to go on")
    }

    fn as_text(&self, to: StorageKind) -> String {
        let Self { copied, bytes, there, gone, removed, failed, .. } = self;
        let to = to.as_str();
        let mut text = lines(failed);
        text += &format!("{copied} pictures ({}) copied to {to} and read back", HumanBytes(*bytes));
        text += &format!("; {there} were there already");
        for (number, what) in [
            (*gone, "were deleted meanwhile"),
            (*removed, "that were deleted since have been removed there"),
            (failed.len() as u64, "could not be copied"),
        ] {
            if number > 0 {
                text += &format!("; {number} {what}");
            }
        }
        text
    }

    fn as_json(&self, from: StorageKind, to: StorageKind) -> Json {
        json!({
            "from": from.as_str(),
            "to": to.as_str(),
            "copied": self.copied,
            "bytes": self.bytes,
            "there": self.there,
            "gone": self.gone,
            "removed": self.removed,
            "failed": self.failed.iter().map(Fault::as_json).collect::<Vec<_>>(),
            "stopped": self.stopped.as_ref().map(in_full),
        })
    }
}

/// What a check came to.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) whole: u64,
    pub(super) bytes: u64,
    pub(super) faults: Vec<Fault>,
    /// Why it did not come to its end.
    pub(super) stopped: Option<Error>,
}

impl Checked {
    pub(super) fn tell(&self, kind: StorageKind, json: bool) -> ExitCode {
        let text = if json { self.as_json(kind).to_string() } else { self.as_text(kind) };
        end(&text, &self.faults, self.stopped.as_ref(), "not every picture was looked at")
    }

    fn missing(&self) -> usize {
        self.faults.iter().filter(|fault| fault.is_missing).count()
    }

    fn as_text(&self, kind: StorageKind) -> String {
        let (missing, kind) = (self.missing(), kind.as_str());
        let changed = self.faults.len() - missing;
        let bytes = HumanBytes(self.bytes);
        let whole = self.whole;
        lines(&self.faults)
            + &format!(
                "{whole} pictures ({bytes}) are in {kind}, whole and right; {missing} missing, {changed} not right"
            )
    }

    fn as_json(&self, kind: StorageKind) -> Json {
        json!({
            "storage": kind.as_str(),
            "whole": self.whole,
            "bytes": self.bytes,
            "missing": self.missing(),
            "faults": self.faults.iter().map(Fault::as_json).collect::<Vec<_>>(),
            "stopped": self.stopped.as_ref().map(in_full),
        })
    }
}

impl Fault {
    fn state(&self) -> &'static str {
        if self.is_missing { "missing" } else { "not right" }
    }

    fn as_json(&self) -> Json {
        json!({ "key": self.key, "state": self.state(), "why": self.why })
    }
}

/// A line for each.
fn lines(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("{} {}: {}\n", fault.state(), fault.key, fault.why)).collect()
}

/// Says it; what the program ends with.
fn end(text: &str, faults: &[Fault], stopped: Option<&Error>, hint: &str) -> ExitCode {
    let printed = print(text);
    match stopped {
        Some(error) => fail(error_code(error), format_args!("{}; {hint}", in_full(error))),
        None if faults.is_empty() => printed,
        None => exit::DATA.into(),
    }
}
