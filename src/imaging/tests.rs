//! The pipeline from bytes to bytes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation
)]

mod codecs;
mod formats;
mod meaning;
mod metadata;
mod search;
mod sizes;
mod stopping;

use image::{AnimationDecoder, ImageFormat, Rgba, RgbaImage, codecs::gif::GifDecoder};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Control, Failure, Output, Overlays, samples};
use crate::domain::{
    error::{Code, Error},
    format::Format,
    limits::Limits,
    transform::Spec,
};

fn spec(value: Value) -> Spec {
    Spec::parse(&value).unwrap()
}

/// Without anything to lay over it.
fn transform(
    input: &[u8],
    spec: &Spec,
    limits: &Limits,
    control: &Control,
) -> Result<Output, Failure> {
    super::transform(input, &Overlays::default(), spec, limits, control)
}

fn attempt(input: &[u8], value: Value) -> Result<Output, Failure> {
    transform(input, &spec(value), &Limits::default(), &Control::default())
}

fn make(input: &[u8], value: Value) -> Output {
    attempt(input, value.clone()).unwrap_or_else(|failure| panic!("{value}: {failure:?}"))
}

/// The pixels of the result, which is PNG.
fn pixels(input: &[u8], mut value: Value) -> RgbaImage {
    value["format"] = json!("png");
    samples::read(&make(input, value).bytes)
}

fn refusal(input: &[u8], value: Value) -> Error {
    match attempt(input, value) {
        Err(Failure::Refused(error)) => error,
        Err(Failure::Cancelled) => panic!("cancelled"),
        Ok(output) => panic!("a picture of {} × {} was made", output.width, output.height),
    }
}

/// In decibels; more is better, equal pictures are infinite.
pub(super) fn psnr(one: &RgbaImage, other: &RgbaImage) -> f64 {
    assert_eq!(one.dimensions(), other.dimensions());
    let squares: f64 =
        one.iter().zip(other.iter()).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum();
    10.0 * (255.0_f64.powi(2) / (squares / one.len() as f64)).log10()
}

/// How the tiles 0 1 2 / 3 4 5 lie when a picture stored as each orientation is displayed.
const UPRIGHT: [&[&[usize]]; 8] = [
    &[&[0, 1, 2], &[3, 4, 5]],
    &[&[2, 1, 0], &[5, 4, 3]],
    &[&[5, 4, 3], &[2, 1, 0]],
    &[&[3, 4, 5], &[0, 1, 2]],
    &[&[0, 3], &[1, 4], &[2, 5]],
    &[&[3, 0], &[4, 1], &[5, 2]],
    &[&[5, 2], &[4, 1], &[3, 0]],
    &[&[2, 5], &[1, 4], &[0, 3]],
];

#[test]
fn all_orientations_are_put_upright() {
    let picture = samples::tiles(16);
    for (orientation, expected) in (1..=8).zip(UPRIGHT) {
        for file in [
            samples::jpeg_turned(&picture, orientation),
            samples::png_turned(&picture, orientation),
            samples::webp_turned(&picture, orientation),
        ] {
            let result = pixels(&file, json!({}));
            assert_eq!(samples::tiles_of(&result, 16), expected, "{orientation}");
        }
    }
}

#[test]
fn right_angles_flips_and_crops_move_pixels_exactly() {
    let file = samples::png(&samples::tiles(1));
    for (value, expected) in [
        (json!({"rotate": 90}), UPRIGHT[5]),
        (json!({"rotate": 180}), UPRIGHT[2]),
        (json!({"rotate": -90}), UPRIGHT[7]),
        (json!({"flip": true}), UPRIGHT[3]),
        (json!({"mirror": true}), UPRIGHT[1]),
        (json!({"rotate": 90, "mirror": true}), UPRIGHT[4]),
        (json!({"rotate": 90, "flip": true}), UPRIGHT[6]),
        (json!({"crop": {"x": 1, "y": 0, "width": 2, "height": 1}}), &[&[1, 2]]),
        (json!({"crop": {"x": 2, "y": 1, "width": 8, "height": 8}}), &[&[5]]),
        (json!({"crop": {"width": 1, "height": 2, "gravity": "west"}}), &[&[0], &[3]]),
    ] {
        let result = pixels(&file, value.clone());
        let tiles = samples::tiles_of(&result, 1);
        assert_eq!(tiles, expected, "{value}");
        assert!(result.pixels().all(|pixel| samples::COLORS.contains(&pixel.0)), "{value}");
    }
    let error = refusal(&file, json!({"crop": {"x": 3, "y": 0, "width": 1, "height": 1}}));
    assert_eq!(error.code, Code::TransformImpossible);
}

#[test]
fn operations_run_in_the_order_written() {
    let file = samples::png(&samples::tiles(1));
    let crop = json!({"crop": {"x": 0, "y": 0, "width": 1, "height": 1}});
    let turn = json!({"rotate": 180});
    let first = pixels(&file, json!({"operations": [crop, turn]}));
    let last = pixels(&file, json!({"operations": [turn, crop]}));
    assert_eq!(first.get_pixel(0, 0).0, samples::COLORS[0]);
    assert_eq!(last.get_pixel(0, 0).0, samples::COLORS[5]);
}

#[test]
fn sizes_of_all_fits() {
    let file = samples::png(&samples::gradient(90, 60));
    for (resize, expected) in [
        (json!({"width": 30}), (30, 20)),
        (json!({"height": 30}), (45, 30)),
        (json!({"width": 0.5}), (45, 30)),
        (json!({"width": 180, "enlarge": false}), (90, 60)),
        (json!({"width": 40, "aspect": "1:1"}), (40, 40)),
        (json!({"width": 20, "dpr": 2}), (40, 27)),
        (json!({"width": 30, "height": 30}), (30, 30)),
        (json!({"width": 30, "height": 30, "fit": "contain"}), (30, 30)),
        (json!({"width": 30, "height": 30, "fit": "inside"}), (30, 20)),
        (json!({"width": 30, "height": 30, "fit": "outside"}), (45, 30)),
        (json!({"width": 30, "height": 30, "fit": "fill"}), (30, 30)),
        (json!({"width": 120, "height": 30, "enlarge": false}), (90, 30)),
        (json!({"width": 120, "height": 90, "fit": "inside", "enlarge": false}), (90, 60)),
        (json!({"width": 120, "height": 90, "fit": "contain", "enlarge": false}), (120, 90)),
    ] {
        let output = make(&file, json!({"resize": resize}));
        assert_eq!((output.width, output.height), expected, "{resize}");
        assert_eq!(samples::read(&output.bytes).dimensions(), expected, "{resize}");
    }
}

#[test]
fn cover_keeps_what_gravity_says_and_contain_pads() {
    let file = samples::png(&samples::tiles(30));
    let tile = |gravity: Value| {
        pixels(&file, json!({"resize": {"width": 10, "height": 20, "gravity": gravity}}))
            .get_pixel(5, 5)
            .0
    };
    assert_eq!(tile(json!("west")), samples::COLORS[0]);
    assert_eq!(tile(json!("center")), samples::COLORS[1]);
    assert_eq!(tile(json!({"x": 0.9, "y": 0.5})), samples::COLORS[2]);

    let padded = pixels(
        &file,
        json!({"resize": {"width": 30, "height": 30, "fit": "contain", "gravity": "north", "background": "#0000ff80"}}),
    );
    assert_eq!(padded.get_pixel(5, 5).0, samples::COLORS[0]);
    assert_eq!(padded.get_pixel(5, 25).0, [0, 0, 255, 128]);
}

#[test]
fn alpha_is_flattened_for_jpeg_and_kept_elsewhere() {
    let file = samples::png(&RgbaImage::from_pixel(32, 32, Rgba([255, 0, 0, 0])));
    for (value, expected) in [
        (json!({"format": "jpeg"}), [255, 255, 255, 255]),
        (json!({"format": "jpeg", "background": "#0000ff"}), [0, 0, 255, 255]),
        (json!({"format": "jpeg", "background": "transparent"}), [255, 255, 255, 255]),
    ] {
        let seen = samples::read(&make(&file, value).bytes).get_pixel(16, 16).0;
        assert!(
            seen.iter().zip(expected).all(|(seen, expected)| seen.abs_diff(expected) <= 2),
            "{seen:?}"
        );
    }
    for format in ["png", "webp", "gif"] {
        let output = make(&file, json!({"format": format}));
        assert_eq!(samples::read(&output.bytes).get_pixel(16, 16).0[3], 0, "{format}");
    }
}

#[test]
fn formats_come_out_near_what_went_in() {
    let original = samples::read(samples::COFFEE);
    for (format, least) in [("jpeg", 32.0), ("webp", 32.0), ("gif", 28.0), ("png", f64::INFINITY)] {
        let output = make(samples::COFFEE, json!({"format": format}));
        assert_eq!(output.format.as_str(), format);
        assert!(psnr(&samples::read(&output.bytes), &original) >= least, "{format}");
    }
    let lossless = make(samples::COFFEE, json!({"format": "webp", "lossless": true}));
    assert_eq!(samples::read(&lossless.bytes), original);
    let size = |value| make(samples::COFFEE, value).bytes.len();
    assert!(
        size(json!({"format": "jpeg", "quality": 30}))
            < size(json!({"format": "jpeg", "quality": 90}))
    );
    let progressive = make(samples::COFFEE, json!({"format": "jpeg", "progressive": true})).bytes;
    assert!(progressive.windows(2).any(|marker| marker == [0xff, 0xc2]));
    assert!(psnr(&samples::read(&progressive), &original) > 32.0);
}

#[test]
fn sixteen_bits_and_grey_and_inks_are_read() {
    let deep = image::DynamicImage::ImageRgba8(samples::gradient(20, 20)).into_rgba16();
    let mut file = std::io::Cursor::new(Vec::new());
    image::DynamicImage::ImageRgba16(deep).write_to(&mut file, ImageFormat::Png).unwrap();
    assert_eq!(pixels(file.get_ref(), json!({})), samples::gradient(20, 20));

    let jpeg = |bytes: &[u8], kind| {
        let mut file = Vec::new();
        jpeg_encoder::Encoder::new(&mut file, 95).encode(bytes, 16, 16, kind).unwrap();
        pixels(&file, json!({})).get_pixel(8, 8).0
    };
    let near = |seen: [u8; 4], expected: [u8; 4]| {
        assert!(
            seen.iter().zip(expected).all(|(seen, expected)| seen.abs_diff(expected) <= 3),
            "{seen:?} {expected:?}"
        );
    };
    near(jpeg(&[90; 256], jpeg_encoder::ColorType::Luma), [90, 90, 90, 255]);
    // The encoder takes real inks and writes them inverted, with Adobe's marker: cyan is full, the others are none.
    let cyan: Vec<u8> = [255, 0, 0, 0].repeat(256);
    let dark: Vec<u8> = [0, 255, 255, 128].repeat(256);
    for kind in [jpeg_encoder::ColorType::Cmyk, jpeg_encoder::ColorType::CmykAsYcck] {
        near(jpeg(&cyan, kind), [0, 255, 255, 255]);
        near(jpeg(&dark, kind), [127, 0, 0, 255]);
    }
}

/// What each frame of the sample shows in its three columns; 6 is nothing.
const SHOWN: [[usize; 3]; 4] = [[0, 0, 0], [1, 0, 0], [6, 2, 0], [6, 0, 3]];

fn columns(frame: &RgbaImage) -> [usize; 3] {
    let third = frame.width() / 3;
    [0, 1, 2].map(|column| {
        let seen = frame.get_pixel(column * third + third / 2, frame.height() / 2).0;
        if seen[3] == 0 {
            return 6;
        }
        let distance =
            |color: &[u8; 4]| (0..3).map(|at| u32::from(seen[at].abs_diff(color[at]))).sum::<u32>();
        (0..6).min_by_key(|index| distance(&samples::COLORS[*index])).unwrap()
    })
}

#[test]
fn animations_keep_frames_delays_loops_and_disposal() {
    let output = make(&samples::animation(), json!({"resize": {"width": 60}}));
    assert_eq!((output.format, output.width, output.height), (Format::Gif, 60, 40));
    let decoder = GifDecoder::new(std::io::Cursor::new(&output.bytes)).unwrap();
    let frames = decoder.into_frames().collect_frames().unwrap();
    let shown: Vec<_> = frames.iter().map(|frame| columns(frame.buffer())).collect();
    assert_eq!(shown, SHOWN);
    let delays: Vec<_> = frames.iter().map(|frame| frame.delay().numer_denom_ms()).collect();
    assert_eq!(delays, [(100, 1), (200, 1), (300, 1), (400, 1)]);
    let mut decoder = gif::DecodeOptions::new().read_info(output.bytes.as_slice()).unwrap();
    while decoder.read_next_frame().unwrap().is_some() {}
    assert_eq!(decoder.repeat(), gif::Repeat::Finite(4));
}

#[test]
fn animations_become_webp_and_come_back() {
    let webp = make(&samples::animation(), json!({"format": "webp", "lossless": true}));
    let mut decoder = image_webp::WebPDecoder::new(std::io::Cursor::new(&webp.bytes)).unwrap();
    assert_eq!(decoder.num_frames(), 4);
    let mut buffer = vec![0; decoder.output_buffer_size().unwrap()];
    assert_eq!(decoder.read_frame(&mut buffer).unwrap(), 100);

    let gif = make(&webp.bytes, json!({"format": "gif"}));
    let frames = GifDecoder::new(std::io::Cursor::new(&gif.bytes))
        .unwrap()
        .into_frames()
        .collect_frames()
        .unwrap();
    let shown: Vec<_> = frames.iter().map(|frame| columns(frame.buffer())).collect();
    assert_eq!(shown, SHOWN);
    let delays: Vec<_> = frames.iter().map(|frame| frame.delay().numer_denom_ms()).collect();
    assert_eq!(delays, [(100, 1), (200, 1), (300, 1), (400, 1)]);
}

#[test]
fn what_format_is_left_open_stays_an_animation() {
    let output = make(&samples::animation(), json!({"format": "auto", "resize": {"width": 60}}));
    assert_eq!(output.format, Format::Gif);
    let decoder = GifDecoder::new(std::io::Cursor::new(&output.bytes)).unwrap();
    assert_eq!(decoder.into_frames().count(), 4);
}

#[test]
fn a_still_format_shows_the_first_frame() {
    let still = pixels(&samples::animation(), json!({}));
    assert_eq!(columns(&still), SHOWN[0]);
}

#[test]
fn a_file_cut_short_is_never_filled_in() {
    let coffee = samples::read(samples::COFFEE);
    let progressive = make(samples::COFFEE, json!({"format": "jpeg", "progressive": true})).bytes;
    let files = [
        samples::ROCKET.to_vec(),
        samples::HUBBLE.to_vec(),
        progressive,
        samples::written(&coffee, ImageFormat::Jpeg),
        samples::CAT.to_vec(),
        samples::written(&coffee, ImageFormat::WebP),
        make(samples::COFFEE, json!({"format": "webp"})).bytes,
        samples::animation(),
        samples::written(&coffee, ImageFormat::Bmp),
        samples::written(&coffee, ImageFormat::Tiff),
        samples::written(&coffee, ImageFormat::Qoi),
    ];
    for file in files {
        for part in [0.1, 0.25, 0.5, 0.9, 0.99] {
            let length = (file.len() as f64 * part) as usize;
            let error = refusal(&file[..length], json!({"format": "png"}));
            assert_eq!(error.code, Code::ImageCorrupt, "{part} of {} bytes: {error}", file.len());
        }
    }
}

#[test]
fn a_jpeg_of_very_many_scans_is_refused() {
    let file = make(samples::COFFEE, json!({"format": "jpeg", "progressive": true})).bytes;
    let at = |marker: u8| file.windows(2).rposition(|bytes| bytes == [0xff, marker]).unwrap();
    let (head, scan) = file[..at(0xd9)].split_at(at(0xda));
    let error = refusal(&[head, &scan.repeat(501), &[0xff, 0xd9]].concat(), json!({}));
    assert!(error.code == Code::ImageCorrupt && error.detail.contains("scans"), "{error}");
}

#[test]
fn a_jpeg_that_says_it_ends_too_early_is_refused() {
    let encoded = |progressive| {
        make(samples::COFFEE, json!({"format": "jpeg", "progressive": progressive})).bytes
    };
    let files = [samples::ROCKET.to_vec(), samples::HUBBLE.to_vec(), encoded(false), encoded(true)];
    for file in files {
        for part in [0.3, 0.5, 0.8, 0.97] {
            let mut cut = file[..(file.len() as f64 * part) as usize].to_vec();
            cut.extend([0xff, 0xd9]);
            assert_eq!(
                refusal(&cut, json!({})).code,
                Code::ImageCorrupt,
                "{part} of {}",
                file.len()
            );
        }
    }
}

#[test]
fn a_jpeg_of_one_scan_a_component_is_read_right() {
    let original = samples::read(samples::COFFEE);
    let rgb = image::DynamicImage::from(original.clone()).into_rgb8();
    let mut file = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut file, 80);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_2_2);
    encoder.set_optimized_huffman_tables(true);
    encoder.encode(&rgb, 600, 400, jpeg_encoder::ColorType::Rgb).unwrap();
    assert!(psnr(&pixels(&file, json!({})), &original) > 32.0);
}

#[test]
fn checksums_are_verified() {
    for at in [40, samples::CAT.len() / 2, samples::CAT.len() - 20] {
        let mut file = samples::CAT.to_vec();
        file[at] ^= 0x10;
        if let Err(Failure::Refused(error)) = attempt(&file, json!({})) {
            assert_eq!(error.code, Code::ImageCorrupt);
        } else {
            panic!("a flipped bit at {at} went unnoticed");
        }
    }
}

#[test]
fn every_step_is_limited_before_a_pixel_is_decoded() {
    let file = samples::png(&samples::gradient(400, 100));
    for (value, step) in [
        (json!({"resize": {"width": 8000, "height": 8000, "fit": "outside"}}), "resize"),
        (json!({"resize": {"width": 8000, "height": 8000}}), "resize"),
        (json!({"resize": {"height": 8000}}), "resize"),
        (
            json!({"operations": [{"resize": {"width": 7990, "height": 900, "fit": "fill"}}, {"rotate": 3}]}),
            "rotate",
        ),
        // What passes a limit half-way is refused, however small the end.
        (
            json!({"operations": [{"resize": {"height": 7000}}, {"resize": {"width": 10}}]}),
            "resize",
        ),
    ] {
        let error = refusal(&file, value.clone());
        assert_eq!(error.code, Code::ImageTooLarge, "{value}");
        assert!(error.detail.starts_with(step), "{value}: {}", error.detail);
    }
    let limits = Limits { animation_pixels: 3000, ..Limits::default() };
    let grown = transform(
        &samples::animation(),
        &spec(json!({"resize": {"width": 40}})),
        &limits,
        &Control::default(),
    );
    assert!(matches!(grown, Err(Failure::Refused(error)) if error.code == Code::ImageTooLarge));
}

#[test]
fn the_same_work_gives_the_same_bytes() {
    let value = json!({"resize": {"width": 200, "height": 90}, "rotate": 7, "filters": {"blur": 4, "sepia": 40}, "format": "webp"});
    assert_eq!(
        make(samples::ASTRONAUT, value.clone()).bytes,
        make(samples::ASTRONAUT, value).bytes
    );
}

#[test]
fn profiles_are_applied() {
    // The sample says it is sRGB: what comes out is what went in.
    assert!(
        psnr(&pixels(samples::ASTRONAUT, json!({})), &samples::read(samples::ASTRONAUT)) > 45.0
    );

    let p3 = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let mut file = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut file, 95);
    encoder.add_icc_profile(&p3).unwrap();
    encoder.encode(&[234, 51, 35].repeat(256), 16, 16, jpeg_encoder::ColorType::Rgb).unwrap();
    let [red, green, blue, _] = pixels(&file, json!({})).get_pixel(8, 8).0;
    assert!(red >= 252 && green <= 8 && blue <= 8, "{red} {green} {blue}");
}

#[test]
fn every_file_that_is_cut_or_damaged_is_answered() {
    let value = spec(json!({"resize": {"width": 9, "height": 7}, "format": "png"}));
    let limits = Limits { pixels: 200_000, animation_pixels: 400_000, ..Limits::default() };
    for file in samples::every_kind() {
        assert!(transform(&file, &value, &limits, &Control::default()).is_ok());
        for length in (0..file.len()).step_by(1 + file.len() / 60) {
            let _ = transform(&file[..length], &value, &limits, &Control::default());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(kind in 0_usize..24, changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), early: bool) {
        let mut file = samples::every_kind().swap_remove(kind);
        // Half of the time the headers, where the decisions are.
        let reach = if early { file.len().min(80) } else { file.len() };
        for (at, value) in changes {
            let at = at.index(reach);
            file[at] = value;
        }
        let limits = Limits { pixels: 200_000, animation_pixels: 400_000, frames: 20, ..Limits::default() };
        let _ = transform(&file, &spec(json!({"resize": {"width": 9, "height": 7}, "format": "gif"})), &limits, &Control::default());
    }
}
