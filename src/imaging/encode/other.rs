//! The formats that the `image` crate writes: BMP, ICO and QOI, eight bits a channel.

use image::{
    ExtendedColorType, ImageEncoder,
    codecs::{bmp::BmpEncoder, ico::IcoEncoder, qoi::QoiEncoder},
};

use super::{colors, refused};
use crate::{
    domain::{error::Error, format::Format},
    imaging::{
        control::{Control, Failure},
        picture::Picture,
        watched::Watched,
    },
};

/// An icon's sides are written in a byte each.
pub(super) const LARGEST_ICON: u32 = 256;

pub(super) fn encode(
    picture: &Picture,
    format: Format,
    control: &Control,
) -> Result<Vec<u8>, Failure> {
    let (width, height) = picture.size();
    let pixels = picture.first.pixels.eight();
    let opaque;
    let (data, color) = if picture.has_alpha || format == Format::Ico {
        (pixels.as_raw(), ExtendedColorType::Rgba8)
    } else {
        opaque = colors(pixels.as_raw());
        (&opaque, ExtendedColorType::Rgb8)
    };
    let mut bytes = Vec::new();
    let mut file = Watched::new(&mut bytes, control);
    match format {
        Format::Bmp => BmpEncoder::new(&mut file).write_image(data, width, height, color),
        Format::Qoi => QoiEncoder::new(&mut file).write_image(data, width, height, color),
        Format::Ico if width.max(height) > LARGEST_ICON => {
            let most = format!("an icon has at most {LARGEST_ICON} pixels a side");
            return Err(super::too_large(format, (width, height), &most).into());
        }
        Format::Ico => IcoEncoder::new(&mut file).write_image(data, width, height, color),
        other => {
            let detail = format!("{} has another encoder", other.as_str());
            return Err(Error::internal(detail).into());
        }
    }
    .map_err(|cause| refused(format, cause))?;
    Ok(bytes)
}
