//! WebP: a walk over the chunks of the RIFF container.

use super::{Header, Reader, check_frames, corrupt, exif};
use crate::domain::{error::Result, limits::Limits};

/// No EXIF block that matters is longer.
const MAX_EXIF: u32 = 1 << 20;
const VP8X_ALPHA: u8 = 0x10;
const VP8X_ANIMATION: u8 = 0x02;

pub(super) fn read(reader: &mut Reader<'_>, limits: &Limits) -> Result<Header> {
    reader.skip(4)?;
    let end = u64::from(reader.u32_le()?) + 8;
    if end > reader.position() + reader.remaining() {
        return Err(corrupt("the file ends too early"));
    }
    reader.skip(4)?;
    let mut header: Option<Header> = None;
    let mut frames = 0;
    let mut has_pixels = false;
    let mut is_animated = false;
    while reader.position() + 8 <= end {
        let (kind, length) = (reader.array::<4>()?, reader.u32_le()?);
        let next = reader.position() + u64::from(length) + u64::from(length % 2);
        match &kind {
            b"VP8X" => {
                let flags = reader.u8()?;
                reader.skip(3)?;
                let (width, height) = (reader.u24_le()? + 1, reader.u24_le()? + 1);
                let has_alpha = flags & VP8X_ALPHA != 0;
                is_animated = flags & VP8X_ANIMATION != 0;
                header = Some(Header {
                    width,
                    height,
                    frames: 1,
                    has_alpha,
                    orientation: 1,
                    depth: 8,
                    in_rows: true,
                });
            }
            b"VP8 " | b"VP8L" => {
                has_pixels = true;
                if header.is_none() {
                    header =
                        Some(if kind == *b"VP8 " { lossy(reader)? } else { lossless(reader)? });
                }
            }
            b"ANMF" => {
                has_pixels = true;
                frames += 1;
                check_frames(frames, limits)?;
            }
            b"EXIF" if length <= MAX_EXIF => {
                let orientation = exif::orientation(reader.bytes(length)?);
                if let Some(header) = &mut header {
                    header.orientation = orientation;
                }
            }
            _ => {}
        }
        // The padding of the last chunk is often left out.
        let rest = next.min(end).checked_sub(reader.position());
        reader.skip(rest.ok_or_else(|| corrupt("the WebP has a broken chunk"))?)?;
        if next > end + 1 {
            return Err(corrupt("the WebP has a broken chunk"));
        }
    }
    let mut header = header.ok_or_else(|| corrupt("the WebP has no header"))?;
    if !has_pixels {
        return Err(corrupt("the WebP has no pixels"));
    }
    if is_animated {
        header.frames = frames.max(1);
        header.in_rows = false;
    }
    Ok(header)
}

/// The header of a VP8 key frame.
fn lossy(reader: &mut Reader<'_>) -> Result<Header> {
    reader.skip(3)?;
    if reader.array()? != [0x9d, 0x01, 0x2a] {
        return Err(corrupt("the WebP has a broken frame header"));
    }
    let (width, height) = (reader.u16_le()? & 0x3fff, reader.u16_le()? & 0x3fff);
    Ok(Header {
        in_rows: true,
        width: width.into(),
        height: height.into(),
        frames: 1,
        has_alpha: false,
        orientation: 1,
        depth: 8,
    })
}

/// The header of a lossless picture: 14 bits each of width − 1 and height − 1, then one of alpha.
fn lossless(reader: &mut Reader<'_>) -> Result<Header> {
    if reader.u8()? != 0x2f {
        return Err(corrupt("the WebP has a broken frame header"));
    }
    let bits = reader.u32_le()?;
    let (width, height) = ((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1);
    Ok(Header {
        in_rows: true,
        width,
        height,
        frames: 1,
        has_alpha: bits & (1 << 28) != 0,
        orientation: 1,
        depth: 8,
    })
}
