//! What the program says of itself.

use std::collections::BTreeMap;

use crate::process::Shell;

/// What is said of a codec: its library with its version, and its vector instructions.
struct Said {
    library: String,
    simd: String,
}

/// The list of `--version --verbose`, by the names of its lines; and all of it.
fn codecs() -> (BTreeMap<String, Said>, String) {
    let run = Shell::new().run(&["--version", "--verbose"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let lines = run.stdout.lines().filter_map(|line| {
        let (rest, simd) = line.split_once("; SIMD: ")?;
        // Columns.
        let (format, library) = rest.split_at_checked(40)?;
        let said = Said { library: library.trim().to_owned(), simd: simd.to_owned() };
        Some((format.trim().to_owned(), said))
    });
    (lines.collect(), run.stdout)
}

/// Whether this processor has an instruction set, asked without the program.
#[cfg(target_arch = "x86_64")]
fn has(name: &str) -> bool {
    match name {
        "SSE2" => std::is_x86_feature_detected!("sse2"),
        "SSSE3" => std::is_x86_feature_detected!("ssse3"),
        "SSE4.1" => std::is_x86_feature_detected!("sse4.1"),
        "AVX" => std::is_x86_feature_detected!("avx"),
        "AVX2" => std::is_x86_feature_detected!("avx2"),
        _ => false,
    }
}

#[cfg(target_arch = "aarch64")]
fn has(name: &str) -> bool {
    name == "NEON" && std::arch::is_aarch64_feature_detected!("neon")
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn has(_: &str) -> bool {
    false
}

fn repository(file: &str) -> String {
    std::fs::read_to_string(format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn the_version_is_a_line() {
    let shell = Shell::new();
    let run = shell.run(&["--version"]);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (0, concat!("darkroom ", env!("CARGO_PKG_VERSION"), "\n"))
    );
    assert_eq!(shell.run(&["--verbose"]).code, 64);
}

#[test]
fn every_codec_is_of_the_version_that_is_locked_or_loaded() {
    let (codecs, all) = codecs();
    let lock = repository("Cargo.lock");
    let ours =
        lock.split("[[package]]\n").find(|package| package.contains("\"darkroom\"")).unwrap();
    for (format, crate_name) in [
        ("jpeg read", "turbojpeg-sys"),
        ("jpeg write", "jpegli-sys"),
        ("jpeg write, fast", "turbojpeg-sys"),
        ("png", "zlib-rs"),
        ("gif", "gif"),
        ("webp", "libwebp-sys"),
        ("jxl read", "jxl-oxide"),
        ("svg read", "resvg"),
        ("tiff", "tiff"),
        ("jpeg in tiff and svg", "zune-jpeg"),
        ("bmp, ico, qoi; pnm, tga, hdr, exr read", "image"),
        ("resize", "fast_image_resize"),
        ("colour", "moxcms"),
        ("text", "cosmic-text"),
    ] {
        let said = &codecs.get(format).unwrap_or_else(|| panic!("{format}: {all}")).library;
        let version = said.rsplit_once(&format!("{crate_name} ")).expect(said).1;
        let package = format!("name = \"{crate_name}\"\nversion = \"{version}\"\n");
        assert!(lock.contains(&package), "{format} is said to be {said}");
        // Where there are several, the one that Darkroom itself uses.
        if lock.matches(&format!("name = \"{crate_name}\"\n")).count() > 1 {
            assert!(ours.contains(&format!("\"{crate_name} {version}\"")), "{format}: {said}");
        }
    }
    let output =
        std::process::Command::new("pkg-config").args(["--modversion", "libavif"]).output();
    let libavif = String::from_utf8(output.unwrap().stdout).unwrap();
    for (format, codec) in [("avif read", " with dav1d "), ("avif write", " with aom ")] {
        let said = &codecs[format].library;
        assert!(said.starts_with(&format!("libavif {}{codec}", libavif.trim())), "{said}");
    }
    assert!(codecs["webp"].library.starts_with("libwebp 1."), "{all}");
    assert!(codecs["jpeg read"].library.starts_with("libjpeg-turbo 3."), "{all}");
}

#[test]
fn vector_instructions_are_named_only_where_they_are_run() {
    let (codecs, all) = codecs();
    assert_eq!(codecs.len(), 16, "{all}");
    for (format, Said { simd, .. }) in &codecs {
        if format.starts_with("avif ") {
            assert_eq!(simd, "picked by the library at run time");
        } else if simd != "none (slow)" {
            assert!(simd.split(", ").all(has), "{format}: {simd}");
        }
    }
    let x86 = cfg!(target_arch = "x86_64");
    let or_slow = |name: &str| if has(name) { name.to_owned() } else { "none (slow)".to_owned() };
    for (format, on_x86, on_arm) in [
        ("webp", "SSE2", "NEON"),
        ("jpeg in tiff and svg", "AVX2", "NEON"),
        ("png", "SSE2", "none"),
        ("gif", "none", "none"),
        ("tiff", "none", "none"),
        ("text", "none", "none"),
    ] {
        let expected = or_slow(if x86 { on_x86 } else { on_arm });
        assert_eq!(codecs[format].simd, expected, "{format}");
    }
    let used: Vec<_> = ["AVX2", "SSE2", "NEON"].into_iter().filter(|name| has(name)).collect();
    assert_eq!(codecs["jpeg read"].simd, used.join(", "));
    for format in ["resize", "colour", "jpeg write"] {
        let best = ["AVX2", "SSE4.1", "NEON"].into_iter().find(|name| has(name));
        assert_eq!(codecs[format].simd, best.unwrap_or("none (slow)"), "{format}");
    }
}

/// The list says what is compiled in; the manifests decide it. Who changes one is told of the other here.
#[test]
fn the_features_that_the_list_goes_by_are_those_of_the_manifest() {
    let manifests = repository("Cargo.toml") + &repository("engine/Cargo.toml");
    for line in [
        r#"turbojpeg-sys = { version = "1.2", default-features = false, features = ["cmake", "require-simd"] }"#,
        r#"jpegli-sys = "0.1""#,
        r#"png = "0.18""#,
        r#"moxcms = "0.8""#,
        r#"fast_image_resize = "6.1""#,
        r#"libwebp-sys = "0.14""#,
        r#"jxl-oxide = { version = "0.12", default-features = false }"#,
    ] {
        assert!(manifests.lines().any(|found| found == line), "{line}");
    }
}
