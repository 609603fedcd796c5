//! The fields of `watermark`.

use super::{
    MAX_LETTER, MAX_SHIFT, MAX_SIDE, MAX_TEXT, WATERMARK, object::Object, operations::read_degrees,
    shape::read_gravity,
};
use crate::domain::{
    color::Color,
    ids::ImageId,
    transform::{Extent, Font, Gravity, Mark, Point, Watermark},
};

/// What means something to letters alone.
const OF_TEXT: &[&str] = &["color", "font"];

pub(super) fn read_watermark(mut fields: Object<'_, '_>) -> Option<Watermark> {
    fields.allow(WATERMARK);
    let mark = read_mark(&mut fields);
    let extent = read_extent(&mut fields);
    let opacity = fields.number("opacity", 0.0, 1.0).unwrap_or(1.0);
    let gravity = read_place(&mut fields);
    let x = fields.integer("x", -MAX_SHIFT, MAX_SHIFT).unwrap_or(0);
    let y = fields.integer("y", -MAX_SHIFT, MAX_SHIFT).unwrap_or(0);
    let rotate = read_degrees(&mut fields).unwrap_or(0);
    let tile = fields.boolean("tile").unwrap_or(false);
    Some(Watermark { mark: mark?, extent, opacity, gravity, x, y, rotate, tile })
}

fn read_mark(fields: &mut Object<'_, '_>) -> Option<Mark> {
    let (text, image) = (fields.get("text"), fields.get("image_id"));
    if text.is_some() == image.is_some() {
        fields.fault_here("needs exactly one of text and image_id");
    }
    // Each is looked at, so that all that is wrong is said at once.
    let image = image.and_then(|_| read_image(fields));
    let text = text.and_then(|_| read_text(fields));
    let font = fields.named("font", Font::NAMES).unwrap_or_default();
    let color = fields.color("color").unwrap_or(Color::BLACK);
    if fields.get("text").is_none() && fields.get("image_id").is_some() {
        for name in OF_TEXT {
            if fields.get(name).is_some() {
                fields.fault(name, "goes with text, not with image_id");
            }
        }
    }
    match (text, image) {
        (Some(text), None) => Some(Mark::Text { text, font, color }),
        (None, Some(id)) => Some(Mark::Image(id)),
        _ => None,
    }
}

fn read_image(fields: &mut Object<'_, '_>) -> Option<ImageId> {
    let id = fields.get("image_id")?.as_str().and_then(|text| text.parse().ok());
    if id.is_none() {
        fields.fault("image_id", "must be the id of an image");
    }
    id
}

fn read_text(fields: &mut Object<'_, '_>) -> Option<String> {
    let text = fields.get("text")?.as_str();
    let fault = match text {
        Some(text) if text.is_empty() || text.chars().count() > MAX_TEXT => {
            format!("must have between 1 and {MAX_TEXT} characters")
        }
        Some(text) if text.chars().any(|c| c.is_control() && c != '\n') => {
            "must have no control characters but \\n".to_owned()
        }
        Some(text) => return Some(text.to_owned()),
        None => format!("must be a text of 1 to {MAX_TEXT} characters"),
    };
    fields.fault("text", fault);
    None
}

fn read_extent(fields: &mut Object<'_, '_>) -> Extent {
    let given = |name| fields.get(name).is_some();
    if given("scale") && given("size") {
        fields.fault("size", "goes without scale");
    }
    let scale = fields.part("scale").map(Extent::Scale);
    let size = if fields.get("image_id").is_some() {
        fields.integer("size", 1, MAX_SIDE).map(f64::from)
    } else {
        fields.number("size", 1.0, MAX_LETTER)
    };
    scale.or(size.map(Extent::Size)).unwrap_or(Extent::Natural)
}

/// A watermark lies at a place that is named: nothing is looked for.
fn read_place(fields: &mut Object<'_, '_>) -> Point {
    let middle = Point { x: 0.5, y: 0.5 };
    match read_gravity(fields) {
        Some(Gravity::Point(point)) => point,
        Some(Gravity::Smart) => {
            let detail = "\"smart\" is for resize and crop; a watermark needs a place like \"southeast\", or {\"x\": 0–1, \"y\": 0–1}";
            fields.fault("gravity", detail);
            middle
        }
        None => middle,
    }
}
