//! Which quality to encode with, where the spec leaves it to us: the lowest that still looks the same, or the best whose
//! bytes are not too many.

use std::{borrow::Cow, io::Cursor};

use image::{Rgba, RgbaImage, imageops};

use super::{
    super::{
        color::Space,
        control::{Control, Failure},
        decode::{self, Wanted},
        picture::{Picture, Pixels},
        probe,
        score::Reference,
    },
    approach::{Tried, approach},
    sample::sample,
};
use crate::domain::{
    error::{Code, Error},
    format::Format,
    limits::Limits,
    transform::{Auto, Quality, Spec, default_quality},
};

/// What was encoded.
pub(in crate::imaging) struct Encoded {
    pub bytes: Vec<u8>,
    /// What there is to say of the quality.
    pub detail: String,
}

/// Encodes `picture` by `write`, which is given the quality.
pub(super) fn encode(
    picture: &Picture,
    format: Format,
    spec: &Spec,
    control: &Control,
    write: impl Fn(&Picture, u8) -> Result<Vec<u8>, Failure>,
) -> Result<Encoded, Failure> {
    let has_quality = default_quality(format).is_some() && !spec.lossless;
    let (quality, mut detail, written) = match spec.quality(format) {
        _ if !has_quality => (100, String::new(), None),
        Quality::Fixed(quality) => (quality, format!("quality {quality}"), None),
        Quality::Auto(auto) => look(picture, format, spec, auto, control, &write)?,
    };
    let bytes = match written {
        Some(bytes) => bytes,
        None => write(picture, quality)?,
    };
    let Some(most) = spec.max_bytes.filter(|most| bytes.len() as u64 > *most) else {
        return Ok(Encoded { bytes, detail });
    };
    let too_many = |bytes: usize, how: &str| {
        let name = format.as_str();
        let detail = format!("max_bytes is {most}; the {name} has {bytes} bytes{how}");
        Failure::from(Error::new(Code::TransformImpossible, detail))
    };
    if !has_quality {
        return Err(too_many(bytes.len(), ", and nothing may be lost"));
    }
    let mut best = None;
    let mut least = bytes.len();
    search(1, quality.saturating_sub(1), |quality| {
        control.check()?;
        let bytes = write(picture, quality)?;
        least = least.min(bytes.len());
        let fits = bytes.len() as u64 <= most;
        if fits {
            best = Some((quality, bytes));
        }
        Ok(!fits)
    })?;
    let (quality, bytes) = best.ok_or_else(|| too_many(least, " at quality 1"))?;
    detail = format!("quality {quality}, the best within {most} bytes");
    Ok(Encoded { bytes, detail })
}

/// The score that a picture must reach, by SSIMULACRA2's own scale.
const fn target(auto: Auto) -> f64 {
    match auto {
        Auto::Best => 90.0,
        Auto::Good => 80.0,
        Auto::Eco => 70.0,
        Auto::Low => 50.0,
    }
}

/// The lowest quality that reaches the target, on a sample of the picture; how it scored; and the file, where the sample was all
/// there is.
fn look(
    picture: &Picture,
    format: Format,
    spec: &Spec,
    auto: Auto,
    control: &Control,
    write: &impl Fn(&Picture, u8) -> Result<Vec<u8>, Failure>,
) -> Result<(u8, String, Option<Vec<u8>>), Failure> {
    let pixels = picture.first.pixels.eight();
    let pixels = sample(&pixels, control)?;
    let is_all = matches!(pixels, Cow::Borrowed(_)) && picture.rest.is_empty();
    let has_alpha = picture.has_alpha && format.has_alpha();
    let seen = if picture.has_alpha && !has_alpha { laid(&pixels, picture, spec) } else { pixels };
    let reference = Reference::new(&seen);
    let part = if is_all {
        Cow::Borrowed(picture)
    } else {
        Cow::Owned(Picture::still(Pixels::Eight(seen.into_owned()), has_alpha))
    };

    let wanted = target(auto);
    let Tried { quality, score, result } = approach(wanted, usual(format, auto), |quality| {
        control.check()?;
        let file = write(&part, quality)?;
        let score = reference.score(&read(&file, control)?);
        Ok((score, file))
    })?;
    let detail =
        format!("quality {quality}, found by its score of {score:.1} where {wanted} is wanted");
    Ok((quality, detail, is_all.then_some(result)))
}

/// The quality that photographs mostly need for a score, where looking begins.
const fn usual(format: Format, auto: Auto) -> u8 {
    match (format, auto) {
        (Format::Avif, Auto::Best) => 90,
        (Format::Avif, Auto::Good) => 67,
        (Format::Avif, Auto::Eco) => 57,
        (Format::Avif, Auto::Low) => 42,
        (Format::Webp, Auto::Best) => 97,
        (Format::Webp, Auto::Good) => 85,
        (Format::Webp, Auto::Eco) => 69,
        (Format::Webp, Auto::Low) => 30,
        (_, Auto::Best) => 93,
        (_, Auto::Good) => 81,
        (_, Auto::Eco) => 55,
        (_, Auto::Low) => 20,
    }
}

/// What a format without transparency shows: with what is laid beneath.
fn laid<'a>(pixels: &RgbaImage, picture: &Picture, spec: &Spec) -> Cow<'a, RgbaImage> {
    let space = Space::of(picture.icc.as_deref());
    let beneath = Rgba(space.paint(spec.background.over_white()));
    let mut flat = RgbaImage::from_pixel(pixels.width(), pixels.height(), beneath);
    imageops::overlay(&mut flat, pixels, 0, 0);
    Cow::Owned(flat)
}

/// The pixels of what was just written, in its own colours.
fn read(file: &[u8], control: &Control) -> Result<RgbaImage, Failure> {
    let limits = Limits::default();
    let probe = probe::probe(Cursor::new(file), &limits)?;
    let wanted = Wanted { icc: true, ..Wanted::FIRST };
    let picture = decode::decode(file, &probe, wanted, &limits, control)?.picture;
    Ok(match picture.first.pixels {
        Pixels::Eight(pixels) => pixels,
        deep => deep.eight().into_owned(),
    })
}

/// Halves the range until one is left: down while `lower` says so of the middle, else up.
fn search(
    from: u8,
    to: u8,
    mut lower: impl FnMut(u8) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let (mut from, mut to) = (i16::from(from), i16::from(to));
    while from <= to {
        let middle = (from + to) / 2;
        let quality = u8::try_from(middle).unwrap_or(1);
        if lower(quality)? { to = middle - 1 } else { from = middle + 1 }
    }
    Ok(())
}
