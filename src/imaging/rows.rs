//! A picture handed over row by row while it is decoded.

use super::control::Failure;

/// A decoder that hands over rows, of eight bits a channel.
pub(super) trait Rows {
    /// Width and height.
    fn size(&self) -> (u32, u32);

    /// Whether any pixel may be transparent. When not, every alpha is full.
    fn has_alpha(&self) -> bool;

    /// The next row from top to bottom, in RGBA, colours not multiplied by alpha. `None` after the last one, and only once all of
    /// the file was found to be whole.
    ///
    /// # Errors
    /// `image_corrupt` as soon as the file turns out to be damaged or to end too early: nothing is filled in. What is asked of the
    /// control.
    fn next(&mut self) -> Result<Option<&[u8]>, Failure>;
}
