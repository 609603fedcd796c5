//! The spec as the API's documentation shows it.

use std::borrow::Cow;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use super::Spec;

impl PartialSchema for Spec {
    fn schema() -> RefOr<Schema> {
        SpecFields::schema()
    }
}

impl ToSchema for Spec {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Spec")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        SpecFields::schemas(schemas);
    }
}

/// What to make of a picture. The fields run in the order given here, whatever order they are written in; before them,
/// the picture is put upright as its EXIF orientation says.
#[derive(ToSchema)]
#[allow(dead_code)] // Only its schema is used.
pub(super) struct SpecFields {
    /// Another size.
    #[schema(inline)]
    resize: Option<ResizeFields>,
    /// A part of the picture as it is then. Wholly outside of it: `transform_impossible`; partly: cut to what exists.
    #[schema(inline)]
    crop: Option<CropFields>,
    /// Degrees clockwise. Right angles are exact, others grow the canvas, filled with `background`.
    #[schema(minimum = -360, maximum = 360)]
    rotate: Option<i32>,
    /// Upside down.
    flip: Option<bool>,
    /// Left to right.
    mirror: Option<bool>,
    /// Other colours, or another sharpness.
    #[schema(inline)]
    filters: Option<FilterFields>,
    /// The same operations in the order written, each any number of times; instead of the fields above.
    #[schema(inline, max_items = 64)]
    operations: Option<Vec<OperationFields>>,
    /// The format of the result; the source's where it can be written, else PNG. `auto` is WebP where `Accept` names it,
    /// else PNG for pictures with transparency, else JPEG.
    #[schema(inline)]
    format: Option<FormatNames>,
    /// JPEG and WebP: 80 by default.
    #[schema(minimum = 1, maximum = 100)]
    quality: Option<u8>,
    /// What fills new corners and padding, and lies beneath a picture whose format has no transparency: `#rgb`, `#rrggbb`,
    /// `#rrggbbaa`, a CSS colour name or `transparent`. White by default.
    #[schema(example = "#ff8800")]
    background: Option<String>,
    /// WebP only: every pixel exactly as it is.
    lossless: Option<bool>,
    /// JPEG only: coarse first, then finer.
    progressive: Option<bool>,
}

/// One entry of `operations`: exactly one of these.
#[derive(ToSchema)]
#[schema(min_properties = 1, max_properties = 1)]
#[allow(dead_code)]
pub(super) struct OperationFields {
    /// Another size.
    #[schema(inline)]
    resize: Option<ResizeFields>,
    /// A part of the picture.
    #[schema(inline)]
    crop: Option<CropFields>,
    /// Degrees clockwise.
    #[schema(minimum = -360, maximum = 360)]
    rotate: Option<i32>,
    /// Upside down.
    flip: Option<bool>,
    /// Left to right.
    mirror: Option<bool>,
    /// Other colours, or another sharpness.
    #[schema(inline)]
    filters: Option<FilterFields>,
}

/// Another size: `width`, `height` or both.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(super) struct ResizeFields {
    /// Pixels across, 1 to 8000; or a fraction of the picture's own width, above 0 and below 1.
    #[schema(exclusive_minimum = 0, maximum = 8000, example = 300)]
    width: Option<f64>,
    /// Pixels down, 1 to 8000; or a fraction of the picture's own height, above 0 and below 1.
    #[schema(exclusive_minimum = 0, maximum = 8000)]
    height: Option<f64>,
    /// Ratio of width to height, for the side that is not given: `16:9`, or a number.
    #[schema(inline)]
    aspect: Option<Aspect>,
    /// What happens when the ratios differ. `cover` (the default): the exact size, the overflow is cut off. `contain`: the
    /// exact size, padded. `inside`: within it. `outside`: around it. `fill`: the exact size, stretched.
    #[schema(inline)]
    fit: Option<FitNames>,
    /// What `cover` keeps, and where `contain` puts the picture.
    #[schema(inline)]
    gravity: Option<GravityValue>,
    /// What padding is made of; by default the spec's own `background`.
    background: Option<String>,
    /// Whether the picture may become larger than it was; `true` by default.
    enlarge: Option<bool>,
    /// Both sides are multiplied by this.
    #[schema(minimum = 0.1, maximum = 10)]
    dpr: Option<f64>,
}

/// `{x, y, width, height}`, or `{width, height, gravity}`.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(super) struct CropFields {
    /// Pixels from the left.
    #[schema(minimum = 0, maximum = 1_000_000)]
    x: Option<u32>,
    /// Pixels from the top.
    #[schema(minimum = 0, maximum = 1_000_000)]
    y: Option<u32>,
    /// Pixels across.
    #[schema(minimum = 1, maximum = 8000)]
    width: u32,
    /// Pixels down.
    #[schema(minimum = 1, maximum = 8000)]
    height: u32,
    /// What the rectangle keeps, when it has no place; `center` by default.
    #[schema(inline)]
    gravity: Option<GravityValue>,
}

/// Filters run in this order.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(super) struct FilterFields {
    /// No colour.
    grayscale: Option<bool>,
    /// The negative.
    invert: Option<bool>,
    /// The brown of old photographs: `true`, or percent.
    #[schema(inline)]
    sepia: Option<Sepia>,
    /// Sigma of a Gaussian, in pixels.
    #[schema(minimum = 0, maximum = 250)]
    blur: Option<f64>,
    /// Sigma of an unsharp mask, in pixels.
    #[schema(minimum = 0, maximum = 10)]
    sharpen: Option<f64>,
    /// Percent of full scale to add.
    #[schema(minimum = -100, maximum = 100)]
    brightness: Option<f64>,
    /// −100 is all grey.
    #[schema(minimum = -100, maximum = 100)]
    contrast: Option<f64>,
    /// −100 is no colour, 100 twice as much.
    #[schema(minimum = -100, maximum = 100)]
    saturation: Option<f64>,
    /// Degrees on the colour wheel.
    #[schema(minimum = -360, maximum = 360)]
    hue: Option<f64>,
    /// Above 1 is lighter.
    #[schema(minimum = 0.1, maximum = 10)]
    gamma: Option<f64>,
}

/// A ratio of width to height.
#[derive(serde::Serialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code)]
enum Aspect {
    /// As a number.
    Number(f64),
    /// As `16:9`.
    Text(String),
}

/// Percent, or all of it.
#[derive(serde::Serialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code)]
enum Sepia {
    /// All or nothing.
    Switch(bool),
    /// Percent, 0 to 100.
    Percent(f64),
}

/// What a cut keeps.
#[derive(serde::Serialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code)]
enum GravityValue {
    /// A side, a corner or the centre.
    Name(GravityNames),
    /// A focal point, as fractions of width and height.
    Point {
        /// 0 is the left edge, 1 the right.
        #[schema(minimum = 0, maximum = 1)]
        x: f64,
        /// 0 is the top edge, 1 the bottom.
        #[schema(minimum = 0, maximum = 1)]
        y: f64,
    },
}

/// A side, a corner or the centre.
#[derive(serde::Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = GravityName)]
#[allow(dead_code)]
pub(super) enum GravityNames {
    Center,
    North,
    Northeast,
    East,
    Southeast,
    South,
    Southwest,
    West,
    Northwest,
}

/// How a size is met.
#[derive(serde::Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code)]
pub(super) enum FitNames {
    Cover,
    Contain,
    Inside,
    Outside,
    Fill,
}

/// The formats that are written.
#[derive(serde::Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code)]
pub(super) enum FormatNames {
    Auto,
    Gif,
    Jpeg,
    Jpg,
    Png,
    Webp,
}
