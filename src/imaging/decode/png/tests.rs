//! Rows that are handed over one by one are those of the whole picture.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use png::{BitDepth, ColorType, Encoder, Filter};

use super::{Lines, whole};
use crate::{
    domain::error::Code,
    imaging::{
        control::{Control, Failure},
        decode::Wanted,
        rows::Rows,
    },
};

fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0] >> 4
    };
    (0..length).map(|_| next()).collect()
}

/// A file of that kind, with `transparent` as what its tRNS chunk holds.
fn file(
    (width, height): (u32, u32),
    color: ColorType,
    filter: Filter,
    transparent: Option<Vec<u8>>,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_filter(filter);
    if color == ColorType::Indexed {
        encoder.set_palette(noise(16 * 3));
    }
    if let Some(transparent) = transparent {
        encoder.set_trns(transparent);
    }
    let mut writer = encoder.write_header().unwrap();
    let samples = width as usize * height as usize * color.samples();
    writer.write_image_data(&noise(samples)).unwrap();
    writer.finish().unwrap();
    bytes
}

fn read(file: &[u8]) -> Result<Option<(bool, Vec<u8>)>, Failure> {
    let control = Control::default();
    let Some((mut lines, _)) = Lines::of(file, &control)? else { return Ok(None) };
    let mut all = Vec::new();
    while let Some(row) = lines.next()? {
        all.extend_from_slice(row);
    }
    assert!(lines.next()?.is_none());
    Ok(Some((lines.has_alpha(), all)))
}

#[track_caller]
fn is_read_as_a_whole(file: &[u8]) {
    let whole = whole(file, Wanted::FIRST, &Control::default()).unwrap();
    let (has_alpha, rows) = read(file).unwrap().unwrap();
    assert_eq!(has_alpha, whole.has_alpha);
    assert!(rows == **whole.first.pixels.eight());
}

#[test]
fn every_kind_of_row_is_read() {
    use ColorType::{Grayscale, GrayscaleAlpha, Indexed, Rgb, Rgba};
    for filter in
        [Filter::NoFilter, Filter::Sub, Filter::Up, Filter::Avg, Filter::Paeth, Filter::Adaptive]
    {
        for color in [Grayscale, GrayscaleAlpha, Rgb, Rgba, Indexed] {
            is_read_as_a_whole(&file((37, 11), color, filter, None));
        }
    }
    for (color, transparent) in
        [(Grayscale, vec![0, 3]), (Rgb, vec![0, 1, 0, 2, 0, 3]), (Indexed, vec![0, 100, 255, 7])]
    {
        is_read_as_a_whole(&file((64, 64), color, Filter::Paeth, Some(transparent)));
    }
}

#[test]
fn every_small_size_is_read() {
    for width in 1..=9 {
        for height in 1..=9 {
            is_read_as_a_whole(&file((width, height), ColorType::Rgb, Filter::Paeth, None));
            is_read_as_a_whole(&file((width, height), ColorType::Rgba, Filter::Avg, None));
        }
    }
}

#[test]
fn what_is_damaged_or_cut_off_is_refused() {
    let file = file((20, 9), ColorType::Rgba, Filter::Adaptive, None);
    let is_corrupt = |file: &[u8]| matches!(read(file), Err(Failure::Refused(error)) if error.code == Code::ImageCorrupt);
    for length in 0..file.len() {
        assert!(is_corrupt(&file[..length]), "{length}");
    }
    // Behind the length and the name of the first chunk everything has a checksum.
    for at in 16..file.len() {
        let mut damaged = file.clone();
        damaged[at] ^= 0x10;
        assert!(is_corrupt(&damaged), "{at}");
    }
}

#[test]
fn other_depths_and_interlaced_pictures_are_left_to_the_whole() {
    for depth in [BitDepth::One, BitDepth::Four, BitDepth::Sixteen] {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, 4, 4);
        encoder.set_depth(depth);
        encoder.set_color(ColorType::Grayscale);
        let mut writer = encoder.write_header().unwrap();
        let length = 4 * match depth {
            BitDepth::One => 1,
            BitDepth::Four => 2,
            _ => 8,
        };
        writer.write_image_data(&vec![0; length]).unwrap();
        writer.finish().unwrap();
        assert!(read(&bytes).unwrap().is_none());
    }
}
