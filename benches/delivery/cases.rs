//! What is asked for, and what it has to come to: the table to read first, and the one to change.

/// What a picture is to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Jpeg,
    WebP,
    Avif,
    Png,
}

impl Format {
    /// Its name in URLs, and the ending of its files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::WebP => "webp",
            Self::Avif => "avif",
            Self::Png => "png",
        }
    }
}

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    Ipx,
    Oximg,
    Thumbor,
    /// Darkroom, in one of its profiles.
    Ours(&'static str),
    /// Serves files that are finished.
    Nginx,
}

impl Tool {
    /// Those that make pictures.
    pub const MAKERS: [Self; 5] =
        [Self::Ipx, Self::Oximg, Self::Thumbor, Self::Ours("best"), Self::Ours("fast")];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Ipx => "ipx",
            Self::Oximg => "oximg",
            Self::Thumbor => "thumbor",
            Self::Ours(profile) => profile,
            Self::Nginx => "nginx",
        }
    }

    /// Whether it can make this: oximg wants a newer SVT-AV1 than Debian has.
    pub fn suits(self, case: &Case) -> bool {
        self != Self::Oximg || case.format != Format::Avif
    }
}

/// Pictures that nobody has asked for before, each of another width.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    pub picture: &'static str,
    pub format: Format,
    /// Widths at which the height comes out even, so that all round it alike: how results look is told there.
    pub exact: [u32; 9],
}

const fn case(name: &'static str, picture: &'static str, format: Format, exact: [u32; 9]) -> Case {
    Case { name, picture, format, exact }
}

const PHOTO: &str = "photo-2725x2225.jpg";
const CUTOUT: &str = "cutout-2048x1536.png";

const OF_PHOTO: [u32; 9] = [402, 436, 463, 490, 511, 545, 572, 594, 621];

/// Every case. Pictures are those of `benches/engine/peers/sharp/pictures.mjs`.
#[rustfmt::skip]
pub const CASES: &[Case] = &[
    case("jpeg", PHOTO,  Format::Jpeg, OF_PHOTO),
    case("webp", PHOTO,  Format::WebP, OF_PHOTO),
    case("avif", PHOTO,  Format::Avif, OF_PHOTO),
    case("png",  CUTOUT, Format::Png,  [400, 428, 456, 484, 512, 540, 568, 596, 620]),
];

/// How wide pictures are: so many widths, from this one on.
pub const WIDTHS: std::ops::RangeInclusive<u32> = 400..=622;

/// How many requests there are at a time.
pub const AT_ONCE: [usize; 4] = [2, 8, 64, 512];

/// The number of requests at a time at which targets hold.
pub const TARGETED: usize = 2;

/// What a tool has to come to: whose pictures a second count, how many times as many it has to make, and no worse.
pub fn target(tool: Tool, case: &Case) -> Option<(Tool, f64)> {
    match (tool, case.format) {
        // Where oximg is not measured.
        (_, Format::Avif) => None,
        (Tool::Ours("best"), _) => Some((Tool::Oximg, 1.25)),
        (Tool::Ours(_), _) => Some((Tool::Ipx, 1.6)),
        _ => None,
    }
}

/// The part of nginx's answers a second that ours has to come to, from memory.
pub const HOT: f64 = 0.6;

/// The most memory while 64 pictures are asked for at once, in MB.
pub const MEMORY: f64 = 120.0;

impl Case {
    /// The quality to ask `tool` for. AVIF means another thing by it everywhere: that of sharp is its default, ours are those that
    /// `make bench-engine` has found to score as it does.
    pub fn quality(&self, tool: Tool) -> u8 {
        match (self.format, tool) {
            (Format::Avif, Tool::Ours("best")) => 54,
            (Format::Avif, Tool::Ours(_)) => 57,
            (Format::Avif, _) => 50,
            _ => 80,
        }
    }

    /// The name under which the peers have the picture's copy of that number.
    pub fn file(&self, copy: usize) -> String {
        format!("{copy}-{}", self.picture)
    }

    /// Where `tool` has this picture, so wide. `source` is a file's name to a peer, an image's id to us.
    pub fn path(&self, tool: Tool, source: &str, width: u32) -> String {
        let (quality, format) = (self.quality(tool), self.format.name());
        // PNG has no quality, and who is told one anyway may take it for something else.
        let lossy = |text: String| if self.format == Format::Png { String::new() } else { text };
        match tool {
            Tool::Ipx => {
                format!("/w_{width},f_{format}{}/{source}", lossy(format!(",q_{quality}")))
            }
            Tool::Oximg => {
                let quality = lossy(format!(",quality={quality}"));
                format!("/image/width={width},format={format}{quality}/{source}")
            }
            Tool::Thumbor => {
                let quality = lossy(format!(":quality({quality})"));
                format!("/unsafe/{width}x0/filters:format({format}){quality}/{source}")
            }
            Tool::Ours(_) => {
                let quality = lossy(format!(",q_{quality}"));
                format!("/i/c_scale,w_{width}{quality}/{source}.{format}")
            }
            Tool::Nginx => format!("/{source}"),
        }
    }
}
