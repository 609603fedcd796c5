//! Rows of RGBA become light, multiplied by alpha where there is any, and that is mixed.

use std::slice::ChunksExactMut;

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
    let step = reducer.detail.step();
    let mut mixer = Mixer::new(reducer.kernels, if has_alpha { 4 } else { 3 });
    let columns = mixer.columns();
    let mut lighter = Lighter {
        from: columns.start * step,
        until: columns.end * step,
        light,
        pixels: Vec::new(),
        full: Default::default(),
    };
    let last = (source.size().1 as usize).saturating_sub(1);
    let mut line = 0;
    while let Some(row) = source.next()? {
        control.check()?;
        let place = line / step;
        if place == mixer.next() && !mixer.is_done() {
            let done = |lights: &[[i16; 4]]| {
                if has_alpha { paint.veiled(lights) } else { paint.opaque(lights) }
            };
            if step == 1 {
                mixer.take(|to| lighter.whole(row, to), done);
            } else if line % 2 == 1 {
                lighter.hold(row, 1, has_alpha);
                mixer.take(|to| lighter.averaged([0, 1], to), done);
            } else {
                lighter.hold(row, 0, has_alpha);
                if line == last {
                    // Below the last line there is the same once more.
                    mixer.take(|to| lighter.averaged([0, 0], to), done);
                }
            }
        }
        line += 1;
    }
    if mixer.is_done() { Ok(paint.finish()) } else { Err(too_few()) }
}

/// Makes light of rows.
struct Lighter<'l> {
    /// The first column that counts.
    from: usize,
    /// The first one that doesn't any more.
    until: usize,
    light: &'l Light,
    /// What counts of a row, with room behind it.
    pixels: Vec<[u8; 4]>,
    /// Two rows at full size, channel by channel, that are averaged.
    full: [Vec<i16>; 2],
}

impl Lighter<'_> {
    /// Fills the channels of a row.
    fn whole(&mut self, row: &[u8], to: &mut ChunksExactMut<'_, i16>) {
        let pixels = row.as_chunks::<4>().0;
        let pixels = pixels.get(self.from..self.until.min(pixels.len())).unwrap_or_default();
        self.pixels.clear();
        self.pixels.extend_from_slice(pixels);
        // Where two are averaged, the last one may be alone: the same stands beside it.
        self.pixels.extend(pixels.last().copied());
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

    /// Keeps a row at full size, as the first or the second of two.
    fn hold(&mut self, row: &[u8], which: usize, has_alpha: bool) {
        let mut full = std::mem::take(&mut self.full);
        let stride = self.stride();
        if let Some(full) = full.get_mut(which) {
            full.resize(stride * if has_alpha { 4 } else { 3 }, 0);
            self.whole(row, &mut full.chunks_exact_mut(stride));
        }
        self.full = full;
    }

    /// Fills the channels of a row with the means of two that are held.
    fn averaged(&self, which: [usize; 2], to: &mut ChunksExactMut<'_, i16>) {
        let [Some(upper), Some(lower)] = which.map(|row| self.full.get(row)) else { return };
        let stride = self.stride();
        for ((to, upper), lower) in
            to.zip(upper.chunks_exact(stride)).zip(lower.chunks_exact(stride))
        {
            convert::averaged(upper, lower, to);
        }
    }

    /// From one channel to the next of rows at full size.
    fn stride(&self) -> usize {
        (self.until - self.from + 1).next_multiple_of(2 * LANES)
    }
}
