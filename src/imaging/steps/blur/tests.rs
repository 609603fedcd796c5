//! The blur against the Gaussian itself.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

use image::{Rgba, RgbaImage};

use super::{blur, sharpen};
use crate::imaging::control::Control;

fn blurred(mut frame: RgbaImage, sigma: f64) -> RgbaImage {
    blur::<u8>(&mut frame, sigma, &Control::default()).unwrap();
    frame
}

#[test]
fn an_edge_becomes_the_integral_of_the_gaussian() {
    for (sigma, reach) in [(0.8, 30), (2.0, 30), (5.0, 60), (20.0, 120)] {
        let edge = RgbaImage::from_fn(2 * reach, 3, |x, _| {
            Rgba(if x < reach { [0, 0, 0, 255] } else { [255; 4] })
        });
        let result = blurred(edge, sigma);
        // Summed up in small steps, from far left.
        let mut sum = 0.0;
        let mut expected = Vec::new();
        let step = 0.01;
        for x in 0..2 * reach {
            let at = f64::from(x) + 0.5 - f64::from(reach);
            let mut position = if x == 0 { -8.0 * sigma } else { at - 1.0 };
            while position < at {
                let middle = (position + step / 2.0) / sigma;
                sum += (-0.5 * middle * middle).exp() * step
                    / (sigma * (2.0 * std::f64::consts::PI).sqrt());
                position += step;
            }
            expected.push((sum * 255.0).round() as u8);
        }
        let worst = result.enumerate_pixels().zip(expected.iter().cycle());
        let worst =
            worst.map(|((_, _, pixel), expected)| pixel.0[0].abs_diff(*expected)).max().unwrap();
        // Small kernels are sampled, not integrated; that is where the difference is largest.
        let allowed = if sigma < 1.0 { 8 } else { 4 };
        assert!(worst <= allowed, "sigma {sigma}: off by {worst}");
    }
}

#[test]
fn an_even_picture_stays_as_it_is() {
    let even = RgbaImage::from_pixel(7, 5, Rgba([10, 200, 90, 255]));
    for sigma in [0.01, 0.5, 2.5, 2.6, 40.0, 250.0] {
        assert_eq!(blurred(even.clone(), sigma), even, "{sigma}");
    }
}

#[test]
fn what_is_not_seen_leaves_no_trace() {
    let picture = RgbaImage::from_fn(40, 10, |x, _| {
        Rgba(if x < 20 { [255, 0, 0, 0] } else { [0, 0, 255, 255] })
    });
    for sigma in [1.5, 6.0] {
        let result = blurred(picture.clone(), sigma);
        assert!(result.pixels().any(|pixel| (1..255).contains(&pixel.0[3])));
        assert!(result.pixels().all(|pixel| pixel.0[0] == 0), "{sigma}");
    }
}

#[test]
fn sharpening_steepens_an_edge_and_leaves_the_rest() {
    let mut edge = RgbaImage::from_fn(40, 3, |x, _| {
        Rgba(if x < 20 { [100, 100, 100, 255] } else { [150, 150, 150, 255] })
    });
    sharpen::<u8>(&mut edge, 1.0, &Control::default()).unwrap();
    assert_eq!(edge.get_pixel(5, 1).0, [100, 100, 100, 255]);
    assert_eq!(edge.get_pixel(35, 1).0, [150, 150, 150, 255]);
    assert!(edge.get_pixel(19, 1).0[0] < 95 && edge.get_pixel(20, 1).0[0] > 155);
}
