//! Floor 1: pictures, bytes to bytes. Pure and synchronous: no tasks, no I/O.
//!
//! [`probe`] says what a file is by its headers alone. [`transform`] is the pipeline:
//!
//! ```text
//!   probe ─▶ plan ─▶ decode ─▶ colour ─▶ upright ─▶ each operation of the spec ─▶ encode
//!   headers  limits  pixels    sRGB      EXIF
//! ```

mod color;
mod control;
mod decode;
mod encode;
mod picture;
mod plan;
mod probe;
mod steps;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

use std::{
    io::Cursor,
    time::{Duration, Instant},
};

pub use self::{
    control::{Control, Failure},
    probe::{Probe, probe},
};
use crate::domain::{
    format::Format,
    limits::Limits,
    transform::{Source, Spec},
};

/// Goes up whenever the same bytes and spec may give another picture than before.
pub const ENGINE: i32 = 1;

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
    /// Where the time went.
    pub timings: Timings,
}

/// Where the time went.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timings {
    /// From bytes to upright pixels in sRGB.
    pub decode: Duration,
    /// All operations.
    pub process: Duration,
    /// From pixels to bytes.
    pub encode: Duration,
}

/// Makes of `input` what `spec` says. The answer depends on nothing else but [`ENGINE`].
pub fn transform(
    input: &[u8],
    spec: &Spec,
    limits: &Limits,
    control: &Control,
) -> Result<Output, Failure> {
    let started = Instant::now();
    control.check()?;
    let probe = probe(Cursor::new(input), limits)?;
    let format = spec.output(Source { format: probe.format, has_alpha: probe.has_alpha });
    let frames = if encode::is_animated(format) { probe.frames } else { 1 };
    plan::check(&probe, frames, &spec.operations, limits)?;

    let mut picture = decode::decode(input, &probe, frames, limits, control)?;
    steps::upright(&mut picture, probe.orientation, control)?;
    let decoded = Instant::now();

    for operation in &spec.operations {
        steps::apply(&mut picture, operation, spec.background, control)?;
    }
    let processed = Instant::now();

    control.check()?;
    let bytes = encode::encode(&picture, format, spec, control)?;
    control.check()?;
    let (width, height) = picture.size();
    let timings = Timings {
        decode: decoded - started,
        process: processed - decoded,
        encode: processed.elapsed(),
    };
    Ok(Output { bytes, format, width, height, timings })
}
