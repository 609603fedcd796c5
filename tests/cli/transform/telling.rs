//! What is said while pictures are made and afterwards, and how many are made at a time.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    process::{Command, Stdio},
    sync::mpsc,
};

use serde_json::Value;

use super::{SPEC, darkroom};
use crate::process::{PATIENCE, Running, Shell, eventually};

/// With so many copies of a picture in `in/`.
fn many(count: usize) -> Shell {
    let shell = darkroom();
    fs::create_dir(shell.directory().join("in")).unwrap();
    for index in 0..count {
        let copy = shell.directory().join(format!("in/{index}.jpg"));
        fs::copy(shell.directory().join("rocket.jpg"), copy).unwrap();
    }
    shell
}

#[test]
fn the_exit_code_is_that_of_the_first_failure_in_the_order_of_the_inputs() {
    let shell = darkroom();
    fs::create_dir_all(shell.directory().join("d/chelsea.png")).unwrap();
    for (inputs, code) in [
        (["broken.jpg", "missing.jpg", "chelsea.png", "rocket.jpg"], 65),
        (["rocket.jpg", "missing.jpg", "broken.jpg", "chelsea.png"], 66),
        (["rocket.jpg", "chelsea.png", "missing.jpg", "broken.jpg"], 73),
    ] {
        for jobs in ["1", "4"] {
            let more = ["--out", "d/", "--spec", SPEC, "--jobs", jobs];
            let run = shell.run(&[&["transform"], &inputs[..], &more].concat());
            assert_eq!(run.code, code, "{inputs:?}, {jobs} at a time: {}", run.stderr);
            assert_eq!(run.stdout.lines().count(), 1, "the rest is made: {}", run.stdout);
            for name in ["broken.jpg: ", "missing.jpg: ", "chelsea.png: "] {
                assert!(run.stderr.contains(name), "{name}: {}", run.stderr);
            }
        }
    }
}

#[test]
fn failures_are_told_as_json_too() {
    let shell = darkroom();
    fs::create_dir_all(shell.directory().join("d/chelsea.png")).unwrap();
    let run = shell.run(&[
        "transform",
        "missing.jpg",
        "chelsea.png",
        "broken.jpg",
        "--out",
        "d/",
        "--spec",
        SPEC,
        "--json",
    ]);
    assert_eq!((run.code, run.stderr.as_str()), (66, ""));
    let lines: Vec<Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    for (input, code) in [
        ("missing.jpg", "no_input"),
        ("chelsea.png", "cant_create"),
        ("broken.jpg", "unsupported_media_type"),
    ] {
        let line = lines.iter().find(|line| line["input"] == input).unwrap();
        assert_eq!(line["error"]["code"], code);
        assert!(line["error"]["detail"].as_str().unwrap().len() > 10, "{line}");
    }
    // Where the picture goes to standard output, what is said doesn't.
    let (code, made, said) =
        shell.pipe(&["transform", "-", "--out", "-", "--json"], b"just some text");
    assert_eq!((code, made.len()), (65, 0));
    let line: Value = serde_json::from_str(said.trim()).unwrap();
    assert_eq!(line["input"], "-");
    assert_eq!(line["error"]["code"], "unsupported_media_type");
}

#[test]
fn each_picture_is_explained_in_one_piece() {
    let shell = many(12);
    let spec = r#"{"resize":{"width":40},"filters":{"sepia":50}}"#;
    let run = shell.run(&[
        "transform",
        "in/*.jpg",
        "--out",
        "d",
        "--spec",
        spec,
        "--explain",
        "--jobs",
        "4",
    ]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "and no bar where there is no terminal");
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 12 * 6, "{}", run.stdout);
    for picture in lines.chunks(6) {
        assert!(picture[0].starts_with("in/") && picture[0].contains(".jpg -> d/"));
        let steps: Vec<_> =
            picture[1..].iter().map(|line| line.split_whitespace().next().unwrap()).collect();
        assert_eq!(steps, ["decode", "upright", "resize", "sepia", "encode"], "{}", run.stdout);
    }
}

#[test]
fn a_terminal_gets_a_bar_if_there_is_something_to_wait_for() {
    let shell = many(3);
    let on_terminal = |inputs: &str| {
        let program = env!("CARGO_BIN_EXE_darkroom");
        // util-linux's `script` runs it on a terminal of its own, and says what was seen there.
        let command = format!("{program} transform {inputs} --out d/ --spec '{SPEC}'");
        let output = Command::new("script")
            .args(["-qec", &command, "/dev/null"])
            .current_dir(shell.directory())
            .env("TERM", "xterm")
            .stdin(Stdio::null())
            .output()
            .expect("script, which comes with util-linux");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let seen = on_terminal("in/*.jpg");
    assert!(seen.contains("/3 pictures, "), "{seen:?}");
    assert!(seen.contains("in/2.jpg -> d/2.jpg 40x27"), "{seen:?}");
    assert!(!on_terminal("in/0.jpg").contains("pictures"));
}

#[test]
fn so_many_are_made_at_a_time_and_no_more() {
    const JOBS: usize = 3;
    let shell = darkroom();
    let rocket = fs::read(shell.directory().join("rocket.jpg")).unwrap();
    let pipes: Vec<_> =
        (0..5).map(|index| shell.directory().join(format!("{index}.jpg"))).collect();
    for pipe in &pipes {
        assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    }
    let names: Vec<String> = (0..5).map(|index| format!("{index}.jpg")).collect();
    let mut arguments = vec!["transform"];
    arguments.extend(names.iter().map(String::as_str));
    arguments.extend(["--out", "d/", "--spec", SPEC, "--jobs", "3"]);
    let running: Running = shell.begin(&arguments);
    // A pipe opens when somebody reads it, and who reads it has begun with the picture.
    let (opened, open) = mpsc::channel();
    for pipe in pipes {
        let opened = opened.clone();
        std::thread::spawn(move || opened.send(OpenOptions::new().write(true).open(pipe).unwrap()));
    }
    let begun: Vec<File> = (0..JOBS).map(|_| open.recv_timeout(PATIENCE).unwrap()).collect();
    // All that are to be are there, so there are no others that could begin.
    let threads = |pid: u32| {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let names =
            tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok());
        names.filter(|name| name.starts_with("transform-")).count()
    };
    eventually(|| (threads(running.pid()) >= JOBS).then_some(()));
    assert_eq!(threads(running.pid()), JOBS);
    assert!(open.try_recv().is_err(), "a fourth was begun");
    for mut pipe in begun {
        pipe.write_all(&rocket).unwrap();
    }
    for _ in JOBS..5 {
        open.recv_timeout(PATIENCE).unwrap().write_all(&rocket).unwrap();
    }
    let run = running.end();
    assert_eq!((run.code, run.stdout.lines().count()), (0, 5), "{}", run.stderr);
}

#[test]
fn help_says_what_the_exit_codes_mean() {
    let help = darkroom().run(&["transform", "--help"]).stdout;
    let (_, codes) = help.split_once("Exit codes:").expect(&help);
    for code in ["0", "64", "65", "66", "70", "71", "73", "78"] {
        assert!(codes.split(|c: char| !c.is_ascii_digit()).any(|word| word == code), "{code}");
    }
    for said in ["TRANSFORM_TIMEOUT", "MAX_PIXELS", "--jobs", "--overlay"] {
        assert!(help.contains(said), "{said}: {help}");
    }
}
