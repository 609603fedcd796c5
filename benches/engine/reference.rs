//! What a picture made smaller should look like: every pixel of the source, weighted by Lanczos3 about the exact place of each
//! pixel of the result. Written to be read, not to be fast, and independent of the engine.

use std::f64::consts::PI;

use crate::score::{Float, Picture};

/// How large the result is.
#[derive(Debug, Clone, Copy)]
pub enum Size {
    /// So wide, as high as it comes out.
    Width(u32),
    /// Exactly so wide and high; what sticks out is cut off on both sides alike.
    Cover(u32, u32),
}

/// What the values of pixels stand for while they are weighted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Light {
    /// Amounts of light, as they mix in the world.
    Linear,
    /// The values of the file, as most software mixes them.
    Gamma,
}

impl Light {
    /// The values to weight for a byte of a file, 0 to 1.
    fn decoded(self, byte: u8) -> f32 {
        let value = f32::from(byte) / 255.0;
        match self {
            Self::Gamma => value,
            // IEC 61966-2-1.
            Self::Linear if value <= 0.04045 => value / 12.92,
            Self::Linear => ((value + 0.055) / 1.055).powf(2.4),
        }
    }

    /// The other way round.
    fn encoded(self, value: f32) -> f32 {
        let value = value.clamp(0.0, 1.0);
        match self {
            Self::Gamma => value,
            Self::Linear if value <= 0.003_130_8 => value * 12.92,
            Self::Linear => 1.055 * value.powf(1.0 / 2.4) - 0.055,
        }
    }
}

/// What `source` should look like at `size`, which is not larger.
pub fn reference(source: &Picture, size: Size, light: Light) -> Float {
    let (across, down) = (f64::from(source.width), f64::from(source.height));
    let (width, height) = dimensions(source, size);
    // The part of the source that the result shows.
    let (shown_across, shown_down) = match size {
        Size::Width(_) => (across, down),
        Size::Cover(..) => {
            let scale = (across / f64::from(width)).min(down / f64::from(height));
            (f64::from(width) * scale, f64::from(height) * scale)
        }
    };
    let columns = taps(source.width, (across - shown_across) / 2.0, shown_across, width);
    let rows = taps(source.height, (down - shown_down) / 2.0, shown_down, height);

    let values: Vec<f32> = (0..=255).map(|byte| light.decoded(byte)).collect();
    let narrow: Vec<Vec<[f32; 4]>> = source
        .rgba
        .chunks_exact(source.width as usize * 4)
        .map(|row| {
            let pixels: Vec<[f32; 4]> =
                row.as_chunks().0.iter().map(|p| premultiplied(*p, &values)).collect();
            columns.iter().map(|taps| taps.of(|x| pixels[x])).collect()
        })
        .collect();
    let mut pixels = Vec::with_capacity(width as usize * height as usize);
    for taps in &rows {
        pixels.extend((0..width as usize).map(|x| shown(taps.of(|y| narrow[y][x]), light)));
    }
    Float { width, height, pixels }
}

/// How large `source` comes out at `size`.
pub fn dimensions(source: &Picture, size: Size) -> (u32, u32) {
    match size {
        Size::Cover(width, height) => (width, height),
        Size::Width(width) => {
            let height = f64::from(source.height) * f64::from(width) / f64::from(source.width);
            (width, height.round() as u32)
        }
    }
}

fn premultiplied([red, green, blue, alpha]: [u8; 4], values: &[f32]) -> [f32; 4] {
    let alpha = f32::from(alpha) / 255.0;
    let [red, green, blue] = [red, green, blue].map(|byte| values[usize::from(byte)] * alpha);
    [red, green, blue, alpha]
}

/// A premultiplied pixel as it looks on grey.
fn shown([red, green, blue, alpha]: [f32; 4], light: Light) -> [f32; 3] {
    let alpha = alpha.clamp(0.0, 1.0);
    if alpha == 0.0 {
        return [0.5; 3];
    }
    [red, green, blue].map(|value| light.encoded(value / alpha) * alpha + 0.5 * (1.0 - alpha))
}

/// The pixels along one axis that make up one of the result, and how much each counts; together 1.
struct Taps {
    first: usize,
    weights: Vec<f32>,
}

impl Taps {
    fn of(&self, pixel: impl Fn(usize) -> [f32; 4]) -> [f32; 4] {
        let mut sum = [0.0; 4];
        for (offset, weight) in self.weights.iter().enumerate() {
            let pixel = pixel(self.first + offset);
            for (sum, value) in sum.iter_mut().zip(pixel) {
                *sum += value * weight;
            }
        }
        sum
    }
}

/// The taps of each of `count` pixels that show `shown` of the `length` pixels there are, from `start` on.
fn taps(length: u32, start: f64, shown: f64, count: u32) -> Vec<Taps> {
    let scale = shown / f64::from(count);
    let stretch = scale.max(1.0);
    (0..count)
        .map(|index| {
            let centre = start + (f64::from(index) + 0.5) * scale;
            let first = (centre - 3.0 * stretch).floor().max(0.0);
            let end = (centre + 3.0 * stretch).ceil().min(f64::from(length));
            let weights: Vec<f64> = (first as u32..end as u32)
                .map(|x| lanczos((f64::from(x) + 0.5 - centre) / stretch))
                .collect();
            let sum: f64 = weights.iter().sum();
            let weights = weights.iter().map(|weight| (weight / sum) as f32).collect();
            Taps { first: first as usize, weights }
        })
        .collect()
}

/// sinc(x) sinc(x/3) within three zeros of the centre.
fn lanczos(x: f64) -> f64 {
    let sinc = |x: f64| if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) };
    if x.abs() < 3.0 { sinc(x) * sinc(x / 3.0) } else { 0.0 }
}
