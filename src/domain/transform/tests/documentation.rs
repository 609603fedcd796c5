//! The documentation says what the parser does.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use utoipa::PartialSchema;

use super::super::{Auto, Fit, Font, Gravity, Profile, Spec, parse, schema::values};

/// The schema of a field, at a path of property names.
fn field(path: &[&str]) -> Value {
    path.iter().fold(serde_json::to_value(Spec::schema()).unwrap(), |schema, name| {
        let schema = if schema["items"].is_object() { &schema["items"] } else { &schema };
        let object = find(schema, &|value| value["properties"].is_object());
        object.unwrap_or_else(|| panic!("{path:?}: {schema}"))["properties"][name].clone()
    })
}

/// The names under `properties` of a schema, at a path of property names.
fn documented(path: &[&str]) -> BTreeSet<String> {
    let schema = field(path);
    let object = find(&schema, &|value| value["properties"].is_object());
    let properties = object.and_then(|object| object["properties"].as_object());
    properties.unwrap_or_else(|| panic!("{path:?}: {schema}")).keys().cloned().collect()
}

#[test]
fn the_documentation_has_the_fields_that_are_read() {
    let names =
        |lists: &[&[&str]]| lists.concat().into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(documented(&[]), names(&[parse::OPERATIONS, parse::OUTPUT, &["operations"]]));
    assert_eq!(documented(&["operations"]), names(&[parse::OPERATIONS]));
    assert_eq!(documented(&["resize"]), names(&[parse::RESIZE]));
    assert_eq!(documented(&["crop"]), names(&[parse::CROP]));
    assert_eq!(documented(&["filters"]), names(&[parse::FILTERS]));

    assert_eq!(documented(&["watermark"]), names(&[parse::WATERMARK]));
    assert_eq!(documented(&["border"]), names(&[parse::BORDER]));
    assert_eq!(documented(&["trim"]), names(&[parse::TRIM]));
    assert_eq!(documented(&["strip"]), names(&[parse::STRIP]));
}

/// The first value inside of `value` that is wanted.
fn find<'v>(value: &'v Value, wanted: &dyn Fn(&Value) -> bool) -> Option<&'v Value> {
    if wanted(value) {
        return Some(value);
    }
    match value {
        Value::Object(fields) => fields.values().find_map(|value| find(value, wanted)),
        Value::Array(items) => items.iter().find_map(|value| find(value, wanted)),
        _ => None,
    }
}

/// Every object of a spec, with what it can't do without.
fn objects() -> [(&'static [&'static str], Value); 8] {
    let image = "0190a7c2-5f0e-7c3a-9d1b-2f6f1c1e4b5a";
    [
        (&[], json!({})),
        (&["resize"], json!({"width": 9})),
        (&["crop"], json!({"width": 9, "height": 9})),
        (&["crop"], json!({"width": 9, "height": 9, "x": 0, "y": 0})),
        (&["filters"], json!({})),
        (&["watermark"], json!({"text": "a"})),
        (&["watermark"], json!({"image_id": image})),
        (&["border"], json!({"width": 3})),
    ]
}

/// Whether the spec is good in which the object at `path` is `base` with `name` set to `value`.
fn is_read(path: &[&str], base: &Value, name: &str, value: Value) -> bool {
    let mut spec = base.clone();
    spec[name] = value;
    for outer in path.iter().rev() {
        spec = json!({*outer: spec});
    }
    Spec::parse(&spec).is_ok()
}

#[test]
fn every_field_is_described_with_an_example_that_is_read() {
    for (path, _) in objects() {
        for name in documented(path) {
            let field = field(&[path, &[name.as_str()]].concat());
            assert!(field["description"].is_string(), "{path:?} {name}: {field}");
            let is_example =
                |value: &Value| value["example"] != json!(null) || value["examples"].is_array();
            let holder =
                find(&field, &is_example).unwrap_or_else(|| panic!("{path:?} {name}: {field}"));
            let example = holder.get("example").unwrap_or(&holder["examples"][0]).clone();
            // What is documented of a list is one of its entries.
            let example = if name == "operations" { json!([example]) } else { example };
            let bases = objects().into_iter().filter(|(other, _)| *other == path);
            let is_read = bases.map(|(_, base)| is_read(path, &base, &name, example.clone()));
            assert!(is_read.into_iter().any(|good| good), "{path:?} {name}: {example}");
        }
    }
}

#[test]
fn the_example_of_a_spec_is_one() {
    let example = field(&[])["example"].clone();
    assert_eq!(Spec::parse(&example).unwrap().canonical(), example);
}

#[test]
fn the_documented_ranges_are_those_that_are_read() {
    let mut bounds = 0;
    for (path, base) in objects() {
        for name in documented(path) {
            // With a place or without, of a text or of a picture.
            let goes = match name.as_str() {
                "x" | "y" => path != ["crop"] || base.get("x").is_some(),
                "size" => base.get("image_id").is_some(),
                _ => true,
            };
            let field = field(&[path, &[name.as_str()]].concat());
            let read = |value: f64| is_read(path, &base, &name, json!(value));
            for (bound, step) in [("minimum", -1.0), ("maximum", 1.0), ("exclusiveMinimum", -1.0)] {
                if let (Some(limit), true) = (field[bound].as_f64(), goes) {
                    assert_eq!(read(limit), bound != "exclusiveMinimum", "{path:?} {name} {limit}");
                    assert!(!read(limit + step), "{path:?} {name} {}", limit + step);
                    bounds += 1;
                }
            }
        }
    }
    assert!(bounds > 50, "{bounds}");
}

#[test]
fn the_documentation_has_the_names_that_are_read() {
    for (path, name, known) in [
        (&[][..], "format", parse::formats()),
        (&[], "profile", names_of(Profile::NAMES)),
        (&[], "quality", names_of(Auto::NAMES)),
        (&["resize"], "fit", names_of(Fit::NAMES)),
        (&["resize"], "gravity", names_of(Gravity::NAMES)),
        (&["crop"], "gravity", names_of(Gravity::NAMES)),
        (&["watermark"], "gravity", values::places()),
        (&["watermark"], "font", names_of(Font::NAMES)),
    ] {
        let field = field(&[path, &[name]].concat());
        let names = find(&field, &|value| value["enum"].is_array()).unwrap()["enum"].clone();
        assert_eq!(names, json!(known), "{path:?} {name}");
        for known in known {
            let mut bases = objects().into_iter().filter(|(other, _)| *other == path);
            let (_, mut base) = bases.next().unwrap();
            if path == ["resize"] {
                base["height"] = json!(9);
            }
            assert!(is_read(path, &base, name, json!(known)), "{path:?} {name} {known}");
        }
    }
}

fn names_of<T>(names: &[(&'static str, T)]) -> Vec<&'static str> {
    names.iter().map(|(name, _)| *name).collect()
}

#[test]
fn the_documentation_points_at_nothing_that_is_missing() {
    #[derive(utoipa::OpenApi)]
    #[openapi(components(schemas(Spec)))]
    struct Api;
    let api = serde_json::to_value(<Api as utoipa::OpenApi>::openapi()).unwrap();
    let text = api.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(api.pointer(pointer).is_some(), "{pointer}");
    }
    assert!(api.pointer("/components/schemas/Spec/properties/resize").is_some());
}
