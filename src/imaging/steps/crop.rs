//! A part of the picture.

use image::imageops;

use super::{
    Size,
    resize::{around, length, pixels, point},
};
use crate::{
    domain::{
        error::{Code, Error, Result},
        transform::{Crop, Place},
    },
    imaging::{picture::Raster, sample::Sample},
};

/// A rectangle that lies inside the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Area {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

/// What of `crop` lies inside a picture of `size`.
pub(super) fn area(crop: &Crop, (across, down): Size) -> Result<Area> {
    let (width, height) =
        (pixels(length(crop.width, across.into())), pixels(length(crop.height, down.into())));
    let sides = match crop.place {
        Place::Corner { x, y } => {
            cut_off(x.into(), width, across).zip(cut_off(y.into(), height, down))
        }
        Place::Middle { x, y } => moved_inside(x, width, across).zip(moved_inside(y, height, down)),
        Place::Around(gravity) => {
            let gravity = point(gravity);
            Some((centered(gravity.x, width, across), centered(gravity.y, height, down)))
        }
    };
    let ((x, width), (y, height)) = sides.ok_or_else(|| {
        let (Place::Corner { x, y } | Place::Middle { x, y }) = crop.place else {
            return Error::internal("what lies around a point lies inside");
        };
        let what = format!(
            "crop of {width} × {height} pixels at {x}, {y} lies outside of the picture of {across} × {down} pixels"
        );
        Error::new(Code::TransformImpossible, what)
    })?;
    Ok(Area { x, y, width, height })
}

/// Where a part begins and how long it is.
type Side = (u32, u32);

/// What of a part that begins `at` lies in the whole.
fn cut_off(at: i64, part: u32, whole: u32) -> Option<Side> {
    let (begin, end) = (at.max(0), (at + i64::from(part)).min(whole.into()));
    let begin = u32::try_from(begin).ok()?;
    let length = u32::try_from(end).ok()?.checked_sub(begin)?;
    (length > 0).then_some((begin, length))
}

/// A part that has its middle `at`, moved to where all of it lies in the whole; `None` if nothing of it did.
fn moved_inside(at: i32, part: u32, whole: u32) -> Option<Side> {
    let begin = i64::from(at) - i64::from(part / 2);
    cut_off(begin, part, whole)?;
    let part = part.min(whole);
    let begin = begin.clamp(0, i64::from(whole - part));
    Some((u32::try_from(begin).ok()?, part))
}

/// A part with the point `at` in its middle, as far as the whole allows.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Between 0 and `whole - part`.
fn centered(at: f64, part: u32, whole: u32) -> Side {
    let part = part.min(whole);
    (around(at, part.into(), whole.into()).round() as u32, part)
}

/// Cuts `crop` out of `frame`.
pub(super) fn crop<S: Sample>(frame: &Raster<S>, crop: &Crop) -> Result<Raster<S>> {
    Ok(cut(frame, area(crop, frame.dimensions())?))
}

/// The pixels of `area`.
pub(super) fn cut<S: Sample>(frame: &Raster<S>, Area { x, y, width, height }: Area) -> Raster<S> {
    imageops::crop_imm(frame, x, y, width, height).to_image()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::transform::{Gravity, Length};

    fn sized(width: u32, height: u32, place: Place) -> Crop {
        Crop { width: Length::Pixels(width), height: Length::Pixels(height), place }
    }

    #[test]
    fn what_lies_outside_is_cut_off() {
        let at =
            |x, y, width, height| area(&sized(width, height, Place::Corner { x, y }), (100, 50));
        assert_eq!(at(10, 20, 30, 10).unwrap(), Area { x: 10, y: 20, width: 30, height: 10 });
        assert_eq!(at(90, 45, 30, 10).unwrap(), Area { x: 90, y: 45, width: 10, height: 5 });
        assert_eq!(at(-10, -4, 30, 10).unwrap(), Area { x: 0, y: 0, width: 20, height: 6 });
        assert_eq!(at(-9, -9, 999, 999).unwrap(), Area { x: 0, y: 0, width: 100, height: 50 });
        for (x, y) in [(100, 0), (0, 50), (-1, 0), (0, -1), (-1_000_000, 0), (0, 1_000_000)] {
            assert_eq!(at(x, y, 1, 1).unwrap_err().code, Code::TransformImpossible, "{x}, {y}");
        }
    }

    #[test]
    fn a_middle_near_any_edge_moves_the_rectangle_inside() {
        let at = |x, y, width, height| {
            area(&sized(width, height, Place::Middle { x, y }), (100, 50))
                .map(|area| ((area.x, area.y), (area.width, area.height)))
        };
        assert_eq!(at(40, 20, 30, 10).unwrap(), ((25, 15), (30, 10)));
        assert_eq!(at(40, 20, 31, 11).unwrap(), ((25, 15), (31, 11)));
        assert_eq!(at(3, 2, 30, 10).unwrap(), ((0, 0), (30, 10)));
        assert_eq!(at(97, 49, 30, 10).unwrap(), ((70, 40), (30, 10)));
        assert_eq!(at(-5, 52, 30, 10).unwrap(), ((0, 40), (30, 10)));
        // What is larger than the picture is cut to it, wherever its middle is.
        assert_eq!(at(90, 49, 300, 10).unwrap(), ((0, 40), (100, 10)));
        for (x, y) in [(115, 20), (-15, 20), (40, 55), (40, -5)] {
            let error = at(x, y, 30, 10).unwrap_err();
            assert_eq!(error.code, Code::TransformImpossible, "{x}, {y}");
        }
    }

    #[test]
    fn gravity_keeps_its_point_as_near_the_middle_as_can_be() {
        let around = |x, y| {
            let area = area(&sized(20, 10, Place::Around(Gravity::at(x, y))), (100, 50)).unwrap();
            (area.x, area.y)
        };
        assert_eq!(around(0.5, 0.5), (40, 20));
        assert_eq!(around(0.0, 1.0), (0, 40));
        assert_eq!(around(0.25, 0.3), (15, 10));
    }

    #[test]
    fn a_fraction_is_a_part_of_the_picture_as_it_is_then() {
        let half = |place| {
            let crop = Crop { width: Length::Fraction(0.5), height: Length::Fraction(0.25), place };
            area(&crop, (101, 50)).unwrap()
        };
        let placed = |x, y, width| Area { x, y, width, height: 13 };
        assert_eq!(half(Place::Corner { x: 3, y: 4 }), placed(3, 4, 51));
        assert_eq!(half(Place::Corner { x: -3, y: 4 }), placed(0, 4, 48));
        assert_eq!(half(Place::Middle { x: 90, y: 25 }), placed(50, 19, 51));
        assert_eq!(half(Place::Around(Gravity::at(1.0, 0.0))), placed(50, 0, 51));
    }
}
