#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]

use std::sync::LazyLock;

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use proptest::prelude::*;

use super::{bands::Bands, rows::Rows, *};
use crate::{
    domain::error::Code,
    imaging::{
        control::Failure,
        planes::{Part, Planes, Shape},
    },
};

const SIZE: (u16, u16) = (173, 101);

/// Curves and colours, and some noise: no block is like another.
fn pixels((width, height): (u16, u16)) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let mut pixels = Vec::new();
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (f32::from(y), f32::from(x)))) {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = (state >> 28) as f32;
        let wave = |a: f32, b: f32| 120.0 + 100.0 * (x / a).sin() * (y / b).cos() + noise;
        pixels.extend([wave(17.0, 23.0), wave(29.0, 13.0), wave(11.0, 31.0)].map(|v| v as u8));
    }
    pixels
}

/// A file of [`pixels`].
fn file(sampling: SamplingFactor, set: impl FnOnce(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, 90);
    encoder.set_sampling_factor(sampling);
    set(&mut encoder);
    encoder.encode(&pixels(SIZE), SIZE.0, SIZE.1, ColorType::Rgb).unwrap();
    file
}

fn grey() -> Vec<u8> {
    let mut file = Vec::new();
    let luma: Vec<u8> = pixels(SIZE).into_iter().step_by(3).collect();
    Encoder::new(&mut file, 90).encode(&luma, SIZE.0, SIZE.1, ColorType::Luma).unwrap();
    file
}

/// Red, green and blue as they are, which the channels' names say.
fn rgb() -> Vec<u8> {
    let mut file = Vec::new();
    let encoder = Encoder::new(&mut file, 95);
    encoder.encode(&pixels(SIZE), SIZE.0, SIZE.1, ColorType::Ycbcr).unwrap();
    // Without JFIF's segment, which stands first.
    file.drain(2..4 + usize::from(u16::from_be_bytes([file[4], file[5]])));
    let at = |file: &[u8], marker| file.windows(2).position(|at| at == [0xff, marker]).unwrap();
    let (frame, scan) = (at(&file, 0xc0), at(&file, 0xda));
    for (index, name) in b"RGB".iter().enumerate() {
        file[frame + 10 + 3 * index] = *name;
        file[scan + 5 + 2 * index] = *name;
    }
    file
}

/// Every way of coding that there is an encoder for here.
static FILES: LazyLock<[(&str, Vec<u8>); 11]> = LazyLock::new(|| {
    use SamplingFactor::{F_1_1, F_1_2, F_2_1, F_2_2, R_4_2_0};
    [
        ("4:4:4", file(F_1_1, |_| {})),
        ("4:2:2", file(F_2_1, |_| {})),
        ("4:4:0", file(F_1_2, |_| {})),
        ("4:2:0", file(F_2_2, |_| {})),
        ("a scan a component", file(F_2_2, |encoder| encoder.set_optimized_huffman_tables(true))),
        ("restarts", file(F_2_2, |encoder| encoder.set_restart_interval(7))),
        ("progressive", file(F_1_1, |encoder| encoder.set_progressive(true))),
        ("progressive 4:2:0", file(R_4_2_0, |encoder| encoder.set_progressive(true))),
        ("many scans", file(F_1_1, |encoder| encoder.set_progressive_scans(20))),
        ("grey", grey()),
        ("rgb", rgb()),
    ]
});

/// Those that have luma.
fn with_luma() -> impl Iterator<Item = &'static (&'static str, Vec<u8>)> {
    FILES.iter().filter(|(name, _)| *name != "rgb")
}

fn whole(file: &[u8]) -> Result<Picture, Failure> {
    decode(file, Wanted::FIRST, &Limits::default(), &Control::default())
}

fn rows(file: &[u8], eighths: u32) -> Result<Option<Vec<u8>>, Failure> {
    let control = Control::default();
    let Some(mut rows) = Rows::open(file, eighths, &control)? else { return Ok(None) };
    let mut all = Vec::new();
    while let Some(row) = rows.next_row()? {
        all.extend_from_slice(row);
    }
    Ok(Some(all))
}

/// The planes of a part, the rows that are not handed over left out; and the first row that is.
type Made = (Shape, u32, [Vec<Vec<u8>>; 3]);

fn bands(file: &[u8], part: Part) -> Result<Option<Made>, Failure> {
    let control = Control::default();
    let Some(mut bands) = Bands::open(file, part, &control)? else { return Ok(None) };
    let (shape, mut first) = (bands.shape(), None);
    let mut planes: [Vec<Vec<u8>>; 3] = Default::default();
    while let Some(band) = bands.next()? {
        let top = *first.get_or_insert(band.top);
        assert_eq!(band.top as usize, top as usize + planes[0].len());
        assert!(band.top.is_multiple_of(8));
        for (plane, of) in planes.iter_mut().zip(&band.planes) {
            assert_eq!(of.samples.len(), of.rows * of.stride);
            let rows = of.samples.chunks(of.stride.max(1)).map(|row| row[..of.width].to_vec());
            plane.extend(rows);
        }
    }
    Ok(Some((shape, first.unwrap_or_default(), planes)))
}

fn all(eighths: u32) -> Part {
    Part { eighths, columns: 0..u32::MAX, rows: 0..u32::MAX }
}

/// Every way of reading it.
fn read(file: &[u8]) -> [Result<(), Failure>; 4] {
    let bands = |eighths| match bands(file, all(eighths)) {
        Ok(None) => whole(file).map(drop),
        result => result.map(drop),
    };
    [whole(file).map(drop), rows(file, 2).map(drop), bands(8), bands(1)]
}

fn is_corrupt<T>(result: &Result<T, Failure>) -> bool {
    matches!(result, Err(Failure::Refused(error)) if error.code == Code::ImageCorrupt)
}

/// Whether a marker follows `at`, or stands across it, but none of those that stand within a scan: all before it may be a whole
/// file.
fn is_at_marker(file: &[u8], at: usize) -> bool {
    [at - 1, at]
        .into_iter()
        .any(|at| file[at] == 0xff && !matches!(file[at + 1], 0x00 | 0xd0..=0xd7))
}

/// A decoder that comes to the end marker before it has all pixels must not make the rest up.
#[test]
fn a_cut_is_found_wherever_it_is() {
    for (name, file) in &*FILES {
        let length = file.len() - 2;
        let cuts = (200..length - 40).step_by(997).chain(length - 40..length);
        for cut in cuts.filter(|at| !is_at_marker(file, *at)) {
            let ended = [&file[..cut], &[0xff, 0xd9]].concat();
            for (way, result) in read(&file[..cut]).into_iter().chain(read(&ended)).enumerate() {
                assert!(is_corrupt(&result), "{name} cut at {cut} of {length}, way {way}");
            }
        }
        let endless = read(&file[..length]);
        assert!(endless.iter().all(is_corrupt), "{name}: {endless:?}");
        assert!(read(file).iter().all(Result::is_ok), "{name}");
    }
}

#[test]
fn a_channel_that_was_in_no_scan_is_missed() {
    let separate =
        file(SamplingFactor::F_2_2, |encoder| encoder.set_optimized_huffman_tables(true));
    for set in [separate, file(SamplingFactor::F_1_1, |encoder| encoder.set_progressive(true))] {
        let starts = |marker| {
            let starts = set.windows(2).enumerate().filter(move |(_, at)| *at == [0xff, marker]);
            starts.map(|(at, _)| at).collect::<Vec<_>>()
        };
        let second = starts(0xda)[1];
        let one = [&set[..second], &[0xff, 0xd9]].concat();
        // A progressive file begins with what is roughest of all channels.
        let is_whole = set[starts(0xda)[0] + 4] == 3;
        assert!(read(&one).iter().all(|result| result.is_ok() == is_whole), "{:?}", read(&one));
    }
}

#[test]
fn what_cameras_write_is_no_damage() {
    let plain = file(SamplingFactor::F_2_2, |_| {});
    let end = plain.len() - 2;
    let padded = [&plain[..end], &[0; 300], &plain[end..]].concat();
    let followed = [&plain[..], b"anything", &plain].concat();
    // Where a scan says which coefficients it has.
    let mut zeros = plain.clone();
    let scan = plain.windows(2).position(|at| at == [0xff, 0xda]).unwrap();
    zeros[scan + 11..scan + 14].fill(0);
    for file in [padded, followed, zeros] {
        assert_eq!(
            whole(&file).unwrap().first.pixels.eight(),
            whole(&plain).unwrap().first.pixels.eight()
        );
        assert!(read(&file).iter().all(Result::is_ok));
    }
}

#[test]
fn restarts_are_counted() {
    let file = file(SamplingFactor::F_2_2, |encoder| encoder.set_restart_interval(7));
    let second = file.windows(2).position(|at| at == [0xff, 0xd1]).unwrap();
    let third = file.windows(2).position(|at| at == [0xff, 0xd2]).unwrap();
    let missing = [&file[..second], &file[third..]].concat();
    let more = [&file[..second], &[0x55; 40], &file[second..]].concat();
    for damaged in [missing, more] {
        assert!(read(&damaged).iter().all(is_corrupt));
    }
}

#[test]
fn every_way_gives_the_same_picture() {
    let original = pixels(SIZE);
    for (name, file) in &*FILES {
        let picture = whole(file).unwrap();
        let picture = picture.first.pixels.eight();
        if *name != "grey" {
            let errors =
                picture.pixels().zip(original.as_chunks::<3>().0).map(|(seen, written)| {
                    let [red, green, blue, alpha] = seen.0;
                    assert_eq!(alpha, 255);
                    let off = |a: u8, b: u8| u64::from(a.abs_diff(b));
                    off(red, written[0]) + off(green, written[1]) + off(blue, written[2])
                });
            let mean = errors.sum::<u64>() as f64 / original.len() as f64;
            // Noise, and chroma of half the size.
            assert!(mean < 8.0, "{name}: {mean}");
        }
        assert_eq!(&rows(file, 8).unwrap().unwrap(), picture.as_raw(), "{name}");
        let made = bands(file, all(8)).unwrap();
        let Some((_, _, [luma, ..])) = made else {
            assert_eq!(*name, "rgb");
            continue;
        };
        assert_eq!(luma.len(), usize::from(SIZE.1));
        for (row, pixels) in luma.iter().zip(picture.rows()) {
            for (luma, pixel) in row.iter().zip(pixels) {
                let [red, green, blue, _] = pixel.0.map(f32::from);
                // Colours that no screen has were cut off.
                if pixel.0[..3].iter().all(|channel| (1..255).contains(channel)) {
                    let expected = 0.299 * red + 0.587 * green + 0.114 * blue;
                    assert!((f32::from(*luma) - expected).abs() < 1.6, "{name}");
                }
            }
        }
    }
}

/// The mean of a plane, and of what it is made smaller from.
#[test]
fn smaller_scales_show_the_same_planes() {
    for (name, file) in with_luma() {
        let (_, _, [full, ..]) = bands(file, all(8)).unwrap().unwrap();
        for eighths in [4, 2, 1] {
            let (shape, _, planes) = bands(file, all(eighths)).unwrap().unwrap();
            let side = |side: u16| (u32::from(side) * eighths).div_ceil(8) as usize;
            let (width, height) = (side(SIZE.0), side(SIZE.1));
            let (across, down) = match shape {
                Shape::Grey => (width, height),
                Shape::Color { across, down } => (across, down),
            };
            let sizes =
                planes.each_ref().map(|plane| (plane.first().map_or(0, Vec::len), plane.len()));
            let chroma = (width.div_ceil(across), height.div_ceil(down));
            let expected = [(width, height), chroma, chroma];
            assert_eq!(sizes[0], expected[0], "{name} at {eighths}");
            assert!(shape == Shape::Grey || sizes == expected, "{name} at {eighths}: {sizes:?}");
            let box_side = 8 / eighths as usize;
            let mut off = 0.0;
            let mut count = 0.0;
            for (y, row) in planes[0].iter().enumerate().take(usize::from(SIZE.1) / box_side) {
                for (x, sample) in row.iter().enumerate().take(usize::from(SIZE.0) / box_side) {
                    let block = full[y * box_side..][..box_side].iter();
                    let sum: u32 = block
                        .flat_map(|row| &row[x * box_side..][..box_side])
                        .map(|sample| u32::from(*sample))
                        .sum();
                    let mean = f64::from(sum) / (box_side * box_side) as f64;
                    off += (f64::from(*sample) - mean).abs();
                    count += 1.0;
                }
            }
            // A cosine transform of fewer terms is nearly the mean.
            assert!(off / count < 2.0, "{name} at {eighths}: {}", off / count);
        }
    }
}

#[test]
fn chroma_of_half_the_size_grows_with_the_scale() {
    use SamplingFactor::{F_1_1, F_1_2, F_2_1, F_2_2, F_4_1};
    let shape = |sampling, eighths| {
        let made = bands(&file(sampling, |_| {}), all(eighths)).unwrap();
        made.map(|(shape, ..)| shape)
    };
    let color = |across, down| Some(Shape::Color { across, down });
    for eighths in [8, 4, 2, 1] {
        assert_eq!(shape(F_1_1, eighths), color(1, 1));
        assert_eq!(shape(F_2_1, eighths), color(2, 1));
        assert_eq!(shape(F_1_2, eighths), color(1, 2));
        // There are eight by eight samples in a block of either, whatever the scale.
        assert_eq!(shape(F_2_2, eighths), if eighths == 8 { color(2, 2) } else { color(1, 1) });
        assert_eq!(shape(F_4_1, eighths), None);
    }
    assert!(bands(&rgb(), all(8)).unwrap().is_none());
}

#[test]
fn the_wanted_rows_are_those_of_the_whole() {
    for (name, file) in with_luma() {
        for eighths in [8, 1] {
            let (_, _, whole) = bands(file, all(eighths)).unwrap().unwrap();
            let height = whole[0].len() as u32;
            for rows in [0..1, 0..height, height / 3..height / 2, height - 1..height + 9] {
                let part = Part { rows: rows.clone(), ..all(eighths) };
                let (shape, top, [luma, blue, _]) = bands(file, part).unwrap().unwrap();
                let end = top as usize + luma.len();
                assert!(top <= rows.start && end as u32 >= rows.end.min(height), "{name}");
                assert_eq!(luma, whole[0][top as usize..end], "{name}");
                if let Shape::Color { down, .. } = shape {
                    assert_eq!(blue, whole[1][top as usize / down..][..blue.len()], "{name}");
                }
            }
            let nothing = Part { rows: 0..0, ..all(eighths) };
            assert!(bands(file, nothing).unwrap().unwrap().2[0].is_empty(), "{name}");
        }
    }
}

/// Rows that nobody wants are not decoded; that the file ends is known all the same.
#[test]
fn a_file_that_ends_below_the_wanted_rows_is_refused() {
    for (name, file) in &*FILES {
        let part = || Part { rows: 0..16, ..all(8) };
        let Some(..) = bands(file, part()).unwrap() else { continue };
        assert!(is_corrupt(&bands(&file[..file.len() - 9], part())), "{name}");
    }
}

#[test]
fn inks_are_read_as_they_are_written() {
    let inks: Vec<u8> = [200, 30, 90, 40].repeat(256);
    let expected = [200, 30, 90].map(|ink| (255 - ink) * (255 - 40) / 255);
    let near = |file: &[u8]| {
        let seen = whole(file).unwrap().first.pixels.eight().get_pixel(8, 8).0;
        let off = seen.iter().zip(expected).map(|(a, b)| i32::from(*a).abs_diff(b));
        assert!(off.max().unwrap() <= 3, "{seen:?}");
        assert!(bands(file, all(8)).unwrap().is_none() && rows(file, 8).unwrap().is_none());
    };
    for kind in [ColorType::Cmyk, ColorType::CmykAsYcck] {
        let mut file = Vec::new();
        Encoder::new(&mut file, 95).encode(&inks, 16, 16, kind).unwrap();
        near(&file);
    }
    // Without Adobe's marker they are not inverted.
    let inverted: Vec<u8> = inks.iter().map(|ink| 255 - ink).collect();
    let mut file = Vec::new();
    Encoder::new(&mut file, 95).encode(&inverted, 16, 16, ColorType::Cmyk).unwrap();
    let adobe = file.windows(2).position(|at| at == [0xff, 0xee]).unwrap();
    file.drain(adobe..adobe + 16);
    near(&file);
}

#[test]
fn a_profile_in_pieces_is_put_together() {
    let profile: Vec<u8> = (0..150_000_u32).map(|at| (at % 251) as u8).collect();
    let file = file(SamplingFactor::F_2_2, |encoder| encoder.add_icc_profile(&profile).unwrap());
    assert_eq!(icc::read(&file).as_ref(), Some(&profile));
    // With a piece missing there is none.
    let second = file.windows(14).rposition(|at| at.starts_with(b"ICC_PROFILE\0")).unwrap() - 4;
    let length = usize::from(u16::from_be_bytes([file[second + 2], file[second + 3]]));
    let fewer = [&file[..second], &file[second + 2 + length..]].concat();
    assert_eq!(icc::read(&fewer), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A picture or `image_corrupt`, and nothing else.
    #[test]
    fn damage_never_does_worse(
        which in 0_usize..11,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut file = FILES[which].1.clone();
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        if let Some(cut) = cut {
            file.truncate(cut.index(file.len()));
        }
        for (way, result) in read(&file).iter().enumerate() {
            prop_assert!(result.is_ok() || is_corrupt(result), "way {way}: {result:?}");
        }
    }
}
