//! Reductions against a plain reference, and against pictures that are made smaller once they are decoded.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]

use image::{Rgba, RgbaImage, imageops};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    domain::{limits::Limits, transform::Spec},
    imaging::{
        Overlays,
        planes::{Band, Plane, Shape},
        rows::Whole,
        samples, transform,
    },
};

/// A decoder that has all planes, and noise wherever it was not asked to decode.
struct Made {
    planes: [(Vec<u8>, usize, usize); 3],
    shape: Shape,
    next: u32,
    height: usize,
}

const ROWS: usize = 8;

impl Made {
    /// Of a picture whose chroma is the mean of so many samples across and down.
    fn of(picture: &RgbaImage, shape: Shape, part: Part) -> Self {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let [across, down] = match shape {
            Shape::Grey => [1, 1],
            Shape::Color { across, down } => [across, down],
        };
        let ycc = |x: usize, y: usize| {
            let at = picture.get_pixel(x.min(width - 1) as u32, y.min(height - 1) as u32).0;
            let [r, g, b] = [at[0], at[1], at[2]].map(f64::from);
            let luma = 0.299 * r + 0.587 * g + 0.114 * b;
            [luma, (b - luma) / 1.772 + 128.0, (r - luma) / 1.402 + 128.0]
        };
        let wanted = |x: usize, y: usize, across: usize, down: usize| {
            (part.columns.start as usize / across..(part.columns.end as usize).div_ceil(across))
                .contains(&x)
                && (part.rows.start as usize / down..(part.rows.end as usize).div_ceil(down))
                    .contains(&y)
        };
        let plane = |channel: usize, across: usize, down: usize| {
            let (width, height) = (width.div_ceil(across), height.div_ceil(down));
            let stride = width + Plane::SLACK;
            let mut samples = vec![0; stride * height.next_multiple_of(ROWS)];
            for (at, sample) in samples.iter_mut().enumerate() {
                let (x, y) = (at % stride, at / stride);
                *sample = if x < width && y < height && wanted(x, y, across, down) {
                    let sum: f64 = (0..across * down)
                        .map(|index| {
                            ycc(x * across + index % across, y * down + index / across)[channel]
                        })
                        .sum();
                    (sum / (across * down) as f64).round() as u8
                } else {
                    (at * 97 % 251) as u8
                };
            }
            (samples, stride, width)
        };
        let planes = [plane(0, 1, 1), plane(1, across, down), plane(2, across, down)];
        let height = height.min(part.rows.end as usize);
        Self { planes, shape, next: 0, height }
    }
}

impl Planes for Made {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn next(&mut self) -> Result<Option<Band<'_>>, Failure> {
        let top = self.next as usize;
        if top >= self.height {
            return Ok(None);
        }
        self.next += ROWS as u32;
        let rows = ROWS.min(self.height - top);
        let down = match self.shape {
            Shape::Color { down, .. } => down,
            Shape::Grey => 1,
        };
        let band = |index: usize, down: usize| {
            let (samples, stride, width) = &self.planes[index];
            let rows = rows.div_ceil(down);
            let samples = &samples[top / down * stride..(top / down + rows) * stride];
            Plane { samples, stride: *stride, width: *width, rows }
        };
        Ok(Some(Band { top: top as u32, planes: [band(0, 1), band(1, down), band(2, down)] }))
    }
}

/// Decibels; more is better.
fn nearness(one: &RgbaImage, other: &RgbaImage) -> f64 {
    assert_eq!(one.dimensions(), other.dimensions());
    let squares: f64 =
        one.iter().zip(other.iter()).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum();
    10.0 * (255.0_f64.powi(2) / (squares / one.len() as f64).max(1e-9)).log10()
}

fn whole(picture: &RgbaImage, size: (u32, u32)) -> Reduction {
    let (width, height) = picture.dimensions();
    let part = [0.0, 0.0, width.into(), height.into()];
    let from = (width, height);
    Reduction { part, within: [0, 0, width, height], from, size, profile: Profile::Best }
}

fn by_rows(picture: &RgbaImage, reduction: &Reduction) -> RgbaImage {
    let mut rows = Whole::new(picture, false);
    Reducer::new(reduction, Detail::ALL).rows(&mut rows, &Light::Srgb, &Control::default()).unwrap()
}

fn by_planes(
    picture: &RgbaImage,
    shape: Shape,
    reduction: &Reduction,
    detail: Detail,
) -> RgbaImage {
    let reducer = Reducer::new(reduction, detail);
    let mut planes = Made::of(picture, shape, reducer.part());
    reducer.planes(&mut planes, &Light::Srgb, &Control::default()).unwrap()
}

const AVERAGED: Detail = Detail { eighths: 8, is_averaged: true };
const SHAPES: [Shape; 4] = [
    Shape::Color { across: 1, down: 1 },
    Shape::Color { across: 2, down: 1 },
    Shape::Color { across: 1, down: 2 },
    Shape::Color { across: 2, down: 2 },
];

#[test]
fn planes_become_what_their_pixels_become() {
    let cat = samples::read(samples::CAT);
    for (width, height) in [(90, 64), (91, 65), (33, 49)] {
        let picture = imageops::crop_imm(&cat, 150, 90, width, height).to_image();
        for size in [(width / 3, height / 3), (width / 4 + 1, height / 5 + 1), (7, 5), (1, 1)] {
            let mut reduction = whole(&picture, size);
            for part in
                [reduction.part, [9.5, 3.0, f64::from(width) - 20.0, f64::from(height) - 13.25]]
            {
                reduction.part = part;
                let expected = by_rows(&picture, &reduction);
                // Averaged, a little of the finest detail is lost.
                for (detail, least) in [(Detail::ALL, 34.0), (AVERAGED, 30.0)] {
                    for shape in SHAPES {
                        let made = by_planes(&picture, shape, &reduction, detail);
                        // Chroma that was halved has lost a little.
                        let near = nearness(&made, &expected);
                        assert!(near > least, "{size:?} {part:?} {detail:?} {shape:?}: {near}");
                    }
                }
            }
        }
    }
}

#[test]
fn grey_planes_become_grey() {
    let cat = imageops::grayscale(&samples::read(samples::CAT));
    let cat = RgbaImage::from_fn(cat.width(), cat.height(), |x, y| {
        let [grey] = cat.get_pixel(x, y).0;
        Rgba([grey, grey, grey, 255])
    });
    let reduction = whole(&cat, (97, 64));
    assert_eq!(by_planes(&cat, Shape::Grey, &reduction, Detail::ALL), by_rows(&cat, &reduction));
}

#[test]
fn averaging_costs_hardly_anything_of_what_is_left() {
    let cat = samples::read(samples::CAT);
    let reduction = whole(&cat, (113, 75));
    let made = |detail| by_planes(&cat, Shape::Color { across: 1, down: 1 }, &reduction, detail);
    let near = nearness(&made(AVERAGED), &made(Detail::ALL));
    assert!(near > 40.0, "{near}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What is of one colour stays of it, exactly, whatever its size, and whatever is looked at.
    #[test]
    fn one_colour_stays(
        color: [u8; 3],
        (width, height) in (1..90_u32, 1..70_u32),
        (across, down) in (0.01..1.0, 0.01..1.0),
    ) {
        let picture = RgbaImage::from_pixel(width, height, Rgba([color[0], color[1], color[2], 255]));
        let part = |side: u32, share: f64| ((f64::from(side) * share) as u32).max(1);
        let reduction = whole(&picture, (part(width, across), part(height, down)));
        let made = by_rows(&picture, &reduction);
        prop_assert!(made.pixels().all(|pixel| pixel == picture.get_pixel(0, 0)));
    }
}

#[test]
fn nothing_outside_of_what_may_be_looked_at_is_seen() {
    for (x, y) in [(30, 20), (31, 21), (33, 19)] {
        let picture = RgbaImage::from_fn(120, 90, |at, line| {
            let inside = (x..x + 60).contains(&at) && (y..y + 44).contains(&line);
            Rgba(if inside { [40, 90, 200, 255] } else { [255, 0, 0, 255] })
        });
        let spec = json!({"operations": [
            {"crop": {"x": x, "y": y, "width": 60, "height": 44}},
            {"resize": {"width": 9}},
        ]});
        for profile in ["best", "fast"] {
            let mut spec = spec.clone();
            spec["profile"] = json!(profile);
            let result = made(&samples::png(&picture), &spec);
            assert!(result.pixels().all(|pixel| *pixel == Rgba([40, 90, 200, 255])));
            let result = made(&samples::written(&picture, image::ImageFormat::WebP), &spec);
            assert!(result.pixels().all(|pixel| *pixel == Rgba([40, 90, 200, 255])));
        }
    }
}

fn made(file: &[u8], spec: &Value) -> RgbaImage {
    let mut spec = spec.clone();
    spec["format"] = json!("png");
    let spec = Spec::parse(&spec).unwrap();
    let output =
        transform(file, &Overlays::default(), &spec, &Limits::default(), &Control::default())
            .unwrap();
    samples::read(&output.bytes)
}

/// Every orientation, every way into the picture: what is done while a picture is decoded is what would be done afterwards.
#[test]
fn early_is_as_good_as_late() {
    let cat = imageops::crop_imm(&samples::read(samples::CAT), 90, 60, 250, 190).to_image();
    for orientation in 1..=8 {
        let (jpeg, png) =
            (samples::jpeg_turned(&cat, orientation), samples::png_turned(&cat, orientation));
        for spec in [
            json!({"resize": {"width": 61}}),
            json!({"resize": {"width": 40, "height": 50, "gravity": {"x": 0.2, "y": 0.7}}}),
            json!({"resize": {"width": 60, "height": 80, "fit": "contain", "background": "navy"}}),
            json!({"resize": {"width": 90, "height": 30, "fit": "fill"}}),
            json!({"operations": [
                {"crop": {"x": 40, "y": 30, "width": 150, "height": 110}},
                {"resize": {"width": 61}},
            ]}),
        ] {
            let mut late = spec.clone();
            // Looks at all of the picture, and finds nothing to cut off.
            let trim = json!({"trim": {"threshold": 0}});
            late["operations"] = match spec.get("operations") {
                Some(list) => json!([vec![trim], list.as_array().unwrap().clone()].concat()),
                None => json!([trim, {"resize": spec["resize"]}]),
            };
            late.as_object_mut().unwrap().remove("resize");
            let profile = if orientation % 2 == 0 { "best" } else { "fast" };
            for file in [&jpeg, &png] {
                let (mut early, mut late) = (spec.clone(), late.clone());
                early["profile"] = json!(profile);
                late["profile"] = json!(profile);
                let near = nearness(&made(file, &early), &made(file, &late));
                assert!(near > 31.0, "{orientation} {early}: {near}");
            }
        }
    }
}

#[test]
fn the_way_is_told_and_why() {
    let cat = samples::read(samples::CAT);
    let (jpeg, png) = (samples::jpeg_turned(&cat, 1), samples::png(&cat));
    let deep = {
        let mut file = std::io::Cursor::new(Vec::new());
        let deep = image::DynamicImage::ImageRgba8(cat).into_rgb16();
        deep.write_to(&mut file, image::ImageFormat::Png).unwrap();
        file.into_inner()
    };
    let resize = |width| json!({"resize": {"width": width}, "format": "png"});
    let gif = samples::animation();
    for (file, spec, expected) in [
        (&jpeg, resize(40), "at half its size in luma and chroma, as 11.1 pixels become one"),
        (
            &jpeg,
            resize(100),
            "at full size in luma and chroma, two by two pixels averaged, as 4.5 pixels become one",
        ),
        (&jpeg, resize(300), "as 1.5 pixels become one"),
        (&png, resize(40), "row by row"),
        (
            &png,
            json!({"rotate": 90, "format": "png"}),
            "as a whole, as it is not made smaller first of all",
        ),
        (&deep, resize(40), "as a whole, as sixteen bits are kept"),
        (
            &gif,
            json!({"resize": {"width": 2}, "format": "webp"}),
            "as a whole, as its frames lie on each other",
        ),
    ] {
        let spec = Spec::parse(&spec).unwrap();
        let output =
            transform(file, &Overlays::default(), &spec, &Limits::default(), &Control::default());
        let steps = output.unwrap().steps;
        assert!(steps[0].detail.contains(expected), "{} instead of {expected}", steps[0].detail);
    }
}
