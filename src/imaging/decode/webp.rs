//! WebP, still and animated. The frames of an animation are decoded one by one as pictures of their own and laid on each
//! other here: image-webp 0.2 clears the wrong place after frames without alpha.

use std::io::Cursor;

use image_webp::WebPDecoder;

use super::{
    Wanted, broken,
    canvas::{Canvas, Disposal, Patch},
    corrupt, expand, memory, picture_of, settle,
};
use crate::{
    domain::{error::Error, format::Format, limits::Limits},
    imaging::{
        control::{Control, Failure},
        picture::{Frame, Picture, Pixels},
        watched::Watched,
    },
};

pub(super) fn decode(
    input: &[u8],
    wanted: Wanted,
    limits: &Limits,
    control: &Control,
) -> Result<Picture, Failure> {
    let damaged = |cause: image_webp::DecodingError| broken(Format::Webp, cause);
    let file = Watched::new(Cursor::new(input), control);
    let mut decoder = WebPDecoder::new(file).map_err(damaged)?;
    let icc = decoder.icc_profile().map_err(damaged)?;
    if !decoder.is_animated() {
        return still(input, icc.as_deref(), wanted, limits, control);
    }
    let mut canvas = Canvas::new(decoder.dimensions());
    let mut shown = Vec::new();
    let mut has_alpha = false;
    let mut plays = 1;
    let mut kept = None;
    for (kind, data) in chunks(input.get(12..).unwrap_or_default()) {
        if &kind == b"ANIM" {
            plays = data
                .get(4..6)
                .and_then(|bytes| bytes.try_into().ok())
                .map_or(0, u16::from_le_bytes);
        }
        if &kind != b"ANMF" || shown.len() >= wanted.frames as usize {
            continue;
        }
        control.check()?;
        let stored = Stored::read(data).ok_or_else(|| corrupt("the WebP has a broken frame"))?;
        let picture = still(&stored.file, icc.as_deref(), wanted, limits, control)?;
        let patch =
            Patch { left: stored.left, top: stored.top, pixels: &picture.first.pixels.eight() };
        let pixels = canvas.show(&patch, stored.blend, stored.disposal);
        kept = picture.icc;
        has_alpha |= pixels.pixels().any(|pixel| pixel.0[3] < 255);
        shown.push(Frame { pixels: Pixels::Eight(pixels), delay: stored.delay });
    }
    let animated = Picture::animated(shown, plays.into(), has_alpha)
        .ok_or_else(|| broken(Format::Webp, "there is no frame"))?;
    Ok(Picture { icc: kept, ..animated })
}

/// A file that holds one picture.
fn still(
    file: &[u8],
    icc: Option<&[u8]>,
    wanted: Wanted,
    limits: &Limits,
    control: &Control,
) -> Result<Picture, Failure> {
    let damaged = |cause: image_webp::DecodingError| broken(Format::Webp, cause);
    let file = Watched::new(Cursor::new(file), control);
    let mut decoder = WebPDecoder::new(file).map_err(damaged)?;
    decoder.set_memory_limit(usize::try_from(memory(limits)).map_err(Error::internal)?);
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > limits.pixels {
        return Err(corrupt("the WebP has a frame that is larger than the picture").into());
    }
    let has_alpha = decoder.has_alpha();
    let size = decoder.output_buffer_size();
    let mut pixels =
        vec![0; size.ok_or_else(|| Error::internal("more bytes than can be addressed"))?];
    decoder.read_image(&mut pixels).map_err(damaged)?;
    if !has_alpha {
        pixels = expand(&pixels, |[red, green, blue]| [red, green, blue, 255]);
    }
    let icc = settle(&mut pixels, icc, wanted, control)?;
    let pixels = Pixels::Eight(picture_of(width, height, pixels)?);
    Ok(Picture { icc, ..Picture::still(pixels, has_alpha) })
}

/// One frame as an animation holds it.
struct Stored {
    left: u32,
    top: u32,
    delay: u32,
    blend: bool,
    disposal: Disposal,
    /// The frame's picture as a file of its own.
    file: Vec<u8>,
}

impl Stored {
    /// Reads what an ANMF chunk holds.
    fn read(data: &[u8]) -> Option<Self> {
        const NO_BLEND: u8 = 2;
        const CLEAR: u8 = 1;
        let (header, picture) = data.split_at_checked(16)?;
        let number = |at: usize| {
            let [low, middle, high] = *header.get(at..)?.first_chunk()?;
            Some(u32::from_le_bytes([low, middle, high, 0]))
        };
        let flags = *header.last()?;
        let has_alpha_chunk = picture.starts_with(b"ALPH");
        let mut body = b"WEBP".to_vec();
        if has_alpha_chunk {
            // Alpha in a chunk of its own needs the extended header.
            body.extend(b"VP8X\x0a\0\0\0\x10\0\0\0");
            body.extend(header.get(6..12)?);
        }
        body.extend(picture);
        let length = u32::try_from(body.len()).ok()?.to_le_bytes();
        Some(Self {
            left: number(0)? * 2,
            top: number(3)? * 2,
            delay: number(12)?,
            blend: flags & NO_BLEND == 0,
            disposal: if flags & CLEAR == 0 { Disposal::Keep } else { Disposal::Clear },
            file: [b"RIFF", length.as_slice(), &body].concat(),
        })
    }
}

/// The chunks of a RIFF body.
fn chunks(mut rest: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let (kind, after) = rest.split_first_chunk::<4>()?;
        let (length, after) = after.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let data = after.get(..length)?;
        rest = after.get(length.next_multiple_of(2)..).unwrap_or_default();
        Some((*kind, data))
    })
}
