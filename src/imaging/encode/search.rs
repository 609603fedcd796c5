//! Which quality to encode with, where the spec leaves it to us: the lowest that still looks the same, or the best whose
//! bytes are not too many.

use std::io::Cursor;

use image::{GenericImageView, Rgba, RgbaImage, imageops};

use super::super::{
    color::Space,
    control::{Control, Failure},
    decode::{self, Wanted},
    picture::{Picture, Pixels},
    probe,
    score::Reference,
};
use crate::domain::{
    error::{Code, Error},
    format::Format,
    limits::Limits,
    transform::{Auto, Quality, Spec, default_quality},
};

/// Pictures of more pixels are judged by a sample of this many tiles.
const TILES: usize = 4;
/// Pixels a side of a tile; a multiple of every codec's blocks, so that none lies across a seam.
const TILE: u32 = 192;

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
    let (quality, mut detail) = match spec.quality(format) {
        _ if !has_quality => (100, String::new()),
        Quality::Fixed(quality) => (quality, format!("quality {quality}")),
        Quality::Auto(auto) => look(picture, format, spec, auto, control, &write)?,
    };
    let bytes = write(picture, quality)?;
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

/// The lowest quality that reaches the target, on a sample of the picture, and how it scored.
fn look(
    picture: &Picture,
    format: Format,
    spec: &Spec,
    auto: Auto,
    control: &Control,
    write: &impl Fn(&Picture, u8) -> Result<Vec<u8>, Failure>,
) -> Result<(u8, String), Failure> {
    let mut pixels = sample(&picture.first.pixels.eight(), control)?;
    let has_alpha = picture.has_alpha && format.has_alpha();
    if picture.has_alpha && !has_alpha {
        // What is laid beneath belongs to the picture.
        let space = Space::of(picture.icc.as_deref());
        let beneath = Rgba(space.paint(spec.background.over_white()));
        let mut flat = RgbaImage::from_pixel(pixels.width(), pixels.height(), beneath);
        imageops::overlay(&mut flat, &pixels, 0, 0);
        pixels = flat;
    }
    let reference = Reference::new(&pixels)?;
    let part = Picture::still(Pixels::Eight(pixels), has_alpha);
    let wanted = target(auto);
    let mut chosen = None;
    let mut best = (0, f64::NEG_INFINITY);
    search(LOWEST, HIGHEST, |quality| {
        control.check()?;
        let file = write(&part, quality)?;
        let score = reference.score(&read(&file, control)?)?;
        if score > best.1 {
            best = (quality, score);
        }
        let reached = score >= wanted;
        if reached {
            chosen = Some((quality, score));
        }
        Ok(reached)
    })?;
    let (quality, score) = chosen.unwrap_or((best.0.max(LOWEST), best.1));
    Ok((
        quality,
        format!("quality {quality}, found by its score of {score:.1} where {wanted} is wanted"),
    ))
}

/// Below, artefacts are so large that no score is to be trusted.
const LOWEST: u8 = 20;
/// Above, files grow and nobody sees why.
const HIGHEST: u8 = 97;

/// The pixels of what was just written.
fn read(file: &[u8], control: &Control) -> Result<RgbaImage, Failure> {
    let limits = Limits::default();
    let probe = probe::probe(Cursor::new(file), &limits)?;
    let picture = decode::decode(file, &probe, Wanted::FIRST, &limits, control)?.picture;
    Ok(picture.first.pixels.eight().into_owned())
}

/// How many pixels of a picture of that size are judged.
pub(in crate::imaging) fn judged((width, height): (u32, u32)) -> u64 {
    let all = u64::from(width) * u64::from(height);
    if is_judged_whole(width, height) { all } else { u64::from(TILE * TILE) * TILES as u64 }
}

fn is_judged_whole(width: u32, height: u32) -> bool {
    let all = u64::from(width) * u64::from(height);
    all <= u64::from(TILE * TILE) * TILES as u64 || width < TILE || height < TILE
}

/// The picture itself if it is small; else tiles of it side by side, from the one with the most detail to one with
/// little, so that judging it takes the same time however large the picture is.
pub(super) fn sample(pixels: &RgbaImage, control: &Control) -> Result<RgbaImage, Failure> {
    let (width, height) = pixels.dimensions();
    if is_judged_whole(width, height) {
        return Ok(pixels.clone());
    }
    let (columns, rows) = (width / TILE, height / TILE);
    let mut tiles = Vec::new();
    for y in (0..rows).map(|row| row * TILE) {
        control.check()?;
        let places = (0..columns).map(|column| column * TILE);
        tiles.extend(places.map(|x| (detail(pixels, x, y), x, y)));
    }
    tiles.sort_unstable_by(|first, second| second.cmp(first));
    let mut mosaic = RgbaImage::new(TILE * 2, TILE * 2);
    for (index, corner) in [(0, 0), (1, 0), (0, 1), (1, 1)].into_iter().enumerate() {
        // The most detailed, and those a quarter, a half and three quarters down the list.
        if let Some((_, x, y)) = tiles.get(index * tiles.len() / TILES) {
            let tile = imageops::crop_imm(pixels, *x, *y, TILE, TILE);
            imageops::replace(
                &mut mosaic,
                &*tile,
                (corner.0 * TILE).into(),
                (corner.1 * TILE).into(),
            );
        }
    }
    Ok(mosaic)
}

/// How much neighbours in a tile differ.
fn detail(pixels: &RgbaImage, x: u32, y: u32) -> u64 {
    let tile = imageops::crop_imm(pixels, x, y, TILE, TILE);
    let mut sum = 0;
    let mut before = [0; 4];
    for (_, _, pixel) in tile.pixels() {
        let differences =
            pixel.0.iter().zip(before).map(|(one, other)| u64::from(one.abs_diff(other)));
        sum += differences.sum::<u64>();
        before = pixel.0;
    }
    sum
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
