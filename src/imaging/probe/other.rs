//! The formats whose decoders read their headers, and nothing more, when they are opened.

use std::io::{BufReader, Cursor, Read};

use image::{ImageDecoder, ImageError, ImageReader};

use super::{Header, Reader, corrupt};
use crate::{
    domain::{
        error::{Code, Error, Result},
        format::Format,
    },
    imaging::{decode::foreign, icon, watched::ReadSeek},
};

/// As much as the header of an HDR may take: it consists of lines, which are read whole.
const LINES: u64 = 1 << 16;
/// What tells how long the list of an ICO is, and as much of a picture in it as its header may take.
const START: u64 = 6;
const ICON: u64 = 1 << 20;
/// What the decoder of EXR says of files that are whole, and have luma alone, or depth.
const NOT_RGB: &str = "does not contain non-deep rgb channels";

pub(super) fn read(reader: &mut Reader<'_>, format: Format) -> Result<Header> {
    match format {
        Format::Ico => header(&mut Cursor::new(largest_icon(reader)?), format),
        Format::Hdr => header(&mut reader.rewound()?.take(LINES), format),
        _ => header(reader.rewound()?, format),
    }
}

/// The beginning of a file of the largest picture alone.
fn largest_icon(reader: &mut Reader<'_>) -> Result<Vec<u8>> {
    let start = reader.peek(START)?;
    let list = reader.peek(icon::list(&start) as u64)?;
    let entry = icon::largest(&list).ok_or_else(|| corrupt("the ICO has no picture"))?;
    reader.rewound()?;
    reader.skip(entry.offset.into())?;
    let length = u64::from(entry.length).min(reader.remaining()).min(ICON);
    let content = reader.bytes(u32::try_from(length).map_err(Error::internal)?)?;
    icon::alone(&list, entry, &content).ok_or_else(|| corrupt("the ICO has no picture"))
}

fn header(file: &mut dyn ReadSeek, format: Format) -> Result<Header> {
    let mut decoder = ImageReader::with_format(BufReader::new(file), foreign(format)?)
        .into_decoder()
        .map_err(|error| refused(format, error))?;
    let (width, height) = decoder.dimensions();
    let color = decoder.color_type();
    let has_alpha = color.has_alpha();
    let depth = if color.bytes_per_pixel() > color.channel_count() { 16 } else { 8 };
    let orientation = decoder.orientation().map_or(1, |orientation| orientation.to_exif());
    Ok(Header { width, height, frames: 1, has_alpha, orientation, depth, in_rows: false })
}

/// What is wrong with a file that can't be opened, or that it is of a kind that is not read.
fn refused(format: Format, error: ImageError) -> Error {
    let is_known = match &error {
        ImageError::Unsupported(_) => false,
        error => !error.to_string().contains(NOT_RGB),
    };
    if is_known {
        return corrupt("the header of the picture is broken").caused_by(error);
    }
    let detail = format!("{} of this kind is not read", format.as_str().to_ascii_uppercase());
    Error::new(Code::UnsupportedMediaType, detail).caused_by(error)
}
