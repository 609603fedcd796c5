//! What a transformation will cost, known from the headers alone: for deciding whether there is room for it.
//!
//! Memory is bounded from above: buffers that are alive together are counted at their largest, so that work admitted by its
//! prediction does not pass the budget. Time is an estimate for one thread, from nanoseconds a pixel that were measured.

use std::time::Duration;

use super::{encode, plan, probe::Probe};
use crate::domain::{
    error::Result,
    format::Format,
    limits::Limits,
    transform::{Filter, Mark, Operation, Profile, Quality, Source, Spec},
};

/// What a transformation needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Bytes at the worst moment, beside the source's own.
    pub memory: u64,
    /// One thread's time.
    pub time: Duration,
}

/// What is there whatever the size of the picture: tables, the contexts of codecs.
const BASE: u64 = 4 << 20;
/// Shaping text: the fonts' tables and the glyphs.
const TEXT: u64 = 8 << 20;
/// Judging a sample of the picture, for `quality: "auto"`.
const JUDGING: u64 = 64 << 20;
/// How often a picture is encoded while a quality is searched.
const TRIES: u64 = 7;
/// Rows that are held in floats while a picture is resized, in rows of the result, with what the kernel reaches.
const STRIP: u64 = 64 + 8;

/// What making of a picture that is `probe` what `spec` says will cost.
///
/// # Errors
/// `image_too_large`, `transform_impossible`: what [`super::transform`] refuses before it decodes.
pub fn predict(spec: &Spec, probe: &Probe, limits: &Limits) -> Result<Cost> {
    let source = Source {
        format: probe.format,
        has_alpha: probe.has_alpha,
        is_animated: probe.frames > 1,
        focus: None,
    };
    let format = spec.output(source);
    let frames = if encode::is_animated(format) { probe.frames.max(1) } else { 1 };
    let view = plan::view(probe, &spec.operations);
    let (width, height) = view.map_or((probe.width, probe.height), |(view, _)| view.size);
    let first = Raster {
        width: width.into(),
        height: height.into(),
        frames: frames.into(),
        sample: if plan::keeps_sixteen(probe, format) { 2 } else { 1 },
    };
    let sizes = plan::most((probe.width, probe.height), frames, &spec.operations, limits)?;

    let mut memory = first.all() + first.one() + first.pixels() * decoding(probe.format);
    let mut time = first.pixels() * first.frames * reading(probe.format);
    if probe.orientation > 1 {
        time += first.pixels() * first.frames * 4;
    }
    let mut before = first;
    for (operation, (width, height)) in spec.operations.iter().zip(sizes) {
        let after = Raster { width: width.into(), height: height.into(), ..first };
        // All frames at the larger of both sizes, and the one being worked on.
        let held = before.all().max(after.all()) + after.one();
        memory = memory.max(held + beside(operation, spec.profile, before, after));
        time += working(operation, spec.profile, before, after);
        before = after;
    }
    let encodings = if spec.max_bytes.is_some() { 1 + TRIES } else { 1 };
    let mut encoding = before.pixels() * before.frames * writing_memory(format);
    if matches!(spec.quality(format), Quality::Auto(_)) {
        encoding = encoding.max(JUDGING);
        time += TRIES * 60_000_000;
    }
    memory = memory.max(before.all() + encoding);
    time += encodings * before.pixels() * before.frames * writing(format, spec);
    Ok(Cost { memory: memory + BASE, time: Duration::from_nanos(time) })
}

/// A picture on its way.
#[derive(Clone, Copy)]
struct Raster {
    width: u64,
    height: u64,
    frames: u64,
    /// Bytes of one sample.
    sample: u64,
}

impl Raster {
    /// Pixels of one frame.
    fn pixels(self) -> u64 {
        self.width * self.height
    }

    /// Bytes of one frame.
    fn one(self) -> u64 {
        self.pixels() * 4 * self.sample
    }

    /// Bytes of all frames.
    fn all(self) -> u64 {
        self.one() * self.frames
    }
}

/// Bytes a pixel that a decoder needs beside the pixels it gives: planes, coefficients, what is not yet RGBA.
const fn decoding(format: Format) -> u64 {
    match format {
        // Progressive files keep all coefficients, of two bytes.
        Format::Jpeg => 10,
        Format::Webp | Format::Gif => 6,
        Format::Avif => 12,
        // Floats, several planes of them.
        Format::Jxl => 40,
        Format::Svg => 16,
        // As they are stored, and sixteen bits deep before they are brought to eight.
        Format::Tiff => 16,
        // Floats, as stored and as RGBA.
        Format::Hdr => 32,
        Format::Exr => 40,
        _ => 8,
    }
}

/// Bytes that a step holds beside the frame it is given and the one it makes.
fn beside(operation: &Operation, profile: Profile, before: Raster, after: Raster) -> u64 {
    match operation {
        Operation::Resize(_) if profile == Profile::Best => {
            // A strip in floats, before and after its rows were shortened.
            let rows =
                (STRIP * before.height).div_ceil(after.height.max(1)).min(before.height + STRIP);
            (rows * before.width + rows * after.width + STRIP * after.width) * 16
        }
        Operation::Resize(_) => before.one() + after.width * before.height * 4 * before.sample,
        Operation::Filter(Filter::Sharpen(_)) => before.one() + before.height * 16 * 20,
        Operation::Filter(Filter::Blur(_)) => before.height.max(before.width) * 16 * 20,
        Operation::Watermark(watermark) => match watermark.mark {
            Mark::Text { .. } => TEXT + 2 * after.one(),
            // As large as any picture may be when it is decoded, and fitted into this one then.
            Mark::Image(_) => 3 * after.one(),
        },
        _ => 0,
    }
}

/// Bytes a pixel that an encoder needs beside the pixels it is given, its result included.
const fn writing_memory(format: Format) -> u64 {
    match format {
        Format::Jpeg => 8,
        Format::Webp => 16,
        Format::Avif => 40,
        Format::Gif => 12,
        _ => 16,
    }
}

/// Nanoseconds a pixel.
const fn reading(format: Format) -> u64 {
    match format {
        Format::Jpeg => 12,
        Format::Png | Format::Tiff => 10,
        Format::Webp => 14,
        Format::Avif => 15,
        Format::Jxl => 60,
        Format::Svg | Format::Hdr | Format::Exr => 40,
        _ => 8,
    }
}

fn working(operation: &Operation, profile: Profile, before: Raster, after: Raster) -> u64 {
    let (from, to) = (before.pixels() * before.frames, after.pixels() * after.frames);
    match operation {
        Operation::Resize(_) if profile == Profile::Best => from * 8 + to * 40,
        Operation::Resize(_) => from * 3 + to * 8,
        Operation::Rotate(degrees) if degrees % 90 != 0 => to * 80,
        Operation::Filter(Filter::Blur(_) | Filter::Sharpen(_)) => to * 80,
        Operation::Watermark(_) => 20_000_000 + to * 15,
        _ => from * 2 + to * 5,
    }
}

/// Nanoseconds a pixel.
const fn writing(format: Format, spec: &Spec) -> u64 {
    match (format, spec.profile) {
        (Format::Jpeg, _) => 12,
        (Format::Png, Profile::Best) => 120,
        (Format::Png, Profile::Fast) => 25,
        (Format::Webp, Profile::Best) => 120,
        (Format::Webp, Profile::Fast) => 60,
        (Format::Avif, Profile::Best) => 800,
        (Format::Avif, Profile::Fast) => 200,
        (Format::Gif, _) => 150,
        (Format::Tiff, _) => 50,
        _ => 8,
    }
}
