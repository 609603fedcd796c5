//! WebP, by libwebp: still, or an animation with all its frames.

use webp::{AnimEncoder, AnimFrame, Encoder, PixelLayout, WebPConfig};

use super::{colors, refused};
use crate::{
    domain::{
        error::Error,
        format::Format,
        transform::{Profile, Spec},
    },
    imaging::{
        control::{Control, Failure},
        picture::Picture,
    },
};

/// libwebp's trade of time for size: 0 is the quickest, 6 the slowest, 4 its own choice.
const QUICK: i32 = 2;
/// The format's own limit.
pub(super) const MAX_SIDE: u32 = 16_383;

pub(super) fn encode(
    picture: &Picture,
    quality: u8,
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
    config.quality = quality.into();
    // Colours of transparent pixels are part of every pixel as it is.
    config.exact = spec.lossless.into();
    if spec.profile == Profile::Fast {
        config.method = QUICK;
    }
    if picture.rest.is_empty() {
        return Ok(still(picture, &config)?);
    }
    control.check()?;
    let mut encoder = AnimEncoder::new(width, height, &config);
    // 0 is for ever.
    encoder.set_loop_count(i32::try_from(picture.plays.min(65_535)).unwrap_or(0));
    let mut time = 0_i32;
    let frames: Vec<_> =
        picture.frames().map(|frame| (frame.pixels.eight(), frame.delay)).collect();
    for (pixels, delay) in &frames {
        encoder.add_frame(AnimFrame::from_rgba(pixels.as_raw(), width, height, time));
        time = time.saturating_add(i32::try_from(*delay).unwrap_or(i32::MAX));
    }
    let bytes =
        encoder.try_encode().map_err(|cause| refused(Format::Webp, format!("{cause:?}")))?;
    let mut bytes = bytes.to_vec();
    complete(&mut bytes, picture.has_alpha, u32::try_from(time).unwrap_or(0))
        .ok_or_else(|| Error::internal("libwebp wrote a container of another shape"))?;
    Ok(bytes)
}

/// Adds what the encoder can't know: that places where a frame was cleared are transparent, and how long the last frame is
/// shown, which is what the others leave of `time`.
fn complete(bytes: &mut [u8], has_alpha: bool, time: u32) -> Option<()> {
    const FIRST_CHUNK: usize = 12;
    const HEADER: usize = 8;
    const DURATION: usize = HEADER + 12;
    const ALPHA: u8 = 0x10;
    let mut last = None;
    let mut left = time;
    let mut at = FIRST_CHUNK;
    while let Some([kind @ .., a, b, c, d]) = bytes.get(at..at + HEADER) {
        let length = u32::from_le_bytes([*a, *b, *c, *d]);
        let (is_header, is_frame) = (kind == b"VP8X", kind == b"ANMF");
        if is_header && has_alpha {
            *bytes.get_mut(at + HEADER)? |= ALPHA;
        }
        if is_frame {
            let [low, middle, high] = *bytes.get(at + DURATION..)?.first_chunk()?;
            let shown = u32::from_le_bytes([low, middle, high, 0]);
            if let Some((_, before)) = last.replace((at + DURATION, shown)) {
                left = left.saturating_sub(before);
            }
        }
        at += HEADER + usize::try_from(length.next_multiple_of(2)).ok()?;
    }
    // An animation whose frames are all the same is written as a still picture.
    let Some((at, _)) = last else { return Some(()) };
    let [low, middle, high, _] = left.min(0xff_ffff).to_le_bytes();
    *bytes.get_mut(at..)?.first_chunk_mut()? = [low, middle, high];
    Some(())
}

fn still(picture: &Picture, config: &WebPConfig) -> Result<Vec<u8>, Error> {
    let (width, height) = picture.size();
    let pixels = &*picture.first.pixels.eight();
    let opaque;
    let encoder = if picture.has_alpha {
        Encoder::new(pixels, PixelLayout::Rgba, width, height)
    } else {
        opaque = colors(pixels);
        Encoder::new(&opaque, PixelLayout::Rgb, width, height)
    };
    let bytes = encoder
        .encode_advanced(config)
        .map_err(|cause| refused(Format::Webp, format!("{cause:?}")))?;
    Ok(bytes.to_vec())
}
