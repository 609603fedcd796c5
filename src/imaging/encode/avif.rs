//! AVIF, by libavif and libaom.

use super::refused;
use crate::{
    domain::{
        error::Result,
        format::Format,
        transform::{Profile, Spec},
    },
    imaging::{
        avif::{self, Settings},
        picture::Picture,
    },
};

/// From this quality on, colour keeps its full resolution.
const FULL_COLOR: u8 = 90;

pub(super) fn encode(picture: &Picture, quality: u8, spec: &Spec) -> Result<Vec<u8>> {
    let pixels = picture.first.pixels.eight();
    let settings = Settings {
        quality,
        speed: match spec.profile {
            Profile::Best => 6,
            Profile::Fast => 9,
        },
        full_color: quality >= FULL_COLOR,
        lossless: spec.lossless,
        has_alpha: picture.has_alpha,
        icc: picture.icc.as_deref(),
        exif: picture.metadata.exif.as_deref(),
        xmp: picture.metadata.xmp.as_deref(),
    };
    avif::encode(pixels.as_raw(), picture.size(), &settings)
        .map_err(|cause| refused(Format::Avif, cause))
}
