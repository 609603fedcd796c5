//! The fields of `resize` and `crop`, and the gravity that they share with watermarks.

use serde_json::Value;

use super::{
    CROP, MAX_DPR, MAX_OFFSET, MAX_SIDE, POINT, RESIZE,
    object::{Object, rounded, whole},
};
use crate::domain::{
    color::Color,
    transform::{Crop, Fit, Gravity, Length, Place, Resize},
};

pub(super) fn read_resize(mut fields: Object<'_, '_>, background: Color) -> Option<Resize> {
    fields.allow(RESIZE);
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
    let dpr = fields.number("dpr", 0.1, MAX_DPR).unwrap_or(1.0);
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

/// Whole pixels, or a part of the picture's side. Which of them is decided before anything is rounded: a hair less than 1 is
/// nearly the whole side, not one pixel.
fn read_length(fields: &mut Object<'_, '_>, name: &str) -> Option<Length> {
    let accepted = || format!("must be between 1 and {MAX_SIDE}, or a fraction between 0 and 1");
    let value = fields.get(name)?;
    let length = match value.as_f64() {
        Some(part) if part > 0.0 && part < 1.0 => Some(Length::part(part)),
        Some(pixels) => whole(rounded(pixels), 1, MAX_SIDE).map(Length::Pixels),
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
    let ratio = ratio.map(rounded).filter(|ratio| (0.001..=1000.0).contains(ratio));
    if ratio.is_none() {
        fields.fault("aspect", "must be a ratio between 0.001 and 1000, like \"16:9\" or 1.5");
    }
    ratio
}

fn side(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|side| side.is_finite() && *side > 0.0)
}

pub(super) fn read_gravity(fields: &mut Object<'_, '_>) -> Option<Gravity> {
    match fields.get("gravity")? {
        Value::Object(_) => {
            let mut point = fields.object("gravity")?;
            point.allow(POINT);
            for name in POINT {
                point.require(name);
            }
            let (x, y) = (point.number("x", 0.0, 1.0), point.number("y", 0.0, 1.0));
            x.zip(y).map(|(x, y)| Gravity::at(x, y))
        }
        Value::String(_) => fields.named("gravity", Gravity::NAMES),
        _ => {
            fields.fault("gravity", "must be a name like \"north\", or {\"x\": 0–1, \"y\": 0–1}");
            None
        }
    }
}

pub(super) fn read_crop(mut fields: Object<'_, '_>) -> Option<Crop> {
    fields.allow(CROP);
    fields.require("width");
    fields.require("height");
    let width = read_length(&mut fields, "width");
    let height = read_length(&mut fields, "height");
    let place = read_place(&mut fields);
    Some(Crop { width: width?, height: height?, place: place? })
}

/// Where a rectangle lies.
fn read_place(fields: &mut Object<'_, '_>) -> Option<Place> {
    let is_middle = fields.boolean("center").unwrap_or(false);
    if fields.get("x").is_none() && fields.get("y").is_none() {
        if fields.get("center").is_some() {
            fields.fault("center", "goes with x and y");
        }
        return Some(Place::Around(read_gravity(fields).unwrap_or(Gravity::CENTER)));
    }
    if fields.get("gravity").is_some() {
        fields.fault("gravity", "goes without x and y");
    }
    fields.require("x");
    fields.require("y");
    let x = fields.integer("x", -MAX_OFFSET, MAX_OFFSET);
    let y = fields.integer("y", -MAX_OFFSET, MAX_OFFSET);
    let (x, y) = x.zip(y)?;
    Some(if is_middle { Place::Middle { x, y } } else { Place::Corner { x, y } })
}
