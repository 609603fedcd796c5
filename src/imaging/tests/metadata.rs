//! What is kept of what a file says besides its pixels, and what is not.

use std::io::Cursor;

use exif::{Field, In, Rational, SRational, Tag, Value, experimental::Writer};
use img_parts::{DynImage, ImageEXIF, ImageICC};
use serde_json::{Value as Json, json};

use super::{make, samples};
use crate::imaging::{Control, avif::Decoder, probe::MOST_PIXELS};

const XMP: &str = "<x:xmpmeta xmlns:x='adobe:ns:meta/'>a cat, tiff:Orientation=\"6\"</x:xmpmeta>";
const XMP_UPRIGHT: &str =
    "<x:xmpmeta xmlns:x='adobe:ns:meta/'>a cat, tiff:Orientation=\"1\"</x:xmpmeta>";
const IPTC: &[u8] = b"\x1c\x02\x74\x00\x03Ada";

macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/golden/foreign/sources/", $name)).as_slice()
    };
}

fn field(tag: Tag, value: Value) -> Field {
    Field { tag, ifd_num: In::PRIMARY, value }
}

fn text(text: &str) -> Value {
    Value::Ascii(vec![text.as_bytes().to_vec()])
}

/// EXIF of a photograph that lies on its side, with a place, a thumbnail and a copyright.
fn exif(little_endian: bool) -> Vec<u8> {
    let degrees = Value::Rational(vec![Rational { num: 52, denom: 1 }; 3]);
    let fields = [
        field(Tag::Orientation, Value::Short(vec![6])),
        field(Tag::Make, text("Darkroom")),
        field(Tag::Copyright, text("(c) Ada")),
        field(Tag::Artist, text("José Łukasz")),
        field(Tag::Flash, Value::Short(vec![0x19])),
        field(Tag::ExifVersion, Value::Undefined(b"0232".to_vec(), 0)),
        field(Tag::ExposureBiasValue, Value::SRational(vec![SRational { num: -2, denom: 3 }])),
        field(Tag::ExposureTime, Value::Rational(vec![Rational { num: 1, denom: 250 }])),
        field(Tag::GPSLatitude, degrees),
        field(Tag::GPSLatitudeRef, text("N")),
    ];
    let mut writer = Writer::new();
    fields.iter().for_each(|field| writer.push_field(field));
    let thumbnail = b"\xff\xd8 the picture before it was cut \xff\xd9";
    writer.set_jpeg(thumbnail, In::THUMBNAIL);
    let mut block = Cursor::new(Vec::new());
    writer.write(&mut block, little_endian).unwrap();
    block.into_inner()
}

/// A photograph that says all of it: 64 × 48 as stored.
fn photograph(little_endian: bool) -> Vec<u8> {
    let file = samples::written(&samples::gradient(64, 48), image::ImageFormat::Jpeg);
    let mut jpeg = img_parts::jpeg::Jpeg::from_bytes(file.into()).unwrap();
    let p3 = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    jpeg.set_icc_profile(Some(p3.into()));
    jpeg.set_exif(Some(exif(little_endian).into()));
    let length = u32::try_from(IPTC.len()).unwrap().to_be_bytes();
    let resources = [
        b"Photoshop 3.0\x008BIM\x04\x25\0\0\0\0\0\x01\x07\0".as_slice(),
        b"8BIM\x04\x04\0\0",
        &length,
        IPTC,
    ]
    .concat();
    let xmp = [b"http://ns.adobe.com/xap/1.0/\0", XMP.as_bytes()].concat();
    for (marker, contents) in [(0xe1, xmp), (0xed, resources)] {
        let segment = img_parts::jpeg::JpegSegment::new_with_contents(marker, contents.into());
        jpeg.segments_mut().insert(2, segment);
    }
    jpeg.encoder().bytes().to_vec()
}

/// What a result says.
struct Said {
    exif: Option<exif::Exif>,
    has_icc: bool,
    bytes: Vec<u8>,
}

impl Said {
    fn by(strip: Json, format: &str, little_endian: bool) -> Self {
        let spec = json!({"strip": strip, "format": format, "resize": {"width": 24}});
        let made = make(&photograph(little_endian), spec);
        // Upright: what was stored wide is tall.
        assert_eq!((made.width, made.height), (24, 32));
        let read = |block: Vec<u8>| exif::Reader::new().read_raw(block).unwrap();
        let (exif, has_icc) = match DynImage::from_bytes(made.bytes.clone().into()).unwrap() {
            Some(file) => {
                (file.exif().map(|exif| read(exif.to_vec())), file.icc_profile().is_some())
            }
            None if format == "avif" => {
                let length = made.bytes.len() as u64;
                let file = Decoder::open(&made.bytes, length, MOST_PIXELS, 0, false).unwrap();
                (file.exif().map(|exif| read(exif.to_vec())), file.icc().is_some())
            }
            None => {
                let file = &mut Cursor::new(&made.bytes);
                let exif = exif::Reader::new().read_from_container(file).ok();
                let mut tiff = tiff::decoder::Decoder::new(Cursor::new(&made.bytes)).unwrap();
                let icc = tiff.get_tag_u8_vec(tiff::tags::Tag::IccProfile).ok();
                let profile = icc.map(|icc| moxcms::ColorProfile::new_from_slice(&icc).unwrap());
                (exif, profile.is_some())
            }
        };
        Self { exif, has_icc, bytes: made.bytes }
    }

    fn get(&self, tag: Tag) -> Option<String> {
        let field = self.exif.as_ref()?.get_field(tag, In::PRIMARY)?;
        Some(field.display_value().to_string())
    }

    fn number(&self, tag: Tag) -> Option<u32> {
        self.exif.as_ref()?.get_field(tag, In::PRIMARY)?.value.get_uint(0)
    }

    /// A text as it is written.
    fn bytes_of(&self, tag: Tag) -> Option<String> {
        match &self.exif.as_ref()?.get_field(tag, In::PRIMARY)?.value {
            Value::Ascii(lines) => String::from_utf8(lines.first()?.clone()).ok(),
            _ => None,
        }
    }

    fn contains(&self, part: &[u8]) -> bool {
        self.bytes.windows(part.len()).any(|window| window == part)
    }
}

#[test]
fn by_default_nothing_is_said() {
    for format in ["jpeg", "png", "webp", "avif", "tiff"] {
        let said = Said::by(json!(true), format, true);
        assert!(!said.has_icc, "{format}");
        for part in [b"Darkroom".as_slice(), b"Ada", b"xmpmeta", b"before it was cut"] {
            assert!(!said.contains(part), "{format}");
        }
    }
}

#[test]
fn unstripped_exif_is_upright_and_shows_no_former_picture() {
    for (format, little_endian) in [
        ("jpeg", true),
        ("jpeg", false),
        ("png", true),
        ("webp", false),
        ("avif", true),
        ("tiff", true),
        ("tiff", false),
    ] {
        let said = Said::by(json!(false), format, little_endian);
        assert!(said.has_icc, "{format}");
        // A TIFF that does not say how it lies is upright.
        let orientation = said.get(Tag::Orientation);
        let is_upright = orientation.as_deref() == Some("row 0 at top and column 0 at left");
        assert!(is_upright || (orientation.is_none() && format == "tiff"), "{format}");
        assert_eq!(said.bytes_of(Tag::Artist).as_deref(), Some("José Łukasz"), "{format}");
        assert_eq!(said.number(Tag::Flash), Some(0x19), "{format}");
        assert_eq!(said.get(Tag::ExifVersion).as_deref(), Some("2.32"), "{format}");
        assert_eq!(
            said.get(Tag::ExposureBiasValue).as_deref(),
            Some("-0.6666666666666666"),
            "{format}"
        );
        assert_eq!(said.get(Tag::Make).as_deref(), Some("\"Darkroom\""));
        assert_eq!(said.get(Tag::ExposureTime).as_deref(), Some("1/250"));
        assert!(said.get(Tag::GPSLatitude).is_some());
        assert!(!said.contains(b"before it was cut"), "{format}");
        assert!(!said.contains(b"xmpmeta") && !said.contains(IPTC), "{format}");
    }
}

#[test]
fn only_what_is_named_is_kept() {
    for format in ["jpeg", "png", "webp", "avif"] {
        let said = Said::by(json!({"keep": ["copyright"]}), format, true);
        assert_eq!(said.get(Tag::Copyright).as_deref(), Some("\"(c) Ada\""));
        assert_eq!((said.get(Tag::Make), said.get(Tag::GPSLatitude)), (None, None));
        assert!(!said.has_icc && !said.contains(b"Darkroom"), "{format}");

        let said = Said::by(json!({"keep": ["xmp"]}), format, true);
        assert!(said.contains(XMP_UPRIGHT.as_bytes()) && said.exif.is_none(), "{format}");
    }
    let said = Said::by(json!({"keep": ["iptc"]}), "jpeg", true);
    assert!(said.contains(IPTC) && said.exif.is_none());
    let said = Said::by(json!({"keep": ["iptc", "copyright"]}), "tiff", true);
    assert!(said.contains(IPTC) && said.contains(b"(c) Ada") && !said.contains(b"Darkroom"));
}

#[test]
fn tiff_keeps_xmp_and_gives_what_it_holds() {
    let kept = json!({"keep": ["exif", "xmp", "iptc", "icc"]});
    let said = Said::by(kept.clone(), "tiff", false);
    assert!(said.has_icc && said.contains(IPTC) && said.contains(XMP_UPRIGHT.as_bytes()));
    // From one TIFF to the next, and out of it.
    let again = make(&said.bytes, json!({"strip": kept, "format": "tiff"}));
    let jpeg = make(&again.bytes, json!({"strip": kept, "format": "jpeg"}));
    let file = DynImage::from_bytes(jpeg.bytes.clone().into()).unwrap().unwrap();
    let exif = exif::Reader::new().read_raw(file.exif().unwrap().to_vec()).unwrap();
    let place = exif.get_field(Tag::GPSLatitude, In::PRIMARY).unwrap();
    assert_eq!(place.display_value().to_string(), "52 deg 52 min 52 sec");
    let text = |tag| exif.get_field(tag, In::PRIMARY).unwrap().display_value().to_string();
    assert_eq!((text(Tag::Make), text(Tag::ExposureTime)), ("\"Darkroom\"".into(), "1/250".into()));
    assert!(file.icc_profile().is_some());
    for part in [IPTC, XMP_UPRIGHT.as_bytes()] {
        assert!(jpeg.bytes.windows(part.len()).any(|window| window == part));
    }
}

/// The flags of a WebP's header, and its chunks.
fn webp(file: &[u8]) -> (u8, Vec<[u8; 4]>) {
    let mut rest = &file[12..];
    let mut kinds = Vec::new();
    while let Some((head, after)) = rest.split_first_chunk::<8>() {
        kinds.push(*head.first_chunk().unwrap());
        let length = u32::from_le_bytes(*head.last_chunk().unwrap()).next_multiple_of(2);
        rest = &after[length as usize..];
    }
    assert_eq!(kinds[0], *b"VP8X");
    (file[20], kinds)
}

#[test]
fn a_webp_announces_what_it_holds() {
    let (icc, alpha, exif, xmp, moves) = (0x20, 0x10, 0x08, 0x04, 0x02);
    let chunk = samples::chunk(b"iTXt", &[b"XML:com.adobe.xmp\0\0\0\0\0", XMP.as_bytes()].concat());
    let with_xmp = |png: &[u8]| {
        let (head, tail) = png.split_at(samples::PNG_HEADER);
        [head, &chunk, tail].concat()
    };
    let veil = with_xmp(&samples::png(&samples::veil(20, 20)));
    let moving = with_xmp(file!("blend.png"));
    for (file, keep, expected) in [
        (photograph(true), json!(["xmp"]), xmp),
        (photograph(true), json!(["exif"]), exif),
        (photograph(true), json!(["exif", "icc", "xmp"]), icc | exif | xmp),
        (veil, json!(["xmp"]), alpha | xmp),
        (moving, json!(["xmp"]), alpha | moves | xmp),
    ] {
        for lossless in [false, true] {
            let spec = json!({"strip": {"keep": keep}, "format": "webp", "lossless": lossless});
            let made = make(&file, spec);
            let (flags, kinds) = webp(&made.bytes);
            assert_eq!(flags, expected, "{keep} {kinds:?}");
            // XMP is the last; the profile comes before pixels.
            let last = if expected & xmp > 0 { b"XMP " } else { b"EXIF" };
            assert_eq!(kinds.last(), Some(last));
            assert_eq!(kinds[1] == *b"ICCP", expected & icc > 0);
            // A reader that takes what is announced finds it.
            let mut read = image_webp::WebPDecoder::new(Cursor::new(&made.bytes)).unwrap();
            let found = read.xmp_metadata().unwrap();
            assert_eq!(found.as_deref(), (expected & xmp > 0).then_some(XMP_UPRIGHT.as_bytes()));
            assert_eq!(read.is_animated(), expected & moves > 0);
        }
    }
}

#[test]
fn exif_of_other_software_is_read() {
    // The block begins with JPEG's prefix in the one, and not in the other.
    for (name, file) in [("AVIF", file!("exif.avif")), ("JPEG XL", file!("orientation.jxl"))] {
        let made = make(file, json!({"strip": false, "format": "jpeg"}));
        assert_eq!((made.width, made.height), (45, 37), "{name}");
        let file = DynImage::from_bytes(made.bytes.into()).unwrap().unwrap();
        let exif = exif::Reader::new().read_raw(file.exif().unwrap().to_vec()).unwrap();
        let get =
            |tag| exif.get_field(tag, In::PRIMARY).map(|field| field.display_value().to_string());
        assert_eq!(get(Tag::ImageDescription).as_deref(), Some("\"a badge\""), "{name}");
        if name == "JPEG XL" {
            let upright = "row 0 at top and column 0 at left";
            assert_eq!(get(Tag::Orientation).as_deref(), Some(upright));
        }
    }
    let kept =
        make(file!("exif.avif"), json!({"strip": {"keep": ["copyright"]}, "format": "avif"}));
    let whole = kept.bytes.windows(7).any(|window| window == b"(c) Ada");
    assert!(whole && !kept.bytes.windows(7).any(|window| window == b"a badge"));
}

#[test]
fn a_kept_profile_leaves_the_colours_alone() {
    let photograph = photograph(true);
    let spec = |strip: Json| json!({"strip": strip, "format": "png"});
    let kept = samples::read(&make(&photograph, spec(json!({"keep": ["icc"]}))).bytes);
    let converted = samples::read(&make(&photograph, spec(json!(true))).bytes);
    let stored = image::imageops::rotate90(&samples::read(&photograph));
    let off = |one: &image::RgbaImage, other: &image::RgbaImage| {
        one.iter().zip(other.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>()
            / one.len() as u64
    };
    assert!(off(&kept, &stored) <= 1);
    assert!(off(&converted, &stored) >= 3);
}

#[test]
fn a_profile_that_has_no_place_is_applied() {
    let photograph = photograph(true);
    let made = |strip: Json| make(&photograph, json!({"strip": strip, "format": "bmp"})).bytes;
    let (kept, converted) = (made(json!({"keep": ["icc"]})), made(json!(true)));
    assert!(samples::read(&kept) == samples::read(&converted), "a BMP says nothing of its colours");
}

#[test]
fn what_is_broken_is_dropped() {
    let whole = exif(true);
    for length in 0..whole.len() {
        let file = samples::written(&samples::gradient(8, 8), image::ImageFormat::Jpeg);
        let mut jpeg = img_parts::jpeg::Jpeg::from_bytes(file.into()).unwrap();
        jpeg.set_exif(Some(whole[..length].to_vec().into()));
        let made = make(&jpeg.encoder().bytes(), json!({"strip": false}));
        assert!(made.bytes.len() > 100);
    }
}

#[test]
fn a_summary_says_how_and_not_where() {
    let limits = crate::domain::limits::Limits::default();
    let facts = crate::imaging::describe(&photograph(true), &limits, &Control::default()).unwrap();
    let exif = facts.exif.unwrap();
    assert_eq!(exif.make.as_deref(), Some("Darkroom"));
    assert_eq!(exif.copyright.as_deref(), Some("(c) Ada"));
    assert_eq!(exif.exposure_time.as_deref(), Some("1/250"));
    assert_eq!((exif.model, exif.iso, exif.f_number), (None, None, None));
}
