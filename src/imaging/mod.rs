//! Floor 1: pictures, bytes to bytes. Pure and synchronous: no tasks, no I/O.
//!
//! [`probe`] says what a file is by its headers alone. [`transform`] is the pipeline:
//!
//! ```text
//!   probe ─▶ plan ─▶ decode ─▶ colour ─▶ upright ─▶ each operation of the spec ─▶ encode
//!   headers  limits  pixels    sRGB      EXIF
//! ```
//!
//! Where the first operations make a picture smaller, that is done row by row while it is decoded (`reduce`).

mod avif;
mod blurhash;
mod codecs;
mod color;
mod control;
mod decode;
mod describe;
mod encode;
mod explain;
mod fonts;
mod foretell;
mod icon;
mod inspect;
mod metadata;
mod picture;
mod plan;
mod planes;
mod predict;
mod probe;
mod reduce;
mod rows;
mod sample;
mod score;
mod steps;
mod svg;
mod threads;
mod tiff;
mod trace;
mod watched;
mod webp;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, collections::BTreeMap, io::Cursor, time::Duration};

use bytes::Bytes;

pub use self::{
    codecs::{Codec, Simd, codecs, compiled, processor, slow},
    control::{Control, Failure},
    describe::describe,
    foretell::{Foreseen, Foretold, foretell},
    inspect::{Details, Embedded, inspect},
    predict::{Cost, predict, predict_description},
    probe::{Probe, probe},
    threads::{Expected, Threads},
    trace::Step,
};
use self::{
    decode::{Decoded, Wanted},
    encode::Encoded,
    picture::Pixels,
    plan::Plan,
    trace::Trace,
};
use crate::domain::{
    format::Format,
    ids::ImageId,
    limits::Limits,
    transform::{Operation, Spec},
};

/// Goes up whenever the same bytes and spec may give another picture than before.
pub const ENGINE: i32 = 7;

/// A picture that was made.
#[derive(Debug, Clone)]
pub struct Output {
    /// The file.
    pub bytes: Vec<u8>,
    /// What the bytes are.
    pub format: Format,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// What was done and what was not, in order, and how long each step took.
    pub steps: Vec<Step>,
    /// Where the time went.
    pub timings: Timings,
}

/// Where the time went.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timings {
    /// From bytes to upright pixels.
    pub decode: Duration,
    /// All operations. Where a picture is made smaller while it is decoded, what that takes is here.
    pub process: Duration,
    /// From pixels to bytes.
    pub encode: Duration,
}

impl Timings {
    /// The value of a `Server-Timing` header, in milliseconds.
    pub fn server_timing(&self) -> String {
        [("decode", self.decode), ("resize", self.process), ("encode", self.encode)]
            .map(|(name, time)| format!("{name};dur={:.1}", time.as_secs_f64() * 1e3))
            .join(", ")
    }
}

/// The files of the pictures that watermarks show.
pub type Overlays = BTreeMap<ImageId, Bytes>;

/// Makes of `input` what `spec` says, with what [`Spec::overlays`] names taken from `overlays`. The answer depends on
/// nothing else but [`ENGINE`].
pub fn transform(
    input: &[u8],
    overlays: &Overlays,
    spec: &Spec,
    limits: &Limits,
    control: &Control,
) -> Result<Output, Failure> {
    let mut trace = Trace::start();
    control.check()?;
    let probe = probe(Cursor::new(input), limits)?;
    let size = (probe.width, probe.height);
    let plan = Plan::of(&probe, spec);
    plan.check(size, &spec.operations, limits)?;

    let format = plan.format;
    let icc = spec.keep.icc && encode::holds_icc(format);
    let view = plan.early.as_ref().ok().map(|early| early.view);
    let wanted = Wanted { frames: plan.frames, sixteen: plan.sixteen, icc, view };
    let Decoded { mut picture, mut how, is_early, mixing } =
        decode::decode(input, &probe, wanted, limits, control)?;
    if !spec.operations.is_empty()
        && let Err(why) = plan.early
    {
        how = format!("as a whole, as {why}");
    }
    picture.metadata = metadata::read(input, probe.format, spec.keep);
    let colors = if picture.icc.is_some() { ", its colours kept" } else { ", in sRGB" };
    let sixteen = matches!(picture.first.pixels, Pixels::Sixteen(_));
    let detail = explain::decode(&probe, plan.frames, sixteen, colors, &how);
    trace.step("decode", (detail, false), size);
    trace.lend(mixing);
    steps::upright(&mut picture, probe.orientation, control)?;
    trace.step("upright", explain::upright(probe.orientation), picture.size());

    let mut operations = spec.operations.clone();
    if let Ok(early) = &plan.early
        && is_early
    {
        let mut before = size;
        for (index, operation) in
            (1..).zip(operations.drain(..early.count.min(spec.operations.len())))
        {
            let is_last = index == early.count;
            let after =
                if is_last { picture.size() } else { steps::size_after(&operation, before)? };
            let (text, is_skipped) = explain::operation(&operation, false, spec, before, after);
            let what = (text + ", as it was decoded", is_skipped);
            trace.step(explain::name(&operation), what, after);
            before = after;
        }
        trace.repay();
        operations.splice(..0, early.left.clone());
    }
    let mut operations = operations.as_slice();
    while let Some((operation, rest)) = operations.split_first() {
        operations = rest;
        let before = picture.size();
        let settled = steps::settle(&picture, operation, control)?;
        let (operation, is_found) = (&*settled, matches!(settled, Cow::Owned(_)));
        steps::apply(&mut picture, operation, spec, overlays, limits, control)?;
        let after = picture.size();
        if matches!(operation, Operation::Trim(_)) {
            // Only now is it known what the rest works on.
            plan.check(after, rest, limits)?;
        }
        let what = explain::operation(operation, is_found, spec, before, after);
        trace.step(explain::name(operation), what, after);
    }

    control.check()?;
    let Encoded { bytes, detail } = encode::encode(&picture, format, spec, control)?;
    control.check()?;
    let (width, height) = picture.size();
    trace.step(
        "encode",
        (explain::encode(format, &detail, spec, (width, height)), false),
        (width, height),
    );
    let timings = trace.timings();
    Ok(Output { bytes, format, width, height, steps: trace.finish(), timings })
}
