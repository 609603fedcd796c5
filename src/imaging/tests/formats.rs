//! What goes in comes out, in every format and depth.

use image::{DynamicImage, ImageFormat, Rgba, RgbaImage};
use png::{BitDepth, ColorType};
use serde_json::json;

use super::{make, pixels, refusal, samples};
use crate::domain::{error::Code, format::Format};

/// Every channel of its own, every alpha, colours under what is transparent too.
fn rich(width: u32, height: u32) -> RgbaImage {
    RgbaImage::from_fn(width, height, |x, y| {
        Rgba([(x * 7) as u8, (y * 5) as u8, (x * y) as u8, (x * 255 / (width - 1)) as u8])
    })
}

#[test]
fn what_loses_nothing_loses_nothing() {
    let picture = rich(37, 29);
    let opaque = samples::gradient(37, 29);
    for format in ["png", "tiff", "bmp", "qoi", "ico", "webp"] {
        for (name, picture) in [("with alpha", &picture), ("opaque", &opaque)] {
            let spec = json!({"format": format, "lossless": true});
            let made = make(&samples::png(picture), spec);
            assert_eq!(made.format, Format::from_name(format).unwrap());
            let known = ImageFormat::from_extension(made.format.extension()).unwrap();
            let read = image::load_from_memory_with_format(&made.bytes, known).unwrap();
            let again = pixels(&made.bytes, json!({}));
            for (reader, read) in [("theirs", read.into_rgba8()), ("ours", again)] {
                assert_eq!(read.dimensions(), (37, 29));
                for (pixel, expected) in read.pixels().zip(picture.pixels()) {
                    // What can't be seen may have any colour.
                    let hidden = expected.0[3] == 0 && pixel.0[3] == 0;
                    let is_right = pixel == expected || hidden;
                    assert!(is_right, "{format} {name}, {reader}: {pixel:?} {expected:?}");
                }
            }
        }
    }
}

#[test]
fn an_icon_is_small() {
    let large = samples::png(&samples::gradient(300, 20));
    let error = refusal(&large, json!({"format": "ico"}));
    assert_eq!(error.code, Code::TransformImpossible);
    assert!(error.detail.contains("256"), "{}", error.detail);
    assert_eq!(make(&large, json!({"format": "ico", "resize": {"width": 256}})).width, 256);
}

/// A PNG of these samples, written as they are.
fn raw_png(
    size: (u32, u32),
    color: ColorType,
    depth: BitDepth,
    palette: &[u8],
    trns: &[u8],
    data: &[u8],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, size.0, size.1);
    encoder.set_color(color);
    encoder.set_depth(depth);
    if !palette.is_empty() {
        encoder.set_palette(palette.to_vec());
    }
    if !trns.is_empty() {
        encoder.set_trns(trns.to_vec());
    }
    encoder.write_header().unwrap().write_image_data(data).unwrap();
    bytes
}

#[test]
fn every_depth_of_png_is_read() {
    use BitDepth::{Eight, Four, One, Sixteen, Two};
    let palette = [10, 20, 30, 200, 100, 50, 1, 2, 3, 4, 5, 6];
    let cases = [
        (
            ColorType::Grayscale,
            One,
            vec![],
            vec![],
            vec![0b0100_0000],
            [[0, 0, 0, 255], [255, 255, 255, 255]],
        ),
        (
            ColorType::Grayscale,
            Two,
            vec![],
            vec![],
            vec![0b0110_0000],
            [[85, 85, 85, 255], [170, 170, 170, 255]],
        ),
        (
            ColorType::Grayscale,
            Four,
            vec![],
            vec![],
            vec![0x3c],
            [[51, 51, 51, 255], [204, 204, 204, 255]],
        ),
        (
            ColorType::Grayscale,
            Eight,
            vec![],
            vec![0, 9],
            vec![9, 200],
            [[9, 9, 9, 0], [200, 200, 200, 255]],
        ),
        (
            ColorType::Grayscale,
            Sixteen,
            vec![],
            vec![],
            vec![0x12, 0x34, 0xff, 0xff],
            [[18, 18, 18, 255], [255; 4]],
        ),
        (
            ColorType::GrayscaleAlpha,
            Eight,
            vec![],
            vec![],
            vec![7, 8, 9, 10],
            [[7, 7, 7, 8], [9, 9, 9, 10]],
        ),
        (
            ColorType::Indexed,
            One,
            palette[..6].to_vec(),
            vec![],
            vec![0b0100_0000],
            [[10, 20, 30, 255], [200, 100, 50, 255]],
        ),
        (
            ColorType::Indexed,
            Two,
            palette.to_vec(),
            vec![0, 128],
            vec![0b0111_0000],
            [[200, 100, 50, 128], [4, 5, 6, 255]],
        ),
        (
            ColorType::Indexed,
            Eight,
            palette.to_vec(),
            vec![7],
            vec![0, 2],
            [[10, 20, 30, 7], [1, 2, 3, 255]],
        ),
        (
            ColorType::Rgb,
            Eight,
            vec![],
            vec![0, 1, 0, 2, 0, 3],
            vec![1, 2, 3, 4, 5, 6],
            [[1, 2, 3, 0], [4, 5, 6, 255]],
        ),
        (
            ColorType::Rgb,
            Sixteen,
            vec![],
            vec![],
            vec![1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0],
            [[1, 2, 3, 255], [4, 5, 6, 255]],
        ),
        (
            ColorType::Rgba,
            Sixteen,
            vec![],
            vec![],
            vec![1, 0, 2, 0, 3, 0, 9, 0, 4, 0, 5, 0, 6, 0, 8, 0],
            [[1, 2, 3, 9], [4, 5, 6, 8]],
        ),
    ];
    for (color, depth, palette, trns, data, expected) in cases {
        let file = raw_png((2, 1), color, depth, &palette, &trns, &data);
        // Into eight bits, by a format that has no more.
        let made = make(&file, json!({"format": "qoi"}));
        let read = image::load_from_memory(&made.bytes).unwrap().into_rgba8();
        let read = [read.get_pixel(0, 0).0, read.get_pixel(1, 0).0];
        assert_eq!(read, expected, "{color:?} {depth:?}");
    }
}

#[test]
fn sixteen_bits_stay_sixteen_where_they_can() {
    let deep = image::ImageBuffer::from_fn(50, 40, |x, y| {
        image::Rgba([
            (x * 1301) as u16,
            (y * 1607) as u16,
            (x * y * 31) as u16,
            (65_535 - x * 900) as u16,
        ])
    });
    let deep = DynamicImage::ImageRgba16(deep);
    for source in [ImageFormat::Png, ImageFormat::Tiff] {
        let mut file = std::io::Cursor::new(Vec::new());
        deep.write_to(&mut file, source).unwrap();
        let file = file.into_inner();
        for (name, format) in [("png", ImageFormat::Png), ("tiff", ImageFormat::Tiff)] {
            let made = make(&file, json!({"format": name}));
            let read = image::load_from_memory_with_format(&made.bytes, format).unwrap();
            assert_eq!(read, deep, "{source:?} to {name}");
            // Through steps too: a negative of a negative, turned there and back.
            let turned = json!({"operations": [
                {"filters": {"invert": true}}, {"rotate": 90}, {"filters": {"invert": true}}, {"rotate": -90}
            ], "format": name});
            let made = make(&file, turned);
            assert_eq!(image::load_from_memory_with_format(&made.bytes, format).unwrap(), deep);
        }
        let smaller = make(&file, json!({"format": "png", "resize": {"width": 20}}));
        let smaller = image::load_from_memory(&smaller.bytes).unwrap();
        assert_eq!(smaller.color(), image::ColorType::Rgba16);
        let between = smaller.into_rgba16().iter().any(|sample| sample % 257 != 0);
        assert!(between, "more than eight bits are used");
        assert_eq!(
            image::load_from_memory(&make(&file, json!({"format": "bmp"})).bytes).unwrap().color(),
            image::ColorType::Rgba8
        );
    }
}

#[test]
fn sixteen_bits_become_the_nearest_eight() {
    let deep = image::ImageBuffer::from_fn(64, 64, |x, y| {
        let sample = (x * 64 + y) * 16 + 7;
        Rgba([sample, 65535 - sample, sample ^ 0x5555, 65535].map(|value| value as u16))
    });
    let expected = deep.as_raw().iter().map(|sample| (f64::from(*sample) / 257.0).round() as u8);
    let expected: Vec<u8> = expected.collect();
    for source in [ImageFormat::Png, ImageFormat::Tiff] {
        let mut file = std::io::Cursor::new(Vec::new());
        DynamicImage::ImageRgba16(deep.clone()).write_to(&mut file, source).unwrap();
        for spec in [json!({"format": "qoi"}), json!({"format": "webp", "lossless": true})] {
            let made = make(file.get_ref(), spec.clone());
            assert!(*samples::read(&made.bytes) == *expected, "{source:?} {spec}");
        }
    }
}

#[test]
fn png_takes_the_form_that_needs_least() {
    let form = |picture: &RgbaImage| {
        let made = make(&samples::png(picture), json!({}));
        let reader = png::Decoder::new(std::io::Cursor::new(made.bytes)).read_info().unwrap();
        (reader.info().color_type, reader.info().bit_depth)
    };
    let of = |pixel: fn(u32, u32) -> [u8; 4]| RgbaImage::from_fn(40, 40, |x, y| Rgba(pixel(x, y)));
    assert_eq!(form(&samples::gradient(40, 40)).0, ColorType::Rgb);
    assert_eq!(form(&samples::veil(40, 40)).0, ColorType::Rgba);
    assert_eq!(form(&samples::tiles(9)), (ColorType::Indexed, BitDepth::Four));
    assert_eq!(
        form(&of(|x, _| [x as u8, x as u8, x as u8, 255])),
        (ColorType::Grayscale, BitDepth::Eight)
    );
    assert_eq!(
        form(&of(|x, y| [x as u8, x as u8, x as u8, y as u8 * 6])).0,
        ColorType::GrayscaleAlpha
    );
    assert_eq!(
        form(&of(|x, y| [if x > y { 255 } else { 0 }; 4])),
        (ColorType::Indexed, BitDepth::One)
    );
    assert_eq!(
        form(&of(|x, y| [x as u8, 0, (y / 20) as u8, 255])),
        (ColorType::Indexed, BitDepth::Eight)
    );
}

#[test]
fn profiles_are_applied_in_both_depths() {
    // Pure red of Display P3 is outside of sRGB; a muted one is inside, and redder than its numbers say.
    let p3 = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    for depth in [BitDepth::Eight, BitDepth::Sixteen] {
        let mut file = Vec::new();
        let mut info = png::Info::with_size(1, 1);
        info.icc_profile = Some(p3.clone().into());
        info.color_type = ColorType::Rgb;
        info.bit_depth = depth;
        let encoder = png::Encoder::with_info(&mut file, info).unwrap();
        let samples: &[u8] = match depth {
            BitDepth::Eight => &[180, 90, 60],
            _ => &[180, 180, 90, 90, 60, 60],
        };
        encoder.write_header().unwrap().write_image_data(samples).unwrap();
        let made = make(&file, json!({"format": "png"}));
        let read = image::load_from_memory(&made.bytes).unwrap().into_rgba16();
        // By the matrices of both spaces and the curve they share.
        let expected = [193.45, 83.39, 50.60];
        for (sample, expected) in read.get_pixel(0, 0).0.into_iter().zip(expected) {
            assert!((f64::from(sample) / 257.0 - expected).abs() < 1.0, "{sample} {expected}");
        }
    }
}

#[test]
fn grey_is_written_as_grey() {
    let grey =
        RgbaImage::from_fn(40, 30, |x, y| Rgba([(x * 3 + y * 4) as u8; 4].map(|v| v.max(1))));
    let opaque = RgbaImage::from_fn(40, 30, |x, y| {
        let [grey, ..] = grey.get_pixel(x, y).0;
        Rgba([grey, grey, grey, 255])
    });
    for progressive in [false, true] {
        let made =
            make(&samples::png(&opaque), json!({"format": "jpeg", "progressive": progressive}));
        let read = image::load_from_memory(&made.bytes).unwrap();
        assert_eq!(read.color(), image::ColorType::L8);
        assert!(super::psnr(&read.into_rgba8(), &opaque) > 35.0);
        assert!(super::psnr(&pixels(&made.bytes, json!({})), &opaque) > 35.0);
    }
}
