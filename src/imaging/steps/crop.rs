//! A part of the picture.

use image::imageops;

use super::{
    Size,
    resize::{around, point},
};
use crate::{
    domain::{
        error::{Code, Error, Result},
        transform::Crop,
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
    match *crop {
        Crop::At { x, y, .. } if x >= across || y >= down => Err(Error::new(
            Code::TransformImpossible,
            format!("crop begins at {x}, {y}, outside of the picture of {across} × {down} pixels"),
        )),
        Crop::At { x, y, width, height } => {
            Ok(Area { x, y, width: width.min(across - x), height: height.min(down - y) })
        }
        Crop::Around { width, height, gravity } => {
            let gravity = point(gravity);
            let (width, height) = (width.min(across), height.min(down));
            let x = begin(gravity.x, width, across);
            let y = begin(gravity.y, height, down);
            Ok(Area { x, y, width, height })
        }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Between 0 and `whole - part`.
fn begin(at: f64, part: u32, whole: u32) -> u32 {
    around(at, part.into(), whole.into()).round() as u32
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
    use crate::domain::transform::Gravity;

    #[test]
    fn what_lies_outside_is_cut_off() {
        let at = |x, y, width, height| area(&Crop::At { x, y, width, height }, (100, 50));
        assert_eq!(at(10, 20, 30, 10).unwrap(), Area { x: 10, y: 20, width: 30, height: 10 });
        assert_eq!(at(90, 45, 30, 10).unwrap(), Area { x: 90, y: 45, width: 10, height: 5 });
        assert_eq!(at(100, 0, 1, 1).unwrap_err().code, Code::TransformImpossible);
        assert_eq!(at(0, 50, 1, 1).unwrap_err().code, Code::TransformImpossible);
    }

    #[test]
    fn gravity_keeps_its_point_as_near_the_middle_as_can_be() {
        let around = |x, y| {
            let crop = Crop::Around { width: 20, height: 10, gravity: Gravity::at(x, y) };
            let area = area(&crop, (100, 50)).unwrap();
            (area.x, area.y)
        };
        assert_eq!(around(0.5, 0.5), (40, 20));
        assert_eq!(around(0.0, 1.0), (0, 40));
        assert_eq!(around(0.25, 0.3), (15, 10));
    }
}
