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
    /// What the last steps took that is another's.
    owed: Duration,
}

impl Trace {
    pub(super) fn start() -> Self {
        Self { steps: Vec::new(), last: Instant::now(), owed: Duration::ZERO }
    }

    /// A step that ends now and began when the last one ended: what there is to say of it, and whether there was nothing
    /// to do.
    pub(super) fn step(&mut self, name: &'static str, what: (String, bool), size: (u32, u32)) {
        let now = Instant::now();
        let (detail, skipped) = what;
        self.steps.push(Step { name, detail, skipped, size, time: now - self.last });
        self.last = now;
    }

    /// So much of the last step's time belongs to one that follows.
    pub(super) fn lend(&mut self, time: Duration) {
        if let Some(step) = self.steps.last_mut() {
            self.owed = time.min(step.time);
            step.time -= self.owed;
        }
    }

    /// The last step is the one that it belongs to.
    pub(super) fn repay(&mut self) {
        if let Some(step) = self.steps.last_mut() {
            step.time += std::mem::take(&mut self.owed);
        }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use image::ImageFormat;
    use serde_json::json;

    use super::*;
    use crate::{
        domain::{limits::Limits, transform::Spec},
        imaging::{Control, Overlays, samples, transform},
    };

    #[test]
    fn what_is_done_while_decoding_is_told_apart() {
        let cat = samples::read(samples::CAT);
        let spec = Spec::parse(&json!({"resize": {"width": 90}})).unwrap();
        for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP] {
            let file = samples::written(&cat, format);
            let (limits, control) = (Limits::default(), Control::default());
            let made = transform(&file, &Overlays::new(), &spec, &limits, &control).unwrap();
            let time = |name: &str| made.steps.iter().find(|step| step.name == name).unwrap().time;
            let (decode, resize) = (time("decode"), time("resize"));
            // Some tens of thousands of pixels are read, and mixed.
            assert!(decode > Duration::from_micros(10), "{format:?} {decode:?}");
            assert!(resize > Duration::from_micros(10), "{format:?} {resize:?}");
            assert_eq!(made.timings.process, resize);
            let all = made.timings.decode + made.timings.process + made.timings.encode;
            assert_eq!(all, made.steps.iter().map(|step| step.time).sum());
        }
    }

    #[test]
    fn a_header_tells_milliseconds() {
        let of = Duration::from_micros;
        let timings = Timings { decode: of(1249), process: of(0), encode: of(5_600_000) };
        let told = "decode;dur=1.2, resize;dur=0.0, encode;dur=5600.0";
        assert_eq!(timings.server_timing(), told);
    }
}
