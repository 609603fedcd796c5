//! Turns by angles that are not right.
#![allow(clippy::unwrap_used)]

use image::{Rgba, RgbaImage};

use super::{rotate, size_after};
use crate::imaging::color::SRGB;
use crate::{
    domain::color::Color,
    imaging::{control::Control, samples},
};

fn turned(frame: RgbaImage, degrees: u16, background: Color) -> RgbaImage {
    rotate::<u8>(frame, degrees, background, &SRGB, &Control::default()).unwrap()
}

#[test]
fn the_canvas_holds_the_corners() {
    assert_eq!(size_after(90, (30, 20)), (20, 30));
    // (30 + 20) / √2 = 35.36.
    assert_eq!(size_after(45, (30, 20)), (36, 36));
    assert_eq!(size_after(225, (30, 20)), (36, 36));
    // 30·cos 30° + 20·sin 30° = 35.98; 30·sin 30° + 20·cos 30° = 32.32.
    assert_eq!(size_after(30, (30, 20)), (36, 33));
    assert_eq!(size_after(1, (1, 1)), (2, 2));
}

#[test]
fn corners_are_filled_and_the_middle_is_kept() {
    let red = RgbaImage::from_pixel(30, 20, Rgba([255, 0, 0, 255]));
    let result = turned(red, 45, Color::WHITE);
    assert_eq!(result.get_pixel(0, 0).0, [255; 4]);
    assert_eq!(result.get_pixel(18, 18).0, [255, 0, 0, 255]);
    assert!(result.pixels().all(|pixel| pixel.0[0] == 255 && pixel.0[3] == 255));
}

#[test]
fn clockwise() {
    // A mark near the right edge goes down.
    let mut picture = RgbaImage::from_pixel(41, 41, Rgba([0, 0, 0, 255]));
    for (x, y) in [(38, 19), (38, 20), (38, 21), (37, 20), (39, 20)] {
        picture.put_pixel(x, y, Rgba([255; 4]));
    }
    let result = turned(picture, 60, Color { red: 0, green: 0, blue: 0, alpha: 255 });
    let brightest = result.enumerate_pixels().max_by_key(|(_, _, pixel)| pixel.0[0]).unwrap();
    let middle = result.width() / 2;
    assert!(brightest.1 > middle + 10 && brightest.0 > middle, "{brightest:?}");
}

#[test]
fn transparent_corners_do_not_bleed() {
    let blue = RgbaImage::from_pixel(20, 20, Rgba([0, 0, 255, 255]));
    let result = turned(blue, 30, Color::TRANSPARENT);
    assert!(result.pixels().any(|pixel| (1..255).contains(&pixel.0[3])));
    for pixel in result.pixels().filter(|pixel| pixel.0[3] > 0) {
        assert_eq!(pixel.0.map(|channel| channel & 0xf0)[..3], [0, 0, 240]);
    }
}

#[test]
fn there_and_back_is_nearly_the_same() {
    let picture = samples::gradient(60, 40);
    let back = turned(turned(picture.clone(), 30, Color::WHITE), 330, Color::WHITE);
    let (left, top) = ((back.width() - 60) / 2, (back.height() - 40) / 2);
    let mut off = 0;
    for (x, y, pixel) in
        picture.enumerate_pixels().filter(|(x, y, _)| (5..55).contains(x) && (5..35).contains(y))
    {
        let seen = back.get_pixel(x + left, y + top);
        off += pixel.0.iter().zip(seen.0).map(|(a, b)| u32::from(a.abs_diff(b))).sum::<u32>();
    }
    assert!(off / (50 * 30 * 4) < 6, "{}", off / (50 * 30 * 4));
}
