//! Pixels to bytes.

mod approach;
mod avif;
mod gif;
mod jpeg;
mod other;
mod png;
mod sample;
mod search;
mod tiff;
mod webp;

#[cfg(test)]
mod tests;

pub(super) use self::{
    avif::held as held_for_avif,
    jpeg::{held as held_for_jpeg, is_progressive},
    sample::{is_whole, judged},
    search::Encoded,
    webp::is_thorough,
};
use super::{
    control::{Control, Failure},
    metadata,
    picture::Picture,
};
use crate::domain::{
    error::{Code, Error},
    format::Format,
    transform::Spec,
};

/// Whether pictures of `format` are written with all their frames.
pub(super) const fn is_animated(format: Format) -> bool {
    matches!(format, Format::Gif | Format::Webp)
}

/// Whether files of `format` say what their colours mean.
pub(super) const fn holds_icc(format: Format) -> bool {
    matches!(format, Format::Jpeg | Format::Png | Format::Webp | Format::Avif | Format::Tiff)
}

/// Writes `picture` as `format`, at the quality and within the bytes that the spec asks for.
pub(super) fn encode(
    picture: &Picture,
    format: Format,
    spec: &Spec,
    control: &Control,
) -> Result<Encoded, Failure> {
    let whole = picture.size();
    search::encode(picture, format, spec, control, |picture, quality| {
        write(picture, whole, format, quality, spec, control)
    })
}

/// Writes `picture` as `format` at a quality of 1 to 100, where that means something; with the effort that a picture of the size
/// `whole` gets, of which it may be a part.
fn write(
    picture: &Picture,
    whole: (u32, u32),
    format: Format,
    quality: u8,
    spec: &Spec,
    control: &Control,
) -> Result<Vec<u8>, Failure> {
    let bytes = match format {
        Format::Jpeg => jpeg::encode(picture, quality, spec, control),
        Format::Png => png::encode(picture, spec, control),
        Format::Webp => webp::encode(picture, quality, spec, control),
        Format::Gif => gif::encode(picture, control),
        Format::Tiff => tiff::encode(picture, control),
        Format::Avif => avif::encode(picture, whole, quality, spec, control),
        other => other::encode(picture, other, control),
    };
    // An encoder that was stopped takes it for a place without room.
    control.check()?;
    let bytes = bytes?;
    Ok(metadata::attach(bytes, format, &picture.metadata, picture.icc.as_deref())?)
}

/// Whether `format` has room for a picture of `size`; known before a pixel is decoded.
pub(super) fn check(format: Format, size: (u32, u32)) -> Result<(), Error> {
    let (most, what) = match format {
        Format::Ico => (other::LARGEST_ICON, "an icon has at most 256 pixels a side"),
        Format::Webp => (webp::MAX_SIDE, "WebP has at most 16383 pixels a side"),
        Format::Jpeg => (jpeg::MAX_SIDE, "a JPEG has at most 65500 pixels a side"),
        _ => (65_535, "at most 65535 pixels a side"),
    };
    if size.0.max(size.1) > most { Err(too_large(format, size, what)) } else { Ok(()) }
}

/// `transform_impossible`, for a format that can't hold so many pixels.
fn too_large(format: Format, (width, height): (u32, u32), most: &str) -> Error {
    let detail =
        format!("{width} × {height} pixels can't be written as {}: {most}", format.as_str());
    Error::new(Code::TransformImpossible, detail)
}

/// `transform_impossible`, for an encoder that can't hold the picture.
fn refused(format: Format, cause: impl std::fmt::Display) -> Error {
    let detail = format!("the result can't be written as {}", format.as_str());
    Error::new(Code::TransformImpossible, detail).caused_by(cause)
}

/// The colours of RGBA samples, without their alpha.
fn colors<S: Copy>(samples: &[S]) -> Vec<S> {
    let pixels = samples.as_chunks::<4>().0;
    pixels.iter().flat_map(|[red, green, blue, _]| [*red, *green, *blue]).collect()
}
