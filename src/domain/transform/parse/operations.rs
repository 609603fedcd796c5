//! The fields that name operations.

use serde_json::Value;

use super::{
    BORDER, FILTERS, MAX_BORDER, MAX_SIDE, TRIM,
    object::Object,
    shape::{read_crop, read_resize},
    watermark::read_watermark,
};
use crate::domain::{
    color::Color,
    transform::{Border, Filter, Operation, Round, Trim},
};

/// The operations that an object holds, in the order that they run in.
pub(super) fn read_object_form(fields: &mut Object<'_, '_>, background: Color) -> Vec<Operation> {
    let trim = read_trim(fields);
    let resize = fields.object("resize").and_then(|fields| read_resize(fields, background));
    let crop = fields.object("crop").and_then(read_crop);
    let rotate = read_degrees(fields);
    let flip = fields.boolean("flip").unwrap_or(false);
    let mirror = fields.boolean("mirror").unwrap_or(false);
    let filters = fields.object("filters").map(read_filters).unwrap_or_default();
    let round = read_round(fields);
    let watermark = fields.object("watermark").and_then(read_watermark);
    let border = fields.object("border").and_then(read_border);

    let shape = [
        trim.map(Operation::Trim),
        resize.map(Operation::Resize),
        crop.map(Operation::Crop),
        rotate.map(Operation::Rotate),
        flip.then_some(Operation::Flip),
        mirror.then_some(Operation::Mirror),
    ];
    let trimmings = [
        round.map(Operation::Round),
        watermark.map(|watermark| Operation::Watermark(Box::new(watermark))),
        border.map(Operation::Border),
    ];
    let filters = filters.into_iter().map(Operation::Filter);
    shape.into_iter().flatten().chain(filters).chain(trimmings.into_iter().flatten()).collect()
}

/// Degrees clockwise, 0 to 359.
pub(super) fn read_degrees(fields: &mut Object<'_, '_>) -> Option<u16> {
    let degrees = fields.integer::<i32>("rotate", -360, 360)?;
    u16::try_from(degrees.rem_euclid(360)).ok()
}

fn read_trim(fields: &mut Object<'_, '_>) -> Option<Trim> {
    match fields.get("trim")? {
        Value::Bool(on) => on.then_some(Trim::DEFAULT),
        Value::Object(_) => {
            let mut fields = fields.object("trim")?;
            fields.allow(TRIM);
            let threshold = fields.integer("threshold", 0, 255);
            Some(threshold.map_or(Trim::DEFAULT, |threshold| Trim { threshold }))
        }
        _ => {
            fields.fault("trim", "must be true, false or {\"threshold\": 0–255}");
            None
        }
    }
}

fn read_round(fields: &mut Object<'_, '_>) -> Option<Round> {
    match fields.get("round")? {
        Value::String(text) if text == "max" => Some(Round::Max),
        Value::Number(_) => fields.integer("round", 1, MAX_SIDE).map(Round::Radius),
        _ => {
            fields.fault("round", format!("must be between 1 and {MAX_SIDE}, or \"max\""));
            None
        }
    }
}

fn read_border(mut fields: Object<'_, '_>) -> Option<Border> {
    fields.allow(BORDER);
    fields.require("width");
    let color = fields.color("color").unwrap_or(Color::BLACK);
    fields.integer("width", 1, MAX_BORDER).map(|width| Border { width, color })
}

fn read_filters(mut fields: Object<'_, '_>) -> Vec<Filter> {
    fields.allow(FILTERS);
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
        fields.integer("pixelate", 1, 256_u32).map(Filter::Pixelate),
        fields.number("vignette", 0.0, 100.0).map(Filter::Vignette),
        fields.color("tint").map(Filter::Tint),
        fields.color("colorize").map(Filter::Colorize),
    ];
    filters.into_iter().flatten().collect()
}
