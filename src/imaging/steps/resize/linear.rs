//! Resizing in linear light, strip by strip: of the source only as much is held in floats as a few rows of the result need.

use std::sync::LazyLock;

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer, images::Image, images::ImageRef,
};

use super::Layout;
use crate::{
    domain::error::Error,
    imaging::{
        color::{self, Curve, Space},
        control::{Control, Failure},
        picture::{Raster, rows, rows_mut},
        sample::Sample,
    },
};

/// Half the width of Lanczos3, in pixels of the smaller picture.
const REACH: f64 = 3.0;
/// Rows of the result that are made at a time. Neighbouring strips share what the kernel reaches, about six rows of the
/// result: the more rows, the less is done twice.
const ROWS: u32 = 64;

/// The part of `frame` that `layout` names, at the size that it names.
pub(super) fn resize<S: Sample>(
    frame: &Raster<S>,
    layout: &Layout,
    space: &Space,
    control: &Control,
) -> Result<Raster<S>, Failure> {
    let [left, top, width, height] = layout.source;
    let (across, down) = layout.picture;
    let scale = height / f64::from(down);
    let reach = REACH * scale.max(1.0) + 1.0;
    let light = Light::<S>::new(space.curve());
    let source: Vec<&[[S; 4]]> = rows::<S>(frame).collect();
    let mut result = Raster::<S>::new(across, down);
    let mut resizer = Resizer::new();
    let mut strip: Vec<[f32; 4]> = Vec::new();
    let mut made = rows_mut::<S>(&mut result);
    for first in (0..down).step_by(ROWS as usize) {
        control.check()?;
        let count = ROWS.min(down - first);
        // The rows of the source that these rows of the result are made of.
        let (begin, end) = (top + f64::from(first) * scale, top + f64::from(first + count) * scale);
        let from = row(begin - reach).min(source.len());
        let until = row((end + reach).ceil()).min(source.len());
        strip.clear();
        for line in source.get(from..until).unwrap_or_default() {
            control.check()?;
            strip.extend(line.iter().map(|pixel| light.of(pixel)));
        }
        let lines = u32::try_from(until - from).map_err(Error::internal)?;
        let above = begin - count_of(from);
        // The last strip may end past the picture by what rounding adds.
        let tall = (end - begin).min(f64::from(lines) - above);
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3))
            .crop(left, above, width, tall)
            .use_alpha(false);
        let bytes = bytemuck::cast_slice(&strip);
        let part = ImageRef::new(frame.width(), lines, bytes, PixelType::F32x4)
            .map_err(Error::internal)?;
        let mut target = Image::new(across, count, PixelType::F32x4);
        resizer.resize(&part, &mut target, &options).map_err(Error::internal)?;
        let pixels: &[[f32; 4]] =
            bytemuck::try_cast_slice(target.buffer()).map_err(Error::internal)?;
        // In this order: the other way round a row would be taken and dropped at the end of every strip.
        for (pixels, line) in pixels.chunks_exact(across as usize).zip(made.by_ref()) {
            for (pixel, color) in line.iter_mut().zip(pixels) {
                *pixel = light.to(*color);
            }
        }
    }
    drop(made);
    Ok(result)
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
