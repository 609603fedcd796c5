//! Rows in, rows of another size out. As many rows are held as one row of the result is mixed from, and no more.

use std::ops::Range;

use super::{
    convert,
    convolve::{BLOCK, horizontal, vertical},
    kernel::{Axis, Kernel},
};

/// The weights along both axes.
pub(super) struct Kernels {
    columns: Kernel,
    rows: Kernel,
}

impl Kernels {
    pub(super) fn new(horizontal: Axis, vertical: Axis) -> Self {
        Self { columns: Kernel::new(horizontal, 1, 8), rows: Kernel::new(vertical, 2, 2) }
    }

    /// The columns that count.
    pub(super) fn columns(&self) -> Range<usize> {
        self.columns.needed()
    }

    /// The rows that count.
    pub(super) fn rows(&self) -> Range<usize> {
        self.rows.needed()
    }
}

/// One picture on its way, or some of its channels.
pub(super) struct Mixer {
    columns: Kernel,
    rows: Kernel,
    /// The columns that count.
    across: Range<usize>,
    /// The rows that count.
    down: Range<usize>,
    /// From one channel of a row to the next.
    stride: usize,
    /// The row that is to come.
    next: usize,
    /// The row that came before it, if that is the first of a pair, and the one that comes.
    pair: [Vec<i16>; 2],
    /// Pairs of rows, sample by sample beside each other, each in its turn.
    ring: Vec<Vec<i16>>,
    /// Rows of the result that are made.
    made: usize,
    mixed: Vec<i16>,
    pixels: Vec<[i16; 4]>,
}

impl Mixer {
    /// Mixes so many channels.
    pub(super) fn new(Kernels { columns, rows }: Kernels, channels: usize) -> Self {
        let down = rows.needed();
        // Even, so that samples of chroma are not divided.
        let across = columns.needed().start / 2 * 2..columns.needed().end;
        let columns = columns.counted_from(across.start);
        // Room for what is read beyond the last sample, by weights of zero.
        let stride = (across.len() + columns.taps()).next_multiple_of(BLOCK) + BLOCK;
        let length = stride * channels;
        let held = rows.taps() / 2 + 1;
        Self {
            pair: [vec![0; length], vec![0; length]],
            ring: vec![vec![0; length * 2]; held],
            made: 0,
            mixed: vec![0; length],
            pixels: vec![[0; 4]; columns.len()],
            columns,
            rows,
            next: down.start,
            across,
            down,
            stride,
        }
    }

    /// The columns that count: rows are given from the first of them on, which is even.
    pub(super) fn columns(&self) -> Range<usize> {
        self.across.clone()
    }

    /// The rows that count: they are to come one by one, from the first on, which is even.
    pub(super) fn rows(&self) -> Range<usize> {
        self.down.clone()
    }

    /// The row that is to come.
    pub(super) fn next(&self) -> usize {
        self.next
    }

    /// Takes the row that is to come, which `fill` puts down, channel by channel; each has room for a multiple of thirty-two samples.
    /// `done` gets the rows of the result that are made of it.
    pub(super) fn take(
        &mut self,
        fill: impl FnOnce(&mut std::slice::ChunksExactMut<'_, i16>),
        mut done: impl FnMut(&[[i16; 4]]),
    ) {
        let [first, second] = &mut self.pair;
        let is_second = self.next % 2 == 1;
        let row = if is_second { &mut *second } else { &mut *first };
        fill(&mut row.chunks_exact_mut(self.stride));
        self.next += 1;
        if !is_second && self.next < self.rows().end {
            return;
        }
        // The last one may be alone: what stands in for the other has no weight.
        let slot = (self.next - 1) / 2 % self.ring.len().max(1);
        let [first, second] = &self.pair;
        if let Some(slot) = self.ring.get_mut(slot) {
            convert::beside(first, second, slot);
        }
        while let Some((start, weights)) = self.rows.get(self.made) {
            if start + weights.len() > self.next.next_multiple_of(2) {
                break;
            }
            let weights = weights.as_chunks::<2>().0;
            let turn = self.ring.iter().cycle().skip(start / 2 % self.ring.len().max(1));
            let pairs: Vec<&[i16]> = turn.take(weights.len()).map(Vec::as_slice).collect();
            vertical(&pairs, weights, &mut self.mixed);
            horizontal(&self.mixed, self.stride, &self.columns, &mut self.pixels);
            done(&self.pixels);
            self.made += 1;
        }
    }

    /// Whether all of the result is made.
    pub(super) fn is_done(&self) -> bool {
        self.made == self.rows.len()
    }
}

/// Bytes that a mixer of so many channels holds at most.
pub(super) fn held(horizontal: Axis, vertical: Axis, channels: usize) -> u64 {
    let (across, down) = (Kernel::most_taps(horizontal, 1, 8), Kernel::most_taps(vertical, 2, 2));
    let row = (horizontal.end.saturating_sub(horizontal.first) + 2 + across + 2 * BLOCK) * channels;
    let rows = row * (2 + down + 2 + 1);
    let kernels = horizontal.count * across + vertical.count * down;
    ((rows + kernels) * 2 + horizontal.count * 8) as u64
}
