//! A JPEG in RGBA, row by row: nothing ever holds all of it, but for a file of several scans its coefficients.

use super::turbo::{Color, Decoder};
use crate::imaging::control::{Control, Failure};

/// The rows of a picture while it is decoded, chroma brought to the size of luma.
pub(in crate::imaging) struct Rows<'a> {
    decoder: Decoder<'a>,
    row: Vec<u8>,
    /// Rows that are left.
    left: u32,
}

impl<'a> Rows<'a> {
    /// Begins to decode at so many eighths of the stored size: 8, 4, 2 or 1. `None` of a picture in inks, which only its profile
    /// can bring to colours.
    ///
    /// # Errors
    /// `image_corrupt`; what is asked of the control.
    pub(in crate::imaging) fn open(
        input: &'a [u8],
        eighths: u32,
        control: &'a Control,
    ) -> Result<Option<Self>, Failure> {
        let mut decoder = Decoder::open(input, control)?;
        if decoder.color() == Color::Inks {
            return Ok(None);
        }
        let frame = decoder.plan(eighths, false)?;
        let (row, left) = (vec![0; frame.width as usize * 4], frame.height);
        decoder.start()?;
        Ok(Some(Self { decoder, row, left }))
    }

    /// Width and height at that scale. What is decoded covers exactly the stored size × eighths / 8, which need not be whole: the
    /// last pixel of a row, and the last row, may lie partly beyond the picture.
    pub(in crate::imaging) const fn size(&self) -> (u32, u32) {
        (self.decoder.frame().width, self.decoder.frame().height)
    }

    /// The next row, from top to bottom, of four bytes a pixel; every alpha is full. `None` after the last.
    ///
    /// # Errors
    /// `image_corrupt` as soon as the file turns out to be damaged or to end too early: nothing is filled in. What is asked of the
    /// control.
    pub(in crate::imaging) fn next_row(&mut self) -> Result<Option<&[u8]>, Failure> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.decoder.rows(&mut self.row)?;
        self.left = left;
        if left == 0 {
            self.decoder.finish()?;
        }
        Ok(Some(&self.row))
    }
}

impl crate::imaging::rows::Rows for Rows<'_> {
    fn size(&self) -> (u32, u32) {
        Rows::size(self)
    }

    fn has_alpha(&self) -> bool {
        false
    }

    fn next(&mut self) -> Result<Option<&[u8]>, Failure> {
        self.next_row()
    }
}
