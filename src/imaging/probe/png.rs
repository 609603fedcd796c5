//! PNG and APNG: a walk over the chunks.

use super::{Header, Reader, check_frames, corrupt, exif};
use crate::{
    domain::{
        error::{Code, Error, Result},
        limits::Limits,
    },
    imaging::plan,
};

/// No EXIF block that matters is longer.
const MAX_EXIF: u32 = 1 << 20;

pub(super) fn read(reader: &mut Reader<'_>, limits: &Limits) -> Result<Header> {
    reader.skip(8)?;
    if (reader.u32_be()?, reader.array()?) != (13, *b"IHDR") {
        return Err(corrupt("the PNG does not begin with its header"));
    }
    let (width, height) = (reader.u32_be()?, reader.u32_be()?);
    let [depth, color, _compression, _filter, interlace] = reader.array()?;
    reader.skip(4)?;
    // A side that neither way up is allowed need not be looked at any further.
    let longest = limits.width.max(limits.height);
    if width.max(height) > longest {
        let problem = plan::within(limits, (width, height), 1).err().unwrap_or_default();
        return Err(Error::new(Code::ImageTooLarge, format!("the picture has {problem}")));
    }
    let mut header = Header {
        width,
        height,
        frames: 1,
        has_alpha: color & 4 != 0,
        orientation: 1,
        depth,
        in_rows: depth == 8 && interlace == 0,
    };
    let mut has_pixels = false;
    loop {
        let (length, kind) = (reader.u32_be()?, reader.array::<4>()?);
        match &kind {
            b"acTL" if length == 8 && !has_pixels => {
                header.frames = reader.u32_be()?.max(1);
                check_frames(header.frames, limits)?;
                reader.skip(4)?;
            }
            b"eXIf" if length <= MAX_EXIF => {
                header.orientation = exif::orientation(reader.bytes(length)?);
            }
            b"IEND" => {
                reader.skip(4)?;
                break;
            }
            _ => {
                header.has_alpha |= kind == *b"tRNS";
                has_pixels |= kind == *b"IDAT";
                reader.skip(length.into())?;
            }
        }
        reader.skip(4)?;
    }
    if has_pixels { Ok(header) } else { Err(corrupt("the PNG has no pixels")) }
}
