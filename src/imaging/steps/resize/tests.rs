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
use crate::{
    domain::transform::{Operation, Resize, Spec},
    imaging::samples,
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
        let expected = reference(&picture, plan.source, plan.picture.0, plan.picture.1);
        let result = resize(picture.clone(), &spec, false).unwrap();
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
        let result = resize(picture.clone(), &parsed(value.clone()), false).unwrap();
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
    let result = resize(picture, &parsed(json!({"width": 20})), true).unwrap();
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
