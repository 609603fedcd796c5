//! JPEG, by the jpeg-decoder crate. Of the decoders in Rust it alone read all of the samples right: zune-jpeg 0.5 returns
//! garbage, without an error, for baseline files that hold one scan a component.

use std::io::Read;

use jpeg_decoder::{ColorTransform, Decoder, PixelFormat};

use super::{Wanted, broken, corrupt, expand, picture_of, settle};
use crate::{
    domain::{error::Error, format::Format, limits::Limits},
    imaging::{
        color,
        control::{Control, Failure},
        picture::{Picture, Pixels},
        probe::adobe_transform,
        watched::Watched,
    },
};

const END_OF_IMAGE: [u8; 2] = [0xff, 0xd9];
const START_OF_SCAN: u8 = 0xda;
/// Encoders write about ten. Each costs a walk over all pixels, however few bytes it has: a small file could keep a thread
/// busy for an hour.
const MAX_SCANS: usize = 500;
/// Bytes of ones put before the end: more than the correction bits that a progressive scan can swallow in a row.
const PADDING: usize = 1024;
/// Bytes between two looks at the control. A scan over the largest picture, where it says nothing of it, has fifty.
const PIECE: usize = 256;
/// Adobe's marker says that the inks are coded as luma, chroma and black.
const YCCK: u8 = 2;

pub(super) fn decode(
    input: &[u8],
    wanted: Wanted,
    limits: &Limits,
    control: &Control,
) -> Result<Picture, Failure> {
    let damaged = |cause: jpeg_decoder::Error| broken(Format::Jpeg, cause);
    let (end, scans) = end_of_scans(input).ok_or_else(|| corrupt("the JPEG ends too early"))?;
    if scans > MAX_SCANS {
        return Err(corrupt(&format!("the JPEG has more than {MAX_SCANS} scans")).into());
    }
    let body = input.get(..end).unwrap_or_default();
    // A decoder that comes to the end marker before it has all pixels makes the rest up from zeros. So there are ones
    // before the marker: no Huffman code consists of ones alone, and a decoder that still needs data fails on them.
    let padding = [0xff, 0x00].repeat(PADDING);
    let file = body.chain(padding.as_slice()).chain(END_OF_IMAGE.as_slice());
    let mut decoder = Decoder::new(Watched::every(PIECE, file, control));
    let bytes = limits.pixels.saturating_mul(4);
    decoder.set_max_decoding_buffer_size(usize::try_from(bytes).map_err(Error::internal)?);
    decoder.read_info().map_err(damaged)?;
    let info = decoder.info().ok_or_else(|| corrupt("the JPEG has no header"))?;
    if info.pixel_format == PixelFormat::CMYK32 {
        // Taken as they are, inverted: what they mean depends on Adobe's marker and on the profile.
        decoder.set_color_transform(ColorTransform::CMYK);
    }
    let pixels = decoder.decode().map_err(damaged)?;
    let icc = decoder.icc_profile();
    let mut pixels = match info.pixel_format {
        PixelFormat::CMYK32 => from_inks(pixels, adobe_transform(input), icc.as_deref(), control)?,
        PixelFormat::RGB24 => expand(&pixels, |[r, g, b]| [r, g, b, 255]),
        PixelFormat::L8 => expand(&pixels, |[grey]| [grey, grey, grey, 255]),
        PixelFormat::L16 => return Err(corrupt("the JPEG is not of eight bits a channel").into()),
    };
    // Inks were brought into sRGB by their profile already.
    let icc = icc.filter(|_| info.pixel_format != PixelFormat::CMYK32);
    let icc = settle(&mut pixels, icc.as_deref(), wanted, control)?;
    let pixels = picture_of(info.width.into(), info.height.into(), pixels)?;
    Ok(Picture { icc, ..Picture::still(Pixels::Eight(pixels), false) })
}

/// Four channels, inverted by the decoder, as colours.
fn from_inks(
    mut pixels: Vec<u8>,
    adobe: Option<u8>,
    icc: Option<&[u8]>,
    control: &Control,
) -> Result<Vec<u8>, Failure> {
    if adobe == Some(YCCK) {
        pixels.as_chunks_mut::<4>().0.iter_mut().for_each(ycck_to_inks);
    }
    // Adobe's software writes inks inverted, so that they are right now; nobody else does.
    if adobe.is_none() {
        pixels.iter_mut().for_each(|ink| *ink = 255 - *ink);
    }
    color::inks_to_srgb(&mut pixels, icc, control)?;
    Ok(pixels)
}

/// Luma and chroma, inverted, as the three coloured inks by JFIF's matrix; the black is as it is.
fn ycck_to_inks(pixel: &mut [u8; 4]) {
    let [color @ .., black] = *pixel;
    let [cyan, magenta, yellow] = color::from_ycbcr(color.map(|inverted| 255 - inverted));
    *pixel = [cyan, magenta, yellow, black];
}

/// Where the end marker stands that follows the last scan, and how many scans there are.
fn end_of_scans(input: &[u8]) -> Option<(usize, usize)> {
    let mut at = 2;
    let mut scans = 0;
    loop {
        // To the next marker: in a scan, 0xff is followed by zero, or by a restart.
        let marker = loop {
            at += input.get(at..)?.iter().position(|byte| *byte == 0xff)?;
            match *input.get(at + 1)? {
                0xff => at += 1,
                0x00 | 0x01 | 0xd0..=0xd8 => at += 2,
                marker => break marker,
            }
        };
        if [0xff, marker] == END_OF_IMAGE {
            return Some((at, scans));
        }
        scans += usize::from(marker == START_OF_SCAN);
        let length = u16::from_be_bytes([*input.get(at + 2)?, *input.get(at + 3)?]);
        at += 2 + usize::from(length);
    }
}
