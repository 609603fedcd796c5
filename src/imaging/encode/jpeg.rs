//! JPEG, by the jpeg-encoder crate: the `image` crate's own has neither subsampled colour, which halves the chroma's share
//! of the file, nor a progressive mode. Huffman tables are the standard ones: with optimised tables, which save two
//! percent, the crate writes each component as a scan of its own, and there are decoders that read such files wrongly.

use image::RgbaImage;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use super::{colors, refused};
use crate::{
    domain::{format::Format, transform::Spec},
    imaging::{
        color::Space,
        control::{Control, Failure},
        picture::Picture,
        watched::Watched,
    },
};

/// From this quality on, colour keeps its full resolution.
const FULL_COLOR: u8 = 90;

pub(super) fn encode(
    picture: &Picture,
    quality: u8,
    spec: &Spec,
    control: &Control,
) -> Result<Vec<u8>, Failure> {
    let (width, height) = picture.size();
    let too_large = |cause| refused(Format::Jpeg, cause);
    let (Ok(across), Ok(down)) = (u16::try_from(width), u16::try_from(height)) else {
        return Err(too_large("more than 65535 pixels a side".to_owned()).into());
    };
    let pixels = &*picture.first.pixels.eight();
    let colors = if picture.has_alpha {
        let space = Space::of(picture.icc.as_deref());
        flatten(pixels, space.paint(spec.background.over_white()))
    } else {
        self::colors(pixels)
    };
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(Watched::new(&mut bytes, control), quality);
    encoder.set_sampling_factor(if quality < FULL_COLOR {
        SamplingFactor::F_2_2
    } else {
        SamplingFactor::F_1_1
    });
    encoder.set_progressive(spec.progressive);
    // A profile that was kept is for three channels.
    let is_grey =
        picture.icc.is_none() && colors.as_chunks::<3>().0.iter().all(|[r, g, b]| r == g && g == b);
    let (samples, color) = if is_grey {
        (colors.iter().step_by(3).copied().collect(), ColorType::Luma)
    } else {
        (colors, ColorType::Rgb)
    };
    encoder.encode(&samples, across, down, color).map_err(|cause| too_large(cause.to_string()))?;
    Ok(bytes)
}

/// The colours of a picture laid on `background`, which is opaque.
fn flatten(pixels: &RgbaImage, [beneath @ .., _]: [u8; 4]) -> Vec<u8> {
    let blend = |channel: u8, beneath: u8, alpha: u8| {
        let (alpha, channel) = (u32::from(alpha), u32::from(channel));
        let sum = channel * alpha + u32::from(beneath) * (255 - alpha);
        u8::try_from((sum + 127) / 255).unwrap_or(255)
    };
    let flat = pixels.pixels().flat_map(|pixel| {
        let [red, green, blue, alpha] = pixel.0;
        let [r, g, b] = beneath;
        [blend(red, r, alpha), blend(green, g, alpha), blend(blue, b, alpha)]
    });
    flat.collect()
}
