//! The normal form: what has no effect is gone, what can be said in two ways is said in one.

use super::{
    Fit, FormatChoice, Gravity, Keep, Length, Operation, Quality, Resize, Spec, default_quality,
};
use crate::domain::{color::Color, format::Format};

impl Spec {
    /// Brings the spec into normal form, as far as it goes without the picture.
    pub(super) fn normalise(&mut self) {
        for operation in &mut self.operations {
            if let Operation::Resize(resize) = operation {
                resize.normalise();
            }
        }
        self.operations = straighten(&self.operations);
        // The copyright fields are a part of EXIF.
        self.keep.copyright &= !self.keep.exif;
        if let Some(FormatChoice::Fixed(format)) = self.format {
            self.drop_idle_output(format);
        }
    }

    /// Drops what means nothing to `format`.
    fn drop_idle_output(&mut self, format: Format) {
        self.lossless &= matches!(format, Format::Webp | Format::Avif);
        self.progressive &= format == Format::Jpeg;
        let default = default_quality(format).map(Quality::Fixed);
        if self.lossless || self.quality == default || default.is_none() {
            self.quality = None;
        }
        if !format.holds_metadata() {
            self.keep = Keep::NOTHING;
        }
        if format.has_alpha() && !self.turns_freely() {
            self.background = Color::WHITE;
        }
    }
}

impl Resize {
    fn normalise(&mut self) {
        let (width, height) = (self.width, self.height);
        if let (None | Some(Length::Pixels(_)), None | Some(Length::Pixels(_))) = (width, height) {
            let [width, height] = self.pixels();
            (self.width, self.height) = (width.map(Length::Pixels), height.map(Length::Pixels));
            (self.aspect, self.dpr) = (None, 1.0);
        }
        if !self.has_box() {
            self.fit = Fit::Cover;
        }
        // Where nothing is cut off there is nothing to look for.
        let smart_padding = self.pads() && self.gravity == Gravity::Smart;
        if smart_padding || (!self.cuts() && !self.pads()) {
            self.gravity = Gravity::CENTER;
        }
        if !self.pads() {
            self.background = Color::WHITE;
        }
    }

    /// The box in pixels, as far as the spec alone determines it.
    pub(super) fn pixels(&self) -> [Option<u32>; 2] {
        let given = |side| match side {
            Some(Length::Pixels(pixels)) => Some(f64::from(pixels) * self.dpr),
            _ => None,
        };
        let (width, height) = (given(self.width), given(self.height));
        let (width, height) = match (width, height, self.aspect) {
            (Some(width), None, Some(aspect)) => (Some(width), Some(width / aspect)),
            (None, Some(height), Some(aspect)) => (Some(height * aspect), Some(height)),
            (width, height, _) => (width, height),
        };
        [width.map(to_pixels), height.map(to_pixels)]
    }
}

/// A length as whole pixels, at least one.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // The cast saturates, which is what is wanted.
fn to_pixels(length: f64) -> u32 {
    (length.round() as u32).max(1)
}

/// Drops what changes nothing, and says every run of right angles, flips and mirrors in the one shortest way.
fn straighten(operations: &[Operation]) -> Vec<Operation> {
    let mut result = Vec::with_capacity(operations.len());
    let mut turn = Turn::default();
    for operation in operations {
        match operation {
            Operation::Rotate(degrees) if degrees % 90 == 0 => turn.rotate(*degrees),
            Operation::Flip => turn.flip(),
            Operation::Mirror => turn.mirror(),
            Operation::Filter(filter) if filter.is_idle() => {}
            Operation::Watermark(watermark) if watermark.is_idle() => {}
            other => {
                result.extend(std::mem::take(&mut turn).operations());
                result.push(other.clone());
            }
        }
    }
    result.extend(turn.operations());
    result
}

/// One of the eight ways to lay a picture on its frame: turned clockwise, then perhaps put upside down.
#[derive(Default)]
struct Turn {
    degrees: u16,
    flipped: bool,
}

impl Turn {
    fn rotate(&mut self, degrees: u16) {
        // Turning a flipped picture is turning it the other way before the flip.
        let degrees = if self.flipped { 360 - degrees % 360 } else { degrees };
        self.degrees = (self.degrees + degrees) % 360;
    }

    fn flip(&mut self) {
        self.flipped = !self.flipped;
    }

    fn mirror(&mut self) {
        // Left to right is upside down, seen from behind.
        self.flip();
        self.rotate(180);
    }

    fn operations(self) -> impl Iterator<Item = Operation> {
        let (rotate, last) = match (self.degrees, self.flipped) {
            (0, false) => (None, None),
            (0, true) => (None, Some(Operation::Flip)),
            (180, true) => (None, Some(Operation::Mirror)),
            (degrees, flipped) => {
                (Some(Operation::Rotate(degrees)), flipped.then_some(Operation::Flip))
            }
        };
        rotate.into_iter().chain(last)
    }
}
