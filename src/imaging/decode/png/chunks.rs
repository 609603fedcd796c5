//! The chunks of a PNG (its specification, 5.3), and their checksums.

/// What is wrong with a file.
pub(super) type Damage = &'static str;

/// The chunks of a file that were not looked at yet.
pub(super) struct Chunks<'a>(&'a [u8]);

impl<'a> Chunks<'a> {
    pub(super) fn of(file: &'a [u8]) -> Self {
        const SIGNATURE: usize = 8;
        Self(file.get(SIGNATURE..).unwrap_or_default())
    }

    /// The next one: its name, and what it holds.
    pub(super) fn next(&mut self) -> Result<([u8; 4], &'a [u8]), Damage> {
        const NAME: usize = 4;
        let chunk = || {
            let (length, rest) = self.0.split_first_chunk::<4>()?;
            let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
            let (chunk, rest) = rest.split_at_checked(length.checked_add(NAME)?)?;
            let (checksum, rest) = rest.split_first_chunk::<4>()?;
            let (name, data) = chunk.split_first_chunk::<NAME>()?;
            let is_right = zlib_rs::crc32::crc32(0, chunk) == u32::from_be_bytes(*checksum);
            Some((*name, data, rest, is_right))
        };
        let (name, data, rest, is_right) = chunk().ok_or("it ends too early")?;
        self.0 = rest;
        if is_right { Ok((name, data)) } else { Err("a checksum is wrong") }
    }

    /// What the next chunk of pixels holds, if there is one before the end.
    pub(super) fn pixels(&mut self) -> Result<Option<&'a [u8]>, Damage> {
        loop {
            match self.next()? {
                (name, data) if name == *b"IDAT" => return Ok(Some(data)),
                (name, _) if name == *b"IEND" => return Ok(None),
                _ => {}
            }
        }
    }
}
