//! Files that are read and written only as long as the work goes on. Codecs can't be asked to stop in the middle of a picture; but
//! all of them give up where a file is broken, and whoever called them looks at the control before it blames the file.

use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};

use super::control::Control;

/// Bytes between two looks at the control. What is packed best becomes a thousand times as many: some hundredths of a second.
pub(super) const PIECE: usize = 16 << 10;

/// Any file: those decoders that are generic in what they read are compiled for this alone, once, not for every kind of file.
pub(super) trait ReadSeek: Read + Seek {}
impl<F: Read + Seek> ReadSeek for F {}

/// A file, or the place of one, under a control.
pub(super) struct Watched<'c, F> {
    file: F,
    control: &'c Control,
    piece: usize,
    /// Bytes until the next look.
    left: usize,
}

impl<'c, F> Watched<'c, F> {
    /// Looks at the control every [`PIECE`] bytes.
    pub(super) const fn new(file: F, control: &'c Control) -> Self {
        Self::every(PIECE, file, control)
    }

    /// Looks at the control every `piece` bytes.
    pub(super) const fn every(piece: usize, file: F, control: &'c Control) -> Self {
        Self { file, control, piece, left: 0 }
    }

    /// How many bytes may pass before the next look, which is taken when there are none.
    fn allowed(&mut self) -> io::Result<usize> {
        if self.left == 0 {
            self.control.check().map_err(io::Error::other)?;
            self.left = self.piece;
        }
        Ok(self.left)
    }
}

impl<F: Read> Read for Watched<'_, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.allowed()?.min(buffer.len());
        let count = self.file.read(buffer.get_mut(..most).unwrap_or_default())?;
        self.left = self.left.saturating_sub(count);
        Ok(count)
    }
}

impl<F: BufRead> BufRead for Watched<'_, F> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let most = self.allowed()?;
        let buffer = self.file.fill_buf()?;
        Ok(buffer.get(..most).unwrap_or(buffer))
    }

    fn consume(&mut self, count: usize) {
        self.file.consume(count);
        self.left = self.left.saturating_sub(count);
    }
}

impl<F: Write> Write for Watched<'_, F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let most = self.allowed()?.min(bytes.len());
        let count = self.file.write(bytes.get(..most).unwrap_or_default())?;
        self.left = self.left.saturating_sub(count);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl<F: Seek> Seek for Watched<'_, F> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}
