//! Work that is too late, or that nobody wants any more, stops in its middle. No clock is needed: a control can stop itself when it
//! was looked at so and so often, and says how often that was.

use std::time::{Duration, Instant};

use image::{DynamicImage, ImageFormat, Rgba, RgbaImage};
use serde_json::{Value, json};

use super::{Control, Failure, Overlays, samples, spec, transform};
use crate::{
    domain::{error::Code, format::Format, job::Cancel, limits::Limits},
    imaging::{
        decode::{self, Wanted},
        encode,
        picture::{Frame, Picture, Pixels},
        probe, steps,
    },
};

/// A file of so many pixels a side.
type Make = Box<dyn Fn(u32) -> Vec<u8>>;
/// A picture of so many pixels a side.
type Made<'a> = &'a dyn Fn(u32) -> Picture;

/// How often `work` looks at its control when nothing stops it. Stopped anywhere in between it ends as cancelled: with no picture,
/// and without blaming the file.
fn looks<T>(name: &str, work: impl Fn(&Control) -> Result<T, Failure>) -> u64 {
    let control = Control::default();
    assert!(work(&control).is_ok(), "{name}");
    let looks = control.cancel.looks();
    for part in 0..8 {
        let control = Control { cancel: Cancel::after(looks * part / 8), ..Control::default() };
        assert!(matches!(work(&control), Err(Failure::Cancelled)), "{name}: {part} eighths");
    }
    looks
}

/// Of four times as many pixels, or twice as many rows, there are many more looks.
#[track_caller]
fn grows(name: &str, small: u64, large: u64) {
    assert!(large >= small + 6 && large * 10 >= small * 18, "{name}: {small}, then {large} looks");
}

/// What no codec can pack.
fn noise(width: u32, height: u32) -> RgbaImage {
    let mut state = 0x9e37_79b9_u32;
    RgbaImage::from_fn(width, height, |_, _| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let [red, green, blue, _] = state.to_le_bytes();
        Rgba([red, green, blue, 255])
    })
}

fn still(width: u32, height: u32) -> Picture {
    Picture::still(Pixels::Eight(noise(width, height)), false)
}

fn written(
    picture: &Picture,
    format: Format,
    spec: &Value,
    control: &Control,
) -> Result<Vec<u8>, Failure> {
    encode::encode(picture, format, &super::spec(spec.clone()), control).map(|made| made.bytes)
}

fn read(file: &[u8], control: &Control) -> Result<Picture, Failure> {
    let limits = Limits::default();
    let probe = probe(std::io::Cursor::new(file), &limits).unwrap();
    decode::decode(file, &probe, Wanted { frames: probe.frames, ..Wanted::FIRST }, &limits, control)
        .map(|decoded| decoded.picture)
}

#[test]
fn every_decoder_is_stopped_in_its_middle() {
    let ours = |format: Format, spec: Value| {
        move |side| written(&still(side, side), format, &spec, &Control::default()).unwrap()
    };
    let foreign = |format| move |side| samples::written(&noise(side, side), format);
    let floats = |format| {
        move |side| {
            let light = DynamicImage::ImageRgba8(noise(side, side)).into_rgb32f();
            let mut bytes = std::io::Cursor::new(Vec::new());
            DynamicImage::from(light).write_to(&mut bytes, format).unwrap();
            bytes.into_inner()
        }
    };
    let plain = |side: u32| {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, side, side);
        encoder.set_color(png::ColorType::Rgba);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(noise(side, side).as_raw()).unwrap();
        writer.finish().unwrap();
        bytes
    };
    let files: [(&str, Make); 15] = [
        ("jpeg", Box::new(ours(Format::Jpeg, json!({})))),
        ("progressive", Box::new(ours(Format::Jpeg, json!({"progressive": true})))),
        ("png", Box::new(ours(Format::Png, json!({})))),
        ("rgba png", Box::new(plain)),
        ("gif", Box::new(ours(Format::Gif, json!({})))),
        ("webp", Box::new(ours(Format::Webp, json!({"quality": 90})))),
        ("lossless webp", Box::new(ours(Format::Webp, json!({"lossless": true})))),
        ("tiff", Box::new(ours(Format::Tiff, json!({})))),
        ("plain tiff", Box::new(foreign(ImageFormat::Tiff))),
        ("bmp", Box::new(foreign(ImageFormat::Bmp))),
        ("qoi", Box::new(foreign(ImageFormat::Qoi))),
        ("pnm", Box::new(foreign(ImageFormat::Pnm))),
        ("tga", Box::new(foreign(ImageFormat::Tga))),
        ("hdr", Box::new(floats(ImageFormat::Hdr))),
        ("exr", Box::new(floats(ImageFormat::OpenExr))),
    ];
    for (name, file) in files {
        let [small, large] = [200, 400].map(|side| {
            let file = file(side);
            looks(name, |control| read(&file, control))
        });
        grows(name, small, large);
    }
    // Of these there are samples alone, and of an animation every frame counts.
    for file in samples::every_kind() {
        looks("a sample", |control| read(&file, control));
    }
}

/// A scan of a few bytes is a walk over all pixels.
#[test]
fn every_scan_of_a_jpeg_counts() {
    let mut file = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut file, 80);
    encoder.set_progressive(true);
    let flat = [90, 120, 60].repeat(640 * 640);
    encoder.encode(&flat, 640, 640, jpeg_encoder::ColorType::Rgb).unwrap();
    let start = file.windows(2).rposition(|bytes| bytes == [0xff, 0xda]).unwrap();
    let (head, last) = file.split_at(start);
    let (last, end) = last.split_at(last.len() - 2);
    let [small, large] = [20, 80].map(|scans| {
        let file = [head, &last.repeat(scans), end].concat();
        looks("scans", |control| read(&file, control))
    });
    assert!(large >= small + 4, "{small}, then {large} looks");
}

#[test]
fn a_profile_is_applied_in_pieces() {
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let [small, large] = [100, 200].map(|side| {
        let picture = Picture { icc: Some(profile.clone()), ..still(side, side) };
        let file = written(&picture, Format::Tiff, &json!({}), &Control::default()).unwrap();
        looks("profile", |control| read(&file, control))
    });
    grows("profile", small, large);
}

#[test]
fn every_encoder_is_stopped_in_its_middle() {
    let animated = |side| {
        let frame = |_| Frame { pixels: Pixels::Eight(noise(side, side)), delay: 50 };
        Picture::animated((0..3).map(frame).collect(), 0, false).unwrap()
    };
    let few = |side| {
        let pixels = RgbaImage::from_fn(side, side, |x, y| {
            Rgba(samples::COLORS[((x / 3 + y / 5) % 6) as usize])
        });
        Picture::still(Pixels::Eight(pixels), false)
    };
    let still = |side| still(side, side);
    let cases: [(&str, Format, Value, Made<'_>); 9] = [
        ("jpeg", Format::Jpeg, json!({}), &still),
        ("progressive", Format::Jpeg, json!({"progressive": true}), &still),
        ("png", Format::Png, json!({}), &still),
        ("palette", Format::Png, json!({}), &few),
        ("gif", Format::Gif, json!({}), &still),
        ("gif of few colours", Format::Gif, json!({}), &few),
        ("tiff", Format::Tiff, json!({}), &still),
        ("bmp", Format::Bmp, json!({}), &still),
        ("qoi", Format::Qoi, json!({}), &still),
    ];
    for (name, format, value, picture) in cases {
        let [small, large] = [200, 400].map(|side| {
            let picture = picture(side);
            looks(name, |control| written(&picture, format, &value, control))
        });
        grows(name, small, large);
    }
    // libwebp asks a hundred times at most, however large a picture is.
    let cases: [(&str, Value, Made<'_>); 3] = [
        ("webp", json!({}), &still),
        ("lossless webp", json!({"lossless": true}), &still),
        ("animated webp", json!({}), &animated),
    ];
    for (name, value, picture) in cases {
        let picture = picture(400);
        let count = looks(name, |control| written(&picture, Format::Webp, &value, control));
        assert!(count > 20, "{name}: {count} looks");
    }
}

#[test]
fn work_stops_when_it_is_too_late_or_unwanted() {
    let large = samples::png(&noise(700, 700));
    let value = spec(json!({"filters": {"blur": 3}, "format": "webp", "lossless": true}));
    let run =
        |control: &Control| transform(&large, &value, &Limits::default(), control).map(|_| ());
    looks("all of it", run);
    // Before it begins, and in the middle: nothing does all of that in a millisecond.
    for left in [0, 1] {
        let deadline = Some(Instant::now() + Duration::from_millis(left));
        match run(&Control { deadline, ..Control::default() }) {
            Err(Failure::Refused(error)) => assert_eq!(error.code, Code::TransformTimeout),
            other => panic!("{other:?}"),
        }
    }
    let unwanted = Control::default();
    unwanted.cancel.cancel();
    assert!(matches!(run(&unwanted), Err(Failure::Cancelled)));
}

/// As its encoder can't be stopped, it is not begun in vain.
#[test]
fn an_avif_that_would_be_late_is_not_begun() {
    let large = still(1200, 900);
    let soon = Some(Instant::now() + Duration::from_millis(1));
    let control = Control { deadline: soon, ..Control::default() };
    let spec = json!({"profile": "fast"});
    match written(&large, Format::Avif, &spec, &control) {
        Err(Failure::Refused(error)) => assert_eq!(error.code, Code::TransformTimeout),
        other => panic!("{other:?}"),
    }
    let roomy = Some(Instant::now() + Duration::from_secs(3600));
    let control = Control { deadline: roomy, ..Control::default() };
    assert!(written(&large, Format::Avif, &spec, &control).is_ok());
}

#[test]
fn every_step_is_stopped_in_its_middle() {
    let (limits, overlays) = (Limits::default(), Overlays::default());
    for value in [
        json!({"resize": {"width": 30, "height": 0.5, "fit": "fill"}}),
        json!({"resize": {"width": 20, "height": 20, "gravity": "smart"}}),
        json!({"crop": {"width": 20, "height": 20, "gravity": "smart"}}),
        json!({"trim": true}),
        json!({"rotate": 7}),
        json!({"round": 9}),
        json!({"border": {"width": 3, "color": "red"}}),
        json!({"watermark": {"text": "A", "tile": true}}),
        json!({"filters": {"grayscale": true}}),
        json!({"filters": {"sepia": 50}}),
        json!({"filters": {"saturation": 50}}),
        json!({"filters": {"hue": 50}}),
        json!({"filters": {"invert": true}}),
        json!({"filters": {"brightness": 50}}),
        json!({"filters": {"contrast": 50}}),
        json!({"filters": {"gamma": 2}}),
        json!({"filters": {"blur": 2}}),
        json!({"filters": {"blur": 20}}),
        json!({"filters": {"sharpen": 2}}),
        json!({"filters": {"pixelate": 256}}),
        json!({"filters": {"vignette": 50}}),
        json!({"filters": {"tint": "red"}}),
        json!({"filters": {"colorize": "red"}}),
    ] {
        let parsed = spec(value.clone());
        let name = value.to_string();
        let [small, large] = [200, 800].map(|height| {
            let picture = still(60, height);
            looks(&name, |control| {
                let mut picture = picture.clone();
                for operation in &parsed.operations {
                    let operation = steps::settle(&picture, operation, control)?;
                    steps::apply(&mut picture, &operation, &parsed, &overlays, &limits, control)?;
                }
                Ok(picture)
            })
        });
        // Every few dozen rows at least.
        assert!(large >= small + 600 / 64, "{name}: {small}, then {large} looks");
    }
}
