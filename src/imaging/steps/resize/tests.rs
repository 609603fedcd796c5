//! Resizing against a plain reference of its own.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]

use image::{Rgba, RgbaImage};
use serde_json::{Value, json};

use super::{layout, resize};
use crate::imaging::color::SRGB;
use crate::{
    domain::transform::{Operation, Resize, Spec},
    imaging::{control::Control, samples},
};

fn parsed(value: Value) -> Resize {
    let spec = Spec::parse(&json!({"resize": value})).unwrap();
    let Operation::Resize(resize) = spec.operations[0] else { unreachable!() };
    resize
}

/// Lanczos3 in doubles, pixel by pixel, as the books have it: pixel centres at halves, the kernel stretched when shrinking.
fn reference(picture: &RgbaImage, source: [f64; 4], width: u32, height: u32) -> RgbaImage {
    let sinc = |x: f64| {
        if x == 0.0 { 1.0 } else { (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x) }
    };
    let kernel = |x: f64| if x.abs() < 3.0 { sinc(x) * sinc(x / 3.0) } else { 0.0 };
    let weights = |at: u32, from: f64, length: f64, target: u32, whole: u32| -> Vec<f64> {
        let scale = length / f64::from(target);
        let center = from + (f64::from(at) + 0.5) * scale;
        let weights: Vec<f64> =
            (0..whole).map(|i| kernel((f64::from(i) + 0.5 - center) / scale.max(1.0))).collect();
        let total: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / total).collect()
    };
    let [left, top, across, down] = source;
    let columns: Vec<_> =
        (0..width).map(|x| weights(x, left, across, width, picture.width())).collect();
    let rows: Vec<_> =
        (0..height).map(|y| weights(y, top, down, height, picture.height())).collect();
    RgbaImage::from_fn(width, height, |x, y| {
        let mut sum = [0.0; 4];
        for (v, row) in rows[y as usize].iter().enumerate().filter(|(_, weight)| **weight != 0.0) {
            for (u, column) in
                columns[x as usize].iter().enumerate().filter(|(_, weight)| **weight != 0.0)
            {
                let pixel = picture.get_pixel(u as u32, v as u32).0;
                let alpha = f64::from(pixel[3]) / 255.0;
                for channel in 0..3 {
                    sum[channel] += row * column * f64::from(pixel[channel]) * alpha;
                }
                sum[3] += row * column * alpha;
            }
        }
        let color =
            |channel: usize| if sum[3] > 0.0 { (sum[channel] / sum[3]).round() as u8 } else { 0 };
        Rgba([color(0), color(1), color(2), (sum[3] * 255.0).round() as u8])
    })
}

fn resized(picture: RgbaImage, spec: &Resize, has_alpha: bool) -> RgbaImage {
    resize::<u8>(picture, spec, has_alpha, &SRGB, &Control::default()).unwrap()
}

fn worst(one: &RgbaImage, other: &RgbaImage) -> u8 {
    assert_eq!(one.dimensions(), other.dimensions());
    one.iter().zip(other.iter()).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

#[test]
fn agrees_with_the_reference() {
    let picture = samples::gradient(61, 43);
    for value in [
        json!({"width": 20}),
        json!({"width": 122}),
        json!({"width": 17, "height": 31, "fit": "fill"}),
        json!({"width": 20, "height": 20}),
        json!({"width": 20, "height": 20, "gravity": "east"}),
        json!({"width": 30, "height": 7, "gravity": {"x": 0.3, "y": 0.7}}),
    ] {
        let spec = parsed(value.clone());
        let plan = layout(&spec, picture.dimensions());
        let expected = if plan.picture.0 > picture.width() {
            reference(&picture, plan.source, plan.picture.0, plan.picture.1)
        } else {
            let light = resized_in_light(&picture, plan.source, plan.picture);
            let mut light =
                light.into_iter().map(|pixel| Rgba(pixel.map(|value| value.round() as u8)));
            RgbaImage::from_fn(plan.picture.0, plan.picture.1, |_, _| light.next().unwrap())
        };
        let result = resized(picture.clone(), &spec, false);
        assert!(worst(&result, &expected) <= 2, "{value}: off by {}", worst(&result, &expected));
    }
}

#[test]
fn the_middle_stays_the_middle() {
    // A picture that is its own mirror image stays so: nothing moves by a part of a pixel.
    let half = samples::gradient(40, 30);
    let picture =
        RgbaImage::from_fn(80, 30, |x, y| *half.get_pixel(if x < 40 { x } else { 79 - x }, y));
    for value in [json!({"width": 27}), json!({"width": 30, "height": 30}), json!({"width": 200})] {
        let result = resized(picture.clone(), &parsed(value.clone()), false);
        let mirrored = image::imageops::flip_horizontal(&result);
        assert!(worst(&result, &mirrored) <= 1, "{value}");
    }
}

#[test]
fn what_is_not_seen_leaves_no_trace() {
    // Transparent red beside opaque blue: no pixel of the result may be reddish.
    let picture = RgbaImage::from_fn(64, 16, |x, _| {
        Rgba(if x < 31 { [255, 0, 0, 0] } else { [0, 0, 255, 255] })
    });
    let result = resized(picture, &parsed(json!({"width": 20})), true);
    assert!(result.pixels().any(|pixel| (1..255).contains(&pixel.0[3])), "the edge is soft");
    for pixel in result.pixels().filter(|pixel| pixel.0[3] > 0) {
        assert!(pixel.0[0] <= 1 && pixel.0[2] >= 254, "{pixel:?}");
    }
}

#[test]
fn a_cut_is_exact_to_parts_of_a_pixel() {
    let plan = layout(&parsed(json!({"width": 10, "height": 10})), (31, 17));
    assert_eq!(plan.source, [7.0, 0.0, 17.0, 17.0]);
    let plan = layout(&parsed(json!({"width": 10, "height": 10, "gravity": "east"})), (30, 17));
    assert_eq!(plan.source, [13.0, 0.0, 17.0, 17.0]);
    let plan = layout(&parsed(json!({"width": 10, "height": 10})), (30, 17));
    assert_eq!(plan.source, [6.5, 0.0, 17.0, 17.0]);
}

/// [`reference`] in linear light: what it is given and what it gives is light.
fn resized_in_light(picture: &RgbaImage, source: [f64; 4], size: (u32, u32)) -> Vec<[f64; 4]> {
    let light = |value: u8| {
        let value = f64::from(value) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    let tone = |light: f64| {
        if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
    };
    let bright: Vec<[f64; 4]> = picture
        .pixels()
        .map(|Rgba([r, g, b, a])| {
            let alpha = f64::from(*a) / 255.0;
            [light(*r) * alpha, light(*g) * alpha, light(*b) * alpha, alpha]
        })
        .collect();
    let weights = |at: u32, from: f64, length: f64, target: u32, whole: u32| -> Vec<f64> {
        let sinc = |x: f64| {
            if x == 0.0 {
                1.0
            } else {
                (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x)
            }
        };
        let kernel = |x: f64| if x.abs() < 3.0 { sinc(x) * sinc(x / 3.0) } else { 0.0 };
        let scale = length / f64::from(target);
        let center = from + (f64::from(at) + 0.5) * scale;
        let weights: Vec<f64> =
            (0..whole).map(|i| kernel((f64::from(i) + 0.5 - center) / scale.max(1.0))).collect();
        let total: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / total).collect()
    };
    let [left, top, across, down] = source;
    let mut result = Vec::new();
    for y in 0..size.1 {
        let row = weights(y, top, down, size.1, picture.height());
        for x in 0..size.0 {
            let column = weights(x, left, across, size.0, picture.width());
            let mut sum = [0.0; 4];
            for (v, down) in row.iter().enumerate() {
                for (u, across) in column.iter().enumerate() {
                    let pixel = bright[v * picture.width() as usize + u];
                    sum.iter_mut().zip(pixel).for_each(|(sum, part)| *sum += down * across * part);
                }
            }
            let [r, g, b, alpha] = sum;
            let color = |light: f64| tone((light / alpha.max(1e-9)).clamp(0.0, 1.0)) * 255.0;
            result.push([color(r), color(g), color(b), alpha.clamp(0.0, 1.0) * 255.0]);
        }
    }
    result
}

#[test]
fn the_best_profile_mixes_light_strip_by_strip() {
    // More rows than a strip has, so that strips meet; and an alpha that hides colours.
    let cat = samples::read(samples::CAT);
    let mut picture = image::imageops::crop_imm(&cat, 90, 60, 60, 250).to_image();
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        if (x / 7 + y / 9) % 3 == 0 {
            *pixel = Rgba([255, 0, 255, 0]);
        }
    }
    for value in [json!({"height": 170}), json!({"width": 31, "height": 140, "gravity": "north"})] {
        let spec = parsed(value.clone());
        let plan = layout(&spec, picture.dimensions());
        let expected = resized_in_light(&picture, plan.source, plan.picture);
        let control = Control::default();
        let result = resize::<u8>(picture.clone(), &spec, true, &SRGB, &control).unwrap();
        for (pixel, expected) in result.pixels().zip(expected) {
            // Of light in fourteen bits the less is left, the less is seen: where that is hardly anything, any colour is as good.
            let allowed = if expected[3] < 16.0 { 255.0 } else { 1.0 + 120.0 / expected[3] };
            for channel in 0..3 {
                let off = (f64::from(pixel.0[channel]) - expected[channel]).abs();
                assert!(off <= allowed, "{value}: {pixel:?} instead of {expected:?}");
            }
            assert!((f64::from(pixel.0[3]) - expected[3]).abs() <= 1.0);
        }
    }
}

#[test]
fn both_depths_agree() {
    let eight = samples::read(samples::CAT);
    let eight = image::imageops::crop_imm(&eight, 50, 50, 90, 70).to_image();
    let sixteen = image::DynamicImage::ImageRgba8(eight.clone()).into_rgba16();
    for spec in [json!({"width": 41, "height": 33}), json!({"width": 141})] {
        let (spec, control) = (parsed(spec), Control::default());
        let eight = resize::<u8>(eight.clone(), &spec, false, &SRGB, &control).unwrap();
        let sixteen = resize::<u16>(sixteen.clone(), &spec, false, &SRGB, &control).unwrap();
        for (eight, sixteen) in eight.iter().zip(sixteen.iter()) {
            // By rounding, and by the curve, which for eight bits is a polynomial.
            assert!((f64::from(*sixteen) / 257.0 - f64::from(*eight)).abs() <= 1.3);
        }
    }
}
