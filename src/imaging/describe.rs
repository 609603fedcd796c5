//! What can be said of a picture once its pixels were looked at: a placeholder, its colours, a hash of how it looks, and what
//! EXIF says. One decoding serves all of it.

use std::io::Cursor;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use color_thief::ColorFormat;
use image::RgbaImage;
use image_hasher::{HashAlg, HasherConfig};

use super::{
    blurhash::blurhash,
    control::{Control, Failure},
    decode::{self, Wanted},
    metadata,
    probe::probe,
    steps,
};
use crate::domain::{
    color::Color,
    image::Facts,
    limits::Limits,
    transform::{Fit, Gravity, Keep, Length, Operation, Profile, Resize, Spec},
};

/// The longest side that a ThumbHash is made of, and as much as the rest needs.
const SIDE: u32 = 100;
/// Colours of a palette.
const COLORS: u8 = 6;
/// How many pixels are passed over by the palette's quantiser: none.
const EVERY: u8 = 1;
/// Pixels of less alpha have no colour to speak of.
const SEEN: u8 = 125;

/// Looks at the first frame of a picture, upright and in sRGB.
///
/// # Errors
/// As [`super::transform`]: what is no picture, passes a limit, or is damaged.
pub fn describe(input: &[u8], limits: &Limits, control: &Control) -> Result<Facts, Failure> {
    control.check()?;
    let probe = probe(Cursor::new(input), limits)?;
    let mut picture = decode::decode(input, &probe, Wanted::FIRST, limits, control)?.picture;
    steps::upright(&mut picture, probe.orientation, control)?;
    let spec = spec();
    for operation in &spec.operations {
        steps::apply(&mut picture, operation, &spec, &super::Overlays::new(), limits, control)?;
    }
    let small = picture.first.pixels.eight();
    let palette = palette(&small);
    let flat = flat(&small);
    let kept = metadata::read(input, probe.format, Keep { exif: true, ..Keep::NOTHING });
    Ok(Facts {
        thumbhash: Some(thumbhash(&small)),
        dominant_color: palette.as_ref().and_then(|palette| palette.first().cloned()),
        palette,
        phash: Some(phash(&flat)),
        blurhash: Some(blurhash(&flat)),
        exif: kept.exif.as_deref().and_then(metadata::summary),
    })
}

/// How a picture becomes as small as it is looked at.
pub(super) fn spec() -> Spec {
    let side = Some(Length::Pixels(SIDE));
    let resize = Operation::Resize(Resize {
        width: side,
        height: side,
        aspect: None,
        fit: Fit::Inside,
        gravity: Gravity::CENTER,
        background: Color::TRANSPARENT,
        enlarge: false,
        dpr: 1.0,
    });
    Spec { operations: vec![resize], profile: Profile::Fast, ..Spec::default() }
}

fn thumbhash(small: &RgbaImage) -> String {
    let (width, height) = (small.width() as usize, small.height() as usize);
    STANDARD.encode(thumbhash::rgba_to_thumb_hash(width, height, small.as_raw()))
}

/// The most frequent colours of what can be seen; none where nothing can.
fn palette(small: &RgbaImage) -> Option<Vec<String>> {
    let seen: Vec<u8> = small
        .pixels()
        .filter(|pixel| pixel.0[3] >= SEEN)
        .flat_map(|pixel| [pixel.0[0], pixel.0[1], pixel.0[2]])
        .collect();
    let named = |[red, green, blue]: [u8; 3]| format!("#{red:02x}{green:02x}{blue:02x}");
    let first = *seen.as_chunks::<3>().0.first()?;
    // The quantiser passes over white, and has nothing to say of a single colour.
    if seen.as_chunks::<3>().0.iter().all(|color| *color == first) {
        return Some(vec![named(first)]);
    }
    let colors = color_thief::get_palette(&seen, ColorFormat::Rgb, EVERY, COLORS).ok()?;
    let colors = colors.into_iter().map(|color| [color.r, color.g, color.b]);
    // By how many pixels each is the nearest to.
    let mut counted: Vec<(usize, [u8; 3])> = colors.map(|color| (0, color)).collect();
    for pixel in seen.as_chunks::<3>().0 {
        let distance = |color: &[u8; 3]| {
            color.iter().zip(pixel).map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2)).sum::<u32>()
        };
        if let Some((count, _)) = counted.iter_mut().min_by_key(|(_, color)| distance(color)) {
            *count += 1;
        }
    }
    counted.retain(|(count, _)| *count > 0);
    counted.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    Some(counted.into_iter().map(|(_, color)| named(color)).collect())
}

/// On white: what is transparent has no look of its own.
fn flat(small: &RgbaImage) -> RgbaImage {
    let mut flat = RgbaImage::from_pixel(small.width(), small.height(), image::Rgba([255; 4]));
    image::imageops::overlay(&mut flat, small, 0, 0);
    flat
}

/// pHash: the cosine transform's lowest 8 × 8 frequencies, each compared with their median.
fn phash(flat: &RgbaImage) -> String {
    let hasher = HasherConfig::new().hash_alg(HashAlg::Median).preproc_dct().hash_size(8, 8);
    let hash = hasher.to_hasher().hash_image(flat);
    hash.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use image::{ImageFormat, Rgba};

    use super::*;
    use crate::imaging::samples;

    fn of(file: &[u8]) -> Facts {
        describe(file, &Limits::default(), &Control::default()).unwrap()
    }

    fn hash(facts: &Facts) -> u64 {
        u64::from_str_radix(facts.phash.as_ref().unwrap(), 16).unwrap()
    }

    #[test]
    fn colours_are_named_by_how_much_they_cover() {
        let two = RgbaImage::from_fn(80, 60, |x, _| {
            Rgba(if x < 60 { [200, 30, 20, 255] } else { [20, 60, 220, 255] })
        });
        let facts = of(&samples::png(&two));
        let near = |name: &str, color: [u8; 3]| {
            let found: Color = name.parse().unwrap();
            found.channels().iter().zip(color).all(|(a, b)| a.abs_diff(b) <= 12)
        };
        let palette = facts.palette.unwrap();
        assert!(near(&palette[0], [200, 30, 20]), "{palette:?}");
        assert!(palette.iter().any(|color| near(color, [20, 60, 220])), "{palette:?}");
        assert_eq!(facts.dominant_color.as_ref(), palette.first());
        for color in [[255, 255, 255, 255], [9, 8, 7, 255]] {
            let flat = of(&samples::png(&RgbaImage::from_pixel(30, 20, Rgba(color))));
            let expected = format!("#{:02x}{:02x}{:02x}", color[0], color[1], color[2]);
            assert_eq!(flat.palette, Some(vec![expected]));
        }
        let clear = of(&samples::png(&RgbaImage::from_pixel(30, 20, Rgba([200, 0, 0, 0]))));
        assert_eq!((clear.palette, clear.dominant_color), (None, None));
    }

    #[test]
    fn a_placeholder_looks_like_its_picture() {
        let facts = of(samples::COFFEE);
        let hash = STANDARD.decode(facts.thumbhash.unwrap()).unwrap();
        let (red, green, blue, alpha) = thumbhash::thumb_hash_to_average_rgba(&hash).unwrap();
        let coffee = samples::read(samples::COFFEE);
        for (channel, found) in [red, green, blue].into_iter().enumerate() {
            let sum: f64 = coffee.pixels().map(|pixel| f64::from(pixel.0[channel])).sum();
            let mean = sum / f64::from(coffee.width() * coffee.height()) / 255.0;
            assert!((f64::from(found) - mean).abs() < 0.05, "{channel}: {found} {mean}");
        }
        assert!(alpha > 0.95);
        assert!(thumbhash::thumb_hash_to_approximate_aspect_ratio(&hash).unwrap() > 1.2);
    }

    #[test]
    fn pictures_that_look_alike_have_hashes_that_are() {
        let cat = samples::read(samples::CAT);
        let smaller = image::imageops::thumbnail(&cat, 150, 100);
        let jpeg = samples::written(&smaller, ImageFormat::Jpeg);
        let far = |one: u64, other: u64| (one ^ other).count_ones();
        let (one, other) = (hash(&of(samples::CAT)), hash(&of(&jpeg)));
        assert!(far(one, other) <= 6, "{one:x} {other:x}");
        for picture in [samples::COFFEE, samples::ASTRONAUT, samples::ROCKET, samples::HUBBLE] {
            assert!(far(one, hash(&of(picture))) >= 16);
        }
        // Upright is how it is seen.
        let tiles = samples::tiles(16);
        let turned = of(&samples::jpeg_turned(&image::imageops::rotate270(&tiles), 6));
        assert!(far(hash(&of(&samples::png(&tiles))), hash(&turned)) <= 6);
    }
}
