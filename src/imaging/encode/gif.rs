//! GIF: each frame whole, with a palette of its own.

use std::collections::BTreeMap;

use color_quant::NeuQuant;
use gif::{DisposalMethod, Encoder, Frame, Repeat};
use image::RgbaImage;

use super::refused;
use crate::{
    domain::format::Format,
    imaging::{
        control::{Control, Failure},
        picture::{Picture, rows},
        watched::Watched,
    },
};

/// Pixels of less alpha are transparent; GIF knows no half measures.
const VISIBLE: u8 = 128;
/// Colours besides the transparent one.
const COLORS: usize = 255;
/// Of how many pixels one is looked at to choose the palette; the quantiser's author recommends 10.
const SAMPLING: i32 = 10;
/// The most pixels that the palette is chosen from.
const MOST_SEEN: usize = 10_000_000;

pub(super) fn encode(picture: &Picture, control: &Control) -> Result<Vec<u8>, Failure> {
    let failed = |cause: gif::EncodingError| refused(Format::Gif, cause);
    let (width, height) = picture.size();
    let (Ok(width), Ok(height)) = (u16::try_from(width), u16::try_from(height)) else {
        return Err(refused(Format::Gif, "more than 65535 pixels a side").into());
    };
    let mut bytes = Vec::new();
    let mut encoder =
        Encoder::new(Watched::new(&mut bytes, control), width, height, &[]).map_err(failed)?;
    if !picture.rest.is_empty() {
        match picture.plays {
            0 => encoder.set_repeat(Repeat::Infinite).map_err(failed)?,
            // Played once is what a file that says nothing does.
            1 => {}
            plays => {
                let again = u16::try_from(plays - 1).unwrap_or(u16::MAX);
                encoder.set_repeat(Repeat::Finite(again)).map_err(failed)?;
            }
        }
    }
    for frame in picture.frames() {
        control.check()?;
        let (indices, palette, transparent) = quantise(&frame.pixels.eight(), control)?;
        let mut written = Frame::from_palette_pixels(width, height, indices, palette, transparent);
        written.delay = u16::try_from((frame.delay + 5) / 10).unwrap_or(u16::MAX);
        // A frame with holes must not show the one before through them.
        written.dispose =
            if picture.has_alpha { DisposalMethod::Background } else { DisposalMethod::Keep };
        encoder.write_frame(&written).map_err(failed)?;
    }
    drop(encoder);
    Ok(bytes)
}

/// One index a pixel, the palette, and the index that is transparent.
type Quantised = (Vec<u8>, Vec<u8>, Option<u8>);

/// At most 256 colours, exact where the picture has no more than fit.
fn quantise(pixels: &RgbaImage, control: &Control) -> Result<Quantised, Failure> {
    let mut exact: BTreeMap<[u8; 4], u8> = BTreeMap::new();
    for row in rows::<u8>(pixels) {
        control.check()?;
        for color in row.iter().filter_map(visible) {
            exact.insert(color, 0);
            if exact.len() > COLORS {
                return approximate(pixels, control);
            }
        }
    }
    for (place, index) in exact.values_mut().zip(0..) {
        *place = index;
    }
    let transparent = u8::try_from(exact.len()).unwrap_or(u8::MAX);
    let index = |color: &[u8; 4]| exact.get(color).copied().unwrap_or(0);
    let indices = indices(pixels, transparent, index, control)?;
    let palette = exact.keys().flat_map(|[red, green, blue, _]| [*red, *green, *blue]);
    Ok(finish(indices, palette.collect(), transparent))
}

fn approximate(pixels: &RgbaImage, control: &Control) -> Result<Quantised, Failure> {
    // Chosen from what is seen alone, so that no colour is lost to what is not; and of the largest pictures from a part, as the
    // quantiser can't be stopped.
    let all = pixels.as_chunks::<4>().0;
    let seen: Vec<u8> =
        all.iter().step_by(all.len() / MOST_SEEN + 1).filter_map(visible).flatten().collect();
    let network = NeuQuant::new(SAMPLING, COLORS, &seen);
    let transparent = u8::MAX;
    let index = |color: &[u8; 4]| u8::try_from(network.index_of(color)).unwrap_or(0);
    let indices = indices(pixels, transparent, index, control)?;
    Ok(finish(indices, network.color_map_rgb(), transparent))
}

/// The index of every pixel, `index` being that of a colour.
fn indices(
    pixels: &RgbaImage,
    transparent: u8,
    index: impl Fn(&[u8; 4]) -> u8,
    control: &Control,
) -> Result<Vec<u8>, Failure> {
    let mut indices = Vec::with_capacity(pixels.len() / 4);
    for row in rows::<u8>(pixels) {
        control.check()?;
        let found =
            row.iter().map(|pixel| visible(pixel).map_or(transparent, |color| index(&color)));
        indices.extend(found);
    }
    Ok(indices)
}

/// A pixel's colour, unless it is transparent.
fn visible([red, green, blue, alpha]: &[u8; 4]) -> Option<[u8; 4]> {
    (*alpha >= VISIBLE).then_some([*red, *green, *blue, 255])
}

/// Gives the transparent colour its place in the palette, when there is one.
fn finish(indices: Vec<u8>, mut palette: Vec<u8>, transparent: u8) -> Quantised {
    let is_used = indices.contains(&transparent);
    if is_used {
        palette.extend([0, 0, 0]);
    }
    (indices, palette, is_used.then_some(transparent))
}
