//! What the configuration and the options say.

use super::{SPEC, darkroom, picture};
use crate::process::Run;

#[track_caller]
fn ends(run: &Run, code: i32, says: &[&str]) {
    assert_eq!(run.code, code, "{}", run.stderr);
    for text in says {
        assert!(run.stderr.contains(text), "{text}: {}", run.stderr);
    }
}

const ROCKET: [&str; 6] = ["transform", "rocket.jpg", "--out", "small.webp", "--spec", SPEC];

#[test]
fn a_setting_that_is_used_and_wrong_is_named() {
    for (name, value) in [
        ("MAX_UPLOAD_SIZE", "lots"),
        ("MAX_IMAGE_WIDTH", "0"),
        ("MAX_IMAGE_HEIGHT", "-1"),
        ("MAX_PIXELS", "50 million"),
        ("MAX_ANIMATION_PIXELS", "x"),
        ("MAX_FRAMES", "1.5"),
        ("TRANSFORM_PROFILE", "slow"),
        ("TRANSFORM_TIMEOUT", "soon"),
    ] {
        let shell = darkroom().with(name, value).with("PORT", "eighty");
        let run = shell.run(&ROCKET);
        ends(&run, 78, &[name, value]);
        assert!(!run.stderr.contains("PORT"), "{}", run.stderr);
        assert!(!shell.directory().join("small.webp").exists());
    }
    // All at once, and what was perhaps meant.
    let shell =
        darkroom().with("MAX_FRAMES", "x").with("MAX_PIXELS", "y").with("MAX_PIXLES", "100");
    ends(&shell.run(&ROCKET), 78, &["2 faults", "MAX_FRAMES", "MAX_PIXELS", "did you mean"]);
    let shell = darkroom();
    std::fs::write(shell.directory().join("darkroom.toml"), "max_pixels = \n").unwrap();
    ends(&shell.run(&ROCKET), 78, &["darkroom.toml"]);
}

#[test]
fn what_is_wrong_elsewhere_neither_hinders_nor_drops_the_limits() {
    let elsewhere = || {
        darkroom()
            .with("PORT", "eighty")
            .with("SUPABASE_DB_URL", "nonsense")
            .with("DB_MAX_CONNS", "none")
            .with("UPSTASH_REDIS_PASSWORD", "half-of-it")
            .with("DRAIN_TIMEOUT", "never")
            .with("JWT_SECRET", "short")
    };
    assert_eq!(elsewhere().run(&ROCKET).code, 0);
    ends(&elsewhere().with("MAX_IMAGE_WIDTH", "600").run(&ROCKET), 65, &["at most 600 across"]);
    ends(&elsewhere().with("MAX_UPLOAD_SIZE", "1000").run(&ROCKET), 65, &["MAX_UPLOAD_SIZE"]);

    let run = elsewhere().with("MAX_PIXLES", "100").run(&ROCKET);
    ends(&run, 0, &["warning: MAX_PIXLES", "did you mean MAX_PIXELS"]);

    let made = |shell: crate::process::Shell, more: &[&str]| {
        let run =
            shell.run(&[&["transform", "chelsea.png", "-o", "p.png", "-s", SPEC], more].concat());
        assert_eq!(run.code, 0, "{}", run.stderr);
        std::fs::read(shell.directory().join("p.png")).unwrap()
    };
    let fast = made(elsewhere().with("TRANSFORM_PROFILE", "fast"), &[]);
    assert_eq!(fast, made(darkroom(), &["--profile", "fast"]));
    assert_ne!(fast, made(darkroom(), &[]));
    assert_ne!(fast, made(darkroom().with("TRANSFORM_PROFILE", "fast"), &["--profile", "best"]));
}

#[test]
fn a_picture_takes_as_long_as_it_may() {
    const BRIEF: [&str; 2] = ["--timeout", "1ms"];
    let slow = |shell: crate::process::Shell, more: &[&str]| {
        let spec = r#"{"filters":{"blur":9},"quality":"auto"}"#;
        shell.run(
            &[&["transform", "rocket.jpg", "-o", "a.webp", "-s", spec, "--json"], more].concat(),
        )
    };
    for (shell, more) in [
        (darkroom(), &BRIEF[..]),
        (darkroom().with("TRANSFORM_TIMEOUT", "1ms"), &[]),
        (darkroom().with("TRANSFORM_TIMEOUT", "1h"), &BRIEF),
    ] {
        let run = slow(shell, more);
        assert_eq!(run.code, 65);
        assert!(run.stdout.contains(r#""code":"transform_timeout""#), "{}", run.stdout);
        assert!(run.stdout.contains("1ms (--timeout, TRANSFORM_TIMEOUT)"), "{}", run.stdout);
    }
    let shell = darkroom().with("TRANSFORM_TIMEOUT", "1ms");
    let run = shell.run(&[&ROCKET[..], &["--timeout", "1h"]].concat());
    assert_eq!(run.code, 0, "{}", run.stderr);
    for wrong in ["soon", "0", "-1", "2d"] {
        let argument = format!("--timeout={wrong}");
        ends(&shell.run(&[&ROCKET[..], &[argument.as_str()]].concat()), 64, &["--timeout", "1d"]);
    }
}

#[test]
fn overlays_are_looked_at_before_anything_is_done() {
    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
    let shell = darkroom();
    let spec = format!(
        r#"{{"resize":{{"width":40}},"watermark":{{"image_id":"{ID}","size":10,"gravity":"north"}}}}"#
    );
    let transform = |overlays: &[&str]| {
        let mut arguments = vec!["transform", "rocket.jpg", "--out", "made/", "--spec", &spec];
        for overlay in overlays {
            arguments.extend(["--overlay", overlay]);
        }
        shell.run(&arguments)
    };
    let of = |path: &str| format!("{ID}={path}");
    for (overlay, code, said) in [
        ("chelsea.png".to_owned(), 64, "chelsea.png is not ID=PATH"),
        ("logo=chelsea.png".to_owned(), 64, "logo=chelsea.png is not ID=PATH"),
        (of("missing.png"), 66, "--overlay missing.png: No such file"),
        (of("broken.jpg"), 65, "--overlay broken.jpg: "),
    ] {
        ends(&transform(&[&overlay]), code, &[said]);
        assert!(!shell.directory().join("made").exists());
    }
    ends(&transform(&[]), 64, &[&format!("--overlay {ID}=PATH")]);
    let other = "01890a5d-ac96-774b-bcce-b302099a8058=chelsea.png";
    ends(&transform(&[other]), 64, &[&format!("--overlay {ID}=PATH")]);
    let run = transform(&[&of("chelsea.png")]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let marked = std::fs::read(shell.directory().join("made/rocket.jpg")).unwrap();
    shell.run(&["transform", "rocket.jpg", "--out", "plain.jpg", "--spec", SPEC]);
    assert_eq!(picture(&shell, "plain.jpg").1, picture(&shell, "made/rocket.jpg").1);
    assert_ne!(marked, std::fs::read(shell.directory().join("plain.jpg")).unwrap());
}
