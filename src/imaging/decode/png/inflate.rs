//! Unpacks what was packed by DEFLATE (RFC 1951, in a zlib stream: RFC 1950), piece by piece, into a buffer that what follows can look
//! back into. Nothing is copied but what can be looked back at, once for each piece.

mod bits;
mod table;

#[cfg(test)]
mod tests;

use self::{
    bits::Bits,
    table::{DISTANCES, LENGTHS, LITERALS, Table, distance, length, literal},
};
use super::chunks::{Chunks, Damage};

/// How far back a match may begin (RFC 1951, 2).
const WINDOW: usize = 32 << 10;
/// The longest match.
const LONGEST: usize = 258;
/// Bytes that are copied at once.
const STRIDE: usize = 32;
/// Room behind what is wanted: for a match that begins before its end, and for what is copied with it.
const SLACK: usize = LONGEST + 2 * STRIDE;
/// Bytes of the stream that are enough for some literals, a match and what is looked up behind them: 20 and 28 bits for a match, and
/// no more for what comes before it; and for reading eight at a time.
const QUICK: usize = 32;

/// A stream that is being unpacked.
pub(super) struct Inflate<'a> {
    bits: Bits<'a>,
    state: State,
    /// Whether the block is the last.
    is_last: bool,
    /// Whether the tables hold the codes that every stream may use: as many blocks as there are, they are made once in a row.
    is_fixed: bool,
    literals: Table<2048>,
    distances: Table<256>,
    /// What was unpacked: from `start` to `given` it is what was asked for last, up to `end` it is there.
    buffer: Vec<u8>,
    start: usize,
    given: usize,
    end: usize,
    /// The most that is handed over at a time.
    most: usize,
    checksum: u32,
}

/// What comes next in the stream.
#[derive(Clone, Copy)]
enum State {
    /// The two bytes at its beginning.
    Start,
    /// A block.
    Block,
    /// So many bytes as they are.
    Stored(usize),
    /// Literals and matches.
    Coded,
    /// The checksum.
    Checksum,
    Nothing,
}

impl<'a> Inflate<'a> {
    /// Begins with the first of the chunks that holds pixels. No more than `most` bytes will be asked for at a time.
    pub(super) fn new(chunks: Chunks<'a>, most: usize) -> Self {
        Self {
            bits: Bits::new(chunks),
            state: State::Start,
            is_last: false,
            is_fixed: false,
            literals: Table::new(),
            distances: Table::new(),
            buffer: vec![0; WINDOW + most + SLACK],
            start: 0,
            given: 0,
            end: 0,
            most,
            // As Adler-32 of nothing is (RFC 1950, 8.2).
            checksum: 1,
        }
    }

    /// Gives back the chunks that were not looked at.
    pub(super) const fn chunks(&mut self) -> &mut Chunks<'a> {
        self.bits.chunks()
    }

    /// The bytes that were unpacked last.
    pub(super) fn unpacked(&self) -> &[u8] {
        self.buffer.get(self.start..self.given).unwrap_or_default()
    }

    /// Unpacks the next bytes: as many as are wanted, or all that are left. Says how many those are.
    pub(super) fn unpack(&mut self, wanted: usize) -> Result<usize, Damage> {
        let passed = self.given.saturating_sub(WINDOW);
        if passed > 0 {
            self.buffer.copy_within(passed..self.end, 0);
            self.given -= passed;
            self.end -= passed;
        }
        let limit = self.given + wanted.min(self.most);
        while self.end < limit {
            match self.state {
                State::Start => self.open()?,
                State::Block => self.block()?,
                State::Stored(left) => self.stored(left, limit)?,
                State::Coded => self.coded(limit)?,
                State::Checksum | State::Nothing => break,
            }
        }
        (self.start, self.given) = (self.given, self.end.min(limit));
        self.checksum = zlib_rs::adler32::adler32(self.checksum, self.unpacked());
        if matches!(self.state, State::Checksum) && self.given == self.end {
            self.bits.align();
            let [high, low] = [self.bits.take(16)?, self.bits.take(16)?].map(u16::swap_bytes);
            if u32::from(high) << 16 | u32::from(low) != self.checksum {
                return Err("the checksum of its pixels is wrong");
            }
            self.state = State::Nothing;
        }
        Ok(self.given - self.start)
    }

    /// RFC 1950, 2.2.
    fn open(&mut self) -> Result<(), Damage> {
        const DEFLATE: u8 = 8;
        let [method, flags] = self.bits.take(16)?.to_le_bytes();
        let is_whole = u16::from_be_bytes([method, flags]) % 31 == 0;
        let has_dictionary = flags & 0x20 != 0;
        if !is_whole || has_dictionary || method & 0xf != DEFLATE || method >> 4 > 7 {
            return Err("its pixels are not a zlib stream");
        }
        self.state = State::Block;
        Ok(())
    }

    /// The beginning of a block (RFC 1951, 3.2.3).
    fn block(&mut self) -> Result<(), Damage> {
        if self.is_last {
            self.state = State::Checksum;
            return Ok(());
        }
        self.is_last = self.bits.take(1)? == 1;
        self.state = match self.bits.take(2)? {
            0 => {
                self.bits.align();
                let (length, inverse) = (self.bits.take(16)?, self.bits.take(16)?);
                if length != !inverse {
                    return Err("the length of a block is wrong");
                }
                State::Stored(length.into())
            }
            1 if self.is_fixed => State::Coded,
            1 => {
                // 3.2.6
                let mut lengths = [8; LITERALS];
                for (symbol, length) in lengths.iter_mut().enumerate() {
                    match symbol {
                        144..256 => *length = 9,
                        256..280 => *length = 7,
                        _ => {}
                    }
                }
                self.literals.build(&lengths, literal, false)?;
                self.distances.build(&[5; DISTANCES], distance, false)?;
                self.is_fixed = true;
                State::Coded
            }
            2 => {
                self.is_fixed = false;
                self.codes()?;
                State::Coded
            }
            _ => return Err("there is no such kind of block"),
        };
        Ok(())
    }

    /// The codes of a block that brings its own (3.2.7).
    fn codes(&mut self) -> Result<(), Damage> {
        const END: usize = 256;
        /// The order in which the lengths of the codes for lengths come.
        const ORDER: [usize; LENGTHS] =
            [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
        let literals = 257 + usize::from(self.bits.take(5)?);
        let distances = 1 + usize::from(self.bits.take(5)?);
        if literals > 286 || distances > 30 {
            return Err("there are too many codes");
        }
        let known = 4 + usize::from(self.bits.take(4)?);
        let mut lengths = [0; LENGTHS];
        for symbol in ORDER.into_iter().take(known) {
            let [length, _] = self.bits.take(3)?.to_le_bytes();
            if let Some(place) = lengths.get_mut(symbol) {
                *place = length;
            }
        }
        let mut table = Table::<128>::new();
        table.build(&lengths, length, false)?;
        let mut lengths = [0; LITERALS + DISTANCES];
        let mut rest = lengths.get_mut(..literals + distances).unwrap_or_default();
        let mut last = None;
        while !rest.is_empty() {
            // A code, and how often.
            let (entry, _) = self.bits.symbol(&table, 7 + 7)?;
            let (length, times) = match entry.byte() {
                16 => (last.ok_or("there is no length to repeat")?, 3 + self.bits.take(2)?),
                17 => (0, 3 + self.bits.take(3)?),
                18 => (0, 11 + self.bits.take(7)?),
                length => (length, 1),
            };
            let (these, others) =
                rest.split_at_mut_checked(times.into()).ok_or("there are too many lengths")?;
            these.fill(length);
            rest = others;
            last = Some(length);
        }
        if lengths.get(END) == Some(&0) {
            return Err("a block has no end");
        }
        let (of_literals, rest) = lengths.split_at(literals);
        let of_distances = rest.get(..distances).unwrap_or_default();
        self.literals.build(of_literals, literal, true)?;
        self.distances.build(of_distances, distance, true)
    }

    /// Bytes as they are (3.2.4).
    fn stored(&mut self, left: usize, limit: usize) -> Result<(), Damage> {
        let place = self.buffer.get_mut(self.end..limit.min(self.end + left)).unwrap_or_default();
        let wanted = place.len();
        let mut place = place.iter_mut();
        // Bits that were read ahead; what is left of them afterwards is of the bytes that follow.
        while self.bits.count > 0
            && let Some(place) = place.next()
        {
            [*place, _] = self.bits.take(8)?.to_le_bytes();
        }
        let mut place = place.into_slice();
        if !place.is_empty() {
            self.bits.held = 0;
        }
        while !place.is_empty() {
            if self.bits.piece.is_empty() {
                self.bits.supply()?;
            }
            let count = place.len().min(self.bits.piece.len());
            let ((these, rest), (bytes, piece)) =
                (place.split_at_mut(count), self.bits.piece.split_at(count));
            these.copy_from_slice(bytes);
            (place, self.bits.piece) = (rest, piece);
        }
        self.end += wanted;
        self.state = if wanted == left { State::Block } else { State::Stored(left - wanted) };
        Ok(())
    }

    /// Literals and matches (3.2.5), up to the limit, and what the last of them brings beyond it.
    fn coded(&mut self, limit: usize) -> Result<(), Damage> {
        while self.end < limit && matches!(self.state, State::Coded) {
            if self.bits.piece.len() >= QUICK {
                self.quickly(limit)?;
            } else {
                // A piece ends: as far as it takes, one by one. The checksum that comes after all has as many bits as are needed.
                self.one()?;
            }
        }
        Ok(())
    }

    /// One literal or match.
    fn one(&mut self) -> Result<(), Damage> {
        let (entry, read) = self.bits.symbol(&self.literals, 20)?;
        if entry.is_literal() {
            *self.buffer.get_mut(self.end).ok_or(FULL)? = entry.byte();
            self.end += 1;
        } else if entry.is_end() {
            self.state = State::Block;
        } else if entry.is_special() {
            return Err(NO_CODE);
        } else {
            let length = entry.value(read);
            let (entry, read) = self.bits.symbol(&self.distances, 28)?;
            if entry.is_special() {
                return Err(NO_CODE);
            }
            repeat(&mut self.buffer, self.end, entry.value(read), length)?;
            self.end += length;
        }
        Ok(())
    }

    /// As many as there are in the piece, but for the last.
    #[allow(unsafe_code)] // To call what asks for BMI2.
    fn quickly(&mut self, limit: usize) -> Result<(), Damage> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("bmi2") {
            // SAFETY: it was just seen that the processor has it.
            return unsafe { self.quickly_by_bmi2(limit) };
        }
        self.quickly_by_any(limit)
    }

    /// With shifts that take any number from any register: photographs in a tenth less time.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "bmi2")]
    fn quickly_by_bmi2(&mut self, limit: usize) -> Result<(), Damage> {
        self.quickly_by_any(limit)
    }

    /// Eight bytes are read at a time, and the next symbol is looked up before anything is done for the last.
    #[inline(always)]
    fn quickly_by_any(&mut self, limit: usize) -> Result<(), Damage> {
        let buffer = self.buffer.get_mut(..limit + SLACK).ok_or(FULL)?;
        let (literals, distances) = (&self.literals, &self.distances);
        // In registers.
        let (mut piece, mut end) = (self.bits.piece, self.end);
        let (mut held, mut count) = (self.bits.held, self.bits.count);
        // Only the lowest bits of `count` are looked at; what is above them is subtracted from as well, and never seen.
        macro_rules! fill {
            () => {
                let next = piece.first_chunk::<8>().copied().unwrap_or_default();
                held |= u64::from_le_bytes(next) << (count & 63);
                piece = piece.get((!count >> 3 & 7) as usize..).unwrap_or_default();
                count |= 56;
            };
        }
        macro_rules! skip {
            ($entry:expr) => {
                held >>= $entry.length_and_more() & 63;
                count = count.wrapping_sub($entry.length_and_more());
            };
        }
        fill!();
        let mut entry = literals.find(held);
        // The next symbol, unless the piece ends.
        macro_rules! next {
            () => {
                if piece.len() < QUICK {
                    break;
                }
                fill!();
                entry = literals.find(held);
            };
        }
        loop {
            // There is room for any match, as long as the limit was not passed.
            let room = buffer.get_mut(end..).and_then(|rest| rest.first_chunk_mut::<SLACK>());
            let Some([first, second, third, ..]) = room else { break };
            if entry.is_literal() {
                // Up to three are found by 56 bits, and what comes behind them.
                *first = entry.byte();
                skip!(entry);
                entry = literals.find(held);
                end += 1;
                if entry.is_literal() {
                    *second = entry.byte();
                    skip!(entry);
                    entry = literals.find(held);
                    end += 1;
                    if entry.is_literal() {
                        *third = entry.byte();
                        skip!(entry);
                        end += 1;
                        next!();
                        continue;
                    }
                }
                fill!();
            }
            if entry.is_special() {
                if !entry.is_end() {
                    skip!(entry);
                    entry = literals.longer(entry, held).ok_or(NO_CODE)?;
                }
                if entry.is_literal() {
                    *buffer.get_mut(end).ok_or(FULL)? = entry.byte();
                    skip!(entry);
                    end += 1;
                    next!();
                    continue;
                }
                if entry.is_end() {
                    skip!(entry);
                    self.state = State::Block;
                    break;
                }
                if entry.is_special() {
                    return Err(NO_CODE);
                }
            }
            let length = entry.value(held);
            skip!(entry);
            let mut behind = distances.find(held);
            if behind.is_special() {
                skip!(behind);
                behind = distances.longer(behind, held).ok_or(NO_CODE)?;
                if behind.is_special() {
                    return Err(NO_CODE);
                }
            }
            let distance = behind.value(held);
            skip!(behind);
            let is_near_the_end = piece.len() < QUICK;
            if !is_near_the_end {
                fill!();
                entry = literals.find(held);
            }
            repeat(buffer, end, distance, length)?;
            end += length;
            if is_near_the_end {
                break;
            }
        }
        self.bits.held = held;
        self.bits.count = count & 63;
        self.bits.piece = piece;
        self.end = end;
        Ok(())
    }
}

const NO_CODE: Damage = "there is no such code";
/// Not seen: room is made for all that is asked for.
const FULL: Damage = "there is more than was asked for";

/// Repeats at `end` what lies so far before it. What comes behind it, as far as there is slack, is of no meaning.
#[inline(always)]
fn repeat(buffer: &mut [u8], end: usize, distance: usize, length: usize) -> Result<(), Damage> {
    let (before, room) = buffer.split_at_mut_checked(end).ok_or(FULL)?;
    let from = end.checked_sub(distance).ok_or("a match begins before all")?;
    let bytes = before.get(from..).and_then(|bytes| bytes.first_chunk::<STRIDE>());
    match (bytes, room.first_chunk_mut::<STRIDE>()) {
        (Some(bytes), Some(place)) if length <= STRIDE => {
            *place = *bytes;
            Ok(())
        }
        (Some(_), _) => repeat_by::<STRIDE>(buffer, from, end, length),
        _ => repeat_near(buffer, from, end, length),
    }
}

/// From less than a stride before.
#[inline(never)]
fn repeat_near(
    buffer: &mut [u8],
    from: usize,
    mut end: usize,
    length: usize,
) -> Result<(), Damage> {
    const SMALL: usize = STRIDE / 2;
    let stop = end + length;
    // What is between them comes again and again; copied behind itself it is twice as long.
    while end - from < SMALL && end < stop {
        let between = end - from;
        repeat_by::<SMALL>(buffer, from, end, SMALL)?;
        end += between;
    }
    repeat_by::<SMALL>(buffer, from, end, stop.saturating_sub(end))
}

/// By steps that are no longer than how far before it lies.
#[inline(always)]
fn repeat_by<const STEP: usize>(
    buffer: &mut [u8],
    from: usize,
    end: usize,
    length: usize,
) -> Result<(), Damage> {
    for done in (0..length).step_by(STEP) {
        let bytes = buffer.get(from + done..).and_then(|bytes| bytes.first_chunk::<STEP>());
        let bytes = *bytes.ok_or(FULL)?;
        let place = buffer.get_mut(end + done..).and_then(|place| place.first_chunk_mut());
        *place.ok_or(FULL)? = bytes;
    }
    Ok(())
}
