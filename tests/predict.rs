//! What a transformation takes is what was predicted: never more memory, and not absurdly less.
//!
//! The kernel tells the most that this process had in memory: codecs in C are seen as well. `PREDICT_PIXELS` makes the pictures
//! larger than the suite has time for, in an optimised build best.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unsafe_code,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]

use std::{collections::BTreeMap, fs, io::Cursor};

use bytes::Bytes;
use darkroom::{
    domain::{ids::ImageId, limits::Limits, transform::Spec},
    imaging::{Control, Overlays, describe, predict, predict_description, probe, transform},
};
use image::{DynamicImage, ImageFormat, RgbImage, Rgba, RgbaImage};
use jpeg_encoder::{ColorType, SamplingFactor};
use serde_json::{Value, json};

/// Pixels of the pictures, where nothing else is asked for.
const PIXELS: f64 = 600_000.0;
const MIB: u64 = 1 << 20;

unsafe extern "C" {
    /// How the allocator behaves: mallopt(3).
    fn mallopt(parameter: i32, value: i32) -> i32;
}

/// Bytes of this process that are in memory, now (`VmRSS`) or at most since [`forget`] (`VmHWM`).
fn memory(what: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap();
    line.trim_start_matches(':').split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
}

/// What `work` takes at its worst moment, beside what was there before.
fn taken<T>(work: impl FnOnce() -> T) -> u64 {
    // The peak begins anew: proc(5), clear_refs.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = memory("VmRSS");
    drop(work());
    memory("VmHWM").saturating_sub(before)
}

/// Pixels of 4 : 3, as many as that.
fn size(pixels: f64) -> (u32, u32) {
    let unit = (pixels / 12.0).sqrt();
    ((unit * 4.0) as u32, (unit * 3.0) as u32)
}

/// A picture with noise in it, so that no file is small.
fn picture(pixels: f64) -> RgbImage {
    let (width, height) = size(pixels);
    RgbImage::from_fn(width, height, |x, y| {
        let noise = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503).rotate_left(9)) >> 25;
        image::Rgb([(x / 4 + noise) as u8, (y / 3 + noise) as u8, (x / 9 + y / 7 + noise) as u8])
    })
}

/// Colours and alpha that nothing can pack.
fn noise(pixels: f64) -> RgbaImage {
    let (width, height) = size(pixels);
    let mut state = 1_u32;
    RgbaImage::from_fn(width, height, |_, _| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        Rgba(state.to_be_bytes())
    })
}

fn written(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn jpeg(pixels: f64, color: ColorType, progressive: bool) -> Vec<u8> {
    let picture = DynamicImage::ImageRgb8(picture(pixels));
    let (width, height) = (picture.width() as u16, picture.height() as u16);
    let samples = match color {
        ColorType::Cmyk => picture.into_rgba8().into_raw(),
        _ => picture.into_rgb8().into_raw(),
    };
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 90);
    encoder.set_sampling_factor(SamplingFactor::F_1_1);
    encoder.set_progressive(progressive);
    encoder.encode(&samples, width, height, color).unwrap();
    bytes
}

fn gif(pixels: f64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new_with_speed(&mut bytes, 30);
    for shift in [0_u8, 90, 200] {
        let mut frame = DynamicImage::ImageRgb8(picture(pixels / 3.0)).into_rgba8();
        frame.pixels_mut().for_each(|pixel| pixel.0[0] = pixel.0[0].wrapping_add(shift));
        encoder.encode_frame(image::Frame::new(frame)).unwrap();
    }
    drop(encoder);
    bytes
}

/// A file of the engine's own making.
fn made(file: &[u8], spec: &Value) -> Vec<u8> {
    let spec = Spec::parse(spec).unwrap();
    let (limits, control) = (Limits::default(), Control::default());
    transform(file, &Overlays::new(), &spec, &limits, &control).unwrap().bytes
}

/// Bytes of a picture of so many pixels.
type Make = Box<dyn Fn(f64) -> Vec<u8>>;

/// Every kind of file.
fn sources() -> Vec<(&'static str, Make)> {
    let kind = |make: fn(f64) -> Vec<u8>| Box::new(make) as Make;
    vec![
        ("jpeg", kind(|pixels| jpeg(pixels, ColorType::Rgb, false))),
        ("progressive", kind(|pixels| jpeg(pixels, ColorType::Rgb, true))),
        ("inks", kind(|pixels| jpeg(pixels, ColorType::Cmyk, true))),
        ("inks in one scan", kind(|pixels| jpeg(pixels, ColorType::Cmyk, false))),
        ("png", kind(|pixels| written(noise(pixels), ImageFormat::Png))),
        (
            "deep png",
            kind(|pixels| {
                let deep = DynamicImage::ImageRgba8(noise(pixels)).into_rgba16();
                written(deep, ImageFormat::Png)
            }),
        ),
        ("gif", kind(gif)),
        ("webp", kind(|pixels| written(noise(pixels), ImageFormat::WebP))),
        (
            "lossy webp",
            kind(|pixels| made(&jpeg(pixels, ColorType::Rgb, false), &json!({"format": "webp"}))),
        ),
        (
            "avif",
            kind(|pixels| {
                let spec = json!({"format": "avif", "profile": "fast", "quality": 95});
                made(&written(noise(pixels), ImageFormat::Png), &spec)
            }),
        ),
        ("tiff", kind(|pixels| written(noise(pixels), ImageFormat::Tiff))),
        (
            "deep tiff",
            kind(|pixels| {
                let deep = DynamicImage::ImageRgba8(noise(pixels)).into_rgba16();
                written(deep, ImageFormat::Tiff)
            }),
        ),
        ("bmp", kind(|pixels| written(noise(pixels), ImageFormat::Bmp))),
        ("qoi", kind(|pixels| written(noise(pixels), ImageFormat::Qoi))),
        ("pnm", kind(|pixels| written(picture(pixels), ImageFormat::Pnm))),
        ("tga", kind(|pixels| written(noise(pixels), ImageFormat::Tga))),
        (
            "hdr",
            kind(|pixels| {
                written(DynamicImage::ImageRgb8(picture(pixels)).into_rgb32f(), ImageFormat::Hdr)
            }),
        ),
        (
            "exr",
            kind(|pixels| {
                let light = DynamicImage::ImageRgba8(noise(pixels)).into_rgba32f();
                written(light, ImageFormat::OpenExr)
            }),
        ),
        (
            "svg",
            kind(|pixels| {
                let (width, height) = size(pixels);
                format!(
                    "<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}'>\
                     <rect width='70%' height='80%' fill='teal'/>\
                     <circle cx='50%' cy='50%' r='30%' fill='gold' opacity='.5'/></svg>"
                )
                .into_bytes()
            }),
        ),
    ]
}

/// What is asked for, as how large a part of the pixels that others have.
fn orders(mark: ImageId) -> Vec<(&'static str, f64, Value)> {
    let mut orders = Vec::new();
    let mut add = |part: f64, source: &'static str, spec: Value| orders.push((source, part, spec));
    for (source, _) in sources() {
        add(1.0, source, json!({"format": "qoi"}));
    }
    for source in ["gif", "deep png", "deep tiff"] {
        add(1.0, source, json!({}));
        add(1.0, source, json!({"resize": {"width": 0.5}}));
    }
    add(1.0, "deep png", json!({"resize": {"width": 0.5}, "profile": "fast"}));
    add(1.0, "gif", json!({"format": "webp"}));
    add(1.0, "gif", json!({"format": "webp", "lossless": true, "resize": {"width": 0.5}}));
    // Every format out, and what makes it dearer.
    for source in ["jpeg", "png"] {
        for format in ["jpeg", "png", "webp", "gif", "tiff", "bmp"] {
            add(1.0, source, json!({"format": format}));
            add(1.0, source, json!({"format": format, "profile": "fast"}));
        }
        add(1.0, source, json!({"format": "jpeg", "progressive": true, "quality": 95}));
        add(0.5, source, json!({"format": "webp", "lossless": true}));
        add(0.5, source, json!({"format": "webp", "quality": 100}));
        add(0.2, source, json!({"format": "avif"}));
        add(0.5, source, json!({"format": "avif", "profile": "fast", "quality": 95}));
        add(0.5, source, json!({"format": "avif", "profile": "fast", "lossless": true}));
        add(1.0, source, json!({"format": "jpeg", "quality": "auto"}));
    }
    add(0.5, "jpeg", json!({"format": "jpeg", "max_bytes": 60_000}));
    // Every operation, in both profiles where they differ.
    for spec in [
        json!({"resize": {"width": 100}}),
        json!({"resize": {"width": 0.5}}),
        json!({"resize": {"width": 0.9}}),
        json!({"resize": {"width": 100, "height": 2000, "fit": "fill"}}),
        json!({"resize": {"width": 3000, "height": 50, "fit": "fill"}}),
        json!({"resize": {"width": 1700}}),
        json!({"resize": {"width": 1500, "height": 1500, "fit": "contain"}}),
        json!({"resize": {"width": 300, "height": 300, "gravity": "smart"}}),
    ] {
        for profile in ["best", "fast"] {
            let mut spec = spec.clone();
            spec["profile"] = profile.into();
            spec["format"] = "qoi".into();
            add(1.0, "png", spec);
        }
    }
    for spec in [
        json!({"crop": {"x": 5, "y": 5, "width": 300, "height": 200}}),
        json!({"rotate": 90}),
        json!({"rotate": 30}),
        json!({"flip": true}),
        json!({"trim": true}),
        json!({"filters": {"blur": 1}}),
        json!({"filters": {"blur": 50}}),
        json!({"filters": {"sharpen": 2}}),
        json!({"filters": {"pixelate": 9, "sepia": true, "vignette": 50}}),
        json!({"round": "max", "border": {"width": 90}}),
        json!({"watermark": {"text": "Darkroom"}}),
        json!({"watermark": {"text": "Darkroom", "scale": 0.9, "rotate": 30}}),
        json!({"watermark": {"text": "Darkroom\nof our own", "size": 200, "tile": true}}),
        json!({"watermark": {"image_id": mark.to_string()}}),
        json!({"watermark": {"image_id": mark.to_string(), "scale": 0.3, "rotate": 45}}),
    ] {
        let mut spec = spec.clone();
        spec["format"] = "qoi".into();
        add(1.0, "jpeg", spec);
    }
    orders
}

/// One test, so that nothing else is counted.
#[test]
fn a_transformation_costs_what_was_predicted() {
    const M_MMAP_THRESHOLD: i32 = -3;
    // Of what is freed nothing is kept for later: what the next one takes would not be seen.
    // SAFETY: it takes any number, and nothing is allocated meanwhile.
    assert_eq!(unsafe { mallopt(M_MMAP_THRESHOLD, 64 << 10) }, 1);
    what_is_refused_is_refused_before();
    memory_is_what_was_predicted();
}

fn memory_is_what_was_predicted() {
    let pixels = std::env::var("PREDICT_PIXELS").map_or(PIXELS, |asked| asked.parse().unwrap());
    let limits = Limits { width: 30_000, height: 30_000, pixels: 200_000_000, ..Limits::default() };
    let mark = ImageId::new();
    let sources: BTreeMap<_, _> = sources().into_iter().collect();
    let overlays = |pixels| {
        let file = written(noise(pixels), ImageFormat::Png);
        Overlays::from([(mark, Bytes::from(file))])
    };
    let (small_marks, marks) = (overlays(10_000.0), overlays(pixels));
    let mut files: BTreeMap<(&str, u64), Vec<u8>> = BTreeMap::new();
    let mut report = String::new();
    let mut wrong = 0;
    for (_, _, value) in orders(mark) {
        assert!(Spec::parse(&value).is_ok(), "{value}");
    }
    let mut judge = |name: &str, taken: u64, predicted: u64| {
        // What a drawing lays into each other its headers don't tell.
        let is_open = name.starts_with("svg");
        // What is not there for the picture's sake is as much with small ones.
        let is_right = taken <= predicted && (is_open || predicted <= taken * 3 + 24 * MIB);
        wrong += u32::from(!is_right);
        let mark = if is_right { ' ' } else { '!' };
        let mib = |bytes: u64| bytes as f64 / MIB as f64;
        report += &format!("{mark} {:6.1} of {:6.1} MiB, {name}\n", mib(taken), mib(predicted));
    };
    for (kind, part, value) in orders(mark) {
        let pixels = pixels * part;
        let make = &sources[kind];
        let file = &*files.entry((kind, pixels as u64)).or_insert_with(|| make(pixels));
        let run = |file: &[u8], marks: &Overlays| {
            let probe = probe(Cursor::new(file), &limits).unwrap();
            let spec = Spec::parse(&value).unwrap().resolved(probe.source(), None);
            transform(file, marks, &spec, &limits, &Control::default())
                .unwrap_or_else(|failure| panic!("{kind}, {value}: {failure}"));
            let marks = marks.iter().map(|(id, file)| {
                (*id, darkroom::imaging::probe(Cursor::new(file), &limits).unwrap())
            });
            predict(&spec, &probe, &marks.collect(), &limits).unwrap()
        };
        // Code and tables that are loaded once are not this picture's.
        run(&make(10_000.0), &small_marks);
        let mut cost = None;
        let taken = taken(|| cost = Some(run(file, &marks)));
        let cost = cost.unwrap();
        assert!(!cost.time.is_zero());
        judge(&format!("{kind} ({} pixels) {value}", pixels as u64), taken, cost.memory);
    }
    for ((kind, _), file) in &files {
        let taken = taken(|| describe(file, &limits, &Control::default()).unwrap());
        let probe = probe(Cursor::new(file), &limits).unwrap();
        judge(&format!("{kind} described"), taken, predict_description(&probe, &limits).memory);
    }
    if wrong > 0 || std::env::var("PREDICT_PIXELS").is_ok() {
        eprintln!("{report}");
    }
    assert_eq!(wrong, 0, "\n{report}");
}

fn what_is_refused_is_refused_before() {
    let jpeg = jpeg(10_000.0, ColorType::Rgb, false);
    let limits = Limits { width: 2000, height: 2000, ..Limits::default() };
    let probe = probe(Cursor::new(&jpeg), &limits).unwrap();
    let marks = BTreeMap::new();
    let spec = Spec::parse(&json!({"resize": {"width": 2001}})).unwrap();
    assert!(predict(&spec, &probe, &marks, &limits).is_err());
    // More pixels cost more.
    let cost = |width: u32| {
        let spec = Spec::parse(&json!({"resize": {"width": width}})).unwrap();
        predict(&spec, &probe, &marks, &limits).unwrap()
    };
    assert!(cost(1900).memory >= cost(900).memory && cost(1900).time > cost(900).time);
}
