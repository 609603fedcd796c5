//! Pictures by hand and by another encoder, whole and in part, good and damaged.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation
)]

mod writer;

use proptest::prelude::*;

use self::writer::{Numbers, Written};
use super::{Baseline, begin};
use crate::{
    domain::error::Code,
    imaging::{
        control::{Control, Failure},
        planes::{Part, Plane, Planes, Shape},
        samples,
    },
};

const SCALES: [u32; 4] = [8, 4, 2, 1];

/// A plane put together from bands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Whole {
    width: usize,
    samples: Vec<u8>,
}

impl Whole {
    fn height(&self) -> usize {
        self.samples.len() / self.width.max(1)
    }
}

fn part(eighths: u32) -> Part {
    Part { eighths, columns: 0..u32::MAX, rows: 0..u32::MAX }
}

/// All bands, which must follow each other as is promised, from the given row on.
fn gathered(mut decoder: Baseline<'_>, mut top: u32) -> Result<Vec<Whole>, Failure> {
    let (width, height) = decoder.size();
    let (count, [across, down]) = match decoder.shape() {
        Shape::Grey => (1, [1, 1]),
        Shape::Color { across, down } => (3, [across, down]),
    };
    let mut wholes = vec![Whole::default(); count];
    while let Some(band) = decoder.next()? {
        let [luma, ..] = band.planes;
        assert_eq!((band.top, band.top % 8), (top, 0));
        top += luma.rows as u32;
        assert!(top == height || luma.rows.is_multiple_of(2));
        for (index, plane) in band.planes.iter().enumerate() {
            let Some(whole) = wholes.get_mut(index) else {
                assert!(plane.samples.is_empty());
                continue;
            };
            let [across, down] = if index == 0 { [1, 1] } else { [across, down] };
            assert_eq!(plane.width, (width as usize).div_ceil(across));
            assert_eq!(plane.rows, luma.rows.div_ceil(down));
            assert!(plane.samples.len() >= plane.rows * plane.stride);
            assert!(plane.stride >= plane.width + Plane::SLACK);
            whole.width = plane.width;
            for row in plane.samples.chunks(plane.stride).take(plane.rows) {
                whole.samples.extend(&row[..plane.width]);
            }
        }
    }
    Ok(wholes)
}

fn decoded(input: &[u8], eighths: u32) -> Result<Vec<Whole>, Failure> {
    let control = Control::default();
    gathered(begin(input, &part(eighths), &control).expect("it is of the kind"), 0)
}

fn is_refused(input: &[u8]) -> bool {
    begin(input, &part(8), &Control::default()).is_none()
}

fn assert_corrupt(result: Result<Vec<Whole>, Failure>) {
    match result {
        Err(Failure::Refused(error)) => assert_eq!(error.code, Code::ImageCorrupt),
        other => panic!("{other:?}"),
    }
}

/// 4:4:4, 4:2:2, 4:4:0, 4:2:0 and grey, of all remainders of sizes.
fn any_file() -> impl Strategy<Value = Written> {
    let factors = prop_oneof![
        Just(None),
        (1..=2_usize, 1..=2_usize).prop_map(|(wide, high)| Some([wide, high])),
    ];
    (1..=70_usize, 1..=40_usize, factors, 0..=9_usize, any::<u64>()).prop_map(
        |(width, height, factors, restart, seed)| Written { width, height, factors, restart, seed },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn samples_are_those_of_the_formula(written in any_file()) {
        let (file, components) = written.write();
        for eighths in SCALES {
            let wholes = decoded(&file, eighths).unwrap();
            prop_assert_eq!(wholes.len(), components.len());
            for (whole, component) in wholes.iter().zip(&components) {
                prop_assert!(whole.height() > 0);
                for (index, sample) in whole.samples.iter().enumerate() {
                    let (x, y) = (index % whole.width, index / whole.width);
                    let expected = component.sample(eighths as usize, x, y);
                    let error = (f64::from(*sample) - expected).abs();
                    prop_assert!(error < 1.0, "{} is {} at {}, {}", sample, expected, x, y);
                }
            }
        }
    }

    #[test]
    fn a_part_is_a_part_of_the_whole(
        written in any_file(),
        scale in 0..4_usize,
        sides in any::<[u32; 4]>(),
    ) {
        let eighths = SCALES[scale];
        let (file, _) = written.write();
        let control = Control::default();
        let wholes = decoded(&file, eighths).unwrap();
        let (width, height) = begin(&file, &part(eighths), &control).unwrap().size();
        let [a, b, c, d] = sides;
        let columns = a % width..a % width + 1 + b % (width - a % width);
        let rows = c % height..c % height + 1 + d % (height - c % height);

        let part = Part { eighths, columns: columns.clone(), rows: rows.clone() };
        let mut decoder = begin(&file, &part, &control).unwrap();
        let (across, down) = match decoder.shape() {
            Shape::Grey => (1, 1),
            Shape::Color { across, down } => (across, down),
        };
        let mut seen = rows.start;
        while let Some(band) = decoder.next().unwrap() {
            let bottom = band.top + band.planes[0].rows as u32;
            prop_assert!(band.top <= seen && seen < bottom && band.top < rows.end);
            for (index, (plane, whole)) in band.planes.iter().zip(&wholes).enumerate() {
                let [across, down] = if index == 0 { [1, 1] } else { [across, down] };
                let top = band.top as usize / down;
                let columns = columns.start as usize / across..(columns.end as usize).div_ceil(across);
                for row in 0..plane.rows {
                    let found = &plane.samples[row * plane.stride..][columns.clone()];
                    let expected = &whole.samples[(top + row) * whole.width..][columns.clone()];
                    prop_assert_eq!(found, expected);
                }
            }
            seen = bottom;
        }
        prop_assert!(seen >= rows.end);
    }

    #[test]
    fn damage_is_an_error_or_other_pixels(written in any_file(), seed in any::<u64>(), scale in 0..4_usize) {
        let (mut file, _) = written.write();
        let mut numbers = Numbers(seed);
        for _ in 0..1 + numbers.below(4) {
            let at = numbers.below(file.len() as u32) as usize;
            file[at] = [numbers.below(256) as u8, 0xff, 0x00, 0xd9][numbers.below(4) as usize];
        }
        let control = Control::default();
        if let Some(decoder) = begin(&file, &part(SCALES[scale]), &control) {
            let (width, height) = decoder.size();
            match gathered(decoder, 0) {
                Ok(wholes) => prop_assert_eq!(wholes[0].samples.len() as u32, width * height),
                Err(_) => assert_corrupt(decoded(&file, SCALES[scale])),
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod vectors {
    use super::*;
    use crate::imaging::decode::baseline::{
        block::{NO_PAIR, Pair},
        header::COEFFICIENTS,
        idct::{Kernel, Output, Portable, pair_of},
        simd::Avx2,
    };

    /// Two blocks of which the first rows and columns may be other than zero, and steps, in numbers of so many bits.
    fn any_pair(filled: usize) -> impl Strategy<Value = (Pair, Pair)> {
        let numbers = proptest::collection::vec(any::<i16>(), 3 * COEFFICIENTS);
        (numbers, 0..16_u32, 0..16_u32).prop_map(move |(numbers, value_bits, step_bits)| {
            let mut pair = NO_PAIR;
            for (place, number) in numbers.iter().take(2 * COEFFICIENTS).enumerate() {
                let (row, column) = (place / 16, place % 8);
                if row < filled && column < filled {
                    pair.0[place] = number >> value_bits;
                }
            }
            let steps = std::array::from_fn(|index| numbers[2 * COEFFICIENTS + index] >> step_bits);
            (pair, pair_of(&steps))
        })
    }

    /// What a transform leaves in a buffer.
    fn output(transform: impl Fn(Output<'_>), places: &[usize]) -> Vec<u8> {
        let mut samples = vec![7; 8 * 40];
        transform(Output { samples: &mut samples, places, stride: 40 });
        samples
    }

    proptest! {
        #[test]
        fn transform_as_the_portable_code_does(
            (pair, steps) in any_pair(8),
            (sparse, sparse_steps) in any_pair(4),
        ) {
            let Some(avx2) = Avx2::detect() else { return Ok(()) };
            for places in [&[3, 20][..], &[11]] {
                prop_assert_eq!(
                    output(|to| avx2.eight(&pair, &steps, false, to), places),
                    output(|to| Portable.eight(&pair, &steps, false, to), places)
                );
                prop_assert_eq!(
                    output(|to| avx2.eight(&sparse, &sparse_steps, true, to), places),
                    output(|to| Portable.eight(&sparse, &sparse_steps, false, to), places)
                );
                prop_assert_eq!(
                    output(|to| avx2.four(&pair, &steps, to), places),
                    output(|to| Portable.four(&pair, &steps, to), places)
                );
            }
        }
    }

    #[test]
    fn give_the_same_photograph() {
        let control = Control::default();
        for eighths in SCALES {
            let mut decoder = begin(samples::ROCKET, &part(eighths), &control).unwrap();
            decoder.avx2 = None;
            assert_eq!(gathered(decoder, 0).unwrap(), decoded(samples::ROCKET, eighths).unwrap());
        }
    }
}

/// How alike two planes are, in decibels.
fn psnr(one: &[u8], other: &[u8]) -> f64 {
    assert_eq!(one.len(), other.len());
    let error: f64 = one
        .iter()
        .zip(other)
        .map(|(one, other)| (f64::from(*one) - f64::from(*other)).powi(2))
        .sum();
    10.0 * (255.0 * 255.0 * one.len() as f64 / error.max(1e-9)).log10()
}

#[test]
fn photographs_are_those_of_another_decoder() {
    for file in [samples::ROCKET, samples::HUBBLE] {
        let [luma, blue, red] = decoded(file, 8).unwrap().try_into().unwrap();
        let other = image::load_from_memory(file).unwrap().into_rgb8();
        let (width, height) = (other.width() as usize, other.height() as usize);
        let other: Vec<u8> = other
            .pixels()
            .map(|pixel| {
                let [r, g, b] = pixel.0.map(f32::from);
                (0.299 * r + 0.587 * g + 0.114 * b).round() as u8
            })
            .collect();
        assert_eq!((luma.width, luma.height()), (width, height));
        // Colours that were cut off at black or white have another luma.
        assert!(psnr(&luma.samples, &other) > 45.0, "{}", psnr(&luma.samples, &other));
        assert_eq!(blue.samples.len(), red.samples.len());
    }
}

#[test]
fn smaller_is_the_average() {
    for file in [samples::ROCKET, samples::HUBBLE] {
        let [full, ..] = <[Whole; 3]>::try_from(decoded(file, 8).unwrap()).unwrap();
        for eighths in [4, 2, 1] {
            let [small, ..] = <[Whole; 3]>::try_from(decoded(file, eighths).unwrap()).unwrap();
            let by = 8 / eighths as usize;
            assert_eq!(small.width, full.width.div_ceil(by));
            assert_eq!(small.height(), full.height().div_ceil(by));
            // What lies partly outside is left out.
            let (columns, rows) = (full.width / by, full.height() / by);
            let (mut found, mut expected) = (Vec::new(), Vec::new());
            for (y, x) in (0..rows).flat_map(|y| (0..columns).map(move |x| (y, x))) {
                let square = (0..by * by).map(|index| {
                    let (x, y) = (x * by + index % by, y * by + index / by);
                    usize::from(full.samples[y * full.width + x])
                });
                expected.push((square.sum::<usize>() / (by * by)) as u8);
                found.push(small.samples[y * small.width + x]);
            }
            // Detail that is finer than a sample is cut off more sharply than an average does.
            assert!(psnr(&found, &expected) > 32.0, "{eighths} {}", psnr(&found, &expected));
        }
    }
}

#[test]
fn data_that_is_missing_is_an_error() {
    let written = Written { width: 40, height: 24, factors: Some([2, 2]), restart: 2, seed: 5 };
    let (file, _) = written.write();
    let whole = decoded(&file, 8).unwrap();
    for length in 0..file.len() {
        assert!(is_refused(&file[..length]), "without an end marker");
        let ended = [&file[..length], &[0xff, 0xd9]].concat();
        if let Some(decoder) = begin(&ended, &part(8), &Control::default()) {
            match gathered(decoder, 0) {
                // No more than bits that mean nothing were missing.
                Ok(found) => assert!(found == whole && length + 3 >= file.len()),
                result => assert_corrupt(result),
            }
        }
    }
}

#[test]
fn restarts_come_in_their_order() {
    let written = Written { width: 80, height: 8, factors: None, restart: 1, seed: 1 };
    let (file, _) = written.write();
    let marker = |kind: u8| file.windows(2).position(|bytes| bytes == [0xff, kind]).unwrap();
    let (first, second) = (marker(0xd0), marker(0xd1));
    let changed = |at: usize, kind: u8| {
        let mut file = file.clone();
        file[at + 1] = kind;
        decoded(&file, 8)
    };
    assert_corrupt(changed(first, 0xd1));
    assert_corrupt(changed(second, 0xd7));
    assert_corrupt(changed(first, 0x00));
    // Data that nobody asked for, and data that is missing.
    let with = |bytes: &[u8]| [&file[..second], bytes, &file[second..]].concat();
    assert_corrupt(decoded(&with(&[0, 0]), 8));
    assert_corrupt(decoded(&[&file[..first + 2], &file[second..]].concat(), 8));
    // Before a marker there may be any number of 0xff.
    assert_eq!(decoded(&with(&[0xff, 0xff]), 8).unwrap(), decoded(&file, 8).unwrap());
}

#[test]
fn what_is_not_wanted_is_not_read() {
    let written = Written { width: 64, height: 64, factors: None, restart: 0, seed: 9 };
    let (file, _) = written.write();
    // The last rows are missing.
    let cut = [&file[..file.len() * 3 / 4], &[0xff, 0xd9]].concat();
    let control = Control::default();
    assert_corrupt(decoded(&cut, 8));
    let part = Part { eighths: 8, columns: 0..64, rows: 0..16 };
    let wholes = gathered(begin(&cut, &part, &control).unwrap(), 0).unwrap();
    assert_eq!(wholes[0].samples, decoded(&file, 8).unwrap()[0].samples[..64 * 16]);
    for nothing in [Part { rows: 5..5, ..part.clone() }, Part { columns: 64..90, ..part }] {
        assert!(begin(&cut, &nothing, &control).unwrap().next().unwrap().is_none());
    }
}

#[test]
fn what_is_cancelled_stops() {
    let control = Control::default();
    let mut decoder = begin(samples::ROCKET, &part(8), &control).unwrap();
    assert!(decoder.next().unwrap().is_some());
    control.cancel.cancel();
    assert!(matches!(decoder.next(), Err(Failure::Cancelled)));
}

#[test]
fn other_kinds_are_left_to_others() {
    use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
    let pixels = vec![100; 32 * 32 * 4];
    let encoded = |color, set: fn(&mut Encoder<&mut Vec<u8>>)| {
        let mut file = Vec::new();
        let mut encoder = Encoder::new(&mut file, 90);
        set(&mut encoder);
        encoder.encode(&pixels, 32, 32, color).unwrap();
        file
    };
    let plain = encoded(ColorType::Rgba, |_| {});
    assert!(!is_refused(&plain));
    assert!(!is_refused(&encoded(ColorType::Luma, |_| {})));
    assert!(is_refused(&encoded(ColorType::Rgba, |encoder| encoder.set_progressive(true))));
    assert!(is_refused(&encoded(ColorType::Cmyk, |_| {})));
    assert!(is_refused(&encoded(ColorType::Rgba, |encoder| {
        encoder.set_sampling_factor(SamplingFactor::F_4_1);
    })));
    // Scans of their own for each component, as that encoder writes with optimised tables.
    assert!(is_refused(
        &encoded(ColorType::Rgba, |encoder| encoder.set_optimized_huffman_tables(true))
    ));

    let frame = plain.windows(2).position(|bytes| bytes == [0xff, 0xc0]).unwrap();
    let changed = |at: usize, byte: u8| {
        let mut file = plain.clone();
        file[at] = byte;
        is_refused(&file)
    };
    assert!(!changed(frame + 1, 0xc1), "extended sequential");
    assert!(changed(frame + 1, 0xc9), "arithmetic");
    assert!(changed(frame + 4, 12), "twelve bits");
    assert!(changed(frame + 6, 0), "the height comes later");
    let with_adobe = |transform: u8| {
        let segment = [b"\xff\xee\0\x0eAdobe\0d\0\0\0\0".as_slice(), &[transform]].concat();
        is_refused(&[&plain[..2], &segment, &plain[2..]].concat())
    };
    assert!(with_adobe(0) && !with_adobe(1));
    for eighths in [0, 3, 16] {
        assert!(begin(&plain, &part(eighths), &Control::default()).is_none());
    }
}
