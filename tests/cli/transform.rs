//! `darkroom transform`: the engine with no server.

mod files;
mod settings;
mod telling;

use std::path::Path;

use image::{GenericImageView, ImageFormat};
use serde_json::{Value, json};

use crate::process::Shell;

const SPEC: &str = r#"{"resize":{"width":40}}"#;

/// A shell in a directory with pictures, and a text that calls itself one.
fn darkroom() -> Shell {
    let shell = Shell::new();
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures");
    for name in ["rocket.jpg", "chelsea.png"] {
        std::fs::copy(pictures.join(name), shell.directory().join(name)).unwrap();
    }
    std::fs::write(shell.directory().join("broken.jpg"), "just some text").unwrap();
    shell
}

fn picture(shell: &Shell, name: &str) -> (ImageFormat, (u32, u32)) {
    let bytes = std::fs::read(shell.directory().join(name)).unwrap();
    let format = image::guess_format(&bytes).unwrap();
    (format, image::load_from_memory(&bytes).unwrap().dimensions())
}

#[test]
fn one_picture_gets_the_format_of_the_name_it_is_written_to() {
    let shell = darkroom();
    for (name, format) in [
        ("small.webp", ImageFormat::WebP),
        ("small.png", ImageFormat::Png),
        ("small.JPG", ImageFormat::Jpeg),
        ("small.gif", ImageFormat::Gif),
        ("small", ImageFormat::Jpeg),
    ] {
        let run = shell.run(&["transform", "rocket.jpg", "--out", name, "--spec", SPEC]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(run.stdout.contains("40x27"), "{}", run.stdout);
        assert_eq!(picture(&shell, name), (format, (40, 27)), "{name}");
    }
    // What the spec says is stronger, under any name; it is warned of.
    let spec = r#"{"format":"png","resize":{"width":40}}"#;
    for name in ["named.webp", "named.jxl"] {
        let run = shell.run(&["transform", "rocket.jpg", "--out", name, "--spec", spec]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(run.stderr.contains(&format!("warning: {name} is png")), "{}", run.stderr);
        assert_eq!(picture(&shell, name).0, ImageFormat::Png);
    }
    let spec = r#"{"format":"auto","resize":{"width":40}}"#;
    let run = shell.run(&["transform", "rocket.jpg", "--out", "named.txt", "--spec", spec]);
    assert!(run.code == 0 && run.stderr.contains("is jpeg, not what .txt says"), "{}", run.stderr);
    let run = shell.run(&["transform", "rocket.jpg", "--out", "quiet.jpeg", "--t", "w_40,f_jpg"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let run = shell.run(&["transform", "rocket.jpg", "-o", "same.jpg"]);
    assert_eq!((run.code, picture(&shell, "same.jpg").1), (0, (640, 427)));
}

#[test]
fn an_extension_that_nothing_is_written_as_is_refused() {
    let shell = darkroom();
    for name in ["x.jxl", "x.svg", "x.txt", "x.data", "x.pnm", "x.jpg.bak"] {
        for what in [["--spec", SPEC], ["--t", "w_40"]] {
            let run = shell.run(&[&["transform", "rocket.jpg", "--out", name], &what[..]].concat());
            assert_eq!(run.code, 64, "{name}");
            let extension = name.rsplit('.').next().unwrap();
            let named = format!(".{extension} is no format");
            for expected in [named.as_str(), "jpeg, png, webp", "avif"] {
                assert!(run.stderr.contains(expected), "{expected}: {}", run.stderr);
            }
            assert!(!shell.directory().join(name).exists());
        }
    }
}

#[test]
fn several_pictures_go_into_a_directory() {
    let shell = darkroom();
    let run = shell.run(&[
        "transform",
        "rocket.jpg",
        "chelsea.png",
        "--out",
        "made/here",
        "--spec",
        SPEC,
    ]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(run.stdout.lines().count(), 2);
    assert_eq!(picture(&shell, "made/here/rocket.jpg"), (ImageFormat::Jpeg, (40, 27)));
    assert_eq!(picture(&shell, "made/here/chelsea.png"), (ImageFormat::Png, (40, 27)));
    // A slash at the end says so for one.
    let spec = r#"{"resize":{"width":40},"format":"webp"}"#;
    let run = shell.run(&["transform", "rocket.jpg", "--out", "one/", "--spec", spec]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(picture(&shell, "one/rocket.webp").0, ImageFormat::WebP);
    // And so does a directory that is there.
    assert_eq!(shell.run(&["transform", "rocket.jpg", "--out", "one", "--spec", SPEC]).code, 0);
    assert_eq!(picture(&shell, "one/rocket.jpg").1, (40, 27));
}

#[test]
fn what_is_wrong_is_named_and_the_rest_is_done() {
    let shell = darkroom();
    let transform = |arguments: &[&str]| shell.run(&[&["transform"], arguments].concat());

    let run = transform(&["rocket.jpg", "--out", "a.png", "--spec", r#"{"resize":{"widht":4}}"#]);
    assert_eq!(run.code, 64);
    assert!(run.stderr.contains("/resize/widht"), "{}", run.stderr);
    assert_eq!(transform(&["rocket.jpg", "--out", "a.png", "--spec", "{"]).code, 64);
    assert_eq!(transform(&["rocket.jpg", "./rocket.jpg", "--out", "d", "--spec", SPEC]).code, 64);
    assert!(!shell.directory().join("a.png").exists());

    let run =
        transform(&["rocket.jpg", "broken.jpg", "chelsea.png", "--out", "d/", "--spec", SPEC]);
    assert_eq!(run.code, 65);
    assert!(run.stderr.contains("broken.jpg"), "{}", run.stderr);
    assert_eq!(picture(&shell, "d/rocket.jpg").1, (40, 27));
    assert_eq!(picture(&shell, "d/chelsea.png").1, (40, 27));
    assert!(!shell.directory().join("d/broken.jpg").exists());

    let run = transform(&["rocket.jpg", "missing.jpg", "--out", "e", "--spec", SPEC]);
    assert_eq!(run.code, 66);
    assert!(run.stderr.contains("missing.jpg"), "{}", run.stderr);
    assert_eq!(picture(&shell, "e/rocket.jpg").1, (40, 27));

    let run = transform(&["rocket.jpg", "--out", "nowhere/a.png", "--spec", SPEC]);
    assert_eq!(run.code, 73, "{}", run.stderr);
    assert_eq!(transform(&["rocket.jpg", "--out", "broken.jpg/", "--spec", SPEC]).code, 73);
    let outside = r#"{"crop":{"x":9999,"y":0,"width":1,"height":1}}"#;
    assert_eq!(transform(&["rocket.jpg", "--out", "a.png", "--spec", outside]).code, 65);
}

#[test]
fn standard_input_and_output_are_pictures_too() {
    let shell = darkroom();
    let rocket = std::fs::read(shell.directory().join("rocket.jpg")).unwrap();
    let arguments = ["transform", "-", "--out", "-", "--t", "w_40/f_png"];
    let (code, made, said) = shell.pipe(&arguments, &rocket);
    assert_eq!(code, 0, "{said}");
    assert_eq!(image::guess_format(&made).unwrap(), ImageFormat::Png);
    assert_eq!(image::load_from_memory(&made).unwrap().dimensions(), (40, 27));
    // Nothing but the picture goes where the picture goes.
    assert!(said.contains("- -> - 40x27 png"), "{said}");

    let (code, _, said) =
        shell.pipe(&["transform", "-", "--out", "made/", "--spec", SPEC], &rocket);
    assert_eq!(code, 0, "{said}");
    assert_eq!(picture(&shell, "made/stdin.jpg").1, (40, 27));
    let (code, made, said) = shell.pipe(&["transform", "-", "--out", "-"], b"just some text");
    assert_eq!((code, made.len()), (65, 0), "{said}");
    let run = shell.run(&["transform", "rocket.jpg", "chelsea.png", "--out", "-"]);
    assert_eq!(run.code, 64, "{}", run.stderr);
}

#[test]
fn patterns_are_expanded() {
    let shell = darkroom();
    std::fs::create_dir_all(shell.directory().join("in/deeper")).unwrap();
    for (from, to) in [("rocket.jpg", "in/one.jpg"), ("rocket.jpg", "in/deeper/two.jpg")] {
        std::fs::copy(shell.directory().join(from), shell.directory().join(to)).unwrap();
    }
    let run =
        shell.run(&["transform", "in/**/*.jpg", "--out", "made", "--spec", SPEC, "--jobs", "2"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(picture(&shell, "made/one.jpg").1, (40, 27));
    assert_eq!(picture(&shell, "made/two.jpg").1, (40, 27));
    let run = shell.run(&["transform", "in/*.gif", "--out", "made", "--spec", SPEC]);
    assert_eq!(run.code, 66);
    assert!(run.stderr.contains("in/*.gif matches no file"), "{}", run.stderr);
    assert_eq!(shell.run(&["transform", "rocket.jpg", "--out", "x.png", "--jobs", "0"]).code, 64);
}

#[test]
fn the_url_form_is_understood_and_its_faults_are_named() {
    let shell = darkroom();
    let run = shell.run(&[
        "transform",
        "chelsea.png",
        "-o",
        "a.webp",
        "-t",
        "c_fill,w_60,h_30/e_sepia:50",
    ]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(picture(&shell, "a.webp"), (ImageFormat::WebP, (60, 30)));
    // What the URL says is stronger than the name.
    shell.run(&["transform", "chelsea.png", "-o", "b.webp", "-t", "w_60,f_jpg"]);
    assert_eq!(picture(&shell, "b.webp").0, ImageFormat::Jpeg);
    let run = shell.run(&["transform", "chelsea.png", "-o", "c.webp", "-t", "w_60/w_99999"]);
    assert_eq!(run.code, 64);
    assert!(run.stderr.contains("/1/w"), "{}", run.stderr);
    let both = ["transform", "chelsea.png", "-o", "c.webp", "-t", "w_60", "--spec", SPEC];
    assert_eq!(shell.run(&both).code, 64);
}

#[test]
fn what_was_done_is_explained() {
    let shell = darkroom();
    let spec = r#"{"resize":{"width":40},"filters":{"sepia":50},"format":"webp","quality":"auto"}"#;
    let run = shell.run(&["transform", "rocket.jpg", "-o", "a.webp", "--explain", "--spec", spec]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let lines: Vec<Vec<&str>> =
        run.stdout.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    let names: Vec<&str> = lines.iter().map(|words| words[0]).collect();
    assert_eq!(names, ["decode", "upright", "resize", "sepia", "encode"], "{}", run.stdout);
    for expected in
        ["jpeg", "skipped", "40 × 27", "Lanczos3 in linear light", "50 %", "found by its score"]
    {
        assert!(run.stdout.contains(expected), "{expected}: {}", run.stdout);
    }
}

#[test]
fn programs_get_json_a_line_each_failures_too() {
    let shell = darkroom();
    let inputs = ["rocket.jpg", "broken.jpg", "chelsea.png"];
    let run = shell
        .run(&[&["transform"], &inputs[..], &["--out", "d/", "--spec", SPEC, "--json"]].concat());
    assert_eq!(run.code, 65);
    let lines: Vec<Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3, "{}", run.stdout);
    let of = |input: &str| lines.iter().find(|line| line["input"] == input).unwrap();
    assert_eq!(of("broken.jpg")["error"]["code"], "unsupported_media_type");
    let rocket = of("rocket.jpg");
    assert_eq!((&rocket["output"], &rocket["width"]), (&json!("d/rocket.jpg"), &json!(40)));
    assert_eq!(
        rocket["bytes_out"],
        std::fs::metadata(shell.directory().join("d/rocket.jpg")).unwrap().len()
    );
    assert_eq!(rocket["steps"][0]["name"], "decode");
    assert_eq!(rocket["steps"][1]["skipped"], true);
}

#[test]
fn a_profile_is_what_a_spec_takes_that_names_none() {
    let shell = darkroom();
    let size = |arguments: &[&str]| {
        let run = shell.run(&[&["transform", "chelsea.png", "-o", "p.png"], arguments].concat());
        assert_eq!(run.code, 0, "{}", run.stderr);
        std::fs::read(shell.directory().join("p.png")).unwrap()
    };
    let best = size(&["--spec", SPEC]);
    let fast = size(&["--spec", SPEC, "--profile", "fast"]);
    assert_ne!(best, fast);
    assert_eq!(best, size(&["--spec", SPEC, "--profile", "best"]));
    let said = r#"{"resize":{"width":40},"profile":"best"}"#;
    assert_eq!(best, size(&["--spec", said, "--profile", "fast"]));
    let run = shell.run(&["transform", "chelsea.png", "-o", "p.png", "--profile", "slow"]);
    assert_eq!(run.code, 64);
}
