//! The formats that are read by the `image` crate.

use std::io::{BufReader, Cursor};

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Rgba};

use super::{Wanted, broken, memory, settle};
use crate::{
    domain::{
        error::{Error, Result},
        format::Format,
        limits::Limits,
    },
    imaging::{
        color,
        control::{Control, Failure},
        icon,
        picture::{Picture, Pixels, Raster},
        sample::Sample,
        watched::{ReadSeek, Watched},
    },
};

pub(super) fn decode(
    input: &[u8],
    format: Format,
    wanted: Wanted,
    limits: &Limits,
    control: &Control,
) -> Result<Picture, Failure> {
    let damaged = |cause| broken(format, cause);
    let mut allowed = image::Limits::default();
    allowed.max_alloc = Some(memory(limits));
    let one = if format == Format::Ico { icon::largest_alone(input) } else { None };
    let input = one.as_deref().unwrap_or(input);
    let mut file = Watched::new(Cursor::new(input), control);
    let file: &mut dyn ReadSeek = &mut file;
    let mut reader = ImageReader::with_format(BufReader::new(file), foreign(format)?);
    reader.limits(allowed);
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let has_alpha = decoder.color_type().has_alpha();
    let icc = decoder.icc_profile().map_err(damaged)?;
    let decoded = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    let decoded = match decoded {
        DynamicImage::ImageRgb32F(_) | DynamicImage::ImageRgba32F(_) => {
            from_light(decoded, control)?.into()
        }
        decoded => decoded,
    };
    let is_deep = decoded.color().bytes_per_pixel() > decoded.color().channel_count();
    if is_deep && wanted.sixteen {
        let mut raster = decoded.into_rgba16();
        let icc = settle(&mut raster, icc.as_deref(), wanted, control)?;
        return Ok(Picture { icc, ..Picture::still(Pixels::Sixteen(raster), has_alpha) });
    }
    let mut raster = decoded.into_rgba8();
    let icc = settle(&mut raster, icc.as_deref(), wanted, control)?;
    Ok(Picture { icc, ..Picture::still(Pixels::Eight(raster), has_alpha) })
}

/// Light, multiplied by alpha, as colours: what is brighter than white is white.
fn from_light(decoded: DynamicImage, control: &Control) -> Result<Raster<u16>, Failure> {
    let light = decoded.into_rgba32f();
    let (width, height) = light.dimensions();
    let mut raster = Raster::<u16>::new(width, height);
    for (row, lit) in raster.rows_mut().zip(light.rows()) {
        control.check()?;
        for (pixel, lit) in row.zip(lit) {
            let [red, green, blue, alpha] = lit.0;
            let alpha = alpha.clamp(0.0, 1.0);
            let share = if alpha > 0.0 { 1.0 / alpha } else { 0.0 };
            let [red, green, blue] =
                [red, green, blue].map(|light| color::tone((light * share).clamp(0.0, 1.0)));
            *pixel = Rgba([red, green, blue, alpha].map(|value| u16::nearest(value * u16::FULL)));
        }
    }
    Ok(raster)
}

/// The `image` crate's name for a format.
pub(in crate::imaging) fn foreign(format: Format) -> Result<ImageFormat> {
    Ok(match format {
        Format::Bmp => ImageFormat::Bmp,
        Format::Ico => ImageFormat::Ico,
        Format::Qoi => ImageFormat::Qoi,
        Format::Pnm => ImageFormat::Pnm,
        Format::Tga => ImageFormat::Tga,
        Format::Hdr => ImageFormat::Hdr,
        Format::Exr => ImageFormat::OpenExr,
        _ => {
            return Err(Error::internal(format!("{} has a decoder of its own", format.as_str())));
        }
    })
}
