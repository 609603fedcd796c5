//! PNG, with its checksums; APNG up to the frames that are wanted.

use std::io::Cursor;

use png::{BlendOp, ColorType, DecodeOptions, Decoder, DisposeOp, Transformations};

use super::{
    broken,
    canvas::{Canvas, Disposal, Patch},
    expand, picture_of,
};
use crate::{
    domain::{error::Error, format::Format},
    imaging::{
        color,
        control::{Control, Failure},
        picture::{Frame, Picture},
    },
};

/// The most that profiles and the like may take, unpacked; pixels are not counted, their number is checked before.
const METADATA: usize = 32 << 20;

pub(super) fn decode(input: &[u8], frames: u32, control: &Control) -> Result<Picture, Failure> {
    let damaged = |cause: png::DecodingError| broken(Format::Png, cause);
    let mut options = DecodeOptions::default();
    options.set_ignore_adler32(false);
    options.set_skip_ancillary_crc_failures(false);
    let mut decoder = Decoder::new_with_options(Cursor::new(input), options);
    decoder.set_limits(png::Limits { bytes: METADATA });
    decoder.set_ignore_text_chunk(true);
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(damaged)?;
    let (color_type, _) = reader.output_color_type();
    let has_alpha = matches!(color_type, ColorType::GrayscaleAlpha | ColorType::Rgba);
    let icc = reader.info().icc_profile.as_ref().map(|icc| icc.to_vec());
    let size = (reader.info().width, reader.info().height);
    let mut buffer = vec![
        0;
        reader.output_buffer_size().ok_or_else(|| {
            Error::internal("a PNG within the limits has more bytes than can be addressed")
        })?
    ];
    let mut next = |reader: &mut png::Reader<_>| -> Result<_, Failure> {
        control.check()?;
        let info = reader.next_frame(&mut buffer).map_err(damaged)?;
        let bytes = buffer.get(..info.buffer_size()).unwrap_or_default();
        let mut pixels = to_rgba(bytes, color_type);
        if let Some(icc) = &icc {
            color::to_srgb(&mut pixels, icc);
        }
        Ok(picture_of(info.width, info.height, pixels)?)
    };

    let mut first = next(&mut reader)?;
    let animation = reader.info().animation_control.filter(|_| frames > 1);
    let Some(animation) = animation else {
        // What follows the pixels has checksums of its own.
        reader.finish().map_err(damaged)?;
        return Ok(Picture::still(first, has_alpha));
    };
    let mut control = reader.info().frame_control;
    if control.is_none() {
        // The picture for viewers that don't know animations is none of its frames.
        first = next(&mut reader)?;
        control = reader.info().frame_control;
    }
    let mut canvas = Canvas::new(size);
    let mut shown = Vec::new();
    let mut pixels = first;
    for index in 0..animation.num_frames.min(frames) {
        if index > 0 {
            pixels = next(&mut reader)?;
            control = reader.info().frame_control;
        }
        let Some(frame) = control else { break };
        let disposal = match frame.dispose_op {
            DisposeOp::None => Disposal::Keep,
            DisposeOp::Background => Disposal::Clear,
            DisposeOp::Previous => Disposal::Restore,
        };
        let patch = Patch { left: frame.x_offset, top: frame.y_offset, pixels: &pixels };
        let pixels = canvas.show(&patch, frame.blend_op == BlendOp::Over, disposal);
        let per_second = u32::from(if frame.delay_den == 0 { 100 } else { frame.delay_den });
        shown.push(Frame { pixels, delay: u32::from(frame.delay_num) * 1000 / per_second });
    }
    Ok(Picture::animated(shown, animation.num_plays, true)
        .ok_or_else(|| broken(Format::Png, "an animation without frames"))?)
}

/// Eight-bit pixels as RGBA. Palettes were expanded by the decoder.
fn to_rgba(bytes: &[u8], color_type: ColorType) -> Vec<u8> {
    match color_type {
        ColorType::Grayscale | ColorType::Indexed => {
            expand(bytes, |[grey]| [grey, grey, grey, 255])
        }
        ColorType::GrayscaleAlpha => expand(bytes, |[grey, alpha]| [grey, grey, grey, alpha]),
        ColorType::Rgb => expand(bytes, |[red, green, blue]| [red, green, blue, 255]),
        ColorType::Rgba => bytes.to_vec(),
    }
}
