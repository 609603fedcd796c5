//! `darkroom transform`: the engine with no server.

use std::path::Path;

use image::{GenericImageView, ImageFormat};

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
        ("small.data", ImageFormat::Jpeg),
    ] {
        let run = shell.run(&["transform", "rocket.jpg", "--out", name, "--spec", SPEC]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(run.stdout.contains("40x27"), "{}", run.stdout);
        assert_eq!(picture(&shell, name), (format, (40, 27)), "{name}");
    }
    // What the spec says is stronger.
    let spec = r#"{"format":"png","resize":{"width":40}}"#;
    shell.run(&["transform", "rocket.jpg", "--out", "named.webp", "--spec", spec]);
    assert_eq!(picture(&shell, "named.webp").0, ImageFormat::Png);
    let run = shell.run(&["transform", "rocket.jpg", "-o", "same.jpg"]);
    assert_eq!((run.code, picture(&shell, "same.jpg").1), (0, (640, 427)));
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
