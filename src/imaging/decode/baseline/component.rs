//! A component while it is decoded: its blocks, and where their samples go.

use std::sync::Arc;

use super::{
    bits::{Piece, Place},
    block::{Coding, Corner, NO_PAIR, Pair, half},
    header::{BLOCK, COEFFICIENTS},
    huffman::Tables,
    idct::{self, Kernel, Output},
};

/// So many coefficients, in zigzag order, are within the upper left quarter of a block.
const SPARSE: u8 = 10;

/// A plane of samples in a buffer.
pub(super) struct Layout {
    /// Where it begins.
    pub start: usize,
    /// From one of its rows to the next.
    pub stride: usize,
    /// Samples of a row that belong to the picture.
    pub width: usize,
    /// Rows of the picture.
    pub height: usize,
}

pub(super) struct Component {
    pub coding: Coding,
    /// Blocks of an MCU, across and down.
    pub blocks: [usize; 2],
    pub layout: Layout,
    /// Steps of quantisation.
    steps: Pair,
    /// Blocks that were read, but not transformed.
    pair: Pair,
    /// So many of them, where their samples go, and what number in zigzag order is behind their last coefficients.
    held: usize,
    places: [usize; 2],
    last: u8,
}

impl Component {
    pub(super) fn new(
        tables: Arc<Tables>,
        component: &super::header::Component,
        layout: Layout,
    ) -> Self {
        Self {
            coding: Coding { tables, before: 0 },
            blocks: component.blocks,
            layout,
            steps: idct::pair_of(&component.steps),
            pair: NO_PAIR,
            held: 0,
            places: [0; 2],
            last: 0,
        }
    }

    /// Reads a block, of which the first of `SIZE` by `SIZE` samples goes to a place in the buffer: now, or when another block was
    /// read or [`Component::flush`] is called. `None` if the data is damaged.
    #[inline(always)]
    pub(super) fn read<const SIZE: usize>(
        &mut self,
        kernel: impl Kernel,
        at: &mut Place,
        piece: &Piece,
        samples: &mut [u8],
        place: usize,
    ) -> Option<()> {
        let mut output = Output { samples, places: &[], stride: self.layout.stride };
        if SIZE == 1 {
            let dc = self.coding.read_dc(at, piece)?;
            let [step, ..] = self.steps.0;
            output.fill::<1>(place, idct::flat(dc, step));
            return Some(());
        }
        if SIZE == 2 {
            let mut corner = Corner::default();
            self.coding.read::<4>(at, piece, &mut corner)?;
            let steps = self.corner_steps();
            output.put(place, &idct::two(corner.coefficients(), steps));
            return Some(());
        }
        // To pass over what a smaller block leaves out would take longer.
        let block = half(&mut self.pair, self.held == 1)?;
        let last = self.coding.read::<63>(at, piece, block)?;
        if last == 1 {
            let [dc, ..] = *block;
            let [step, ..] = self.steps.0;
            output.fill::<SIZE>(place, idct::flat(dc, step));
            return Some(());
        }
        let [first, second] = &mut self.places;
        self.last = self.last.max(last);
        if self.held == 0 {
            *first = place;
            self.held = 1;
        } else {
            *second = place;
            self.held = 2;
            self.flush::<SIZE>(kernel, output.samples);
        }
        Some(())
    }

    /// The steps of a block's four lowest coefficients.
    fn corner_steps(&self) -> [i16; 4] {
        let [upper, lower] =
            [0, 2 * BLOCK].map(|row| self.steps.0.get(row..).and_then(|row| row.first_chunk()));
        let ([a, b], [c, d]) = (*upper.unwrap_or(&[0; 2]), *lower.unwrap_or(&[0; 2]));
        [a, b, c, d]
    }

    /// Transforms the blocks that are held.
    #[inline(always)]
    pub(super) fn flush<const SIZE: usize>(&mut self, kernel: impl Kernel, samples: &mut [u8]) {
        let places = self.places.get(..self.held).unwrap_or_default();
        if places.is_empty() {
            return;
        }
        let output = Output { samples, places, stride: self.layout.stride };
        if SIZE == BLOCK {
            kernel.eight(&self.pair, &self.steps, self.last <= SPARSE, output);
        } else {
            kernel.four(&self.pair, &self.steps, output);
        }
        if let Some(coefficients) = self.pair.0.first_chunk_mut::<{ 2 * COEFFICIENTS }>() {
            *coefficients = [0; _];
        }
        self.held = 0;
        self.last = 0;
    }
}
