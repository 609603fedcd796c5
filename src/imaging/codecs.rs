//! What reads and writes pictures here: which library, which version, and whether it is a fast one.

use super::avif;

/// A format and the library behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codec {
    /// The format, and what is done: `jpeg`, `webp read`.
    pub format: &'static str,
    /// The library and its version.
    pub library: String,
    /// The vector instructions that it has code for.
    pub simd: &'static str,
}

/// What libavif calls the decoder and the encoder that are quick.
const QUICK: [&str; 2] = ["dav1d", "aom"];

macro_rules! version {
    ($name:literal) => {
        concat!($name, " ", env!(concat!("VERSION_", $name)))
    };
}

/// Every codec that is compiled in, and the one that is loaded.
pub fn codecs() -> Vec<Codec> {
    let codec = |format, library: &str, simd| Codec { format, library: library.to_owned(), simd };
    let (version, names) = avif::versions();
    vec![
        codec("jpeg read", version!("jpeg-decoder"), "SSSE3, NEON"),
        codec("jpeg write", version!("jpeg-encoder"), "AVX2"),
        codec("png", version!("png"), "as compiled"),
        codec("gif", version!("gif"), "as compiled"),
        codec("webp read", version!("image-webp"), "as compiled"),
        codec("webp write", version!("libwebp-sys"), "SSE2, NEON"),
        Codec {
            format: "avif",
            library: format!("libavif {version} with {names}"),
            simd: "what its codecs find at run time",
        },
        codec("jxl read", version!("jxl-oxide"), "SSE2, AVX2, NEON"),
        codec("svg read", version!("resvg"), "SSE2, AVX, NEON, as compiled"),
        codec("tiff", version!("tiff"), "as compiled"),
        codec("bmp, ico, qoi; pnm, tga, hdr, exr read", version!("image"), "as compiled"),
        codec("resize", version!("fast_image_resize"), "SSE4.1, AVX2, NEON"),
        codec("colour", version!("moxcms"), "SSE4.1, AVX2, AVX-512, NEON"),
        codec("text", version!("cosmic-text"), "as compiled"),
    ]
}

/// The vector instructions of this processor that any of them uses.
pub fn processor() -> Vec<&'static str> {
    let mut found = Vec::new();
    macro_rules! look {
        ($detected:ident: $($name:tt)*) => {
            $(if std::arch::$detected!($name) {
                found.push($name);
            })*
        };
    }
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    look!(is_x86_feature_detected: "sse2" "ssse3" "sse4.1" "avx" "avx2" "avx512f");
    #[cfg(target_arch = "aarch64")]
    look!(is_aarch64_feature_detected: "neon");
    found
}

/// What is slower here than it could be.
pub fn slow() -> Vec<String> {
    let (version, names) = avif::versions();
    let missing = QUICK.into_iter().filter(|name| !names.contains(name));
    missing
        .map(|name| format!("libavif {version} comes without {name}: AVIF will be slow, or fail"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_named_with_their_versions() {
        for codec in codecs() {
            assert!(codec.library.chars().any(|c| c.is_ascii_digit()), "{codec:?}");
        }
        assert_eq!(slow(), Vec::<String>::new());
    }
}
