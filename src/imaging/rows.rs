//! A picture row by row, handed over while it is decoded: nothing ever holds all of it.

use super::{control::Failure, picture::Raster};

/// A decoder that hands over rows, from top to bottom.
pub(super) trait Rows {
    /// Width and height.
    fn size(&self) -> (u32, u32);

    /// Whether any pixel may be transparent. When not, every alpha is full.
    fn has_alpha(&self) -> bool;

    /// Whether all of it is decoded before: rows cost nothing then.
    fn is_decoded(&self) -> bool {
        false
    }

    /// The next row: red, green, blue and straight alpha of every pixel. `None` after the last one.
    ///
    /// # Errors
    /// `image_corrupt` as soon as the file turns out to be damaged or to end too early. What is asked of the control.
    fn next(&mut self) -> Result<Option<&[u8]>, Failure>;
}

/// A picture that is there already.
pub(super) struct Whole<'p> {
    picture: &'p Raster<u8>,
    has_alpha: bool,
    next: usize,
}

impl<'p> Whole<'p> {
    /// Hands over the rows of `picture`.
    pub(super) fn new(picture: &'p Raster<u8>, has_alpha: bool) -> Self {
        Self { picture, has_alpha, next: 0 }
    }
}

impl Rows for Whole<'_> {
    fn size(&self) -> (u32, u32) {
        self.picture.dimensions()
    }

    fn has_alpha(&self) -> bool {
        self.has_alpha
    }

    fn is_decoded(&self) -> bool {
        true
    }

    fn next(&mut self) -> Result<Option<&[u8]>, Failure> {
        let length = self.picture.width() as usize * 4;
        let start = self.next * length;
        self.next += 1;
        Ok(self.picture.get(start..start + length).filter(|row| !row.is_empty()))
    }
}
