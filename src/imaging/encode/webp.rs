//! WebP, by libwebp: still, or an animation with all its frames.

use libwebp_sys::WebPConfig;

use super::refused;
use crate::{
    domain::{
        error::Error,
        format::Format,
        transform::{Profile, Spec},
    },
    imaging::{
        control::{Control, Failure},
        picture::Picture,
        webp::{self, Animation},
    },
};

/// libwebp's trade of time for size: 0 is the quickest, 6 the slowest, 4 its own choice. Of photographs 4 makes files that are 0 to 6 %
/// smaller at the same score, in twice the time and more.
const QUICK: i32 = 2;
/// What it has for small pictures, where quality counts for more: most of the time goes into reading then.
const THOROUGH: i32 = 4;
/// Pixels that a small picture has at the most; an animation has many.
const SMALL: u64 = 180_000;
/// How strongly the edges between blocks are smoothed, of 100. With libwebp's own choice, 60, photographs score a tenth of a point of SSIMULACRA2
/// less, in as many bytes.
const SMOOTHING: i32 = 85;
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
    config.quality = nominal(quality, spec.profile);
    config.filter_strength = SMOOTHING;
    // Colours of transparent pixels are part of every pixel as it is.
    config.exact = spec.lossless.into();
    config.method = match spec.profile {
        Profile::Best if spec.lossless => THOROUGH,
        _ if picture.rest.is_empty() && is_thorough(spec, (width, height)) => THOROUGH,
        _ => QUICK,
    };
    let failed = |cause: String| refused(Format::Webp, cause);
    if picture.rest.is_empty() {
        let pixels = picture.first.pixels.eight();
        return Ok(webp::encode(&pixels, picture.has_alpha, &config, control).map_err(failed)?);
    }
    let plays = u16::try_from(picture.plays).unwrap_or(u16::MAX);
    let mut animation = Animation::new(picture.size(), plays, &config, control).map_err(failed)?;
    let mut time = 0_i32;
    for frame in picture.frames() {
        control.check()?;
        animation.add(&frame.pixels.eight(), time).map_err(failed)?;
        time = time.saturating_add(i32::try_from(frame.delay).unwrap_or(i32::MAX));
    }
    let mut bytes = animation.finish().map_err(failed)?;
    complete(&mut bytes, picture.has_alpha, u32::try_from(time).unwrap_or(0))
        .ok_or_else(|| Error::internal("libwebp wrote a container of another shape"))?;
    Ok(bytes)
}

/// Whether a still picture of that size is given more time, where something of it is lost.
pub(in crate::imaging) fn is_thorough(spec: &Spec, (width, height): (u32, u32)) -> bool {
    spec.profile == Profile::Best && u64::from(width) * u64::from(height) <= SMALL
}

/// The quality for libwebp. [`QUICK`] makes larger files than libwebp's own choice does at the same number: where speed counts for more, they are brought
/// back to that. The highest qualities are kept.
fn nominal(quality: u8, profile: Profile) -> f32 {
    let quality = f32::from(quality);
    match profile {
        Profile::Best => quality,
        Profile::Fast => (quality - (100.0 - quality).min(20.0) / 8.0).max(1.0),
    }
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
