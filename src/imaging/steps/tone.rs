//! Filters that change every channel by itself.

use super::rows::each_row;
use crate::imaging::{
    control::{Control, Failure},
    picture::Raster,
    sample::Sample,
};

/// Puts every red, green and blue through `curve`, which maps 0–255 to 0–255; alpha stays.
pub(super) fn apply<S: Sample>(
    frame: &mut Raster<S>,
    curve: impl Fn(f64) -> f64,
    control: &Control,
) -> Result<(), Failure> {
    let full = f64::from(S::FULL);
    let table: Vec<S> = (0..=S::max_value().index())
        .map(|index| {
            let value = f64::from(u32::try_from(index).unwrap_or(u32::MAX)) / full * 255.0;
            #[allow(clippy::cast_possible_truncation)] // Rounded to a sample right after.
            S::nearest((curve(value) / 255.0 * full) as f32)
        })
        .collect();
    let look_up = |sample: S| table.get(sample.index()).copied().unwrap_or(sample);
    each_row::<S>(frame, control, |_, row| {
        for [red, green, blue, _] in row {
            (*red, *green, *blue) = (look_up(*red), look_up(*green), look_up(*blue));
        }
    })
}

pub(super) fn invert(value: f64) -> f64 {
    255.0 - value
}

pub(super) fn brighten(value: f64, percent: f64) -> f64 {
    value + 2.55 * percent
}

/// A line through the middle grey, flat at −100 and upright at 100.
pub(super) fn contrast(value: f64, percent: f64) -> f64 {
    let slope = (1.0 + percent / 100.0) / (1.0 - percent / 100.0).max(1e-3);
    let slope = if percent < 0.0 { 1.0 + percent / 100.0 } else { slope };
    (value - 127.5) * slope + 127.5
}

pub(super) fn gamma(value: f64, gamma: f64) -> f64 {
    255.0 * (value / 255.0).powf(1.0 / gamma)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use image::RgbaImage;

    use super::*;

    fn of(pixel: [u8; 4], curve: impl Fn(f64) -> f64) -> [u8; 4] {
        let mut frame = RgbaImage::from_pixel(1, 1, image::Rgba(pixel));
        apply::<u8>(&mut frame, curve, &Control::default()).unwrap();
        frame.get_pixel(0, 0).0
    }

    #[test]
    fn curves_at_known_points() {
        let pixel = [0, 64, 255, 9];
        assert_eq!(of(pixel, invert), [255, 191, 0, 9]);
        assert_eq!(of(pixel, |value| brighten(value, 20.0)), [51, 115, 255, 9]);
        assert_eq!(of(pixel, |value| brighten(value, -100.0)), [0, 0, 0, 9]);
        assert_eq!(of(pixel, |value| contrast(value, 0.0)), pixel);
        assert_eq!(of(pixel, |value| contrast(value, -100.0)), [128, 128, 128, 9]);
        assert_eq!(of(pixel, |value| contrast(value, 100.0)), [0, 0, 255, 9]);
        // √(64/255) of 255.
        assert_eq!(of(pixel, |value| gamma(value, 2.0)), [0, 128, 255, 9]);
    }
}
