//! Making a picture smaller while it is decoded: rows go in as the decoder has them, and rows of the result come out. Lanczos3 in
//! linear light, in whole numbers, so that every processor makes the same of it.
//!
//! ```text
//!   decoder ─▶ convert ─────▶ mixer ────────────────────────▶ paint
//!   samples    light,         columns and rows of the kernel,  samples
//!              14 bits        as few rows held as it needs
//! ```

mod beside;
mod colors;
mod convert;
mod convolve;
mod kernel;
mod lanes;
mod light;
mod mixer;
mod paint;
mod pixels;
#[cfg(test)]
mod tests;

use std::ops::Range;

pub(super) use self::light::Light;
use self::{kernel::Axis, mixer::Kernels};
use super::{
    control::{Control, Failure},
    picture::Raster,
    planes::{Part, Planes, Shape},
    rows::Rows,
};
use crate::domain::{
    error::{Code, Error},
    transform::Profile,
};

/// Which part of a picture becomes how large.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reduction {
    /// Left, top, width and height of the part, in pixels, to fractions of one.
    pub part: [f64; 4],
    /// Left, top, width and height of what may be looked at: it encloses the part.
    pub within: [u32; 4],
    /// The size of the picture.
    pub from: (u32, u32),
    /// The size that the part gets.
    pub size: (u32, u32),
    /// Whether quality or speed counts for more.
    pub profile: Profile,
}

/// What of a picture's detail is left before it is mixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Detail {
    /// Eighths of its size that the picture is decoded at: 8, 4, 2 or 1.
    pub eighths: u32,
    /// Whether two by two pixels are averaged.
    pub is_averaged: bool,
}

impl Detail {
    /// All of it.
    pub(super) const ALL: Self = Self { eighths: 8, is_averaged: false };

    /// How many rows, and columns, of what is decoded become one.
    fn step(self) -> usize {
        if self.is_averaged { 2 } else { 1 }
    }
}

/// Of fewer samples to one of the result, chroma of half the size is seen to be repeated.
const SMOOTH: f64 = 2.5;
/// Of so many pixels of the source to one of the result on, two by two are averaged first: the finest detail that is left is a little
/// less exact then, by a tenth of a point of SSIMULACRA2 at the most.
const MANY: f64 = 3.5;

impl Reduction {
    /// Pixels of the source to one of the result, along the axis where there are fewer.
    pub(super) fn ratio(&self) -> f64 {
        let [_, _, across, down] = self.part;
        (across / f64::from(self.size.0)).min(down / f64::from(self.size.1))
    }

    /// What detail is needed of luma and chroma that are all decoded.
    pub(super) fn detail(&self) -> Detail {
        let averaged = Detail { is_averaged: true, ..Detail::ALL };
        if self.ratio() >= MANY && self.is_kept_apart(averaged) { averaged } else { Detail::ALL }
    }

    /// Whether no sample of which that detail is left holds both what may be looked at and what may not.
    pub(super) fn is_kept_apart(&self, detail: Detail) -> bool {
        let [x, y, width, height] = self.within;
        let pixels = if detail.is_averaged { 2 } else { 8 / detail.eighths.max(1) };
        let is_edge = |at: u32, side: u32| at == side || at.is_multiple_of(pixels);
        let (across, down) = self.from;
        is_edge(x, across)
            && is_edge(y, down)
            && is_edge(x + width, across)
            && is_edge(y + height, down)
    }

    /// Whether planes of that shape, of which that detail is left, lose nothing by chroma that is repeated: of few samples to one of the
    /// result it has to be drawn smoothly, unless speed counts for more.
    pub(super) fn suits(&self, shape: Shape, detail: Detail) -> bool {
        let is_whole = matches!(shape, Shape::Grey | Shape::Color { across: 1, down: 1 });
        let left = self.ratio() * f64::from(detail.eighths) / 8.0;
        is_whole || self.profile == Profile::Fast || left >= SMOOTH
    }

    /// The same of a picture as it is stored, which is put upright as `orientation` says, 1 to 8 as EXIF counts them: to the size
    /// `upright`.
    pub(super) fn stored(self, orientation: u8, upright: (u32, u32)) -> Self {
        let [left, top, across, down] = self.part;
        let [x, y, width, height] = self.within;
        let (right, below) =
            (f64::from(upright.0) - left - across, f64::from(upright.1) - top - down);
        let (from_right, from_below) =
            (upright.0.saturating_sub(x + width), upright.1.saturating_sub(y + height));
        let (part, within) = match orientation {
            2 => ([right, top, across, down], [from_right, y, width, height]),
            3 => ([right, below, across, down], [from_right, from_below, width, height]),
            4 => ([left, below, across, down], [x, from_below, width, height]),
            5 => ([top, left, down, across], [y, x, height, width]),
            6 => ([top, right, down, across], [y, from_right, height, width]),
            7 => ([below, right, down, across], [from_below, from_right, height, width]),
            8 => ([below, left, down, across], [from_below, x, height, width]),
            _ => (self.part, self.within),
        };
        let turned = |(width, height): (u32, u32)| {
            if (5..=8).contains(&orientation) { (height, width) } else { (width, height) }
        };
        Self { part, within, from: turned(self.from), size: turned(self.size), ..self }
    }

    /// Both axes, of a picture of which that detail is left.
    fn axes(&self, detail: Detail) -> [Axis; 2] {
        let [left, top, across, down] = self.part;
        let [x, y, width, height] = self.within;
        let scale = f64::from(detail.eighths) / 8.0 / if detail.is_averaged { 2.0 } else { 1.0 };
        let axis = |from: u32, side: u32, start: f64, length: f64, count: u32| Axis {
            first: whole(f64::from(from) * scale),
            end: whole((f64::from(from) + f64::from(side)) * scale - 1e-6) + 1,
            start: start * scale,
            length: length * scale,
            count: count as usize,
            is_averaged: detail.is_averaged,
        };
        [axis(x, width, left, across, self.size.0), axis(y, height, top, down, self.size.1)]
    }

    /// Bytes that are held while a picture of which that detail is left goes through, beside the result.
    pub(super) fn held(&self, detail: Detail) -> u64 {
        let [across, down] = self.axes(detail);
        mixer::held(across, down, 4) + beside::held(self.within) + (1 << 16)
    }
}

/// For a decoder that handed over fewer rows than the header says.
fn too_few() -> Failure {
    Error::new(Code::ImageCorrupt, "the picture has fewer rows than its header says").into()
}

/// The sample that a place lies in.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // The cast saturates.
fn whole(place: f64) -> usize {
    place.max(0.0) as usize
}

/// A reduction that is prepared.
pub(super) struct Reducer {
    size: (u32, u32),
    detail: Detail,
    kernels: Kernels,
}

impl Reducer {
    /// For pictures of which that detail is left.
    pub(super) fn new(reduction: &Reduction, detail: Detail) -> Self {
        let [across, down] = reduction.axes(detail);
        Self { size: reduction.size, detail, kernels: Kernels::new(across, down) }
    }

    /// How many pixels are to be decoded.
    fn pixels(&self) -> usize {
        let step = self.detail.step();
        self.kernels.columns().len() * step * self.kernels.rows().len() * step
    }

    /// What is to be decoded.
    pub(super) fn part(&self) -> Part {
        let scale = self.detail.step();
        // Of the last column and row there may be only one half: no harm is done by asking for the other.
        let bound = |sample: usize| u32::try_from(sample * scale).unwrap_or(u32::MAX);
        let range = |needed: Range<usize>| bound(needed.start)..bound(needed.end);
        Part {
            eighths: self.detail.eighths,
            columns: range(self.kernels.columns()),
            rows: range(self.kernels.rows()),
        }
    }

    /// Reduces what a decoder hands over, which was asked for [`Reducer::part`].
    ///
    /// # Errors
    /// The decoder's, and what is asked of the control.
    pub(super) fn planes(
        self,
        source: &mut dyn Planes,
        light: &Light,
        control: &Control,
    ) -> Result<Raster<u8>, Failure> {
        colors::reduce(self, source, light, control)
    }

    /// Reduces what a decoder hands over. No pixels are averaged.
    ///
    /// # Errors
    /// The decoder's, and what is asked of the control.
    pub(super) fn rows(
        self,
        source: &mut dyn Rows,
        light: &Light,
        control: &Control,
    ) -> Result<Raster<u8>, Failure> {
        pixels::reduce(self, source, light, control)
    }
}
