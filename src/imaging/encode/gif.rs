//! GIF: each frame whole, with a palette of its own.

use std::collections::BTreeMap;

use color_quant::NeuQuant;
use gif::{DisposalMethod, Encoder, Frame, Repeat};
use image::RgbaImage;

use super::refused;
use crate::{
    domain::{error::Result, format::Format},
    imaging::{
        control::{Control, Failure},
        picture::Picture,
    },
};

/// Pixels of less alpha are transparent; GIF knows no half measures.
const VISIBLE: u8 = 128;
/// Colours besides the transparent one.
const COLORS: usize = 255;
/// Of how many pixels one is looked at to choose the palette; the quantiser's author recommends 10.
const SAMPLING: i32 = 10;

pub(super) fn encode(picture: &Picture, control: &Control) -> Result<Vec<u8>, Failure> {
    let failed = |cause: gif::EncodingError| refused(Format::Gif, cause);
    let (width, height) = picture.size();
    let (Ok(width), Ok(height)) = (u16::try_from(width), u16::try_from(height)) else {
        return Err(refused(Format::Gif, "more than 65535 pixels a side").into());
    };
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height, &[]).map_err(failed)?;
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
        let (indices, palette, transparent) = quantise(&frame.pixels.eight());
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

/// At most 256 colours: one index a pixel, the palette, and the index that is transparent. Exact where the picture has no
/// more colours than fit.
fn quantise(pixels: &RgbaImage) -> (Vec<u8>, Vec<u8>, Option<u8>) {
    let visible = |pixel: &image::Rgba<u8>| {
        let [red, green, blue, alpha] = pixel.0;
        (alpha >= VISIBLE).then_some([red, green, blue, 255])
    };
    let mut exact: BTreeMap<[u8; 4], u8> = BTreeMap::new();
    for color in pixels.pixels().filter_map(visible) {
        exact.insert(color, 0);
        if exact.len() > COLORS {
            return approximate(pixels, visible);
        }
    }
    for (place, index) in exact.values_mut().zip(0..) {
        *place = index;
    }
    let transparent = u8::try_from(exact.len()).unwrap_or(u8::MAX);
    let index =
        |pixel| visible(pixel).map_or(transparent, |color| exact.get(&color).copied().unwrap_or(0));
    let indices: Vec<u8> = pixels.pixels().map(index).collect();
    let palette = exact.keys().flat_map(|[red, green, blue, _]| [*red, *green, *blue]);
    finish(indices, palette.collect(), transparent)
}

fn approximate(
    pixels: &RgbaImage,
    visible: impl Fn(&image::Rgba<u8>) -> Option<[u8; 4]>,
) -> (Vec<u8>, Vec<u8>, Option<u8>) {
    // Chosen from what is seen alone, so that no colour is lost to what is not.
    let seen: Vec<u8> = pixels.pixels().filter_map(&visible).flatten().collect();
    let network = NeuQuant::new(SAMPLING, COLORS, &seen);
    let transparent = u8::MAX;
    let index = |pixel| {
        visible(pixel)
            .map_or(transparent, |color| u8::try_from(network.index_of(&color)).unwrap_or(0))
    };
    let indices = pixels.pixels().map(index).collect();
    finish(indices, network.color_map_rgb(), transparent)
}

/// Gives the transparent colour its place in the palette, when there is one.
fn finish(
    indices: Vec<u8>,
    mut palette: Vec<u8>,
    transparent: u8,
) -> (Vec<u8>, Vec<u8>, Option<u8>) {
    let is_used = indices.contains(&transparent);
    if is_used {
        palette.extend([0, 0, 0]);
    }
    (indices, palette, is_used.then_some(transparent))
}
