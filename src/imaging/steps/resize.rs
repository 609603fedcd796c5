//! Another size: Lanczos3 on premultiplied alpha, with the cut that `cover` makes done in the same pass.

mod linear;

use std::any::Any;

use fast_image_resize::{
    FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer,
    images::{TypedImage, TypedImageRef},
};
use image::imageops;

use super::Size;
use crate::{
    domain::{
        error::{Error, Result},
        transform::{Crop, Fit, Gravity, Length, Operation, Place, Point, Profile, Resize},
    },
    imaging::{
        color::Space,
        control::{Control, Failure},
        picture::Raster,
        reduce::{Detail, Light, Reducer, Reduction},
        rows::Whole,
        sample::Sample,
        svg::View,
    },
};

/// Which part of the source becomes which part of the result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Layout {
    /// Left, top, width and height of the part of the source, to fractions of a pixel.
    pub source: [f64; 4],
    /// The size that it gets.
    pub picture: Size,
    /// The size of the result.
    pub canvas: Size,
    /// Where on the result the picture is put.
    pub offset: (u32, u32),
}

/// What `resize` makes of a picture of size `from`.
pub(super) fn layout(resize: &Resize, from: Size) -> Layout {
    let (width, height) = (f64::from(from.0), f64::from(from.1));
    let whole = [0.0, 0.0, width, height];
    let plain = |size| Layout { source: whole, picture: size, canvas: size, offset: (0, 0) };
    let gravity = point(resize.gravity);
    let most = if resize.enlarge { f64::INFINITY } else { 1.0 };
    let scaled = |scale: f64| (pixels(width * scale), pixels(height * scale));

    let across = resize.width.map(|side| length(side, width) * resize.dpr);
    let down = resize.height.map(|side| length(side, height) * resize.dpr);
    let (across, down) = match (across, down, resize.aspect) {
        (Some(across), Some(down), _) => (across, down),
        (Some(across), None, Some(aspect)) => (across, across / aspect),
        (None, Some(down), Some(aspect)) => (down * aspect, down),
        // One side alone keeps the ratio. The side that was given comes out exact.
        (Some(across), None, None) if across <= width * most => {
            return plain((pixels(across), pixels(height * across / width)));
        }
        (None, Some(down), None) if down <= height * most => {
            return plain((pixels(width * down / height), pixels(down)));
        }
        _ => return plain(from),
    };
    let target = (pixels(across), pixels(down));
    let (across, down) = (f64::from(target.0), f64::from(target.1));
    let (by_width, by_height) = (across / width, down / height);
    match resize.fit {
        Fit::Fill => {
            plain((pixels(width * by_width.min(most)), pixels(height * by_height.min(most))))
        }
        Fit::Inside => plain(scaled(by_width.min(by_height).min(most))),
        Fit::Outside => plain(scaled(by_width.max(by_height).min(most))),
        Fit::Contain => {
            let (inner_width, inner_height) = scaled(by_width.min(by_height).min(most));
            let picture = (inner_width.min(target.0), inner_height.min(target.1));
            let offset =
                (share(target.0 - picture.0, gravity.x), share(target.1 - picture.1, gravity.y));
            Layout { source: whole, picture, canvas: target, offset }
        }
        Fit::Cover => {
            let scale = by_width.max(by_height).min(most);
            let (cut_width, cut_height) = ((across / scale).min(width), (down / scale).min(height));
            let source = [
                around(gravity.x, cut_width, width),
                around(gravity.y, cut_height, height),
                cut_width,
                cut_height,
            ];
            let size = (pixels(cut_width * scale), pixels(cut_height * scale));
            Layout { source, ..plain(size) }
        }
    }
}

/// The most that `resize` makes, each side by itself, of pictures that are no larger than `from`; `None` where the ratio of the
/// picture may make any length of it.
pub(super) fn most(resize: &Resize, from: Size) -> [Option<u32>; 2] {
    let given =
        |side: Option<Length>, whole: u32| side.map(|side| length(side, whole.into()) * resize.dpr);
    let (across, down) = (given(resize.width, from.0), given(resize.height, from.1));
    let sides = match (across, down, resize.aspect) {
        _ if resize.has_box() && resize.fit == Fit::Outside => [None, None],
        (Some(across), None, Some(aspect)) => [Some(across), Some(across / aspect)],
        (None, Some(down), Some(aspect)) => [Some(down * aspect), Some(down)],
        (Some(across), Some(down), _) => [Some(across), Some(down)],
        (across, down, None) => {
            // A part of one side is the same part of the other.
            let part =
                [resize.width, resize.height].into_iter().flatten().find_map(|side| match side {
                    Length::Fraction(part) => Some(part * resize.dpr),
                    Length::Pixels(_) => None,
                });
            let other = |whole: u32| part.map(|part| f64::from(whole) * part);
            [across.or(other(from.0)), down.or(other(from.1))]
        }
        _ => [None, None],
    };
    let [across, down] = sides.map(|side| side.map(pixels));
    if resize.enlarge || resize.pads() {
        [across, down]
    } else {
        [Some(across.unwrap_or(from.0).min(from.0)), Some(down.unwrap_or(from.1).min(from.1))]
    }
}

/// Whether the picture gets larger, on either side.
pub(super) fn enlarges(layout: &Layout) -> bool {
    let [_, _, across, down] = layout.source;
    f64::from(layout.picture.0) > across || f64::from(layout.picture.1) > down
}

/// What of a drawing of size `from` is drawn at once as `resize` wants it, and what is left to do then: the padding. `None` where
/// pixels have to be looked at first, or where it becomes no larger: smaller pictures are truer made in linear light.
pub(super) fn view(resize: &Resize, from: Size) -> Option<(View, Option<Resize>)> {
    if resize.gravity == Gravity::Smart {
        return None;
    }
    let layout = layout(resize, from);
    if !enlarges(&layout) {
        return None;
    }
    let (width, height) = layout.canvas;
    let left = Resize {
        width: Some(Length::Pixels(width)),
        height: Some(Length::Pixels(height)),
        fit: Fit::Contain,
        enlarge: true,
        dpr: 1.0,
        ..*resize
    };
    let left = (layout.picture != layout.canvas).then_some(left);
    Some((View { part: layout.source, size: layout.picture }, left))
}

/// How a picture of size `from` is made smaller by `resize` at once while it is decoded, if no more than `area` of it (left, top,
/// width, height) is looked at, and what is left to do then: the padding, or a cut that the engine has to look for. `None` where nothing
/// becomes smaller.
pub(super) fn reduction(
    resize: &Resize,
    from: Size,
    area: [u32; 4],
    profile: Profile,
) -> Option<(Reduction, Option<Operation>)> {
    let [x, y, across, down] = area;
    let is_found = resize.gravity == Gravity::Smart && resize.cuts();
    // The engine looks at all of the small picture, and cuts then.
    let fit = if is_found { Fit::Outside } else { resize.fit };
    let layout = layout(&Resize { fit, ..*resize }, (across, down));
    if !matches!(way(&layout, (across, down)), Way::LinearLight) {
        return None;
    }
    if enlarges(&layout) {
        return None;
    }
    let [left, top, width, height] = layout.source;
    let part = [left + f64::from(x), top + f64::from(y), width, height];
    let reduction = Reduction { part, within: area, from, size: layout.picture, profile };
    let canvas = self::layout(resize, (across, down)).canvas;
    let [width, height] = [canvas.0, canvas.1].map(Length::Pixels);
    let left = if is_found {
        let place = Place::Around(resize.gravity);
        (layout.picture != canvas).then_some(Operation::Crop(Crop { width, height, place }))
    } else if layout.picture != canvas {
        let (width, height) = (Some(width), Some(height));
        let left = Resize { width, height, fit: Fit::Contain, enlarge: true, dpr: 1.0, ..*resize };
        Some(Operation::Resize(left))
    } else {
        None
    };
    Some((reduction, left))
}

/// The point that matters. What the engine has to look for is replaced before.
pub(super) fn point(gravity: Gravity) -> Point {
    match gravity {
        Gravity::Point(point) => point,
        Gravity::Smart => Point { x: 0.5, y: 0.5 },
    }
}

/// Where a part of length `part` begins that has the point `at` in its middle, as far as the whole allows.
pub(super) fn around(at: f64, part: f64, whole: f64) -> f64 {
    (at * whole - part / 2.0).min(whole - part).max(0.0)
}

/// How long a side is, beside the whole one.
pub(super) fn length(side: Length, whole: f64) -> f64 {
    match side {
        Length::Pixels(pixels) => pixels.into(),
        Length::Fraction(fraction) => fraction * whole,
    }
}

/// A length as whole pixels, at least one.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // The cast saturates; the limits refuse the rest.
pub(super) fn pixels(length: f64) -> u32 {
    (length.round() as u32).max(1)
}

/// The part of `space` that comes first.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Between 0 and `space`.
fn share(space: u32, fraction: f64) -> u32 {
    (f64::from(space) * fraction).round() as u32
}

/// Bytes that are held while a picture of size `from` is resized, beside it and the result.
pub(super) fn held(layout: &Layout, from: Size, sample: u64) -> u64 {
    let bytes = |across: u32, down: u32| u64::from(across) * u64::from(down) * 4 * sample;
    match way(layout, from) {
        Way::Kept => 0,
        Way::LinearLight if sample == 1 => of_pixels(layout, from).held(Detail::ALL),
        Way::LinearLight => linear::held(layout, from),
        Way::GammaLight => {
            // The source multiplied by its alpha; what has its new length in one direction; the result, once more if its
            // samples have to be moved to where they are aligned.
            let (across, down) = layout.picture;
            let between = bytes(from.0, down).max(bytes(across, from.1));
            let coefficients = 64 * (u64::from(from.0.max(across)) + u64::from(from.1.max(down)));
            bytes(from.0, from.1) + between + bytes(across, down) * (sample - 1) + coefficients
        }
    }
}

/// Gives `frame` another size.
pub(super) fn resize<S: Sample>(
    frame: Raster<S>,
    resize: &Resize,
    has_alpha: bool,
    space: &Space,
    control: &Control,
) -> Result<Raster<S>, Failure> {
    let size = frame.dimensions();
    let layout = layout(resize, size);
    let picture = match way(&layout, size) {
        Way::Kept => frame,
        Way::LinearLight => in_linear_light::<S>(&frame, &layout, has_alpha, space, control)?,
        Way::GammaLight => in_gamma_light::<S>(&frame, &layout, has_alpha)?,
    };
    if layout.picture == layout.canvas {
        return Ok(picture);
    }
    let (width, height) = layout.canvas;
    let background = space.paint::<S>(resize.background);
    let mut canvas = Raster::<S>::from_pixel(width, height, background.into());
    // Put in its place and not painted over it: the picture's own transparency stays.
    imageops::replace(&mut canvas, &picture, layout.offset.0.into(), layout.offset.1.into());
    Ok(canvas)
}

/// How the pixels come to their new size.
pub(in crate::imaging) enum Way {
    /// They stay as they are; padding may come around them.
    Kept,
    /// Mixed as light mixes.
    LinearLight,
    /// Mixed as they are stored.
    GammaLight,
}

/// Making a picture smaller in gamma light darkens fine detail; making it larger in linear light puts dark halos around edges.
pub(super) fn way(layout: &Layout, from: Size) -> Way {
    let [left, top, width, height] = layout.source;
    let is_whole = [left, top, width, height] == [0.0, 0.0, from.0.into(), from.1.into()];
    let (across, down) = (f64::from(layout.picture.0), f64::from(layout.picture.1));
    if is_whole && layout.picture == from {
        Way::Kept
    } else if across * down < width * height {
        Way::LinearLight
    } else {
        Way::GammaLight
    }
}

/// How pixels of a picture of size `from` are mixed that are there already.
fn of_pixels(layout: &Layout, from: Size) -> Reduction {
    let (part, size) = (layout.source, layout.picture);
    Reduction { part, within: [0, 0, from.0, from.1], from, size, profile: Profile::Best }
}

/// In whole numbers where samples have eight bits, in floats where they have sixteen.
fn in_linear_light<S: Sample>(
    frame: &Raster<S>,
    layout: &Layout,
    has_alpha: bool,
    space: &Space,
    control: &Control,
) -> Result<Raster<S>, Failure> {
    let Some(eight) = (frame as &dyn Any).downcast_ref::<Raster<u8>>() else {
        return linear::resize::<S>(frame, layout, space, control);
    };
    let reduction = of_pixels(layout, eight.dimensions());
    let mut rows = Whole::new(eight, has_alpha);
    let reducer = Reducer::new(&reduction, Detail::ALL);
    let made = reducer.rows(&mut rows, &Light::of(space.curve()), control)?;
    let made: Box<dyn Any> = Box::new(made);
    // It has the depth of the frame.
    made.downcast().map(|made| *made).map_err(|_| Error::internal("of another depth").into())
}

fn in_gamma_light<S: Sample>(
    frame: &Raster<S>,
    layout: &Layout,
    has_alpha: bool,
) -> Result<Raster<S>> {
    let mut made = Raster::<S>::new(layout.picture.0, layout.picture.1);
    let from = (bytemuck::cast_slice(frame.as_raw()), frame.dimensions());
    let to = (bytemuck::cast_slice_mut(&mut made), layout.picture);
    lanczos::<S::Resized>(&mut Resizer::new(), from, to, layout.source, has_alpha)?;
    Ok(made)
}

/// The part `crop` (left, top, width, height) of pixels of size `from`, made as large as `to`; multiplied by alpha meanwhile, if
/// they have it.
fn lanczos<P: PixelTrait>(
    resizer: &mut Resizer,
    (pixels, from): (&[u8], Size),
    (made, to): (&mut [u8], Size),
    crop: [f64; 4],
    has_alpha: bool,
) -> Result<()> {
    let [left, top, width, height] = crop;
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3))
        .crop(left, top, width, height)
        .use_alpha(has_alpha);
    // Of a type that is known here: the other way compiles the resizer for every kind of pixel there is.
    let source =
        TypedImageRef::<P>::from_buffer(from.0, from.1, pixels).map_err(Error::internal)?;
    let mut target = TypedImage::<P>::from_buffer(to.0, to.1, made).map_err(Error::internal)?;
    resizer.resize_typed(&source, &mut target, &options).map_err(Error::internal)
}

#[cfg(test)]
mod tests;
