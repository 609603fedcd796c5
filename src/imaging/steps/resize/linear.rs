//! Resizing in linear light, strip by strip: of the source only as much is held in floats as a few rows of the result need.

use std::sync::LazyLock;

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer, images::Image, images::ImageRef,
};

use super::Layout;
use crate::{
    domain::error::Error,
    imaging::{
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
    control: &Control,
) -> Result<Raster<S>, Failure> {
    let [left, top, width, height] = layout.source;
    let (across, down) = layout.picture;
    let scale = height / f64::from(down);
    let reach = REACH * scale.max(1.0) + 1.0;
    let light = Light::<S>::new();
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
struct Light<S> {
    /// The light of every sample.
    table: Vec<f32>,
    depth: std::marker::PhantomData<S>,
}

impl<S: Sample> Light<S> {
    fn new() -> Self {
        let full = S::max_value().index();
        #[allow(clippy::cast_precision_loss)] // At most 65535.
        let table = (0..=full).map(|index| light(index as f32 / full as f32)).collect();
        Self { table, depth: std::marker::PhantomData }
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
        let sample = |light: f32| S::nearest(tone((light * share).clamp(0.0, 1.0)) * S::FULL);
        [sample(red), sample(green), sample(blue), transparency]
    }
}

/// The light of an sRGB value, both 0 to 1 (IEC 61966-2-1).
fn light(value: f32) -> f32 {
    if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// Points of [`TONES`].
const STEPS: usize = 4096;
/// The sRGB values of √light in equal steps: even where light is scarce, a line between two of them is as good as the curve.
static TONES: LazyLock<Vec<f32>> = LazyLock::new(|| {
    #[allow(clippy::cast_precision_loss)] // A few thousand.
    let root = |step: usize| step as f32 / STEPS as f32;
    (0..STEPS + 2).map(|step| exact_tone(root(step) * root(step))).collect()
});

/// The sRGB value of light, both 0 to 1.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)] // 0 to STEPS.
fn tone(light: f32) -> f32 {
    let at = light.sqrt() * STEPS as f32;
    let step = at as usize;
    let between = |from: f32, to: f32| from + (to - from) * (at - step as f32);
    match TONES.get(step..step + 2) {
        Some([from, to]) => between(*from, *to),
        _ => 1.0,
    }
}

fn exact_tone(light: f32) -> f32 {
    if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_comes_back() {
        fn check<S: Sample + std::fmt::Debug>() {
            let table = Light::<S>::new();
            for index in 0..=S::max_value().index() {
                #[allow(clippy::cast_precision_loss)]
                let sample = S::nearest(index as f32);
                let opaque = [sample, sample, sample, S::max_value()];
                assert_eq!(table.to(table.of(&opaque)), opaque);
            }
        }
        check::<u8>();
        check::<u16>();
    }

    #[test]
    fn the_curve_is_that_of_srgb() {
        for (value, expected) in [(0.0, 0.0), (0.5, 0.214_041), (1.0, 1.0), (0.02, 0.001_548)] {
            assert!((light(value) - expected).abs() < 1e-6, "{value}");
        }
        for step in 0..=100_000_u32 {
            #[allow(clippy::cast_precision_loss)]
            let light = step as f32 / 1e5;
            assert!((tone(light) - exact_tone(light)).abs() < 0.3 / 65_535.0, "{light}");
        }
    }
}
