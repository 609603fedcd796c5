//! JPEG XL, by jxl-oxide: the first picture of the file, which the decoder puts upright.

use std::io::Cursor;

use jxl_oxide::{AllocTracker, FrameBufferSample, JxlImage, JxlThreadPool, PixelFormat, Render};

use super::{Wanted, broken, expand, picture_of, settle};
use crate::{
    domain::{
        error::{Code, Error},
        format::Format,
    },
    imaging::{
        control::{Control, Failure},
        picture::{Picture, Pixels, Raster},
        probe::Probe,
        sample::Sample,
        watched::Watched,
    },
};

/// Bytes a pixel: planes of floats, several of them at a time.
const MEMORY: u64 = 64;
/// Bytes whatever the size.
const TABLES: u64 = 64 << 20;
/// Primaries and curve of sRGB as ITU-T H.273 counts them.
const SRGB: [u8; 2] = [1, 13];

pub(super) fn decode(
    input: &[u8],
    probe: &Probe,
    wanted: Wanted,
    control: &Control,
) -> Result<Picture, Failure> {
    let damaged = |cause: String| broken(Format::Jxl, cause);
    let pixels = u64::from(probe.width) * u64::from(probe.height);
    let most = usize::try_from(pixels * MEMORY + TABLES).map_err(Error::internal)?;
    let image = JxlImage::builder()
        .pool(JxlThreadPool::none())
        .alloc_tracker(AllocTracker::with_limit(most))
        .read(Watched::new(Cursor::new(input), control))
        .map_err(|cause| damaged(cause.to_string()))?;
    if !image.is_loading_done() {
        return Err(damaged("there is more to come".to_owned()).into());
    }
    if image.hdr_type().is_some() {
        let detail = "JPEG XL of high dynamic range (PQ or HLG) is not read";
        return Err(Error::new(Code::UnsupportedMediaType, detail).into());
    }
    let format = image.pixel_format();
    if format.has_black() {
        let detail = "JPEG XL of inks (CMYK) is not read";
        return Err(Error::new(Code::UnsupportedMediaType, detail).into());
    }
    let is_srgb = image.rendered_cicp().is_some_and(|code| code.starts_with(&SRGB));
    let icc = (!is_srgb).then(|| image.rendered_icc());
    let frame = image.render_frame(0).map_err(|cause| damaged(cause.to_string()))?;
    let depth = image.image_header().metadata.bit_depth.bits_per_sample();
    let (pixels, icc) = if depth > 8 && wanted.sixteen {
        let (raster, icc) = read::<u16>(&frame, format, icc.as_deref(), wanted, control)?;
        (Pixels::Sixteen(raster), icc)
    } else {
        let (raster, icc) = read::<u8>(&frame, format, icc.as_deref(), wanted, control)?;
        (Pixels::Eight(raster), icc)
    };
    Ok(Picture { icc, ..Picture::still(pixels, format.has_alpha()) })
}

fn read<S: Sample + FrameBufferSample>(
    frame: &Render,
    format: PixelFormat,
    icc: Option<&[u8]>,
    wanted: Wanted,
    control: &Control,
) -> Result<(Raster<S>, Option<Vec<u8>>), Failure> {
    let mut stream = frame.stream();
    let (width, height) = (stream.width(), stream.height());
    let count = u64::from(width) * u64::from(height) * u64::from(stream.channels());
    let mut samples = vec![S::from_byte(0); usize::try_from(count).map_err(Error::internal)?];
    if stream.write_to_buffer(&mut samples) != samples.len() {
        return Err(broken(Format::Jxl, "fewer samples than the header says").into());
    }
    let full = S::max_value();
    let mut rgba: Vec<S> = match format {
        PixelFormat::Gray => expand(&samples, |[grey]| [grey, grey, grey, full]),
        PixelFormat::Graya => expand(&samples, |[grey, alpha]| [grey, grey, grey, alpha]),
        PixelFormat::Rgb => expand(&samples, |[red, green, blue]| [red, green, blue, full]),
        _ => samples,
    };
    let kept = settle(&mut rgba, icc, wanted, control)?;
    Ok((picture_of(width, height, rgba)?, kept))
}
