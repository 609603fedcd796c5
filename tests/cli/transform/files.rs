//! Which files are read and written, and which are left alone.

use std::{
    ffi::OsStr,
    fs::{self, File},
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, PermissionsExt, symlink},
    },
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
};

use image::ImageFormat;

use super::{SPEC, darkroom, picture};
use crate::process::{PATIENCE, Running, Shell};

const WEBP: &str = r#"{"resize":{"width":40},"format":"webp"}"#;
const AUTO: &str = r#"{"resize":{"width":40},"format":"auto"}"#;

/// With `a.jpg` and `a.png`, which has no transparent pixel.
fn twins() -> Shell {
    let shell = darkroom();
    fs::rename(shell.directory().join("rocket.jpg"), shell.directory().join("a.jpg")).unwrap();
    fs::rename(shell.directory().join("chelsea.png"), shell.directory().join("a.png")).unwrap();
    shell
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn two_results_clash_only_where_stem_and_new_extension_are_the_same() {
    let shell = twins();
    let run = shell.run(&["transform", "a.jpg", "a.png", "--out", "d/", "--spec", SPEC]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(picture(&shell, "d/a.jpg").0, ImageFormat::Jpeg);
    assert_eq!(picture(&shell, "d/a.png").0, ImageFormat::Png);

    for (spec, file) in [(WEBP, "e/a.webp"), (AUTO, "e/a.jpg")] {
        let run = shell.run(&["transform", "a.jpg", "a.png", "--out", "e/", "--spec", spec]);
        assert_eq!(run.code, 64);
        let expected = format!("a.jpg and a.png would both be written to {file}");
        assert!(run.stderr.contains(&expected), "{}", run.stderr);
        assert!(!shell.directory().join("e").exists(), "nothing was done");
    }
    // By another name, it is the same picture in the same place.
    let run = shell.run(&["transform", "a.jpg", "./a.jpg", "--out", "e", "--spec", SPEC]);
    assert!(run.code == 64 && run.stderr.contains("a.jpg and ./a.jpg"), "{}", run.stderr);
    let run = shell.run(&["transform", "-", "-", "--out", "e", "--spec", SPEC]);
    assert!(run.code == 64 && run.stderr.contains("only once"), "{}", run.stderr);
    // Two names of one file.
    fs::create_dir(shell.directory().join("f")).unwrap();
    fs::write(shell.directory().join("f/a.png"), "old").unwrap();
    symlink("a.png", shell.directory().join("f/a.jpg")).unwrap();
    let run = shell.run(&["transform", "a.jpg", "a.png", "--out", "f", "--spec", SPEC]);
    assert!(run.code == 64 && run.stderr.contains("would both be written"), "{}", run.stderr);
    assert_eq!(fs::read(shell.directory().join("f/a.png")).unwrap(), b"old");
}

#[test]
fn a_clash_that_is_known_only_at_the_end_overwrites_nothing() {
    let shell = twins();
    fs::rename(shell.directory().join("a.png"), shell.directory().join("stdin.png")).unwrap();
    let png = fs::read(shell.directory().join("stdin.png")).unwrap();
    // What comes through a pipe can't be looked at before it is read.
    let (code, _, said) =
        shell.pipe(&["transform", "-", "stdin.png", "--out", "d/", "--spec", SPEC], &png);
    assert_eq!(code, 64, "{said}");
    assert!(said.contains("stdin.png and - would both be written to d/stdin.png"), "{said}");
    assert_eq!(names(&shell.directory().join("d")), ["stdin.png"]);
    let jpeg = fs::read(shell.directory().join("a.jpg")).unwrap();
    let (code, _, said) =
        shell.pipe(&["transform", "-", "stdin.png", "--out", "d/", "--spec", SPEC], &jpeg);
    assert_eq!(code, 0, "{said}");
}

#[test]
fn an_input_is_never_overwritten() {
    let shell = twins();
    let path = |name: &str| shell.directory().join(name);
    let before = fs::read(path("a.jpg")).unwrap();
    symlink("a.jpg", path("link.jpg")).unwrap();
    symlink(".", path("here")).unwrap();
    fs::hard_link(path("a.jpg"), path("hard.jpg")).unwrap();
    let files = names(shell.directory());
    for (inputs, out, said) in [
        (&["a.jpg"][..], "a.jpg", "a.jpg is an input"),
        (&["a.jpg"], ".", "is the input a.jpg"),
        (&["link.jpg"], "a.jpg", "a.jpg is the input link.jpg"),
        (&["a.jpg"], "link.jpg", "link.jpg is the input a.jpg"),
        (&["a.jpg"], "hard.jpg", "hard.jpg is the input a.jpg"),
        (&["a.jpg"], "here/a.jpg", "here/a.jpg is the input a.jpg"),
        (&["a.png", "a.jpg"], "here/", "here/a.png is the input a.png"),
    ] {
        let run = shell.run(&[&["transform"], inputs, &["-o", out, "-s", SPEC]].concat());
        assert_eq!(run.code, 64, "{inputs:?} {out}: {}", run.stdout);
        assert!(run.stderr.contains(said), "{out}: {}", run.stderr);
    }
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let overlay = format!("{id}=a.png");
    let spec = format!(r#"{{"watermark":{{"image_id":"{id}"}}}}"#);
    let arguments = ["transform", "a.jpg", "-o", "a.png", "-s", &spec, "--overlay", &overlay];
    let run = shell.run(&arguments);
    assert!(run.code == 64 && run.stderr.contains("a.png is an input"), "{}", run.stderr);
    // The shell has opened it, and it has a name.
    let mut command = shell.command(&["transform", "-", "-o", "a.jpg", "-s", SPEC]);
    command.stdin(File::open(path("a.jpg")).unwrap());
    let run = Running::new(command.spawn().unwrap()).end();
    assert!(run.code == 64 && run.stderr.contains("a.jpg is the input -"), "{}", run.stderr);

    assert_eq!(names(shell.directory()), files);
    assert_eq!(fs::read(path("a.jpg")).unwrap(), before);
    // Beside it is fine.
    assert_eq!(shell.run(&["transform", "a.jpg", "--out", ".", "--spec", WEBP]).code, 0);
    assert_eq!(picture(&shell, "a.webp").0, ImageFormat::WebP);
}

#[test]
fn a_file_is_replaced_as_a_whole_and_keeps_what_it_had() {
    let shell = twins();
    let path = |name: &str| shell.directory().join(name);
    let transform = |input: &str, out: &str| {
        shell.run(&["transform", input, "--out", out, "--spec", r#"{"resize":{"width":40}}"#])
    };
    // What is new is as the umask says.
    File::create(path("plain")).unwrap();
    assert_eq!(transform("a.jpg", "new.webp").code, 0);
    let mode = |name: &str| fs::metadata(path(name)).unwrap().permissions().mode();
    assert_eq!(mode("new.webp"), mode("plain"));

    fs::write(path("old.webp"), "old").unwrap();
    fs::set_permissions(path("old.webp"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::hard_link(path("old.webp"), path("kept")).unwrap();
    let owner = fs::metadata(path("old.webp")).unwrap().uid();
    symlink("old.webp", path("link.webp")).unwrap();
    // Where the picture fails, what was there stays.
    assert_eq!(transform("broken.jpg", "link.webp").code, 65);
    assert_eq!(fs::read(path("old.webp")).unwrap(), b"old");
    let run = transform("a.jpg", "link.webp");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(picture(&shell, "old.webp").0, ImageFormat::WebP);
    assert!(fs::symlink_metadata(path("link.webp")).unwrap().is_symlink(), "links stay");
    assert_eq!(
        (mode("old.webp") & 0o777, fs::metadata(path("old.webp")).unwrap().uid()),
        (0o640, owner)
    );
    // Whoever has the old one open goes on reading it: nothing was written into it.
    assert_eq!(fs::read(path("kept")).unwrap(), b"old");

    fs::create_dir(path("there")).unwrap();
    symlink("there/real.webp", path("ahead.webp")).unwrap();
    assert_eq!(transform("a.jpg", "ahead.webp").code, 0);
    assert_eq!(picture(&shell, "there/real.webp").0, ImageFormat::WebP);
    assert!(fs::symlink_metadata(path("ahead.webp")).unwrap().is_symlink());

    fs::create_dir_all(path("d/a.jpg")).unwrap();
    assert_eq!(transform("a.jpg", "d").code, 73, "a directory is in the way");
    assert_eq!(names(&path("d")), ["a.jpg"]);
    let strange: Vec<_> =
        names(shell.directory()).into_iter().filter(|name| name.contains("darkroom")).collect();
    assert_eq!(strange, [""; 0], "nothing is left lying about");
}

#[test]
fn a_place_that_can_not_be_made_is_named() {
    let shell = twins();
    for (inputs, out) in [
        (&["a.jpg", "a.png"][..], "broken.jpg"),
        (&["a.jpg"], "broken.jpg/"),
        (&["a.jpg", "a.png"], "broken.jpg/deeper"),
        (&["a.jpg"], "nowhere/a.webp"),
        (&["a.jpg"], "broken.jpg/a.webp"),
        (&["a.jpg"], ""),
    ] {
        let run = shell.run(&[&["transform"], inputs, &["--out", out, "--spec", SPEC]].concat());
        assert_eq!(run.code, 73, "{out}: {}", run.stderr);
        assert!(run.stderr.contains(&format!("{out}: ")), "{}", run.stderr);
        assert!(!run.stderr.contains(".darkroom-"), "{}", run.stderr);
    }
    assert_eq!(fs::read(shell.directory().join("broken.jpg")).unwrap(), b"just some text");
}

#[test]
fn pipes_and_devices_are_written_into() {
    let shell = twins();
    let fifo = shell.directory().join("pipe.webp");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let running = shell.begin(&["transform", "a.jpg", "--out", "pipe.webp", "--spec", SPEC]);
    let (read, bytes) = mpsc::channel();
    std::thread::spawn(move || read.send(fs::read(fifo).unwrap()));
    let bytes = bytes.recv_timeout(PATIENCE).expect("a picture");
    let run = running.end();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(image::guess_format(&bytes).unwrap(), ImageFormat::WebP);

    let run = shell.run(&["transform", "a.jpg", "--out", "/dev/null", "--spec", SPEC]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(!fs::metadata("/dev/null").unwrap().is_file());

    // A file behind standard output gets the picture and nothing else.
    let file = shell.directory().join("redirected.png");
    let mut command = shell.command(&["transform", "a.png", "--out", "/dev/stdout", "--t", "w_40"]);
    command.stdout(File::create(&file).unwrap()).stderr(Stdio::piped());
    let run = Running::new(command.spawn().unwrap()).end();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(picture(&shell, "redirected.png").0, ImageFormat::Png);
    let bytes = fs::read(&file).unwrap();
    assert!(bytes.ends_with(b"IEND\xaeB\x60\x82"), "and nothing after it");
    assert!(run.stderr.contains("a.png -> -"), "{}", run.stderr);
}

#[test]
fn names_need_not_be_utf_8() {
    let shell = twins();
    let name = |bytes: &'static [u8]| OsStr::from_bytes(bytes);
    let path = |bytes: &'static [u8]| shell.directory().join(name(bytes));
    fs::rename(shell.directory().join("a.jpg"), path(b"caf\xe9.jpg")).unwrap();
    let [transform, out, spec] = ["transform", "--out", "--spec"].map(OsStr::new);
    for to in [&b"th\xe9.webp"[..], b"d\xe9/"] {
        let input = name(b"caf\xe9.jpg");
        let run = shell.run_os(&[transform, input, out, name(to), spec, OsStr::new(SPEC)]);
        assert_eq!(run.code, 0, "{}", run.stderr);
    }
    assert!(path(b"th\xe9.webp").is_file());
    assert!(path(b"d\xe9/caf\xe9.jpg").is_file());
    let run = shell.run_os(&[transform, name(b"*\xe9.gif"), out, name(b"x.webp")]);
    assert_eq!(run.code, 66, "{}", run.stderr);
    let id = b"01890a5d-ac96-774b-bcce-b302099a8057=caf\xe9.jpg";
    let mark = OsStr::new(
        r#"{"watermark":{"image_id":"01890a5d-ac96-774b-bcce-b302099a8057","size":10},"resize":{"width":40}}"#,
    );
    let arguments = ["transform", "a.png", "--out", "marked.png", "--overlay"].map(OsStr::new);
    let run = shell.run_os(&[&arguments[..], &[name(id), spec, mark]].concat());
    assert_eq!(run.code, 0, "{}", run.stderr);
}

#[test]
fn a_name_that_is_there_is_no_pattern_and_a_pattern_must_match() {
    let shell = twins();
    fs::rename(shell.directory().join("a.jpg"), shell.directory().join("[a]*.jpg")).unwrap();
    let run = shell.run(&["transform", "[a]*.jpg", "--out", "one.webp", "--spec", SPEC]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for inputs in [["a.png", "*.gif"], ["*.gif", "a.png"], ["*.png", "nowhere/**/*"]] {
        let run =
            shell.run(&[&["transform"], &inputs[..], &["--out", "d", "--spec", SPEC]].concat());
        let pattern = if inputs[0] == "*.gif" { inputs[0] } else { inputs[1] };
        assert_eq!(run.code, 66);
        assert!(run.stderr.contains(&format!("{pattern} matches no file")), "{}", run.stderr);
        assert!(!shell.directory().join("d").exists());
    }
    let run = shell.run(&["transform", "a***.png", "--out", "d", "--spec", SPEC]);
    assert!(run.code == 64 && run.stderr.contains("a***.png: "), "{}", run.stderr);
}
