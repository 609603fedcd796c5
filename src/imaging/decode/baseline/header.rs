//! The segments before the scan (ITU-T T.81, annex B). Whatever is odd about them is left to another decoder: that is `None`.

/// Columns, or rows, of a block.
pub(super) const BLOCK: usize = 8;
/// Coefficients of a block.
pub(super) const COEFFICIENTS: usize = BLOCK * BLOCK;

const START_OF_IMAGE: u8 = 0xd8;
const END_OF_IMAGE: u8 = 0xd9;
const START_OF_SCAN: u8 = 0xda;
const BASELINE: u8 = 0xc0;
const EXTENDED: u8 = 0xc1;
const HUFFMAN_TABLES: u8 = 0xc4;
const QUANTISATION_TABLES: u8 = 0xdb;
const RESTART_INTERVAL: u8 = 0xdd;
const COMMENT: u8 = 0xfe;
const APP0: u8 = 0xe0;
const APP14: u8 = 0xee;
const APP15: u8 = 0xef;
/// What Adobe's marker says of pictures that hold luma and chroma.
const YCBCR: u8 = 1;

/// What is known before the first block.
pub(super) struct Header<'a> {
    pub width: u32,
    pub height: u32,
    /// One, of luma, or three: luma and the two of chroma.
    pub components: Vec<Component>,
    /// MCUs between two restarts; zero where there are none.
    pub restart: u32,
    /// From the first byte of the scan to the end marker.
    pub scan: &'a [u8],
}

/// A component of the frame, with what its scan is decoded by.
pub(super) struct Component {
    /// Blocks of an MCU, across and down: 1 or 2, and never more than luma has.
    pub blocks: [usize; 2],
    /// Steps of quantisation, in zigzag order.
    pub steps: [i16; COEFFICIENTS],
    pub dc: Codes,
    pub ac: Codes,
}

/// A Huffman table as it is transmitted.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Codes {
    /// How many codes there are of one bit, of two, ... of sixteen.
    pub counts: [u8; 16],
    /// What they stand for, from the shortest on: as many as there are codes.
    pub symbols: Vec<u8>,
}

/// Reads on to the scan. `None` if that is not the only one, or not one of baseline or extended sequential coding by Huffman codes, with
/// eight bits a sample, of grey or of luma and chroma in a sampling that is known; and if the end marker is missing.
pub(super) fn read(input: &[u8]) -> Option<Header<'_>> {
    let mut rest = input.strip_prefix(&[0xff, START_OF_IMAGE])?;
    let mut segments = Segments::default();
    loop {
        let marker;
        (marker, rest) = next_marker(rest)?;
        let length = usize::from(u16::from_be_bytes(*rest.first_chunk()?));
        let (segment, after) = rest.split_at_checked(length)?;
        let segment = segment.get(2..)?;
        rest = after;
        match marker {
            BASELINE | EXTENDED => segments.frame(segment)?,
            HUFFMAN_TABLES => segments.codes(segment)?,
            QUANTISATION_TABLES => segments.steps(segment)?,
            RESTART_INTERVAL => {
                segments.restart = u16::from_be_bytes(segment.try_into().ok()?).into();
            }
            START_OF_SCAN => {
                let components = segments.scan(segment)?;
                let [width, height] = segments.size?;
                let end = rest.windows(2).rposition(|bytes| bytes == [0xff, END_OF_IMAGE])?;
                let scan = rest.get(..end + 2)?;
                let restart = segments.restart;
                return Some(Header { width, height, components, restart, scan });
            }
            APP14 if segment.starts_with(b"Adobe") => segments.adobe = Some(*segment.get(11)?),
            APP0..=APP15 | COMMENT => {}
            _ => return None,
        }
    }
}

/// The marker that comes next, before which any number of 0xff may stand (B.1.1.2), and what follows it.
fn next_marker(input: &[u8]) -> Option<(u8, &[u8])> {
    let after = input.strip_prefix(&[0xff])?;
    let fill = after.iter().position(|byte| *byte != 0xff)?;
    let (marker, rest) = after.get(fill..)?.split_first()?;
    Some((*marker, rest))
}

/// What the segments said so far.
#[derive(Default)]
struct Segments {
    /// Width and height.
    size: Option<[u32; 2]>,
    named: Vec<Named>,
    steps: [Option<[i16; COEFFICIENTS]>; 4],
    dc: [Option<Codes>; 4],
    ac: [Option<Codes>; 4],
    restart: u32,
    /// What Adobe's marker says of the colours.
    adobe: Option<u8>,
}

/// A component as the frame header names it.
struct Named {
    id: u8,
    factors: [usize; 2],
    /// Which steps.
    table: usize,
}

impl Segments {
    /// B.2.2, the frame header.
    fn frame(&mut self, segment: &[u8]) -> Option<()> {
        let [8, h1, h0, w1, w0, count, components @ ..] = segment else { return None };
        let size = [[*w1, *w0], [*h1, *h0]].map(|bytes| u32::from(u16::from_be_bytes(bytes)));
        // A height of zero is told after the scan.
        if size.contains(&0) || self.size.is_some() {
            return None;
        }
        self.size = Some(size);
        let (components, []) = components.as_chunks::<3>() else { return None };
        let named = components.iter().map(|[id, factors, table]| Named {
            id: *id,
            factors: [factors >> 4, factors & 15].map(usize::from),
            table: usize::from(*table),
        });
        self.named = named.collect();
        (self.named.len() == usize::from(*count)).then_some(())
    }

    /// B.2.4.1, tables of quantisation.
    fn steps(&mut self, mut segment: &[u8]) -> Option<()> {
        while let Some((kind, rest)) = segment.split_first() {
            let steps;
            (steps, segment) = if kind >> 4 == 0 {
                let (bytes, rest) = rest.split_first_chunk::<COEFFICIENTS>()?;
                (bytes.map(i16::from), rest)
            } else {
                let (bytes, rest) = rest.split_at_checked(2 * COEFFICIENTS)?;
                let mut steps = [0; COEFFICIENTS];
                for (step, bytes) in steps.iter_mut().zip(bytes.as_chunks::<2>().0) {
                    *step = u16::from_be_bytes(*bytes).try_into().ok()?;
                }
                (steps, rest)
            };
            *self.steps.get_mut(usize::from(kind & 15))? = Some(steps);
        }
        Some(())
    }

    /// B.2.4.2, Huffman tables.
    fn codes(&mut self, mut segment: &[u8]) -> Option<()> {
        while let Some((kind, rest)) = segment.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>()?;
            let count = counts.iter().map(|count| usize::from(*count)).sum();
            let (symbols, rest) = rest.split_at_checked(count)?;
            segment = rest;
            let tables = if kind >> 4 == 0 { &mut self.dc } else { &mut self.ac };
            let codes = Codes { counts: *counts, symbols: symbols.to_vec() };
            *tables.get_mut(usize::from(kind & 15))? = Some(codes);
        }
        Some(())
    }

    /// B.2.3, the scan header, which must name all components, in their order, and all coefficients.
    fn scan(&self, segment: &[u8]) -> Option<Vec<Component>> {
        let (count, rest) = segment.split_first()?;
        let count = usize::from(*count);
        let (selectors, rest) = rest.split_at_checked(2 * count)?;
        if rest != [0, 63, 0] || count != self.named.len() || !self.is_known() {
            return None;
        }
        let selectors = selectors.as_chunks::<2>().0.iter().zip(&self.named);
        let components = selectors.map(|([id, tables], named)| {
            let dc = self.dc.get(usize::from(tables >> 4))?.clone()?;
            let ac = self.ac.get(usize::from(tables & 15))?.clone()?;
            let steps = (*self.steps.get(named.table)?)?;
            // A scan of one component has a block an MCU, whatever the factors (A.2.2).
            let blocks = if count == 1 { [1, 1] } else { named.factors };
            (*id == named.id).then_some(Component { blocks, steps, dc, ac })
        });
        components.collect()
    }

    /// Whether the components are grey, or luma and chroma in a sampling that is known.
    fn is_known(&self) -> bool {
        match self.named.as_slice() {
            [_] => true,
            [luma, blue, red] => {
                let is_rgb = [luma.id, blue.id, red.id] == *b"RGB"
                    || self.adobe.is_some_and(|transform| transform != YCBCR);
                !is_rgb
                    && luma.factors.iter().all(|factor| matches!(factor, 1 | 2))
                    && [blue, red].iter().all(|chroma| chroma.factors == [1, 1])
            }
            _ => false,
        }
    }
}
