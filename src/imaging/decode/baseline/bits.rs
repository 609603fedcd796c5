//! The bits of a scan, piece by piece, without the zeros that are stuffed in after 0xff (ITU-T T.81, B.1.1.5 and F.1.2.3).

use super::header::COEFFICIENTS;

/// Bytes that are held ready.
const PIECE: usize = 1 << 14;
/// More than an MCU can have: ten blocks (B.2.3) of which each coefficient has a code of up to sixteen bits and up to fifteen
/// bits of value.
const MCU: usize = 10 * COEFFICIENTS * 4;
/// Bytes that are looked at together.
const STEP: usize = 32;
/// The piece is filled up until it has so many: there is room for a step, and for zeros.
const FULL: usize = PIECE - MCU - STEP;
const FIRST_RESTART: u8 = 0xd0;

/// Part of a scan. Behind its end there are zeros, enough for an MCU.
pub(super) type Piece = [u8; PIECE];

/// A scan that is read bit by bit.
pub(super) struct Bits<'a> {
    /// What follows the piece, as it is stored.
    rest: &'a [u8],
    piece: Box<Piece>,
    /// Where the data of the piece ends.
    end: usize,
    /// Whether it ends there because of a marker.
    is_whole: bool,
    place: Place,
}

/// A place in a piece. It is small, so that it is held in registers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    /// The bits that come next, from the highest on.
    pub bits: u64,
    /// So many of them count. Those below are right, or zero.
    count: u32,
    /// The byte that comes after those that count.
    next: u32,
}

impl Place {
    /// Sees that 56 bits or more count.
    #[inline(always)]
    pub(super) fn fill(&mut self, piece: &Piece) {
        let bytes = piece.get(self.next as usize..).and_then(|rest| rest.first_chunk());
        self.bits |= u64::from_be_bytes(bytes.copied().unwrap_or_default()) >> self.count;
        self.next += (63 - self.count) >> 3;
        self.count |= 56;
    }

    /// Goes on by so many bits, of which there must be enough.
    #[inline(always)]
    pub(super) fn skip(&mut self, length: u8) {
        // As shifts are computed, so that nothing has to be done for it.
        self.bits <<= length & 63;
        self.count = self.count.wrapping_sub(length.into());
    }

    /// The next bits.
    #[inline(always)]
    pub(super) fn peek<const LENGTH: u32>(self) -> usize {
        usize::try_from(self.bits >> (64 - LENGTH)).unwrap_or_default()
    }

    /// The place so many bits before this one, in the same MCU.
    #[cold]
    #[inline(never)]
    pub(super) fn before(self, length: u8, piece: &Piece) -> Self {
        let bit = (8 * self.next).saturating_sub(self.count + u32::from(length));
        let mut place = Self { bits: 0, count: 0, next: bit / 8 };
        place.fill(piece);
        place.bits <<= bit % 8;
        place.count -= bit % 8;
        place
    }

    /// How many bits of a piece were read.
    fn read(self) -> usize {
        (8 * self.next).saturating_sub(self.count) as usize
    }
}

impl<'a> Bits<'a> {
    /// At the beginning of a scan.
    pub(super) fn new(scan: &'a [u8]) -> Self {
        let (piece, place) = (Box::new([0; PIECE]), Place::default());
        Self { rest: scan, piece, end: 0, is_whole: false, place }
    }

    /// Where an MCU begins, and the piece that holds all of it.
    #[inline(always)]
    pub(super) fn mcu(&mut self) -> (Place, &Piece) {
        if self.place.next as usize + MCU > self.end && !self.is_whole {
            self.supply();
        }
        (self.place, &self.piece)
    }

    /// Goes on after an MCU. `None` if that went beyond the data.
    #[inline(always)]
    pub(super) fn go_on(&mut self, place: Place) -> Option<()> {
        self.place = place;
        (place.read() <= 8 * self.end).then_some(())
    }

    /// Goes on after a marker of restart: the `number`th, counted from zero (B.2.1, F.2.2.4). `None` if there is anything else.
    pub(super) fn restart(&mut self, number: u32) -> Option<()> {
        if !self.is_whole {
            self.supply();
        }
        // But for bits that fill the last byte up, all must have been read.
        let (marker, rest) = self.rest.split_first_chunk::<2>()?;
        let [0xff, kind] = marker else { return None };
        let is_next = u32::from(kind.wrapping_sub(FIRST_RESTART)) == number % 8;
        if !self.is_whole || self.place.read() + 8 <= 8 * self.end || !is_next {
            return None;
        }
        self.rest = rest;
        self.end = 0;
        self.is_whole = false;
        self.place = Place::default();
        Some(())
    }

    /// Moves what wasn't read to the front of the piece, and fills that up to the next marker, or as far as it has room.
    #[cold]
    fn supply(&mut self) {
        // The bits that count, which are in the last eight bytes, may have to be read again.
        let start = self.place.next.saturating_sub(8);
        self.place.next -= start;
        let start = (start as usize).min(self.end);
        self.piece.copy_within(start..self.end, 0);
        self.end -= start;
        while self.end < FULL {
            self.copy();
            // Any number of 0xff may stand before a marker.
            let run = self.rest.iter().take_while(|byte| **byte == 0xff).count();
            let (byte, rest) = match (run, self.rest.get(run..)) {
                (1.., Some([0x00, rest @ ..])) => (0xff, rest),
                (0, Some([byte, rest @ ..])) => (*byte, rest),
                _ => {
                    self.rest = self.rest.get(run.saturating_sub(1)..).unwrap_or_default();
                    self.is_whole = true;
                    let behind = self.end..self.end + MCU;
                    self.piece.get_mut(behind).unwrap_or_default().fill(0);
                    return;
                }
            };
            self.rest = rest;
            if let Some(place) = self.piece.get_mut(self.end) {
                *place = byte;
                self.end += 1;
            }
        }
    }

    /// Copies steps without 0xff, and of the next one what comes before that.
    fn copy(&mut self) {
        let room = self.piece.get_mut(self.end..FULL + STEP).unwrap_or_default();
        let mut copied = 0;
        for (to, from) in room.as_chunks_mut::<STEP>().0.iter_mut().zip(self.rest.as_chunks().0) {
            *to = *from;
            // All are compared at once; where one stands matters only if there is one.
            let has_escape = from.iter().fold(false, |found, byte| found | (*byte == 0xff));
            if has_escape {
                copied += from.iter().take_while(|byte| **byte != 0xff).count();
                break;
            }
            copied += STEP;
        }
        self.end += copied;
        self.rest = self.rest.get(copied..).unwrap_or_default();
    }
}
