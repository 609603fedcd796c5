//! Rows of RGBA become light, multiplied by alpha where there is any, and that is mixed.

use std::{ops::Range, slice::ChunksExactMut};

use super::{Light, Reducer, convert, lanes::LANES, mixer::Mixer, paint::Paint, too_few};
use crate::imaging::{
    control::{Control, Failure},
    picture::Raster,
    rows::Rows,
};

/// Reduces what a decoder hands over. All of it is read: only the end tells whether the file is whole.
pub(super) fn reduce(
    reducer: Reducer,
    source: &mut dyn Rows,
    light: &Light,
    control: &Control,
) -> Result<Raster<u8>, Failure> {
    let mut paint = Paint::new(reducer.size, light);
    let has_alpha = source.has_alpha();
    let mut mixer = Mixer::new(reducer.kernels, if has_alpha { 4 } else { 3 });
    let mut lighter = Lighter { columns: mixer.columns(), light, pixels: Vec::new() };
    let mut line = 0;
    while let Some(row) = source.next()? {
        control.check()?;
        if line == mixer.next() && !mixer.is_done() {
            mixer.take(
                |to| lighter.light(row, to),
                |lights| if has_alpha { paint.veiled(lights) } else { paint.opaque(lights) },
            );
        }
        line += 1;
    }
    if mixer.is_done() { Ok(paint.finish()) } else { Err(too_few()) }
}

/// Makes light of rows.
struct Lighter<'l> {
    /// Those that count.
    columns: Range<usize>,
    light: &'l Light,
    /// What counts of a row, with room behind it.
    pixels: Vec<[u8; 4]>,
}

impl Lighter<'_> {
    /// Fills the channels of a row.
    fn light(&mut self, row: &[u8], to: &mut ChunksExactMut<'_, i16>) {
        let pixels = row.as_chunks::<4>().0;
        self.pixels.clear();
        self.pixels.extend_from_slice(pixels.get(self.columns.clone()).unwrap_or_default());
        self.pixels.resize(self.pixels.len().next_multiple_of(LANES), [0; 4]);
        match (to.next(), to.next(), to.next(), to.next()) {
            (Some(reds), Some(greens), Some(blues), Some(alphas)) => {
                convert::veiled(&self.pixels, [reds, greens, blues, alphas], self.light);
            }
            (Some(reds), Some(greens), Some(blues), None) => {
                convert::opaque(&self.pixels, [reds, greens, blues], self.light);
            }
            _ => {}
        }
    }
}
