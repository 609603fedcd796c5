//! Where the point that matters lies while a picture is being changed, when its owner has named it.

use super::{Crop, Gravity, Operation, Place, Point, Spec, parse::rounded};
use crate::domain::image::Focus;

impl Spec {
    /// Puts the owner's point in the place of every smart gravity, for as long as the spec alone says where that point
    /// lies. What cuts or pads moves it by an amount that depends on the picture: after that the engine looks for itself.
    pub(super) fn follow(&mut self, Focus { x, y }: Focus) {
        let mut point = Point { x: rounded(x), y: rounded(y) };
        for operation in &mut self.operations {
            if let Operation::Resize(super::Resize { gravity, .. })
            | Operation::Crop(Crop { place: Place::Around(gravity), .. }) = operation
                && *gravity == Gravity::Smart
            {
                *gravity = Gravity::Point(point);
            }
            match after(operation, point) {
                Some(moved) => point = moved,
                None => return,
            }
        }
    }
}

/// Where `point` lies after `operation`, as fractions of the picture as it is then; `None` if that depends on the picture.
fn after(operation: &Operation, Point { x, y }: Point) -> Option<Point> {
    let opposite = |fraction: f64| rounded(1.0 - fraction);
    let moved = match operation {
        Operation::Rotate(90) => Point { x: opposite(y), y: x },
        Operation::Rotate(180) => Point { x: opposite(x), y: opposite(y) },
        Operation::Rotate(270) => Point { x: y, y: opposite(x) },
        Operation::Flip => Point { x, y: opposite(y) },
        Operation::Mirror => Point { x: opposite(x), y },
        Operation::Resize(resize) if resize.cuts() || resize.pads() => return None,
        Operation::Resize(_)
        | Operation::Filter(_)
        | Operation::Round(_)
        | Operation::Watermark(_) => Point { x, y },
        Operation::Trim(_) | Operation::Crop(_) | Operation::Rotate(_) | Operation::Border(_) => {
            return None;
        }
    };
    Some(moved)
}
