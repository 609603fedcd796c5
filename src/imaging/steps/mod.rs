//! What is done to the pixels, one file a step. Each step that changes the size also says which size it makes, so that the
//! plan and the work can't disagree.

mod blur;
mod border;
mod crop;
mod matrix;
mod outline;
mod pixelate;
mod resize;
mod rotate;
mod round;
mod rows;
mod smart;
mod tint;
mod tone;
mod trim;
mod vignette;
mod watermark;

use std::borrow::Cow;

use image::imageops;

use self::{crop::Area, watermark::Prepared};
pub(super) use self::{
    resize::Way,
    rotate::size_after as turned_size,
    watermark::{most_letters, sized as mark_size},
};
use super::{
    Overlays,
    color::Space,
    control::{Control, Failure},
    picture::{Picture, Pixels, Raster},
    reduce::Reduction,
    sample::Sample,
    svg::View,
};
use crate::domain::{
    error::Result,
    limits::Limits,
    transform::{Filter, Gravity, Operation, Place, Profile, Resize, Round, Spec},
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
        Operation::Border(border) => {
            let grown = |side: u32| side.saturating_add(border.width.saturating_mul(2));
            (grown(size.0), grown(size.1))
        }
        // What is trimmed is known only with the pixels: never more than all.
        Operation::Trim(_)
        | Operation::Flip
        | Operation::Mirror
        | Operation::Filter(_)
        | Operation::Round(_)
        | Operation::Watermark(_) => size,
    })
}

/// The longest sides that `operation` makes of a picture that is no larger than `size`.
pub(super) fn most_after(operation: &Operation, size: Size, limits: &Limits) -> Result<Size> {
    match operation {
        Operation::Resize(resize) => {
            let [width, height] = resize::most(resize, size);
            Ok((width.unwrap_or(limits.width), height.unwrap_or(limits.height)))
        }
        other => size_after(other, size),
    }
}

/// How `resize` brings a picture of size `from` to another.
pub(super) fn way(resize: &Resize, from: Size) -> Way {
    resize::way(&resize::layout(resize, from), from)
}

/// Bytes that are held, beside the pixels before and after, while a picture of size `from` and `sample` bytes a sample is resized.
pub(super) fn resizing(resize: &Resize, from: Size, sample: u64) -> u64 {
    resize::held(&resize::layout(resize, from), from, sample)
}

/// The size that `resize` makes of `from`.
pub(super) fn resized(resize: &Resize, from: Size) -> Size {
    resize::layout(resize, from).canvas
}

/// Whether `resize` makes any pixels of a picture of size `from` up.
pub(super) fn enlarges(resize: &Resize, from: Size) -> bool {
    resize::enlarges(&resize::layout(resize, from))
}

/// How a drawing of `size` is drawn at once as the first of `operations` wants it, and what that operation is then.
pub(super) fn view(operations: &[Operation], size: Size) -> Option<(View, Option<Operation>)> {
    let Some(Operation::Resize(resize)) = operations.first() else { return None };
    resize::view(resize, size).map(|(view, left)| (view, left.map(Operation::Resize)))
}

/// What of `operations` is done to a picture of `size` while it is decoded, how many they are, and what is left of them: where it is
/// made smaller first of all, or first cut and then made smaller.
pub(super) fn reduction(
    operations: &[Operation],
    size: Size,
    profile: Profile,
) -> Option<(Reduction, usize, Option<Operation>)> {
    let whole = [0, 0, size.0, size.1];
    let (area, before, resize) = match operations {
        [Operation::Resize(resize), ..] => (whole, 0, resize),
        [Operation::Crop(crop), Operation::Resize(resize), ..]
            if crop.place != Place::Around(Gravity::Smart) =>
        {
            let area = crop::area(crop, size).ok()?;
            ([area.x, area.y, area.width, area.height], 1, resize)
        }
        _ => return None,
    };
    let (reduction, left) = resize::reduction(resize, size, area, profile)?;
    Some((reduction, before + 1, left))
}

/// `operation` as it is done to this picture: what the engine is to look for is found.
pub(super) fn settle<'o>(
    picture: &Picture,
    operation: &'o Operation,
    control: &Control,
) -> Result<Cow<'o, Operation>, Failure> {
    let found = smart::settle(picture, operation, control)?;
    Ok(found.map_or(Cow::Borrowed(operation), Cow::Owned))
}

/// Does one settled operation on every frame.
pub(super) fn apply(
    picture: &mut Picture,
    operation: &Operation,
    spec: &Spec,
    overlays: &Overlays,
    limits: &Limits,
    control: &Control,
) -> Result<(), Failure> {
    let outline = picture.outline.take();
    let space = Space::of(picture.icc.as_deref());
    let trimmed = match operation {
        Operation::Trim(trim) => trim::area(picture, *trim, control)?,
        _ => None,
    };
    let mark = match operation {
        Operation::Watermark(watermark) => {
            Some(watermark::prepare(watermark, overlays, picture.size(), &space, limits, control)?)
        }
        _ => None,
    };
    let has_alpha = picture.has_alpha;
    let work = Work { operation, spec, has_alpha, outline, space, trimmed, mark, control };
    picture.map(control, |pixels| match pixels {
        Pixels::Eight(raster) => work.on::<u8>(raster).map(Pixels::Eight),
        Pixels::Sixteen(raster) => work.on::<u16>(raster).map(Pixels::Sixteen),
    })?;
    match operation {
        Operation::Resize(resize) => {
            picture.has_alpha |= resize.pads() && !resize.background.is_opaque();
        }
        Operation::Rotate(degrees) => {
            picture.has_alpha |= degrees % 90 != 0 && !spec.background.is_opaque();
        }
        Operation::Border(border) => picture.has_alpha |= !border.color.is_opaque(),
        Operation::Round(round) => {
            picture.has_alpha = true;
            picture.outline = Some(*round);
        }
        Operation::Watermark(_) => picture.outline = outline,
        _ => {}
    }
    Ok(())
}

/// One operation, and all that is the same for every frame.
struct Work<'a> {
    operation: &'a Operation,
    spec: &'a Spec,
    has_alpha: bool,
    outline: Option<Round>,
    /// The colours that the pixels are in.
    space: Space,
    /// What [`Operation::Trim`] leaves; `None` is all.
    trimmed: Option<Area>,
    /// What [`Operation::Watermark`] lays over it.
    mark: Option<Prepared>,
    control: &'a Control,
}

impl Work<'_> {
    /// Does it on one frame.
    fn on<S: Sample>(&self, frame: Raster<S>) -> Result<Raster<S>, Failure> {
        let (space, control) = (&self.space, self.control);
        Ok(match self.operation {
            Operation::Trim(_) => match self.trimmed {
                Some(area) => crop::cut::<S>(&frame, area),
                None => frame,
            },
            Operation::Resize(resize) => {
                resize::resize::<S>(frame, resize, self.has_alpha, space, control)?
            }
            Operation::Crop(crop) => crop::crop::<S>(&frame, crop)?,
            Operation::Rotate(degrees) => {
                rotate::rotate::<S>(frame, *degrees, self.spec.background, space, control)?
            }
            Operation::Flip => flipped::<S>(frame),
            Operation::Mirror => mirrored::<S>(frame),
            Operation::Filter(filter) => self::filter::<S>(frame, filter, space, control)?,
            Operation::Round(round) => round::round::<S>(frame, *round, control)?,
            Operation::Border(border) => {
                border::border::<S>(&frame, *border, self.outline, space, control)?
            }
            Operation::Watermark(_) => match &self.mark {
                Some(mark) => watermark::lay::<S>(mark, frame, control)?,
                None => frame,
            },
        })
    }
}

/// Puts a picture upright that was stored as `orientation`, 1 to 8 as EXIF counts them.
pub(super) fn upright(
    picture: &mut Picture,
    orientation: u8,
    control: &Control,
) -> Result<(), Failure> {
    if !(2..=8).contains(&orientation) {
        return Ok(());
    }
    picture.map(control, |pixels| {
        Ok(match pixels {
            Pixels::Eight(raster) => Pixels::Eight(turned::<u8>(raster, orientation)),
            Pixels::Sixteen(raster) => Pixels::Sixteen(turned::<u16>(raster, orientation)),
        })
    })
}

fn turned<S: Sample>(frame: Raster<S>, orientation: u8) -> Raster<S> {
    match orientation {
        2 => mirrored::<S>(frame),
        3 => imageops::rotate180(&frame),
        4 => flipped::<S>(frame),
        5 => mirrored::<S>(imageops::rotate90(&frame)),
        6 => imageops::rotate90(&frame),
        7 => mirrored::<S>(imageops::rotate270(&frame)),
        8 => imageops::rotate270(&frame),
        _ => frame,
    }
}

fn flipped<S: Sample>(mut frame: Raster<S>) -> Raster<S> {
    imageops::flip_vertical_in_place(&mut frame);
    frame
}

fn mirrored<S: Sample>(mut frame: Raster<S>) -> Raster<S> {
    imageops::flip_horizontal_in_place(&mut frame);
    frame
}

fn filter<S: Sample>(
    mut frame: Raster<S>,
    filter: &Filter,
    space: &Space,
    control: &Control,
) -> Result<Raster<S>, Failure> {
    let pixels = &mut frame;
    match *filter {
        Filter::Grayscale => matrix::apply::<S>(pixels, &matrix::grayscale(), control),
        Filter::Sepia(percent) => matrix::apply::<S>(pixels, &matrix::sepia(percent), control),
        Filter::Saturation(percent) => {
            matrix::apply::<S>(pixels, &matrix::saturation(percent), control)
        }
        Filter::Hue(degrees) => matrix::apply::<S>(pixels, &matrix::hue(degrees), control),
        Filter::Invert => tone::apply::<S>(pixels, tone::invert, control),
        Filter::Brightness(percent) => {
            tone::apply::<S>(pixels, |value| tone::brighten(value, percent), control)
        }
        Filter::Contrast(percent) => {
            tone::apply::<S>(pixels, |value| tone::contrast(value, percent), control)
        }
        Filter::Gamma(gamma) => {
            tone::apply::<S>(pixels, |value| tone::gamma(value, gamma), control)
        }
        Filter::Blur(sigma) => blur::blur::<S>(pixels, sigma, control),
        Filter::Sharpen(sigma) => blur::sharpen::<S>(pixels, sigma, control),
        Filter::Pixelate(side) => pixelate::pixelate::<S>(pixels, side, control),
        Filter::Vignette(percent) => vignette::vignette::<S>(pixels, percent, control),
        Filter::Tint(color) => tint::tint::<S>(pixels, color, space, control),
        Filter::Colorize(color) => tint::colorize::<S>(pixels, color, space, control),
    }?;
    Ok(frame)
}

#[cfg(test)]
mod tests;
