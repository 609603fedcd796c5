//! Turns: right angles move pixels, all others mix the four nearest on premultiplied alpha.

use image::{Rgba, RgbaImage, imageops};

use super::Size;
use crate::{
    domain::color::Color,
    imaging::control::{Control, Failure},
};

/// The size of the upright canvas that holds a picture turned by `degrees`.
pub(super) fn size_after(degrees: u16, (width, height): Size) -> Size {
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
pub(super) fn rotate(
    frame: RgbaImage,
    degrees: u16,
    background: Color,
    control: &Control,
) -> Result<RgbaImage, Failure> {
    match degrees {
        0 => Ok(frame),
        90 => Ok(imageops::rotate90(&frame)),
        180 => Ok(imageops::rotate180(&frame)),
        270 => Ok(imageops::rotate270(&frame)),
        _ => freely(&frame, degrees, background, control),
    }
}

fn freely(
    frame: &RgbaImage,
    degrees: u16,
    background: Color,
    control: &Control,
) -> Result<RgbaImage, Failure> {
    let size = size_after(degrees, frame.dimensions());
    let (sin, cos) = f64::from(degrees).to_radians().sin_cos();
    let middle = |(width, height): Size| (f64::from(width) / 2.0, f64::from(height) / 2.0);
    let (from_x, from_y) = middle(frame.dimensions());
    let (to_x, to_y) = middle(size);
    let beneath = premultiplied(background.channels());
    let mut turned = RgbaImage::new(size.0, size.1);
    for (y, row) in (0_u32..).zip(turned.rows_mut()) {
        control.check()?;
        for (x, pixel) in (0_u32..).zip(row) {
            // From the middle of this pixel back to where it was.
            let (x, y) = (f64::from(x) + 0.5 - to_x, f64::from(y) + 0.5 - to_y);
            let (x, y) = (x * cos + y * sin + from_x - 0.5, y * cos - x * sin + from_y - 0.5);
            *pixel = Rgba(straight(sample(frame, x, y, beneath)));
        }
    }
    Ok(turned)
}

/// The mix of the four pixels around a point, where all that is outside of the frame is `beneath`.
#[allow(clippy::cast_possible_truncation)] // The float-to-integer cast saturates, far outside of any frame.
fn sample(frame: &RgbaImage, x: f64, y: f64, beneath: [f64; 4]) -> [f64; 4] {
    let (left, top) = (x.floor(), y.floor());
    let (across, down) = (x - left, y - top);
    let mut sum = [0.0; 4];
    for (dx, dy, weight) in [
        (0.0, 0.0, (1.0 - across) * (1.0 - down)),
        (1.0, 0.0, across * (1.0 - down)),
        (0.0, 1.0, (1.0 - across) * down),
        (1.0, 1.0, across * down),
    ] {
        let at = |position: f64| u32::try_from(position as i64).ok();
        let pixel =
            at(left + dx).zip(at(top + dy)).and_then(|(x, y)| frame.get_pixel_checked(x, y));
        let color = pixel.map_or(beneath, |pixel| premultiplied(pixel.0));
        for (sum, channel) in sum.iter_mut().zip(color) {
            *sum += weight * channel;
        }
    }
    sum
}

fn premultiplied([red, green, blue, alpha]: [u8; 4]) -> [f64; 4] {
    let share = f64::from(alpha) / 255.0;
    [f64::from(red) * share, f64::from(green) * share, f64::from(blue) * share, alpha.into()]
}

fn straight([red, green, blue, alpha]: [f64; 4]) -> [u8; 4] {
    if alpha <= 0.0 {
        return [0; 4];
    }
    let share = 255.0 / alpha;
    [red * share, green * share, blue * share, alpha].map(byte)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // The cast saturates.
fn byte(value: f64) -> u8 {
    value.round() as u8
}

#[cfg(test)]
mod tests;
