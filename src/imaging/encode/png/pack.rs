//! Rows of a PNG, filtered and deflated in the way that takes the least. Which one it is, a few rows of the picture tell.

use zlib_rs::{Deflate, DeflateConfig, DeflateError, DeflateFlush, Status, Strategy};

use super::filter::Filters;
use crate::imaging::control::{Control, Failure};

const LEVEL: i32 = 6;
/// Bytes that are handed over at a time.
const CHUNK: usize = 1 << 20;
/// Bytes of rows that are tried.
const TRIED: usize = 64 << 10;
/// Pieces of the picture that they are taken from.
const PIECES: usize = 4;

/// Rows that follow each other.
#[derive(Clone, Copy)]
pub(super) struct Stored<'a> {
    /// Their bytes.
    pub data: &'a [u8],
    /// Bytes of a row.
    pub length: usize,
    /// Bytes from a sample to the same one of the next pixel. `None` where neighbours mean nothing to each other: they are not filtered
    /// then.
    pub step: Option<usize>,
}

/// A way to pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Way {
    filtered: bool,
    strategy: Strategy,
}

impl Way {
    /// Looks for nothing but runs of a byte. Of photographs the differences repeat too seldom for more: it takes the least then, and a
    /// third of the time.
    const RUNS: Self = Self { filtered: true, strategy: Strategy::Rle };
    /// Looks for what was there before.
    const REPEATS: Self = Self { filtered: true, strategy: Strategy::Default };
    /// The same in the samples themselves: what was drawn repeats itself.
    const PLAIN: Self = Self { filtered: false, strategy: Strategy::Default };
}

impl Stored<'_> {
    /// Packs all rows as a zlib stream, which is given to `take` in pieces.
    pub(super) fn pack(
        self,
        control: &Control,
        mut take: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.packed_as(self.best(control)?, CHUNK, control, &mut take)
    }

    /// The way that makes the least of a sample.
    fn best(self, control: &Control) -> Result<Way, Failure> {
        if self.step.is_none() {
            return Ok(Way::PLAIN);
        }
        let mut best = (Way::RUNS, usize::MAX);
        for way in [Way::RUNS, Way::REPEATS, Way::PLAIN] {
            control.check()?;
            let mut size = 0;
            for piece in self.pieces() {
                // So little that nobody needs to be asked.
                let unasked = Control::default();
                piece.packed_as(way, TRIED, &unasked, &mut |bytes: &[u8]| {
                    size += bytes.len();
                    Ok(())
                })?;
            }
            // One or two hundredths are not worth three times the time.
            if size.saturating_add(size / 64) < best.1 {
                best = (way, size);
            }
        }
        Ok(best.0)
    }

    /// Some rows of a large picture, at even distances; all of a small one.
    fn pieces(self) -> impl Iterator<Item = Self> {
        let length = self.length.max(1);
        let rows = self.data.len() / length;
        let (pieces, tall) = if self.data.len() <= TRIED {
            (1, rows)
        } else {
            (PIECES, (TRIED / PIECES).div_ceil(length).min(rows / PIECES).max(1))
        };
        (0..pieces).filter_map(move |index| {
            let from = (rows - tall) * index / (pieces - 1).max(1) * length;
            let data = self.data.get(from..)?;
            Some(Self { data: data.get(..tall * length).unwrap_or(data), ..self })
        })
    }

    fn packed_as(
        self,
        way: Way,
        chunk: usize,
        control: &Control,
        take: &mut impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut packer = Packer::new(way.strategy, chunk);
        let mut filters =
            self.step.filter(|_| way.filtered).map(|step| Filters::new(step, self.length));
        for row in self.data.chunks(self.length.max(1)) {
            control.check()?;
            match &mut filters {
                Some(filters) => packer.feed(filters.least(row), take)?,
                None => {
                    packer.feed(&[0], take)?;
                    packer.feed(row, take)?;
                }
            }
        }
        packer.finish(take)
    }
}

/// A stream that is being deflated.
struct Packer {
    deflate: Deflate,
    /// Bytes that were not handed over, and room for more.
    ready: Vec<u8>,
    filled: usize,
}

impl Packer {
    fn new(strategy: Strategy, chunk: usize) -> Self {
        let config = DeflateConfig { strategy, ..DeflateConfig::new(LEVEL) };
        Self { deflate: Deflate::new_with_config(config), ready: vec![0; chunk], filled: 0 }
    }

    fn feed(
        &mut self,
        mut bytes: &[u8],
        take: &mut impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        while !bytes.is_empty() {
            let before = self.deflate.total_in();
            self.step(bytes, DeflateFlush::NoFlush, take)?;
            let read = usize::try_from(self.deflate.total_in() - before).unwrap_or(usize::MAX);
            bytes = bytes.get(read..).unwrap_or_default();
        }
        Ok(())
    }

    fn finish(
        mut self,
        take: &mut impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        while !matches!(self.step(&[], DeflateFlush::Finish, take)?, Status::StreamEnd) {}
        take(self.ready.get(..self.filled).unwrap_or_default())
    }

    /// Deflates as much as there is room for, and makes room where there is none.
    fn step(
        &mut self,
        bytes: &[u8],
        flush: DeflateFlush,
        take: &mut impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<Status, Failure> {
        if self.filled == self.ready.len() {
            take(&self.ready)?;
            self.filled = 0;
        }
        let before = self.deflate.total_out();
        let room = self.ready.get_mut(self.filled..).unwrap_or_default();
        let status = self
            .deflate
            .compress(bytes, room, flush)
            .map_err(|cause: DeflateError| crate::domain::error::Error::internal(cause.as_str()))?;
        let written = self.deflate.total_out() - before;
        self.filled += usize::try_from(written).unwrap_or_default();
        Ok(status)
    }
}
