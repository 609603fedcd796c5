//! What can be done to the pixels.

use crate::domain::color::Color;

/// One thing that is done to the pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Operation {
    /// Another size.
    Resize(Resize),
    /// A part of the picture.
    Crop(Crop),
    /// Degrees clockwise, 1 to 359.
    Rotate(u16),
    /// Upside down.
    Flip,
    /// Left to right.
    Mirror,
    /// Other colours, or another sharpness.
    Filter(Filter),
}

impl Operation {
    /// Its name in a spec.
    pub const fn name(&self) -> &'static str {
        match self {
            Operation::Resize(_) => "resize",
            Operation::Crop(_) => "crop",
            Operation::Rotate(_) => "rotate",
            Operation::Flip => "flip",
            Operation::Mirror => "mirror",
            Operation::Filter(_) => "filters",
        }
    }

    /// Its place in the order that the object form runs in.
    pub(super) const fn rank(&self) -> u8 {
        match self {
            Operation::Resize(_) => 0,
            Operation::Crop(_) => 1,
            Operation::Rotate(_) => 2,
            Operation::Flip => 3,
            Operation::Mirror => 4,
            Operation::Filter(filter) => 5 + filter.rank(),
        }
    }
}

/// Another size. At least one of the sides is given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resize {
    /// Pixels across.
    pub width: Option<Length>,
    /// Pixels down.
    pub height: Option<Length>,
    /// Width divided by height, for the side that is not given; without it the picture's own ratio holds.
    pub aspect: Option<f64>,
    /// What happens when the ratios differ.
    pub fit: Fit,
    /// What a cut keeps, and where padding leaves the picture.
    pub gravity: Gravity,
    /// What padding is made of.
    pub background: Color,
    /// Whether the picture may become larger than it was.
    pub enlarge: bool,
    /// Both sides are multiplied by this.
    pub dpr: f64,
}

impl Resize {
    /// Whether both sides of the box are known from the spec, so that its ratio may differ from the picture's.
    pub const fn has_box(&self) -> bool {
        self.aspect.is_some() || (self.width.is_some() && self.height.is_some())
    }

    /// Whether something is cut off.
    pub const fn cuts(&self) -> bool {
        self.has_box() && matches!(self.fit, Fit::Cover)
    }

    /// Whether something is added at the edges.
    pub const fn pads(&self) -> bool {
        self.has_box() && matches!(self.fit, Fit::Contain)
    }
}

/// One side of a size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Length {
    /// Pixels, 1 to 8000.
    Pixels(u32),
    /// This much of the picture's own side; between 0 and 1.
    Fraction(f64),
}

/// What happens when the box and the picture have different ratios.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// The exact size, the overflow is cut off.
    Cover,
    /// The exact size, the rest is padded.
    Contain,
    /// As large as fits into the box.
    Inside,
    /// As small as holds the box.
    Outside,
    /// The exact size, stretched.
    Fill,
}

impl Fit {
    pub(super) const NAMES: &[(&'static str, Fit)] = &[
        ("cover", Fit::Cover),
        ("contain", Fit::Contain),
        ("inside", Fit::Inside),
        ("outside", Fit::Outside),
        ("fill", Fit::Fill),
    ];
}

/// The point that matters, as fractions of the width and the height.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gravity {
    /// 0 is the left edge, 1 the right.
    pub x: f64,
    /// 0 is the top edge, 1 the bottom.
    pub y: f64,
}

impl Gravity {
    /// The middle: the default.
    pub const CENTER: Self = Self { x: 0.5, y: 0.5 };

    pub(super) const NAMES: &[(&'static str, Gravity)] = &[
        ("center", Gravity::CENTER),
        ("north", Gravity { x: 0.5, y: 0.0 }),
        ("northeast", Gravity { x: 1.0, y: 0.0 }),
        ("east", Gravity { x: 1.0, y: 0.5 }),
        ("southeast", Gravity { x: 1.0, y: 1.0 }),
        ("south", Gravity { x: 0.5, y: 1.0 }),
        ("southwest", Gravity { x: 0.0, y: 1.0 }),
        ("west", Gravity { x: 0.0, y: 0.5 }),
        ("northwest", Gravity { x: 0.0, y: 0.0 }),
    ];
}

/// A part of the picture as it is then.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Crop {
    /// A rectangle at a place.
    At {
        /// Pixels from the left.
        x: u32,
        /// Pixels from the top.
        y: u32,
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
    /// A rectangle around the point that matters.
    Around {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
        /// The point.
        gravity: Gravity,
    },
}

/// Other colours, or another sharpness.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Filter {
    /// No colour, by luma as of Rec. 709.
    Grayscale,
    /// The negative.
    Invert,
    /// The brown of old photographs: percent, above 0, at most 100.
    Sepia(f64),
    /// A Gaussian's sigma in pixels, above 0, at most 250.
    Blur(f64),
    /// Unsharp mask: sigma in pixels, above 0, at most 10.
    Sharpen(f64),
    /// Percent of full scale that is added, −100 to 100.
    Brightness(f64),
    /// −100 (all grey) to 100 (black and white).
    Contrast(f64),
    /// −100 (no colour) to 100 (twice the colour).
    Saturation(f64),
    /// Degrees on the colour wheel, above 0, below 360.
    Hue(f64),
    /// Above 1 is lighter, below 1 darker; 0.1 to 10.
    Gamma(f64),
}

impl Filter {
    /// Its place in the order that the object form runs in.
    pub(super) const fn rank(&self) -> u8 {
        match self {
            Filter::Grayscale => 0,
            Filter::Invert => 1,
            Filter::Sepia(_) => 2,
            Filter::Blur(_) => 3,
            Filter::Sharpen(_) => 4,
            Filter::Brightness(_) => 5,
            Filter::Contrast(_) => 6,
            Filter::Saturation(_) => 7,
            Filter::Hue(_) => 8,
            Filter::Gamma(_) => 9,
        }
    }

    /// Its name in a spec.
    pub const fn name(&self) -> &'static str {
        match self {
            Filter::Grayscale => "grayscale",
            Filter::Invert => "invert",
            Filter::Sepia(_) => "sepia",
            Filter::Blur(_) => "blur",
            Filter::Sharpen(_) => "sharpen",
            Filter::Brightness(_) => "brightness",
            Filter::Contrast(_) => "contrast",
            Filter::Saturation(_) => "saturation",
            Filter::Hue(_) => "hue",
            Filter::Gamma(_) => "gamma",
        }
    }

    /// Whether it changes nothing.
    pub(super) fn is_idle(&self) -> bool {
        match *self {
            Filter::Grayscale | Filter::Invert => false,
            Filter::Gamma(gamma) => gamma == 1.0,
            Filter::Sepia(amount)
            | Filter::Blur(amount)
            | Filter::Sharpen(amount)
            | Filter::Brightness(amount)
            | Filter::Contrast(amount)
            | Filter::Saturation(amount)
            | Filter::Hue(amount) => amount == 0.0,
        }
    }
}
