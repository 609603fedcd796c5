//! Pixels to bytes.

mod gif;
mod jpeg;
mod png;
mod webp;

use super::{
    control::{Control, Failure},
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

/// Writes `picture` as `format`.
pub(super) fn encode(
    picture: &Picture,
    format: Format,
    spec: &Spec,
    control: &Control,
) -> Result<Vec<u8>, Failure> {
    match format {
        Format::Jpeg => Ok(jpeg::encode(picture, spec)?),
        Format::Png => Ok(png::encode(picture)?),
        Format::Webp => webp::encode(picture, spec, control),
        Format::Gif => gif::encode(picture, control),
        other => Err(Error::internal(format!("{} is not written", other.as_str())).into()),
    }
}

/// `transform_impossible`, for an encoder that can't hold the picture.
fn refused(format: Format, cause: impl std::fmt::Display) -> Error {
    let detail = format!("the result can't be written as {}", format.as_str());
    Error::new(Code::TransformImpossible, detail).caused_by(cause)
}

/// The opaque colours of RGBA pixels.
fn without_alpha(pixels: &[u8]) -> Vec<u8> {
    let pixels = pixels.as_chunks::<4>().0;
    pixels.iter().flat_map(|[red, green, blue, _]| [*red, *green, *blue]).collect()
}
