//! JPEG: the truest by jpegli, the quickest by libjpeg-turbo, both with jpegli's tables of what to divide by: those of the
//! standard cost a tenth more bytes for the same look. Of jpegli's own means, adaptive quantisation is not used: with colour at half
//! its resolution, and finer numbers for it, as many bytes look as good or better, in half the time.

mod writer;

#[cfg(test)]
mod tests;

use image::RgbaImage;

use self::writer::{Library, Samples, Settings, Writer};
use super::refused;
use crate::{
    domain::{
        error::Error,
        format::Format,
        transform::{Profile, Quality, Spec},
    },
    imaging::{
        color::Space,
        control::{Control, Failure},
        picture::Picture,
    },
};

/// The most pixels a side that the libraries write.
pub(super) const MAX_SIDE: u32 = 65_500;

/// From this quality on, colour keeps its full resolution.
const FULL_COLOR: u8 = 90;
/// So much finer is colour than luma where its resolution is halved: with that, half the resolution looks better than the full one
/// in as many bytes. The mean of a block is finer by one more, which costs next to nothing.
const FINER: u8 = 5;
/// Below, jpegli's tables grow so slowly that no file would become small.
const COARSE: u8 = 30;
/// Pictures of fewer pixels become larger when they are progressive.
const PROGRESSIVE: u64 = 100_000;
/// Pictures of more pixels are written as their rows come, at three percent more bytes: what waits for the end of a picture is
/// several times as large as the picture.
const HELD: u64 = 8_000_000;
/// Pictures of no more pixels have Huffman tables of their own even where speed counts for more: five percent of their bytes.
const SMALL: u64 = 200_000;
/// Rows between two looks at the control.
const BAND: usize = 16;

pub(super) fn encode(
    picture: &Picture,
    quality: u8,
    spec: &Spec,
    control: &Control,
) -> Result<Vec<u8>, Failure> {
    let pixels = &*picture.first.pixels.eight();
    let beneath = picture.has_alpha.then(|| {
        let space = Space::of(picture.icc.as_deref());
        space.paint(spec.background.over_white())
    });
    let settings = settings(quality, spec, picture.size()).map_err(impossible)?;
    // A profile that was kept is for three channels.
    let samples = if picture.icc.is_none() && is_grey(pixels, beneath) {
        Samples::Grey
    } else if beneath.is_none() && settings.library == Library::Turbo {
        Samples::Rgba
    } else {
        Samples::Rgb
    };
    let mut writer =
        Writer::open(picture.size(), samples, &settings, control).map_err(impossible)?;
    let mut packed = Vec::new();
    for band in pixels.chunks(pixels.width().max(1) as usize * 4 * BAND) {
        control.check()?;
        let rows = if samples == Samples::Rgba {
            band
        } else {
            pack(band.as_chunks::<4>().0, beneath, samples, &mut packed);
            &packed
        };
        writer.write(rows).map_err(impossible)?;
    }
    let file = writer.finish().map_err(impossible)?;
    // One that was stopped has left the rest out.
    control.check()?;
    Ok(file)
}

fn impossible(cause: String) -> Error {
    refused(Format::Jpeg, cause)
}

/// How a picture of that size is written.
fn settings(quality: u8, spec: &Spec, size: (u32, u32)) -> Result<Settings, String> {
    let full_color = quality >= FULL_COLOR;
    // What one scan costs them, luma gives back.
    let is_small = area(size) < PROGRESSIVE && quality > 2;
    let (library, luma, color) = match spec.profile {
        Profile::Best if full_color => (Library::Jpegli, quality, quality),
        Profile::Best => (Library::Jpegli, quality - u8::from(is_small), quality + FINER),
        Profile::Fast => {
            let [luma, color] = plain(quality);
            let less = u8::from(is_small && !full_color);
            let (luma, color) = (luma.saturating_sub(less), color.saturating_sub(2 * less));
            (Library::Turbo, luma.max(1), color.max(1))
        }
    };
    let ([luma, _], [_, mut color]) = (scaled(luma, full_color)?, scaled(color, full_color)?);
    if spec.profile == Profile::Best && !full_color {
        let [_, [mean, ..]] = scaled(quality + FINER + 1, full_color)?;
        color[0] = mean;
    }
    Ok(Settings {
        library,
        divisors: [luma, color],
        full_color,
        progressive: is_progressive(spec, size),
        optimized: is_optimized(spec, size),
    })
}

/// Whether a picture of that size is written coarse first, then finer.
pub(in crate::imaging) fn is_progressive(spec: &Spec, size: (u32, u32)) -> bool {
    let suits = spec.profile == Profile::Best && (PROGRESSIVE..=HELD).contains(&area(size));
    spec.progressive.unwrap_or(suits)
}

/// Whether a picture of that size has Huffman tables of its own.
fn is_optimized(spec: &Spec, size: (u32, u32)) -> bool {
    let most = match spec.profile {
        Profile::Best => HELD,
        Profile::Fast => SMALL,
    };
    is_progressive(spec, size) || area(size) <= most
}

/// Bytes a pixel that are held at the worst while a picture of that size is written, the file included.
pub(in crate::imaging) fn held(spec: &Spec, size: (u32, u32)) -> u64 {
    // A search for a quality may end anywhere.
    let full_color = !matches!(spec.quality(Format::Jpeg), Quality::Fixed(..FULL_COLOR));
    match (spec.profile, is_progressive(spec, size), is_optimized(spec, size)) {
        // Coefficients, and what they become before they are packed.
        (Profile::Best, true, _) => {
            if full_color {
                25
            } else {
                14
            }
        }
        (Profile::Best, false, true) => {
            if full_color {
                20
            } else {
                12
            }
        }
        (Profile::Fast, true, _) | (Profile::Fast, _, true) => {
            if full_color {
                14
            } else {
                7
            }
        }
        // The file alone, and the room that it grows out of.
        (_, false, false) => {
            if full_color {
                12
            } else {
                5
            }
        }
    }
}

fn area((width, height): (u32, u32)) -> u64 {
    u64::from(width) * u64::from(height)
}

/// At these qualities of jpegli's, luma and chroma together need hardly more bytes, by the standard's Huffman tables, than with a common
/// encoder at `quality`, for a better look: the coarser, the more those tables waste. The highest qualities are kept.
fn plain(quality: u8) -> [u8; 2] {
    let coarse = 80_u8.saturating_sub(quality);
    let most = (quality / 9).min(FULL_COLOR.saturating_sub(quality) / 2);
    [quality - (3 + coarse / 13).min(most), quality + most.min(1) - (coarse / 8).min(most)]
}

/// Both tables of jpegli at a quality. Lower than jpegli's own scale goes, the numbers grow as fast as those of the standard do,
/// whose scale all of the world's qualities are on.
fn scaled(quality: u8, full_color: bool) -> Result<[[u16; 64]; 2], String> {
    let mut tables = writer::divisors(quality.max(COARSE), full_color)?;
    if quality < COARSE {
        let (coarse, quality) = (u16::from(COARSE), u16::from(quality.max(1)));
        for divisor in tables.as_flattened_mut() {
            *divisor = (*divisor * coarse / quality).min(255);
        }
    }
    Ok(tables)
}

/// Whether no pixel has a colour, once it is laid on what is beneath.
fn is_grey(pixels: &RgbaImage, beneath: Option<[u8; 4]>) -> bool {
    pixels.as_chunks::<4>().0.iter().all(|pixel| {
        let [red, green, blue] = flat(*pixel, beneath);
        red == green && green == blue
    })
}

/// The samples of pixels that are laid on what is beneath, grey or RGB.
fn pack(pixels: &[[u8; 4]], beneath: Option<[u8; 4]>, samples: Samples, packed: &mut Vec<u8>) {
    if samples == Samples::Grey {
        packed.clear();
        packed.extend(pixels.iter().map(|pixel| flat(*pixel, beneath)[0]));
        return;
    }
    packed.resize(pixels.len() * 3, 0);
    let packed = packed.as_chunks_mut::<3>().0.iter_mut().zip(pixels);
    match beneath {
        None => packed.for_each(|(packed, [red, green, blue, _])| *packed = [*red, *green, *blue]),
        Some(_) => packed.for_each(|(packed, pixel)| *packed = flat(*pixel, beneath)),
    }
}

/// The colour of a pixel laid on what is beneath, which is opaque.
fn flat([red, green, blue, alpha]: [u8; 4], beneath: Option<[u8; 4]>) -> [u8; 3] {
    let Some([r, g, b, _]) = beneath else { return [red, green, blue] };
    let blend = |channel: u8, beneath: u8| {
        let alpha = u32::from(alpha);
        let sum = u32::from(channel) * alpha + u32::from(beneath) * (255 - alpha);
        u8::try_from((sum + 127) / 255).unwrap_or(255)
    };
    [blend(red, r), blend(green, g), blend(blue, b)]
}
