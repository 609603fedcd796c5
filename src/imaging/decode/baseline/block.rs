//! The coefficients of a block (ITU-T T.81, F.2.2).

use std::sync::Arc;

use super::{
    bits::{Piece, Place},
    header::BLOCK,
    huffman::{END, Found, LOOK, LOOK_DC, Tables, Two},
};

/// Two blocks side by side, so that both are transformed at once: eight coefficients of a row of the first, eight of the
/// second, and so on, and behind these what belongs to neither.
///
/// Rows are aligned as vectors are read.
#[derive(Debug, Clone)]
#[repr(align(64))]
pub(super) struct Pair(pub [i16; 256 + BLOCK]);
/// One of them, from its first coefficient on: any byte is a place in it.
pub(super) type Block = [i16; 256];

/// A pair without coefficients.
pub(super) const NO_PAIR: Pair = Pair([0; 256 + BLOCK]);

/// The first or the second block of a pair.
#[inline(always)]
pub(super) fn half(pair: &mut Pair, is_second: bool) -> Option<&mut Block> {
    pair.0.get_mut(if is_second { BLOCK } else { 0 }..)?.first_chunk_mut()
}

/// Coefficients of a block: the number behind the last one.
const ALL: u8 = 64;

/// Where the coefficients of a block lie, by the number in zigzag order (figure A.6) of those behind them. Those behind the end of
/// a block lie where they do no harm.
#[allow(clippy::indexing_slicing)] // Computed by the compiler.
pub(super) const PLACES: [u8; 256] = {
    let mut places = [2 * ALL; 256];
    let (mut row, mut column) = (0_u8, 0_u8);
    let mut number = 1;
    while number <= ALL as usize {
        places[number] = row * 16 + column;
        let goes_up = (row + column).is_multiple_of(2);
        (row, column) = match (goes_up, row, column) {
            (true, _, 7) => (row + 1, column),
            (true, 0, _) => (row, column + 1),
            (true, ..) => (row - 1, column + 1),
            (false, 7, _) => (row, column + 1),
            (false, _, 0) => (row + 1, column),
            (false, ..) => (row + 1, column - 1),
        };
        number += 1;
    }
    places
};

/// What coefficients are read into, which must be zero before.
pub(super) trait Sink {
    /// Takes the coefficient before a number in zigzag order. It may be given again.
    fn put(&mut self, number: u8, value: i16);
}

impl Sink for Block {
    #[inline(always)]
    fn put(&mut self, number: u8, value: i16) {
        let place = PLACES.get(usize::from(number)).copied().unwrap_or_default();
        if let Some(coefficient) = self.get_mut(usize::from(place)) {
            *coefficient = value;
        }
    }
}

/// The four lowest coefficients of a block, which stay in a register.
#[derive(Default)]
pub(super) struct Corner(u64);

/// What moves the coefficients before a number to their place in a corner.
const FACTORS: [u64; 256] = {
    let mut factors = [0; 256];
    factors[1] = 1;
    factors[2] = 1 << 16;
    factors[3] = 1 << 32;
    factors[5] = 1 << 48;
    factors
};

impl Sink for Corner {
    #[inline(always)]
    fn put(&mut self, number: u8, value: i16) {
        let factor = FACTORS.get(usize::from(number)).copied().unwrap_or_default();
        self.0 |= u64::from(value.cast_unsigned()) * factor;
    }
}

impl Corner {
    /// Those of the first row, then those of the second.
    #[inline(always)]
    pub(super) fn coefficients(self) -> [i16; 4] {
        let [a0, a1, b0, b1, c0, c1, d0, d1] = self.0.to_le_bytes();
        [[a0, a1], [b0, b1], [c0, c1], [d0, d1]].map(i16::from_le_bytes)
    }
}

/// How the blocks of a component are coded, and where it is in that.
pub(super) struct Coding {
    pub tables: Arc<Tables>,
    /// DC of the block before, since the last restart.
    pub before: i16,
}

impl Coding {
    /// Reads the coefficients of a block to number `LAST` in zigzag order, or a little further, and passes over the others. Gives the
    /// number behind the last one that was read. `None` if there is a code that doesn't exist, or more coefficients than a block has.
    #[inline(always)]
    pub(super) fn read<const LAST: u8>(
        &mut self,
        at: &mut Place,
        piece: &Piece,
        block: &mut impl Sink,
    ) -> Option<u8> {
        let tables = &*self.tables;
        at.fill(piece);
        let two = tables.dc.get(at.peek::<LOOK_DC>()).copied().unwrap_or_default();
        at.skip(two.last().length);
        let mut difference = two.first();
        let mut reading = Reading { number: two.last().step, two };
        if two.last().length == 0 {
            difference = tables.find_dc(at.bits)?;
            at.skip(difference.length);
            at.fill(piece);
            reading.number = 1;
        } else {
            block.put(two.last().step, two.last().value);
        }
        self.before = self.before.wrapping_add(difference.value);
        block.put(1, self.before);
        if reading.number <= LAST {
            // Nine bits of DC and four times eleven are no more than 56.
            while reading.goes_on::<LAST>(tables, at, piece, block)?
                && reading.goes_on::<LAST>(tables, at, piece, block)?
                && reading.goes_on::<LAST>(tables, at, piece, block)?
                && reading.goes_on::<LAST>(tables, at, piece, block)?
            {
                at.fill(piece);
            }
            // Behind the last coefficient of the block there is no code for its end: what was found there is of the next block.
            let (first, last) = (reading.two.first(), reading.two.last());
            if reading.number - (last.step - first.step) == ALL {
                *at = at.before(last.length - first.length, piece);
                return Some(ALL);
            }
        }
        match reading.number.checked_sub(END) {
            Some(last) if last < ALL => Some(last),
            _ => pass(tables, reading.number, at, piece).map(|()| reading.number),
        }
    }

    /// Reads DC of a block, and passes over the other coefficients. `None` as above.
    #[inline(always)]
    pub(super) fn read_dc(&mut self, at: &mut Place, piece: &Piece) -> Option<i16> {
        let tables = &*self.tables;
        at.fill(piece);
        let found = tables.dc_passed.get(at.peek::<LOOK_DC>()).copied();
        let (mut difference, passed) = found.unwrap_or_default();
        at.skip(passed.length);
        if passed.length == 0 {
            difference = tables.find_dc(at.bits)?;
            at.skip(difference.length);
        }
        self.before = self.before.wrapping_add(difference.value);
        if !passed.ends() {
            pass(tables, 1 + passed.step(), at, piece)?;
        }
        Some(self.before)
    }
}

/// A block that is being read.
struct Reading {
    /// Of the coefficient that comes next, in zigzag order; [`END`] more behind the end of the block.
    number: u8,
    /// What was looked up last.
    two: Two,
}

impl Reading {
    /// Looks up one or two coefficients, for which there must be eleven bits. Says whether there are more to number `LAST`. `None` if
    /// there is no such code.
    #[inline(always)]
    fn goes_on<const LAST: u8>(
        &mut self,
        tables: &Tables,
        at: &mut Place,
        piece: &Piece,
        block: &mut impl Sink,
    ) -> Option<bool> {
        let two = tables.ac.get(at.peek::<LOOK>()).copied().unwrap_or_default();
        let (first, last) = (two.first(), two.last());
        at.skip(last.length);
        if last.length == 0 {
            at.fill(piece);
            let long = tables.find_ac(two, at.bits)?;
            at.skip(long.length);
            at.fill(piece);
            self.number += long.step;
            self.two = Two::default();
            block.put(self.number, long.value);
        } else {
            block.put(self.number + first.step, first.value);
            self.number += last.step;
            self.two = two;
            block.put(self.number, last.value);
        }
        Some(self.number <= LAST)
    }
}

/// Passes over the coefficients of a block from a number on. `None` if there is a code that doesn't exist, or more coefficients than a
/// block has.
#[inline(always)]
fn pass(tables: &Tables, mut number: u8, at: &mut Place, piece: &Piece) -> Option<()> {
    while number < ALL {
        at.fill(piece);
        let passed = tables.ac_passed.get(at.peek::<LOOK>()).copied().unwrap_or_default();
        let next = number + passed.step();
        // Behind the last coefficient comes another block: to there symbol by symbol.
        if passed.length != 0 && next < ALL {
            at.skip(passed.length);
            if passed.ends() {
                return Some(());
            }
            number = next;
        } else {
            let Found { length, step, .. } = tables.find_ac(Two::default(), at.bits)?;
            at.skip(length);
            number += step;
            if step == END {
                return Some(());
            }
        }
    }
    (number == ALL).then_some(())
}
