//! Transforms a picture by oximg, in its own defaults, as `make bench-engine` asks.
//!
//!   bench-oximg loop FILE WIDTH HEIGHT FORMAT QUALITY       each line of standard input is a number of times; it is answered by
//!                                                           the length of the result. `write PATH` writes the result.
//!   bench-oximg once FILE WIDTH HEIGHT FORMAT QUALITY OUT   from file to file, as oximg's own command does
//!
//! WIDTH and HEIGHT are the box to fit into, 0 for no bound.

use std::{ffi::c_int, fs, io::BufRead, path::Path};

use oximg::pipeline::{ImageFormat, Params, process, process_path};

unsafe extern "C" {
    fn mallopt(param: c_int, value: c_int) -> c_int;
}

/// What oximg's server asks of the C library, so that pages are used again: its numbers are better with it.
fn keep_pages() {
    const TRIM_THRESHOLD: c_int = -1;
    const MMAP_THRESHOLD: c_int = -3;
    // SAFETY: only sets parameters, before there is any other thread.
    unsafe {
        mallopt(MMAP_THRESHOLD, 32 << 20);
        mallopt(TRIM_THRESHOLD, 64 << 20);
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [command, file, width, height, format, quality, rest @ ..] = args.as_slice() else {
        panic!("six arguments or seven")
    };
    let bound = |text: &str| match text.parse().expect("a number") {
        0 => u32::MAX,
        pixels => pixels,
    };
    let quality: f32 = quality.parse().expect("a quality");
    let params = Params {
        max_width: bound(width),
        max_height: bound(height),
        quality,
        webp_quality: Some(quality),
        output: Some(ImageFormat::from_token(format).expect("a format")),
        ..Params::default()
    };
    match (command.as_str(), rest) {
        ("loop", []) => answer(file, &params),
        ("once", [out]) => {
            let made = process_path(Path::new(file), &params).expect("the picture can be transformed").0;
            fs::write(out, made).expect("the result can be written");
        }
        _ => panic!("loop, or once and where to"),
    }
}

fn answer(file: &str, params: &Params) {
    keep_pages();
    let source = fs::read(file).expect("the picture is there");
    let mut made = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("standard input is text");
        if let Some(path) = line.strip_prefix("write ") {
            fs::write(path, &made).expect("the result can be written");
        } else {
            for _ in 0..line.parse().expect("a number of times") {
                made = process(&source, params).expect("the picture can be transformed").0;
            }
        }
        println!("{}", made.len());
    }
}
