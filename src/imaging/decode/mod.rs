//! Bytes to pixels in sRGB. Every decoder refuses a file that ends too early or fails its checksums: nothing is filled in.

mod avif;
mod baseline;
mod canvas;
mod gif;
mod jpeg;
mod jxl;
mod meaning;
mod other;
mod png;
mod reduced;
mod tiff;
mod webp;

use std::time::Duration;

pub(super) use self::{
    jpeg::version as turbo_version,
    other::foreign,
    reduced::{cost as cost_of_reducing, how as reduced_as},
};
use super::{
    color,
    control::{Control, Failure},
    picture::{Picture, Pixels, Raster},
    plan::View,
    probe::Probe,
    sample::Sample,
    svg,
};
use crate::domain::{
    error::{Code, Error},
    format::Format,
    limits::Limits,
};

/// What of a file is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// So many frames, from the first on.
    pub frames: u32,
    /// Sixteen bits a channel, where the file has them.
    pub sixteen: bool,
    /// Colours as they are, with the profile that says what they mean.
    pub icc: bool,
    /// Another view than all of it at its own size, where the format allows for that.
    pub view: Option<View>,
}

impl Wanted {
    /// The first frame as it is seen.
    pub(super) const FIRST: Self = Self { frames: 1, sixteen: false, icc: false, view: None };
}

/// What became of a file.
pub(super) struct Decoded {
    pub picture: Picture,
    /// What there is to say of the way.
    pub how: String,
    /// Whether it is as [`Wanted::view`] says.
    pub is_early: bool,
    /// How much of the time it was made smaller, and nothing was decoded.
    pub mixing: Duration,
}

impl Decoded {
    /// All of a picture, or of its frames.
    fn whole(picture: Picture) -> Self {
        Self { picture, how: String::new(), is_early: false, mixing: Duration::ZERO }
    }
}

/// Decodes what is wanted of a picture that was probed, and so is within the limits.
pub(super) fn decode(
    input: &[u8],
    probe: &Probe,
    wanted: Wanted,
    limits: &Limits,
    control: &Control,
) -> Result<Decoded, Failure> {
    let whole = match wanted.view {
        Some(View::Drawn(view)) => drawn(input, view, limits),
        Some(View::Reduced(reduction)) => {
            let stored = reduction.stored(probe.orientation, (probe.width, probe.height));
            match reduced::reduce(input, probe, &stored, wanted, limits, control) {
                Ok(Some(decoded)) => Ok(decoded),
                Ok(None) => all(input, probe, wanted, limits, control).map(Decoded::whole),
                Err(failure) => Err(failure),
            }
        }
        None => all(input, probe, wanted, limits, control).map(Decoded::whole),
    };
    // A decoder that was stopped takes it for a fault of the file.
    control.check()?;
    let decoded = whole?;
    // The plan was made for the size that the headers gave.
    let stored =
        |(width, height)| if probe.orientation > 4 { (height, width) } else { (width, height) };
    let expected = match wanted.view.filter(|_| decoded.is_early) {
        Some(View::Drawn(view)) => view.size,
        Some(View::Reduced(reduction)) => stored(reduction.size),
        None => stored((probe.width, probe.height)),
    };
    if decoded.picture.size() == expected {
        Ok(decoded)
    } else {
        Err(corrupt("the pixels are not of the size that the header says").into())
    }
}

/// All that is wanted, at its own size.
fn all(
    input: &[u8],
    probe: &Probe,
    wanted: Wanted,
    limits: &Limits,
    control: &Control,
) -> Result<Picture, Failure> {
    match probe.format {
        Format::Jpeg => jpeg::decode(input, wanted, limits, control),
        Format::Png => png::decode(input, wanted, control),
        Format::Gif => gif::decode(input, wanted.frames, limits, control),
        Format::Webp => webp::decode(input, wanted, limits, control),
        Format::Avif => avif::decode(input, wanted, limits, control),
        Format::Jxl => jxl::decode(input, probe, wanted, control),
        Format::Tiff => tiff::decode(input, wanted, limits, control),
        Format::Svg => {
            let whole = svg::View::whole((probe.width, probe.height));
            drawn(input, whole, limits).map(|drawn| drawn.picture)
        }
        format => other::decode(input, format, wanted, limits, control),
    }
}

/// The colour profile that a JPEG, a PNG or a WebP carries.
pub(super) fn icc(input: &[u8], format: Format) -> Option<Vec<u8>> {
    match format {
        Format::Jpeg => jpeg::icc(input),
        Format::Png => png::icc(input),
        Format::Webp => webp::icc(input),
        _ => None,
    }
}

fn drawn(input: &[u8], view: svg::View, limits: &Limits) -> Result<Decoded, Failure> {
    let (width, height) = view.size;
    let pixels = picture_of(width, height, svg::draw(input, view, limits)?)?;
    let picture = Picture::still(Pixels::Eight(pixels), true);
    let how = drawn_as(view.size);
    Ok(Decoded { picture, how, is_early: true, mixing: Duration::ZERO })
}

/// How a drawing is drawn.
pub(super) fn drawn_as((width, height): (u32, u32)) -> String {
    format!("drawn at once as {width} × {height}")
}

/// `image_corrupt`, for a decoder that gave up.
fn broken(format: Format, cause: impl std::fmt::Display) -> Error {
    let name = format.as_str().to_ascii_uppercase();
    corrupt(&format!("the {name} is damaged or ends too early")).caused_by(cause)
}

fn corrupt(detail: &str) -> Error {
    Error::new(Code::ImageCorrupt, detail)
}

/// RGBA samples as a picture of that size.
fn picture_of<S: Sample>(width: u32, height: u32, samples: Vec<S>) -> Result<Raster<S>, Error> {
    Raster::<S>::from_raw(width, height, samples)
        .ok_or_else(|| corrupt("the pixels are not of the size that the header says"))
}

/// Pixels of `N` channels as RGBA.
fn expand<const N: usize, S: Sample>(samples: &[S], to_rgba: impl Fn([S; N]) -> [S; 4]) -> Vec<S> {
    samples.as_chunks::<N>().0.iter().flat_map(|pixel| to_rgba(*pixel)).collect()
}

/// Brings pixels into sRGB by the file's profile, unless that is kept: then it is returned.
fn settle<S: Sample>(
    pixels: &mut [S],
    icc: Option<&[u8]>,
    wanted: Wanted,
    control: &Control,
) -> Result<Option<Vec<u8>>, Failure> {
    let Some(icc) = icc else { return Ok(None) };
    if wanted.icc && color::can_be_kept(icc) {
        return Ok(Some(icc.to_vec()));
    }
    color::to_srgb(pixels, icc, control)?;
    Ok(None)
}

/// The most memory that a decoder may use for its own: a picture at the limit in 16 bits a channel, twice.
fn memory(limits: &Limits) -> u64 {
    limits.pixels.saturating_mul(16).saturating_add(1 << 24)
}
