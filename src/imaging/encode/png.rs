//! PNG at compression level 6.

use png::{BitDepth, ColorType, DeflateCompression, Encoder, Filter};

use super::{refused, without_alpha};
use crate::{
    domain::{error::Result, format::Format},
    imaging::picture::Picture,
};

const LEVEL: u8 = 6;

pub(super) fn encode(picture: &Picture) -> Result<Vec<u8>> {
    let failed = |cause: png::EncodingError| refused(Format::Png, cause);
    let (width, height) = picture.size();
    let pixels = picture.first.pixels.as_raw();
    let is_opaque =
        !picture.has_alpha || pixels.as_chunks::<4>().0.iter().all(|pixel| pixel[3] == 255);
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_color(if is_opaque { ColorType::Rgb } else { ColorType::Rgba });
    encoder.set_deflate_compression(DeflateCompression::Level(LEVEL));
    encoder.set_filter(Filter::Adaptive);
    let mut writer = encoder.write_header().map_err(failed)?;
    if is_opaque {
        writer.write_image_data(&without_alpha(pixels)).map_err(failed)?;
    } else {
        writer.write_image_data(pixels).map_err(failed)?;
    }
    writer.finish().map_err(failed)?;
    Ok(bytes)
}
