//! What a transformation will cost, known from the headers alone: for deciding whether there is room for it.
//!
//! Memory is bounded from above: buffers that are alive together are counted at their largest, so that work admitted by its
//! prediction does not pass the budget. Time is an estimate for one thread, from nanoseconds a pixel that were measured.
//! `tests/predict.rs` holds the bound against what the process takes, the codecs in C included.

use std::{collections::BTreeMap, time::Duration};

use super::{
    decode, describe, encode,
    plan::{self, Early, Plan, View},
    probe::Probe,
    reduce::Reduction,
    steps, svg,
};
use crate::domain::{
    error::Result,
    format::Format,
    ids::ImageId,
    limits::Limits,
    transform::{Filter, Mark, Operation, Profile, Quality, Spec, Watermark},
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
const BASE: u64 = 6 << 20;
/// Shaping text: the fonts' tables and the glyphs.
const TEXT: u64 = 8 << 20;
/// Judging a sample of the picture, for `quality: "auto"`: bytes for each pixel of it, beside what encoding it takes.
const JUDGING: u64 = 96;
/// What libwebp's lossless encoder takes whatever the size.
const LOSSLESS: u64 = 24 << 20;
/// What libaom takes whatever the size.
const LIBAOM: u64 = 4 << 20;
/// How often a picture is encoded while the best quality within a bound of bytes is searched.
const TRIES: u64 = 7;
/// How often it mostly is while a quality is searched by its score.
const JUDGED: u64 = 3;
/// Nanoseconds a pixel.
const SCORING: u64 = 50;
/// Nanoseconds a pixel of what was just written.
const REREADING: u64 = 12;

/// What making of a picture that is `probe` what `spec` says will cost; `marks` are the pictures that watermarks show.
///
/// # Errors
/// `image_too_large`, `transform_impossible`: what [`super::transform`] refuses before it decodes.
pub fn predict(
    spec: &Spec,
    probe: &Probe,
    marks: &BTreeMap<ImageId, Probe>,
    limits: &Limits,
) -> Result<Cost> {
    let Plan { format, frames, sixteen, early } = Plan::of(probe, spec);
    let kind =
        Raster { frames: frames.into(), sample: if sixteen { 2 } else { 1 }, ..Raster::of((0, 0)) };
    let raster = |(width, height): (u32, u32)| Raster { width, height, ..kind };
    let sizes = plan::most((probe.width, probe.height), frames, &spec.operations, limits)?;
    let early = early.ok();
    let view = early.as_ref().map(|early| early.view);
    let mut before = raster(early.as_ref().map_or((probe.width, probe.height), Early::size));
    let mut cost = match view {
        Some(View::Reduced(reduction)) => reducing(probe, &reduction, before),
        _ => decoding(probe, before),
    };
    let (count, left) = early.map_or((0, None), |early| (early.count, early.left));
    let mut work = |operation: &Operation, size| {
        let after = raster(size);
        cost = cost.then(working(operation, before, after, marks, limits));
        before = after;
    };
    if let (Some(left), Some(size)) = (&left, count.checked_sub(1).and_then(|last| sizes.get(last)))
    {
        work(left, *size);
    }
    for (operation, size) in spec.operations.iter().zip(sizes).skip(count) {
        work(operation, size);
    }
    let is_opaque = !probe.has_alpha && stays_opaque(&spec.operations);
    cost = cost.then(writing(format, spec, before, is_opaque));
    Ok(Cost { memory: cost.memory + BASE, ..cost })
}

/// What [`super::describe`] of such a picture will cost.
pub fn predict_description(probe: &Probe, limits: &Limits) -> Cost {
    let (first, spec) = (Raster::of((probe.width, probe.height)), describe::spec());
    let mut cost = decoding(probe, first);
    for operation in &spec.operations {
        let size = steps::size_after(operation, (first.width, first.height)).unwrap_or((0, 0));
        cost = cost.then(working(operation, first, Raster::of(size), &BTreeMap::new(), limits));
    }
    Cost { memory: cost.memory + BASE, ..cost }
}

impl Cost {
    fn new(memory: u64, nanoseconds: u64) -> Self {
        Self { memory, time: Duration::from_nanos(nanoseconds) }
    }

    /// Of one thing after the other.
    fn then(self, next: Self) -> Self {
        Self { memory: self.memory.max(next.memory), time: self.time + next.time }
    }
}

/// Bytes of some rows, for each pixel of the longest side.
const ROWS: u64 = 128;

/// From the file to upright pixels.
fn decoding(probe: &Probe, first: Raster) -> Cost {
    // Samples of sixteen bits are unpacked as such, whatever is made of them.
    let depth = if probe.depth > 8 { 2 } else { 1 };
    let longest = u64::from(first.width.max(first.height));
    let beside = first.pixels() * unpacking(probe) * depth + longest * ROWS;
    // What a drawing lays into each other is known only when it is read.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Some millions.
    let layers = if probe.format == Format::Svg { svg::LAYERS_MEMORY as u64 } else { 0 };
    let beside = beside.max(layers);
    let is_turned = probe.orientation > 1;
    let turning = if is_turned { first.one() } else { 0 };
    let nanoseconds = reading(probe) + if is_turned { 4 } else { 0 };
    Cost::new(first.all() + beside.max(turning), first.pixels() * first.frames * nanoseconds)
}

/// From the file to the upright pixels of a smaller picture.
fn reducing(probe: &Probe, reduction: &Reduction, last: Raster) -> Cost {
    let whole = Raster::of((probe.width, probe.height));
    let (memory, [each, made]) = decode::cost_of_reducing(probe, reduction);
    // Only once the file is let go.
    let turning = if probe.orientation > 1 { last.one() } else { 0 };
    Cost::new(last.one() + memory.max(turning), whole.pixels() * each + last.pixels() * made)
}

/// A picture on its way.
#[derive(Clone, Copy)]
struct Raster {
    width: u32,
    height: u32,
    frames: u64,
    /// Bytes of one sample.
    sample: u64,
}

impl Raster {
    /// One frame of eight bits a channel.
    fn of((width, height): (u32, u32)) -> Self {
        Self { width, height, frames: 1, sample: 1 }
    }

    fn size(self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Pixels of one frame.
    fn pixels(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
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

/// Bytes a pixel that a decoder of samples of eight bits needs beside the pixels it gives: planes, coefficients, what is not yet
/// RGBA.
const fn unpacking(probe: &Probe) -> u64 {
    match probe.format {
        // All coefficients are kept, of two bytes; inks, which are not read in rows, are four.
        Format::Jpeg if probe.in_passes && probe.in_rows => 6,
        Format::Jpeg if probe.in_passes => 8,
        // Row by row.
        Format::Jpeg => 0,
        Format::Png if probe.in_rows => 0,
        // As they are stored, then in the machine's order, then as RGBA.
        Format::Png if probe.frames == 1 => 8,
        // A frame, what it is laid on, and what was there before.
        Format::Png => 16,
        Format::Gif => 13,
        Format::Webp if probe.frames > 1 => 18,
        Format::Webp => 6,
        // Planes and what dav1d predicts from; a cut, beside all of it.
        Format::Avif => 10,
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

/// One step.
fn working(
    operation: &Operation,
    before: Raster,
    after: Raster,
    marks: &BTreeMap<ImageId, Probe>,
    limits: &Limits,
) -> Cost {
    let (from, to) = (before.pixels() * before.frames, after.pixels() * after.frames);
    // One frame after the other: as it was and as it becomes, while the rest is as it was or as it will be.
    let rest = before.all().max(after.all()) - before.one().max(after.one());
    let held = rest + before.one() + after.one();
    let longest = u64::from(before.width.max(before.height));
    let (beside, nanoseconds) = match operation {
        Operation::Resize(resize) => {
            let way = steps::resizing(resize, before.size(), before.sample);
            // Deep samples are mixed in floats.
            let time = if before.sample > 1 { from * 8 + to * 40 } else { from * 4 + to * 12 };
            // On a canvas, with what was made before it was laid there.
            let canvas = if resize.pads() { after.one() } else { 0 };
            (way + canvas, time)
        }
        Operation::Rotate(degrees) if degrees % 90 != 0 => (longest * 16, to * 80),
        Operation::Filter(Filter::Sharpen(_)) => (before.one() + longest * BLURRED, to * 80),
        Operation::Filter(Filter::Blur(_)) => (longest * BLURRED, to * 80),
        Operation::Watermark(watermark) => {
            let mark = marking(watermark, after.size(), marks, limits);
            (mark.memory, nanoseconds_of(mark.time) + to * 15)
        }
        _ => (longest * 16, from * 2 + to * 5),
    };
    Cost::new(held + beside, nanoseconds)
}

/// Bytes of floats for each pixel of the columns that are blurred together, and of their copies.
const BLURRED: u64 = 18 * 2 * 16;

/// Making a mark for frames of size `frame`.
fn marking(
    watermark: &Watermark,
    frame: (u32, u32),
    marks: &BTreeMap<ImageId, Probe>,
    limits: &Limits,
) -> Cost {
    let turned = |size| steps::turned_size(watermark.rotate, size);
    match &watermark.mark {
        Mark::Text { text, .. } => {
            // Drawn with air around it, cut to what is drawn, and turned.
            let size = steps::most_letters(text, watermark.extent, frame, limits);
            let (drawn, turned) = (Raster::of(size), Raster::of(turned(size)));
            Cost::new(TEXT + drawn.one() + drawn.one().max(turned.one()), 20_000_000)
        }
        Mark::Image(id) => {
            let Some(probe) = marks.get(id) else { return Cost::default() };
            let whole = Raster::of((probe.width, probe.height));
            let resize = steps::mark_size(watermark.extent, frame);
            let size = steps::resized(&resize, whole.size());
            let operation = Operation::Resize(resize);
            let (mark, turned) = (Raster::of(size), Raster::of(turned(size)));
            let made = working(&operation, whole, mark, marks, limits);
            decoding(probe, whole).then(made).then(Cost::new(mark.one() + turned.one(), 0))
        }
    }
}

fn nanoseconds_of(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Whether what has no transparent pixel has none after that.
fn stays_opaque(operations: &[Operation]) -> bool {
    operations.iter().all(|operation| match operation {
        Operation::Resize(resize) => !resize.pads(),
        Operation::Rotate(degrees) => degrees % 90 == 0,
        Operation::Round(_) | Operation::Border(_) => false,
        _ => true,
    })
}

/// From pixels to the file.
fn writing(format: Format, spec: &Spec, last: Raster, is_opaque: bool) -> Cost {
    let encodings = if spec.max_bytes.is_some() { 1 + TRIES } else { 1 };
    let packing = packing(format, spec, last, is_opaque);
    let encoding = encoding(format, spec, last, is_opaque);
    let mut memory = last.pixels() * packing * last.sample;
    if format == Format::Webp && spec.lossless {
        memory += LOSSLESS;
    }
    if format == Format::Avif {
        memory += LIBAOM;
    }
    // Written frames wait for those that follow.
    memory += last.pixels() * (last.frames - 1) * written(format);
    let mut time = encodings * last.pixels() * last.frames * encoding;
    if spec.max_bytes.is_some() {
        memory += last.pixels() * last.frames * written(format);
    }
    if matches!(spec.quality(format), Quality::Auto(_)) {
        let judged = encode::judged(last.size());
        memory = memory.max(judged * (packing + JUDGING));
        time += JUDGED * judged * (encoding + REREADING + SCORING);
    }
    Cost::new(last.all() + memory, time)
}

/// Bytes a pixel that an encoder of samples of eight bits needs beside the pixels it is given, its result included.
fn packing(format: Format, spec: &Spec, last: Raster, is_opaque: bool) -> u64 {
    match format {
        Format::Jpeg => encode::held_for_jpeg(spec, last.size()),
        Format::Webp if spec.lossless => 84,
        // Luma and chroma, and the file; alpha is packed without loss.
        Format::Webp => {
            let packing = if is_opaque && last.frames == 1 { 12 } else { 42 };
            // What the file of a small one is packed from.
            packing + if is_thorough(spec, last) { 8 } else { 0 }
        }
        Format::Avif => encode::held_for_avif(spec),
        Format::Gif => 16,
        Format::Qoi | Format::Bmp => 14,
        _ => 20,
    }
}

/// Whether it is written as WebP with more effort than others.
fn is_thorough(spec: &Spec, last: Raster) -> bool {
    last.frames == 1 && encode::is_thorough(spec, last.size())
}

/// Bytes a pixel of a file at its worst.
const fn written(format: Format) -> u64 {
    match format {
        Format::Gif => 2,
        _ => 5,
    }
}

/// Nanoseconds a pixel.
const fn reading(probe: &Probe) -> u64 {
    match probe.format {
        Format::Jpeg if probe.in_passes => 10,
        Format::Jpeg => 5,
        Format::Png | Format::Tiff => 12,
        Format::Webp => 12,
        Format::Avif => 15,
        Format::Jxl => 60,
        Format::Svg | Format::Hdr | Format::Exr => 40,
        _ => 8,
    }
}

/// Nanoseconds a pixel.
fn encoding(format: Format, spec: &Spec, last: Raster, is_opaque: bool) -> u64 {
    match (format, spec.profile) {
        (Format::Jpeg, Profile::Best) => 13,
        (Format::Jpeg, Profile::Fast) => 4,
        (Format::Png, Profile::Best) => 90,
        (Format::Png, Profile::Fast) => 20,
        (Format::Webp, _) if spec.lossless => 850,
        // What is small gets more effort.
        (Format::Webp, _) if is_opaque && is_thorough(spec, last) => 75,
        (Format::Webp, _) if is_opaque => 28,
        // What is packed without loss takes the most of it.
        (Format::Webp, _) => 130,
        (Format::Avif, Profile::Best) if encode::is_whole(last.size()) => 1000,
        (Format::Avif, Profile::Best) => 400,
        (Format::Avif, Profile::Fast) if encode::is_whole(last.size()) => 400,
        (Format::Avif, Profile::Fast) => 100,
        (Format::Gif, _) => 150,
        (Format::Tiff, _) => 50,
        _ => 8,
    }
}
