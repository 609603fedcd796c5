//! WebP, by libwebp: still, or an animation with all its frames.

use webp::{AnimEncoder, AnimFrame, Encoder, PixelLayout, WebPConfig};

use super::{refused, without_alpha};
use crate::{
    domain::{error::Error, format::Format, transform::Spec},
    imaging::{
        control::{Control, Failure},
        picture::Picture,
    },
};

/// The format's own limit.
const MAX_SIDE: u32 = 16_383;

pub(super) fn encode(
    picture: &Picture,
    spec: &Spec,
    control: &Control,
) -> Result<Vec<u8>, Failure> {
    let (width, height) = picture.size();
    if width.max(height) > MAX_SIDE {
        return Err(refused(Format::Webp, format!("more than {MAX_SIDE} pixels a side")).into());
    }
    let mut config =
        WebPConfig::new().map_err(|()| Error::internal("libwebp has another version"))?;
    config.lossless = spec.lossless.into();
    config.quality = spec.quality(Format::Webp).into();
    if picture.rest.is_empty() {
        return Ok(still(picture, &config)?);
    }
    control.check()?;
    let mut encoder = AnimEncoder::new(width, height, &config);
    // The container and GIF agree: 0 is for ever.
    encoder.set_loop_count(i32::try_from(picture.plays.min(65_535)).unwrap_or(0));
    let mut time = 0_i32;
    for frame in picture.frames() {
        encoder.add_frame(AnimFrame::from_rgba(frame.pixels.as_raw(), width, height, time));
        time = time.saturating_add(i32::try_from(frame.delay).unwrap_or(i32::MAX));
    }
    let bytes =
        encoder.try_encode().map_err(|cause| refused(Format::Webp, format!("{cause:?}")))?;
    Ok(bytes.to_vec())
}

fn still(picture: &Picture, config: &WebPConfig) -> Result<Vec<u8>, Error> {
    let (width, height) = picture.size();
    let pixels = &picture.first.pixels;
    let opaque;
    let encoder = if picture.has_alpha {
        Encoder::new(pixels, PixelLayout::Rgba, width, height)
    } else {
        opaque = without_alpha(pixels);
        Encoder::new(&opaque, PixelLayout::Rgb, width, height)
    };
    let bytes = encoder
        .encode_advanced(config)
        .map_err(|cause| refused(Format::Webp, format!("{cause:?}")))?;
    Ok(bytes.to_vec())
}
