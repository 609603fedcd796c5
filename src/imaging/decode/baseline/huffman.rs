//! Huffman codes (ITU-T T.81, annex C and F.2.2), looked up together with the bits that follow them and, where there is room, with
//! the codes that follow those.

use super::header::Codes;

/// Bits that AC coefficients are looked up by.
pub(super) const LOOK: u32 = 11;
const ENTRIES: usize = 1 << LOOK;
/// The same for differences of DC.
pub(super) const LOOK_DC: u32 = 9;
const ENTRIES_DC: usize = 1 << LOOK_DC;
/// The step to the end of a block: further than any two runs.
pub(super) const END: u8 = 128;

/// One symbol, and what the bits behind its code say.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Found {
    /// Bits of the code and of the value: no more than 31; zero where nothing was found.
    pub length: u8,
    /// How far the coefficient is from the one before.
    pub step: u8,
    pub value: i16,
}

/// One or two symbols in a word, from the lowest byte on: bits of both, step to the last, value of the first (two bytes), value of
/// the last (two bytes), step to the first, bits of the first.
///
/// Where the bits of a value are too many, there is the symbol alone: no bits, the size, no values, the step, bits of the code.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Two(u64);

impl Two {
    fn new(first: Found, second: Found) -> Self {
        let [length, step] = [first.length + second.length, first.step + second.step];
        let ([v0, v1], [w0, w1]) = (first.value.to_le_bytes(), second.value.to_le_bytes());
        Self(u64::from_le_bytes([length, step, v0, v1, w0, w1, first.step, first.length]))
    }

    /// A symbol alone, and the length of its code.
    fn of_long(symbol: Symbol, length: u8) -> Self {
        Self(u64::from_le_bytes([0, symbol.size, 0, 0, 0, 0, symbol.step, length]))
    }

    /// The same, where no bits are said. A length of zero if there is none.
    fn long(self) -> (Symbol, u8) {
        let [_, size, .., step, length] = self.0.to_le_bytes();
        (Symbol { step, size }, length)
    }

    /// The first alone.
    #[inline(always)]
    pub(super) fn first(self) -> Found {
        let [_, _, v0, v1, _, _, step, length] = self.0.to_le_bytes();
        Found { length, step, value: i16::from_le_bytes([v0, v1]) }
    }

    /// Bits of both, the step to the last, and its value.
    #[inline(always)]
    pub(super) fn last(self) -> Found {
        let [length, step, _, _, w0, w1, ..] = self.0.to_le_bytes();
        Found { length, step, value: i16::from_le_bytes([w0, w1]) }
    }
}

/// Symbols of which the values don't matter.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Passed {
    /// Bits of all of them: zero where nothing was found.
    pub length: u8,
    /// The step to the last coefficient, and [`END`] more if the block ends behind it.
    step: u8,
}

impl Passed {
    #[inline(always)]
    pub(super) fn step(self) -> u8 {
        self.step % END
    }

    #[inline(always)]
    pub(super) fn ends(self) -> bool {
        self.step >= END
    }
}

/// What the blocks of a component are coded by.
pub(super) struct Tables {
    /// A difference of DC, and maybe the first AC coefficient.
    pub dc: [Two; ENTRIES_DC],
    /// AC coefficients.
    pub ac: [Two; ENTRIES],
    /// A difference of DC, and together with it what may be passed over behind it. This and the next stay empty where nothing is
    /// passed over.
    pub dc_passed: [(Found, Passed); ENTRIES_DC],
    /// AC coefficients.
    pub ac_passed: [Passed; ENTRIES],
    all_dc: Alphabet,
    all_ac: Alphabet,
}

impl Tables {
    /// `None` if there are more codes than there can be. `passes` says whether coefficients are passed over.
    pub(super) fn new(dc: &Codes, ac: &Codes, passes: bool) -> Option<Self> {
        let all_dc = Alphabet::new(dc, Symbol::dc)?;
        let all_ac = Alphabet::new(ac, Symbol::ac)?;
        let (short_dc, short_ac) = (all_dc.short::<ENTRIES_DC>(), all_ac.short::<ENTRIES>());
        let (found_dc, found_ac) = (found(&short_dc), found(&short_ac));
        let mut tables = Self {
            dc: two(&found_dc, &found_ac, |_| Found::default()),
            // Alone, the first is the last too.
            ac: two(&found_ac, &found_ac, |first| Found { length: 0, step: 0, ..first }),
            dc_passed: [Default::default(); ENTRIES_DC],
            ac_passed: [Passed::default(); ENTRIES],
            all_dc,
            all_ac,
        };
        for (two, (symbol, length)) in tables.ac.iter_mut().zip(short_ac) {
            if two.last().length == 0 {
                *two = Two::of_long(symbol, length);
            }
        }
        if passes {
            for (index, passed) in tables.ac_passed.iter_mut().enumerate() {
                *passed = passed_over(&short_ac, index, 0, LOOK);
            }
            let both = tables.dc_passed.iter_mut().zip(found_dc).enumerate();
            for (index, (both, dc)) in both.filter(|(_, (_, dc))| dc.length > 0) {
                *both = (dc, passed_over(&short_ac, index << (LOOK - LOOK_DC), dc.length, LOOK_DC));
            }
        }
        Some(tables)
    }

    /// The difference of DC that the bits begin with, of any length. `None` if there is no such code.
    #[cold]
    #[inline(never)]
    pub(super) fn find_dc(&self, bits: u64) -> Option<Found> {
        self.all_dc.find(bits)
    }

    /// The same of an AC coefficient, of which `two` was looked up.
    #[cold]
    #[inline(never)]
    pub(super) fn find_ac(&self, two: Two, bits: u64) -> Option<Found> {
        match two.long() {
            (_, 0) => self.all_ac.find(bits),
            (symbol, length) => Some(symbol.found(length, bits)),
        }
    }
}

/// What a code stands for.
#[derive(Debug, Clone, Copy, Default)]
struct Symbol {
    /// How far the coefficient is from the one before.
    step: u8,
    /// Bits that follow the code, and say the value.
    size: u8,
}

impl Symbol {
    /// A difference of DC: the number of bits that follow (F.1.2.1).
    fn dc(symbol: u8) -> Option<Self> {
        (symbol < 16).then_some(Self { step: 1, size: symbol })
    }

    /// An AC coefficient: a run of zeros before it, and the number of bits that follow (F.1.2.2).
    fn ac(symbol: u8) -> Option<Self> {
        match (symbol >> 4, symbol & 15) {
            (0, 0) => Some(Self { step: END, size: 0 }),
            (run, size) if size > 0 || run == 15 => Some(Self { step: run + 1, size }),
            _ => None,
        }
    }

    /// With the value that the bits behind its code stand for (F.2.2.1, EXTEND).
    fn found(self, length: u8, bits: u64) -> Found {
        let Self { step, size } = self;
        let value = i32::try_from(bits << length >> 32 >> (32 - size)).unwrap_or_default();
        let lowest = if value < (1 << size) >> 1 { 1 - (1 << size) } else { 0 };
        let value = i16::try_from(value + lowest).unwrap_or_default();
        Found { length: length + size, step, value }
    }
}

/// The codes of a table.
struct Alphabet {
    /// What lies behind the last code of each length, as if it had sixteen bits.
    limits: [u32; 16],
    /// What is added to a code of each length to find its symbol.
    offsets: [i32; 16],
    symbols: [Option<Symbol>; 256],
}

impl Alphabet {
    /// `None` if there are more codes than there can be (C.2).
    fn new(codes: &Codes, read: fn(u8) -> Option<Symbol>) -> Option<Self> {
        let mut symbols = [None; 256];
        symbols.get(codes.symbols.len()..)?;
        for (to, symbol) in symbols.iter_mut().zip(&codes.symbols) {
            *to = read(*symbol);
        }
        let (mut limits, mut offsets) = ([0; 16], [0; 16]);
        let (mut code, mut index) = (0, 0);
        let lengths = codes.counts.iter().zip(&mut limits).zip(&mut offsets);
        for (length, ((count, limit), offset)) in (1..).zip(lengths) {
            *offset = index - code;
            code += i32::from(*count);
            index += i32::from(*count);
            if code > 1 << length {
                return None;
            }
            *limit = u32::try_from(code << (16 - length)).ok()?;
            code <<= 1;
        }
        Some(Self { limits, offsets, symbols })
    }

    /// The symbol that bits begin with, with its value (F.2.2.3, DECODE). `None` if there is no such code.
    fn find(&self, bits: u64) -> Option<Found> {
        let code = u32::try_from(bits >> 48).ok()?;
        let mut lengths = (1..).zip(self.limits.iter().zip(&self.offsets));
        let (length, (_, offset)) = lengths.find(|(_, (limit, _))| code < **limit)?;
        let symbol = self.symbol(code >> (16 - length), *offset)?;
        Some(symbol.found(length, bits))
    }

    fn symbol(&self, code: u32, offset: i32) -> Option<Symbol> {
        let index = usize::try_from(i32::try_from(code).ok()? + offset).ok()?;
        *self.symbols.get(index)?
    }

    /// By so many bits as `N` entries need, the symbol whose code is within them and the length of that: zero where there is none.
    fn short<const N: usize>(&self) -> [(Symbol, u8); N] {
        let mut short = [(Symbol::default(), 0); N];
        let mut start = 0;
        for (length, (limit, offset)) in (1_u8..).zip(self.limits.iter().zip(&self.offsets)) {
            // So many entries begin with a code of that length.
            let width = N >> length;
            if width == 0 {
                break;
            }
            let end = (*limit as usize * N) >> 16;
            let entries = short.get_mut(start..end).unwrap_or_default().chunks_mut(width);
            for (code, entries) in (start / width..).zip(entries) {
                let code = u32::try_from(code).unwrap_or_default();
                if let Some(symbol) = self.symbol(code, *offset) {
                    entries.fill((symbol, length));
                }
            }
            start = end;
        }
        short
    }
}

/// The symbols that are within the bits with their values.
fn found<const N: usize>(short: &[(Symbol, u8); N]) -> [Found; N] {
    let look = N.ilog2();
    let mut found = [Found::default(); N];
    for (index, (found, (symbol, length))) in (0_u64..).zip(found.iter_mut().zip(short)) {
        if *length > 0 && u32::from(length + symbol.size) <= look {
            *found = symbol.found(*length, index << (64 - look));
        }
    }
    found
}

/// Symbols with those that follow, if these are within the bits too. `alone` says what stands there otherwise.
fn two<const N: usize, const M: usize>(
    firsts: &[Found; N],
    seconds: &[Found; M],
    alone: fn(Found) -> Found,
) -> [Two; N] {
    let mut twos = [Two::default(); N];
    for (index, (two, first)) in twos.iter_mut().zip(firsts).enumerate() {
        if first.length > 0 {
            let rest = (index * (M / N)) << first.length;
            let second = seconds.get(rest % M).copied().unwrap_or_default();
            let is_within = u32::from(first.length + second.length) <= N.ilog2();
            let follows = is_within && second.length > 0 && first.step != END;
            *two = Two::new(*first, if follows { second } else { alone(*first) });
        }
    }
    twos
}

/// As many symbols as have their codes within the first `look` bits of an index, of which some are used.
fn passed_over(short: &[(Symbol, u8); ENTRIES], index: usize, used: u8, look: u32) -> Passed {
    let mut passed = Passed { length: used, step: 0 };
    while u32::from(passed.length) < look && !passed.ends() {
        let rest = index << passed.length;
        let (symbol, length) = short.get(rest % ENTRIES).copied().unwrap_or_default();
        let is_within = length > 0 && u32::from(passed.length + length) <= look;
        // Two ends would not fit, nor can they follow each other; nor do more steps than a block has coefficients.
        let step = passed.step + symbol.step;
        if !is_within || step % END > 63 {
            break;
        }
        passed = Passed { length: passed.length + length + symbol.size, step };
    }
    passed
}
