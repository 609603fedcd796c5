//! Filters that mix the channels of a pixel.

use super::rows::each_row;
use crate::imaging::{
    control::{Control, Failure},
    picture::Raster,
    sample::Sample,
};

/// For each channel of the result, how much of red, green and blue goes into it.
pub(super) type Matrix = [[f64; 3]; 3];

/// The share of each channel in the luma of Rec. 709.
const LUMA: [f64; 3] = [0.2126, 0.7152, 0.0722];
const IDENTITY: Matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
/// As of the W3C's Filter Effects.
const SEPIA: Matrix = [[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]];

pub(super) const fn grayscale() -> Matrix {
    [LUMA, LUMA, LUMA]
}

pub(super) fn sepia(percent: f64) -> Matrix {
    between(&IDENTITY, &SEPIA, percent / 100.0)
}

pub(super) fn saturation(percent: f64) -> Matrix {
    between(&grayscale(), &IDENTITY, 1.0 + percent / 100.0)
}

/// A turn around the grey axis that keeps luma, as of the W3C's Filter Effects.
pub(super) fn hue(degrees: f64) -> Matrix {
    const SIN: Matrix =
        [[-0.2126, -0.7152, 0.9278], [0.143, 0.140, -0.283], [-0.7874, 0.7152, 0.0722]];
    let (sin, cos) = degrees.to_radians().sin_cos();
    let mut turned = between(&grayscale(), &IDENTITY, cos);
    for (row, weights) in turned.iter_mut().zip(SIN) {
        for (value, weight) in row.iter_mut().zip(weights) {
            *value += sin * weight;
        }
    }
    turned
}

/// `share` of the way from one matrix to another.
fn between(from: &Matrix, to: &Matrix, share: f64) -> Matrix {
    let mut mixed = *from;
    for (row, to) in mixed.iter_mut().zip(to) {
        for (value, to) in row.iter_mut().zip(to) {
            *value += (to - *value) * share;
        }
    }
    mixed
}

/// Mixes the colours of every pixel; alpha stays.
pub(super) fn apply<S: Sample>(
    frame: &mut Raster<S>,
    matrix: &Matrix,
    control: &Control,
) -> Result<(), Failure> {
    #[allow(clippy::cast_possible_truncation)] // The weights are within ±3.
    let matrix = matrix.map(|row| row.map(|weight| weight as f32));
    each_row::<S>(frame, control, |_, row| {
        for [red, green, blue, _] in row {
            let [r, g, b] = [red.float(), green.float(), blue.float()];
            let [new_red, new_green, new_blue] = matrix.map(|[from_red, from_green, from_blue]| {
                S::nearest(from_red * r + from_green * g + from_blue * b)
            });
            (*red, *green, *blue) = (new_red, new_green, new_blue);
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use image::RgbaImage;

    use super::*;

    fn of(pixel: [u8; 4], matrix: &Matrix) -> [u8; 4] {
        let mut frame = RgbaImage::from_pixel(1, 1, image::Rgba(pixel));
        apply::<u8>(&mut frame, matrix, &Control::default()).unwrap();
        frame.get_pixel(0, 0).0
    }

    #[test]
    fn grey_is_the_luma_of_rec_709() {
        assert_eq!(of([255, 0, 0, 7], &grayscale()), [54, 54, 54, 7]);
        assert_eq!(of([0, 255, 0, 255], &grayscale()), [182, 182, 182, 255]);
        assert_eq!(of([0, 0, 255, 255], &grayscale()), [18, 18, 18, 255]);
        assert_eq!(of([255, 255, 255, 255], &grayscale()), [255, 255, 255, 255]);
    }

    #[test]
    fn sepia_blends_by_percentage() {
        assert_eq!(of([100, 100, 100, 255], &sepia(100.0)), [135, 120, 94, 255]);
        assert_eq!(of([100, 100, 100, 255], &sepia(50.0)), [118, 110, 97, 255]);
        assert_eq!(of([255, 255, 255, 255], &sepia(100.0)), [255, 255, 239, 255]);
    }

    #[test]
    fn saturation_and_hue_leave_grey_alone() {
        let grey = [90, 90, 90, 255];
        for matrix in [saturation(-100.0), saturation(60.0), hue(77.0), hue(300.0)] {
            assert_eq!(of(grey, &matrix), grey);
        }
        assert_eq!(of([255, 0, 0, 255], &saturation(-100.0)), [54, 54, 54, 255]);
        assert_eq!(of([10, 200, 30, 255], &saturation(0.0)), [10, 200, 30, 255]);
    }
}
