//! Where marks lie, what they look like, and how they mix with what is beneath.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use bytes::Bytes;
use image::{Rgba, RgbaImage};
use serde_json::{Value, json};

use super::{lay, prepare};
use crate::imaging::color::SRGB;
use crate::{
    domain::{
        error::{Code, Error},
        ids::ImageId,
        limits::Limits,
        transform::{Operation, Spec},
    },
    imaging::{
        Overlays,
        control::{Control, Failure},
        picture::Raster,
        samples,
    },
};

const GREY: [u8; 4] = [100, 100, 100, 255];

fn attempt(frame: RgbaImage, value: Value, overlays: &Overlays) -> Result<RgbaImage, Error> {
    let spec = Spec::parse(&json!({"watermark": value})).unwrap();
    let Operation::Watermark(watermark) = &spec.operations[0] else { panic!("no watermark") };
    let (limits, control) = (Limits::default(), Control::default());
    prepare(watermark, overlays, frame.dimensions(), &SRGB, &limits, &control)
        .and_then(|prepared| lay::<u8>(&prepared, frame, &control))
        .map_err(|failure| match failure {
            Failure::Refused(error) => error,
            Failure::Cancelled => panic!("cancelled"),
        })
}

/// A grey frame with this laid over it.
fn marked(value: Value) -> RgbaImage {
    let frame = RgbaImage::from_pixel(300, 200, Rgba(GREY));
    attempt(frame, value, &Overlays::default()).unwrap()
}

/// Left, top, right and bottom of what is not grey.
fn bounds(picture: &RgbaImage) -> [u32; 4] {
    let changed = || picture.enumerate_pixels().filter(|(_, _, pixel)| pixel.0 != GREY);
    [
        changed().map(|(x, ..)| x).min().unwrap(),
        changed().map(|(_, y, _)| y).min().unwrap(),
        changed().map(|(x, ..)| x).max().unwrap(),
        changed().map(|(_, y, _)| y).max().unwrap(),
    ]
}

fn ink(picture: &RgbaImage) -> u64 {
    picture.pixels().map(|pixel| u64::from(pixel.0[0].abs_diff(100))).sum()
}

#[test]
fn a_text_lies_where_gravity_says() {
    let at = |gravity: Value, x: i32, y: i32| {
        bounds(&marked(json!({"text": "Hx", "size": 40, "gravity": gravity, "x": x, "y": y})))
    };
    let [left, top, right, bottom] = at(json!("southeast"), 12, 7);
    assert_eq!((right, bottom), (299 - 12, 199 - 7));
    let (width, height) = (right - left + 1, bottom - top + 1);
    // A capital of DejaVu Sans is 0.73 of its size.
    assert!((28..=31).contains(&height) && (45..60).contains(&width), "{width} × {height}");
    assert_eq!(at(json!("northwest"), 5, 3)[..2], [5, 3]);
    let [left, _, right, _] = at(json!("center"), 0, 0);
    assert!(left.abs_diff(299 - right) <= 1);
    assert_eq!(at(json!("center"), 20, 0)[0], left + 20);
    let [_, top, _, bottom] = at(json!({"x": 0.5, "y": 0.25}), 0, 0);
    assert!((top + bottom).abs_diff(((200 - height) / 4) * 2 + height) <= 2);
}

#[test]
fn colours_and_opacity_are_exact() {
    let picture = marked(json!({"text": "███", "size": 60, "color": "#ff000080", "opacity": 0.5}));
    let covered = Rgba([139, 75, 75, 255]);
    let found = picture.get_pixel(150, 100);
    // A quarter of red over grey: 128/255 of a half.
    assert!(found.0.iter().zip(covered.0).all(|(a, b)| a.abs_diff(b) <= 1), "{found:?}");
}

#[test]
fn a_scale_is_a_part_of_the_width() {
    for (text, scale) in [("Darkroom", 0.5), ("i", 0.05), ("a longer line of text", 0.9)] {
        let [left, _, right, _] = bounds(&marked(json!({"text": text, "scale": scale})));
        let width = f64::from(right - left + 1);
        assert!((width - 300.0 * scale).abs() < 300.0 * scale * 0.12 + 8.0, "{text}: {width}");
    }
    // What names no size fits in any case.
    let [left, _, right, _] = bounds(&marked(json!({"text": "w".repeat(90)})));
    assert!(right - left < 300);
}

#[test]
fn fonts_differ() {
    let of = |font: &str| marked(json!({"text": "Holiday", "size": 50, "font": font}));
    let [regular, bold, italic] = ["sans", "sans bold", "sans italic"].map(of);
    assert!(ink(&bold) > ink(&regular) * 5 / 4);
    assert!(ink(&italic).abs_diff(ink(&regular)) < ink(&regular) / 8 && italic != regular);
}

#[test]
fn letters_are_shaped() {
    let width = |text: &str| {
        let [left, _, right, _] = bounds(&marked(json!({"text": text, "size": 40})));
        right - left + 1
    };
    // Arabic letters join: what stands alone takes more room than what is joined.
    assert!(width("ببب") < width("ب\u{200c}ب\u{200c}ب"));
    // Hebrew runs from right to left: the heavy letter comes last, and is drawn left.
    let picture = marked(json!({"text": "וווווש", "size": 40}));
    let [left, _, right, _] = bounds(&picture);
    let middle = (left + right) / 2;
    let half = |from: u32, to: u32| {
        ink(&image::imageops::crop_imm(&picture, from, 0, to - from, 200).to_image())
    };
    assert!(half(left, left + 26) > half(right - 26, right), "{middle}");
    // A combining accent adds height, not width.
    let boxed = |text: &str| bounds(&marked(json!({"text": text, "size": 40})));
    let ([l1, t1, r1, _], [l2, t2, r2, _]) = (boxed("e"), boxed("e\u{301}"));
    assert!((r1 - l1).abs_diff(r2 - l2) <= 3 && t2 < t1);
    let [_, top, _, bottom] = boxed("H\nH");
    assert!((70..85).contains(&(bottom - top)), "{}", bottom - top);
}

#[test]
fn a_letter_that_is_not_there_is_refused() {
    let frame = RgbaImage::from_pixel(90, 60, Rgba(GREY));
    for (text, letter) in [("a 漢字", "漢"), ("🦀", "🦀")] {
        let error =
            attempt(frame.clone(), json!({"text": text}), &Overlays::default()).unwrap_err();
        assert_eq!(error.code, Code::TransformImpossible);
        assert!(error.detail.contains(letter), "{}", error.detail);
    }
    let large = json!({"text": "w".repeat(1000), "size": 2000});
    let error = attempt(frame, large, &Overlays::default()).unwrap_err();
    assert_eq!(error.code, Code::ImageTooLarge);
}

#[test]
fn tiles_are_everywhere_and_turns_turn() {
    let tiled = marked(json!({"text": "x", "size": 20, "tile": true}));
    for (x, y) in [(0, 0), (150, 0), (0, 100), (150, 100)] {
        let quarter = image::imageops::crop_imm(&tiled, x, y, 150, 100).to_image();
        assert!(ink(&quarter) > 0, "{x}, {y}");
    }
    let [left, top, right, bottom] =
        bounds(&marked(json!({"text": "iiiiiiii", "size": 30, "rotate": 90})));
    assert!(bottom - top > 2 * (right - left));
}

/// An account's picture, by a name.
fn overlay(picture: &RgbaImage) -> (ImageId, Overlays) {
    let id = ImageId::new();
    (id, Overlays::from([(id, Bytes::from(samples::png(picture)))]))
}

#[test]
fn a_picture_is_laid_over_by_its_alpha() {
    let half = RgbaImage::from_pixel(20, 10, Rgba([200, 0, 0, 128]));
    let (id, overlays) = overlay(&half);
    let frame = RgbaImage::from_fn(60, 40, |x, _| {
        Rgba(if x < 30 { [0, 0, 200, 255] } else { [0, 0, 200, 0] })
    });
    let value = json!({"image_id": id, "x": 0, "y": 0});
    let result = attempt(frame.clone(), value, &overlays).unwrap();
    let at = |x, y| result.get_pixel(x, y).0;
    // Over what is opaque the colours mix; over what is transparent only the mark is seen, blue or not.
    assert!(
        at(25, 20)[0].abs_diff(100) <= 1
            && at(25, 20)[2].abs_diff(100) <= 1
            && at(25, 20)[3] == 255
    );
    assert_eq!(at(35, 20), [200, 0, 0, 128]);
    assert_eq!((at(19, 20), at(40, 20)), ([0, 0, 200, 255], [0, 0, 200, 0]));
    assert_eq!((at(25, 14), at(25, 25)), ([0, 0, 200, 255], [0, 0, 200, 255]));
    // Half of it is a quarter.
    let value = json!({"image_id": id, "opacity": 0.5});
    let result = attempt(frame, value, &overlays).unwrap();
    assert_eq!(result.get_pixel(35, 20).0, [200, 0, 0, 64]);
}

#[test]
fn pictures_are_as_large_as_asked_for() {
    let (id, overlays) = overlay(&RgbaImage::from_pixel(40, 20, Rgba([255, 255, 255, 255])));
    let size = |value: Value| {
        let frame = RgbaImage::from_pixel(300, 200, Rgba(GREY));
        let mut value = value;
        value["image_id"] = json!(id);
        let [left, top, right, bottom] = bounds(&attempt(frame, value, &overlays).unwrap());
        (right - left + 1, bottom - top + 1)
    };
    assert_eq!(size(json!({})), (40, 20));
    assert_eq!(size(json!({"size": 100})), (100, 50));
    assert_eq!(size(json!({"scale": 0.5})), (150, 75));
    assert_eq!(size(json!({"rotate": 90})), (20, 40));
    // Parts outside are cut, and what is larger than the picture is made to fit.
    assert_eq!(size(json!({"gravity": "east", "x": -10})), (30, 20));
    let (_, overlays) = overlay(&RgbaImage::from_pixel(900, 300, Rgba([255; 4])));
    let id = *overlays.keys().next().unwrap();
    let frame = RgbaImage::from_pixel(300, 200, Rgba(GREY));
    let [left, top, right, bottom] =
        bounds(&attempt(frame, json!({"image_id": id}), &overlays).unwrap());
    assert_eq!((right - left + 1, bottom - top + 1), (300, 100));
}

#[test]
fn both_depths_are_marked_alike() {
    let spec = Spec::parse(
        &json!({"watermark": {"text": "Q", "size": 50, "color": "#f8c", "opacity": 0.7}}),
    )
    .unwrap();
    let Operation::Watermark(watermark) = &spec.operations[0] else { panic!("no watermark") };
    let (limits, control) = (Limits::default(), Control::default());
    let prepared =
        prepare(watermark, &Overlays::default(), (80, 80), &SRGB, &limits, &control).unwrap();
    let eight = Raster::from_pixel(80, 80, Rgba([10_u8, 60, 200, 90]));
    let sixteen = Raster::from_pixel(80, 80, Rgba([10_u16 * 257, 60 * 257, 200 * 257, 90 * 257]));
    let eight = lay::<u8>(&prepared, eight, &control).unwrap();
    let sixteen = lay::<u16>(&prepared, sixteen, &control).unwrap();
    for (eight, sixteen) in eight.iter().zip(sixteen.iter()) {
        assert!((f64::from(*sixteen) / 257.0 - f64::from(*eight)).abs() <= 1.0);
    }
}
