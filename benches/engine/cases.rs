//! What is measured, and what it has to come to: the table to read first, and the one to change.

use serde_json::{Value, json};

use crate::reference::Size;

/// What a file is to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Jpeg,
    WebP,
    Png,
    Avif,
}

impl Format {
    /// Its name in specs, and the ending of its files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::WebP => "webp",
            Self::Png => "png",
            Self::Avif => "avif",
        }
    }
}

/// Whom the engine measures itself against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    Sharp,
    Oximg,
}

/// What a profile of ours has to come to.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Whose numbers count.
    pub peer: Peer,
    /// The most CPU it may take, as a part of the peer's.
    pub cpu: f64,
    /// How it must look.
    pub looks: Looks,
}

/// How the SSIMULACRA2 of ours must stand to the peer's, in points.
#[derive(Debug, Clone, Copy)]
pub enum Looks {
    /// No worse by more than this, in either light.
    NoWorse(f64),
    /// Better by this, in the mean of both lights.
    Better(f64),
}

/// One line of the comparison.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    pub picture: &'static str,
    pub size: Size,
    pub format: Format,
    pub best: Option<Target>,
    pub fast: Option<Target>,
}

/// As good as oximg, which is the truest of the peers, and quicker.
const fn oximg(cpu: f64) -> Option<Target> {
    Some(Target { peer: Peer::Oximg, cpu, looks: Looks::NoWorse(0.1) })
}

/// Well better than sharp, which is the quickest of the peers, and quicker.
const fn sharp(cpu: f64) -> Option<Target> {
    Some(Target { peer: Peer::Sharp, cpu, looks: Looks::Better(4.0) })
}

/// As good as sharp, by the quality that is chosen for it.
const fn sharp_at_equal_score(cpu: f64) -> Option<Target> {
    Some(Target { peer: Peer::Sharp, cpu, looks: Looks::NoWorse(0.1) })
}

const fn case(
    name: &'static str,
    picture: &'static str,
    size: Size,
    format: Format,
    best: Option<Target>,
    fast: Option<Target>,
) -> Case {
    Case { name, picture, size, format, best, fast }
}

use Format::{Avif, Jpeg, Png, WebP};
use Size::{Cover, Width};

/// Every case. Pictures are those of `peers/sharp/pictures.mjs`.
#[rustfmt::skip]
pub const CASES: &[Case] = &[
    //   name           picture                  size             to    best           fast
    case("photo-720",   "photo-2725x2225.jpg",   Width(720),      Jpeg, oximg(0.72),   sharp(0.50)),
    case("photo-adobe", "photo-adobe-2725x2225.jpg", Width(720),  Jpeg, None,          sharp(0.50)),
    case("kodim23-256", "kodim23-768x512.jpg",   Width(256),      Jpeg, oximg(0.80),   sharp(0.60)),
    case("kodim10-256", "kodim10-768x512.jpg",   Width(256),      Jpeg, oximg(0.80),   sharp(0.60)),
    case("saw-256",     "saw-768x512.jpg",       Width(256),      Jpeg, oximg(0.80),   sharp(0.60)),
    case("shore-256",   "shore-768x512.jpg",     Width(256),      Jpeg, oximg(0.80),   sharp(0.60)),
    case("large-cover", "photo-6000x4000.jpg",   Cover(200, 200), Jpeg, oximg(0.50),   sharp(0.65)),
    case("large-200",   "photo-6000x4000.jpg",   Width(200),      Jpeg, oximg(0.50),   sharp(0.65)),
    case("lake-512",    "lake-3840x2160.jpg",    Width(512),      Jpeg, oximg(0.75),   sharp(0.50)),
    case("photo-webp",  "photo-2725x2225.jpg",   Width(720),      WebP, oximg(0.80),   sharp(0.70)),
    case("cutout-png",  "cutout-2048x1536.png",  Width(720),      Png,  oximg(0.90),   sharp(0.50)),
    case("tree-webp",   "tree-1024x772.webp",    Width(320),      WebP, oximg(0.90),   sharp(0.65)),
    case("shore-avif",  "shore-2048x858.avif",   Width(720),      Jpeg, None,          sharp(0.45)),
    case("photo-avif",  "photo-2725x2225.jpg",   Width(320),      Avif, sharp_at_equal_score(0.90), None),
];

/// The most memory that our command may take for a JPEG, in MB.
pub const MEMORY: f64 = 16.0;

impl Case {
    /// The quality that every tool is asked for, where the format has one. For AVIF it is sharp's own default.
    pub const fn quality(&self) -> u8 {
        match self.format {
            Avif => 50,
            _ => 80,
        }
    }

    /// Whether each tool means another thing by a quality, so that ours is the lowest that scores as sharp's does.
    pub fn seeks_quality(&self) -> bool {
        self.format == Avif
    }

    /// Whether oximg can do it: it is measured without AVIF, for which it wants a newer SVT-AV1 than Debian has.
    pub fn suits_oximg(&self) -> bool {
        self.format != Avif && !self.picture.ends_with(".avif")
    }

    /// What our engine is asked for, in its own words.
    pub fn spec(&self, profile: &str, quality: u8) -> Value {
        let resize = match self.size {
            Width(width) => json!({"width": width}),
            Cover(width, height) => json!({"width": width, "height": height}),
        };
        let mut spec = json!({"resize": resize, "format": self.format.name(), "profile": profile});
        if self.format != Png {
            spec["quality"] = json!(quality);
        }
        spec
    }
}
