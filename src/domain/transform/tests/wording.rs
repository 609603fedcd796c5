//! One meaning in other words, for the properties.

use serde_json::{Value, json};

use super::{
    super::{Operation, Profile, Source, Spec, parse as reader},
    parse,
};
use crate::domain::format::Format;

/// The same in other words: in lists, with every default spelled out and every value in another notation.
pub(super) fn reworded(spec: &Value) -> Value {
    let mut other = in_other_words("", spec);
    for (name, default) in [
        ("strip", json!(true)),
        ("profile", json!("best")),
        ("background", json!("#FFF")),
        ("lossless", json!(false)),
    ] {
        fill(&mut other, name, default);
    }
    if let Some(list) = other.get_mut("operations") {
        let list = list.as_array_mut().unwrap();
        list.insert(0, json!({"filters": {"blur": 0, "colorize": "#ff000000"}}));
        list.push(json!({"watermark": {"text": "unseen", "opacity": 0}}));
        list.push(json!({"trim": false}));
        return other;
    }
    let fields = other.as_object_mut().unwrap();
    let list =
        reader::OPERATIONS.iter().filter_map(|name| Some(json!({*name: fields.remove(*name)?})));
    let list = list.flat_map(one_by_one).collect();
    fields.insert("operations".to_owned(), list);
    other
}

/// Each filter in an entry of its own.
fn one_by_one(entry: Value) -> Vec<Value> {
    match entry["filters"].as_object() {
        Some(filters) => reader::FILTERS
            .iter()
            .filter_map(|name| Some(json!({"filters": {*name: filters.get(*name)?}})))
            .collect(),
        None => vec![entry],
    }
}

pub(super) fn fill(fields: &mut Value, name: &str, default: Value) {
    if fields.get(name).is_none() {
        fields[name] = default;
    }
}

/// `value`, which stands under `name`, in another notation.
fn in_other_words(name: &str, value: &Value) -> Value {
    let text = value.as_str();
    match (name, value) {
        ("background" | "color" | "tint" | "colorize", _) => {
            let color = text.unwrap().parse::<crate::domain::color::Color>().unwrap();
            let digits: String =
                color.channels().iter().map(|byte| format!("{byte:02X}")).collect();
            json!(format!("#{digits}"))
        }
        ("gravity", _) if text == Some("center") => json!({"x": 0.5, "y": 0.5}),
        ("gravity", _) if text == Some("west") => json!({"x": -0.0, "y": 0.5}),
        ("gravity", _) if text == Some("southeast") => json!({"x": 1, "y": 1.0}),
        ("format", _) if text == Some("jpeg") => json!("jpg"),
        ("format", _) if text == Some("tif") => json!("tiff"),
        ("quality", _) if text == Some("auto") => json!("auto:good"),
        ("aspect", Value::Number(ratio)) => json!(ratio.to_string()),
        ("trim", Value::Bool(true)) => json!({"threshold": 10.0}),
        ("sepia", Value::Bool(on)) => json!(if *on { 100 } else { 0 }),
        ("strip", Value::Bool(on)) => {
            json!({"keep": if *on { &[][..] } else { &["icc", "copyright", "exif"][..] }})
        }
        ("keep", Value::Array(names)) => names.iter().rev().chain(names).cloned().collect(),
        ("rotate", Value::Number(degrees)) => match degrees.as_i64().unwrap() {
            degrees @ 1.. => json!(degrees - 360),
            degrees => json!(degrees + 360),
        },
        ("x" | "y" | "round" | "threshold" | "pixelate" | "max_bytes", Value::Number(number)) => {
            json!(number.as_f64().unwrap())
        }
        (_, Value::Array(items)) => items.iter().map(|item| in_other_words("", item)).collect(),
        (_, Value::Object(fields)) => {
            let fields =
                fields.iter().map(|(name, value)| (name.clone(), in_other_words(name, value)));
            let mut other = Value::Object(fields.collect());
            for (name, default) in defaults(name, &other) {
                fill(&mut other, name, default);
            }
            match name {
                "resize" => share_out(&mut other),
                "crop" => begin_before(&mut other),
                _ => {}
            }
            other
        }
        (_, other) => other.clone(),
    }
}

/// Half of each side at twice the dpr, where that is said exactly; and the other `enlarge` where it changes nothing.
fn share_out(resize: &mut Value) {
    let sides = ["width", "height"].map(|name| resize.get(name).and_then(Value::as_f64));
    let dpr = resize["dpr"].as_f64().unwrap();
    let few_digits = |number: f64| (number * 1e3).round() / 1e3 == number;
    let part = |side: f64| side < 1.0;
    let given = || sides.into_iter().flatten();
    let is_exact = few_digits(dpr)
        && given().all(|side| if part(side) { few_digits(side) } else { side % 2.0 == 0.0 });
    if is_exact {
        for (name, side) in ["width", "height"].into_iter().zip(sides) {
            if let Some(side) = side {
                resize[name] = json!(side / 2.0);
            }
        }
        resize["dpr"] = json!(dpr * 2.0);
    }
    if resize.get("aspect").is_none() && given().all(|side| part(side) && side * dpr < 1.0) {
        resize["enlarge"] = json!(!resize["enlarge"].as_bool().unwrap());
    }
}

/// A rectangle that begins before the picture, begun with it; and the other way round.
fn begin_before(crop: &mut Value) {
    if crop["center"] != json!(false) {
        return;
    }
    for (at, side) in [("x", "width"), ("y", "height")] {
        let (begin, length) = (crop[at].as_f64().unwrap(), crop[side].as_f64().unwrap());
        let before = if begin == 0.0 { -7.0 } else { begin.min(0.0) };
        let rest = if begin == 0.0 { length + 7.0 } else { length + before };
        if length >= 1.0 && begin <= 0.0 && (1.0..=8000.0).contains(&rest) {
            (crop[at], crop[side]) = (json!(if begin == 0.0 { before } else { 0.0 }), json!(rest));
        }
    }
}

/// The same result of a picture of `source` in other words: with another value of all that is idle in it.
pub(super) fn idle_otherwise(written: &Value, source: Source) -> Value {
    let spec = parse(written.clone());
    let output = spec.output(source);
    let mut other = written.clone();
    let turns = spec.turns_freely();
    let background = Spec::read(written, Profile::Best).unwrap().background;
    if !turns {
        // Padding that says nothing is made of it.
        pad_with(&mut other, &background.to_string());
        other["background"] = match output {
            Format::Jpeg if spec.may_have_alpha(source) => {
                json!(background.over_white().to_string())
            }
            _ => json!("#abcdef77"),
        };
    }
    let packs = matches!(output, Format::Png | Format::Webp | Format::Avif);
    let resizes = spec.operations.iter().any(|operation| matches!(operation, Operation::Resize(_)));
    if !packs && !resizes && output != Format::Jpeg {
        other["profile"] = json!(if spec.profile == Profile::Best { "fast" } else { "best" });
    }
    let kept = |names: &[&str]| json!({"keep": names});
    let mut names: Vec<&str> = match other.get("strip") {
        Some(Value::Bool(false)) => vec!["exif", "icc"],
        Some(Value::Object(fields)) => {
            fields["keep"].as_array().unwrap().iter().filter_map(Value::as_str).collect()
        }
        _ => Vec::new(),
    };
    if packs {
        names.push("iptc");
    } else if !matches!(output, Format::Jpeg | Format::Tiff) {
        names.extend(["exif", "icc", "iptc", "xmp"]);
    }
    other["strip"] = kept(&names);
    if !matches!(output, Format::Jpeg | Format::Webp | Format::Avif) {
        other["quality"] = json!(33);
        other["lossless"] = json!(true);
    }
    if output != Format::Jpeg {
        other["progressive"] = json!(true);
    } else if spec.profile == Profile::Fast && spec.progressive.is_none() {
        other["progressive"] = json!(false);
    }
    other
}

/// Says of every size that names no background what its padding is made of.
fn pad_with(value: &mut Value, color: &str) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                if name == "resize" {
                    fill(value, "background", json!(color));
                } else {
                    pad_with(value, color);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| pad_with(item, color)),
        _ => {}
    }
}

/// What the object under `name` means where it says nothing.
fn defaults(name: &str, fields: &Value) -> Vec<(&'static str, Value)> {
    match name {
        "resize" => vec![
            ("fit", json!("cover")),
            ("gravity", json!({"x": 0.5, "y": 0.5})),
            ("enlarge", json!(true)),
            ("dpr", json!(1.0)),
        ],
        "crop" if fields.get("x").is_none() => vec![("gravity", json!("center"))],
        "crop" => vec![("center", json!(false))],
        "border" => vec![("color", json!("#000"))],
        "trim" => vec![("threshold", json!(10))],
        "filters" => vec![
            ("grayscale", json!(false)),
            ("blur", json!(-0.0)),
            ("hue", json!(-360)),
            ("gamma", json!(1.0)),
            ("pixelate", json!(1)),
            ("vignette", json!(0)),
            ("tint", json!("#abcdef00")),
            ("colorize", json!("transparent")),
        ],
        "watermark" => {
            let mut all = vec![
                ("opacity", json!(1)),
                ("gravity", json!("center")),
                ("x", json!(0)),
                ("y", json!(0)),
                ("rotate", json!(360)),
                ("tile", json!(false)),
            ];
            if fields.get("text").is_some() {
                all.extend([("color", json!("#000000ff")), ("font", json!("sans"))]);
            }
            all
        }
        _ => Vec::new(),
    }
}

/// The same JSON with the fields of every object written in the opposite order.
pub(super) fn backwards(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .rev()
                .map(|(name, value)| format!("{}: {}", json!(name), backwards(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(backwards).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}
