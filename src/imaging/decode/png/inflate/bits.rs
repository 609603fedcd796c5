//! The bits of a stream that comes in pieces.

use super::{
    super::chunks::{Chunks, Damage},
    table::{Entry, Table},
};

/// What was not read of a stream yet.
pub(super) struct Bits<'a> {
    chunks: Chunks<'a>,
    /// What is left of the chunk that was found last.
    pub(super) piece: &'a [u8],
    /// The next bits, the first being the lowest.
    pub(super) held: u64,
    /// So many of them count. Those above are those of the piece that follow, or zero.
    pub(super) count: u32,
}

impl<'a> Bits<'a> {
    pub(super) const fn new(chunks: Chunks<'a>) -> Self {
        Self { chunks, piece: &[], held: 0, count: 0 }
    }

    /// Gives back the chunks that were not looked at.
    pub(super) const fn chunks(&mut self) -> &mut Chunks<'a> {
        &mut self.chunks
    }

    /// Goes on to the next chunk of pixels.
    pub(super) fn supply(&mut self) -> Result<(), Damage> {
        self.piece = self.chunks.pixels()?.ok_or("it ends too early")?;
        Ok(())
    }

    /// Sees that so many bits count, no more than 56.
    pub(super) fn need(&mut self, count: u32) -> Result<(), Damage> {
        if self.count < count {
            self.held &= (1 << self.count) - 1;
        }
        while self.count < count {
            let Some((byte, rest)) = self.piece.split_first() else {
                self.supply()?;
                continue;
            };
            self.piece = rest;
            self.held |= u64::from(*byte) << self.count;
            self.count += 8;
        }
        Ok(())
    }

    /// Goes on by so many bits, which must count.
    pub(super) fn skip(&mut self, count: u32) {
        self.held >>= count;
        self.count = self.count.saturating_sub(count);
    }

    /// The next bits, as a number: no more than 16.
    pub(super) fn take(&mut self, count: u32) -> Result<u16, Damage> {
        self.need(count)?;
        let taken = self.held & ((1 << count) - 1);
        self.skip(count);
        Ok(u16::try_from(taken).unwrap_or(u16::MAX))
    }

    /// The next symbol, and the bits that begin with it, for its number. With that it may have so many.
    pub(super) fn symbol<const N: usize>(
        &mut self,
        table: &Table<N>,
        most: u32,
    ) -> Result<(Entry, u64), Damage> {
        self.need(most)?;
        let mut entry = table.find(self.held);
        if let Some(longer) = table.longer(entry, self.held >> entry.length()) {
            self.skip(entry.length());
            entry = longer;
        }
        let read = self.held;
        self.skip(entry.length());
        Ok((entry, read))
    }

    /// The bits up to the next whole byte are nothing.
    pub(super) fn align(&mut self) {
        self.skip(self.count % 8);
    }
}
