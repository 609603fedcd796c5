//! The spec as the API's documentation shows it.

pub(super) mod values;

use std::borrow::Cow;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};
use uuid::Uuid;

use self::values::{
    AspectValue, FitName, FontName, FormatName, GravityValue, PlaceValue, ProfileName,
    QualityValue, RoundValue, SepiaValue, StripValue, TrimValue,
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
#[schema(example = json!({"resize": {"width": 300, "height": 200, "gravity": "smart"}, "format": "auto", "quality": "auto"}))]
#[allow(dead_code)] // Only its schema is used.
pub(super) struct SpecFields {
    /// Cuts off a border of the colour of the corners: `true`, or `{threshold}`.
    #[schema(inline)]
    trim: Option<TrimValue>,
    /// Another size.
    #[schema(inline)]
    resize: Option<ResizeFields>,
    /// A part of the picture as it is then. Wholly outside of it: `transform_impossible`; partly: cut to what exists.
    #[schema(inline)]
    crop: Option<CropFields>,
    /// Degrees clockwise. Right angles are exact, others grow the canvas, filled with `background`.
    #[schema(minimum = -360, maximum = 360, example = 90)]
    rotate: Option<i32>,
    /// Upside down.
    #[schema(example = true)]
    flip: Option<bool>,
    /// Left to right.
    #[schema(example = true)]
    mirror: Option<bool>,
    /// Other colours, or another sharpness.
    #[schema(inline)]
    filters: Option<FilterFields>,
    /// Rounded corners: their radius in pixels, or `max` for an ellipse. Transparent where the format holds that, else
    /// filled with `background`.
    #[schema(inline)]
    round: Option<RoundValue>,
    /// A text or a picture laid over it.
    #[schema(inline)]
    watermark: Option<WatermarkFields>,
    /// A frame around it, which makes it larger. Right after `round` it follows the outline.
    #[schema(inline)]
    border: Option<BorderFields>,
    /// The same operations in the order written, each any number of times; instead of the fields above.
    #[schema(inline, max_items = 64)]
    operations: Option<Vec<OperationFields>>,
    /// The format of the result; the source's where it can be written, else PNG. `auto` is AVIF, then WebP, where `Accept`
    /// names it, else PNG for pictures with transparency, else JPEG; of an animation WebP where `Accept` names it, else GIF.
    #[schema(inline)]
    format: Option<FormatName>,
    /// JPEG and WebP: 80 by default, AVIF: 60. `auto` is the lowest that still looks the same; `auto:best`, `auto:good`
    /// (which is `auto`), `auto:eco` and `auto:low` say how strictly.
    #[schema(inline)]
    quality: Option<QualityValue>,
    /// The most bytes that the result may have: the best quality that fits is taken.
    #[schema(minimum = 1, maximum = 1_000_000_000, example = 200_000)]
    max_bytes: Option<u64>,
    /// What is dear. `best`: the truest picture. `fast`: the quickest way that still looks right. The deployment decides
    /// which of them is the default.
    #[schema(inline)]
    profile: Option<ProfileName>,
    /// What goes of the source's metadata. `true`, the default: all of it, the pixels converted to sRGB. `false` keeps EXIF
    /// (its orientation reset) and the colour profile. `{keep}` names what is kept, where the format has a place for it.
    #[schema(inline)]
    strip: Option<StripValue>,
    /// What fills new corners and padding, and lies beneath a picture whose format has no transparency: `#rgb`, `#rrggbb`,
    /// `#rrggbbaa`, a CSS colour name or `transparent`. White by default.
    #[schema(example = "#ff8800")]
    background: Option<String>,
    /// WebP and AVIF only: every pixel exactly as it is.
    #[schema(example = true)]
    lossless: Option<bool>,
    /// JPEG only: whether coarse first, then finer. By default whichever suits the picture.
    #[schema(example = true)]
    progressive: Option<bool>,
}

/// One entry of `operations`: exactly one of these.
#[derive(ToSchema)]
#[schema(min_properties = 1, max_properties = 1, example = json!({"rotate": 90}))]
#[allow(dead_code)]
pub(super) struct OperationFields {
    /// Cuts off a border of the colour of the corners: `true`, or `{threshold}`.
    #[schema(inline)]
    trim: Option<TrimValue>,
    /// Another size.
    #[schema(inline)]
    resize: Option<ResizeFields>,
    /// A part of the picture.
    #[schema(inline)]
    crop: Option<CropFields>,
    /// Degrees clockwise.
    #[schema(minimum = -360, maximum = 360, example = 90)]
    rotate: Option<i32>,
    /// Upside down.
    #[schema(example = true)]
    flip: Option<bool>,
    /// Left to right.
    #[schema(example = true)]
    mirror: Option<bool>,
    /// Other colours, or another sharpness.
    #[schema(inline)]
    filters: Option<FilterFields>,
    /// Rounded corners: their radius in pixels, or `max` for an ellipse. Transparent where the format holds that, else
    /// filled with `background`.
    #[schema(inline)]
    round: Option<RoundValue>,
    /// A text or a picture laid over it.
    #[schema(inline)]
    watermark: Option<WatermarkFields>,
    /// A frame around it, which makes it larger. Right after `round` it follows the outline.
    #[schema(inline)]
    border: Option<BorderFields>,
}

/// Another size: `width`, `height` or both.
#[derive(ToSchema)]
#[schema(example = json!({"width": 300, "height": 200, "gravity": "smart"}))]
#[allow(dead_code)]
pub(super) struct ResizeFields {
    /// Pixels across, 1 to 8000; or a fraction of the picture's own width, above 0 and below 1.
    #[schema(exclusive_minimum = 0, maximum = 8000, example = 300)]
    width: Option<f64>,
    /// Pixels down, 1 to 8000; or a fraction of the picture's own height, above 0 and below 1.
    #[schema(exclusive_minimum = 0, maximum = 8000, example = 0.5)]
    height: Option<f64>,
    /// Ratio of width to height, for the side that is not given: `16:9`, or a number.
    #[schema(inline)]
    aspect: Option<AspectValue>,
    /// What happens when the ratios differ. `cover` (the default): the exact size, the overflow is cut off. `contain`: the
    /// exact size, padded. `inside`: within it. `outside`: around it. `fill`: the exact size, stretched.
    #[schema(inline)]
    fit: Option<FitName>,
    /// What `cover` keeps, and where `contain` puts the picture. `smart` is the point that the image's owner has named, else
    /// the most interesting region, which is looked for.
    #[schema(inline)]
    gravity: Option<GravityValue>,
    /// What padding is made of; by default the spec's own `background`.
    #[schema(example = "transparent")]
    background: Option<String>,
    /// Whether the picture may become larger than it was; `true` by default.
    #[schema(example = false)]
    enlarge: Option<bool>,
    /// Both sides are multiplied by this.
    #[schema(minimum = 0.1, maximum = 10, example = 2)]
    dpr: Option<f64>,
}

/// `{x, y, width, height}`, or `{width, height, gravity}`.
#[derive(ToSchema)]
#[schema(example = json!({"width": 300, "height": 200, "gravity": "north"}))]
#[allow(dead_code)]
pub(super) struct CropFields {
    /// Pixels from the left, where the rectangle begins; negative is outside.
    #[schema(minimum = -1_000_000, maximum = 1_000_000, example = 40)]
    x: Option<i32>,
    /// Pixels from the top.
    #[schema(minimum = -1_000_000, maximum = 1_000_000, example = 40)]
    y: Option<i32>,
    /// Pixels across, 1 to 8000; or a fraction of the picture's width, above 0 and below 1.
    #[schema(exclusive_minimum = 0, maximum = 8000, example = 300)]
    width: f64,
    /// Pixels down, 1 to 8000; or a fraction of the picture's height, above 0 and below 1.
    #[schema(exclusive_minimum = 0, maximum = 8000, example = 0.5)]
    height: f64,
    /// Whether `x` and `y` are the middle of the rectangle, which is then moved inside where it would reach out of the picture.
    #[schema(example = true)]
    center: Option<bool>,
    /// What the rectangle keeps, when it has no place; `center` by default.
    #[schema(inline)]
    gravity: Option<GravityValue>,
}

/// Filters run in this order.
#[derive(ToSchema)]
#[schema(example = json!({"grayscale": true, "sharpen": 1.5}))]
#[allow(dead_code)]
pub(super) struct FilterFields {
    /// No colour.
    #[schema(example = true)]
    grayscale: Option<bool>,
    /// The negative.
    #[schema(example = true)]
    invert: Option<bool>,
    /// The brown of old photographs: `true`, or percent.
    #[schema(inline)]
    sepia: Option<SepiaValue>,
    /// Sigma of a Gaussian, in pixels.
    #[schema(minimum = 0, maximum = 250, example = 5)]
    blur: Option<f64>,
    /// Sigma of an unsharp mask, in pixels.
    #[schema(minimum = 0, maximum = 10, example = 1.5)]
    sharpen: Option<f64>,
    /// Percent of full scale to add.
    #[schema(minimum = -100, maximum = 100, example = 10)]
    brightness: Option<f64>,
    /// −100 is all grey.
    #[schema(minimum = -100, maximum = 100, example = 15)]
    contrast: Option<f64>,
    /// −100 is no colour, 100 twice as much.
    #[schema(minimum = -100, maximum = 100, example = -30)]
    saturation: Option<f64>,
    /// Degrees on the colour wheel.
    #[schema(minimum = -360, maximum = 360, example = 90)]
    hue: Option<f64>,
    /// Above 1 is lighter.
    #[schema(minimum = 0.1, maximum = 10, example = 1.2)]
    gamma: Option<f64>,
    /// Blocks of this many pixels a side get one colour each.
    #[schema(minimum = 1, maximum = 256, example = 12)]
    pixelate: Option<u32>,
    /// Darker towards the corners: percent.
    #[schema(minimum = 0, maximum = 100, example = 40)]
    vignette: Option<f64>,
    /// Shades of this colour, as light as the picture was; its alpha is how far.
    #[schema(example = "#704214")]
    tint: Option<String>,
    /// This colour laid over what can be seen; its alpha is how thickly.
    #[schema(example = "#0000ff40")]
    colorize: Option<String>,
}

/// Either `text` or `image_id`, and how it is laid over the picture.
#[derive(ToSchema)]
#[schema(example = json!({"text": "© Darkroom", "gravity": "southeast", "x": 16, "y": 16}))]
#[allow(dead_code)]
pub(super) struct WatermarkFields {
    /// What is written, in any script; `\n` begins a new line.
    #[schema(min_length = 1, max_length = 1000, example = "© Darkroom")]
    text: Option<String>,
    /// A picture of the same account.
    #[schema(example = "0190a7c2-5f0e-7c3a-9d1b-2f6f1c1e4b5a")]
    image_id: Option<Uuid>,
    /// 1, the default, hides what is beneath.
    #[schema(minimum = 0, maximum = 1, example = 0.6)]
    opacity: Option<f64>,
    /// Where it is put; `center` by default.
    #[schema(inline)]
    gravity: Option<PlaceValue>,
    /// Pixels that it is moved inwards from the edge that `gravity` names; to the right where it names none.
    #[schema(minimum = -8000, maximum = 8000, example = 16)]
    x: Option<i32>,
    /// Pixels that it is moved inwards from the edge that `gravity` names; downwards where it names none.
    #[schema(minimum = -8000, maximum = 8000, example = 16)]
    y: Option<i32>,
    /// How much of the picture's width it takes; instead of `size`.
    #[schema(exclusive_minimum = 0, maximum = 1, example = 0.25)]
    scale: Option<f64>,
    /// Of a text, the size of its letters in pixels, at most 2000; of a picture, whole pixels across.
    #[schema(minimum = 1, maximum = 8000, example = 48)]
    size: Option<f64>,
    /// Of a text: black by default.
    #[schema(example = "#ffffffcc")]
    color: Option<String>,
    /// Of a text: `sans` by default.
    #[schema(inline)]
    font: Option<FontName>,
    /// Degrees clockwise, around its own middle.
    #[schema(minimum = -360, maximum = 360, example = -30)]
    rotate: Option<i32>,
    /// Whether it is repeated over the whole picture.
    #[schema(example = true)]
    tile: Option<bool>,
}

/// A frame around the picture.
#[derive(ToSchema)]
#[schema(example = json!({"width": 4, "color": "#222222"}))]
#[allow(dead_code)]
pub(super) struct BorderFields {
    /// Pixels on every side.
    #[schema(minimum = 1, maximum = 1000, example = 4)]
    width: u32,
    /// Black by default.
    #[schema(example = "#222222")]
    color: Option<String>,
}
