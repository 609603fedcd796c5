//! A Gaussian, on premultiplied alpha: exact for small sigmas, three extended box filters of the same variance for large
//! ones, whose time does not depend on sigma (Gwosdek, Grewenig, Bruhn, Weickert 2011).

use crate::imaging::{
    control::{Control, Failure},
    picture::{Raster, rows, rows_mut},
    sample::Sample,
};

/// Up to this sigma the kernel is summed as it is.
const EXACT: f32 = 2.5;
/// How many box filters make a Gaussian.
const PASSES: u8 = 3;

type Color = [f32; 4];

/// Columns that are blurred together: a row of them is a few whole cache lines.
const COLUMNS: usize = 16;

/// Blurs by a Gaussian of `sigma` pixels. What is outside of the frame is like its edge.
pub(super) fn blur<S: Sample>(
    frame: &mut Raster<S>,
    sigma: f64,
    control: &Control,
) -> Result<(), Failure> {
    let mut kernel = Kernel::new(sigma);
    let width = frame.width() as usize;
    let mut line = Vec::new();

    for row in rows_mut::<S>(frame) {
        control.check()?;
        line.clear();
        line.extend(row.iter().map(premultiplied));
        kernel.run(&mut line);
        for (pixel, color) in row.iter_mut().zip(&line) {
            *pixel = color.map(S::nearest);
        }
    }
    let mut lines = vec![Vec::new(); COLUMNS];
    for left in (0..width).step_by(COLUMNS) {
        control.check()?;
        lines.iter_mut().for_each(Vec::clear);
        for row in rows::<S>(frame) {
            for (line, pixel) in lines.iter_mut().zip(row.iter().skip(left)) {
                line.push(pixel.map(S::float));
            }
        }
        lines.iter_mut().for_each(|line| kernel.run(line));
        for (y, row) in rows_mut::<S>(frame).enumerate() {
            for (line, pixel) in lines.iter().zip(row.iter_mut().skip(left)) {
                if let Some(color) = line.get(y) {
                    *pixel = straight(*color);
                }
            }
        }
    }
    Ok(())
}

/// Adds to every colour its difference from the blurred one; alpha stays.
pub(super) fn sharpen<S: Sample>(
    frame: &mut Raster<S>,
    sigma: f64,
    control: &Control,
) -> Result<(), Failure> {
    let mut soft = frame.clone();
    blur::<S>(&mut soft, sigma, control)?;
    for (row, soft) in rows_mut::<S>(frame).zip(rows::<S>(&soft)) {
        control.check()?;
        for (pixel, soft) in row.iter_mut().zip(soft) {
            for (channel, soft) in pixel.iter_mut().zip(soft).take(3) {
                *channel = S::nearest(2.0 * channel.float() - soft.float());
            }
        }
    }
    Ok(())
}

/// What a line is folded with, and the space for it.
struct Kernel {
    shape: Shape,
    padded: Vec<Color>,
}

enum Shape {
    /// The weights from the middle outwards.
    Gaussian(Vec<f32>),
    /// A box of 2·radius + 1 pixels, with a pixel of weight `edge` at each end.
    Boxes { radius: usize, edge: f32 },
}

impl Kernel {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Sigma is between 0 and 250.
    fn new(sigma: f64) -> Self {
        let sigma = sigma as f32;
        let shape = if sigma <= EXACT {
            let reach = (sigma * 4.0).ceil() as u16;
            let weight = |at: u16| (-0.5 * (f32::from(at) / sigma).powi(2)).exp();
            let total: f32 = (1..=reach).map(weight).sum::<f32>() * 2.0 + 1.0;
            Shape::Gaussian((0..=reach).map(|at| weight(at) / total).collect())
        } else {
            let variance = sigma * sigma / f32::from(PASSES);
            let radius = (0.5 * (12.0 * variance + 1.0).sqrt() - 0.5).floor();
            let edge = (2.0 * radius + 1.0) * (radius * (radius + 1.0) - 3.0 * variance)
                / (6.0 * (variance - (radius + 1.0).powi(2)));
            Shape::Boxes { radius: radius as usize, edge }
        };
        Self { shape, padded: Vec::new() }
    }

    fn run(&mut self, line: &mut [Color]) {
        match &self.shape {
            Shape::Gaussian(weights) => {
                pad(&mut self.padded, line, weights.len() - 1);
                for (color, window) in
                    line.iter_mut().zip(self.padded.windows(2 * weights.len() - 1))
                {
                    *color = fold(window, weights);
                }
            }
            Shape::Boxes { radius, edge } => {
                for _ in 0..PASSES {
                    pad(&mut self.padded, line, radius + 1);
                    slide(&self.padded, line, *radius, *edge);
                }
            }
        }
    }
}

/// `line` with `reach` pixels more at each end, like those at the ends.
fn pad(padded: &mut Vec<Color>, line: &[Color], reach: usize) {
    let (Some(first), Some(last)) = (line.first(), line.last()) else { return };
    padded.clear();
    padded.extend(std::iter::repeat_n(*first, reach));
    padded.extend_from_slice(line);
    padded.extend(std::iter::repeat_n(*last, reach));
}

/// The weighted sum of a window around its middle.
fn fold(window: &[Color], weights: &[f32]) -> Color {
    let mut sum = [0.0; 4];
    let (left, right) = window.split_at(weights.len() - 1);
    for (side, weights) in [
        (
            &mut left.iter().rev() as &mut dyn Iterator<Item = &Color>,
            weights.get(1..).unwrap_or_default(),
        ),
        (&mut right.iter(), weights),
    ] {
        for (color, weight) in side.zip(weights) {
            add(&mut sum, color, *weight);
        }
    }
    sum
}

/// One box filter: the sum of a window that slides along, each colour entering and leaving once.
fn slide(padded: &[Color], line: &mut [Color], radius: usize, edge: f32) {
    let span = 2 * radius + 1;
    let share = 1.0 / (f64::from(u32::try_from(span).unwrap_or(u32::MAX)) + 2.0 * f64::from(edge));
    // Doubles, so that nothing adds up over thousands of pixels.
    let mut sum = [0.0_f64; 4];
    for color in padded.iter().skip(1).take(span) {
        for (sum, channel) in sum.iter_mut().zip(color) {
            *sum += f64::from(*channel);
        }
    }
    let leaving = padded.iter().skip(1);
    let entering = padded.iter().skip(1 + span);
    let before = padded.iter();
    for (((color, leaving), entering), before) in
        line.iter_mut().zip(leaving).zip(entering).zip(before)
    {
        for ((((result, sum), leaving), entering), before) in
            color.iter_mut().zip(&mut sum).zip(leaving).zip(entering).zip(before)
        {
            // The pixel that enters next is the one just past this window's end.
            let ends = f64::from(edge) * (f64::from(*before) + f64::from(*entering));
            #[allow(clippy::cast_possible_truncation)] // Between 0 and full scale.
            let value = ((*sum + ends) * share) as f32;
            *result = value;
            *sum += f64::from(*entering) - f64::from(*leaving);
        }
    }
}

fn add(sum: &mut Color, color: &Color, weight: f32) {
    for (sum, channel) in sum.iter_mut().zip(color) {
        *sum += channel * weight;
    }
}

fn premultiplied<S: Sample>(pixel: &[S; 4]) -> Color {
    let [red, green, blue, alpha] = pixel.map(S::float);
    let share = alpha / S::FULL;
    [red * share, green * share, blue * share, alpha]
}

fn straight<S: Sample>([red, green, blue, alpha]: Color) -> [S; 4] {
    if alpha < 0.5 {
        return [S::from_byte(0); 4];
    }
    let share = S::FULL / alpha;
    [red * share, green * share, blue * share, alpha].map(S::nearest)
}

#[cfg(test)]
mod tests;
