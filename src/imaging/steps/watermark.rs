//! A text or a picture laid over the picture: made once, and blended into every frame.

mod text;

pub(in crate::imaging) use self::text::most as most_letters;

use std::io::Cursor;

use image::RgbaImage;

use super::{resize, rotate};
use crate::{
    domain::{
        color::Color,
        error::{Code, Error},
        limits::Limits,
        transform::{Extent, Fit, Gravity, Length, Mark, Point, Resize, Watermark},
    },
    imaging::{
        Overlays,
        color::{SRGB, Space},
        control::{Control, Failure},
        decode::{self, Wanted},
        picture::{Pixels, Raster, rows_mut},
        plan,
        probe::probe,
        sample::Sample,
    },
};

type Size = (u32, u32);

/// A mark, ready to be laid over frames of one size.
pub(super) struct Prepared {
    mark: RgbaImage,
    opacity: f32,
    /// Where its top left corner is put; may lie outside.
    left: i64,
    top: i64,
    /// From one of its copies to the next, where it is repeated.
    step: Option<(i64, i64)>,
}

/// Makes the mark for frames of size `frame`, in the colours of `space`.
pub(super) fn prepare(
    watermark: &Watermark,
    overlays: &Overlays,
    frame: Size,
    space: &Space,
    limits: &Limits,
    control: &Control,
) -> Result<Prepared, Failure> {
    let mark = match &watermark.mark {
        Mark::Text { text, font, color } => {
            text::draw(text, *font, *color, watermark, frame, limits)?
        }
        Mark::Image(id) => {
            let file = overlays
                .get(id)
                .ok_or_else(|| Error::internal("an overlay was not given to the engine"))?;
            picture(file, watermark.extent, frame, limits, control)?
        }
    };
    within(rotate::size_after(watermark.rotate, mark.dimensions()), limits)?;
    let nothing = Color::TRANSPARENT;
    let mut mark = rotate::rotate::<u8>(mark, watermark.rotate, nothing, &SRGB, control)?;
    space.bring(&mut mark, control)?;
    let (width, height) = mark.dimensions();
    let Point { x, y } = watermark.gravity;
    let step = watermark.tile.then(|| {
        // Half of the mark's height lies between it and the next.
        let gap = i64::from(height / 2).max(4);
        (i64::from(width) + gap, i64::from(height) + gap)
    });
    Ok(Prepared {
        opacity: narrow(watermark.opacity),
        left: place(x, frame.0, width, watermark.x),
        top: place(y, frame.1, height, watermark.y),
        step,
        mark,
    })
}

/// Refuses marks that are larger than pictures may be.
fn within(size: Size, limits: &Limits) -> Result<(), Error> {
    plan::within(limits, size, 1).map_err(|problem| {
        Error::new(Code::ImageTooLarge, format!("watermark would make {problem}"))
    })
}

/// A picture, upright and in sRGB, as large as `extent` says.
fn picture(
    file: &[u8],
    extent: Extent,
    frame: Size,
    limits: &Limits,
    control: &Control,
) -> Result<RgbaImage, Failure> {
    let probe = probe(Cursor::new(file), limits)?;
    let mut picture = decode::decode(file, &probe, Wanted::FIRST, limits, control)?.picture;
    super::upright(&mut picture, probe.orientation, control)?;
    let resize = sized(extent, frame);
    within(resize::layout(&resize, picture.size()).canvas, limits)?;
    let has_alpha = picture.has_alpha;
    let pixels = match picture.first.pixels {
        Pixels::Eight(raster) => raster,
        sixteen => sixteen.eight().into_owned(),
    };
    resize::resize::<u8>(pixels, &resize, has_alpha, &SRGB, control)
}

/// How a picture becomes a mark for frames of size `frame`.
pub(in crate::imaging) fn sized(extent: Extent, frame: Size) -> Resize {
    let by_width = |width: f64| (Length::Pixels(whole(width)), None, true);
    let (width, height, enlarge) = match extent {
        Extent::Size(pixels) => by_width(pixels),
        Extent::Scale(scale) => by_width(f64::from(frame.0) * scale),
        Extent::Natural => (Length::Pixels(frame.0), Some(Length::Pixels(frame.1)), false),
    };
    Resize {
        width: Some(width),
        height,
        aspect: None,
        fit: Fit::Inside,
        gravity: Gravity::CENTER,
        background: Color::TRANSPARENT,
        enlarge,
        dpr: 1.0,
    }
}

/// Where a mark of length `mark` begins on a side of length `side`: its point `at` lies on the side's point `at`, moved by
/// `by` pixels away from the edge that `at` names.
#[allow(clippy::cast_possible_truncation)] // At most some ten thousand.
fn place(at: f64, side: u32, mark: u32, by: i32) -> i64 {
    let begin = (at * (f64::from(side) - f64::from(mark))).round() as i64;
    if at >= 1.0 { begin - i64::from(by) } else { begin + i64::from(by) }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // The cast saturates.
fn whole(length: f64) -> u32 {
    (length.round() as u32).max(1)
}

#[allow(clippy::cast_possible_truncation)] // Between 0 and 1.
fn narrow(value: f64) -> f32 {
    value as f32
}

/// Lays the mark over `frame`.
pub(super) fn lay<S: Sample>(
    prepared: &Prepared,
    mut frame: Raster<S>,
    control: &Control,
) -> Result<Raster<S>, Failure> {
    let (width, height) = prepared.mark.dimensions();
    let (width, height) = (i64::from(width), i64::from(height));
    for (y, row) in (0_i64..).zip(rows_mut::<S>(&mut frame)) {
        control.check()?;
        // Which row of the mark lies here, if one does: repeated marks begin again after a step.
        let within = |at: i64, begin: i64, step: Option<i64>, length: i64| {
            let at = at - begin;
            let at = step.map_or(at, |step| at.rem_euclid(step));
            (0..length).contains(&at).then_some(at)
        };
        let step = prepared.step;
        let Some(v) = within(y, prepared.top, step.map(|step| step.1), height) else { continue };
        for (x, pixel) in (0_i64..).zip(row) {
            let Some(u) = within(x, prepared.left, step.map(|step| step.0), width) else {
                continue;
            };
            let place = u32::try_from(u).ok().zip(u32::try_from(v).ok());
            if let Some(over) = place.and_then(|(u, v)| prepared.mark.get_pixel_checked(u, v)) {
                *pixel = blend(*pixel, over.0, prepared.opacity);
            }
        }
    }
    Ok(frame)
}

/// Source over destination, on straight alpha (Porter and Duff 1984).
fn blend<S: Sample>(beneath: [S; 4], over: [u8; 4], opacity: f32) -> [S; 4] {
    let over = over.map(|channel| S::from_byte(channel).float());
    let [.., alpha] = over;
    let above = alpha / S::FULL * opacity;
    if above <= 0.0 {
        return beneath;
    }
    let [.., below] = beneath;
    let below = below.float() / S::FULL * (1.0 - above);
    let total = above + below;
    let mut mixed = beneath;
    for ((mixed, beneath), over) in mixed.iter_mut().zip(beneath).zip(over).take(3) {
        *mixed = S::nearest((over * above + beneath.float() * below) / total);
    }
    let [red, green, blue, _] = mixed;
    [red, green, blue, S::nearest(total * S::FULL)]
}

#[cfg(test)]
mod tests;
