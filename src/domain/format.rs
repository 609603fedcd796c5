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
        }
    }

    /// The format of that name; `jpg` and `tif` are understood.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "jpg" => Some(Format::Jpeg),
            "tif" => Some(Format::Tiff),
            _ => Self::ALL.iter().copied().find(|format| format.as_str() == name),
        }
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
        }
    }

    /// Whether we write it.
    pub const fn is_writable(self) -> bool {
        matches!(self, Format::Jpeg | Format::Png | Format::Webp | Format::Gif)
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
