//! What the program says of itself.

use crate::process::Shell;

#[test]
fn the_version_is_a_line_and_the_codecs_are_a_list() {
    let shell = Shell::new();
    let run = shell.run(&["--version"]);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (0, concat!("darkroom ", env!("CARGO_PKG_VERSION"), "\n"))
    );
    let run = shell.run(&["--version", "--verbose"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for expected in [
        "engine ",
        "jpeg read",
        "libavif ",
        "dav1d",
        "aom",
        "libwebp-sys ",
        "SIMD: ",
        "this processor has ",
    ] {
        assert!(run.stdout.contains(expected), "{expected}: {}", run.stdout);
    }
    assert_eq!(shell.run(&["--verbose"]).code, 64);
}
