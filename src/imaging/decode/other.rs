//! The formats that are read by the `image` crate.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};

use super::{Wanted, broken, memory, settle};
use crate::{
    domain::{
        error::{Error, Result},
        format::Format,
        limits::Limits,
    },
    imaging::picture::{Picture, Pixels},
};

pub(super) fn decode(
    input: &[u8],
    format: Format,
    wanted: Wanted,
    limits: &Limits,
) -> Result<Picture> {
    let damaged = |cause| broken(format, cause);
    let mut allowed = image::Limits::default();
    allowed.max_alloc = Some(memory(limits));
    let mut reader = ImageReader::with_format(Cursor::new(input), foreign(format)?);
    reader.limits(allowed);
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let has_alpha = decoder.color_type().has_alpha();
    let icc = decoder.icc_profile().map_err(damaged)?;
    let decoded = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    let is_deep = decoded.color().bytes_per_pixel() > decoded.color().channel_count();
    if is_deep && wanted.sixteen {
        let mut raster = decoded.into_rgba16();
        let icc = settle(&mut raster, icc.as_deref(), wanted);
        return Ok(Picture { icc, ..Picture::still(Pixels::Sixteen(raster), has_alpha) });
    }
    let mut raster = decoded.into_rgba8();
    let icc = settle(&mut raster, icc.as_deref(), wanted);
    Ok(Picture { icc, ..Picture::still(Pixels::Eight(raster), has_alpha) })
}

/// The `image` crate's name for a format.
pub(in crate::imaging) fn foreign(format: Format) -> Result<ImageFormat> {
    Ok(match format {
        Format::Bmp => ImageFormat::Bmp,
        Format::Ico => ImageFormat::Ico,
        Format::Qoi => ImageFormat::Qoi,
        Format::Pnm => ImageFormat::Pnm,
        Format::Tga => ImageFormat::Tga,
        _ => {
            return Err(Error::internal(format!("{} has a decoder of its own", format.as_str())));
        }
    })
}
