//! What can be done to the pixels.

use crate::domain::{color::Color, ids::ImageId};

/// One thing that is done to the pixels.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// A uniform border is cut off.
    Trim(Trim),
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
    /// Rounded corners.
    Round(Round),
    /// A text or a picture laid over it.
    Watermark(Box<Watermark>),
    /// A frame around it.
    Border(Border),
}

impl Operation {
    /// Its name in a spec.
    pub const fn name(&self) -> &'static str {
        match self {
            Operation::Trim(_) => "trim",
            Operation::Resize(_) => "resize",
            Operation::Crop(_) => "crop",
            Operation::Rotate(_) => "rotate",
            Operation::Flip => "flip",
            Operation::Mirror => "mirror",
            Operation::Filter(_) => "filters",
            Operation::Round(_) => "round",
            Operation::Watermark(_) => "watermark",
            Operation::Border(_) => "border",
        }
    }

    /// Its place in the order that the object form runs in.
    pub(super) const fn rank(&self) -> u8 {
        match self {
            Operation::Trim(_) => 0,
            Operation::Resize(_) => 1,
            Operation::Crop(_) => 2,
            Operation::Rotate(_) => 3,
            Operation::Flip => 4,
            Operation::Mirror => 5,
            Operation::Filter(filter) => 6 + filter.rank(),
            Operation::Round(_) => 30,
            Operation::Watermark(_) => 31,
            Operation::Border(_) => 32,
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
    /// This much of the picture's own side; above 0, below 1.
    Fraction(f64),
}

impl Length {
    /// This much of the side, to seven decimals: one more than a part has that a `dpr` of 2, 5 or 10 was taken out of.
    pub(super) fn part(part: f64) -> Self {
        Self::Fraction((part * 1e7).round().clamp(1.0, 9_999_999.0) / 1e7)
    }

    /// Whether no picture has a side that is shorter.
    pub(super) fn never_enlarges(self) -> bool {
        match self {
            Length::Pixels(pixels) => pixels == 1,
            Length::Fraction(fraction) => fraction <= 1.0,
        }
    }
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

/// What of a picture matters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Gravity {
    /// A point, as fractions of the width and the height.
    Point(Point),
    /// The most interesting region, which the engine looks for.
    Smart,
}

/// A place in a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// 0 is the left edge, 1 the right.
    pub x: f64,
    /// 0 is the top edge, 1 the bottom.
    pub y: f64,
}

impl Gravity {
    /// The middle: the default.
    pub const CENTER: Self = Self::at(0.5, 0.5);

    /// A point.
    pub const fn at(x: f64, y: f64) -> Self {
        Self::Point(Point { x, y })
    }

    pub(super) const NAMES: &[(&'static str, Gravity)] = &[
        ("center", Gravity::CENTER),
        ("north", Gravity::at(0.5, 0.0)),
        ("northeast", Gravity::at(1.0, 0.0)),
        ("east", Gravity::at(1.0, 0.5)),
        ("southeast", Gravity::at(1.0, 1.0)),
        ("south", Gravity::at(0.5, 1.0)),
        ("southwest", Gravity::at(0.0, 1.0)),
        ("west", Gravity::at(0.0, 0.5)),
        ("northwest", Gravity::at(0.0, 0.0)),
        ("smart", Gravity::Smart),
    ];
}

/// A rectangle of the picture as it is then.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crop {
    /// How much across.
    pub width: Length,
    /// How much down.
    pub height: Length,
    /// Which part.
    pub place: Place,
}

/// Where a rectangle lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Place {
    /// It begins so many pixels from the left and from the top; what lies outside of the picture is cut off.
    Corner {
        /// To the right; negative is outside.
        x: i32,
        /// Downwards.
        y: i32,
    },
    /// Its middle lies there, as far as it can without reaching out of the picture.
    Middle {
        /// To the right.
        x: i32,
        /// Downwards.
        y: i32,
    },
    /// Around the point that matters, in the same way.
    Around(Gravity),
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
    /// Blocks of this many pixels a side get one colour each; 2 to 256.
    Pixelate(u32),
    /// Darker towards the corners: percent, above 0, at most 100.
    Vignette(f64),
    /// Shades of this colour, as light as the picture was; its alpha is how far.
    Tint(Color),
    /// This colour laid over what can be seen; its alpha is how thickly.
    Colorize(Color),
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
            Filter::Pixelate(_) => 10,
            Filter::Vignette(_) => 11,
            Filter::Tint(_) => 12,
            Filter::Colorize(_) => 13,
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
            Filter::Pixelate(_) => "pixelate",
            Filter::Vignette(_) => "vignette",
            Filter::Tint(_) => "tint",
            Filter::Colorize(_) => "colorize",
        }
    }

    /// Whether it changes nothing.
    pub(super) fn is_idle(&self) -> bool {
        match *self {
            Filter::Grayscale | Filter::Invert => false,
            Filter::Gamma(gamma) => gamma == 1.0,
            Filter::Pixelate(block) => block <= 1,
            Filter::Tint(color) | Filter::Colorize(color) => color == Color::TRANSPARENT,
            Filter::Sepia(amount)
            | Filter::Blur(amount)
            | Filter::Sharpen(amount)
            | Filter::Brightness(amount)
            | Filter::Contrast(amount)
            | Filter::Saturation(amount)
            | Filter::Hue(amount)
            | Filter::Vignette(amount) => amount == 0.0,
        }
    }
}

/// Cuts off a border that is as uniform as this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trim {
    /// How much any channel may differ from the colour of the corner, 0 to 255.
    pub threshold: u8,
}

impl Trim {
    /// What a border may differ by when nothing is said: enough for JPEG's noise.
    pub const DEFAULT: Self = Self { threshold: 10 };

    /// Whether no pixel can differ by more.
    pub(super) const fn is_idle(self) -> bool {
        self.threshold == u8::MAX
    }
}

/// How round the corners are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// A quarter of a circle of this radius at each corner, in pixels, above 0; at most half of the shorter side counts.
    Radius(u32),
    /// An ellipse that touches all four sides.
    Max,
}

/// A frame around the picture, which grows by it. Right after [`Operation::Round`], with nothing between but watermarks, it
/// follows the rounded outline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Border {
    /// Pixels on every side, 1 to 1000.
    pub width: u32,
    /// Its colour.
    pub color: Color,
}

/// A text or a picture laid over the picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Watermark {
    /// What is laid over it.
    pub mark: Mark,
    /// How wide it is.
    pub extent: Extent,
    /// 1 hides what is beneath, 0 would show nothing of the mark; above 0, at most 1.
    pub opacity: f64,
    /// Where it is put: the mark's own point of the same fractions lies there.
    pub gravity: Point,
    /// Pixels that it is moved inwards from the left or right edge that gravity names; to the right where it names none.
    pub x: i32,
    /// Pixels that it is moved inwards from the top or bottom edge that gravity names; downwards where it names none.
    pub y: i32,
    /// Degrees clockwise, 0 to 359, around its own middle.
    pub rotate: u16,
    /// Whether it is repeated over the whole picture.
    pub tile: bool,
}

impl Watermark {
    /// Whether nothing of it can be seen.
    pub(super) fn is_idle(&self) -> bool {
        let invisible = match &self.mark {
            Mark::Text { text, color, .. } => {
                // Of what Unicode calls white space, some has a shape.
                *color == Color::TRANSPARENT || text.chars().all(|c| matches!(c, ' ' | '\n'))
            }
            Mark::Image(_) => false,
        };
        invisible || self.opacity == 0.0
    }
}

/// What a watermark shows.
#[derive(Debug, Clone, PartialEq)]
pub enum Mark {
    /// Words.
    Text {
        /// What is written; `\n` begins a new line.
        text: String,
        /// In which letters.
        font: Font,
        /// Their colour.
        color: Color,
    },
    /// Another picture of the same account, put upright, its first frame.
    Image(ImageId),
}

/// The cut of the letters, of the family that comes with the engine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Font {
    /// Heavier.
    pub bold: bool,
    /// Slanted.
    pub italic: bool,
}

impl Font {
    /// Every cut with its name in a spec.
    pub(super) const NAMES: &[(&'static str, Font)] = &[
        ("sans", Font { bold: false, italic: false }),
        ("sans bold", Font { bold: true, italic: false }),
        ("sans italic", Font { bold: false, italic: true }),
        ("sans bold italic", Font { bold: true, italic: true }),
    ];
}

/// How large a watermark is; the other side follows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Extent {
    /// As large as it comes: a picture in its own pixels, a text at the default size. Always made to fit into the picture.
    Natural,
    /// A picture: pixels across. A text: the size of its letters in pixels.
    Size(f64),
    /// This part of the picture's width; above 0, at most 1.
    Scale(f64),
}
