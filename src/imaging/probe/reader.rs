//! Numbers out of a file, with every way of ending too early named.

use std::io::{ErrorKind, Read, SeekFrom};

use super::corrupt;
use crate::{
    domain::error::{Error, Result},
    imaging::watched::ReadSeek,
};

/// A file that is read forwards.
pub(super) struct Reader<'f> {
    inner: &'f mut dyn ReadSeek,
    position: u64,
    length: u64,
}

impl<'f> Reader<'f> {
    pub(super) fn new(inner: &'f mut dyn ReadSeek) -> Result<Self> {
        let length = inner.seek(SeekFrom::End(0)).map_err(Error::internal)?;
        inner.seek(SeekFrom::Start(0)).map_err(Error::internal)?;
        Ok(Self { inner, position: 0, length })
    }

    /// The file itself, from its beginning.
    pub(super) fn rewound(&mut self) -> Result<&mut dyn ReadSeek> {
        self.inner.seek(SeekFrom::Start(0)).map_err(Error::internal)?;
        self.position = 0;
        Ok(self.inner)
    }

    /// Up to `count` bytes from the beginning, which stay unread.
    pub(super) fn peek(&mut self, count: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.rewound()?.take(count).read_to_end(&mut bytes).map_err(Error::internal)?;
        self.rewound()?;
        Ok(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// The next `count` bytes. The caller bounds `count`: this is the one place where memory follows the file.
    pub(super) fn bytes(&mut self, count: u32) -> Result<Vec<u8>> {
        self.require(count.into())?;
        let mut bytes = vec![0; usize::try_from(count).map_err(Error::internal)?];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn u8(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16_be(&mut self) -> Result<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u16_le(&mut self) -> Result<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u24_le(&mut self) -> Result<u32> {
        self.array().map(|[low, middle, high]| u32::from_le_bytes([low, middle, high, 0]))
    }

    pub(super) fn u32_be(&mut self) -> Result<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u32_le(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// Passes over `count` bytes, which must be there.
    pub(super) fn skip(&mut self, count: u64) -> Result<()> {
        self.require(count)?;
        let distance = i64::try_from(count).map_err(Error::internal)?;
        self.inner.seek_relative(distance).map_err(Error::internal)?;
        self.position += count;
        Ok(())
    }

    /// Bytes of the whole file.
    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    /// How far into the file this is.
    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    /// Bytes that follow.
    pub(super) const fn remaining(&self) -> u64 {
        self.length.saturating_sub(self.position)
    }

    fn require(&self, count: u64) -> Result<()> {
        if count > self.remaining() { Err(too_early()) } else { Ok(()) }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.inner.read_exact(bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => too_early(),
            _ => Error::internal(error),
        })?;
        self.position += bytes.len() as u64;
        Ok(())
    }
}

fn too_early() -> Error {
    corrupt("the file ends too early")
}
