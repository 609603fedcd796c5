//! Pictures of every kind and of any size, as dear as their kind can be.

use std::{collections::BTreeMap, io::Cursor};

use darkroom::{
    domain::{limits::Limits, transform::Spec},
    imaging::{Control, Overlays, transform},
};
use image::{DynamicImage, ImageFormat, RgbImage, Rgba, RgbaImage};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use serde_json::{Value, json};

/// Bytes of a picture of so many pixels.
pub(crate) type Make = Box<dyn Fn(f64) -> Vec<u8>>;

/// Every kind of file.
pub(crate) fn all() -> BTreeMap<&'static str, Make> {
    let kind = |make: fn(f64) -> Vec<u8>| Box::new(make) as Make;
    BTreeMap::from([
        ("jpeg", kind(|pixels| jpeg(pixels, ColorType::Rgb, halved))),
        ("whole jpeg", kind(|pixels| jpeg(pixels, ColorType::Rgb, |_| {}))),
        ("grey jpeg", kind(|pixels| jpeg(pixels, ColorType::Luma, |_| {}))),
        ("restarts", kind(|pixels| jpeg(pixels, ColorType::Rgb, restarting))),
        ("progressive", kind(|pixels| jpeg(pixels, ColorType::Rgb, progressive))),
        ("halved progressive", kind(|pixels| jpeg(pixels, ColorType::Rgb, both))),
        ("inks", kind(|pixels| jpeg(pixels, ColorType::Cmyk, progressive))),
        ("inks in one scan", kind(|pixels| jpeg(pixels, ColorType::Cmyk, |_| {}))),
        ("turned jpeg", kind(|pixels| jpeg(pixels, ColorType::Rgb, turned))),
        ("jpeg by a table", kind(|pixels| jpeg(pixels, ColorType::Rgb, meant))),
        ("png", kind(|pixels| written(noise(pixels), ImageFormat::Png))),
        ("opaque png", kind(|pixels| written(picture(pixels), ImageFormat::Png))),
        ("interlaced png", kind(interlaced)),
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
            kind(|pixels| made(&jpeg(pixels, ColorType::Rgb, halved), &json!({"format": "webp"}))),
        ),
        (
            "lossy webp with alpha",
            kind(|pixels| {
                made(&written(noise(pixels), ImageFormat::Png), &json!({"format": "webp"}))
            }),
        ),
        (
            "avif",
            kind(|pixels| {
                let spec = json!({"format": "avif", "profile": "fast", "quality": 95});
                made(&written(noise(pixels), ImageFormat::Png), &spec)
            }),
        ),
        (
            "whole avif",
            kind(|pixels| {
                let spec = json!({"format": "avif", "profile": "fast", "quality": 80});
                made(&jpeg(pixels, ColorType::Rgb, halved), &spec)
            }),
        ),
        (
            "halved avif",
            kind(|pixels| {
                let spec = json!({"format": "avif", "profile": "fast", "quality": 50});
                made(&jpeg(pixels, ColorType::Rgb, halved), &spec)
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
        ("svg", kind(drawing)),
    ])
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
    let mut next = random();
    RgbaImage::from_fn(width, height, |_, _| Rgba(next()))
}

/// Bytes without any order, the same every time.
fn random() -> impl FnMut() -> [u8; 4] {
    let mut state = 1_u32;
    move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_be_bytes()
    }
}

fn written(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A JPEG in one scan, all channels at their full size; unless it is prepared otherwise.
fn jpeg(pixels: f64, color: ColorType, prepare: fn(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let picture = DynamicImage::ImageRgb8(picture(pixels));
    let (width, height) = (picture.width() as u16, picture.height() as u16);
    let samples = match color {
        ColorType::Cmyk => picture.into_rgba8().into_raw(),
        ColorType::Luma => picture.into_luma8().into_raw(),
        _ => picture.into_rgb8().into_raw(),
    };
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 90);
    encoder.set_sampling_factor(SamplingFactor::F_1_1);
    prepare(&mut encoder);
    encoder.encode(&samples, width, height, color).unwrap();
    bytes
}

fn halved(encoder: &mut Encoder<&mut Vec<u8>>) {
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
}

fn progressive(encoder: &mut Encoder<&mut Vec<u8>>) {
    encoder.set_progressive(true);
}

fn both(encoder: &mut Encoder<&mut Vec<u8>>) {
    halved(encoder);
    progressive(encoder);
}

fn restarting(encoder: &mut Encoder<&mut Vec<u8>>) {
    halved(encoder);
    encoder.set_restart_interval(7);
}

/// With an EXIF orientation of 6.
fn turned(encoder: &mut Encoder<&mut Vec<u8>>) {
    const EXIF: &[u8] =
        b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    halved(encoder);
    encoder.add_app_segment(1, EXIF.to_vec()).unwrap();
}

/// With a profile whose channels share no curve.
fn meant(encoder: &mut Encoder<&mut Vec<u8>>) {
    halved(encoder);
    encoder.add_icc_profile(&profile()).unwrap();
}

/// A profile of RGB that is a table of colours in CIELAB: `lut8Type` of ICC.1:2010, 10.9, as its only tag.
fn profile() -> Vec<u8> {
    const START: u32 = 128 + 4 + 12;
    let one = 0x1_0000_u32.to_be_bytes();
    let ramp: Vec<u8> = (0..3).flat_map(|_| 0..=255).collect();
    let mut table = b"mft1\0\0\0\0\x03\x03\x02\0".to_vec();
    for place in 0..9 {
        table.extend(if place % 4 == 0 { one } else { [0; 4] });
    }
    table.extend(&ramp);
    for corner in 0..8_u8 {
        let [red, green, blue] = [(corner >> 2) & 1, (corner >> 1) & 1, corner & 1];
        let lightness = red * 70 + green * 150 + blue * 35;
        table.extend([lightness, 128 + red * 60 - green * 50, 128 + green * 50 - blue * 60]);
    }
    table.extend(&ramp);
    let mut profile = vec![0; 128];
    profile[8..12].copy_from_slice(&[4, 0x30, 0, 0]);
    profile[12..24].copy_from_slice(b"mntrRGB Lab ");
    profile[36..40].copy_from_slice(b"acsp");
    // D50, in which profiles are connected.
    for (place, value) in [0xf6d6_u32, 0x1_0000, 0xd32d].into_iter().enumerate() {
        profile[68 + place * 4..][..4].copy_from_slice(&value.to_be_bytes());
    }
    profile.extend(1_u32.to_be_bytes());
    profile.extend(b"A2B0");
    profile.extend(START.to_be_bytes());
    profile.extend((table.len() as u32).to_be_bytes());
    profile.extend(table);
    let length = profile.len() as u32;
    profile[..4].copy_from_slice(&length.to_be_bytes());
    profile
}

/// Noise in seven passes, stored as it is.
fn interlaced(pixels: f64) -> Vec<u8> {
    // Where each pass begins and how far its pixels are apart, across and down: ISO/IEC 15948, 8.2.
    const PASSES: [[u32; 4]; 7] = [
        [0, 0, 8, 8],
        [4, 0, 8, 8],
        [0, 4, 4, 8],
        [2, 0, 4, 4],
        [0, 2, 2, 4],
        [1, 0, 2, 2],
        [0, 1, 1, 2],
    ];
    let (width, height) = size(pixels);
    let mut next = random();
    let mut rows = Vec::new();
    for [left, top, across, down] in PASSES {
        let columns = width.saturating_sub(left).div_ceil(across);
        for _ in 0..height.saturating_sub(top).div_ceil(down) {
            rows.push(0);
            rows.extend((0..columns).flat_map(|_| next()));
        }
    }
    // RFC 1950 and, of blocks that are not packed, RFC 1951.
    let mut stream = vec![0x78, 0x01];
    let mut blocks = rows.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        let length = block.len() as u16;
        stream.push(blocks.peek().is_none().into());
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend(block);
    }
    let (low, high) = rows.iter().fold((1_u32, 0_u32), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % 65_521;
        (low, (high + low) % 65_521)
    });
    stream.extend(((high << 16) | low).to_be_bytes());
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 6, 0, 0, 1]].concat();
    for (kind, data) in [(b"IHDR", header), (b"IDAT", stream), (b"IEND", Vec::new())] {
        file.extend((data.len() as u32).to_be_bytes());
        let start = file.len();
        file.extend(kind);
        file.extend(data);
        let sum = checksum(&file[start..]);
        file.extend(sum.to_be_bytes());
    }
    file
}

/// The checksum of a chunk of a PNG: ISO/IEC 15948, 5.5.
fn checksum(bytes: &[u8]) -> u32 {
    let table: [u32; 256] = std::array::from_fn(|byte| {
        (0..8).fold(
            byte as u32,
            |sum, _| if sum & 1 == 1 { 0xedb8_8320 ^ (sum >> 1) } else { sum >> 1 },
        )
    });
    !bytes.iter().fold(!0, |sum: u32, byte| table[(sum as u8 ^ byte) as usize] ^ (sum >> 8))
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

fn drawing(pixels: f64) -> Vec<u8> {
    let (width, height) = size(pixels);
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}'>\
         <rect width='70%' height='80%' fill='teal'/>\
         <circle cx='50%' cy='50%' r='30%' fill='gold' opacity='.5'/></svg>"
    )
    .into_bytes()
}

/// A file of the engine's own making.
fn made(file: &[u8], spec: &Value) -> Vec<u8> {
    let spec = Spec::parse(spec).unwrap();
    let (limits, control) = (Limits::default(), Control::default());
    transform(file, &Overlays::new(), &spec, &limits, &control).unwrap().bytes
}
