//! How alike two pictures are.

use image::DynamicImage;
use ssimulacra2::{
    ColorPrimaries, LinearRgb, Rgb, TransferCharacteristic, compute_frame_ssimulacra2,
};

/// Samples from 0 to 1, colours multiplied by alpha: what can't be seen doesn't count.
fn seen(picture: &DynamicImage) -> Vec<[f64; 4]> {
    let pixels = picture.to_rgba16();
    let pixels = pixels.pixels().map(|pixel| {
        let [red, green, blue, alpha] = pixel.0.map(|sample| f64::from(sample) / 65_535.0);
        [red * alpha, green * alpha, blue * alpha, alpha]
    });
    pixels.collect()
}

/// Peak signal to noise in decibels; equal pictures are infinite.
pub fn psnr(one: &DynamicImage, other: &DynamicImage) -> f64 {
    let (one, other) = (seen(one), seen(other));
    assert_eq!(one.len(), other.len());
    let squares: f64 =
        one.iter().flatten().zip(other.iter().flatten()).map(|(a, b)| (a - b).powi(2)).sum();
    -10.0 * (squares / (one.len() * 4) as f64).log10()
}

/// The score that people would give, 100 being the same.
pub fn ssimulacra2(one: &DynamicImage, other: &DynamicImage) -> f64 {
    let linear = |picture: &DynamicImage| {
        // On grey, where something is transparent.
        let pixels = seen(picture).into_iter().map(|[red, green, blue, alpha]| {
            [red, green, blue].map(|channel| (channel + 0.5 * (1.0 - alpha)) as f32)
        });
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let (srgb, primaries) = (TransferCharacteristic::SRGB, ColorPrimaries::BT709);
        LinearRgb::try_from(Rgb::new(pixels.collect(), width, height, srgb, primaries).unwrap())
            .unwrap()
    };
    compute_frame_ssimulacra2(linear(one), linear(other)).unwrap()
}

/// CIEDE2000 between the pixels of two opaque pictures in sRGB: the mean, and what 99 % of the pixels stay
/// below: near black a single level of rounding is more than 1.
pub fn color_difference(one: &DynamicImage, other: &DynamicImage) -> (f64, f64) {
    let (one, other) = (seen(one), seen(other));
    let mut differences: Vec<f64> =
        one.iter().zip(&other).map(|(a, b)| ciede2000(lab(*a), lab(*b))).collect();
    let mean = differences.iter().sum::<f64>() / differences.len() as f64;
    differences.sort_by(f64::total_cmp);
    (mean, differences[differences.len() * 99 / 100])
}

/// CIE L*a*b* of an sRGB colour, for D65.
fn lab([red, green, blue, _]: [f64; 4]) -> [f64; 3] {
    let light = |v: f64| if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) };
    let [r, g, b] = [red, green, blue].map(light);
    let x = (0.412_456_4 * r + 0.357_576_1 * g + 0.180_437_5 * b) / 0.950_47;
    let y = 0.212_672_9 * r + 0.715_152_2 * g + 0.072_175 * b;
    let z = (0.019_333_9 * r + 0.119_192 * g + 0.950_304_1 * b) / 1.088_83;
    let f =
        |t: f64| if t > 216.0 / 24_389.0 { t.cbrt() } else { (24_389.0 / 27.0 * t + 16.0) / 116.0 };
    [116.0 * f(y) - 16.0, 500.0 * (f(x) - f(y)), 200.0 * (f(y) - f(z))]
}

/// Sharma, Wu, Dalal 2005.
fn ciede2000([l1, a1, b1]: [f64; 3], [l2, a2, b2]: [f64; 3]) -> f64 {
    let chroma = f64::midpoint(a1.hypot(b1), a2.hypot(b2)).powi(7);
    let g = 0.5 * (1.0 - (chroma / (chroma + 25_f64.powi(7))).sqrt());
    let (a1, a2) = (a1 * (1.0 + g), a2 * (1.0 + g));
    let (c1, c2) = (a1.hypot(b1), a2.hypot(b2));
    let hue = |a: f64, b: f64| b.atan2(a).to_degrees().rem_euclid(360.0);
    let (h1, h2) = (hue(a1, b1), hue(a2, b2));
    let gray = c1 * c2 == 0.0;
    let turn = match h2 - h1 {
        _ if gray => 0.0,
        d if d > 180.0 => d - 360.0,
        d if d < -180.0 => d + 360.0,
        d => d,
    };
    let (dl, dc) = (l2 - l1, c2 - c1);
    let dh = 2.0 * (c1 * c2).sqrt() * (turn.to_radians() / 2.0).sin();
    let (l, c) = (f64::midpoint(l1, l2), f64::midpoint(c1, c2));
    let h = match h1 + h2 {
        sum if gray => sum,
        sum if (h1 - h2).abs() <= 180.0 => sum / 2.0,
        sum if sum < 360.0 => sum / 2.0 + 180.0,
        sum => sum / 2.0 - 180.0,
    };
    let cos = |degrees: f64| degrees.to_radians().cos();
    let t = 1.0 - 0.17 * cos(h - 30.0) + 0.24 * cos(2.0 * h) + 0.32 * cos(3.0 * h + 6.0)
        - 0.20 * cos(4.0 * h - 63.0);
    let sl = 1.0 + 0.015 * (l - 50.0).powi(2) / (20.0 + (l - 50.0).powi(2)).sqrt();
    let (sc, sh) = (1.0 + 0.045 * c, 1.0 + 0.015 * c * t);
    let rotation = 60.0 * (-((h - 275.0) / 25.0).powi(2)).exp();
    let rc = 2.0 * (c.powi(7) / (c.powi(7) + 25_f64.powi(7))).sqrt();
    let rt = -rotation.to_radians().sin() * rc;
    let (l, c, h) = (dl / sl, dc / sc, dh / sh);
    (l * l + c * c + h * h + rt * c * h).sqrt()
}

#[test]
fn the_difference_is_that_of_the_published_pairs() {
    // Of the table in the paper.
    for (one, other, expected) in [
        ([50.0, 2.6772, -79.7751], [50.0, 0.0, -82.7485], 2.0425),
        ([50.0, -1.3802, -84.2814], [50.0, 0.0, -82.7485], 1.0000),
        ([50.0, 2.5, 0.0], [50.0, 0.0, -2.5], 4.3065),
        ([60.2574, -34.0099, 36.2677], [60.4626, -34.1751, 39.4387], 1.2644),
        ([2.0776, 0.0795, -1.1350], [0.9033, -0.0636, -0.5514], 0.9082),
    ] {
        assert!((ciede2000(one, other) - expected).abs() < 1e-4, "{one:?}");
    }
}
