//! The part of a picture that is judged in place of all of it.

use std::borrow::Cow;

use image::{GenericImageView, RgbaImage, imageops};

use super::super::control::{Control, Failure};

/// Pictures of more pixels are judged by a sample.
const FEW: u64 = 150_000;
/// Of this many tiles.
const TILES: usize = 4;
/// Pixels a side of a tile; a multiple of every codec's blocks, so that none lies across a seam.
const TILE: u32 = 128;

/// Whether a picture of that size is judged as it is: it is small, or too narrow to cut tiles from.
pub(in crate::imaging) fn is_whole((width, height): (u32, u32)) -> bool {
    u64::from(width) * u64::from(height) <= FEW || width < TILE || height < TILE
}

/// How many pixels of a picture of that size are judged.
pub(in crate::imaging) fn judged((width, height): (u32, u32)) -> u64 {
    let all = u64::from(width) * u64::from(height);
    if is_whole((width, height)) { all } else { u64::from(TILE * TILE) * TILES as u64 }
}

/// The picture itself if it is small; else tiles of it side by side, from the one with the most detail to one with
/// little, so that judging it takes the same time however large the picture is.
pub(super) fn sample<'a>(
    pixels: &'a RgbaImage,
    control: &Control,
) -> Result<Cow<'a, RgbaImage>, Failure> {
    let (width, height) = pixels.dimensions();
    if is_whole((width, height)) {
        return Ok(Cow::Borrowed(pixels));
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
    Ok(Cow::Owned(mosaic))
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
