//! Rounded corners: alpha is taken away outside of the outline.

use super::outline::Outline;
use crate::{
    domain::transform::Round,
    imaging::{
        control::{Control, Failure},
        picture::{Raster, rows_mut},
        sample::Sample,
    },
};

/// Rounds the corners of `frame`.
pub(super) fn round<S: Sample>(
    mut frame: Raster<S>,
    round: Round,
    control: &Control,
) -> Result<Raster<S>, Failure> {
    let outline = Outline::of(round, frame.dimensions());
    let mut coverage = vec![0.0; frame.width() as usize];
    for (y, row) in (0_u32..).zip(rows_mut::<S>(&mut frame)) {
        control.check()?;
        outline.coverage(y, &mut coverage);
        for ([.., alpha], covered) in row.iter_mut().zip(&coverage) {
            *alpha = S::nearest(alpha.float() * covered);
        }
    }
    Ok(frame)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn corners_go_and_colours_stay() {
        let frame = Raster::from_pixel(40, 20, image::Rgba([10_u8, 20, 30, 200]));
        let rounded = round::<u8>(frame, Round::Radius(8), &Control::default()).unwrap();
        let at = |x, y| rounded.get_pixel(x, y).0;
        assert_eq!(at(0, 0), [10, 20, 30, 0]);
        assert_eq!(at(39, 19), [10, 20, 30, 0]);
        assert_eq!(at(20, 0), [10, 20, 30, 200]);
        assert_eq!(at(0, 10), [10, 20, 30, 200]);
        // On the arc: 8 − 8/√2 is 2.34, so the pixel (2, 2) is cut through.
        let [.., alpha] = at(2, 2);
        assert!((20..180).contains(&alpha), "{alpha}");
    }

    #[test]
    fn sixteen_bits_are_cut_as_eight_are() {
        let eight = Raster::from_pixel(33, 21, image::Rgba([255_u8; 4]));
        let sixteen = Raster::from_pixel(33, 21, image::Rgba([65535_u16; 4]));
        let eight = round::<u8>(eight, Round::Max, &Control::default()).unwrap();
        let sixteen = round::<u16>(sixteen, Round::Max, &Control::default()).unwrap();
        for (eight, sixteen) in eight.pixels().zip(sixteen.pixels()) {
            let [.., eight] = eight.0;
            let [.., sixteen] = sixteen.0;
            assert!((f32::from(sixteen) / 257.0 - f32::from(eight)).abs() <= 0.501);
        }
    }
}
