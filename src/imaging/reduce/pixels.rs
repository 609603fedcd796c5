//! Rows of RGBA become light, multiplied by alpha where there is any, and that is mixed.

use std::{ops::Range, slice::ChunksExactMut};

use super::{
    Light, Reducer, beside::beside, convert, lanes::LANES, mixer::Mixer, paint::Paint, too_few,
};
use crate::imaging::{
    control::{Control, Failure},
    picture::Raster,
    rows::Rows,
    threads::LARGE,
};

/// Reduces what a decoder hands over. All of it is read: only the end tells whether the file is whole.
pub(super) fn reduce(
    reducer: Reducer,
    source: &mut dyn Rows,
    light: &Light,
    control: &Control,
) -> Result<Raster<u8>, Failure> {
    let is_worth_it = reducer.pixels() >= LARGE && !source.is_decoded();
    let mut mixing = Mixing::new(reducer, source, light);
    loop {
        let lent = if is_worth_it { control.threads.lend() } else { None };
        let is_more = if let Some(lent) = lent {
            let copy = |some: &mut Together| some.fill(source, control);
            beside(&lent, copy, |some| some.rows().for_each(|row| mixing.row(row)))?
        } else {
            let row = source.next()?;
            control.check()?;
            row.map(|row| mixing.row(row)).is_some()
        };
        if !is_more {
            return mixing.finish();
        }
    }
}

/// Rows that go to another thread together.
#[derive(Default)]
struct Together {
    pixels: Vec<u8>,
    /// Bytes of a row.
    length: usize,
}

impl Together {
    /// How many.
    const ROWS: usize = 8;

    /// Takes the next rows; says whether there were any.
    fn fill(&mut self, source: &mut dyn Rows, control: &Control) -> Result<bool, Failure> {
        self.pixels.clear();
        for _ in 0..Self::ROWS {
            let Some(row) = source.next()? else { break };
            self.length = row.len();
            self.pixels.extend_from_slice(row);
        }
        control.check()?;
        Ok(!self.pixels.is_empty())
    }

    fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.pixels.chunks_exact(self.length.max(1))
    }
}

/// A picture of which rows are mixed.
struct Mixing<'l> {
    mixer: Mixer,
    lighter: Lighter<'l>,
    paint: Paint,
    has_alpha: bool,
    /// The row that is to come.
    line: usize,
}

impl<'l> Mixing<'l> {
    fn new(reducer: Reducer, source: &dyn Rows, light: &'l Light) -> Self {
        let has_alpha = source.has_alpha();
        let paint = Paint::new(reducer.size, light);
        let mixer = Mixer::new(reducer.kernels, if has_alpha { 4 } else { 3 });
        let lighter = Lighter { columns: mixer.columns(), light, pixels: Vec::new() };
        Self { mixer, lighter, paint, has_alpha, line: 0 }
    }

    /// Mixes the next row.
    fn row(&mut self, row: &[u8]) {
        let Self { mixer, lighter, paint, has_alpha, line } = self;
        if *line == mixer.next() && !mixer.is_done() {
            mixer.take(
                |to| lighter.light(row, to),
                |lights| if *has_alpha { paint.veiled(lights) } else { paint.opaque(lights) },
            );
        }
        *line += 1;
    }

    /// The picture.
    fn finish(self) -> Result<Raster<u8>, Failure> {
        if self.mixer.is_done() { Ok(self.paint.finish()) } else { Err(too_few()) }
    }
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
