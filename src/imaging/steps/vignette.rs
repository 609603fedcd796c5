//! Darker towards the corners, as old lenses are.

use super::rows::each_row;
use crate::imaging::{
    control::{Control, Failure},
    picture::Raster,
    sample::Sample,
};

/// Multiplies every colour by 1 − p·d⁴, where p is `percent` of 1 and d the distance from the middle: 0 there, 1 in the
/// corners, on ellipses of the picture's own ratio.
pub(super) fn vignette<S: Sample>(
    frame: &mut Raster<S>,
    percent: f64,
    control: &Control,
) -> Result<(), Failure> {
    let (width, height) = frame.dimensions();
    // From the middle, −1 to 1, at the middle of a pixel.
    let along = |at: u32, side: u32| (2.0 * f64::from(at) + 1.0) / f64::from(side) - 1.0;
    let squares: Vec<f64> = (0..width).map(|x| along(x, width).powi(2)).collect();
    each_row::<S>(frame, control, |y, row| {
        let down = along(y, height).powi(2);
        for ([red, green, blue, _], across) in row.iter_mut().zip(&squares) {
            let squared = (across + down) / 2.0;
            #[allow(clippy::cast_possible_truncation)] // Between 0 and 1.
            let left = (1.0 - percent / 100.0 * squared * squared) as f32;
            for channel in [red, green, blue] {
                *channel = S::nearest(channel.float() * left);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use image::{Rgba, RgbaImage};

    use super::*;

    #[test]
    fn the_middle_stays_and_corners_darken() {
        let mut frame = RgbaImage::from_pixel(201, 101, Rgba([200, 100, 50, 77]));
        vignette::<u8>(&mut frame, 80.0, &Control::default()).unwrap();
        let at = |x, y| frame.get_pixel(x, y).0;
        assert_eq!(at(100, 50), [200, 100, 50, 77]);
        // Nearly a fifth is left in the corners, and half way along an edge d⁴ is a quarter.
        for (x, y) in [(0, 0), (200, 0), (0, 100), (200, 100)] {
            let [red, _, _, alpha] = at(x, y);
            assert!((40..46).contains(&red) && alpha == 77, "{red}");
        }
        assert!(at(100, 0)[0].abs_diff(160) <= 2, "{:?}", at(100, 0));
        assert_eq!(at(30, 20), at(170, 80));
    }
}
