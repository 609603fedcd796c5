//! A picture as JPEG holds it, luma and chroma apart, handed over in bands of rows while it is decoded: nothing ever holds all of it.

use std::ops::Range;

use super::control::Failure;

/// What of a picture is decoded, and how large.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// Eighths of the stored size: 8, 4, 2 or 1. What is decoded covers exactly width × eighths / 8 by height × eighths / 8, which
    /// need not be whole: the last sample of a row, and the last row, may lie partly beyond the picture.
    pub eighths: u32,
    /// The columns that are looked at, in samples of luma at that scale. Samples outside may hold anything.
    pub columns: Range<u32>,
    /// The rows that are looked at, in samples of luma at that scale. Bands that have none of them are not handed over.
    pub rows: Range<u32>,
}

/// How the planes lie to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// One plane, of luma.
    Grey,
    /// Three. So many samples of luma to one of chroma, across and down: 1 or 2.
    Color {
        /// Across.
        across: usize,
        /// Down.
        down: usize,
    },
}

/// Rows of a plane.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plane<'a> {
    /// Row after row, `stride` samples from one to the next; the last row has as many as the others. At least [`Plane::SLACK`]
    /// samples, of any value, follow the last one of the picture in every row.
    pub samples: &'a [u8],
    /// See there.
    pub stride: usize,
    /// Samples of a row that belong to the picture.
    pub width: usize,
    /// How many rows.
    pub rows: usize,
}

impl Plane<'_> {
    /// What vector code may read past the end of a row.
    pub(super) const SLACK: usize = 64;

    /// No plane.
    pub(super) const NONE: Self = Self { samples: &[], stride: 0, width: 0, rows: 0 };
}

/// Rows that follow each other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Band<'a> {
    /// The row of the picture, at the scale it is decoded at, that the first row of luma is: a multiple of eight.
    pub top: u32,
    /// Luma, then how much bluer and how much redder (Rec. 601, full range, 128 is neither); of a grey picture the first alone.
    /// Chroma has as many rows as luma, or half as many, rounded up; the same across.
    pub planes: [Plane<'a>; 3],
}

/// A decoder that hands over planes.
pub(super) trait Planes {
    /// How they lie.
    fn shape(&self) -> Shape;

    /// The next band, from top to bottom: an even number of rows of luma but in the last band of the picture. `None` after the
    /// last row that was asked for.
    ///
    /// # Errors
    /// `image_corrupt` as soon as the file turns out to be damaged or to end too early: nothing is filled in. What is asked of the
    /// control.
    fn next(&mut self) -> Result<Option<Band<'_>>, Failure>;
}
