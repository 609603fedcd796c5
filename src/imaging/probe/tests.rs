//! Headers, good and bad.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::{
    cell::Cell,
    io::{BufRead, Cursor, Read, Seek, SeekFrom},
};

use image::ImageFormat;

use super::{Probe, probe};
use crate::{
    domain::{error::Code, format::Format, limits::Limits},
    imaging::samples,
};

fn of(bytes: &[u8]) -> Probe {
    probe(Cursor::new(bytes), &Limits::default()).unwrap()
}

fn refusal(bytes: &[u8]) -> (Code, String) {
    let error = probe(Cursor::new(bytes), &Limits::default()).unwrap_err();
    (error.code, error.detail)
}

#[test]
fn the_photographs() {
    for (bytes, format, width, height) in [
        (samples::ROCKET, Format::Jpeg, 640, 427),
        (samples::HUBBLE, Format::Jpeg, 1000, 872),
        (samples::CAT, Format::Png, 451, 300),
        (samples::COFFEE, Format::Png, 600, 400),
        (samples::ASTRONAUT, Format::Png, 512, 512),
    ] {
        let expected = Probe {
            format,
            width,
            height,
            frames: 1,
            has_alpha: false,
            orientation: 1,
            depth: 8,
            in_passes: false,
            in_rows: true,
        };
        assert_eq!(of(bytes), expected);
    }
}

#[test]
fn a_jpeg_of_several_scans_is_known() {
    let (width, height) = (32, 24);
    let pixels = samples::gradient(width, height).into_raw();
    let (width, height) = (width.try_into().unwrap(), height.try_into().unwrap());
    let written = |set: fn(&mut jpeg_encoder::Encoder<&mut Vec<u8>>)| {
        let mut bytes = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 80);
        set(&mut encoder);
        encoder.encode(&pixels, width, height, jpeg_encoder::ColorType::Rgba).unwrap();
        bytes
    };
    assert!(!of(&written(|_| {})).in_passes, "all channels in one");
    assert!(of(&written(|encoder| encoder.set_progressive(true))).in_passes, "progressive");
    let alone = written(|encoder| encoder.set_optimized_huffman_tables(true));
    assert!(of(&alone).in_passes, "a scan a channel");
}

#[test]
fn every_format_is_known_by_its_bytes() {
    let picture = samples::gradient(40, 30);
    for (written, format) in [
        (ImageFormat::Jpeg, Format::Jpeg),
        (ImageFormat::Png, Format::Png),
        (ImageFormat::WebP, Format::Webp),
        (ImageFormat::Gif, Format::Gif),
        (ImageFormat::Tiff, Format::Tiff),
        (ImageFormat::Bmp, Format::Bmp),
        (ImageFormat::Ico, Format::Ico),
        (ImageFormat::Qoi, Format::Qoi),
        (ImageFormat::Pnm, Format::Pnm),
        (ImageFormat::Tga, Format::Tga),
    ] {
        let probe = of(&samples::written(&picture, written));
        assert_eq!((probe.format, probe.width, probe.height, probe.frames), (format, 40, 30, 1));
    }
}

#[test]
fn sizes_are_as_displayed() {
    let picture = samples::tiles(16);
    for orientation in 1..=8 {
        for file in [
            samples::jpeg_turned(&picture, orientation),
            samples::png_turned(&picture, orientation),
            samples::webp_turned(&picture, orientation),
        ] {
            let probe = of(&file);
            let expected = if orientation > 4 { (32, 48) } else { (48, 32) };
            assert_eq!(
                (probe.width, probe.height, probe.orientation),
                (expected.0, expected.1, orientation)
            );
        }
    }
}

#[test]
fn frames_and_alpha() {
    let probe = of(&samples::animation());
    assert_eq!((probe.frames, probe.has_alpha), (4, false));
    assert!(of(&samples::png(&samples::veil(9, 9))).has_alpha);

    let strict = Limits { frames: 3, ..Limits::default() };
    let error = super::probe(Cursor::new(samples::animation()), &strict).unwrap_err();
    assert_eq!((error.code, error.detail.contains('3')), (Code::TooManyFrames, true));
    let strict = Limits { animation_pixels: 2399, ..Limits::default() };
    let error = super::probe(Cursor::new(samples::animation()), &strict).unwrap_err();
    assert_eq!((error.code, error.detail.contains("2399")), (Code::ImageTooLarge, true));
}

#[test]
fn what_is_no_picture_is_no_media_type_of_ours() {
    for bytes in [
        b"".as_slice(),
        b"hello, world: this is no picture\n",
        b"\xff\xd8",
        b"%PDF-1.7 and so on, and so on",
        b"RIFF\0\0\0\0WAVEfmt ",
        b"PK\x03\x04 archive",
        b"P9 1 1",
        b"<html><svg xmlns='http://www.w3.org/2000/svg'/></html>",
        &[0; 64],
    ] {
        assert_eq!(refusal(bytes).0, Code::UnsupportedMediaType, "{bytes:?}");
    }
}

#[test]
fn a_drawing_may_begin_with_a_long_comment() {
    for length in [10, 5_000, 140_000, 1_000_000] {
        let file = format!(
            "<?xml version='1.0'?>\n<!-- {} -->\n<svg xmlns='http://www.w3.org/2000/svg' width='9' height='7'/>",
            "licence ".repeat(length / 8)
        );
        let probe = of(file.as_bytes());
        assert_eq!((probe.format, probe.width, probe.height), (Format::Svg, 9, 7), "{length}");
        let page = file.replace("svg", "html");
        assert_eq!(refusal(page.as_bytes()).0, Code::UnsupportedMediaType, "{length}");
    }
    assert_eq!(refusal(b"<!-- no end").0, Code::UnsupportedMediaType);
}

#[test]
fn a_line_without_an_end_is_not_read_to_it() {
    let mut file = b"#?RADIANCE\n".to_vec();
    file.extend(vec![b'a'; 5 << 20]);
    let given = Cell::new(0);
    let reader = Endless { inner: std::io::BufReader::new(Cursor::new(file)), given: &given };
    let code = probe(reader, &Limits::default()).unwrap_err().code;
    assert_eq!(code, Code::ImageCorrupt);
    assert!(given.get() < 200_000, "{} bytes were read", given.get());
}

#[test]
fn headers_that_end_too_early_are_corrupt() {
    for (file, length) in [
        (samples::ROCKET, 200),
        (samples::CAT, 20),
        (samples::CAT, samples::CAT.len() - 1),
        (&samples::animation(), 30),
        (&samples::written(&samples::gradient(9, 9), ImageFormat::WebP), 24),
        (&samples::written(&samples::gradient(9, 9), ImageFormat::Tiff), 60),
        (&samples::written(&samples::gradient(9, 9), ImageFormat::Bmp), 20),
    ] {
        assert_eq!(refusal(&file[..length]).0, Code::ImageCorrupt);
    }
}

#[test]
fn too_large_names_the_limit() {
    let (code, detail) = refusal(&samples::png_claiming(50_000, 50_000));
    assert_eq!(code, Code::ImageTooLarge);
    assert_eq!(detail, "the picture has 50000 × 50000 pixels; at most 8000 across");
    let (code, detail) = refusal(&samples::png_claiming(7500, 7500));
    assert_eq!(code, Code::ImageTooLarge);
    assert_eq!(detail, "the picture has 7500 × 7500 pixels; at most 50000000 in all");
    assert_eq!(
        refusal(&samples::png_claiming(100, 8001)).1,
        "the picture has 100 × 8001 pixels; at most 8000 down"
    );
    assert_eq!(refusal(&samples::png_claiming(0, 10)).0, Code::ImageCorrupt);
}

/// A PNG of endless pixel chunks that counts the bytes it gives away.
struct Endless<'c> {
    inner: std::io::BufReader<Cursor<Vec<u8>>>,
    given: &'c Cell<usize>,
}

impl Read for Endless<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.given.set(self.given.get() + count);
        Ok(count)
    }
}

impl BufRead for Endless<'_> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.given.set(self.given.get() + count);
        self.inner.consume(count);
    }
}

impl Seek for Endless<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.inner.seek(to)
    }
}

#[test]
fn a_large_file_is_passed_over_and_not_read() {
    let png = samples::png(&samples::gradient(9, 9));
    let (head, tail) = png.split_at(samples::PNG_HEADER);
    let filler = samples::chunk(b"juNk", &vec![7; 1 << 20]);
    let given = Cell::new(0);
    let file = [head, &filler.repeat(20), tail].concat();
    let reader = Endless { inner: std::io::BufReader::new(Cursor::new(file)), given: &given };
    assert_eq!(probe(reader, &Limits::default()).unwrap().width, 9);
    assert!(given.get() < 1000, "{} bytes were read", given.get());
}
