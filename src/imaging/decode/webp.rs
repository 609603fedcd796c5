//! WebP, still and animated.

use std::io::Cursor;

use image_webp::{LoopCount, WebPDecoder};

use super::{broken, expand, memory, picture_of};
use crate::{
    domain::{error::Error, format::Format, limits::Limits},
    imaging::{
        color,
        control::{Control, Failure},
        picture::{Frame, Picture},
    },
};

pub(super) fn decode(
    input: &[u8],
    frames: u32,
    limits: &Limits,
    control: &Control,
) -> Result<Picture, Failure> {
    let damaged = |cause: image_webp::DecodingError| broken(Format::Webp, cause);
    let mut decoder = WebPDecoder::new(Cursor::new(input)).map_err(damaged)?;
    decoder.set_memory_limit(usize::try_from(memory(limits)).map_err(Error::internal)?);
    let (width, height) = decoder.dimensions();
    let has_alpha = decoder.has_alpha();
    let icc = decoder.icc_profile().map_err(damaged)?;
    let mut buffer = vec![
        0;
        decoder.output_buffer_size().ok_or_else(|| {
            Error::internal("a WebP within the limits has more bytes than can be addressed")
        })?
    ];
    let finish = |buffer: &[u8]| {
        let mut pixels = if has_alpha {
            buffer.to_vec()
        } else {
            expand(buffer, |[red, green, blue]| [red, green, blue, 255])
        };
        if let Some(icc) = &icc {
            color::to_srgb(&mut pixels, icc);
        }
        picture_of(width, height, pixels)
    };
    if !decoder.is_animated() {
        decoder.read_image(&mut buffer).map_err(damaged)?;
        return Ok(Picture::still(finish(&buffer)?, has_alpha));
    }
    let plays = match decoder.loop_count() {
        LoopCount::Forever => 0,
        LoopCount::Times(times) => times.get().into(),
    };
    let mut shown = Vec::new();
    for _ in 0..frames.min(decoder.num_frames()) {
        control.check()?;
        let delay = decoder.read_frame(&mut buffer).map_err(damaged)?;
        shown.push(Frame { pixels: finish(&buffer)?, delay });
    }
    Ok(Picture::animated(shown, plays, has_alpha)
        .ok_or_else(|| broken(Format::Webp, "there is no frame"))?)
}
