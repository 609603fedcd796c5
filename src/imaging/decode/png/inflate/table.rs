//! Huffman codes of DEFLATE (RFC 1951, 3.2.2 to 3.2.6) as tables that are looked up by the next bits of the stream.

use super::super::chunks::Damage;

/// Bits that a code may have.
const LONGEST: usize = 15;

/// What a code stands for, and how many bits that takes, in one word: nothing else is looked up for it.
///
/// - bits 0 to 7: bits to go on by: those of the code, and of the number behind it, if there is one;
/// - bits 8 to 12: those of the code alone, before a number; or by how many bits longer codes are looked up;
/// - bits 13 to 15, 31: the kind, below; none of them for a length or a distance;
/// - bits 16 to 30: a byte; or the least length or distance, to which the number is added; or where the longer codes begin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry(u32);

impl Entry {
    const LITERAL: u32 = 1 << 31;
    /// Neither a literal nor a length or distance. Alone: there is no such code.
    const SPECIAL: u32 = 1 << 15;
    const END: u32 = 1 << 14;
    const LONGER: u32 = 1 << 13;
    const NOTHING: Self = Self(Self::SPECIAL);

    const fn literal(byte: u32) -> Self {
        Self(Self::LITERAL | byte << 16)
    }

    const fn number(least: u32, extra: u32) -> Self {
        Self(least << 16 | extra)
    }

    /// Codes that begin with the same bits, and are looked up by the next ones.
    fn longer(start: usize, bits: u32, known: u32) -> Self {
        let start = u32::try_from(start).unwrap_or_default();
        Self(Self::SPECIAL | Self::LONGER | start << 16 | bits << 8 | known)
    }

    /// The same with a code of so many bits.
    const fn with(self, length: u32) -> Self {
        let Self(entry) = self;
        let is_number = entry & (Self::LITERAL | Self::SPECIAL) == 0;
        Self((entry + length) | if is_number { length << 8 } else { 0 })
    }

    /// Bits to go on by.
    #[inline(always)]
    pub(super) const fn length(self) -> u32 {
        self.0 & 0xff
    }

    /// The same, with anything above the lowest byte.
    #[inline(always)]
    pub(super) const fn length_and_more(self) -> u32 {
        self.0
    }

    #[inline(always)]
    pub(super) const fn is_literal(self) -> bool {
        self.0 & Self::LITERAL != 0
    }

    /// Neither a literal nor a length or distance.
    #[inline(always)]
    pub(super) const fn is_special(self) -> bool {
        self.0 & Self::SPECIAL != 0
    }

    /// The end of a block, which is special.
    #[inline(always)]
    pub(super) const fn is_end(self) -> bool {
        self.0 & (Self::SPECIAL | Self::END) == Self::SPECIAL | Self::END
    }

    /// The byte, where this is a literal.
    #[inline(always)]
    pub(super) const fn byte(self) -> u8 {
        self.0.to_le_bytes()[2]
    }

    /// The length or distance, where it is one, with the bits that begin with its code.
    #[inline(always)]
    pub(super) fn value(self, bits: u64) -> usize {
        let Self(entry) = self;
        let extra = (bits & ((1 << (entry & 63)) - 1)) >> (entry >> 8 & 15);
        (entry >> 16) as usize + low(extra)
    }
}

/// Symbols of literals and lengths.
pub(super) const LITERALS: usize = 288;
/// Symbols of distances.
pub(super) const DISTANCES: usize = 32;
/// Symbols of lengths of codes.
pub(super) const LENGTHS: usize = 19;

/// What a symbol of literals and lengths stands for (3.2.5).
pub(super) const fn literal(symbol: u32) -> Entry {
    match symbol {
        0..256 => Entry::literal(symbol),
        256 => Entry(Entry::SPECIAL | Entry::END),
        257..265 => Entry::number(symbol - 254, 0),
        265..285 => {
            let extra = (symbol - 261) / 4;
            Entry::number(3 + ((4 + (symbol - 261) % 4) << extra), extra)
        }
        285 => Entry::number(258, 0),
        _ => Entry::NOTHING,
    }
}

/// What a symbol of distances stands for.
pub(super) const fn distance(symbol: u32) -> Entry {
    match symbol {
        0..4 => Entry::number(1 + symbol, 0),
        4..30 => {
            let extra = (symbol - 2) / 2;
            Entry::number(1 + ((2 + symbol % 2) << extra), extra)
        }
        _ => Entry::NOTHING,
    }
}

/// What a symbol of lengths of codes stands for (3.2.7): the symbol.
pub(super) const fn length(symbol: u32) -> Entry {
    Entry::literal(symbol)
}

/// Codes, looked up by the next bits: `N` entries, a power of two, for those that are short enough.
pub(super) struct Table<const N: usize> {
    short: Box<[Entry; N]>,
    long: Vec<Entry>,
}

impl<const N: usize> Table<N> {
    const BITS: u32 = N.trailing_zeros();

    pub(super) fn new() -> Self {
        Self { short: Box::new([Entry::NOTHING; N]), long: Vec::new() }
    }

    /// What the bits begin with, the first bit being the lowest. [`Self::longer`] has what is too long for it.
    #[inline(always)]
    pub(super) fn find(&self, bits: u64) -> Entry {
        self.short.get(low(bits) % N).copied().unwrap_or(Entry::NOTHING)
    }

    /// What the bits after those of `entry`, which is special, begin with, if that has longer codes.
    #[inline(always)]
    pub(super) fn longer(&self, Entry(entry): Entry, bits: u64) -> Option<Entry> {
        let index = low(bits) & ((1 << (entry >> 8 & 15)) - 1);
        let found = self.long.get((entry >> 16) as usize + index);
        found.copied().filter(|_| entry & Entry::LONGER != 0)
    }

    /// Makes the codes of symbols that have codes of so many bits, zero for none, and stand for what `meaning` says. Not all bits need to
    /// begin with a code if there is only one of one bit, or none, and `may_lack` says so.
    pub(super) fn build(
        &mut self,
        lengths: &[u8],
        meaning: impl Fn(u32) -> Entry,
        may_lack: bool,
    ) -> Result<(), Damage> {
        let mut counts = [0_u16; LONGEST + 1];
        for length in lengths {
            if let Some(count) = counts.get_mut(usize::from(*length)) {
                *count += 1;
            }
        }
        let [_, counts @ ..] = counts;
        let left = counts.iter().try_fold(1_i32, |left, count| {
            let left = 2 * left - i32::from(*count);
            (left >= 0).then_some(left)
        });
        let left = left.ok_or("more codes than there can be")?;
        let sorted = sorted(lengths, meaning, counts);
        self.long.clear();
        if left > 0 {
            let coded: u16 = counts.iter().sum();
            let [ones, ..] = counts;
            if !may_lack || coded > ones || ones > 1 {
                return Err("bits that no code begins with");
            }
            let one = sorted.first().filter(|_| ones == 1).map(|meaning| meaning.with(1));
            for pair in self.short.as_chunks_mut().0 {
                *pair = [one.unwrap_or(Entry::NOTHING), Entry::NOTHING];
            }
            return Ok(());
        }
        let mut sorted = sorted.into_iter();
        let mut lengths = (1..).zip(counts);
        // Codes come in the order of their lengths, each one more than the last (3.2.2); their first bit is the lowest in the stream.
        let mut code = 0_u32;
        for (length, count) in lengths.by_ref().take(Self::BITS as usize) {
            // What is known so far does not depend on another bit.
            let (low, high) = self.short.split_at_mut(1 << (length - 1));
            high.iter_mut().zip(low).for_each(|(high, low)| *high = *low);
            code <<= 1;
            for meaning in sorted.by_ref().take(count.into()) {
                let place = code.reverse_bits() >> (32 - length);
                if let Some(entry) = self.short.get_mut(place as usize) {
                    *entry = meaning.with(length);
                }
                code += 1;
            }
        }
        self.lengthen(code, lengths, sorted);
        Ok(())
    }

    /// Adds the codes that are longer. `code` comes after the last of those that are not.
    fn lengthen(
        &mut self,
        mut code: u32,
        mut lengths: impl Iterator<Item = (u32, u16)> + Clone,
        mut sorted: impl Iterator<Item = Entry>,
    ) {
        let (mut known, mut start) = (None, 0);
        while let Some((length, count)) = lengths.next() {
            code <<= 1;
            for left in (1..=count).rev() {
                let Some(meaning) = sorted.next() else { return };
                let place = (code.reverse_bits() >> (32 - length)) as usize;
                if known.replace(place % N) != Some(place % N) {
                    // Those that begin alike follow each other, until nothing else can begin so.
                    let mut bits = length - Self::BITS;
                    let mut room = (1 << bits) - i32::from(left);
                    for (_, count) in lengths.clone() {
                        if room <= 0 {
                            break;
                        }
                        bits += 1;
                        room = 2 * room - i32::from(count);
                    }
                    start = self.long.len();
                    self.long.resize(start + (1 << bits), Entry::NOTHING);
                    if let Some(entry) = self.short.get_mut(place % N) {
                        *entry = Entry::longer(start, bits, Self::BITS);
                    }
                }
                let (first, step) = (start + place / N, 1 << (length - Self::BITS));
                for entry in self.long.iter_mut().skip(first).step_by(step) {
                    *entry = meaning.with(length - Self::BITS);
                }
                code += 1;
            }
        }
    }
}

/// What symbols that have codes stand for, in the order of the lengths of these. Of each length there are so many, from one on.
fn sorted(
    lengths: &[u8],
    meaning: impl Fn(u32) -> Entry,
    counts: [u16; LONGEST],
) -> [Entry; LITERALS] {
    let mut next = [0_usize; LONGEST];
    let mut sum = 0;
    for (next, count) in next.iter_mut().zip(counts) {
        *next = sum;
        sum += usize::from(count);
    }
    let mut sorted = [Entry::NOTHING; LITERALS];
    for (symbol, length) in (0..).zip(lengths) {
        let next = usize::from(*length).checked_sub(1).and_then(|index| next.get_mut(index));
        if let Some(next) = next {
            if let Some(place) = sorted.get_mut(*next) {
                *place = meaning(symbol);
            }
            *next += 1;
        }
    }
    sorted
}

/// Those of the bits that there is a place for.
#[inline(always)]
fn low(bits: u64) -> usize {
    usize::try_from(bits & u64::from(u32::MAX)).unwrap_or_default()
}
