//! What is searched for is found.
#![allow(clippy::unwrap_used, clippy::panic)]

use image::RgbaImage;
use serde_json::json;

use super::{Encoded, encode, write};
use crate::{
    domain::{error::Code, format::Format, transform::Spec},
    imaging::{
        control::{Control, Failure},
        picture::{Picture, Pixels},
        samples,
    },
};

fn photo() -> Picture {
    let cat = samples::read(samples::CAT);
    let part = image::imageops::crop_imm(&cat, 100, 40, 200, 160).to_image();
    Picture::still(Pixels::Eight(part), false)
}

fn attempt(picture: &Picture, format: Format, spec: serde_json::Value) -> Result<Encoded, Failure> {
    encode(picture, format, &Spec::parse(&spec).unwrap(), &Control::default())
}

#[test]
fn the_best_quality_that_fits_is_taken() {
    let photo = photo();
    let spec = Spec::default();
    for format in [Format::Jpeg, Format::Webp] {
        let size = |quality| {
            write(&photo, photo.size(), format, quality, &spec, &Control::default()).unwrap().len()
        };
        let most = size(40);
        let made = attempt(&photo, format, json!({"max_bytes": most})).unwrap();
        assert!(
            made.bytes.len() <= most && made.bytes.len() >= most - most / 20,
            "{}",
            made.detail
        );
        // What fits anyway is left alone.
        let roomy = attempt(&photo, format, json!({"max_bytes": size(80)})).unwrap();
        assert_eq!(roomy.bytes.len(), size(80));
        match attempt(&photo, format, json!({"max_bytes": 100})) {
            Err(Failure::Refused(error)) => {
                assert_eq!(error.code, Code::TransformImpossible);
                assert!(error.detail.contains("max_bytes is 100"), "{}", error.detail);
            }
            _ => panic!("100 bytes are not enough"),
        }
    }
    assert!(attempt(&photo, Format::Png, json!({"max_bytes": 1000})).is_err());
}

#[test]
fn auto_is_as_low_as_its_level_allows() {
    let photo = photo();
    let size = |quality: &str, format| {
        attempt(&photo, format, json!({"quality": quality})).unwrap().bytes.len()
    };
    for format in [Format::Jpeg, Format::Webp] {
        let sizes =
            ["auto:low", "auto:eco", "auto", "auto:best"].map(|quality| size(quality, format));
        assert!(sizes.is_sorted() && sizes.first() < sizes.last(), "{sizes:?}");
        assert_eq!(size("auto:good", format), size("auto", format));
    }
    // A picture in which nothing can be lost needs the least.
    let flat = Picture::still(
        Pixels::Eight(RgbaImage::from_pixel(64, 64, image::Rgba([9, 99, 199, 255]))),
        false,
    );
    let made = attempt(&flat, Format::Jpeg, json!({"quality": "auto"})).unwrap();
    assert!(made.detail.starts_with("quality 20,"), "{}", made.detail);
}
