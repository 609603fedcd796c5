//! How the result is written.

use crate::domain::format::Format;

/// The format a spec asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormatChoice {
    /// This one.
    Fixed(Format),
    /// The best that the receiver takes.
    Auto,
}

/// How much an encoder may lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quality {
    /// 1 to 100, on the encoder's own scale.
    Fixed(u8),
    /// The lowest that still looks the same, by a measure of how people see.
    Auto(Auto),
}

/// How much may be seen of what an encoder loses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Auto {
    /// Nothing, even side by side.
    Best,
    /// Nothing, unless one looks for it.
    #[default]
    Good,
    /// A little.
    Eco,
    /// It shows, and the picture is still pleasant.
    Low,
}

impl Auto {
    pub(super) const NAMES: &[(&'static str, Auto)] = &[
        ("auto", Auto::Good),
        ("auto:best", Auto::Best),
        ("auto:good", Auto::Good),
        ("auto:eco", Auto::Eco),
        ("auto:low", Auto::Low),
    ];

    /// Its name in a spec.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, auto)| *auto == self).map_or("auto", |(name, _)| name)
    }
}

/// What is dear.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Profile {
    /// The truest picture.
    #[default]
    Best,
    /// The quickest way that still looks right.
    Fast,
}

impl Profile {
    /// Every profile with its name in a spec.
    pub const NAMES: &[(&'static str, Profile)] =
        &[("best", Profile::Best), ("fast", Profile::Fast)];
}

/// What of the source's metadata goes into the result, where its format has a place for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// All of EXIF, its orientation reset; includes the copyright fields.
    pub exif: bool,
    /// The colour profile: pixels then stay in its colours.
    pub icc: bool,
    /// IPTC's fields.
    pub iptc: bool,
    /// XMP.
    pub xmp: bool,
    /// Of EXIF, the artist and the copyright alone.
    pub copyright: bool,
}

impl Keep {
    /// Everything goes: the default.
    pub const NOTHING: Self =
        Self { exif: false, icc: false, iptc: false, xmp: false, copyright: false };
    /// What `strip: false` keeps.
    pub const UNSTRIPPED: Self = Self { exif: true, icc: true, ..Self::NOTHING };

    /// What files of `format` are written with.
    pub(super) const fn held_by(format: Format) -> Self {
        let all = Self { exif: true, icc: true, iptc: true, xmp: true, copyright: true };
        match format {
            Format::Jpeg | Format::Tiff => all,
            Format::Png | Format::Webp | Format::Avif => Self { iptc: false, ..all },
            _ => Self::NOTHING,
        }
    }

    /// What both keep.
    pub(super) const fn and(self, other: Self) -> Self {
        Self {
            exif: self.exif && other.exif,
            icc: self.icc && other.icc,
            iptc: self.iptc && other.iptc,
            xmp: self.xmp && other.xmp,
            copyright: self.copyright && other.copyright,
        }
    }

    /// Every kind with its name in a spec, sorted.
    pub(super) const fn fields(&mut self) -> [(&'static str, &mut bool); 5] {
        [
            ("copyright", &mut self.copyright),
            ("exif", &mut self.exif),
            ("icc", &mut self.icc),
            ("iptc", &mut self.iptc),
            ("xmp", &mut self.xmp),
        ]
    }

    /// The names of what is kept.
    pub(super) fn names(mut self) -> Vec<&'static str> {
        self.fields().into_iter().filter_map(|(name, on)| on.then_some(name)).collect()
    }
}
