//! libwebp reads what was written, or refuses it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation
)]

use std::io::Cursor;

use image::{ImageFormat, Rgba, RgbaImage};
use serde_json::json;

use super::{Lines, still};
use crate::{
    domain::{error::Code, format::Format, limits::Limits, transform::Spec},
    imaging::{
        control::{Control, Failure},
        decode::Wanted,
        encode,
        picture::{Picture, Pixels},
        rows::Rows,
    },
};

fn picture(width: u32, height: u32) -> RgbaImage {
    RgbaImage::from_fn(width, height, |x, y| {
        let [red, green, blue] = [x * 5 + y, y * 3, (x * y) >> 3].map(|value| value as u8);
        Rgba([red, green, blue, (x * 7 + y * 2) as u8])
    })
}

fn written(picture: RgbaImage, has_alpha: bool, spec: serde_json::Value) -> Vec<u8> {
    let picture = Picture::still(Pixels::Eight(picture), has_alpha);
    let spec = Spec::parse(&spec).unwrap();
    encode::encode(&picture, Format::Webp, &spec, &Control::default()).unwrap().bytes
}

fn read(file: &[u8]) -> Result<Vec<u8>, Failure> {
    let (limits, control) = (Limits::default(), Control::default());
    let mut lines = Lines::of(file, &limits, &control)?;
    let mut all = Vec::new();
    while let Some(row) = lines.next()? {
        all.extend_from_slice(row);
    }
    Ok(all)
}

fn at_once(file: &[u8]) -> Result<Picture, Failure> {
    still(file, None, Wanted::FIRST, &Limits::default(), &Control::default())
}

#[test]
fn every_small_size_is_read() {
    for side in 1..=70 {
        let made = picture(side, 71 - side);
        let lossless = written(made.clone(), true, json!({"lossless": true}));
        assert!(read(&lossless).unwrap() == *made.as_raw(), "{side}");
        assert!(*at_once(&lossless).unwrap().first.pixels.eight() == made, "{side}");
        let lossy = written(made, true, json!({"quality": 90}));
        assert!(read(&lossy).unwrap() == **at_once(&lossy).unwrap().first.pixels.eight());
    }
}

#[test]
fn another_decoder_sees_the_same() {
    for has_alpha in [false, true] {
        let mut made = picture(150, 90);
        if !has_alpha {
            made.pixels_mut().for_each(|pixel| pixel.0[3] = 255);
        }
        let file = written(made, has_alpha, json!({"quality": 80}));
        let ours = at_once(&file).unwrap();
        assert_eq!(ours.has_alpha, has_alpha);
        let theirs = image::load_from_memory_with_format(&file, ImageFormat::WebP).unwrap();
        let apart = ours
            .first
            .pixels
            .eight()
            .iter()
            .zip(theirs.to_rgba8().iter())
            .map(|(ours, theirs)| ours.abs_diff(*theirs))
            .max();
        // Chroma is spread in fixed point, rounded here and there.
        assert!(apart <= Some(2), "{apart:?}");
    }
}

#[test]
fn what_is_cut_off_is_refused_and_what_is_damaged_ends() {
    let mut lossless = Cursor::new(Vec::new());
    picture(40, 30).write_to(&mut lossless, ImageFormat::WebP).unwrap();
    for file in [lossless.into_inner(), written(picture(40, 30), true, json!({"quality": 80}))] {
        let whole = read(&file).unwrap();
        for length in 0..file.len() - 1 {
            match read(&file[..length]) {
                Err(Failure::Refused(error)) => assert_eq!(error.code, Code::ImageCorrupt),
                // A byte that fills up the last chunk is often left out.
                Ok(pixels) => assert!(pixels == whole, "{length}"),
                Err(Failure::Cancelled) => panic!("nobody cancels"),
            }
            let mut damaged = file.clone();
            damaged[length] ^= 0x55;
            let _any = read(&damaged);
        }
    }
}
