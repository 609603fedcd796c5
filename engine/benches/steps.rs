//! The steps that most pictures pay for, one by one, to see which of them a change made slower: `cargo bench -p darkroom-engine`.
//! How the whole stands beside others is `make bench-engine`.

#![allow(missing_docs)] // criterion's macros make items of their own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{collections::BTreeMap, hint::black_box, io::Cursor, path::Path, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use darkroom_engine::{
    domain::{limits::Limits, transform::Spec},
    imaging::{Control, Output, Overlays, predict, probe, transform},
};
use image::RgbImage;
use serde_json::{Value, json};

criterion_main!(benches);
criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(3));
    targets = headers, reading, reducing, writing, whole
}

/// A photograph of 1000×872 pixels with fine detail.
fn photograph() -> Vec<u8> {
    let path = "../tests/pictures/hubble_deep_field.jpg";
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The photograph's pixels, in a file that takes next to nothing to read.
fn pixels() -> Vec<u8> {
    let picture: RgbImage = image::load_from_memory(&photograph()).unwrap().into_rgb8();
    let mut file = format!("P6 {} {} 255\n", picture.width(), picture.height()).into_bytes();
    file.extend_from_slice(&picture);
    file
}

fn make(source: &[u8], spec: &Spec) -> Output {
    transform(source, &Overlays::new(), spec, &Limits::default(), &Control::default()).unwrap()
}

fn spec(spec: &Value) -> Spec {
    Spec::parse(spec).unwrap()
}

/// What is asked of every upload before any of its pixels.
fn headers(criterion: &mut Criterion) {
    let (photograph, limits) = (photograph(), Limits::default());
    let thumbnail = spec(&json!({"resize": {"width": 200}}));
    criterion.bench_function("headers/probe", |bencher| {
        bencher.iter(|| probe(Cursor::new(black_box(&photograph)), &limits).unwrap());
    });
    let probed = probe(Cursor::new(&photograph), &limits).unwrap();
    criterion.bench_function("headers/predict", |bencher| {
        bencher.iter(|| predict(&thumbnail, black_box(&probed), &BTreeMap::new(), &limits));
    });
}

/// Files to so few pixels that reading them is nearly all there is to do.
fn reading(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read");
    let small = spec(&json!({"resize": {"width": 32}, "format": "jpeg", "profile": "fast"}));
    for (name, stored) in [
        ("jpeg", json!({"format": "jpeg", "quality": 90})),
        ("jpeg_progressive", json!({"format": "jpeg", "quality": 90, "progressive": true})),
        ("png", json!({"format": "png"})),
        ("webp", json!({"format": "webp", "quality": 90})),
    ] {
        let file = make(&pixels(), &spec(&stored)).bytes;
        group.throughput(Throughput::Elements(1000 * 872));
        group.bench_function(name, |bencher| bencher.iter(|| make(black_box(&file), &small)));
    }
}

/// Pixels to fewer pixels, with nothing to read and little to write.
fn reducing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("reduce");
    let file = pixels();
    for profile in ["best", "fast"] {
        let half = json!({"resize": {"width": 400}, "format": "jpeg", "profile": profile});
        let half = spec(&half);
        group.throughput(Throughput::Elements(1000 * 872));
        group.bench_function(profile, |bencher| bencher.iter(|| make(black_box(&file), &half)));
    }
}

/// Files alone, by the engine's own clock: the pixels are there.
fn writing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("write");
    let file = pixels();
    for format in ["jpeg", "webp", "png"] {
        for profile in ["best", "fast"] {
            let written = json!({"resize": {"width": 500}, "format": format, "profile": profile});
            let written = spec(&written);
            group.bench_function(format!("{format}_{profile}"), |bencher| {
                bencher.iter_custom(|times| {
                    (0..times).map(|_| make(black_box(&file), &written).timings.encode).sum()
                });
            });
        }
    }
}

/// What is asked for most: a photograph made smaller.
fn whole(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("whole");
    let photograph = photograph();
    for format in ["jpeg", "webp"] {
        let smaller = spec(&json!({"resize": {"width": 320}, "format": format}));
        group.bench_function(format!("jpeg_to_{format}"), |bencher| {
            bencher.iter(|| make(black_box(&photograph), &smaller));
        });
    }
}
