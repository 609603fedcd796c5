//! The one way to write a spec down, and its hash.

use serde_json::{Map, Number, Value, json};
use sha2::{Digest, Sha256};

use super::{
    Border, Crop, Extent, Filter, Fit, Font, FormatChoice, Gravity, Keep, Length, Mark, Operation,
    Place, Profile, Quality, Resize, Round, Spec, Trim, Watermark,
};
use crate::domain::color::Color;

impl Spec {
    /// The spec as JSON: keys sorted, nothing in it that is a default or has no effect. Parsing it gives an equal spec.
    pub fn canonical(&self) -> Value {
        let mut fields = Map::new();
        // The object form says the same with less, whenever the order is the one it runs in.
        if self.operations.is_sorted_by(follows) {
            self.write(&self.operations, &mut fields);
        } else {
            let steps = self.operations.chunk_by(same_step).map(|step| {
                let mut fields = Map::new();
                self.write(step, &mut fields);
                Value::Object(fields)
            });
            fields.insert("operations".to_owned(), steps.collect());
        }
        match self.format {
            Some(FormatChoice::Fixed(format)) => put(&mut fields, "format", format.as_str()),
            Some(FormatChoice::Auto) => put(&mut fields, "format", "auto"),
            None => {}
        }
        match self.quality {
            Some(Quality::Fixed(quality)) => put(&mut fields, "quality", quality),
            Some(Quality::Auto(auto)) => put(&mut fields, "quality", auto.name()),
            None => {}
        }
        if let Some(bytes) = self.max_bytes {
            put(&mut fields, "max_bytes", bytes);
        }
        if self.profile != Profile::Best {
            put(&mut fields, "profile", name_of(Profile::NAMES, self.profile));
        }
        match self.keep {
            Keep::NOTHING => {}
            Keep::UNSTRIPPED => put(&mut fields, "strip", false),
            keep => put(&mut fields, "strip", json!({"keep": keep.names()})),
        }
        if self.background != Color::WHITE {
            put(&mut fields, "background", self.background.to_string());
        }
        if self.lossless {
            put(&mut fields, "lossless", true);
        }
        if let Some(progressive) = self.progressive {
            put(&mut fields, "progressive", progressive);
        }
        sorted(Value::Object(fields))
    }

    /// SHA-256 of the canonical JSON, hex. Equal specs have equal hashes.
    pub fn hash(&self) -> String {
        Sha256::digest(self.canonical().to_string())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    fn write(&self, operations: &[Operation], fields: &mut Map<String, Value>) {
        let mut filters = Map::new();
        for operation in operations {
            match operation {
                Operation::Resize(resize) => put(fields, "resize", self.resize(resize)),
                Operation::Crop(crop) => put(fields, "crop", write_crop(crop)),
                Operation::Rotate(degrees) => put(fields, "rotate", *degrees),
                Operation::Flip => put(fields, "flip", true),
                Operation::Mirror => put(fields, "mirror", true),
                Operation::Filter(filter) => put(&mut filters, filter.name(), strength(filter)),
                Operation::Trim(trim) => put(fields, "trim", write_trim(*trim)),
                Operation::Round(Round::Max) => put(fields, "round", "max"),
                Operation::Round(Round::Radius(radius)) => put(fields, "round", *radius),
                Operation::Watermark(mark) => put(fields, "watermark", write_watermark(mark)),
                Operation::Border(border) => put(fields, "border", write_border(*border)),
            }
        }
        if !filters.is_empty() {
            put(fields, "filters", Value::Object(filters));
        }
    }

    fn resize(&self, resize: &Resize) -> Value {
        let mut fields = Map::new();
        for (name, side) in [("width", resize.width), ("height", resize.height)] {
            if let Some(side) = side {
                put_length(&mut fields, name, side);
            }
        }
        if let Some(aspect) = resize.aspect {
            put(&mut fields, "aspect", number(aspect));
        }
        if resize.fit != Fit::Cover {
            put(&mut fields, "fit", name_of(Fit::NAMES, resize.fit));
        }
        put_gravity(&mut fields, resize.gravity);
        // Padding that says nothing is made of the spec's own background.
        if resize.pads() && resize.background != self.background {
            put(&mut fields, "background", resize.background.to_string());
        }
        if !resize.enlarge {
            put(&mut fields, "enlarge", false);
        }
        if resize.dpr != 1.0 {
            put(&mut fields, "dpr", number(resize.dpr));
        }
        Value::Object(fields)
    }
}

fn follows(first: &Operation, second: &Operation) -> bool {
    first.rank() < second.rank()
}

/// Whether two neighbours share one entry of `operations`: filters do, where their own order allows it.
fn same_step(first: &Operation, second: &Operation) -> bool {
    matches!((first, second), (Operation::Filter(_), Operation::Filter(_)))
        && follows(first, second)
}

fn write_crop(crop: &Crop) -> Value {
    let mut fields = Map::new();
    put_length(&mut fields, "width", crop.width);
    put_length(&mut fields, "height", crop.height);
    match crop.place {
        Place::Corner { x, y } | Place::Middle { x, y } => {
            put(&mut fields, "x", x);
            put(&mut fields, "y", y);
        }
        Place::Around(gravity) => put_gravity(&mut fields, gravity),
    }
    if matches!(crop.place, Place::Middle { .. }) {
        put(&mut fields, "center", true);
    }
    Value::Object(fields)
}

fn write_trim(trim: Trim) -> Value {
    if trim == Trim::DEFAULT { Value::Bool(true) } else { json!({"threshold": trim.threshold}) }
}

fn write_border(border: Border) -> Value {
    let mut fields = Map::new();
    put(&mut fields, "width", border.width);
    put_color(&mut fields, border.color);
    Value::Object(fields)
}

fn write_watermark(watermark: &Watermark) -> Value {
    let mut fields = Map::new();
    match &watermark.mark {
        Mark::Image(id) => put(&mut fields, "image_id", id.to_string()),
        Mark::Text { text, font, color } => {
            put(&mut fields, "text", text.as_str());
            put_color(&mut fields, *color);
            if *font != Font::default() {
                put(&mut fields, "font", name_of(Font::NAMES, *font));
            }
        }
    }
    match watermark.extent {
        Extent::Natural => {}
        Extent::Size(size) => put(&mut fields, "size", number(size)),
        Extent::Scale(scale) => put(&mut fields, "scale", number(scale)),
    }
    if watermark.opacity != 1.0 {
        put(&mut fields, "opacity", number(watermark.opacity));
    }
    put_gravity(&mut fields, Gravity::Point(watermark.gravity));
    let shifts = [("x", watermark.x), ("y", watermark.y), ("rotate", watermark.rotate.into())];
    for (name, value) in shifts {
        if value != 0 {
            put(&mut fields, name, value);
        }
    }
    if watermark.tile {
        put(&mut fields, "tile", true);
    }
    Value::Object(fields)
}

/// The first name that `names` has for `value`.
fn name_of<T: PartialEq>(names: &[(&'static str, T)], value: T) -> Option<&'static str> {
    names.iter().find(|(_, named)| *named == value).map(|(name, _)| *name)
}

fn put(fields: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    fields.insert(name.to_owned(), value.into());
}

fn put_length(fields: &mut Map<String, Value>, name: &str, length: Length) {
    match length {
        Length::Pixels(pixels) => put(fields, name, pixels),
        Length::Fraction(fraction) => put(fields, name, number(fraction)),
    }
}

/// The colour of letters and frames.
fn put_color(fields: &mut Map<String, Value>, color: Color) {
    if color != Color::BLACK {
        put(fields, "color", color.to_string());
    }
}

fn put_gravity(fields: &mut Map<String, Value>, gravity: Gravity) {
    if gravity == Gravity::CENTER {
        return;
    }
    let value = match (name_of(Gravity::NAMES, gravity), gravity) {
        (None, Gravity::Point(point)) => json!({"x": number(point.x), "y": number(point.y)}),
        (name, _) => json!(name),
    };
    put(fields, "gravity", value);
}

fn strength(filter: &Filter) -> Value {
    match *filter {
        Filter::Grayscale | Filter::Invert => Value::Bool(true),
        Filter::Sepia(value)
        | Filter::Blur(value)
        | Filter::Sharpen(value)
        | Filter::Brightness(value)
        | Filter::Contrast(value)
        | Filter::Saturation(value)
        | Filter::Hue(value)
        | Filter::Gamma(value)
        | Filter::Vignette(value) => number(value),
        Filter::Pixelate(block) => Value::from(block),
        Filter::Tint(color) | Filter::Colorize(color) => Value::from(color.to_string()),
    }
}

/// A number in one form: whole ones without a point.
#[allow(clippy::cast_possible_truncation)] // The range is checked first.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e9 {
        Value::from(value as i64)
    } else {
        Number::from_f64(value).map_or(Value::Null, Value::Number)
    }
}

/// The same value with the keys of every object in order, however the map keeps them.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.into_iter().collect();
            fields.sort_by(|(first, _), (second, _)| first.cmp(second));
            Value::Object(fields.into_iter().map(|(name, value)| (name, sorted(value))).collect())
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        other => other,
    }
}
