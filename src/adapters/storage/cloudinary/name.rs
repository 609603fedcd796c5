//! What an object is called at Cloudinary, and as what it is kept there.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::domain::format::Format;

/// What stands as it is in a delivery URL; the rest is escaped before it is signed, as Cloudinary's own libraries do.
const ESCAPED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'_').remove(b'-').remove(b'.').remove(b'/').remove(b':');

/// What Cloudinary takes a file for: its `resource_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A picture, which it opens, and shows to people.
    Image,
    /// Bytes, which it only keeps.
    Raw,
}

impl Kind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Raw => "raw",
        }
    }

    const fn of(format: Format) -> Self {
        match format {
            // Taken, and named by Cloudinary as by us: asked for by its own name a picture comes back as it came.
            Format::Jpeg
            | Format::Png
            | Format::Webp
            | Format::Gif
            | Format::Bmp
            | Format::Avif => Self::Image,
            // Taken, but as `tif` or `jpx` or by only some plans: asked for by our name it might be made anew, a page of many.
            Format::Tiff | Format::Jxl | Format::Tga => Self::Raw,
            // One of several sizes is all that Cloudinary sees.
            Format::Ico => Self::Raw,
            // We have taken out what may run or load; nobody shall write it anew.
            Format::Svg => Self::Raw,
            // Not taken.
            Format::Qoi | Format::Pnm | Format::Hdr | Format::Exr => Self::Raw,
        }
    }
}

/// The name of an asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) kind: Kind,
    /// Of a picture without the extension, which Cloudinary finds out by itself.
    pub(super) public_id: String,
    /// What follows `public_id` when it is fetched.
    extension: String,
}

impl Name {
    /// The name as a picture, if `key` should be one.
    pub(super) fn image(folder: &str, key: &str) -> Option<Self> {
        let (stem, extension) = key.rsplit_once('.')?;
        let kind = Kind::of(Format::from_name(extension)?);
        (kind == Kind::Image).then(|| Self {
            kind,
            public_id: within(folder, stem),
            extension: extension.to_owned(),
        })
    }

    /// The name of what is kept as bytes alone.
    pub(super) fn raw(folder: &str, key: &str) -> Self {
        Self { kind: Kind::Raw, public_id: within(folder, key), extension: String::new() }
    }

    /// The names under which `key` may be kept, the one that is meant first. What Cloudinary can't open, although it should, is
    /// kept raw.
    pub(super) fn all(folder: &str, key: &str) -> Vec<Self> {
        Self::image(folder, key).into_iter().chain([Self::raw(folder, key)]).collect()
    }

    /// Whether Cloudinary, which calls its format `format`, gives it back as it came.
    pub(super) fn is_kept_as(&self, format: Option<&str>) -> bool {
        self.kind == Kind::Raw || format == Some(&self.extension)
    }

    /// What is fetched, as it stands in a URL.
    pub(super) fn path(&self) -> String {
        let path = utf8_percent_encode(&self.public_id, ESCAPED);
        match self.kind {
            Kind::Image => format!("{path}.{}", self.extension),
            Kind::Raw => path.to_string(),
        }
    }
}

fn within(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(folder: &str, key: &str) -> Vec<(Kind, String, String)> {
        let names = Name::all(folder, key).into_iter();
        names.map(|name| (name.kind, name.path(), name.public_id)).collect()
    }

    #[test]
    fn pictures_are_named_without_their_extension() {
        let picture = (Kind::Image, "our/u/a.jpg".to_owned(), "our/u/a".to_owned());
        let raw = |key: &str| (Kind::Raw, key.to_owned(), key.to_owned());
        assert_eq!(paths("our", "u/a.jpg"), [picture, raw("our/u/a.jpg")]);
        for key in ["u/a.svg", "u/a.tiff", "u/a.qoi", "u/a", "u.jpg/a", "a.exe"] {
            assert_eq!(paths("", key), [raw(key)], "{key}");
        }
    }

    #[test]
    fn every_format_has_a_name() {
        for format in Format::ALL {
            let key = format!("a.{}", format.extension());
            let names = Name::all("f", &key);
            assert_eq!(names[0].kind, Kind::of(*format), "{key}");
            assert!(names[0].is_kept_as(Some(format.extension())));
            assert_eq!(names[0].is_kept_as(Some("other")), names[0].kind == Kind::Raw);
        }
    }

    #[test]
    fn what_is_fetched_is_escaped() {
        assert_eq!(Name::raw("my pictures/é", "a.svg").path(), "my%20pictures/%C3%A9/a.svg");
    }
}
