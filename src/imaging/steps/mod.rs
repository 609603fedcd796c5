//! What is done to the pixels, one file a step. Each step that changes the size also says which size it makes, so that the
//! plan and the work can't disagree.

mod blur;
mod crop;
mod matrix;
mod resize;
mod rotate;
mod tone;

use image::{RgbaImage, imageops};

use super::{
    control::{Control, Failure},
    picture::Picture,
};
use crate::domain::{
    color::Color,
    error::Result,
    transform::{Filter, Operation},
};

/// Width and height.
type Size = (u32, u32);

/// The size that `operation` makes of `size`.
pub(super) fn size_after(operation: &Operation, size: Size) -> Result<Size> {
    Ok(match operation {
        Operation::Resize(resize) => resize::layout(resize, size).canvas,
        Operation::Crop(crop) => {
            let area = crop::area(crop, size)?;
            (area.width, area.height)
        }
        Operation::Rotate(degrees) => rotate::size_after(*degrees, size),
        Operation::Flip | Operation::Mirror | Operation::Filter(_) => size,
    })
}

/// Does one operation on every frame.
pub(super) fn apply(
    picture: &mut Picture,
    operation: &Operation,
    background: Color,
    control: &Control,
) -> Result<(), Failure> {
    let has_alpha = picture.has_alpha;
    match operation {
        Operation::Resize(resize) => {
            picture.map(control, |frame| Ok(resize::resize(frame, resize, has_alpha)?))?;
            picture.has_alpha |= resize.pads() && !resize.background.is_opaque();
        }
        Operation::Crop(crop) => picture.map(control, |frame| Ok(crop::crop(&frame, crop)?))?,
        Operation::Rotate(degrees) => {
            picture.map(control, |frame| rotate::rotate(frame, *degrees, background, control))?;
            picture.has_alpha |= degrees % 90 != 0 && !background.is_opaque();
        }
        Operation::Flip => picture.map(control, |frame| Ok(flipped(frame)))?,
        Operation::Mirror => picture.map(control, |frame| Ok(mirrored(frame)))?,
        Operation::Filter(filter) => {
            picture.map(control, |frame| self::filter(frame, filter, control))?;
        }
    }
    Ok(())
}

/// Puts a picture upright that was stored as `orientation`, 1 to 8 as EXIF counts them.
pub(super) fn upright(
    picture: &mut Picture,
    orientation: u8,
    control: &Control,
) -> Result<(), Failure> {
    let turn: fn(RgbaImage) -> RgbaImage = match orientation {
        2 => mirrored,
        3 => |frame| imageops::rotate180(&frame),
        4 => flipped,
        5 => |frame| mirrored(imageops::rotate90(&frame)),
        6 => |frame| imageops::rotate90(&frame),
        7 => |frame| mirrored(imageops::rotate270(&frame)),
        8 => |frame| imageops::rotate270(&frame),
        _ => return Ok(()),
    };
    picture.map(control, |frame| Ok(turn(frame)))
}

fn flipped(mut frame: RgbaImage) -> RgbaImage {
    imageops::flip_vertical_in_place(&mut frame);
    frame
}

fn mirrored(mut frame: RgbaImage) -> RgbaImage {
    imageops::flip_horizontal_in_place(&mut frame);
    frame
}

fn filter(mut frame: RgbaImage, filter: &Filter, control: &Control) -> Result<RgbaImage, Failure> {
    match *filter {
        Filter::Grayscale => matrix::apply(&mut frame, &matrix::grayscale()),
        Filter::Sepia(percent) => matrix::apply(&mut frame, &matrix::sepia(percent)),
        Filter::Saturation(percent) => matrix::apply(&mut frame, &matrix::saturation(percent)),
        Filter::Hue(degrees) => matrix::apply(&mut frame, &matrix::hue(degrees)),
        Filter::Invert => tone::apply(&mut frame, tone::invert),
        Filter::Brightness(percent) => {
            tone::apply(&mut frame, |value| tone::brighten(value, percent))
        }
        Filter::Contrast(percent) => {
            tone::apply(&mut frame, |value| tone::contrast(value, percent))
        }
        Filter::Gamma(gamma) => tone::apply(&mut frame, |value| tone::gamma(value, gamma)),
        Filter::Blur(sigma) => blur::blur(&mut frame, sigma, control)?,
        Filter::Sharpen(sigma) => blur::sharpen(&mut frame, sigma, control)?,
    }
    Ok(frame)
}

#[cfg(test)]
mod tests;
