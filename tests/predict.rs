//! What a transformation takes is what was predicted: never more memory, and not absurdly less.
//!
//! The allocator of this program counts what is asked of it. Codecs in C ask elsewhere: of these, only that the prediction
//! covers what is seen here is known.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unsafe_code,
    clippy::cast_possible_truncation
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    io::Cursor,
    sync::atomic::{AtomicUsize, Ordering},
};

use darkroom::{
    domain::{
        limits::Limits,
        transform::{Source, Spec},
    },
    imaging::{Control, Overlays, predict, probe, transform},
};
use image::{DynamicImage, ImageFormat, RgbImage, RgbaImage};
use serde_json::{Value, json};

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: hands everything to the system's allocator, and only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A photograph-like picture.
fn picture(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let noise = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)) >> 27;
        image::Rgb([(x / 4 + noise) as u8, (y / 3 + noise) as u8, (x / 9 + y / 7) as u8])
    })
}

fn written(format: ImageFormat, deep: bool) -> Vec<u8> {
    let picture = DynamicImage::ImageRgb8(picture(800, 600));
    let picture = if deep { DynamicImage::ImageRgb16(picture.into_rgb16()) } else { picture };
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// One test, so that nothing else is counted.
#[test]
fn a_transformation_costs_what_was_predicted() {
    what_is_refused_is_refused_before();
    memory_is_what_was_predicted();
}

fn memory_is_what_was_predicted() {
    let jpeg = written(ImageFormat::Jpeg, false);
    let png = written(ImageFormat::Png, false);
    let deep = written(ImageFormat::Png, true);
    let webp = written(ImageFormat::WebP, false);
    let tiff = written(ImageFormat::Tiff, true);
    let light = |format| {
        let picture = DynamicImage::ImageRgb8(picture(800, 600));
        let picture: DynamicImage = match format {
            ImageFormat::Hdr => picture.into_rgb32f().into(),
            _ => picture.into_rgba32f().into(),
        };
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    let (hdr, exr) = (light(ImageFormat::Hdr), light(ImageFormat::OpenExr));
    let mut gif = Cursor::new(Vec::new());
    {
        let mut encoder = image::codecs::gif::GifEncoder::new_with_speed(&mut gif, 30);
        for shade in [40, 90, 200] {
            let frame = RgbaImage::from_pixel(500, 400, image::Rgba([shade, 80, 20, 255]));
            encoder.encode_frame(image::Frame::new(frame)).unwrap();
        }
    }
    let gif = gif.into_inner();
    // Of the strip a square is left; and widened, that is more than the strip would be.
    let strip = RgbImage::from_fn(1000, 60, |x, y| {
        let is_left = (400..450).contains(&x) && (5..55).contains(&y);
        image::Rgb(if is_left { [200, (x * 5) as u8, (y * 4) as u8] } else { [90; 3] })
    });
    let mut framed = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(strip).write_to(&mut framed, ImageFormat::Png).unwrap();
    let framed = framed.into_inner();
    let cases: Vec<(&str, &[u8], Value)> = vec![
        ("as it is", &jpeg, json!({})),
        ("smaller", &jpeg, json!({"resize": {"width": 400}})),
        ("smaller in gamma light", &jpeg, json!({"resize": {"width": 400}, "profile": "fast"})),
        ("larger", &jpeg, json!({"resize": {"width": 1200}})),
        ("turned", &jpeg, json!({"rotate": 30})),
        ("blurred and sharpened", &jpeg, json!({"filters": {"blur": 5, "sharpen": 2}})),
        ("framed", &jpeg, json!({"round": 40, "border": {"width": 50}})),
        (
            "trimmed and smartly cut",
            &jpeg,
            json!({"trim": true, "resize": {"width": 300, "height": 300, "gravity": "smart"}}),
        ),
        (
            "trimmed and widened",
            &framed,
            json!({"trim": true, "resize": {"width": 2000}, "profile": "fast"}),
        ),
        (
            "trimmed and made to fill",
            &framed,
            json!({"trim": true, "resize": {"width": 1500, "height": 1500, "fit": "inside"}}),
        ),
        ("marked", &jpeg, json!({"watermark": {"text": "Darkroom", "tile": true}})),
        ("to PNG", &jpeg, json!({"format": "png"})),
        ("to WebP", &jpeg, json!({"format": "webp", "resize": {"width": 600}})),
        ("to GIF", &jpeg, json!({"format": "gif", "resize": {"width": 500}})),
        ("to TIFF", &jpeg, json!({"format": "tiff"})),
        ("to AVIF", &jpeg, json!({"format": "avif", "resize": {"width": 300}, "profile": "fast"})),
        ("to fit", &jpeg, json!({"resize": {"width": 400}, "max_bytes": 9000})),
        ("quality found", &jpeg, json!({"resize": {"width": 400}, "quality": "auto"})),
        ("from PNG", &png, json!({"resize": {"width": 400}, "format": "jpeg"})),
        ("in sixteen bits", &deep, json!({"resize": {"width": 600}})),
        ("from TIFF", &tiff, json!({"format": "jpeg"})),
        ("from TIFF in sixteen bits", &tiff, json!({"resize": {"width": 400}})),
        ("from HDR", &hdr, json!({"format": "jpeg"})),
        ("from EXR", &exr, json!({"format": "png"})),
        ("from WebP", &webp, json!({"resize": {"width": 400}, "format": "jpeg"})),
        ("an animation", &gif, json!({"resize": {"width": 300}})),
        ("its first frame", &gif, json!({"resize": {"width": 300}, "format": "png"})),
    ];
    let (limits, overlays, control) = (Limits::default(), Overlays::new(), Control::default());
    let mut report = String::new();
    let mut wrong = 0;
    for (name, file, value) in cases {
        let probe = probe(Cursor::new(file), &limits).unwrap();
        let source = Source {
            format: probe.format,
            has_alpha: probe.has_alpha,
            is_animated: probe.frames > 1,
            focus: None,
        };
        let spec = Spec::parse(&value).unwrap().resolved(source, None);
        // Tables that are made once are not this picture's.
        transform(file, &overlays, &spec, &limits, &control).unwrap();
        let cost = predict(&spec, &probe, &limits).unwrap();
        let before = NOW.load(Ordering::Relaxed);
        MOST.store(before, Ordering::Relaxed);
        drop(transform(file, &overlays, &spec, &limits, &control).unwrap());
        let taken = u64::try_from(MOST.load(Ordering::Relaxed) - before).unwrap();
        // What a trim leaves may be of any ratio, so that one side given says little of the other.
        let is_open = name == "trimmed and widened";
        let is_right = taken <= cost.memory && (is_open || cost.memory <= taken * 6 + (80 << 20));
        wrong += u32::from(!is_right);
        let mark = if is_right { ' ' } else { '!' };
        report += &format!("{mark} {name}: {taken} bytes taken, {} predicted\n", cost.memory);
        assert!(!cost.time.is_zero());
    }
    assert_eq!(wrong, 0, "\n{report}");
}

fn what_is_refused_is_refused_before() {
    let jpeg = written(ImageFormat::Jpeg, false);
    let limits = Limits { width: 2000, height: 2000, ..Limits::default() };
    let probe = probe(Cursor::new(&jpeg), &limits).unwrap();
    let spec = Spec::parse(&json!({"resize": {"width": 2001}})).unwrap();
    assert!(predict(&spec, &probe, &limits).is_err());
    // More pixels cost more.
    let cost = |width: u32| {
        predict(&Spec::parse(&json!({"resize": {"width": width}})).unwrap(), &probe, &limits)
            .unwrap()
    };
    assert!(cost(1900).memory >= cost(900).memory && cost(1900).time > cost(900).time);
}
