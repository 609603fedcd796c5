//! Finds libavif and compiles what speaks to it; tells cargo that the migrations are compiled in.

#![allow(clippy::print_stdout, clippy::panic)]

/// Crates whose versions `darkroom --version --verbose` tells.
const CODECS: &[&str] = &[
    "cosmic-text",
    "fast_image_resize",
    "gif",
    "image",
    "image-webp",
    "jpeg-decoder",
    "jpeg-encoder",
    "jxl-oxide",
    "libwebp-sys",
    "moxcms",
    "png",
    "resvg",
    "tiff",
];

/// 0.11 is what Debian 12 has.
const LIBAVIF: &str = "0.11";

fn main() {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=src/imaging/avif.c");
    println!("cargo:rerun-if-changed=Cargo.lock");
    name_versions(&std::fs::read_to_string("Cargo.lock").unwrap_or_default());
    let library = match pkg_config::Config::new().atleast_version(LIBAVIF).probe("libavif") {
        Ok(library) => library,
        Err(error) => panic!(
            "libavif {LIBAVIF} or later is needed to build Darkroom, with its headers. \
             `scripts/build-setup` installs it; by hand: apt-get install libavif-dev pkg-config, \
             dnf install libavif-devel pkgconf, apk add libavif-dev pkgconf, or brew install libavif pkgconf.\n{error}"
        ),
    };
    cc::Build::new()
        .file("src/imaging/avif.c")
        .includes(&library.include_paths)
        .warnings(true)
        .flag_if_supported("-Wno-unused-result")
        .flag_if_supported("-Wno-deprecated-declarations")
        .compile("darkroom_avif");
    // After the shim, which needs it: some linkers read from left to right.
    for name in &library.libs {
        println!("cargo:rustc-link-lib={name}");
    }
}

/// Hands the locked versions of the codecs to the compiler. Of two of one name the later is ours: it is the newer.
fn name_versions(lock: &str) {
    let mut name = "";
    for line in lock.lines() {
        if let Some(found) = line.strip_prefix("name = ") {
            name = found.trim_matches('"');
        } else if let Some(version) = line.strip_prefix("version = ")
            && CODECS.contains(&name)
        {
            println!("cargo:rustc-env=VERSION_{name}={}", version.trim_matches('"'));
        }
    }
}
