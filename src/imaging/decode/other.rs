//! The formats that are read by the `image` crate.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};

use super::{broken, memory};
use crate::{
    domain::{
        error::{Error, Result},
        format::Format,
        limits::Limits,
    },
    imaging::{color, picture::Picture},
};

pub(super) fn decode(input: &[u8], format: Format, limits: &Limits) -> Result<Picture> {
    let damaged = |cause| broken(format, cause);
    let mut allowed = image::Limits::default();
    allowed.max_alloc = Some(memory(limits));
    let mut reader = ImageReader::with_format(Cursor::new(input), foreign(format)?);
    reader.limits(allowed);
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let has_alpha = decoder.color_type().has_alpha();
    let icc = decoder.icc_profile().map_err(damaged)?;
    let mut pixels = DynamicImage::from_decoder(decoder).map_err(damaged)?.into_rgba8();
    if let Some(icc) = icc {
        color::to_srgb(&mut pixels, &icc);
    }
    Ok(Picture::still(pixels, has_alpha))
}

/// The `image` crate's name for a format.
pub(in crate::imaging) fn foreign(format: Format) -> Result<ImageFormat> {
    Ok(match format {
        Format::Tiff => ImageFormat::Tiff,
        Format::Bmp => ImageFormat::Bmp,
        Format::Ico => ImageFormat::Ico,
        Format::Qoi => ImageFormat::Qoi,
        Format::Pnm => ImageFormat::Pnm,
        Format::Tga => ImageFormat::Tga,
        Format::Jpeg | Format::Png | Format::Webp | Format::Gif => {
            return Err(Error::internal(format!("{} has a decoder of its own", format.as_str())));
        }
    })
}
