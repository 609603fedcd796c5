//! What is kept of what a file says besides its pixels, and what is not.

use std::io::Cursor;

use exif::{Field, In, Rational, Tag, Value, experimental::Writer};
use img_parts::{DynImage, ImageEXIF, ImageICC};
use serde_json::{Value as Json, json};

use super::{make, samples};
use crate::imaging::{Control, avif::Decoder, probe::MOST_PIXELS};

const XMP: &str = "<x:xmpmeta xmlns:x='adobe:ns:meta/'>a cat</x:xmpmeta>";
const IPTC: &[u8] = b"\x1c\x02\x74\x00\x03Ada";

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
                (exif::Reader::new().read_from_container(&mut Cursor::new(&made.bytes)).ok(), false)
            }
        };
        Self { exif, has_icc, bytes: made.bytes }
    }

    fn get(&self, tag: Tag) -> Option<String> {
        let field = self.exif.as_ref()?.get_field(tag, In::PRIMARY)?;
        Some(field.display_value().to_string())
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
    for (format, little_endian) in
        [("jpeg", true), ("jpeg", false), ("png", true), ("webp", false), ("avif", true)]
    {
        let said = Said::by(json!(false), format, little_endian);
        assert!(said.has_icc, "{format}");
        assert_eq!(
            said.get(Tag::Orientation).as_deref(),
            Some("row 0 at top and column 0 at left")
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
        assert!(said.contains(XMP.as_bytes()) && said.exif.is_none(), "{format}");
    }
    let said = Said::by(json!({"keep": ["iptc"]}), "jpeg", true);
    assert!(said.contains(IPTC) && said.exif.is_none());
    let said = Said::by(json!({"keep": ["iptc", "copyright"]}), "tiff", true);
    assert!(said.contains(IPTC) && said.contains(b"(c) Ada") && !said.contains(b"Darkroom"));
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
