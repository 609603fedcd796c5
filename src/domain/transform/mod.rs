//! What a transformation is: the spec, its canonical form and its hash.
//!
//! A [`Spec`] is read once, at the edge, by [`Spec::parse_with`], which reports every fault at once. What comes out is in normal
//! form: what has no effect is gone, and what can be said in two ways is said in one. The engine runs
//! [`Spec::operations`] in their order and interprets nothing.

mod canonical;
mod focus;
mod normal;
mod operation;
mod output;
mod parse;
mod schema;
mod url;

pub use operation::{
    Border, Crop, Extent, Filter, Fit, Font, Gravity, Length, Mark, Operation, Place, Point,
    Resize, Round, Trim, Watermark,
};
pub use output::{Auto, FormatChoice, Keep, Profile, Quality};
pub use url::{Asks, Hints, url_reference_markdown};

use serde_json::Value;

use super::{color::Color, format::Format, ids::ImageId, image::Focus};

/// What to make of a picture, in normal form.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// What is done to the pixels, in this order.
    pub operations: Vec<Operation>,
    /// The format of the result; `None` is the source's, or PNG where that can't be written.
    pub format: Option<FormatChoice>,
    /// `None` is the format's default.
    pub quality: Option<Quality>,
    /// The most bytes that the result may have: the best quality that fits is taken.
    pub max_bytes: Option<u64>,
    /// What is dear: how the picture looks, or how long it takes.
    pub profile: Profile,
    /// What of the source's metadata stays.
    pub keep: Keep,
    /// What fills the corners of a turned picture, and lies beneath one whose format has no transparency.
    pub background: Color,
    /// WebP and AVIF only: every pixel exactly as it is.
    pub lossless: bool,
    /// JPEG only: whether coarse first, then finer. `None` is whichever suits the picture.
    pub progressive: Option<bool>,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            operations: Vec::new(),
            format: None,
            quality: None,
            max_bytes: None,
            profile: Profile::Best,
            keep: Keep::NOTHING,
            background: Color::WHITE,
            lossless: false,
            progressive: None,
        }
    }
}

/// What a spec's defaults depend on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Source {
    /// What the bytes are.
    pub format: Format,
    /// Whether any pixel may be transparent.
    pub has_alpha: bool,
    /// Whether it has more than one frame.
    pub is_animated: bool,
    /// The point that matters, where the picture's owner has named one.
    pub focus: Option<Focus>,
}

impl Spec {
    /// The format of the result for a source of format `source`. A spec that still says `auto` becomes what suits a
    /// receiver of whom nothing is known; see [`Spec::resolved`].
    pub fn output(&self, source: Source) -> Format {
        match self.format {
            None => source.format.default_output(),
            Some(FormatChoice::Fixed(format)) => format,
            Some(FormatChoice::Auto) => self.choose(source, None),
        }
    }

    /// The quality to encode `format` with.
    pub fn quality(&self, format: Format) -> Quality {
        self.quality.or(default_quality(format).map(Quality::Fixed)).unwrap_or(Quality::Fixed(100))
    }

    /// Every picture that a spec, as it is written, lays over another, and where it names it.
    pub fn overlays_named(written: &Value) -> Vec<(String, ImageId)> {
        let named = |operation: &Value, pointer: String| {
            let id = operation.pointer("/watermark/image_id")?.as_str()?.parse().ok()?;
            Some((format!("{pointer}/watermark/image_id"), id))
        };
        let listed = written.get("operations").and_then(Value::as_array).into_iter().flatten();
        let listed = listed
            .enumerate()
            .filter_map(|(index, operation)| named(operation, format!("/operations/{index}")));
        named(written, String::new()).into_iter().chain(listed).collect()
    }

    /// The pictures that are laid over this one.
    pub fn overlays(&self) -> impl Iterator<Item = ImageId> {
        self.operations.iter().filter_map(|operation| match operation {
            Operation::Watermark(watermark) => match watermark.mark {
                Mark::Image(id) => Some(id),
                Mark::Text { .. } => None,
            },
            _ => None,
        })
    }

    /// The spec for this source and this receiver: `auto` becomes a format, a smart gravity the owner's point, and what is
    /// the default for the source is dropped. `accept` is the request's `Accept` header, `None` outside HTTP.
    pub fn resolved(&self, source: Source, accept: Option<&str>) -> Self {
        let mut spec = self.clone();
        let output = match self.format {
            Some(FormatChoice::Auto) => self.choose(source, accept),
            _ => self.output(source),
        };
        spec.format = Some(FormatChoice::Fixed(output));
        if let Some(focus) = source.focus {
            spec.follow(focus);
        }
        spec.normalise();
        spec.drop_unseen(output, source);
        if output == source.format.default_output() {
            spec.format = None;
        }
        spec
    }

    fn choose(&self, source: Source, accept: Option<&str>) -> Format {
        let wanted =
            |format: &Format| accept.is_some_and(|accept| names(accept, format.mime_type()));
        if source.is_animated {
            // What moves goes on moving: an AVIF is written with its first frame alone.
            if wanted(&Format::Webp) { Format::Webp } else { Format::Gif }
        } else if let Some(format) = [Format::Avif, Format::Webp].into_iter().find(wanted) {
            format
        } else if self.may_have_alpha(source) {
            Format::Png
        } else {
            Format::Jpeg
        }
    }

    /// Whether the result may have transparent pixels, were its format to allow it.
    pub fn may_have_alpha(&self, source: Source) -> bool {
        source.has_alpha
            || (self.turns_freely() && !self.background.is_opaque())
            || self.operations.iter().any(|operation| match operation {
                Operation::Resize(resize) => resize.pads() && !resize.background.is_opaque(),
                Operation::Border(border) => !border.color.is_opaque(),
                Operation::Round(_) => true,
                _ => false,
            })
    }

    /// Whether some rotation leaves corners to fill.
    fn turns_freely(&self) -> bool {
        self.operations
            .iter()
            .any(|operation| matches!(operation, Operation::Rotate(degrees) if degrees % 90 != 0))
    }
}

/// What a format is encoded with when the spec names no quality; `None` where quality means nothing.
pub const fn default_quality(format: Format) -> Option<u8> {
    match format {
        Format::Jpeg | Format::Webp => Some(80),
        Format::Avif => Some(60),
        _ => None,
    }
}

/// What of an `Accept` header decides what `auto` becomes.
pub fn accepted(accept: Option<&str>) -> Option<&'static str> {
    let names = |format: Format| accept.is_some_and(|accept| names(accept, format.mime_type()));
    match (names(Format::Avif), names(Format::Webp)) {
        (true, true) => Some("image/avif,image/webp"),
        (true, false) => Some("image/avif"),
        (false, true) => Some("image/webp"),
        (false, false) => None,
    }
}

/// Whether an `Accept` header names exactly this media type, and wants it. Wildcards never count: a client that says
/// `*/*` has not said that it can show WebP.
fn names(accept: &str, mime_type: &str) -> bool {
    accept.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(mime_type));
        let refused = parts.any(|parameter| {
            parameter.split_once('=').is_some_and(|(name, value)| {
                name.trim().eq_ignore_ascii_case("q")
                    && value.trim().parse::<f64>().is_ok_and(|quality| quality <= 0.0)
            })
        });
        named && !refused
    })
}

#[cfg(test)]
mod tests;
