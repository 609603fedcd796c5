//! The formats whose decoders read their headers, and nothing more, when they are opened.

use std::io::{BufRead, Seek};

use image::{ImageDecoder, ImageReader};

use super::{Header, Reader, corrupt};
use crate::{
    domain::{error::Result, format::Format},
    imaging::decode::foreign,
};

pub(super) fn read(reader: &mut Reader<impl BufRead + Seek>, format: Format) -> Result<Header> {
    let mut decoder = ImageReader::with_format(reader.rewound()?, foreign(format)?)
        .into_decoder()
        .map_err(|error| corrupt("the header of the picture is broken").caused_by(error))?;
    let (width, height) = decoder.dimensions();
    let color = decoder.color_type();
    let has_alpha = color.has_alpha();
    let depth = if color.bytes_per_pixel() > color.channel_count() { 16 } else { 8 };
    let orientation = decoder.orientation().map_or(1, |orientation| orientation.to_exif());
    Ok(Header { width, height, frames: 1, has_alpha, orientation, depth })
}
