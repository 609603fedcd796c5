//! AVIF, by libavif and libaom. libaom can't be stopped in the middle of a picture, so work that would end too late is not begun:
//! a sample of a large picture tells how long all of it takes, on this machine and at this quality.

use std::time::{Duration, Instant};

use image::RgbaImage;

use super::{refused, sample};
use crate::{
    domain::{
        error::{Code, Error},
        format::Format,
        transform::{Profile, Quality, Spec},
    },
    imaging::{
        avif::{self, Settings},
        control::{Control, Failure},
        picture::Picture,
    },
};

/// From this quality on, a score of about 75, colour at its full resolution takes fewer bytes than it at half and all else finer.
const FULL_COLOR: u8 = 64;
/// Pictures of fewer pixels are written within about a second in any case.
const MANY: usize = 1_000_000;

/// Writes a picture, or a part of one of the size `whole`.
pub(super) fn encode(
    picture: &Picture,
    whole: (u32, u32),
    quality: u8,
    spec: &Spec,
    control: &Control,
) -> Result<Vec<u8>, Failure> {
    let pixels = picture.first.pixels.eight();
    let settings = Settings {
        quality,
        speed: speed(spec.profile, whole),
        full_color: quality >= FULL_COLOR,
        lossless: spec.lossless,
        has_alpha: picture.has_alpha,
        icc: picture.icc.as_deref(),
        exif: picture.metadata.exif.as_deref(),
        xmp: picture.metadata.xmp.as_deref(),
    };
    if let Some(deadline) = control.deadline {
        let expected = expected(&pixels, &settings, control)?;
        if Instant::now() + expected > deadline {
            let seconds = expected.as_secs_f64();
            let detail =
                format!("writing the AVIF would take about {seconds:.0} s, longer than is allowed");
            return Err(Error::new(Code::TransformTimeout, detail).into());
        }
    }
    write(&pixels, &settings)
}

/// Bytes a pixel that are held at the worst while a picture is written, the file included.
pub(in crate::imaging) fn held(spec: &Spec) -> u64 {
    match spec.quality(Format::Avif) {
        Quality::Fixed(..FULL_COLOR) if !spec.lossless => 30,
        _ => 60,
    }
}

/// libaom's trade of time for size. 6 takes a quarter of the time of 5 for 2 % more bytes; 8 a third of that for 7 % more; 9 a third
/// of that again for 10 % more. What is small, and shown most often, gets the slower one.
fn speed(profile: Profile, size: (u32, u32)) -> u8 {
    match (profile, sample::is_whole(size)) {
        (Profile::Best, true) => 6,
        (Profile::Best, false) | (Profile::Fast, true) => 8,
        (Profile::Fast, false) => 9,
    }
}

fn write(pixels: &RgbaImage, settings: &Settings<'_>) -> Result<Vec<u8>, Failure> {
    let bytes = avif::encode(pixels.as_raw(), pixels.dimensions(), settings);
    Ok(bytes.map_err(|cause| refused(Format::Avif, cause))?)
}

/// About how long a picture takes; nothing worth speaking of for a small one.
fn expected(
    pixels: &RgbaImage,
    settings: &Settings<'_>,
    control: &Control,
) -> Result<Duration, Failure> {
    if pixels.len() / 4 < MANY {
        return Ok(Duration::ZERO);
    }
    let sample = sample::sample(pixels, control)?;
    let started = Instant::now();
    write(&sample, settings)?;
    #[allow(clippy::cast_precision_loss)] // Some hundred millions.
    let times = pixels.len() as f64 / sample.len().max(1) as f64;
    Ok(started.elapsed().mul_f64(times))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_sample_tells_how_long_a_large_picture_takes() {
        let settings = Settings {
            quality: 50,
            speed: 9,
            full_color: false,
            lossless: false,
            has_alpha: false,
            icc: None,
            exif: None,
            xmp: None,
        };
        let time = |side| {
            let flat = RgbaImage::from_pixel(side, side, image::Rgba([90, 120, 60, 255]));
            expected(&flat, &settings, &Control::default()).unwrap()
        };
        assert_eq!(time(999), Duration::ZERO);
        // More than seven times what the sample took, which is no time at all nowhere.
        assert!(time(1000) > Duration::from_micros(100));
    }
}
