//! What a file says of its picture beside its pixels: by its headers alone, nothing is decoded.

use std::io::Cursor;

use moxcms::{ColorProfile, DataColorSpace, ProfileText};

use super::{
    avif::Decoder,
    decode, metadata,
    probe::{self, MOST_PIXELS, Probe},
};
use crate::domain::{
    error::Result,
    format::Format,
    image::{Exif, Position},
    limits::Limits,
    transform::Keep,
};

/// TIFF's tag of a colour profile.
const TIFF_ICC: u16 = 34_675;
/// Where a PNG says how its pixels are coloured.
const PNG_COLOR: usize = 25;
/// Characters that are told of a profile's name.
const LONGEST: usize = 200;

/// What a file says.
#[derive(Debug, Clone, PartialEq)]
pub struct Details {
    /// What it is.
    pub probe: Probe,
    /// `rgb`, `gray` or `cmyk`, where that is easily seen.
    pub color_space: Option<&'static str>,
    /// What the colour profile calls itself.
    pub profile: Option<String>,
    /// What EXIF says of the photograph.
    pub exif: Option<Exif>,
    /// Where it was taken, if that was asked for.
    pub position: Option<Position>,
    /// Bytes of what is embedded.
    pub embedded: Embedded,
}

/// Bytes of each kind of what is embedded; `None` where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Embedded {
    /// A colour profile.
    pub icc: Option<usize>,
    /// EXIF, its thumbnail included.
    pub exif: Option<usize>,
    /// IPTC's records.
    pub iptc: Option<usize>,
    /// XMP.
    pub xmp: Option<usize>,
}

/// Reads what `input` says; where it was taken only if `placed`.
///
/// # Errors
/// As [`super::probe()`]. What is broken beside the pixels is as if it were not there.
pub fn inspect(input: &[u8], placed: bool, limits: &Limits) -> Result<Details> {
    let probe = probe::probe(Cursor::new(input), limits)?;
    let keep = Keep { exif: true, iptc: true, xmp: true, ..Keep::NOTHING };
    let said = metadata::read(input, probe.format, keep);
    let icc = icc(input, probe.format);
    let profile = icc.as_ref().and_then(|icc| ColorProfile::new_from_slice(icc).ok());
    let length = |block: &Option<Vec<u8>>| block.as_ref().map(Vec::len);
    let exif = said.exif.as_deref();
    Ok(Details {
        probe,
        color_space: color_space(input, probe.format, profile.as_ref()),
        profile: profile.and_then(|profile| name(profile.description?)),
        exif: exif.and_then(metadata::summary),
        position: exif.filter(|_| placed).and_then(metadata::position),
        embedded: Embedded {
            icc: length(&icc),
            exif: length(&said.exif),
            iptc: length(&said.iptc),
            xmp: length(&said.xmp),
        },
    })
}

fn icc(input: &[u8], format: Format) -> Option<Vec<u8>> {
    match format {
        Format::Avif => {
            let length = input.len() as u64;
            let file = Decoder::open(input, length, MOST_PIXELS, 0, false).ok()?;
            file.icc().map(<[u8]>::to_vec)
        }
        Format::Tiff => metadata::block(input, TIFF_ICC),
        _ => decode::icc(input, format),
    }
}

/// By the profile, else by the headers.
fn color_space(
    input: &[u8],
    format: Format,
    profile: Option<&ColorProfile>,
) -> Option<&'static str> {
    match (profile.map(|profile| profile.color_space), format) {
        (Some(DataColorSpace::Rgb), _) => Some("rgb"),
        (Some(DataColorSpace::Gray), _) => Some("gray"),
        (Some(DataColorSpace::Cmyk), _) => Some("cmyk"),
        (_, Format::Jpeg) => match probe::channels(input)? {
            1 => Some("gray"),
            3 => Some("rgb"),
            4 => Some("cmyk"),
            _ => None,
        },
        (_, Format::Png) => match input.get(PNG_COLOR)? {
            0 | 4 => Some("gray"),
            _ => Some("rgb"),
        },
        (_, Format::Webp | Format::Gif | Format::Qoi | Format::Svg) => Some("rgb"),
        _ => None,
    }
}

/// What a profile calls itself, in English where it has several languages.
fn name(text: ProfileText) -> Option<String> {
    let text = match text {
        ProfileText::PlainString(text) => text,
        ProfileText::Localizable(texts) => {
            let english = texts.iter().find(|text| text.language == "en");
            english.or_else(|| texts.first())?.value.clone()
        }
        ProfileText::Description(text) => text.ascii_string,
    };
    let text: String = text.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
