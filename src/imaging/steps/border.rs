//! A frame around the picture. Where the corners were just rounded, it follows them.

use super::outline::Outline;
use crate::{
    domain::transform::{Border, Round},
    imaging::{
        color::Space,
        control::{Control, Failure},
        picture::{Raster, rows, rows_mut},
        sample::Sample,
    },
};

/// Puts `border` around `frame`, whose corners were rounded as `rounded` says.
pub(super) fn border<S: Sample>(
    frame: &Raster<S>,
    border: Border,
    rounded: Option<Round>,
    space: &Space,
    control: &Control,
) -> Result<Raster<S>, Failure> {
    let (width, height) = frame.dimensions();
    let color = space.paint::<S>(border.color);
    let mut framed = Raster::new(width + 2 * border.width, height + 2 * border.width);
    let inner = rounded.map(|round| Outline::of(round, (width, height)));
    let outer = inner.map(|inner| inner.grown(border.width));
    let inside = |at: u32, side: u32| at.checked_sub(border.width).filter(|at| *at < side);
    let (mut without, mut within) = (vec![1.0; framed.width() as usize], vec![1.0; width as usize]);
    for (y, row) in (0_u32..).zip(rows_mut::<S>(&mut framed)) {
        control.check()?;
        let picture_y = inside(y, height);
        if let Some(outer) = outer {
            outer.coverage(y, &mut without);
        }
        if let (Some(inner), Some(y)) = (inner, picture_y) {
            inner.coverage(y, &mut within);
        }
        let line = picture_y.and_then(|y| rows::<S>(frame).nth(y as usize)).unwrap_or_default();
        for ((x, pixel), outer) in (0_u32..).zip(row).zip(&without) {
            let picture_x = inside(x, width);
            let beneath = picture_x.and_then(|x| line.get(x as usize));
            let inner = match (beneath, picture_x) {
                (Some(_), Some(x)) => within.get(x as usize).copied().unwrap_or(1.0),
                _ => 0.0,
            };
            let beneath = beneath.copied().unwrap_or([S::from_byte(0); 4]);
            *pixel = side_by_side(beneath, color, (outer - inner).max(0.0));
        }
    }
    Ok(framed)
}

/// A pixel that holds `beneath`, as much as its alpha says, and beside it `color` on `share` of its area. They don't
/// overlap, so nothing shows through at the seam.
fn side_by_side<S: Sample>(beneath: [S; 4], color: [S; 4], share: f32) -> [S; 4] {
    if share <= 0.0 {
        return beneath;
    }
    let [.., under] = beneath;
    let [.., over] = color;
    let (under, over) = (under.float(), over.float() * share);
    let alpha = (under + over).min(S::FULL);
    if alpha <= 0.0 {
        return [S::from_byte(0); 4];
    }
    let mut mixed = beneath;
    for ((mixed, beneath), color) in mixed.iter_mut().zip(beneath).zip(color) {
        *mixed = S::nearest((beneath.float() * under + color.float() * over) / (under + over));
    }
    let [red, green, blue, _] = mixed;
    [red, green, blue, S::nearest(alpha)]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use image::Rgba;

    use super::*;
    use crate::imaging::{color::SRGB, steps::round};

    const RED: [u8; 4] = [255, 0, 0, 255];
    const BLUE: [u8; 4] = [0, 0, 255, 255];

    fn framed(picture: &Raster<u8>, width: u32, rounded: Option<Round>) -> Raster<u8> {
        let color = "red".parse().unwrap();
        let control = Control::default();
        border::<u8>(picture, Border { width, color }, rounded, &SRGB, &control).unwrap()
    }

    #[test]
    fn a_frame_lies_around_and_nothing_beneath() {
        let picture = Raster::from_fn(6, 4, |x, _| Rgba(if x < 3 { BLUE } else { [9, 9, 9, 0] }));
        let framed = framed(&picture, 3, None);
        assert_eq!(framed.dimensions(), (12, 10));
        for (x, y, pixel) in framed.enumerate_pixels() {
            let inside = (3..9).contains(&x) && (3..7).contains(&y);
            let expected = if inside { picture.get_pixel(x - 3, y - 3).0 } else { RED };
            assert_eq!(pixel.0, expected, "{x}, {y}");
        }
    }

    #[test]
    fn a_ring_follows_rounded_corners_without_a_seam() {
        let picture = Raster::from_pixel(40, 40, Rgba(BLUE));
        let picture = round::round::<u8>(picture, Round::Max, &Control::default()).unwrap();
        let ring = framed(&picture, 5, Some(Round::Max));
        assert_eq!(ring.dimensions(), (50, 50));
        assert_eq!(ring.get_pixel(0, 0).0, [0; 4]);
        assert_eq!(ring.get_pixel(25, 2).0, RED);
        assert_eq!(ring.get_pixel(25, 25).0, BLUE);
        // Between the ring and the picture nothing shows through.
        for (x, y, pixel) in ring.enumerate_pixels() {
            let (dx, dy) = (f64::from(x) - 24.5, f64::from(y) - 24.5);
            let [red, _, blue, alpha] = pixel.0;
            if dx.hypot(dy) < 23.5 {
                assert!(alpha >= 254, "{x}, {y}: {alpha}");
                assert!((253..=257).contains(&(u16::from(red) + u16::from(blue))), "{x}, {y}");
            }
        }
    }
}
