//! JPEG, by zune-jpeg in its strict mode: by default it fills in what is missing.

use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

use super::{broken, expand, picture_of};
use crate::{
    domain::{
        error::{Error, Result},
        format::Format,
        limits::Limits,
    },
    imaging::{color, picture::Picture, probe::has_adobe_marker},
};

/// A progressive JPEG may hold any number of scans over the whole picture; honest ones hold about ten.
const MAX_SCANS: usize = 100;

pub(super) fn decode(input: &[u8], limits: &Limits) -> Result<Picture> {
    let longest = usize::try_from(limits.width.max(limits.height)).map_err(Error::internal)?;
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(longest)
        .set_max_height(longest)
        .jpeg_set_max_scans(MAX_SCANS);
    let damaged = |cause| broken(Format::Jpeg, cause);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(input), options);
    decoder.decode_headers().map_err(|cause| damaged(cause.to_string()))?;
    let coded = decoder.input_colorspace().ok_or_else(|| damaged("no colour space".to_owned()))?;
    let wanted = match coded {
        ColorSpace::YCbCr | ColorSpace::Luma => ColorSpace::RGBA,
        // Taken as they are and converted here: the decoder's own conversion ignores profiles.
        other => other,
    };
    decoder.set_options(options.jpeg_set_out_colorspace(wanted));
    let mut pixels = decoder.decode().map_err(|cause| damaged(cause.to_string()))?;
    let info = decoder.info().ok_or_else(|| damaged("no header".to_owned()))?;
    let icc = decoder.icc_profile();

    match coded {
        ColorSpace::CMYK | ColorSpace::YCCK => {
            if coded == ColorSpace::YCCK {
                pixels.as_chunks_mut::<4>().0.iter_mut().for_each(ycck_to_cmyk);
            }
            if has_adobe_marker(input) {
                pixels.iter_mut().for_each(|ink| *ink = 255 - *ink);
            }
            color::inks_to_srgb(&mut pixels, icc.as_deref());
        }
        ColorSpace::RGB => pixels = expand(&pixels, |[red, green, blue]| [red, green, blue, 255]),
        _ => {}
    }
    if let Some(icc) = icc
        && !matches!(coded, ColorSpace::CMYK | ColorSpace::YCCK)
    {
        color::to_srgb(&mut pixels, &icc);
    }
    let pixels = picture_of(info.width.into(), info.height.into(), pixels)?;
    Ok(Picture::still(pixels, false))
}

/// Luma and chroma of the three coloured inks, by JFIF's matrix; the black is as it is.
fn ycck_to_cmyk(pixel: &mut [u8; 4]) {
    let [luma, blue, red, black] = *pixel;
    let (luma, blue, red) = (f32::from(luma), f32::from(blue) - 128.0, f32::from(red) - 128.0);
    let ink = |light: f32| {
        // The coding treats 255 − ink as if it were light.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // The cast saturates.
        let light = light.round() as u8;
        255 - light
    };
    *pixel = [
        ink(luma + 1.402 * red),
        ink(luma - 0.344_136 * blue - 0.714_136 * red),
        ink(luma + 1.772 * blue),
        black,
    ];
}
