//! Resizing in linear light, strip by strip: rows of the source are first made as wide as those of the result, and only as many
//! of them are held, in floats, as a few rows of the result are mixed from.

use std::sync::LazyLock;

use fast_image_resize::{Resizer, pixels::F32x4};

use super::{Layout, lanczos};
use crate::{
    domain::error::{Error, Result},
    imaging::{
        color::{self, Curve, Space},
        control::{Control, Failure},
        picture::{Raster, rows, rows_mut},
        sample::Sample,
    },
};

/// Half the width of Lanczos3, in pixels of the smaller picture.
const REACH: f64 = 3.0;
/// Rows of the result that are made at a time.
const ROWS: u32 = 64;
/// Bytes of rows of the source that are made narrower at a time: the more, the less often the kernel is computed.
const SOURCE_BYTES: usize = 8 << 20;

/// The part of `frame` that `layout` names, at the size that it names.
pub(super) fn resize<S: Sample>(
    frame: &Raster<S>,
    layout: &Layout,
    space: &Space,
    control: &Control,
) -> Result<Raster<S>, Failure> {
    let [_, top, _, height] = layout.source;
    let (across, down) = layout.picture;
    let scale = height / f64::from(down);
    let reach = reach(scale);
    let light = Light::<S>::new(space.curve());
    let mut result = Raster::<S>::new(across, down);
    let mut narrow = Narrow::new(frame, layout, control);
    let mut resizer = Resizer::new();
    let mut mixed = vec![[0.0_f32; 4]; across as usize * ROWS.min(down) as usize];
    let mut made = rows_mut::<S>(&mut result);
    for first in (0..down).step_by(ROWS as usize) {
        let count = ROWS.min(down - first);
        // The rows of the source that these rows of the result are made of.
        let (begin, end) = (top + f64::from(first) * scale, top + f64::from(first + count) * scale);
        let from = row(begin - reach).min(narrow.source.len());
        let until = row((end + reach).ceil()).min(narrow.source.len());
        narrow.hold(from, until, &light)?;
        let lines = u32::try_from(until - from).map_err(Error::internal)?;
        let above = begin - count_of(from);
        // The last strip may end past the picture by what rounding adds.
        let tall = (end - begin).min(f64::from(lines) - above);
        let from = (bytemuck::cast_slice(&narrow.rows), (across, lines));
        let to = (bytemuck::cast_slice_mut(&mut mixed), (across, count));
        let crop = [0.0, above, across.into(), tall];
        lanczos::<F32x4>(&mut resizer, from, to, crop, false)?;
        // In this order: the other way round a row would be taken and dropped at the end of every strip.
        let mixed = mixed.chunks_exact(across as usize).take(count as usize);
        for (pixels, line) in mixed.zip(made.by_ref()) {
            for (pixel, color) in line.iter_mut().zip(pixels) {
                *pixel = light.to(*color);
            }
        }
    }
    drop(made);
    Ok(result)
}

/// The most bytes that are held in floats while `from` is resized by `layout`.
pub(in crate::imaging) fn held(layout: &Layout, from: (u32, u32)) -> u64 {
    let (across, down) = layout.picture;
    let (width, across, down) = (u64::from(from.0), u64::from(across), u64::from(down));
    let rows = lines_held(layout, from.1) as u64;
    let at_a_time = (lines_at_a_time(from.0) as u64).min(rows);
    // Rows of the source, of both widths, and of the result.
    let pixels = rows * across + at_a_time * (width + across) + down.min(ROWS.into()) * across;
    // What the kernel is at every pixel of the result, in both directions.
    let coefficients = 8 * (width.max(across) + u64::from(from.1).max(down));
    (pixels + coefficients) * 16
}

/// How many rows of the source, of a picture that is so high, a strip of the result is mixed from at most.
fn lines_held(layout: &Layout, height: u32) -> usize {
    let down = layout.picture.1;
    let [_, _, _, part] = layout.source;
    let scale = part / f64::from(down);
    row(f64::from(ROWS.min(down)) * scale + 2.0 * reach(scale) + 2.0).min(height as usize)
}

/// How many rows of the source are made narrower at a time.
fn lines_at_a_time(width: u32) -> usize {
    (SOURCE_BYTES / (16 * width.max(1) as usize)).max(1)
}

/// How far the kernel reaches in the source.
fn reach(scale: f64) -> f64 {
    REACH * scale.max(1.0) + 1.0
}

/// Rows of the source in light, as wide as those of the result.
struct Narrow<'a, S: Sample> {
    source: Vec<&'a [[S; 4]]>,
    layout: &'a Layout,
    control: &'a Control,
    resizer: Resizer,
    at_a_time: usize,
    /// Rows of the source as they are, in light.
    wide: Vec<[f32; 4]>,
    /// The rows from [`Narrow::from`] on.
    rows: Vec<[f32; 4]>,
    from: usize,
}

impl<'a, S: Sample> Narrow<'a, S> {
    fn new(frame: &'a Raster<S>, layout: &'a Layout, control: &'a Control) -> Self {
        let source: Vec<_> = rows::<S>(frame).collect();
        let most = lines_held(layout, frame.height());
        let at_a_time = lines_at_a_time(frame.width()).min(most);
        let rows = Vec::with_capacity(most * layout.picture.0 as usize);
        let wide = Vec::with_capacity(at_a_time * frame.width() as usize);
        Self { source, layout, control, resizer: Resizer::new(), at_a_time, wide, rows, from: 0 }
    }

    /// Holds exactly these rows; of those that were held before none is made again.
    fn hold(&mut self, from: usize, until: usize, light: &Light<S>) -> Result<(), Failure> {
        let across = self.layout.picture.0;
        let [left, _, width, _] = self.layout.source;
        let passed = from.saturating_sub(self.from) * across as usize;
        self.rows.drain(..passed.min(self.rows.len()));
        self.from = from;
        let next = from + self.rows.len() / across.max(1) as usize;
        for lines in self.source.get(next..until).unwrap_or_default().chunks(self.at_a_time) {
            self.wide.clear();
            for line in lines {
                self.control.check()?;
                self.wide.extend(line.iter().map(|pixel| light.of(pixel)));
            }
            let count = u32::try_from(lines.len()).map_err(Error::internal)?;
            let whole =
                u32::try_from(self.wide.len() / lines.len().max(1)).map_err(Error::internal)?;
            let held = self.rows.len();
            self.rows.resize(held + lines.len() * across as usize, [0.0; 4]);
            let made = self.rows.get_mut(held..).unwrap_or_default();
            let from = (bytemuck::cast_slice(&self.wide), (whole, count));
            let to = (bytemuck::cast_slice_mut(made), (across, count));
            let crop = [left, 0.0, width, count.into()];
            lanczos::<F32x4>(&mut self.resizer, from, to, crop, false)?;
        }
        Ok(())
    }
}

/// The row that a height lies in; above the picture, the first.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // The cast saturates.
fn row(height: f64) -> usize {
    height.max(0.0) as usize
}

#[allow(clippy::cast_precision_loss)] // Far below 2⁵³.
fn count_of(row: usize) -> f64 {
    row as f64
}

/// Between samples and premultiplied light, 0 to 1.
struct Light<'c, S> {
    /// The light of every sample.
    table: Vec<f32>,
    /// As [`TONES`].
    tones: &'c [f32],
    depth: std::marker::PhantomData<S>,
}

impl<'c, S: Sample> Light<'c, S> {
    /// By that curve; by sRGB's where there is none.
    fn new(curve: Option<&'c Curve>) -> Self {
        let full = S::max_value().index();
        #[allow(clippy::cast_precision_loss)] // At most 65535.
        let values = (0..=full).map(|index| index as f32 / full as f32);
        let depth = std::marker::PhantomData;
        match curve {
            None => {
                let table = values.map(color::light).collect();
                Self { table, tones: &TONES, depth }
            }
            Some(curve) => {
                let table = values.map(|value| curve.light(value)).collect();
                Self { table, tones: curve.tones(lights()), depth }
            }
        }
    }

    fn of(&self, pixel: &[S; 4]) -> [f32; 4] {
        let [red, green, blue, alpha] = *pixel;
        let alpha = alpha.float() / S::FULL;
        let light = |sample: S| self.table.get(sample.index()).copied().unwrap_or(1.0) * alpha;
        [light(red), light(green), light(blue), alpha]
    }

    fn to(&self, [red, green, blue, alpha]: [f32; 4]) -> [S; 4] {
        let transparency = S::nearest(alpha * S::FULL);
        if transparency == S::from_byte(0) {
            return [S::from_byte(0); 4];
        }
        let share = 1.0 / alpha;
        let sample =
            |light: f32| S::nearest(tone(self.tones, (light * share).clamp(0.0, 1.0)) * S::FULL);
        [sample(red), sample(green), sample(blue), transparency]
    }
}

/// Points of [`TONES`].
const STEPS: usize = 4096;
/// The sRGB values of √light in equal steps: even where light is scarce, a line between two of them is as good as the curve.
static TONES: LazyLock<Vec<f32>> = LazyLock::new(|| lights().map(color::tone).collect());

/// The lights of which a table has the values.
fn lights() -> impl Iterator<Item = f32> {
    #[allow(clippy::cast_precision_loss)] // A few thousand.
    let root = |step: usize| step as f32 / STEPS as f32;
    (0..STEPS + 2).map(move |step| root(step) * root(step))
}

/// The value of light, both 0 to 1, by that table.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)] // 0 to STEPS.
fn tone(tones: &[f32], light: f32) -> f32 {
    let at = light.sqrt() * STEPS as f32;
    let step = at as usize;
    let between = |from: f32, to: f32| from + (to - from) * (at - step as f32);
    match tones.get(step..step + 2) {
        Some([from, to]) => between(*from, *to),
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_sample_comes_back() {
        fn check<S: Sample + std::fmt::Debug>(curve: Option<&Curve>) {
            let table = Light::<S>::new(curve);
            for index in 0..=S::max_value().index() {
                #[allow(clippy::cast_precision_loss)]
                let sample = S::nearest(index as f32);
                let opaque = [sample, sample, sample, S::max_value()];
                assert_eq!(table.to(table.of(&opaque)), opaque);
            }
        }
        check::<u8>(None);
        check::<u16>(None);
        let srgb = moxcms::ColorProfile::new_srgb().encode().unwrap();
        let adobe = moxcms::ColorProfile::new_adobe_rgb().encode().unwrap();
        check::<u8>(Space::of(Some(&srgb)).curve());
        check::<u8>(Space::of(Some(&adobe)).curve());
    }

    #[test]
    fn the_curve_is_that_of_srgb() {
        for (value, expected) in [(0.0, 0.0), (0.5, 0.214_041), (1.0, 1.0), (0.02, 0.001_548)] {
            assert!((color::light(value) - expected).abs() < 1e-6, "{value}");
        }
        for step in 0..=100_000_u32 {
            #[allow(clippy::cast_precision_loss)]
            let light = step as f32 / 1e5;
            assert!((tone(&TONES, light) - color::tone(light)).abs() < 0.3 / 65_535.0, "{light}");
        }
    }
}
