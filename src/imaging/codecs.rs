//! What reads and writes pictures here: which library, which version, and whether it is a fast one.
//!
//! Which vector instructions a library has code for depends on its features in Cargo.toml and on the target; which of them it
//! runs, on the processor. Whoever changes a codec or its features changes its line here.
#![allow(unsafe_code)] // A codec's border: one C function that takes nothing and returns a number.

use std::{ffi::c_int, fmt};

use fast_image_resize::CpuExtensions;

use super::{avif, decode};

/// A format and the library behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codec {
    /// The format, and what is done: `jpeg read`, `png`.
    pub format: &'static str,
    /// The library and its version.
    pub library: String,
    /// The vector instructions that it runs here.
    pub simd: Simd,
}

/// The vector instructions that a library runs on this processor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Simd {
    /// These: there is code for them in this binary, and the processor has them.
    Used(Vec<&'static str>),
    /// A library of the system picks them when it runs, and tells nobody.
    Untold,
}

impl Simd {
    /// Whether there are none: nothing but what a compiler makes of portable code.
    pub const fn is_slow(&self) -> bool {
        matches!(self, Simd::Used(names) if names.is_empty())
    }
}

impl fmt::Display for Simd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            _ if self.is_slow() => f.write_str("none (slow)"),
            Simd::Used(names) => f.write_str(&names.join(", ")),
            Simd::Untold => f.write_str("picked by the library at run time"),
        }
    }
}

unsafe extern "C" {
    /// Of the libwebp that `libwebp-sys` carries: major, minor and revision, a byte each.
    safe fn WebPGetEncoderVersion() -> c_int;
}

macro_rules! version {
    ($name:literal) => {
        concat!($name, " ", env!(concat!("VERSION_", $name)))
    };
}

/// Every codec that is compiled in, and the one that is loaded.
pub fn codecs() -> Vec<Codec> {
    let here = processor();
    // What is looked for when it runs.
    let detected = |x86: &[&'static str], arm: &[&'static str]| {
        let written = if X86 { x86 } else { arm };
        Simd::Used(written.iter().copied().filter(|name| here.contains(name)).collect())
    };
    // Of several that do the same, the best is run.
    let best = |x86: &[&'static str], arm: &[&'static str]| match detected(x86, arm) {
        Simd::Used(names) => Simd::Used(names.into_iter().take(1).collect()),
        untold => untold,
    };
    let portable = || Simd::Used(Vec::new());
    let codec = |format, library: &str, simd| Codec { format, library: library.to_owned(), simd };
    let avif = Avif::loaded();
    vec![
        codec("jpeg read", &turbo(), detected(&["AVX2", "SSE2"], &["NEON"])),
        codec("jpeg write", version!("jpegli-sys"), best(&["AVX2", "SSE4.1", "SSE2"], &["NEON"])),
        codec("jpeg write, fast", &turbo(), best(&["AVX2", "SSE2"], &["NEON"])),
        codec(
            "png",
            concat!(version!("png"), " and ", version!("zlib-rs")),
            detected(&["SSE2"], &[]),
        ),
        codec("gif", version!("gif"), portable()),
        codec("webp", &libwebp(), detected(&["SSE2"], &["NEON"])),
        codec("avif read", &avif.described(avif.reader()), Simd::Untold),
        codec("avif write", &avif.described(avif.writer()), Simd::Untold),
        codec("jxl read", version!("jxl-oxide"), detected(&["AVX2", "SSE4.1", "SSE2"], &["NEON"])),
        codec("svg read", version!("resvg"), Simd::Used(compiled())),
        codec("tiff", version!("tiff"), portable()),
        codec("jpeg in tiff and svg", version!("zune-jpeg"), detected(&["AVX2"], &["NEON"])),
        codec("bmp, ico, qoi; pnm, tga, hdr, exr read", version!("image"), portable()),
        // Smaller by code of our own, which has vectors for AVX2; larger by the library.
        codec("resize", concat!("reduce here, ", version!("fast_image_resize")), resizing()),
        codec("colour", version!("moxcms"), best(&["AVX2", "SSE4.1"], &["NEON"])),
        codec("text", version!("cosmic-text"), portable()),
    ]
}

const X86: bool = cfg!(target_arch = "x86_64");

/// The vector instructions of this processor that any codec has code for.
pub fn processor() -> Vec<&'static str> {
    #[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), expect(unused_mut))]
    let mut found = Vec::new();
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    macro_rules! look {
        ($detected:ident: $($feature:tt $name:literal)*) => {
            $(if std::arch::$detected!($feature) {
                found.push($name);
            })*
        };
    }
    #[cfg(target_arch = "x86_64")]
    look!(is_x86_feature_detected: "sse2" "SSE2" "ssse3" "SSSE3" "sse4.1" "SSE4.1" "avx2" "AVX2");
    #[cfg(target_arch = "aarch64")]
    look!(is_aarch64_feature_detected: "neon" "NEON");
    found
}

/// What all of this binary was compiled for, and so what code that doesn't look is run with.
pub fn compiled() -> Vec<&'static str> {
    let features = [
        ("AVX2", cfg!(target_feature = "avx2")),
        ("AVX", cfg!(target_feature = "avx")),
        ("SSE4.1", cfg!(target_feature = "sse4.1")),
        ("SSE2", cfg!(target_feature = "sse2")),
        ("NEON", cfg!(target_feature = "neon")),
    ];
    features.into_iter().filter_map(|(name, on)| on.then_some(name)).collect()
}

/// What the resizer says itself that it takes.
fn resizing() -> Simd {
    Simd::Used(match CpuExtensions::default() {
        #[cfg(target_arch = "x86_64")]
        CpuExtensions::Avx2 => vec!["AVX2"],
        #[cfg(target_arch = "x86_64")]
        CpuExtensions::Sse4_1 => vec!["SSE4.1"],
        #[cfg(target_arch = "aarch64")]
        CpuExtensions::Neon => vec!["NEON"],
        _ => Vec::new(),
    })
}

/// libjpeg-turbo by its own word, and the crate that carries it: built so that it fails without its vector code.
fn turbo() -> String {
    format!("libjpeg-turbo {} in {}", decode::turbo_version(), version!("turbojpeg-sys"))
}

/// libwebp by its own word, and the crate that carries it.
fn libwebp() -> String {
    let [_, major, minor, revision] = WebPGetEncoderVersion().to_be_bytes();
    format!("libwebp {major}.{minor}.{revision} in {}", version!("libwebp-sys"))
}

/// The libavif that is loaded.
struct Avif {
    version: String,
    /// The codecs in it, in the order in which it prefers them: `dav1d [dec]:1.0.0, aom [enc/dec]:v3.6.0`.
    codecs: String,
    /// 0 where it has none.
    libyuv: u32,
}

impl Avif {
    fn loaded() -> Self {
        let (version, codecs) = avif::versions();
        Self { version, codecs, libyuv: avif::libyuv() }
    }

    /// Name and version of the first codec that is `right`, by its name and what it does.
    fn find(&self, right: impl Fn(&str, &str) -> bool) -> Option<String> {
        self.codecs.split(", ").find_map(|codec| {
            let (name, rest) = codec.split_once(" [")?;
            let (does, version) = rest.split_once("]:")?;
            let version = version.split_whitespace().next()?.trim_start_matches('v');
            right(name, does).then(|| format!("{name} {version}"))
        })
    }

    fn reader(&self) -> Option<String> {
        self.find(|_, does| does.contains("dec"))
    }

    /// No other is asked to write.
    fn writer(&self) -> Option<String> {
        self.find(|name, does| name == "aom" && does.contains("enc"))
    }

    fn described(&self, codec: Option<String>) -> String {
        let codec = codec.unwrap_or_else(|| "no codec for it".to_owned());
        let libyuv = match self.libyuv {
            0 => "no libyuv".to_owned(),
            version => format!("libyuv {version}"),
        };
        format!("libavif {} with {codec} and {libyuv}", self.version)
    }

    fn slow(&self) -> Vec<String> {
        let version = &self.version;
        let mut told = Vec::new();
        match self.reader() {
            Some(name) if name.starts_with("dav1d ") => {}
            Some(name) => told.push(format!(
                "libavif {version} comes without dav1d: AVIF is read by {name}, which is slow"
            )),
            None => told.push(format!("libavif {version} comes without dav1d: AVIF can't be read")),
        }
        if self.writer().is_none() {
            told.push(format!("libavif {version} comes without aom: AVIF can't be written"));
        }
        if self.libyuv == 0 {
            told.push(format!(
                "libavif {version} comes without libyuv: the colours of AVIF are converted slowly"
            ));
        }
        told
    }
}

/// What is slower here than the same program on a system that is set up better.
pub fn slow() -> Vec<String> {
    Avif::loaded().slow()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_of_libavif_are_told_by_what_they_do() {
        let avif = |codecs: &str, libyuv| Avif {
            version: "1.2.3".to_owned(),
            codecs: codecs.to_owned(),
            libyuv,
        };
        let debian = avif(
            "dav1d [dec]:1.0.0, libgav1 [dec]:0.18.0, aom [enc/dec]:v3.6.0, rav1e [enc]:0.5.1 (v0.5.1)",
            1857,
        );
        assert_eq!(debian.reader().as_deref(), Some("dav1d 1.0.0"));
        assert_eq!(debian.writer().as_deref(), Some("aom 3.6.0"));
        assert_eq!(debian.slow(), Vec::<String>::new());

        let poor = avif("libgav1 [dec]:0.18.0, rav1e [enc]:0.5.1 (v0.5.1)", 0);
        let told = poor.slow();
        assert_eq!(told.len(), 3, "{told:?}");
        for (line, expected) in told.iter().zip(["by libgav1 0.18.0", "without aom", "libyuv"]) {
            assert!(line.contains(expected), "{line}");
        }
        assert!(poor.described(poor.writer()).contains("no codec"));
        assert!(avif("", 0).slow()[0].contains("can't be read"));
    }

    #[test]
    fn what_uses_no_vector_instructions_is_called_slow() {
        assert_eq!(Simd::Used(vec!["SSE2", "AVX2"]).to_string(), "SSE2, AVX2");
        assert_eq!(Simd::Used(Vec::new()).to_string(), "none (slow)");
        assert!(!Simd::Untold.is_slow());
    }

    #[test]
    fn nothing_is_slow_where_it_is_built_and_tested() {
        assert_eq!(slow(), Vec::<String>::new());
    }
}
