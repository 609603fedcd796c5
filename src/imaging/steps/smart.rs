//! Where a picture is most interesting, for cuts that should keep it.
//!
//! A small copy is rated pixel by pixel: edges, colours that stand out and tones of skin draw the eye. Of all windows of the
//! cut's shape the one that holds most of that is taken; of equals, the one nearest to the middle.

use super::{crop, resize};
use crate::{
    domain::transform::{Crop, Gravity, Operation, Place},
    imaging::{
        control::{Control, Failure},
        picture::{self, Picture, Pixels, Raster},
        sample::Sample,
    },
};

/// The longer side of the small copy. A multiple of it costs time and finds nothing else.
const GRID: u32 = 128;
/// What skin is like, as a direction in linear proportions of red, green and blue.
const SKIN: [f32; 3] = [0.78, 0.57, 0.44];
/// How much a sum may be smaller and still count as equal.
const ALIKE: f64 = 1e-4;

/// `operation` with the engine's own choice in the place of [`Gravity::Smart`], and the choice.
pub(super) fn settle(
    picture: &Picture,
    operation: &Operation,
    control: &Control,
) -> Result<Option<Operation>, Failure> {
    let size = picture.size();
    let (width, height) = match operation {
        Operation::Resize(resize) if resize.gravity == Gravity::Smart => {
            let [_, _, width, height] = resize::layout(resize, size).source;
            (width, height)
        }
        Operation::Crop(crop @ Crop { place: Place::Around(Gravity::Smart), .. }) => {
            let Ok(area) = crop::area(crop, size) else { return Ok(None) };
            (f64::from(area.width), f64::from(area.height))
        }
        _ => return Ok(None),
    };
    let gravity = match &picture.first.pixels {
        Pixels::Eight(raster) => find::<u8>(raster, width, height, control)?,
        Pixels::Sixteen(raster) => find::<u16>(raster, width, height, control)?,
    };
    Ok(Some(match operation {
        Operation::Resize(resize) => {
            Operation::Resize(crate::domain::transform::Resize { gravity, ..*resize })
        }
        Operation::Crop(crop) => Operation::Crop(Crop { place: Place::Around(gravity), ..*crop }),
        other => other.clone(),
    }))
}

/// The middle of the most interesting window of `width` × `height` pixels.
fn find<S: Sample>(
    raster: &Raster<S>,
    width: f64,
    height: f64,
    control: &Control,
) -> Result<Gravity, Failure> {
    let interest = Interest::of(raster, control)?;
    let scale =
        (interest.across / f64::from(raster.width()), interest.down / f64::from(raster.height()));
    Ok(interest.best(width * scale.0, height * scale.1))
}

/// How interesting each cell of a small copy is, summed up from the top left.
struct Interest {
    columns: usize,
    across: f64,
    down: f64,
    /// One row and one column more than the copy has; each entry is the sum of all above and left of it.
    sums: Vec<f64>,
}

impl Interest {
    fn of<S: Sample>(raster: &Raster<S>, control: &Control) -> Result<Self, Failure> {
        let small = shrunk(raster, control)?;
        let (columns, rows) = (small.columns, small.cells.len() / small.columns.max(1));
        let mut sums = vec![0.0; (columns + 1) * (rows + 1)];
        for row in 0..rows {
            let mut line = 0.0;
            for column in 0..columns {
                line += f64::from(small.interest(column, row));
                let above = sums.get(row * (columns + 1) + column + 1).copied().unwrap_or(0.0);
                if let Some(sum) = sums.get_mut((row + 1) * (columns + 1) + column + 1) {
                    *sum = above + line;
                }
            }
        }
        let side = |cells: usize| f64::from(u32::try_from(cells).unwrap_or(u32::MAX));
        Ok(Self { columns, across: side(columns), down: side(rows), sums })
    }

    /// The middle of the best window of `width` × `height` cells, as fractions of the picture.
    fn best(&self, width: f64, height: f64) -> Gravity {
        let (width, height) = (width.min(self.across), height.min(self.down));
        let (most_x, most_y) = (self.across - width, self.down - height);
        // All whole cells to begin at, and the middle.
        let starts = |most: f64| {
            let whole = (0_u32..).map(f64::from).take_while(move |at| *at <= most);
            std::iter::once(most / 2.0).chain(whole).chain(std::iter::once(most))
        };
        let all = self.sum(0.0, 0.0, self.across, self.down);
        let mut best = (f64::NEG_INFINITY, f64::INFINITY, most_x / 2.0, most_y / 2.0);
        for top in starts(most_y) {
            for left in starts(most_x) {
                let sum = self.sum(left, top, left + width, top + height);
                let (dx, dy) = (left - most_x / 2.0, top - most_y / 2.0);
                let away = dx.hypot(dy);
                let (most, nearest, ..) = best;
                let more = sum > most + all * ALIKE;
                if more || (sum >= most - all * ALIKE && away < nearest) {
                    best = (if more { sum } else { most.max(sum) }, away, left, top);
                }
            }
        }
        let (_, _, left, top) = best;
        Gravity::at((left + width / 2.0) / self.across, (top + height / 2.0) / self.down)
    }

    /// The interest in a rectangle, cells at its edges counted in part.
    fn sum(&self, left: f64, top: f64, right: f64, bottom: f64) -> f64 {
        self.until(right, bottom) - self.until(left, bottom) - self.until(right, top)
            + self.until(left, top)
    }

    /// The interest above and left of a point.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Neither negative nor large.
    fn until(&self, x: f64, y: f64) -> f64 {
        let (column, row) = (x.floor(), y.floor());
        let (right, below) = (x - column, y - row);
        let (column, row) = (column as usize, row as usize);
        let at = |column: usize, row: usize| {
            let column = column.min(self.columns);
            self.sums.get(row * (self.columns + 1) + column).copied().unwrap_or_else(|| {
                let last = self.sums.len().saturating_sub(self.columns + 1);
                self.sums.get(last + column).copied().unwrap_or(0.0)
            })
        };
        let upper = at(column, row) * (1.0 - right) + at(column + 1, row) * right;
        let lower = at(column, row + 1) * (1.0 - right) + at(column + 1, row + 1) * right;
        upper * (1.0 - below) + lower * below
    }
}

/// A small copy: the mean of each cell, red, green and blue from 0 to 1, and alpha.
struct Small {
    columns: usize,
    cells: Vec<[f32; 4]>,
}

impl Small {
    fn cell(&self, column: usize, row: usize) -> [f32; 4] {
        self.cells.get(row * self.columns + column).copied().unwrap_or_default()
    }

    /// How much a cell draws the eye.
    fn interest(&self, column: usize, row: usize) -> f32 {
        let [red, green, blue, alpha] = self.cell(column, row);
        let here = luma([red, green, blue]);
        let rows = self.cells.len() / self.columns.max(1);
        let neighbours = [
            (column > 0).then(|| self.cell(column - 1, row)),
            (column + 1 < self.columns).then(|| self.cell(column + 1, row)),
            (row > 0).then(|| self.cell(column, row - 1)),
            (row + 1 < rows).then(|| self.cell(column, row + 1)),
        ];
        let edge: f32 = neighbours
            .into_iter()
            .flatten()
            .map(|[r, g, b, a]| (luma([r, g, b]) * a - here * alpha).abs() + (a - alpha).abs())
            .sum();

        let length = (red * red + green * green + blue * blue).sqrt();
        let away: f32 = [red, green, blue]
            .into_iter()
            .zip(SKIN)
            .map(|(channel, skin)| (channel / length.max(1e-3) - skin / 1.061).powi(2))
            .sum();
        let skin =
            if (0.2..=0.95).contains(&here) { (1.0 - away.sqrt() / 0.2).max(0.0) } else { 0.0 };

        let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
        let vivid = if (0.05..=0.9).contains(&here) { (most - least - 0.3).max(0.0) } else { 0.0 };

        // A face is smooth, and what people look at first: skin counts by itself, and more where there is something to see.
        edge * 0.3 + alpha * (skin * (0.6 + edge) + vivid * (0.1 + edge) * 0.3)
    }
}

/// Luma of Rec. 709.
fn luma([red, green, blue]: [f32; 3]) -> f32 {
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/// Means of equal blocks.
fn shrunk<S: Sample>(raster: &Raster<S>, control: &Control) -> Result<Small, Failure> {
    let (width, height) = raster.dimensions();
    let longest = width.max(height).max(1);
    let side = |length: u32| {
        let cells = u64::from(length) * u64::from(GRID.min(longest)) / u64::from(longest);
        u32::try_from(cells).unwrap_or(GRID).max(1)
    };
    let (columns, rows) = (side(width), side(height));
    let cell_of = |at: u32, cells: u32, length: u32| {
        usize::try_from(u64::from(at) * u64::from(cells) / u64::from(length.max(1))).unwrap_or(0)
    };
    let mut sums = vec![([0.0_f32; 4], 0.0_f32); columns as usize * rows as usize];
    for (y, line) in (0_u32..).zip(picture::rows::<S>(raster)) {
        control.check()?;
        let row = cell_of(y, rows, height) * columns as usize;
        for (x, pixel) in (0_u32..).zip(line) {
            let Some((sum, count)) = sums.get_mut(row + cell_of(x, columns, width)) else {
                continue;
            };
            let [red, green, blue, alpha] = pixel.map(|sample: S| sample.float() / S::FULL);
            for (sum, channel) in
                sum.iter_mut().zip([red * alpha, green * alpha, blue * alpha, alpha])
            {
                *sum += channel;
            }
            *count += 1.0;
        }
    }
    let cells = sums.into_iter().map(|([red, green, blue, alpha], count)| {
        let share = 1.0 / alpha.max(1e-6);
        [red * share, green * share, blue * share, alpha / f32::max(count, 1.0)]
    });
    Ok(Small { columns: columns as usize, cells: cells.collect() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation)]
    use image::{Rgba, RgbaImage};
    use proptest::prelude::*;

    use super::*;
    use crate::imaging::samples;

    /// A grey picture with a patch at (x, y) that `pixel` paints.
    fn patched(
        size: (u32, u32),
        at: (u32, u32),
        side: u32,
        pixel: fn(u32, u32) -> [u8; 4],
    ) -> RgbaImage {
        RgbaImage::from_fn(size.0, size.1, |x, y| {
            let inside = (at.0..at.0 + side).contains(&x) && (at.1..at.1 + side).contains(&y);
            Rgba(if inside { pixel(x, y) } else { [120, 120, 120, 255] })
        })
    }

    /// The left and top of the window that was chosen.
    fn window(raster: &RgbaImage, width: f64, height: f64) -> (f64, f64) {
        let found = find::<u8>(raster, width, height, &Control::default()).unwrap();
        let Gravity::Point(point) = found else { panic!("no point") };
        (
            resize::around(point.x, width, raster.width().into()),
            resize::around(point.y, height, raster.height().into()),
        )
    }

    fn holds(raster: &RgbaImage, size: (f64, f64), at: (u32, u32), side: u32) -> bool {
        let (left, top) = window(raster, size.0, size.1);
        let (x, y, side) = (f64::from(at.0), f64::from(at.1), f64::from(side));
        left <= x + 2.0
            && top <= y + 2.0
            && left + size.0 >= x + side - 2.0
            && top + size.1 >= y + side - 2.0
    }

    #[test]
    fn edges_colours_and_skin_are_found() {
        let checks: fn(u32, u32) -> [u8; 4] =
            |x, y| if (x / 3 + y / 3) % 2 == 0 { [20, 20, 20, 255] } else { [230, 230, 230, 255] };
        let red: fn(u32, u32) -> [u8; 4] = |_, _| [220, 30, 30, 255];
        let skin: fn(u32, u32) -> [u8; 4] = |_, _| [224, 172, 140, 255];
        for (name, paint) in [("checks", checks), ("red", red), ("skin", skin)] {
            for at in [(10, 200), (300, 20), (330, 230)] {
                let raster = patched((400, 300), at, 50, paint);
                assert!(holds(&raster, (150.0, 150.0), at, 50), "{name} at {at:?}");
            }
        }
    }

    #[test]
    fn a_face_is_kept() {
        let astronaut = samples::read(samples::ASTRONAUT);
        for (width, height) in [(512.0, 205.0), (200.0, 200.0), (120.0, 300.0), (300.0, 120.0)] {
            let (left, top) = window(&astronaut, width, height);
            // Where eyes, nose and mouth are.
            assert!(left <= 200.0 && left + width >= 250.0, "{width} × {height}: from {left}");
            assert!(top <= 85.0 && top + height >= 140.0, "{width} × {height}: from {top}");
        }
    }

    #[test]
    fn where_nothing_stands_out_the_middle_is_taken() {
        let flat = RgbaImage::from_pixel(90, 50, Rgba([80, 90, 100, 255]));
        assert_eq!(window(&flat, 40.0, 50.0), (25.0, 0.0));
        assert_eq!(window(&flat, 90.0, 20.0), (0.0, 15.0));
    }

    #[test]
    fn what_is_transparent_draws_no_eye() {
        let at = (60, 60);
        let mut raster = patched((400, 300), at, 40, |x, y| [(x * 7) as u8, (y * 5) as u8, 9, 255]);
        for (x, _, pixel) in raster.enumerate_pixels_mut() {
            if x >= 200 {
                *pixel = Rgba([(x * 91) as u8, (x * 57) as u8, 0, 0]);
            }
        }
        let (left, _) = window(&raster, 150.0, 150.0);
        assert!(left <= 62.0, "{left}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_window_lies_inside(
            size in (1_u32..200, 1_u32..200),
            part in (0.01..1.0_f64, 0.01..1.0_f64),
        ) {
            let raster = RgbaImage::from_fn(size.0, size.1, |x, y| Rgba([(x * y) as u8, x as u8, y as u8, 255]));
            let (width, height) = (f64::from(size.0) * part.0, f64::from(size.1) * part.1);
            let found = find::<u8>(&raster, width, height, &Control::default()).unwrap();
            let Gravity::Point(point) = found else { panic!("no point") };
            prop_assert!(point.x * f64::from(size.0) - width / 2.0 >= -1e-6);
            prop_assert!(point.y * f64::from(size.1) + height / 2.0 <= f64::from(size.1) + 1e-6);
        }
    }
}
