//! Turns: right angles move pixels, all others mix the sixteen nearest on premultiplied alpha.

use image::imageops;

use super::Size;
use crate::{
    domain::color::Color,
    imaging::{
        color::Space,
        control::{Control, Failure},
        picture::{Raster, rows, rows_mut},
        sample::Sample,
    },
};

/// The size of the upright canvas that holds a picture turned by `degrees`.
pub(in crate::imaging) fn size_after(degrees: u16, (width, height): Size) -> Size {
    match degrees {
        0 | 180 => (width, height),
        90 | 270 => (height, width),
        _ => {
            let (sin, cos) = f64::from(degrees).to_radians().sin_cos();
            let (width, height) = (f64::from(width), f64::from(height));
            (
                side(width * cos.abs() + height * sin.abs()),
                side(width * sin.abs() + height * cos.abs()),
            )
        }
    }
}

/// The least whole number of pixels that holds `length`; what is off by rounding alone is no pixel.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // The cast saturates; the limits refuse the rest.
fn side(length: f64) -> u32 {
    ((length - 1e-6).ceil() as u32).max(1)
}

/// Turns `frame` clockwise by `degrees`, on `background` where corners appear.
pub(super) fn rotate<S: Sample>(
    frame: Raster<S>,
    degrees: u16,
    background: Color,
    space: &Space,
    control: &Control,
) -> Result<Raster<S>, Failure> {
    match degrees {
        0 => Ok(frame),
        90 => Ok(imageops::rotate90(&frame)),
        180 => Ok(imageops::rotate180(&frame)),
        270 => Ok(imageops::rotate270(&frame)),
        _ => freely::<S>(&frame, degrees, background, space, control),
    }
}

fn freely<S: Sample>(
    frame: &Raster<S>,
    degrees: u16,
    background: Color,
    space: &Space,
    control: &Control,
) -> Result<Raster<S>, Failure> {
    let size = size_after(degrees, frame.dimensions());
    let (sin, cos) = f64::from(degrees).to_radians().sin_cos();
    let middle = |(width, height): Size| (f64::from(width) / 2.0, f64::from(height) / 2.0);
    let (from_x, from_y) = middle(frame.dimensions());
    let (to_x, to_y) = middle(size);
    let beneath = premultiplied(&space.paint::<S>(background));
    let source = Source { rows: rows::<S>(frame).collect(), beneath };
    let mut turned = Raster::<S>::new(size.0, size.1);
    for (y, row) in (0_u32..).zip(rows_mut::<S>(&mut turned)) {
        control.check()?;
        for (x, pixel) in (0_u32..).zip(row) {
            // From the middle of this pixel back to where it was.
            let (x, y) = (f64::from(x) + 0.5 - to_x, f64::from(y) + 0.5 - to_y);
            let (x, y) = (x * cos + y * sin + from_x - 0.5, y * cos - x * sin + from_y - 0.5);
            *pixel = straight(source.sample(x, y));
        }
    }
    Ok(turned)
}

/// A picture on an endless sheet of `beneath`.
struct Source<'a, S> {
    rows: Vec<&'a [[S; 4]]>,
    beneath: [f32; 4],
}

impl<S: Sample> Source<'_, S> {
    /// The colour at a point, by the cubic of Catmull and Rom over the sixteen pixels around it.
    #[allow(clippy::cast_possible_truncation)] // The casts saturate, far outside of any frame.
    fn sample(&self, x: f64, y: f64) -> [f32; 4] {
        let (left, top) = (x.floor(), y.floor());
        let (across, down) = (catmull_rom((x - left) as f32), catmull_rom((y - top) as f32));
        let (left, top) = (left as i64 - 1, top as i64 - 1);
        let mut sum = [0.0; 4];
        for (row, down) in (top..).zip(down) {
            let row = usize::try_from(row).ok().and_then(|row| self.rows.get(row));
            for (column, across) in (left..).zip(across) {
                let pixel = row.zip(usize::try_from(column).ok()).and_then(|(row, x)| row.get(x));
                let color = pixel.map_or(self.beneath, premultiplied);
                for (sum, channel) in sum.iter_mut().zip(color) {
                    *sum += down * across * channel;
                }
            }
        }
        sum
    }
}

/// The weights of four neighbours for a point `t` of the way from the second to the third.
fn catmull_rom(t: f32) -> [f32; 4] {
    let (squared, cubed) = (t * t, t * t * t);
    [
        0.5 * (-cubed + 2.0 * squared - t),
        0.5 * (3.0 * cubed - 5.0 * squared + 2.0),
        0.5 * (-3.0 * cubed + 4.0 * squared + t),
        0.5 * (cubed - squared),
    ]
}

fn premultiplied<S: Sample>(pixel: &[S; 4]) -> [f32; 4] {
    let [red, green, blue, alpha] = pixel.map(S::float);
    let share = alpha / S::FULL;
    [red * share, green * share, blue * share, alpha]
}

fn straight<S: Sample>([red, green, blue, alpha]: [f32; 4]) -> [S; 4] {
    if alpha < 0.5 {
        return [S::from_byte(0); 4];
    }
    let share = S::FULL / alpha;
    [red * share, green * share, blue * share, alpha].map(S::nearest)
}

#[cfg(test)]
mod tests;
