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

#[path = "predict/sources.rs"]
mod sources;

use std::{
    collections::BTreeMap,
    fs,
    io::Cursor,
    time::{Duration, Instant},
};

use bytes::Bytes;
use darkroom::{
    domain::{ids::ImageId, limits::Limits, transform::Spec},
    imaging::{Control, Overlays, describe, predict, predict_description, probe, transform},
};
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

/// What is asked for, as how large a part of the pixels that others have.
fn orders(mark: ImageId) -> Vec<(&'static str, f64, Value)> {
    let mut orders = Vec::new();
    let mut add = |part: f64, source: &'static str, spec: Value| orders.push((source, part, spec));
    for source in sources::all().into_keys() {
        add(1.0, source, json!({"format": "qoi"}));
        // Most are made smaller while they are decoded.
        for width in [0.1, 0.45, 0.9] {
            add(1.0, source, json!({"format": "qoi", "resize": {"width": width}}));
        }
    }
    for source in ["jpeg", "progressive", "turned jpeg", "jpeg by a table", "png", "whole avif"] {
        for resize in [
            json!({"width": 0.2}),
            json!({"width": 0.3}),
            json!({"width": 300, "height": 300, "gravity": "west"}),
            json!({"width": 300, "height": 300, "gravity": "smart"}),
            json!({"width": 100, "height": 400, "fit": "contain"}),
        ] {
            for profile in ["best", "fast"] {
                add(1.0, source, json!({"format": "qoi", "profile": profile, "resize": resize}));
            }
        }
        let crop = json!({"crop": {"x": 30, "y": 40, "width": 400, "height": 500}});
        let resize = json!({"resize": {"width": 0.5}});
        add(1.0, source, json!({"format": "qoi", "operations": [crop, resize]}));
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
        for profile in ["best", "fast"] {
            for (progressive, quality) in [(true, 95), (false, 95), (true, 60), (false, 60)] {
                let spec = json!({"format": "jpeg", "progressive": progressive, "quality": quality,
                    "profile": profile});
                add(1.0, source, spec);
            }
            add(1.0, source, json!({"format": "jpeg", "quality": "auto", "profile": profile}));
            add(0.2, source, json!({"format": "jpeg", "quality": "auto", "profile": profile}));
        }
        add(0.5, source, json!({"format": "webp", "lossless": true}));
        add(0.5, source, json!({"format": "webp", "quality": 100}));
        add(0.3, source, json!({"format": "webp", "quality": "auto"}));
        add(0.2, source, json!({"format": "avif"}));
        add(0.2, source, json!({"format": "avif", "profile": "fast", "quality": "auto"}));
        add(0.5, source, json!({"format": "avif", "profile": "fast", "quality": 95}));
        add(0.5, source, json!({"format": "avif", "profile": "fast", "lossless": true}));
    }
    add(0.03, "jpeg", json!({"format": "jpeg", "max_bytes": 12_000}));
    add(0.03, "jpeg", json!({"format": "webp", "max_bytes": 12_000}));
    add(0.03, "jpeg", json!({"format": "avif", "profile": "fast", "max_bytes": 12_000}));
    // So many pixels are written as their rows come.
    for profile in ["best", "fast"] {
        let resize = json!({"width": 3000, "height": 2800, "fit": "fill", "enlarge": true});
        add(0.02, "jpeg", json!({"format": "jpeg", "profile": profile, "resize": resize}));
    }
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
    let sources = sources::all();
    let overlays = |pixels| Overlays::from([(mark, Bytes::from(sources["png"](pixels)))]);
    let (small_marks, marks) = (overlays(10_000.0), overlays(pixels));
    let mut files: BTreeMap<(&str, u64), Vec<u8>> = BTreeMap::new();
    let mut report = String::new();
    let mut wrong = 0;
    for (_, _, value) in orders(mark) {
        assert!(Spec::parse(&value).is_ok(), "{value}");
    }
    let mut judge = |name: &str, taken: u64, predicted: u64, times: &str| {
        // What a drawing lays into each other its headers don't tell.
        let is_open = name.starts_with("svg");
        // What is not there for the picture's sake is as much with small ones.
        let is_right = taken <= predicted && (is_open || predicted <= taken * 3 + 24 * MIB);
        wrong += u32::from(!is_right);
        let mark = if is_right { ' ' } else { '!' };
        let mib = |bytes: u64| bytes as f64 / MIB as f64;
        let (taken, predicted) = (mib(taken), mib(predicted));
        report += &format!("{mark} {taken:6.1} of {predicted:6.1} MiB{times}, {name}\n");
    };
    for (kind, part, value) in orders(mark) {
        let pixels = pixels * part;
        let make = &sources[kind];
        let file = &*files.entry((kind, pixels as u64)).or_insert_with(|| make(pixels));
        let run = |file: &[u8], marks: &Overlays| {
            let probe = probe(Cursor::new(file), &limits).unwrap();
            let spec = Spec::parse(&value).unwrap().resolved(probe.source(), None);
            let started = Instant::now();
            transform(file, marks, &spec, &limits, &Control::default())
                .unwrap_or_else(|failure| panic!("{kind}, {value}: {failure}"));
            let time = started.elapsed();
            let marks = marks.iter().map(|(id, file)| {
                (*id, darkroom::imaging::probe(Cursor::new(file), &limits).unwrap())
            });
            (predict(&spec, &probe, &marks.collect(), &limits).unwrap(), time)
        };
        // Code and tables that are loaded once are not this picture's.
        run(&make(10_000.0), &small_marks);
        let mut outcome = None;
        let taken = taken(|| outcome = Some(run(file, &marks)));
        let (cost, time) = outcome.unwrap();
        assert!(!cost.time.is_zero());
        let name = format!("{kind} ({} pixels) {value}", pixels as u64);
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        let times = format!(", {:6.1} of {:6.1} ms", milliseconds(time), milliseconds(cost.time));
        judge(&name, taken, cost.memory, &times);
    }
    for ((kind, _), file) in &files {
        let taken = taken(|| describe(file, &limits, &Control::default()).unwrap());
        let probe = probe(Cursor::new(file), &limits).unwrap();
        let predicted = predict_description(&probe, &limits).memory;
        judge(&format!("{kind} described"), taken, predicted, "");
    }
    if wrong > 0 || std::env::var("PREDICT_PIXELS").is_ok() {
        eprintln!("{report}");
    }
    assert_eq!(wrong, 0, "\n{report}");
}

fn what_is_refused_is_refused_before() {
    let jpeg = sources::all()["jpeg"](10_000.0);
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
