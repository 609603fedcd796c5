//! JPEG: the segments before the first scan.

use super::{Header, Reader, corrupt, exif};
use crate::domain::error::{Code, Error, Result};

const START_OF_IMAGE: u8 = 0xd8;
const END_OF_IMAGE: u8 = 0xd9;
const START_OF_SCAN: u8 = 0xda;
const PROGRESSIVE: u8 = 0xc2;
const APP1: u8 = 0xe1;

/// Kept of one segment at most; they are no longer than this.
type Segment = Vec<u8>;

/// The header, and whether all scans must be read before there is a row of pixels.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<(Header, bool)> {
    let mut size = None;
    let mut channels = None;
    let (mut in_passes, mut in_rows) = (true, false);
    let mut orientation = 1;
    walk(reader, |marker, segment| {
        match marker {
            // Baseline, extended and progressive, all by Huffman.
            0xc0..=0xc2 => {
                size = Some(frame(&segment)?);
                // Inks are not.
                in_rows = segment.get(5).is_some_and(|channels| *channels < 4);
                channels = segment.get(5).filter(|_| marker != PROGRESSIVE).copied();
            }
            START_OF_SCAN => in_passes = channels.is_none() || segment.first() != channels.as_ref(),
            0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                return Err(unsupported("lossless, hierarchical and arithmetic JPEG are not read"));
            }
            APP1 if orientation == 1 && segment.starts_with(b"Exif\0\0") => {
                orientation = exif::orientation(segment);
            }
            _ => {}
        }
        Ok(())
    })?;
    let (width, height) = size.ok_or_else(|| corrupt("the JPEG has no frame header"))?;
    let header =
        Header { width, height, frames: 1, has_alpha: false, orientation, depth: 8, in_rows };
    Ok((header, in_passes))
}

/// How many channels a pixel has: one is grey, three are colours, four are inks.
pub(super) fn channels(reader: &mut Reader<'_>) -> Option<u8> {
    let mut channels = None;
    let found = walk(reader, |marker, segment| {
        if matches!(marker, 0xc0..=0xc2) {
            channels = segment.get(5).copied();
        }
        Ok(())
    });
    found.ok().and(channels)
}

/// Shows every segment up to the header of the first scan.
fn walk(reader: &mut Reader<'_>, mut visit: impl FnMut(u8, Segment) -> Result<()>) -> Result<()> {
    reader.skip(2)?;
    loop {
        // Any number of 0xff may stand before a marker.
        let mut marker = reader.u8()?;
        if marker != 0xff {
            return Err(corrupt("the JPEG has bytes between its segments"));
        }
        while marker == 0xff {
            marker = reader.u8()?;
        }
        match marker {
            START_OF_IMAGE | 0x01 | 0xd0..=0xd7 => continue,
            0x00 | END_OF_IMAGE => return Err(corrupt("the JPEG has no scan")),
            _ => {}
        }
        let length = reader.u16_be()?.checked_sub(2);
        let length = length.ok_or_else(|| corrupt("the JPEG has a broken segment"))?;
        let segment = reader.bytes(length.into())?;
        visit(marker, segment)?;
        if marker == START_OF_SCAN {
            return Ok(());
        }
    }
}

/// Width and height out of a frame header.
fn frame(segment: &[u8]) -> Result<(u32, u32)> {
    let [precision, h1, h0, w1, w0, ..] = *segment else {
        return Err(corrupt("the JPEG has a broken frame header"));
    };
    if precision != 8 {
        return Err(unsupported(&format!("JPEG of {precision} bits a channel is not read")));
    }
    Ok((u16::from_be_bytes([w1, w0]).into(), u16::from_be_bytes([h1, h0]).into()))
}

fn unsupported(detail: &str) -> Error {
    Error::new(Code::UnsupportedMediaType, detail)
}
