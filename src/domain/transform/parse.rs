//! JSON → spec, with every fault named.

mod object;

use serde_json::Value;

use self::object::Object;
use super::{Crop, Filter, Fit, FormatChoice, Gravity, Length, Operation, Resize, Spec};
use crate::domain::{color::Color, error::Fault, format::Format};

/// The longest side that may be asked for.
pub(super) const MAX_SIDE: u32 = 8000;
/// The farthest place that a crop may begin at.
pub(super) const MAX_OFFSET: u32 = 1_000_000;
/// The most entries of `operations`.
pub(super) const MAX_OPERATIONS: usize = 64;

pub(super) const OPERATIONS: &[&str] = &["resize", "crop", "rotate", "flip", "mirror", "filters"];
pub(super) const OUTPUT: &[&str] = &["format", "quality", "background", "lossless", "progressive"];
const OPERATIONS_TO_COME: &[&str] = &["trim", "round", "watermark", "border"];
const OUTPUT_TO_COME: &[&str] = &["profile", "strip", "max_bytes"];
pub(super) const RESIZE: &[&str] =
    &["width", "height", "aspect", "fit", "gravity", "background", "enlarge", "dpr"];
pub(super) const CROP: &[&str] = &["x", "y", "width", "height", "gravity"];
pub(super) const POINT: &[&str] = &["x", "y"];
pub(super) const FILTERS: &[&str] = &[
    "grayscale",
    "invert",
    "sepia",
    "blur",
    "sharpen",
    "brightness",
    "contrast",
    "saturation",
    "hue",
    "gamma",
];
const FILTERS_TO_COME: &[&str] = &["pixelate", "vignette", "tint"];
pub(super) const FORMATS: &[&str] = &["auto", "gif", "jpeg", "jpg", "png", "webp"];
const FORMATS_TO_COME: &[&str] = &["avif", "bmp", "ico", "qoi", "tif", "tiff"];

impl Spec {
    /// Reads a spec. Every fault is reported, each with its JSON pointer.
    pub fn parse(value: &Value) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut spec = Self::default();
        if let Some(mut fields) = Object::open(value, String::new(), &mut faults) {
            let known = [OPERATIONS, OUTPUT, &["operations"]].concat();
            fields.allow(&known, &[OPERATIONS_TO_COME, OUTPUT_TO_COME].concat());
            spec.read_output(&mut fields);
            spec.read_operations(&mut fields);
        }
        if faults.is_empty() {
            spec.normalise();
            Ok(spec)
        } else {
            Err(faults)
        }
    }

    fn read_output(&mut self, fields: &mut Object<'_, '_>) {
        self.format =
            fields.choice("format", FORMATS, FORMATS_TO_COME).and_then(|name| match name {
                "auto" => Some(FormatChoice::Auto),
                name => Format::from_name(name).map(FormatChoice::Fixed),
            });
        if fields.get("quality").is_some_and(|value| value == "auto") {
            fields.fault(
                "quality",
                "\"auto\" is not supported by this version; must be between 1 and 100",
            );
        } else {
            self.quality = fields.integer("quality", 1, 100);
        }
        self.background = fields.color("background").unwrap_or(Color::WHITE);
        self.lossless = fields.boolean("lossless").unwrap_or(false);
        self.progressive = fields.boolean("progressive").unwrap_or(false);
    }

    fn read_operations(&mut self, fields: &mut Object<'_, '_>) {
        let background = self.background;
        let Some(list) = fields.get("operations") else {
            self.operations = read_object_form(fields, background);
            return;
        };
        for name in OPERATIONS {
            if fields.get(name).is_some() {
                fields.fault(name, "stands inside operations when operations is given");
            }
        }
        let Some(list) = list.as_array() else {
            fields.fault("operations", "must be a list of objects");
            return;
        };
        if list.len() > MAX_OPERATIONS {
            fields.fault(
                "operations",
                format!("has {} entries; at most {MAX_OPERATIONS}", list.len()),
            );
            return;
        }
        for (index, entry) in list.iter().enumerate() {
            let Some(mut entry) = fields.open_at(entry, &format!("operations/{index}")) else {
                continue;
            };
            entry.allow(OPERATIONS, OPERATIONS_TO_COME);
            if entry.len() != 1 {
                entry.fault_here(format!("must hold exactly one of: {}", OPERATIONS.join(", ")));
            }
            self.operations.extend(read_object_form(&mut entry, background));
        }
    }
}

/// The operations that an object holds, in the order that they run in.
fn read_object_form(fields: &mut Object<'_, '_>, background: Color) -> Vec<Operation> {
    let resize = fields.object("resize").and_then(|fields| read_resize(fields, background));
    let crop = fields.object("crop").and_then(read_crop);
    let rotate = fields
        .integer::<i32>("rotate", -360, 360)
        .and_then(|degrees| u16::try_from(degrees.rem_euclid(360)).ok());
    let flip = fields.boolean("flip").unwrap_or(false);
    let mirror = fields.boolean("mirror").unwrap_or(false);
    let filters = fields.object("filters").map(read_filters).unwrap_or_default();

    let shape = [
        resize.map(Operation::Resize),
        crop.map(Operation::Crop),
        rotate.map(Operation::Rotate),
        flip.then_some(Operation::Flip),
        mirror.then_some(Operation::Mirror),
    ];
    shape.into_iter().flatten().chain(filters.into_iter().map(Operation::Filter)).collect()
}

fn read_resize(mut fields: Object<'_, '_>, background: Color) -> Option<Resize> {
    fields.allow(RESIZE, &[]);
    let given = |fields: &Object<'_, '_>, name| fields.get(name).is_some();
    let (has_width, has_height) = (given(&fields, "width"), given(&fields, "height"));
    if !has_width && !has_height {
        fields.fault_here("needs width, height or both");
    }
    if has_width && has_height && given(&fields, "aspect") {
        fields.fault("aspect", "goes with only one of width and height");
    }
    let width = read_length(&mut fields, "width");
    let height = read_length(&mut fields, "height");
    let aspect = read_aspect(&mut fields);
    let fit = fields.named("fit", Fit::NAMES).unwrap_or(Fit::Cover);
    let gravity = read_gravity(&mut fields).unwrap_or(Gravity::CENTER);
    let background = fields.color("background").unwrap_or(background);
    let enlarge = fields.boolean("enlarge").unwrap_or(true);
    let dpr = fields.number("dpr", 0.1, 10.0).unwrap_or(1.0);
    let resize = Resize { width, height, aspect, fit, gravity, background, enlarge, dpr };
    let (cause, sides) =
        if dpr == 1.0 { ("aspect", resize.pixels()) } else { ("dpr", resize.pixels()) };
    for (name, side) in ["width", "height"].into_iter().zip(sides) {
        if let Some(side) = side.filter(|side| *side > MAX_SIDE) {
            fields.fault(cause, format!("makes {name} {side}; at most {MAX_SIDE}"));
        }
    }
    (width.is_some() || height.is_some()).then_some(resize)
}

/// Whole pixels, or a part of the picture's side.
fn read_length(fields: &mut Object<'_, '_>, name: &str) -> Option<Length> {
    let accepted = || format!("must be between 1 and {MAX_SIDE}, or a fraction between 0 and 1");
    let value = fields.get(name)?;
    let length = match value.as_f64().map(object::rounded) {
        Some(fraction) if fraction > 0.0 && fraction < 1.0 => Some(Length::Fraction(fraction)),
        Some(pixels) => object::whole(pixels, 1, MAX_SIDE).map(Length::Pixels),
        None => None,
    };
    if length.is_none() {
        fields.fault(name, accepted());
    }
    length
}

/// `16:9`, `1.5`, or a number.
fn read_aspect(fields: &mut Object<'_, '_>) -> Option<f64> {
    let value = fields.get("aspect")?;
    let ratio = match value {
        Value::String(text) => match text.split_once(':') {
            Some((width, height)) => {
                side(width).zip(side(height)).map(|(width, height)| width / height)
            }
            None => side(text),
        },
        other => other.as_f64(),
    };
    let ratio = ratio.map(object::rounded).filter(|ratio| (0.001..=1000.0).contains(ratio));
    if ratio.is_none() {
        fields.fault("aspect", "must be a ratio between 0.001 and 1000, like \"16:9\" or 1.5");
    }
    ratio
}

fn side(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|side| side.is_finite() && *side > 0.0)
}

fn read_gravity(fields: &mut Object<'_, '_>) -> Option<Gravity> {
    match fields.get("gravity")? {
        Value::Object(_) => {
            let mut point = fields.object("gravity")?;
            point.allow(POINT, &[]);
            for name in POINT {
                point.require(name);
            }
            let (x, y) = (point.number("x", 0.0, 1.0), point.number("y", 0.0, 1.0));
            x.zip(y).map(|(x, y)| Gravity { x, y })
        }
        Value::String(name) if name == "smart" => {
            fields.fault("gravity", "\"smart\" is not supported by this version");
            None
        }
        Value::String(_) => fields.named("gravity", Gravity::NAMES),
        _ => {
            fields.fault("gravity", "must be a name like \"north\", or {\"x\": 0–1, \"y\": 0–1}");
            None
        }
    }
}

fn read_crop(mut fields: Object<'_, '_>) -> Option<Crop> {
    fields.allow(CROP, &[]);
    fields.require("width");
    fields.require("height");
    let width = fields.integer("width", 1, MAX_SIDE);
    let height = fields.integer("height", 1, MAX_SIDE);
    if fields.get("x").is_none() && fields.get("y").is_none() {
        let gravity = read_gravity(&mut fields).unwrap_or(Gravity::CENTER);
        return Some(Crop::Around { width: width?, height: height?, gravity });
    }
    if fields.get("gravity").is_some() {
        fields.fault("gravity", "goes without x and y");
    }
    fields.require("x");
    fields.require("y");
    let x = fields.integer("x", 0, MAX_OFFSET);
    let y = fields.integer("y", 0, MAX_OFFSET);
    Some(Crop::At { x: x?, y: y?, width: width?, height: height? })
}

fn read_filters(mut fields: Object<'_, '_>) -> Vec<Filter> {
    fields.allow(FILTERS, FILTERS_TO_COME);
    let on = |fields: &mut Object<'_, '_>, name| fields.boolean(name).filter(|on| *on);
    let sepia = match fields.get("sepia") {
        Some(Value::Bool(on)) => Some(if *on { 100.0 } else { 0.0 }),
        Some(Value::Number(_)) => fields.number("sepia", 0.0, 100.0),
        Some(_) => {
            fields.fault("sepia", "must be true, false or between 0 and 100");
            None
        }
        None => None,
    };
    let filters = [
        on(&mut fields, "grayscale").map(|_| Filter::Grayscale),
        on(&mut fields, "invert").map(|_| Filter::Invert),
        sepia.map(Filter::Sepia),
        fields.number("blur", 0.0, 250.0).map(Filter::Blur),
        fields.number("sharpen", 0.0, 10.0).map(Filter::Sharpen),
        fields.number("brightness", -100.0, 100.0).map(Filter::Brightness),
        fields.number("contrast", -100.0, 100.0).map(Filter::Contrast),
        fields.number("saturation", -100.0, 100.0).map(Filter::Saturation),
        fields.number("hue", -360.0, 360.0).map(|degrees| Filter::Hue(degrees.rem_euclid(360.0))),
        fields.number("gamma", 0.1, 10.0).map(Filter::Gamma),
    ];
    filters.into_iter().flatten().collect()
}
