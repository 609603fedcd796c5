//! PNG, with its checksums; APNG up to the frames that are wanted.

mod chunks;
mod inflate;
mod lines;
mod unfilter;

#[cfg(test)]
mod tests;

use std::{borrow::Cow, io::Cursor};

use moxcms::ColorProfile;
use png::{
    BitDepth, BlendOp, ColorType, DecodeOptions, Decoder, DisposeOp, FrameControl, Reader,
    Transformations,
};

pub(super) use self::lines::Lines;
use super::{
    Wanted, broken,
    canvas::{Canvas, Disposal, Patch},
    expand,
    meaning::Meaning,
    picture_of,
};
use crate::{
    domain::{
        error::{Code, Error},
        format::Format,
    },
    imaging::{
        color,
        control::{Control, Failure},
        picture::{Frame, Picture, Pixels, Raster},
        rows::Rows,
        sample::Sample,
        watched::Watched,
    },
};

/// The most that profiles and the like may take, unpacked; pixels are not counted, their number is checked before.
const METADATA: usize = 32 << 20;

pub(super) fn decode<'a>(
    input: &'a [u8],
    wanted: Wanted,
    control: &'a Control,
) -> Result<Picture, Failure> {
    if wanted.frames <= 1
        && let Some((mut lines, meaning)) = Lines::of(input, control)?
    {
        let (width, height) = lines.size();
        let mut pixels = Vec::with_capacity(width as usize * height as usize * 4);
        while let Some(row) = lines.next()? {
            pixels.extend_from_slice(row);
        }
        let icc = meaning.settle(&mut pixels, wanted, control)?;
        let pixels = Pixels::Eight(picture_of(width, height, pixels)?);
        return Ok(Picture { icc, ..Picture::still(pixels, lines.has_alpha()) });
    }
    whole(input, wanted, control)
}

/// Any PNG, as far as the `png` crate has all of a frame.
fn whole<'a>(input: &'a [u8], wanted: Wanted, control: &'a Control) -> Result<Picture, Failure> {
    let reader = opened(input, control)?;
    let size = reader.output_buffer_size().ok_or_else(|| {
        Error::internal("a PNG within the limits has more bytes than can be addressed")
    })?;
    let meaning = meaning(reader.info())?;
    let (color, depth) = reader.output_color_type();
    let is_deep = depth == BitDepth::Sixteen;
    let is_narrowed = is_deep && !wanted.sixteen;
    let buffer = vec![0; size];
    let mut file = File { reader, buffer, color, is_narrowed, meaning, wanted, control };
    let has_alpha = matches!(color, ColorType::GrayscaleAlpha | ColorType::Rgba);
    if is_deep && wanted.sixteen {
        let (raster, icc) = file.next::<u16>()?;
        file.reader.finish().map_err(damaged)?;
        return Ok(Picture { icc, ..Picture::still(Pixels::Sixteen(raster), has_alpha) });
    }
    let (first, icc) = file.next::<u8>()?;
    let picture = match file.reader.info().animation_control.filter(|_| wanted.frames > 1) {
        Some(animation) => file.animation(first, animation)?,
        None => {
            // What follows the pixels has checksums of its own.
            file.reader.finish().map_err(damaged)?;
            Picture::still(Pixels::Eight(first), has_alpha)
        }
    };
    Ok(Picture { icc, ..picture })
}

/// A file up to its pixels.
fn opened<'a>(
    input: &'a [u8],
    control: &'a Control,
) -> Result<Reader<Watched<'a, Cursor<&'a [u8]>>>, Error> {
    let mut options = DecodeOptions::default();
    options.set_ignore_adler32(false);
    options.set_skip_ancillary_crc_failures(false);
    let mut decoder = Decoder::new_with_options(Watched::new(Cursor::new(input), control), options);
    decoder.set_limits(png::Limits { bytes: METADATA });
    decoder.set_ignore_text_chunk(true);
    // Not made eight bits here: the decoder would drop the low byte, and all colours get darker by half a level.
    decoder.set_transformations(Transformations::EXPAND);
    decoder.read_info().map_err(damaged)
}

/// The profile of a file's colours.
pub(super) fn icc(input: &[u8]) -> Option<Vec<u8>> {
    let control = Control::default();
    let file = opened(input, &control).ok()?;
    file.info().icc_profile.as_ref().map(|icc| icc.to_vec())
}

fn damaged(cause: png::DecodingError) -> Error {
    broken(Format::Png, cause)
}

/// What the numbers of its pixels mean. Of several chunks that say it the first counts of cICP, iCCP, sRGB, and gAMA with cHRM.
fn meaning(info: &png::Info<'_>) -> Result<Meaning, Error> {
    let numbers = |profile: Option<ColorProfile>| {
        profile.map_or(Meaning::Srgb, |profile| Meaning::Numbers(Box::new(profile)))
    };
    if let Some(code) = info.coding_independent_code_points {
        let what = match code {
            _ if color::is_bright(code.transfer_function.into()) => {
                "PNG of high dynamic range (PQ or HLG)"
            }
            _ if !code.is_video_full_range_image => "PNG of narrow range",
            _ => {
                let (primaries, transfer) = (code.color_primaries, code.transfer_function);
                return Ok(numbers(color::from_code_points(primaries.into(), transfer.into())));
            }
        };
        return Err(Error::new(Code::UnsupportedMediaType, format!("{what} is not read")));
    }
    Ok(match (&info.icc_profile, info.srgb, info.gama_chunk) {
        (Some(icc), _, _) => Meaning::Icc(icc.to_vec()),
        (None, None, Some(gamma)) => {
            let places = info.chrm_chunk.map(|said| {
                [said.white, said.red, said.green, said.blue]
                    .map(|(x, y)| [x.into_value(), y.into_value()])
            });
            numbers(color::from_gamma(gamma.into_value(), places))
        }
        _ => Meaning::Srgb,
    })
}

/// A file that is being decoded.
struct File<'a> {
    reader: Reader<Watched<'a, Cursor<&'a [u8]>>>,
    buffer: Vec<u8>,
    color: ColorType,
    /// Sixteen bits that are to be eight.
    is_narrowed: bool,
    meaning: Meaning,
    wanted: Wanted,
    control: &'a Control,
}

impl File<'_> {
    /// The next picture in it, and the profile that its colours were left in.
    fn next<S: Sample>(&mut self) -> Result<(Raster<S>, Option<Vec<u8>>), Failure> {
        self.control.check()?;
        let info = self.reader.next_frame(&mut self.buffer).map_err(damaged)?;
        let bytes = self.buffer.get(..info.buffer_size()).unwrap_or_default();
        let bytes = if self.is_narrowed { narrowed(bytes) } else { Cow::Borrowed(bytes) };
        let mut samples = to_rgba(&S::from_big_endian(&bytes), self.color);
        let icc = self.meaning.settle(&mut samples, self.wanted, self.control)?;
        Ok((picture_of(info.width, info.height, samples)?, icc))
    }

    fn animation(
        &mut self,
        mut pixels: Raster<u8>,
        animation: png::AnimationControl,
    ) -> Result<Picture, Failure> {
        let size = (self.reader.info().width, self.reader.info().height);
        let mut control = self.reader.info().frame_control;
        if control.is_none() {
            // The picture for viewers that don't know animations is none of its frames.
            pixels = self.next()?.0;
            control = self.reader.info().frame_control;
        }
        let mut canvas = Canvas::new(size);
        let mut shown = Vec::new();
        for index in 0..animation.num_frames.min(self.wanted.frames) {
            if index > 0 {
                pixels = self.next()?.0;
                control = self.reader.info().frame_control;
            }
            let Some(frame) = control else { break };
            shown.push(show(&mut canvas, &pixels, frame));
        }
        Ok(Picture::animated(shown, animation.num_plays, true)
            .ok_or_else(|| broken(Format::Png, "an animation without frames"))?)
    }
}

/// What is seen once `pixels` were laid on the canvas.
fn show(canvas: &mut Canvas, pixels: &Raster<u8>, frame: FrameControl) -> Frame {
    let disposal = match frame.dispose_op {
        DisposeOp::None => Disposal::Keep,
        DisposeOp::Background => Disposal::Clear,
        DisposeOp::Previous => Disposal::Restore,
    };
    let patch = Patch { left: frame.x_offset, top: frame.y_offset, pixels };
    let pixels = canvas.show(&patch, frame.blend_op == BlendOp::Over, disposal);
    let per_second = u32::from(if frame.delay_den == 0 { 100 } else { frame.delay_den });
    let delay = u32::from(frame.delay_num) * 1000 / per_second;
    Frame { pixels: Pixels::Eight(pixels), delay }
}

/// Samples of sixteen bits, the nearest of eight.
fn narrowed(bytes: &[u8]) -> Cow<'_, [u8]> {
    let samples = bytes.as_chunks::<2>().0.iter().map(|sample| u16::from_be_bytes(*sample));
    samples.map(|sample| u8::nearest(sample.float() / 257.0)).collect()
}

/// Samples as RGBA. Palettes were expanded by the decoder.
fn to_rgba<S: Sample>(samples: &[S], color: ColorType) -> Vec<S> {
    let full = S::max_value();
    match color {
        ColorType::Grayscale | ColorType::Indexed => {
            expand(samples, |[grey]| [grey, grey, grey, full])
        }
        ColorType::GrayscaleAlpha => expand(samples, |[grey, alpha]| [grey, grey, grey, alpha]),
        ColorType::Rgb => expand(samples, |[red, green, blue]| [red, green, blue, full]),
        ColorType::Rgba => samples.to_vec(),
    }
}
