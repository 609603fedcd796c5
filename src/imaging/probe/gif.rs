//! GIF: a walk over the blocks, which counts the frames without decoding one.

use super::{Header, Reader, check_frames, corrupt};
use crate::domain::{error::Result, limits::Limits};

const EXTENSION: u8 = 0x21;
const GRAPHIC_CONTROL: u8 = 0xf9;
const IMAGE: u8 = 0x2c;
const TRAILER: u8 = 0x3b;

pub(super) fn read(reader: &mut Reader<'_>, limits: &Limits) -> Result<Header> {
    reader.skip(6)?;
    let (width, height) = (reader.u16_le()?, reader.u16_le()?);
    let [flags, _background, _aspect] = reader.array()?;
    skip_colors(reader, flags)?;
    let mut frames = 0;
    let mut has_alpha = false;
    loop {
        match reader.u8()? {
            EXTENSION if reader.u8()? == GRAPHIC_CONTROL => {
                let [length, flags] = reader.array()?;
                has_alpha |= flags & 1 != 0;
                reader.skip(u64::from(length.max(1)) - 1)?;
                skip_blocks(reader)?;
            }
            EXTENSION => skip_blocks(reader)?,
            IMAGE => {
                let (left, top) = (reader.u16_le()?, reader.u16_le()?);
                let (across, down) = (reader.u16_le()?, reader.u16_le()?);
                // What the first frame leaves uncovered is transparent.
                let covers = left == 0 && top == 0 && across >= width && down >= height;
                has_alpha |= frames == 0 && !covers;
                let flags = reader.u8()?;
                skip_colors(reader, flags)?;
                reader.skip(1)?;
                skip_blocks(reader)?;
                frames += 1;
                check_frames(frames, limits)?;
            }
            TRAILER => break,
            _ => return Err(corrupt("the GIF has an unknown block")),
        }
    }
    if frames == 0 {
        return Err(corrupt("the GIF has no frame"));
    }
    Ok(Header {
        in_rows: false,
        width: width.into(),
        height: height.into(),
        frames,
        has_alpha,
        orientation: 1,
        depth: 8,
    })
}

/// Passes over the colour table that `flags` announce.
fn skip_colors(reader: &mut Reader<'_>, flags: u8) -> Result<()> {
    if flags & 0x80 == 0 { Ok(()) } else { reader.skip(3 << ((flags & 7) + 1)) }
}

/// Passes over blocks up to the empty one that ends them.
fn skip_blocks(reader: &mut Reader<'_>) -> Result<()> {
    loop {
        match reader.u8()? {
            0 => return Ok(()),
            length => reader.skip(length.into())?,
        }
    }
}
