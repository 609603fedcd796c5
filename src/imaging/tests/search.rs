//! Qualities that are looked for, from file to file: in AVIF, in animations, in what is transparent.

use super::*;

fn cat(width: u32) -> Vec<u8> {
    make(samples::CAT, json!({"resize": {"width": width}, "format": "png"})).bytes
}

/// A cat whose left side fades away.
fn fading() -> Vec<u8> {
    let mut picture = samples::read(&cat(120));
    for (x, _, pixel) in picture.enumerate_pixels_mut() {
        pixel.0[3] = (x * 4).min(255) as u8;
    }
    samples::png(&picture)
}

/// Three frames of a cat, each turned on by a few degrees; played five times, for 70, 80 and 90 ms.
fn turning() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = gif::Encoder::new(&mut bytes, 120, 80, &[]).unwrap();
    encoder.set_repeat(gif::Repeat::Finite(4)).unwrap();
    for turn in 0..3 {
        let frame = json!({"rotate": turn * 5, "resize": {"width": 120, "height": 80}});
        let mut frame = pixels(samples::CAT, frame);
        image::imageops::crop(&mut frame, 0, 0, 120, 80);
        let mut frame =
            image::imageops::resize(&frame, 120, 80, image::imageops::Nearest).into_raw();
        let mut frame = gif::Frame::from_rgba_speed(120, 80, &mut frame, 10);
        frame.delay = 7 + turn as u16;
        encoder.write_frame(&frame).unwrap();
    }
    drop(encoder);
    bytes
}

/// The quality that a result says it was encoded with.
fn quality(output: &Output) -> u32 {
    let what = &output.steps.last().unwrap().detail;
    let (_, rest) = what.split_once("quality ").unwrap_or_else(|| panic!("{what}"));
    rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

/// The frames of a WebP, and how long each is shown.
fn frames(file: &[u8]) -> Vec<(RgbaImage, u32)> {
    let mut decoder = image_webp::WebPDecoder::new(std::io::Cursor::new(file)).unwrap();
    let (width, height) = decoder.dimensions();
    let has_alpha = decoder.has_alpha();
    let mut buffer = vec![0; decoder.output_buffer_size().unwrap()];
    let count = decoder.num_frames();
    let read = (0..count).map(|_| {
        let delay = decoder.read_frame(&mut buffer).unwrap();
        let raster = if has_alpha {
            RgbaImage::from_raw(width, height, buffer.clone()).unwrap()
        } else {
            let raster = image::RgbImage::from_raw(width, height, buffer.clone()).unwrap();
            image::DynamicImage::from(raster).into_rgba8()
        };
        (raster, delay)
    });
    read.collect()
}

/// With a bound on its bytes a file is of the best quality that is within it: the next one is not.
#[test]
fn the_best_that_fits_is_taken_of_avif_and_of_animations() {
    let still = cat(120);
    for (file, format) in [(&still, "avif"), (&turning(), "webp"), (&fading(), "webp")] {
        let of = |quality: u32| make(file, json!({"format": format, "quality": quality})).bytes;
        let most = of(45).len();
        let made = make(file, json!({"format": format, "max_bytes": most}));
        let found = quality(&made);
        assert!(made.bytes.len() <= most && found >= 45, "{format}: quality {found}");
        assert_eq!(made.bytes, of(found), "{format}");
        assert!(of(found + 1).len() > most, "{format}: quality {found} is not the best");
        // What fits anyway is left as it is.
        let roomy = make(file, json!({"format": format, "max_bytes": 1_000_000}));
        assert_eq!(roomy.bytes, make(file, json!({"format": format})).bytes, "{format}");
        let error = refusal(file, json!({"format": format, "max_bytes": 60}));
        assert_eq!(error.code, Code::TransformImpossible, "{format}");
        assert!(error.detail.contains("max_bytes is 60"), "{}", error.detail);
    }
}

#[test]
fn an_animation_within_a_bound_is_whole() {
    let file = turning();
    let most = make(&file, json!({"format": "webp", "quality": 30})).bytes.len();
    let made = make(&file, json!({"format": "webp", "max_bytes": most}));
    let shown: Vec<u32> = frames(&made.bytes).iter().map(|(_, delay)| *delay).collect();
    assert_eq!(shown, [70, 80, 90]);
    // A GIF has no quality to give up.
    let all = make(&file, json!({})).bytes.len();
    assert_eq!(make(&file, json!({"max_bytes": all})).bytes.len(), all);
    let error = refusal(&file, json!({"max_bytes": all - 1}));
    assert_eq!(error.code, Code::TransformImpossible);
    assert!(error.detail.contains("nothing may be lost"), "{}", error.detail);
}

/// How stricter levels cost more, and what is found is what is written.
fn levels(file: &[u8], format: &str) -> Vec<Output> {
    let made = ["auto:low", "auto:eco", "auto", "auto:best"]
        .map(|level| make(file, json!({"format": format, "quality": level})));
    let found: Vec<u32> = made.iter().map(quality).collect();
    assert!(found.is_sorted() && found.first() < found.last(), "{format}: {found:?}");
    for (output, quality) in made.iter().zip(&found) {
        let same = make(file, json!({"format": format, "quality": quality}));
        assert_eq!(output.bytes, same.bytes, "{format}: {quality}");
    }
    made.into()
}

#[test]
fn quality_is_found_for_what_is_transparent() {
    let file = fading();
    let source = samples::read(&file);
    for output in levels(&file, "webp") {
        let read = samples::read(&output.bytes);
        for (made, given) in read.pixels().zip(source.pixels()) {
            assert!(made.0[3].abs_diff(given.0[3]) <= 2, "{made:?} {given:?}");
        }
    }
    // Into a format without transparency it is judged with what is laid beneath.
    for output in levels(&file, "jpeg") {
        let [red, green, blue, alpha] = samples::read(&output.bytes).get_pixel(0, 20).0;
        assert!(red > 225 && green > 225 && blue > 225 && alpha == 255, "{red} {green} {blue}");
    }
}

#[test]
fn quality_is_found_for_animations() {
    let file = turning();
    let (strict, loose) = {
        let mut all = levels(&file, "webp");
        (all.pop().unwrap(), all.swap_remove(0))
    };
    let originals = GifDecoder::new(std::io::Cursor::new(&file)).unwrap();
    let originals = originals.into_frames().collect_frames().unwrap();
    let near = |output: &Output| {
        let frames = frames(&output.bytes);
        let delays: Vec<u32> = frames.iter().map(|(_, delay)| *delay).collect();
        assert_eq!(delays, [70, 80, 90]);
        let each = frames.iter().zip(&originals);
        each.map(|((frame, _), original)| psnr(frame, original.buffer()))
            .fold(f64::INFINITY, f64::min)
    };
    // Every frame is as good, not the first alone by which it was found.
    let (strict, loose) = (near(&strict), near(&loose));
    assert!(strict > 33.0 && strict > loose + 3.0, "{strict:.1} dB, {loose:.1} dB");
}

#[test]
fn quality_is_found_for_avif() {
    let file = cat(96);
    let found = ["auto:low", "auto:best"]
        .map(|level| make(&file, json!({"format": "avif", "quality": level})));
    assert!(quality(&found[0]) < quality(&found[1]));
    assert!(found[0].bytes.len() < found[1].bytes.len());
}
