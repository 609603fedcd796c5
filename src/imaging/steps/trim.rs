//! A uniform border is cut off: all rows and columns at the edges in which no pixel differs from the top left corner.

use super::crop::Area;
use crate::{
    domain::transform::Trim,
    imaging::{
        control::{Control, Failure},
        picture::{Picture, Pixels, Raster, rows},
        sample::Sample,
    },
};

/// What is left of the picture: the smallest rectangle that holds, in every frame, all that differs from the first frame's
/// corner. `None` where nothing differs: then there is no border, but a picture of one colour.
pub(super) fn area(
    picture: &Picture,
    trim: Trim,
    control: &Control,
) -> Result<Option<Area>, Failure> {
    let mut bounds: Option<Bounds> = None;
    let corner = corner(&picture.first.pixels);
    for frame in picture.frames() {
        let found = match &frame.pixels {
            Pixels::Eight(raster) => differing(raster, corner, trim, control)?,
            Pixels::Sixteen(raster) => differing(raster, corner, trim, control)?,
        };
        bounds = match (bounds, found) {
            (Some(one), Some(other)) => Some(one.and(other)),
            (one, other) => one.or(other),
        };
    }
    Ok(bounds.map(|Bounds { left, top, right, bottom }| Area {
        x: left,
        y: top,
        width: right - left + 1,
        height: bottom - top + 1,
    }))
}

/// The first and the last column and row that something lies in.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    left: u32,
    top: u32,
    right: u32,
    bottom: u32,
}

impl Bounds {
    fn and(self, other: Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }
}

/// The colour of the top left corner, premultiplied, 0 to 255.
fn corner(pixels: &Pixels) -> [f32; 4] {
    match pixels {
        Pixels::Eight(raster) => raster.as_chunks().0.first().map(|pixel| seen(*pixel)),
        Pixels::Sixteen(raster) => raster.as_chunks().0.first().map(|pixel| seen(*pixel)),
    }
    .unwrap_or_default()
}

fn differing<S: Sample>(
    raster: &Raster<S>,
    corner: [f32; 4],
    trim: Trim,
    control: &Control,
) -> Result<Option<Bounds>, Failure> {
    let most = f32::from(trim.threshold);
    let differs = |pixel: &[S; 4]| {
        seen(*pixel).into_iter().zip(corner).any(|(one, other)| (one - other).abs() > most)
    };
    let mut bounds: Option<Bounds> = None;
    for (y, row) in (0_u32..).zip(rows::<S>(raster)) {
        control.check()?;
        let mut columns = (0_u32..).zip(row).filter(|(_, pixel)| differs(pixel)).map(|(x, _)| x);
        let Some(left) = columns.next() else { continue };
        let right = columns.last().unwrap_or(left);
        let found = Bounds { left, top: y, right, bottom: y };
        bounds = Some(bounds.map_or(found, |bounds| bounds.and(found)));
    }
    Ok(bounds)
}

/// A colour as it counts for the eye: what is transparent is all the same.
fn seen<S: Sample>(pixel: [S; 4]) -> [f32; 4] {
    let [red, green, blue, alpha] = pixel.map(|sample| sample.float() / S::FULL * 255.0);
    [red, green, blue, 255.0].map(|channel| channel * alpha / 255.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use image::{Rgba, RgbaImage};

    use super::*;
    use crate::imaging::picture::Frame;

    fn left_of(picture: &Picture, threshold: u8) -> Option<[u32; 4]> {
        let area = area(picture, Trim { threshold }, &Control::default()).unwrap()?;
        Some([area.x, area.y, area.width, area.height])
    }

    fn still(pixel: impl Fn(u32, u32) -> [u8; 4]) -> Picture {
        let raster = RgbaImage::from_fn(20, 10, |x, y| Rgba(pixel(x, y)));
        Picture::still(Pixels::Eight(raster), true)
    }

    #[test]
    fn what_differs_stays() {
        let spot = |x, y| if (3..9).contains(&x) && (2..7).contains(&y) { [90; 4] } else { [0; 4] };
        assert_eq!(left_of(&still(spot), 10), Some([3, 2, 6, 5]));
        let one = |x, y| if (x, y) == (19, 9) { [255; 4] } else { [255, 255, 255, 240] };
        assert_eq!(left_of(&still(one), 0), Some([19, 9, 1, 1]));
        assert_eq!(left_of(&still(one), 15), None);
    }

    #[test]
    fn the_threshold_is_the_most_that_is_still_alike() {
        let step = |x, _| if x < 5 { [100, 100, 100, 255] } else { [110, 100, 100, 255] };
        assert_eq!(left_of(&still(step), 9), Some([5, 0, 15, 10]));
        assert_eq!(left_of(&still(step), 10), None);
    }

    #[test]
    fn what_is_transparent_is_alike() {
        let hidden = |x, y| match (x, y) {
            (4, 5) => [1, 2, 3, 255],
            (x, _) if x < 10 => [255, 0, 0, 0],
            _ => [0, 255, 0, 0],
        };
        assert_eq!(left_of(&still(hidden), 0), Some([4, 5, 1, 1]));
    }

    #[test]
    fn every_frame_counts_and_both_depths() {
        let frame = |at: u32| {
            let raster = Raster::from_fn(20, 10, |x, y| {
                Rgba([if (x, y) == (at, 4) { 65535 } else { 0_u16 }; 4])
            });
            Frame { pixels: Pixels::Sixteen(raster), delay: 10 }
        };
        let picture = Picture::animated(vec![frame(7), frame(12)], 0, true).unwrap();
        assert_eq!(left_of(&picture, 10), Some([7, 4, 6, 1]));
    }
}
