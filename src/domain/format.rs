//! Picture formats: their names, media types and what we can do with each.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A picture format, decided by the bytes and never by a name or a `Content-Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JPEG.
    Jpeg,
    /// PNG, and APNG.
    Png,
    /// WebP.
    Webp,
    /// GIF.
    Gif,
    /// TIFF.
    Tiff,
    /// Windows bitmap.
    Bmp,
    /// Windows icon.
    Ico,
    /// Quite OK Image.
    Qoi,
    /// Netpbm: PBM, PGM, PPM, PAM.
    Pnm,
    /// Truevision TGA.
    Tga,
    /// AVIF.
    Avif,
    /// JPEG XL.
    Jxl,
    /// SVG, drawn at the size that it names.
    Svg,
    /// Radiance HDR: light, white and darker.
    Hdr,
    /// OpenEXR: light, white and darker.
    Exr,
}

impl Format {
    /// Every format.
    pub const ALL: &[Format] = &[
        Format::Jpeg,
        Format::Png,
        Format::Webp,
        Format::Gif,
        Format::Tiff,
        Format::Bmp,
        Format::Ico,
        Format::Qoi,
        Format::Pnm,
        Format::Tga,
        Format::Avif,
        Format::Jxl,
        Format::Svg,
        Format::Hdr,
        Format::Exr,
    ];

    /// Its name in a spec.
    pub const fn as_str(self) -> &'static str {
        match self {
            Format::Jpeg => "jpeg",
            Format::Png => "png",
            Format::Webp => "webp",
            Format::Gif => "gif",
            Format::Tiff => "tiff",
            Format::Bmp => "bmp",
            Format::Ico => "ico",
            Format::Qoi => "qoi",
            Format::Pnm => "pnm",
            Format::Tga => "tga",
            Format::Avif => "avif",
            Format::Jxl => "jxl",
            Format::Svg => "svg",
            Format::Hdr => "hdr",
            Format::Exr => "exr",
        }
    }

    /// Other names that are understood.
    pub const ALIASES: &[(&'static str, Format)] = &[("jpg", Format::Jpeg), ("tif", Format::Tiff)];

    /// The format of that name, or of that alias.
    pub fn from_name(name: &str) -> Option<Self> {
        let names = Self::ALL.iter().map(|format| (format.as_str(), *format));
        let mut names = names.chain(Self::ALIASES.iter().copied());
        names.find(|(known, _)| *known == name).map(|(_, format)| format)
    }

    /// The file extension that people expect.
    pub const fn extension(self) -> &'static str {
        match self {
            Format::Jpeg => "jpg",
            other => other.as_str(),
        }
    }

    /// The media type it is served as.
    pub const fn mime_type(self) -> &'static str {
        match self {
            Format::Jpeg => "image/jpeg",
            Format::Png => "image/png",
            Format::Webp => "image/webp",
            Format::Gif => "image/gif",
            Format::Tiff => "image/tiff",
            Format::Bmp => "image/bmp",
            Format::Ico => "image/x-icon",
            Format::Qoi => "image/qoi",
            Format::Pnm => "image/x-portable-anymap",
            Format::Tga => "image/x-tga",
            Format::Avif => "image/avif",
            Format::Jxl => "image/jxl",
            Format::Svg => "image/svg+xml",
            Format::Hdr => "image/vnd.radiance",
            Format::Exr => "image/x-exr",
        }
    }

    /// Whether we write it.
    pub const fn is_writable(self) -> bool {
        !matches!(
            self,
            Format::Pnm | Format::Tga | Format::Jxl | Format::Svg | Format::Hdr | Format::Exr
        )
    }

    /// Whether it holds transparency.
    pub const fn has_alpha(self) -> bool {
        !matches!(self, Format::Jpeg)
    }

    /// What a picture of this format becomes when the spec names none.
    pub const fn default_output(self) -> Self {
        if self.is_writable() { self } else { Format::Png }
    }
}
