//! What is refused, and how.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{fault, faults, parse};
use crate::domain::color::Color;

const IMAGE: &str = "0190a7c2-5f0e-7c3a-9d1b-2f6f1c1e4b5a";

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
            json!({"crop": {"x": 1, "y": -1_000_001, "width": 1, "height": 1}}),
            "/crop/y",
            "must be between -1000000 and 1000000",
        ),
        (
            json!({"crop": {"width": 1, "height": 1, "center": true}}),
            "/crop/center",
            "goes with x and y",
        ),
        (
            json!({"crop": {"x": 1, "y": 1, "width": 1, "height": 1, "center": 1}}),
            "/crop/center",
            "must be true or false",
        ),
        (
            json!({"crop": {"x": 1, "y": 1, "width": 1, "height": 1, "gravity": "north"}}),
            "/crop/gravity",
            "goes without x and y",
        ),
        (json!({"crop": {"x": 1, "width": 1, "height": 1}}), "/crop/y", "is required"),
        (
            json!({"crop": {"width": 1, "height": 2.5}}),
            "/crop/height",
            "must be between 1 and 8000, or a fraction between 0 and 1",
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
            "must hold exactly one of: trim, resize, crop, rotate, flip, mirror, filters, round, watermark, border",
        ),
        (
            json!({"operations": [{"flip": true}, {"crop": {"width": 0, "height": 1}}]}),
            "/operations/1/crop/width",
            "must be between 1 and 8000, or a fraction between 0 and 1",
        ),
        (
            json!({"operations": [], "flip": true}),
            "/flip",
            "stands inside operations when operations is given",
        ),
        (json!([]), "", "must be an object"),
        (json!({"trim": 3}), "/trim", "must be true, false or {\"threshold\": 0–255}"),
        (json!({"trim": {"threshold": 256}}), "/trim/threshold", "must be between 0 and 255"),
        (json!({"trim": {"threshold": null}}), "/trim/threshold", "must be between 0 and 255"),
        (json!({"round": 0}), "/round", "must be between 1 and 8000"),
        (json!({"round": "full"}), "/round", "must be between 1 and 8000, or \"max\""),
        (json!({"border": {}}), "/border/width", "is required"),
        (json!({"border": {"width": 1001}}), "/border/width", "must be between 1 and 1000"),
        (json!({"filters": {"pixelate": 257}}), "/filters/pixelate", "must be between 1 and 256"),
        (json!({"filters": {"vignette": -1}}), "/filters/vignette", "must be between 0 and 100"),
        (json!({"filters": {"tint": 7}}), "/filters/tint", Color::ACCEPTED),
        (json!({"filters": {"colorize": "hot"}}), "/filters/colorize", Color::ACCEPTED),
        (json!({"max_bytes": 0}), "/max_bytes", "must be between 1 and 1000000000"),
        (json!({"max_bytes": 1_000_000_001}), "/max_bytes", "must be between 1 and 1000000000"),
        (json!({"profile": "good"}), "/profile", "must be one of: best, fast"),
        (
            json!({"quality": "auto:poor"}),
            "/quality",
            "must be between 1 and 100, or one of: auto, auto:best, auto:good, auto:eco, auto:low",
        ),
        (json!({"strip": "all"}), "/strip", "must be true, false or {\"keep\": […]}"),
        (json!({"strip": {}}), "/strip/keep", "is required"),
        (
            json!({"strip": {"keep": "exif"}}),
            "/strip/keep",
            "must be a list of: copyright, exif, icc, iptc, xmp",
        ),
        (
            json!({"strip": {"keep": ["icc", "gps"]}}),
            "/strip/keep/1",
            "must be one of: copyright, exif, icc, iptc, xmp",
        ),
        (
            json!({"format": "svg"}),
            "/format",
            "must be one of: auto, jpeg, png, webp, gif, tiff, bmp, ico, qoi, avif, jpg, tif",
        ),
    ] {
        assert_eq!(fault(value.clone()), (pointer.to_owned(), detail.to_owned()), "{value}");
    }
}

#[test]
fn faults_of_watermarks_name_the_limit() {
    for (fields, pointer, detail) in [
        (json!({}), "", "needs exactly one of text and image_id"),
        (json!({"text": "a", "image_id": IMAGE}), "", "needs exactly one of text and image_id"),
        (json!({"text": ""}), "/text", "must have between 1 and 1000 characters"),
        (json!({"text": "ä".repeat(1001)}), "/text", "must have between 1 and 1000 characters"),
        (json!({"text": "a\tb"}), "/text", "must have no control characters but \\n"),
        (json!({"text": "a\u{9f}"}), "/text", "must have no control characters but \\n"),
        (json!({"text": 7}), "/text", "must be a text of 1 to 1000 characters"),
        (json!({"image_id": "7"}), "/image_id", "must be the id of an image"),
        (json!({"text": "a", "opacity": 1.1}), "/opacity", "must be between 0 and 1"),
        (json!({"text": "a", "scale": 0}), "/scale", "must be above 0, at most 1"),
        (json!({"text": "a", "scale": 1.01}), "/scale", "must be above 0, at most 1"),
        (json!({"text": "a", "size": 2000.5}), "/size", "must be between 1 and 2000"),
        (json!({"image_id": IMAGE, "size": 8001}), "/size", "must be between 1 and 8000"),
        (
            json!({"image_id": IMAGE, "size": 9.5}),
            "/size",
            "must be a whole number between 1 and 8000",
        ),
        (json!({"text": "a", "size": 20, "scale": 0.5}), "/size", "goes without scale"),
        (json!({"image_id": IMAGE, "font": "sans"}), "/font", "goes with text, not with image_id"),
        (json!({"image_id": IMAGE, "color": "red"}), "/color", "goes with text, not with image_id"),
        (
            json!({"text": "a", "font": "Arial"}),
            "/font",
            "must be one of: sans, sans bold, sans italic, sans bold italic",
        ),
        (json!({"text": "a", "x": 8001}), "/x", "must be between -8000 and 8000"),
        (json!({"text": "a", "y": -8001}), "/y", "must be between -8000 and 8000"),
        (json!({"text": "a", "rotate": 400}), "/rotate", "must be between -360 and 360"),
        (json!({"text": "a", "tile": 1}), "/tile", "must be true or false"),
        (
            json!({"text": "a", "gravity": "smart"}),
            "/gravity",
            "\"smart\" is for resize and crop; a watermark needs a place like \"southeast\", or {\"x\": 0–1, \"y\": 0–1}",
        ),
        (
            json!({"text": "a", "gravity": {"x": 1.5, "y": 0}}),
            "/gravity/x",
            "must be between 0 and 1",
        ),
    ] {
        let pointer = format!("/watermark{pointer}");
        let value = json!({"watermark": fields});
        assert_eq!(fault(value.clone()), (pointer, detail.to_owned()), "{value}");
    }
    // The longest that are allowed; characters are counted, not bytes.
    parse(json!({"watermark": {"text": "ä\n".repeat(500), "size": 2000}}));
    parse(json!({"watermark": {"image_id": IMAGE, "size": 8000, "x": -8000, "y": 8000}}));
}

#[test]
fn every_fault_of_the_trimmings_is_reported_at_once() {
    let faults = faults(json!({
        "trim": {"threshold": -1, "treshold": 3},
        "round": "min",
        "watermark": {"text": "", "image_id": "x", "opacity": 2, "tile": "yes", "weight": 3},
        "border": {"color": "blurple"},
        "filters": {"pixelate": 0, "vignette": "dark", "tint": "", "colorize": null},
        "profile": 1,
        "quality": true,
        "max_bytes": "1k",
        "strip": {"keep": ["all", 3], "drop": []},
    }));
    let pointers: BTreeSet<_> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
    let expected = [
        "/border/color",
        "/border/width",
        "/filters/colorize",
        "/filters/pixelate",
        "/filters/tint",
        "/filters/vignette",
        "/max_bytes",
        "/profile",
        "/quality",
        "/round",
        "/strip/drop",
        "/strip/keep/0",
        "/strip/keep/1",
        "/trim/threshold",
        "/trim/treshold",
        "/watermark",
        "/watermark/image_id",
        "/watermark/opacity",
        "/watermark/text",
        "/watermark/tile",
        "/watermark/weight",
    ];
    assert_eq!(pointers, BTreeSet::from(expected));
    assert_eq!(faults.len(), expected.len());
}

#[test]
fn what_stands_in_a_list_is_pointed_at() {
    for (value, pointer) in [
        (json!({"operations": [{"flip": true}, {"trim": 1}]}), "/operations/1/trim"),
        (
            json!({"operations": [{"watermark": {"text": "a", "size": 0}}]}),
            "/operations/0/watermark/size",
        ),
        (json!({"operations": [{"border": {"width": 0}}]}), "/operations/0/border/width"),
    ] {
        assert_eq!(fault(value).0, pointer);
    }
    for name in ["trim", "round", "watermark", "border"] {
        let (pointer, detail) = fault(json!({"operations": [], name: trimming(name)}));
        assert_eq!(pointer, format!("/{name}"));
        assert!(detail.starts_with("stands inside operations"), "{detail}");
    }
}

fn trimming(name: &str) -> Value {
    match name {
        "watermark" => json!({"text": "a"}),
        "border" => json!({"width": 3}),
        "round" => json!("max"),
        _ => json!(true),
    }
}

#[test]
fn unknown_fields_are_faults_with_the_nearest_name() {
    for (value, pointer, nearest) in [
        (json!({"resise": {}}), "/resise", "resize"),
        (json!({"resize": {"widht": 3, "height": 3}}), "/resize/widht", "width"),
        (json!({"filters": {"greyscale": true}}), "/filters/greyscale", "grayscale"),
        (json!({"watermark": {"text": "a", "colour": "red"}}), "/watermark/colour", "color"),
        (json!({"border": {"width": 3, "size": 3}}), "/border/size", ""),
        (json!({"filters": {"pixellate": 3}}), "/filters/pixellate", "pixelate"),
        (json!({"max_byte": 3}), "/max_byte", "max_bytes"),
        (json!({"a/b~c": 1}), "/a~1b~0c", ""),
    ] {
        let (at, detail) = fault(value);
        assert_eq!(at, pointer);
        assert!(detail.starts_with("unknown field") && detail.ends_with(nearest), "{detail}");
    }
}
