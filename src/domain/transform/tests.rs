//! What a spec must hold to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod properties;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use utoipa::PartialSchema;

use super::{Source, Spec, parse, schema};
use crate::domain::{error::Fault, format::Format};

fn parse(value: Value) -> Spec {
    Spec::parse(&value).unwrap_or_else(|faults| panic!("{value}: {faults:?}"))
}

fn faults(value: Value) -> Vec<Fault> {
    Spec::parse(&value).expect_err("a fault")
}

/// The only fault of `value`.
fn fault(value: Value) -> (String, String) {
    let mut faults = faults(value);
    assert_eq!(faults.len(), 1, "{faults:?}");
    let Fault { pointer, detail } = faults.remove(0);
    (pointer, detail)
}

const OPAQUE_JPEG: Source = Source { format: Format::Jpeg, has_alpha: false };
const CLEAR_PNG: Source = Source { format: Format::Png, has_alpha: true };

#[test]
fn every_fault_is_reported_at_once() {
    let faults = faults(json!({
        "resize": {"width": 12000, "height": 0, "fit": "covre", "gravity": {"x": 2}},
        "crop": {"width": -1},
        "rotate": 361,
        "filters": {"blur": 251, "sepia": "brown"},
        "quality": 101,
        "background": "blurple",
        "flip": "yes",
    }));
    let pointers: BTreeSet<_> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
    let expected = [
        "/background",
        "/crop/height",
        "/crop/width",
        "/filters/blur",
        "/filters/sepia",
        "/flip",
        "/quality",
        "/resize/fit",
        "/resize/gravity/x",
        "/resize/gravity/y",
        "/resize/height",
        "/resize/width",
        "/rotate",
    ];
    assert_eq!(pointers, BTreeSet::from(expected));
    assert_eq!(faults.len(), expected.len());
}

#[test]
fn faults_name_the_limit() {
    for (value, pointer, detail) in [
        (
            json!({"resize": {"width": 8001}}),
            "/resize/width",
            "must be between 1 and 8000, or a fraction between 0 and 1",
        ),
        (
            json!({"resize": {"width": 0}}),
            "/resize/width",
            "must be between 1 and 8000, or a fraction between 0 and 1",
        ),
        (
            json!({"resize": {"width": 1.5}}),
            "/resize/width",
            "must be between 1 and 8000, or a fraction between 0 and 1",
        ),
        (
            json!({"resize": {"width": "300"}}),
            "/resize/width",
            "must be between 1 and 8000, or a fraction between 0 and 1",
        ),
        (
            json!({"resize": {"width": null}}),
            "/resize/width",
            "must be between 1 and 8000, or a fraction between 0 and 1",
        ),
        (json!({"resize": {}}), "/resize", "needs width, height or both"),
        (json!({"resize": 300}), "/resize", "must be an object"),
        (
            json!({"resize": {"width": 5000, "dpr": 2}}),
            "/resize/dpr",
            "makes width 10000; at most 8000",
        ),
        (
            json!({"resize": {"width": 5000, "aspect": "1:2"}}),
            "/resize/aspect",
            "makes height 10000; at most 8000",
        ),
        (
            json!({"resize": {"width": 5, "height": 5, "aspect": 1}}),
            "/resize/aspect",
            "goes with only one of width and height",
        ),
        (
            json!({"crop": {"x": 1, "y": -1, "width": 1, "height": 1}}),
            "/crop/y",
            "must be between 0 and 1000000",
        ),
        (json!({"crop": {"x": 1, "width": 1, "height": 1}}), "/crop/y", "is required"),
        (
            json!({"crop": {"width": 1, "height": 2.5}}),
            "/crop/height",
            "must be a whole number between 1 and 8000",
        ),
        (json!({"rotate": 1e300}), "/rotate", "must be a whole number between -360 and 360"),
        (json!({"quality": 0}), "/quality", "must be between 1 and 100"),
        (json!({"filters": {"gamma": 0}}), "/filters/gamma", "must be between 0.1 and 10"),
        (json!({"operations": {}}), "/operations", "must be a list of objects"),
        (
            json!({"operations": vec![json!({"flip": true}); 65]}),
            "/operations",
            "has 65 entries; at most 64",
        ),
        (
            json!({"operations": [{"flip": true, "mirror": true}]}),
            "/operations/0",
            "must hold exactly one of: resize, crop, rotate, flip, mirror, filters",
        ),
        (
            json!({"operations": [{"flip": true}, {"crop": {"width": 0, "height": 1}}]}),
            "/operations/1/crop/width",
            "must be between 1 and 8000",
        ),
        (
            json!({"operations": [], "flip": true}),
            "/flip",
            "stands inside operations when operations is given",
        ),
        (json!([]), "", "must be an object"),
    ] {
        assert_eq!(fault(value.clone()), (pointer.to_owned(), detail.to_owned()), "{value}");
    }
}

#[test]
fn unknown_fields_are_faults_with_the_nearest_name() {
    for (value, pointer, nearest) in [
        (json!({"resise": {}}), "/resise", "resize"),
        (json!({"resize": {"widht": 3, "height": 3}}), "/resize/widht", "width"),
        (json!({"filters": {"greyscale": true}}), "/filters/greyscale", "grayscale"),
        (json!({"a/b~c": 1}), "/a~1b~0c", ""),
    ] {
        let (at, detail) = fault(value);
        assert_eq!(at, pointer);
        assert!(detail.starts_with("unknown field") && detail.ends_with(nearest), "{detail}");
    }
}

#[test]
fn what_is_to_come_is_refused_by_name() {
    for (value, pointer) in [
        (json!({"trim": true}), "/trim"),
        (json!({"round": "max"}), "/round"),
        (json!({"watermark": {}}), "/watermark"),
        (json!({"border": {}}), "/border"),
        (json!({"profile": "fast"}), "/profile"),
        (json!({"strip": false}), "/strip"),
        (json!({"max_bytes": 1}), "/max_bytes"),
        (json!({"quality": "auto"}), "/quality"),
        (json!({"format": "avif"}), "/format"),
        (json!({"filters": {"pixelate": 3}}), "/filters/pixelate"),
        (json!({"resize": {"width": 3, "gravity": "smart"}}), "/resize/gravity"),
        (json!({"operations": [{"flip": true}, {"trim": true}]}), "/operations/1/trim"),
    ] {
        let (at, detail) = fault(value);
        assert_eq!(at, pointer);
        assert!(detail.contains("not supported by this version"), "{detail}");
    }
}

/// Pairs that mean the same, whatever the picture.
#[test]
fn one_meaning_has_one_form() {
    for (written, canonical) in [
        (json!({}), json!({})),
        (
            json!({"rotate": 0, "flip": false, "mirror": false, "filters": {"blur": 0, "sepia": false, "hue": 360}}),
            json!({}),
        ),
        (json!({"operations": []}), json!({})),
        (json!({"rotate": -90}), json!({"rotate": 270})),
        (json!({"rotate": 360}), json!({})),
        (json!({"rotate": 180, "flip": true}), json!({"mirror": true})),
        (json!({"flip": true, "mirror": true}), json!({"rotate": 180})),
        (
            json!({"operations": [{"flip": true}, {"rotate": 90}]}),
            json!({"rotate": 270, "flip": true}),
        ),
        (
            json!({"operations": [{"rotate": 45}, {"rotate": 45}]}),
            json!({"operations": [{"rotate": 45}, {"rotate": 45}]}),
        ),
        (
            json!({"operations": [{"resize": {"width": 9}}, {"flip": true}]}),
            json!({"resize": {"width": 9}, "flip": true}),
        ),
        (
            json!({"operations": [{"flip": true}, {"resize": {"width": 9}}]}),
            json!({"operations": [{"flip": true}, {"resize": {"width": 9}}]}),
        ),
        (
            json!({"operations": [{"filters": {"grayscale": true}}, {"filters": {"blur": 2}}]}),
            json!({"filters": {"grayscale": true, "blur": 2}}),
        ),
        (
            json!({"operations": [{"filters": {"blur": 2.5}}, {"filters": {"grayscale": true, "gamma": 2}}]}),
            json!({"operations": [{"filters": {"blur": 2.5}}, {"filters": {"grayscale": true, "gamma": 2}}]}),
        ),
        (json!({"filters": {"sepia": true}}), json!({"filters": {"sepia": 100}})),
        (
            json!({"resize": {"width": 300.0, "fit": "inside", "gravity": "north", "dpr": 1}}),
            json!({"resize": {"width": 300}}),
        ),
        (
            json!({"resize": {"width": 300, "aspect": "16:9"}}),
            json!({"resize": {"width": 300, "height": 169}}),
        ),
        (
            json!({"resize": {"width": 150, "height": 100, "dpr": 2}}),
            json!({"resize": {"width": 300, "height": 200}}),
        ),
        (
            json!({"resize": {"width": 0.5, "dpr": 2, "aspect": "2"}}),
            json!({"resize": {"width": 0.5, "dpr": 2, "aspect": 2}}),
        ),
        (
            json!({"resize": {"width": 3, "height": 4, "gravity": {"x": 1, "y": 0.5}, "enlarge": true, "background": "red"}}),
            json!({"resize": {"width": 3, "height": 4, "gravity": "east"}}),
        ),
        (
            json!({"resize": {"width": 3, "height": 4, "fit": "contain", "background": "#F00"}}),
            json!({"resize": {"width": 3, "height": 4, "fit": "contain", "background": "#ff0000"}}),
        ),
        (
            json!({"resize": {"width": 3, "height": 4, "fit": "contain", "background": "red"}, "background": "red"}),
            json!({"resize": {"width": 3, "height": 4, "fit": "contain"}, "background": "#ff0000"}),
        ),
        (
            json!({"crop": {"width": 3, "height": 4, "gravity": "center"}}),
            json!({"crop": {"width": 3, "height": 4}}),
        ),
        (json!({"format": "jpg", "quality": 80}), json!({"format": "jpeg"})),
        (
            json!({"format": "png", "quality": 7, "progressive": true, "background": "red"}),
            json!({"format": "png"}),
        ),
        (
            json!({"format": "webp", "quality": 7, "lossless": true}),
            json!({"format": "webp", "lossless": true}),
        ),
        (json!({"quality": 80}), json!({"quality": 80})),
        (json!({"background": "white", "lossless": false}), json!({})),
    ] {
        let spec = parse(written.clone());
        assert_eq!(spec.canonical(), canonical, "{written}");
        assert_eq!(parse(canonical), spec, "{written}");
    }
}

#[test]
fn padding_that_says_white_stays_white_on_another_background() {
    let contain = |background: Value| json!({"width": 3, "height": 4, "fit": "contain", "background": background});
    let spec =
        parse(json!({"resize": contain(json!("white")), "background": "red", "format": "jpeg"}));
    let canonical = spec.canonical();
    assert_eq!(canonical["resize"]["background"], "#ffffff");
    assert_eq!(parse(canonical), spec);
}

#[test]
fn defaults_of_the_source_are_dropped() {
    for (written, source, accept, resolved) in [
        (json!({"format": "jpeg", "quality": 80}), OPAQUE_JPEG, None, json!({})),
        (json!({"quality": 80}), OPAQUE_JPEG, None, json!({})),
        (json!({"quality": 70}), CLEAR_PNG, None, json!({})),
        (
            json!({"format": "png"}),
            Source { format: Format::Tiff, has_alpha: false },
            None,
            json!({}),
        ),
        (json!({"format": "auto"}), OPAQUE_JPEG, None, json!({})),
        (json!({"format": "auto"}), CLEAR_PNG, None, json!({})),
        (
            json!({"format": "auto"}),
            Source { has_alpha: false, ..CLEAR_PNG },
            None,
            json!({"format": "jpeg"}),
        ),
        (
            json!({"format": "auto"}),
            OPAQUE_JPEG,
            Some("image/avif,image/webp,*/*"),
            json!({"format": "webp"}),
        ),
        (json!({"format": "auto"}), OPAQUE_JPEG, Some("image/*, */*;q=0.8"), json!({})),
        (json!({"format": "auto"}), OPAQUE_JPEG, Some("image/webp;q=0, */*"), json!({})),
        (
            json!({"format": "auto"}),
            OPAQUE_JPEG,
            Some("Image/WebP; q=0.1"),
            json!({"format": "webp"}),
        ),
        (
            json!({"format": "jpeg", "background": "red"}),
            CLEAR_PNG,
            None,
            json!({"format": "jpeg", "background": "#ff0000"}),
        ),
        (json!({"background": "red"}), OPAQUE_JPEG, None, json!({})),
        (
            json!({"background": "red", "rotate": 30}),
            OPAQUE_JPEG,
            None,
            json!({"background": "#ff0000", "rotate": 30}),
        ),
    ] {
        let spec = parse(written.clone()).resolved(source, accept);
        assert_eq!(spec.canonical(), resolved, "{written}");
        assert_eq!(spec.resolved(source, accept), spec, "{written}");
    }
}

#[test]
fn the_hash_is_that_of_the_canonical_text() {
    assert_eq!(
        Spec::default().hash(),
        // sha256 of `{}`.
        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    );
}

/// The names under `properties` of a schema, at a path of property names.
fn documented(path: &[&str]) -> BTreeSet<String> {
    let mut schema = serde_json::to_value(Spec::schema()).unwrap();
    for name in path {
        let mut field = schema["properties"][name].clone();
        if let Some(any) = field["oneOf"].as_array() {
            // Optional: null, or what is meant.
            field = any.iter().find(|one| one["type"] != "null").cloned().unwrap_or_default();
        }
        schema = if field["items"].is_object() { field["items"].clone() } else { field };
    }
    let properties = schema["properties"].as_object();
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

    let values = |schema| serde_json::to_value(schema).unwrap()["enum"].clone();
    assert_eq!(values(schema::FormatNames::schema()), json!(parse::FORMATS));
    let names_of = |names: Vec<&str>| json!(names);
    assert_eq!(
        values(schema::FitNames::schema()),
        names_of(super::Fit::NAMES.iter().map(|(name, _)| *name).collect())
    );
    assert_eq!(
        values(schema::GravityNames::schema()),
        names_of(super::Gravity::NAMES.iter().map(|(name, _)| *name).collect())
    );
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
