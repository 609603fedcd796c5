//! What was done, and how long it took.

use std::time::{Duration, Instant};

use super::Timings;

/// One step of a transformation.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What it is called: `decode`, `upright`, the name of an operation, `encode`.
    pub name: &'static str,
    /// What it did in particular, or why there was nothing to do.
    pub detail: String,
    /// Whether there was nothing to do.
    pub skipped: bool,
    /// Width and height of the picture after it.
    pub size: (u32, u32),
    /// How long it took.
    pub time: Duration,
}

/// The steps so far.
pub(super) struct Trace {
    steps: Vec<Step>,
    last: Instant,
}

impl Trace {
    pub(super) fn start() -> Self {
        Self { steps: Vec::new(), last: Instant::now() }
    }

    /// A step that ends now and began when the last one ended: what there is to say of it, and whether there was nothing
    /// to do.
    pub(super) fn step(&mut self, name: &'static str, what: (String, bool), size: (u32, u32)) {
        let now = Instant::now();
        let (detail, skipped) = what;
        self.steps.push(Step { name, detail, skipped, size, time: now - self.last });
        self.last = now;
    }

    /// The times, summed up.
    pub(super) fn timings(&self) -> Timings {
        let mut timings = Timings::default();
        for step in &self.steps {
            match step.name {
                "decode" | "upright" => timings.decode += step.time,
                "encode" => timings.encode += step.time,
                _ => timings.process += step.time,
            }
        }
        timings
    }

    pub(super) fn finish(self) -> Vec<Step> {
        self.steps
    }
}
