//! Bytes to pixels in sRGB. Every decoder refuses a file that ends too early or fails its checksums: nothing is filled in.

mod canvas;
mod gif;
mod jpeg;
mod other;
mod png;
mod webp;

use image::RgbaImage;

pub(super) use self::other::foreign;
use super::{
    control::{Control, Failure},
    picture::Picture,
    probe::Probe,
};
use crate::domain::{
    error::{Code, Error},
    format::Format,
    limits::Limits,
};

/// Decodes the first `frames` frames of a picture that was probed, and so is within the limits.
pub(super) fn decode(
    input: &[u8],
    probe: &Probe,
    frames: u32,
    limits: &Limits,
    control: &Control,
) -> Result<Picture, Failure> {
    let picture = match probe.format {
        Format::Jpeg => jpeg::decode(input, limits)?,
        Format::Png => png::decode(input, frames, control)?,
        Format::Gif => gif::decode(input, frames, limits, control)?,
        Format::Webp => webp::decode(input, frames, limits, control)?,
        format => other::decode(input, format, limits)?,
    };
    // The plan was made for the size that the headers gave.
    let (width, height) = picture.size();
    let expected = if probe.orientation > 4 {
        (probe.height, probe.width)
    } else {
        (probe.width, probe.height)
    };
    if (width, height) == expected {
        Ok(picture)
    } else {
        Err(corrupt("the pixels are not of the size that the header says").into())
    }
}

/// `image_corrupt`, for a decoder that gave up.
fn broken(format: Format, cause: impl std::fmt::Display) -> Error {
    let name = format.as_str().to_ascii_uppercase();
    corrupt(&format!("the {name} is damaged or ends too early")).caused_by(cause)
}

fn corrupt(detail: &str) -> Error {
    Error::new(Code::ImageCorrupt, detail)
}

/// RGBA bytes as a picture of that size.
fn picture_of(width: u32, height: u32, bytes: Vec<u8>) -> Result<RgbaImage, Error> {
    RgbaImage::from_raw(width, height, bytes)
        .ok_or_else(|| corrupt("the pixels are not of the size that the header says"))
}

/// Pixels of `N` channels as RGBA.
fn expand<const N: usize>(bytes: &[u8], to_rgba: impl Fn([u8; N]) -> [u8; 4]) -> Vec<u8> {
    bytes.as_chunks::<N>().0.iter().flat_map(|pixel| to_rgba(*pixel)).collect()
}

/// The most memory that a decoder may use for its own: a picture at the limit in 16 bits a channel, twice.
fn memory(limits: &Limits) -> u64 {
    limits.pixels.saturating_mul(16).saturating_add(1 << 24)
}
