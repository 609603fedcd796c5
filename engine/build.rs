//! Finds libavif, compiles what speaks to it and to libjpeg-turbo, and tells the versions of the codecs.

#![allow(clippy::print_stdout, clippy::panic)]

/// Crates whose versions `darkroom --version --verbose` tells.
const CODECS: &[&str] = &[
    "cosmic-text",
    "fast_image_resize",
    "gif",
    "image",
    "jpegli-sys",
    "jxl-oxide",
    "libwebp-sys",
    "moxcms",
    "png",
    "resvg",
    "tiff",
    "turbojpeg-sys",
    "zlib-rs",
    "zune-jpeg",
];

/// 0.11 is what Debian 12 has.
const LIBAVIF: &str = "0.11";

fn main() {
    println!("cargo:rerun-if-changed=../Cargo.lock");
    name_versions(&std::fs::read_to_string("../Cargo.lock").unwrap_or_default());
    avif();
    jpeg_reader();
    jpeg_writers();
}

fn avif() {
    println!("cargo:rerun-if-changed=../src/imaging/avif.c");
    let library = match pkg_config::Config::new().atleast_version(LIBAVIF).probe("libavif") {
        Ok(library) => library,
        Err(error) => panic!(
            "libavif {LIBAVIF} or later is needed to build Darkroom, with its headers. \
             `scripts/build-setup` installs it; by hand: apt-get install libavif-dev pkg-config, \
             dnf install libavif-devel pkgconf, apk add libavif-dev pkgconf, or brew install libavif pkgconf.\n{error}"
        ),
    };
    cc::Build::new()
        .file("../src/imaging/avif.c")
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

/// Where the headers are that both libraries for JPEG share, by the crate that carries libjpeg-turbo.
fn jpeg_headers() -> Vec<String> {
    let paths = std::env::var("DEP_TURBOJPEG_INCLUDE").unwrap_or_default();
    paths.split(',').filter(|path| !path.is_empty()).map(str::to_owned).collect()
}

fn jpeg_reader() {
    println!("cargo:rerun-if-changed=../src/imaging/turbo.c");
    cc::Build::new()
        .file("../src/imaging/turbo.c")
        .includes(jpeg_headers())
        .warnings(true)
        // After a jump nothing is read but the decoder, which is no variable.
        .flag_if_supported("-Wno-clobbered")
        .compile("darkroom_turbo");
}

/// One source for both libraries that write JPEG.
fn jpeg_writers() {
    println!("cargo:rerun-if-changed=../src/imaging/jpeg_write.c");
    for (name, library) in
        [("darkroom_turbo_writer", None), ("darkroom_jpegli_writer", Some("DARKROOM_JPEGLI"))]
    {
        let mut build = cc::Build::new();
        build
            .file("../src/imaging/jpeg_write.c")
            .includes(jpeg_headers())
            .warnings(true)
            // After a jump nothing is read that was changed since.
            .flag_if_supported("-Wno-clobbered");
        if let Some(name) = library {
            build.define(name, None);
        }
        build.compile(name);
    }
}

/// Hands the locked versions of the codecs to the compiler. Where there are two of one name, Darkroom's own dependencies say
/// which is ours: `"moxcms 0.9.2"`.
fn name_versions(lock: &str) {
    let packages: Vec<&str> = lock.split("[[package]]\n").collect();
    let find = |name| packages.iter().copied().find(|package| field(package, "name") == Some(name));
    let ours = find("darkroom-engine").unwrap_or_default();
    for codec in CODECS.iter().copied() {
        let chosen = ours.lines().find_map(|line| {
            line.trim().trim_matches(['"', ',']).strip_prefix(codec)?.strip_prefix(' ')
        });
        match chosen.or_else(|| field(find(codec)?, "version")) {
            Some(version) => println!("cargo:rustc-env=VERSION_{codec}={version}"),
            None => panic!("{codec} is not in Cargo.lock"),
        }
    }
}

/// What a package of Cargo.lock says of itself.
fn field<'a>(package: &'a str, name: &str) -> Option<&'a str> {
    package
        .lines()
        .find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(" = ")?.trim_matches('"')))
}
