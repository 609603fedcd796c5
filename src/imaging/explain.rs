//! What a step does, in words.

use super::{
    encode,
    probe::Probe,
    steps::{self, Way},
};
use crate::domain::{
    format::Format,
    transform::{
        Border, Crop, Extent, Filter, Fit, Gravity, Length, Mark, Operation, Place, Point, Resize,
        Round, Spec, Trim, Watermark,
    },
};

type Size = (u32, u32);

/// What `operation` made of a picture of size `from`, which then had the size `to`; and whether there was nothing to do.
///
/// `is_found` says that its gravity was, by the engine.
pub(super) fn operation(
    operation: &Operation,
    is_found: bool,
    spec: &Spec,
    from: Size,
    to: Size,
) -> (String, bool) {
    let text = match operation {
        Operation::Trim(Trim { threshold }) if from == to => {
            let text = format!("no border of one colour, at a threshold of {threshold}");
            return (text, true);
        }
        Operation::Trim(Trim { threshold }) => {
            let (across, down) = (from.0 - to.0.min(from.0), from.1 - to.1.min(from.1));
            format!(
                "{across} columns and {down} rows of one colour cut off, at a threshold of {threshold}"
            )
        }
        Operation::Resize(resize) => return self::resize(resize, is_found, from, to),
        Operation::Crop(_) if from == to => return ("nothing lies outside".to_owned(), true),
        Operation::Crop(crop) => self::crop(crop, is_found),
        Operation::Rotate(degrees) if degrees % 90 == 0 => format!("{degrees}° clockwise, exact"),
        Operation::Rotate(degrees) => {
            format!("{degrees}° clockwise, corners {}", spec.background)
        }
        Operation::Flip => "upside down".to_owned(),
        Operation::Mirror => "left to right".to_owned(),
        Operation::Filter(filter) => self::filter(filter),
        Operation::Round(Round::Radius(radius)) => format!("corners of radius {radius}"),
        Operation::Round(Round::Max) => "to an ellipse".to_owned(),
        Operation::Watermark(watermark) => self::watermark(watermark),
        Operation::Border(Border { width, color }) => format!("{width} pixels of {color}"),
    };
    (text, false)
}

/// What an operation is called.
pub(super) const fn name(operation: &Operation) -> &'static str {
    match operation {
        Operation::Filter(filter) => filter.name(),
        other => other.name(),
    }
}

/// What is read: so many frames, with sixteen bits a channel or not, in these colours.
pub(super) fn decode(probe: &Probe, frames: u32, sixteen: bool, colors: &str, how: &str) -> String {
    let mut text = probe.format.as_str().to_owned();
    match (probe.frames, frames) {
        (1, _) => {}
        (all, 1) => text += &format!(", the first of {all} frames"),
        (all, _) => text += &format!(", {all} frames"),
    }
    if !how.is_empty() {
        text += ", ";
        text += how;
    }
    if sixteen {
        text += ", 16 bits a channel";
    } else if probe.depth > 8 {
        text += &format!(", {} bits a channel to 8", probe.depth);
    }
    text + colors
}

/// What putting a picture upright did, and whether it had to.
pub(super) fn upright(orientation: u8) -> (String, bool) {
    let turn = match orientation {
        2 => "mirrored",
        3 => "turned by 180°",
        4 => "flipped",
        5 => "turned by 90° and mirrored",
        6 => "turned by 90°",
        7 => "turned by 270° and mirrored",
        8 => "turned by 270°",
        _ => return ("it was stored upright".to_owned(), true),
    };
    (format!("{turn}, as orientation {orientation} says"), false)
}

/// What was written.
pub(super) fn encode(format: Format, quality: &str, spec: &Spec, size: Size) -> String {
    let mut parts = vec![format.as_str()];
    if !quality.is_empty() {
        parts.push(quality);
    }
    if spec.lossless {
        parts.push("lossless");
    }
    if format == Format::Jpeg && encode::is_progressive(spec, size) {
        parts.push("progressive");
    }
    parts.join(", ")
}

fn resize(resize: &Resize, is_found: bool, from: Size, to: Size) -> (String, bool) {
    if from == to && !resize.pads() {
        let why = if resize.enlarge { "it has that size" } else { "it would become larger" };
        return (why.to_owned(), true);
    }
    let fit = match resize.fit {
        _ if !resize.has_box() => "in proportion",
        Fit::Cover => "cover",
        Fit::Contain => "contain",
        Fit::Inside => "inside",
        Fit::Outside => "outside",
        Fit::Fill => "fill",
    };
    let way = match steps::way(resize, from) {
        Way::Kept => "the picture as it is",
        Way::LinearLight => "Lanczos3 in linear light",
        Way::GammaLight => "Lanczos3 in gamma light",
    };
    let mut text = format!("{fit}, {way}");
    if resize.cuts() || resize.pads() {
        text += &format!(", gravity {}", gravity(resize.gravity, is_found));
    }
    if resize.pads() {
        text += &format!(", padding {}", resize.background);
    }
    (text, false)
}

fn crop(crop: &Crop, is_found: bool) -> String {
    let side = |side: Length| match side {
        Length::Pixels(pixels) => pixels.to_string(),
        Length::Fraction(fraction) => format!("{} %", fraction * 100.0),
    };
    let size = format!("{} × {}", side(crop.width), side(crop.height));
    match crop.place {
        Place::Corner { x, y } => format!("{size} at {x}, {y}"),
        Place::Middle { x, y } => format!("{size} around {x}, {y}"),
        Place::Around(gravity) => format!("{size}, gravity {}", self::gravity(gravity, is_found)),
    }
}

fn gravity(gravity: Gravity, is_found: bool) -> String {
    match gravity {
        Gravity::Smart => "smart".to_owned(),
        Gravity::Point(point) if is_found => format!("smart, found at {}", self::point(point)),
        Gravity::Point(point) => self::point(point),
    }
}

fn point(Point { x, y }: Point) -> String {
    format!("{x:.3}, {y:.3}")
}

fn filter(filter: &Filter) -> String {
    match *filter {
        Filter::Grayscale => "luma of Rec. 709".to_owned(),
        Filter::Invert => "the negative".to_owned(),
        Filter::Sepia(percent) | Filter::Vignette(percent) => format!("{percent} %"),
        Filter::Blur(sigma) | Filter::Sharpen(sigma) => format!("sigma {sigma}"),
        Filter::Brightness(percent) | Filter::Contrast(percent) | Filter::Saturation(percent) => {
            format!("{percent:+} %")
        }
        Filter::Hue(degrees) => format!("{degrees}° on the colour wheel"),
        Filter::Gamma(gamma) => format!("{gamma}"),
        Filter::Pixelate(block) => format!("blocks of {block} × {block}"),
        Filter::Tint(color) | Filter::Colorize(color) => color.to_string(),
    }
}

fn watermark(watermark: &Watermark) -> String {
    let mark = match &watermark.mark {
        // Its first line is enough to tell it by.
        Mark::Text { text, .. } => {
            let line: String = text.lines().next().unwrap_or_default().chars().take(40).collect();
            format!("“{line}”")
        }
        Mark::Image(id) => format!("image {id}"),
    };
    let extent = match watermark.extent {
        Extent::Natural => String::new(),
        Extent::Size(size) => format!(", size {size}"),
        Extent::Scale(scale) => format!(", {} % of the width", scale * 100.0),
    };
    let place = if watermark.tile {
        "tiled".to_owned()
    } else {
        format!("gravity {}", point(watermark.gravity))
    };
    format!("{mark}{extent}, {place}, opacity {}", watermark.opacity)
}
