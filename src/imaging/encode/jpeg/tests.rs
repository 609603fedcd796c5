//! Files of every size and quality are whole, and look as well as they should.
#![allow(clippy::unwrap_used)]

use image::{Rgba, RgbaImage, imageops};
use serde_json::{Value, json};

use super::{
    encode,
    writer::{Library, Samples, Settings, Writer, divisors},
};
use crate::{
    domain::transform::Spec,
    imaging::{
        control::Control,
        picture::{Picture, Pixels},
        samples,
        score::Reference,
        tests::psnr,
    },
};

fn written(pixels: &RgbaImage, quality: u8, spec: Value) -> Vec<u8> {
    let picture = Picture::still(Pixels::Eight(pixels.clone()), false);
    encode(&picture, quality, &Spec::parse(&spec).unwrap(), &Control::default()).unwrap()
}

fn part(width: u32, height: u32) -> RgbaImage {
    imageops::crop_imm(&samples::read(samples::CAT), 110, 60, width, height).to_image()
}

/// How the frame of a file is coded: 0 in one scan, 1 with more tables than a baseline has, 2 progressive.
fn frame(file: &[u8]) -> u8 {
    let mut starts = file.windows(2).filter_map(|marker| match marker {
        [0xff, kind @ 0xc0..=0xc2] => Some(kind - 0xc0),
        _ => None,
    });
    starts.next_back().unwrap()
}

const WAYS: [(&str, Option<bool>); 5] = [
    ("best", None),
    ("best", Some(false)),
    ("best", Some(true)),
    ("fast", None),
    ("fast", Some(true)),
];

fn way((profile, progressive): (&str, Option<bool>)) -> Value {
    progressive
        .map_or(json!({"profile": profile}), |on| json!({"profile": profile, "progressive": on}))
}

#[test]
fn every_size_comes_out_whole() {
    let sides = [1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 70];
    for (width, height) in sides.iter().flat_map(|w| sides.iter().map(|h| (*w, *h))) {
        let pixels = part(width, height);
        for (quality, way) in WAYS.into_iter().flat_map(|of| [(75, way(of)), (95, way(of))]) {
            let read = samples::read(&written(&pixels, quality, way.clone()));
            assert_eq!(read.dimensions(), (width, height), "{way}");
            let near = psnr(&read, &pixels);
            assert!(near > 26.0, "{width} × {height}, {quality}, {way}: {near}");
        }
    }
}

#[test]
fn every_quality_is_larger_and_truer_than_the_lower() {
    let pixels = part(150, 90);
    for way in WAYS.map(way) {
        let files: Vec<Vec<u8>> =
            (1..=100).map(|quality| written(&pixels, quality, way.clone())).collect();
        let nearness: Vec<f64> =
            files.iter().map(|file| psnr(&samples::read(file), &pixels)).collect();
        for (index, pair) in files.windows(2).enumerate() {
            // Rounding alone makes one in a hundred of it; and tables of its own are of a length of their own.
            let sizes = (pair[0].len(), pair[1].len());
            assert!((sizes.1 + 32) * 50 >= sizes.0 * 49, "{way}: quality {}, {sizes:?}", index + 2);
        }
        for (index, pair) in files.windows(8).enumerate() {
            assert!(pair[7].len() > pair[0].len(), "{way}: quality {}", index + 8);
        }
        for (index, pair) in nearness.windows(8).enumerate() {
            assert!(pair[7] > pair[0], "{way}: quality {}", index + 8);
        }
        // From what fits into nearly nothing to what nobody tells from the original.
        assert!(files[0].len() < 1000, "{way}: {}", files[0].len());
        assert!(nearness[99] > 42.0, "{way}: {}", nearness[99]);
    }
}

#[test]
fn larger_pictures_are_progressive_unless_it_is_said_or_time_is_dear() {
    let (small, large) = (part(200, 120), samples::read(samples::COFFEE));
    for (pixels, progressive) in [(&small, false), (&large, true)] {
        assert_eq!(frame(&written(pixels, 80, json!({}))) == 2, progressive);
        for profile in ["best", "fast"] {
            let kind = |progressive| frame(&written(pixels, 80, way((profile, Some(progressive)))));
            assert_eq!((kind(true), kind(false) < 2), (2, true), "{profile}");
        }
        assert_eq!(frame(&written(pixels, 80, json!({"profile": "fast"}))), 0);
    }
}

/// A quality goes on meaning what it means everywhere: its files are no larger, and look better. One picture may take a few percent
/// more, as the lowest qualities do where time is dear, for several points.
#[test]
fn a_quality_looks_better_than_that_of_a_common_encoder_in_fewer_bytes() {
    let pictures = [samples::COFFEE, samples::ASTRONAUT, samples::CAT].map(samples::read);
    for quality in [40, 60, 80] {
        let mut sizes = [0; 3];
        for pixels in &pictures {
            let reference = Reference::new(pixels);
            let files = [
                common(pixels, quality),
                written(pixels, quality, json!({})),
                written(pixels, quality, json!({"profile": "fast"})),
            ];
            let scores = files.each_ref().map(|file| reference.score(&samples::read(file)));
            assert!(
                scores[1] > scores[0] + 1.0 && scores[2] > scores[0] - 1.0,
                "{quality}: {scores:?}"
            );
            let lengths = files.each_ref().map(Vec::len);
            assert!(lengths[1..].iter().all(|length| length * 10 < lengths[0] * 11), "{lengths:?}");
            for (sum, length) in sizes.iter_mut().zip(lengths) {
                *sum += length;
            }
        }
        assert!(sizes[1] < sizes[0], "{quality}: {sizes:?}");
        assert!(sizes[2] < sizes[0] || quality < 80, "{quality}: {sizes:?}");
    }
}

/// 4:2:0, with the standard's tables for everything.
fn common(pixels: &RgbaImage, quality: u8) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut file, quality);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_2_2);
    let [width, height] =
        [pixels.width(), pixels.height()].map(|side| u16::try_from(side).unwrap());
    encoder.encode(pixels.as_raw(), width, height, jpeg_encoder::ColorType::Rgba).unwrap();
    file
}

#[test]
fn what_is_beneath_is_seen_through() {
    let mut pixels = part(64, 48);
    for pixel in pixels.pixels_mut() {
        pixel[3] = 128;
    }
    let beneath = RgbaImage::from_pixel(64, 48, Rgba([255, 0, 0, 255]));
    let mut expected = beneath;
    imageops::overlay(&mut expected, &pixels, 0, 0);
    let picture = Picture::still(Pixels::Eight(pixels), true);
    for profile in ["best", "fast"] {
        let spec = Spec::parse(&json!({"background": "red", "profile": profile})).unwrap();
        let file = encode(&picture, 95, &spec, &Control::default()).unwrap();
        assert!(psnr(&samples::read(&file), &expected) > 36.0, "{profile}");
    }
}

#[test]
fn a_writer_that_is_used_wrongly_says_so() {
    let control = Control::default();
    for library in [Library::Jpegli, Library::Turbo] {
        for (progressive, optimized) in [(false, false), (false, true), (true, true)] {
            let divisors = divisors(80, false).unwrap();
            let settings =
                Settings { library, divisors, full_color: false, progressive, optimized };
            let open = |size| Writer::open(size, Samples::Rgb, &settings, &control);
            for size in [(0, 9), (9, 0), (70_000, 9), (9, 70_000)] {
                assert!(open(size).is_err(), "{size:?}");
            }
            let mut writer = open((20, 10)).unwrap();
            assert!(writer.write(&[0; 59]).is_err());
            assert!(writer.write(&[0; 11 * 60]).is_err());
            writer.write(&[0; 7 * 60]).unwrap();
            // Rows are missing.
            assert!(writer.finish().is_err());
            drop(open((20, 10)).unwrap());
        }
    }
}
