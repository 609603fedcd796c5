//! The normal form: what has no effect is gone, what can be said in two ways is said in one.

use super::{
    Crop, Fit, FormatChoice, Gravity, Keep, Length, Operation, Place, Profile, Quality, Resize,
    Source, Spec, default_quality,
    parse::{MAX_DPR, rounded},
};
use crate::domain::{color::Color, format::Format};

impl Spec {
    /// Brings the spec into normal form, as far as it goes without the picture.
    pub(super) fn normalise(&mut self) {
        let operations: Vec<_> = self.operations.iter().filter_map(normal).collect();
        self.operations = straighten(&operations);
        // The copyright fields are a part of EXIF.
        self.keep.copyright &= !self.keep.exif;
        if let Some(FormatChoice::Fixed(format)) = self.format {
            self.drop_idle_output(format);
        }
    }

    /// Drops what means nothing to `format`.
    fn drop_idle_output(&mut self, format: Format) {
        self.lossless &= matches!(format, Format::Webp | Format::Avif);
        self.progressive = self.progressive.filter(|_| format == Format::Jpeg);
        let default = default_quality(format).map(Quality::Fixed);
        if self.lossless || self.quality == default || default.is_none() {
            self.quality = None;
        }
        self.keep = self.keep.and(Keep::held_by(format));
        if format.has_alpha() && !self.turns_freely() {
            self.background = Color::WHITE;
        }
    }

    /// Drops what nobody sees in a picture of `source` that becomes an `output`. Only of a spec that is complete: what follows
    /// a preset in a URL may see it yet.
    pub(super) fn drop_unseen(&mut self, output: Format, source: Source) {
        if output == Format::Jpeg && !self.turns_freely() {
            let is_seen = self.may_have_alpha(source);
            self.background = if is_seen { self.background.over_white() } else { Color::WHITE };
        }
        // What a profile decides is how a picture is resized, and how hard these encoders work.
        let is_weighed = matches!(output, Format::Jpeg | Format::Png | Format::Webp | Format::Avif)
            || self.operations.iter().any(|operation| matches!(operation, Operation::Resize(_)));
        if !is_weighed {
            self.profile = Profile::Best;
        }
        // The quickest is not progressive by itself.
        if self.profile == Profile::Fast {
            self.progressive = self.progressive.filter(|on| *on);
        }
    }
}

/// One operation in normal form; `None` if it changes nothing, whatever the picture.
fn normal(operation: &Operation) -> Option<Operation> {
    match operation {
        Operation::Trim(trim) if trim.is_idle() => None,
        Operation::Resize(resize) => resize.normal().map(Operation::Resize),
        Operation::Crop(crop) => Some(Operation::Crop(crop.normal())),
        Operation::Filter(filter) if filter.is_idle() => None,
        Operation::Watermark(watermark) if watermark.is_idle() => None,
        other => Some(other.clone()),
    }
}

/// Sides with the `dpr` in them: what is a part of the picture's own may then be more than all of it.
type Sides = [Option<Length>; 2];

impl Resize {
    fn normal(mut self) -> Option<Self> {
        let mut sides = self.sides();
        let in_pixels = |side: &Length| part(*side).is_none();
        if sides.iter().flatten().all(in_pixels) {
            [self.width, self.height] = self.pixels().map(|side| side.map(Length::Pixels));
            (self.aspect, self.dpr) = (None, 1.0);
            sides = [self.width, self.height];
        }
        if !self.has_box() {
            self.fit = Fit::Cover;
        }
        let fits_within = matches!(self.fit, Fit::Fill | Fit::Inside | Fit::Cover);
        if !self.enlarge && fits_within && self.aspect.is_none() {
            // No side becomes longer than it was: one that is said to be is as good as one that is to stay.
            sides = sides.map(|side| side.map(at_most_whole));
        }
        self.enlarge |= self.never_enlarges(sides);
        if self.keeps_size(sides) {
            return None;
        }
        if let Some((sides, dpr)) = written(sides) {
            ([self.width, self.height], self.dpr) = (sides, dpr);
        }
        // Where nothing is cut off there is nothing to look for.
        let smart_padding = self.pads() && self.gravity == Gravity::Smart;
        if smart_padding || (!self.cuts() && !self.pads()) {
            self.gravity = Gravity::CENTER;
        }
        if !self.pads() {
            self.background = Color::WHITE;
        }
        Some(self)
    }

    /// Both sides with the `dpr` in them.
    fn sides(&self) -> Sides {
        [self.width, self.height].map(|side| {
            side.map(|side| match side {
                Length::Pixels(pixels) => Length::Pixels(to_pixels(f64::from(pixels) * self.dpr)),
                Length::Fraction(fraction) => {
                    Length::Fraction(rounded(fraction * self.dpr).max(1e-6))
                }
            })
        })
    }

    /// Whether no picture could become larger, even if it may.
    fn never_enlarges(&self, sides: Sides) -> bool {
        let mut given = sides.into_iter().flatten();
        match self.fit {
            // The side that fits less decides.
            Fit::Inside | Fit::Contain => given.any(Length::never_enlarges),
            Fit::Cover | Fit::Outside | Fit::Fill => {
                self.aspect.is_none() && given.all(Length::never_enlarges)
            }
        }
    }

    /// Whether every picture keeps the size that it has.
    fn keeps_size(&self, sides: Sides) -> bool {
        let is_whole = |side: Length| side == Length::Fraction(1.0);
        let is_more = |side: Length| matches!(side, Length::Fraction(part) if part >= 1.0);
        let may_grow = self.enlarge && !self.never_enlarges(sides);
        let mut given = sides.into_iter().flatten();
        match self.fit {
            Fit::Outside => !may_grow && given.any(is_more),
            _ if !self.has_box() => given.all(is_more) && !may_grow,
            _ => self.aspect.is_none() && given.all(is_whole),
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

fn at_most_whole(side: Length) -> Length {
    match side {
        Length::Fraction(part) => Length::Fraction(part.min(1.0)),
        pixels @ Length::Pixels(_) => pixels,
    }
}

/// How sides are written: parts of the picture's own as they are, and where one is not less than all of it, as parts of the
/// least of a few `dpr`s.
fn written(sides: Sides) -> Option<(Sides, f64)> {
    let largest = sides.iter().flatten().copied().filter_map(part).fold(0.0, f64::max);
    let pixels = sides.iter().flatten().find_map(|side| match side {
        Length::Pixels(pixels) => Some(*pixels),
        Length::Fraction(_) => None,
    });
    let dpr = match pixels {
        _ if largest < 1.0 => 1.0,
        None => [2.0, 5.0, 10.0].into_iter().find(|dpr| *dpr > largest)?,
        Some(pixels) => common_dpr(largest, pixels)?,
    };
    let of = |side: Length| match side {
        Length::Fraction(part) => Length::part(part / dpr),
        Length::Pixels(pixels) => Length::Pixels(shared_out(pixels, dpr)),
    };
    Some((if dpr == 1.0 { sides } else { sides.map(|side| side.map(of)) }, dpr))
}

fn part(side: Length) -> Option<f64> {
    match side {
        Length::Fraction(part) => Some(part),
        Length::Pixels(_) => None,
    }
}

/// The `dpr` that a side of `part` times the picture's own and one of `pixels` are written with: of the fewest digits, of these
/// the least, that brings back both as they are. A `dpr` that a client may have written is always among them.
fn common_dpr(part: f64, pixels: u32) -> Option<f64> {
    const DIGITS: i32 = 6;
    let side = f64::from(pixels);
    let brings_back = |dpr: f64| {
        let Length::Fraction(share) = Length::part(part / dpr) else { return false };
        dpr <= MAX_DPR
            && rounded(share * dpr) == part
            && to_pixels(f64::from(shared_out(pixels, dpr)) * dpr) == pixels
    };
    let above = |digits: i32| {
        let ones = 10_f64.powi(digits);
        (ones, (part * ones).floor() + 1.0)
    };
    let last = 10_f64.powi(DIGITS);
    (0..=DIGITS).map(above).chain([(last, (part * last).round())]).find_map(|(ones, least)| {
        // The more pixels are multiplied, the less is the dpr.
        let most = shared_out(pixels, part);
        (1..=most).rev().find_map(|multiplied| {
            let lowest = ((side - 0.5) / f64::from(multiplied) * ones).ceil();
            let dpr = lowest.max(least) / ones;
            brings_back(dpr).then_some(dpr)
        })
    })
}

/// The pixels that are nearest to `pixels` when they are multiplied by `dpr`.
fn shared_out(pixels: u32, dpr: f64) -> u32 {
    to_pixels(f64::from(pixels) / dpr)
}

impl Crop {
    fn normal(mut self) -> Self {
        match &mut self.place {
            Place::Corner { x, y } => {
                begin_inside(x, &mut self.width);
                begin_inside(y, &mut self.height);
            }
            Place::Middle { x, y } => {
                let at_edges = [move_inside(x, self.width), move_inside(y, self.height)];
                if at_edges == [true; 2] {
                    self.place = Place::Corner { x: 0, y: 0 };
                }
            }
            Place::Around(_) => {}
        }
        self
    }
}

/// Cuts off what lies before the picture begins; a part that lies there altogether is left to be refused.
fn begin_inside(at: &mut i32, length: &mut Length) {
    if let Length::Pixels(pixels) = length
        && *at < 0
        && let Some(rest @ 1..) = pixels.checked_sub(at.unsigned_abs())
    {
        (*at, *pixels) = (0, rest);
    }
}

/// Moves the middle of a part to where it begins with the picture, if it would begin before; whether it begins there now.
fn move_inside(at: &mut i32, length: Length) -> bool {
    let Length::Pixels(pixels) = length else { return false };
    let half = i32::try_from(pixels / 2).unwrap_or(i32::MAX);
    let rest = i32::try_from(pixels.div_ceil(2)).unwrap_or(i32::MAX);
    if *at <= half && at.saturating_add(rest) > 0 {
        *at = half;
    }
    *at == half
}

/// A length as whole pixels, at least one.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // The cast saturates, which is what is wanted.
fn to_pixels(length: f64) -> u32 {
    (length.round() as u32).max(1)
}

/// Says every run of right angles, flips and mirrors in the one shortest way.
fn straighten(operations: &[Operation]) -> Vec<Operation> {
    let mut result = Vec::with_capacity(operations.len());
    let mut turn = Turn::default();
    for operation in operations {
        match operation {
            Operation::Rotate(degrees) if degrees % 90 == 0 => turn.rotate(*degrees),
            Operation::Flip => turn.flip(),
            Operation::Mirror => turn.mirror(),
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
