//! Against the crate `ssimulacra2`, which computes all of the measure.
#![allow(clippy::unwrap_used)]

use std::io::Cursor;

use image::{DynamicImage, RgbaImage, codecs::jpeg::JpegEncoder, imageops};
use ssimulacra2::{
    ColorPrimaries, LinearRgb, Rgb, TransferCharacteristic, compute_frame_ssimulacra2,
};

use super::Reference;
use crate::imaging::samples;

fn scored(one: &RgbaImage, other: &RgbaImage) -> f64 {
    Reference::new(one).score(other)
}

/// What the crate says; transparent pixels on grey.
fn exact(one: &RgbaImage, other: &RgbaImage) -> f64 {
    let linear = |picture: &RgbaImage| {
        let pixels = picture.pixels().map(|pixel| {
            let [red, green, blue, alpha] = pixel.0.map(|channel| f32::from(channel) / 255.0);
            [red, green, blue].map(|channel| channel * alpha + 0.5 * (1.0 - alpha))
        });
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let (srgb, primaries) = (TransferCharacteristic::SRGB, ColorPrimaries::BT709);
        LinearRgb::try_from(Rgb::new(pixels.collect(), width, height, srgb, primaries).unwrap())
            .unwrap()
    };
    compute_frame_ssimulacra2(linear(one), linear(other)).unwrap()
}

fn part(file: &[u8], width: u32, height: u32) -> RgbaImage {
    imageops::crop_imm(&samples::read(file), 90, 60, width, height).to_image()
}

fn as_jpeg(picture: &RgbaImage, quality: u8) -> RgbaImage {
    let mut bytes = Vec::new();
    let colors = DynamicImage::from(picture.clone()).into_rgb8();
    JpegEncoder::new_with_quality(Cursor::new(&mut bytes), quality).encode_image(&colors).unwrap();
    image::load_from_memory(&bytes).unwrap().into_rgba8()
}

fn agree(one: &RgbaImage, other: &RgbaImage) {
    let (found, exact) = (scored(one, other), exact(one, other));
    assert!((found - exact).abs() < 0.15, "{found:.3} instead of {exact:.3}");
}

#[test]
fn scores_are_those_of_the_whole_measure() {
    for (file, width, height) in
        [(samples::CAT, 131, 117), (samples::COFFEE, 128, 113), (samples::ASTRONAUT, 114, 140)]
    {
        let picture = part(file, width, height);
        for quality in [10, 40, 75, 92] {
            agree(&picture, &as_jpeg(&picture, quality));
        }
        agree(&picture, &imageops::blur(&picture, 1.5));
    }
}

#[test]
fn what_is_transparent_is_seen_on_grey() {
    let (mut picture, other) = (part(samples::CAT, 120, 116), part(samples::CAT, 120, 116));
    let mut other = as_jpeg(&other, 60);
    for picture in [&mut picture, &mut other] {
        for (x, _, pixel) in picture.enumerate_pixels_mut() {
            pixel.0[3] = u8::try_from(x * 2).unwrap();
        }
    }
    agree(&picture, &other);
}

#[test]
fn the_same_is_the_same() {
    for (width, height) in [(1, 1), (7, 3), (8, 8), (40, 5), (64, 48)] {
        let picture = part(samples::CAT, width, height);
        assert!(scored(&picture, &picture) > 99.99, "{width} × {height}");
    }
    let (one, other) = (part(samples::CAT, 20, 20), part(samples::CAT, 20, 21));
    assert!(scored(&one, &other) < -100.0);
    let empty = RgbaImage::new(0, 0);
    assert!(scored(&empty, &empty) > -200.0);
}
