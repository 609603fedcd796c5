//! What a transformation is: the spec, its canonical form and its hash.
//!
//! A [`Spec`] is read once, at the edge, by [`Spec::parse`], which reports every fault at once. What comes out is in normal
//! form: what has no effect is gone, and what can be said in two ways is said in one. The engine runs
//! [`Spec::operations`] in their order and interprets nothing.

mod canonical;
mod normal;
mod operation;
mod parse;
mod schema;

pub use operation::{Crop, Filter, Fit, Gravity, Length, Operation, Resize};

use super::{color::Color, format::Format};

/// What to make of a picture, in normal form.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// What is done to the pixels, in this order.
    pub operations: Vec<Operation>,
    /// The format of the result; `None` is the source's, or PNG where that can't be written.
    pub format: Option<FormatChoice>,
    /// 1 to 100; `None` is the format's default.
    pub quality: Option<u8>,
    /// What fills the corners of a turned picture, and lies beneath one whose format has no transparency.
    pub background: Color,
    /// WebP only: every pixel exactly as it is.
    pub lossless: bool,
    /// JPEG only: coarse first, then finer.
    pub progressive: bool,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            operations: Vec::new(),
            format: None,
            quality: None,
            background: Color::WHITE,
            lossless: false,
            progressive: false,
        }
    }
}

/// The format a spec asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormatChoice {
    /// This one.
    Fixed(Format),
    /// The best that the receiver takes.
    Auto,
}

/// What a spec's defaults depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// What the bytes are.
    pub format: Format,
    /// Whether any pixel may be transparent.
    pub has_alpha: bool,
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
    pub fn quality(&self, format: Format) -> u8 {
        self.quality.or(default_quality(format)).unwrap_or(100)
    }

    /// The spec for this source and this receiver: `auto` becomes a format, and what is the default for the source is
    /// dropped. `accept` is the request's `Accept` header, `None` outside HTTP.
    pub fn resolved(&self, source: Source, accept: Option<&str>) -> Self {
        let mut spec = self.clone();
        let output = match self.format {
            Some(FormatChoice::Auto) => self.choose(source, accept),
            _ => self.output(source),
        };
        spec.format = Some(FormatChoice::Fixed(output));
        spec.normalise();
        if output == Format::Jpeg && !self.may_have_alpha(source) && !self.turns_freely() {
            spec.background = Color::WHITE;
        }
        if output == source.format.default_output() {
            spec.format = None;
        }
        spec
    }

    fn choose(&self, source: Source, accept: Option<&str>) -> Format {
        if accept.is_some_and(|accept| names(accept, Format::Webp.mime_type())) {
            Format::Webp
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
            || self.operations.iter().any(|operation| {
                matches!(operation, Operation::Resize(resize) if resize.pads() && !resize.background.is_opaque())
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
        _ => None,
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
