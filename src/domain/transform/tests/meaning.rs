//! One meaning has one form, and another meaning another.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    super::{Profile, Spec},
    parse,
};

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
        (json!({"format": "webp", "progressive": false}), json!({"format": "webp"})),
        (
            json!({"format": "jpeg", "progressive": false}),
            json!({"format": "jpeg", "progressive": false}),
        ),
        (
            json!({"format": "webp", "quality": 7, "lossless": true}),
            json!({"format": "webp", "lossless": true}),
        ),
        (json!({"quality": 80}), json!({"quality": 80})),
        (json!({"background": "white", "lossless": false}), json!({})),
        (json!({"trim": false}), json!({})),
        (json!({"trim": {}}), json!({"trim": true})),
        (json!({"trim": {"threshold": 10}}), json!({"trim": true})),
        // No two colours are farther apart.
        (json!({"trim": {"threshold": 255}}), json!({})),
        (json!({"trim": {"threshold": 0}}), json!({"trim": {"threshold": 0}})),
        (json!({"round": 5.0}), json!({"round": 5})),
        (json!({"round": "max"}), json!({"round": "max"})),
        (json!({"border": {"width": 3, "color": "black"}}), json!({"border": {"width": 3}})),
        // It can't be seen, but the picture is larger.
        (
            json!({"border": {"width": 3, "color": "#12340000"}}),
            json!({"border": {"width": 3, "color": "#00000000"}}),
        ),
        (
            json!({"filters": {"pixelate": 1, "vignette": 0, "tint": "transparent", "colorize": "#ff000000"}}),
            json!({}),
        ),
        (
            json!({"filters": {"colorize": "RED", "tint": "#FFF", "vignette": 7.0, "pixelate": 2}}),
            json!({"filters": {"colorize": "#ff0000", "tint": "#ffffff", "vignette": 7, "pixelate": 2}}),
        ),
        (
            json!({"watermark": {"text": "a", "opacity": 1, "gravity": "center", "x": 0, "y": 0, "color": "black",
                "font": "sans", "rotate": 360, "tile": false}}),
            json!({"watermark": {"text": "a"}}),
        ),
        (
            json!({"watermark": {"text": "a\n", "opacity": 0.5, "gravity": {"x": 1, "y": 1}, "x": -3, "color": "white",
                "font": "sans bold italic", "rotate": -90, "tile": true, "size": 20.0}}),
            json!({"watermark": {"text": "a\n", "opacity": 0.5, "gravity": "southeast", "x": -3, "color": "#ffffff",
                "font": "sans bold italic", "rotate": 270, "tile": true, "size": 20}}),
        ),
        (
            json!({"watermark": {"image_id": "0190a7c2-5f0e-7c3a-9d1b-2f6f1c1e4b5a", "scale": 0.25, "gravity": {"x": 0.25, "y": 0}}}),
            json!({"watermark": {"image_id": "0190a7c2-5f0e-7c3a-9d1b-2f6f1c1e4b5a", "scale": 0.25, "gravity": {"x": 0.25, "y": 0}}}),
        ),
        (json!({"watermark": {"text": "a", "opacity": 0}}), json!({})),
        (json!({"watermark": {"text": "a", "color": "#ffffff00"}}), json!({})),
        (json!({"watermark": {"text": " \n "}}), json!({})),
        (
            json!({"operations": [{"border": {"width": 3}}, {"round": 9}]}),
            json!({"operations": [{"border": {"width": 3}}, {"round": 9}]}),
        ),
        (
            json!({"operations": [{"round": 9}, {"border": {"width": 3}}]}),
            json!({"round": 9, "border": {"width": 3}}),
        ),
        (
            json!({"operations": [{"watermark": {"text": "a"}}, {"watermark": {"text": "b"}}]}),
            json!({"operations": [{"watermark": {"text": "a"}}, {"watermark": {"text": "b"}}]}),
        ),
        (
            json!({"operations": [{"trim": true}, {"resize": {"width": 9}}]}),
            json!({"trim": true, "resize": {"width": 9}}),
        ),
        (
            json!({"resize": {"width": 3, "height": 4, "gravity": "smart"}}),
            json!({"resize": {"width": 3, "height": 4, "gravity": "smart"}}),
        ),
        // Nothing is cut off, so there is nothing to look for.
        (json!({"resize": {"width": 3, "gravity": "smart"}}), json!({"resize": {"width": 3}})),
        (
            json!({"resize": {"width": 3, "height": 4, "fit": "contain", "gravity": "smart"}}),
            json!({"resize": {"width": 3, "height": 4, "fit": "contain"}}),
        ),
        (
            json!({"crop": {"width": 3, "height": 4, "gravity": "smart"}}),
            json!({"crop": {"width": 3, "height": 4, "gravity": "smart"}}),
        ),
        (json!({"quality": "auto:good"}), json!({"quality": "auto"})),
        (
            json!({"quality": "auto:eco", "format": "avif"}),
            json!({"quality": "auto:eco", "format": "avif"}),
        ),
        (json!({"quality": "auto", "format": "png"}), json!({"format": "png"})),
        (json!({"quality": 60, "format": "avif"}), json!({"format": "avif"})),
        (json!({"quality": 80, "format": "avif"}), json!({"quality": 80, "format": "avif"})),
        (
            json!({"lossless": true, "format": "avif", "quality": 7}),
            json!({"lossless": true, "format": "avif"}),
        ),
        (json!({"lossless": true, "format": "tif"}), json!({"format": "tiff"})),
        (json!({"profile": "best", "max_bytes": 1000.0}), json!({"max_bytes": 1000})),
        (json!({"profile": "fast"}), json!({"profile": "fast"})),
        (json!({"strip": true}), json!({})),
        (json!({"strip": {"keep": []}}), json!({})),
        (json!({"strip": false}), json!({"strip": false})),
        (json!({"strip": {"keep": ["icc", "copyright", "exif", "icc"]}}), json!({"strip": false})),
        (
            json!({"strip": {"keep": ["xmp", "iptc", "copyright"]}}),
            json!({"strip": {"keep": ["copyright", "iptc", "xmp"]}}),
        ),
        (json!({"strip": {"keep": ["exif", "copyright"]}}), json!({"strip": {"keep": ["exif"]}})),
        (json!({"strip": false, "format": "bmp"}), json!({"format": "bmp"})),
        // A JPEG and a TIFF have a place for IPTC's fields, these have none.
        (json!({"strip": {"keep": ["iptc"]}, "format": "png"}), json!({"format": "png"})),
        (
            json!({"strip": {"keep": ["iptc", "xmp"]}, "format": "avif"}),
            json!({"strip": {"keep": ["xmp"]}, "format": "avif"}),
        ),
        (
            json!({"strip": {"keep": ["exif", "icc", "iptc"]}, "format": "webp"}),
            json!({"strip": false, "format": "webp"}),
        ),
        (
            json!({"strip": {"keep": ["iptc"]}, "format": "jpeg"}),
            json!({"strip": {"keep": ["iptc"]}, "format": "jpeg"}),
        ),
        (json!({"strip": false, "format": "webp"}), json!({"format": "webp", "strip": false})),
        // Corners are transparent where the format holds that, and filled where it does not.
        (
            json!({"round": 9, "background": "red", "format": "webp"}),
            json!({"round": 9, "format": "webp"}),
        ),
        (
            json!({"round": 9, "background": "red", "format": "jpeg"}),
            json!({"round": 9, "background": "#ff0000", "format": "jpeg"}),
        ),
    ] {
        let spec = parse(written.clone());
        assert_eq!(spec.canonical(), canonical, "{written}");
        assert_eq!(parse(canonical), spec, "{written}");
    }
}

/// Pairs of rectangles that are the same part of every picture.
#[test]
fn one_part_has_one_form() {
    let at = |x: i32, y: i32, width: u32, height: u32| json!({"x": x, "y": y, "width": width, "height": height});
    let around = |x: i32, y: i32, width: u32, height: u32| json!({"x": x, "y": y, "width": width, "height": height, "center": true});
    for (written, canonical) in [
        // What lies before the picture is cut off in any case.
        (at(-5, 3, 20, 10), at(0, 3, 15, 10)),
        (at(5, -3, 20, 10), at(5, 0, 20, 7)),
        // Nothing of this is left, which is refused with the picture.
        (at(-20, 3, 20, 10), at(-20, 3, 20, 10)),
        (json!({"x": 1, "y": 2, "width": 3, "height": 4, "center": false}), at(1, 2, 3, 4)),
        // Before the picture begins there is nothing to be in the middle of.
        (around(5, 30, 21, 10), around(10, 30, 21, 10)),
        (around(-10, 30, 21, 10), around(10, 30, 21, 10)),
        (around(-11, 30, 21, 10), around(-11, 30, 21, 10)),
        (around(5, 2, 21, 10), at(0, 0, 21, 10)),
        (around(11, 5, 21, 10), around(11, 5, 21, 10)),
        (
            json!({"width": 0.5, "height": 0.250_000_000_1, "x": -5, "y": 9}),
            json!({"width": 0.5, "height": 0.25, "x": -5, "y": 9}),
        ),
        (json!({"width": 0.999_999_999, "height": 5}), json!({"width": 0.999_999_9, "height": 5})),
    ] {
        let spec = parse(json!({"crop": written}));
        assert_eq!(spec.canonical(), json!({"crop": canonical}), "{written}");
        assert_eq!(parse(json!({"crop": canonical})), spec, "{written}");
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
fn the_hash_is_that_of_the_canonical_text() {
    assert_eq!(
        Spec::default().hash(),
        // sha256 of `{}`.
        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    );
}

#[test]
fn a_spec_that_names_no_profile_means_the_one_it_is_read_with() {
    let read = |value: Value, profile| Spec::parse_with(&value, profile).unwrap();
    let fast = read(json!({"flip": true}), Profile::Fast);
    assert_eq!(fast.canonical(), json!({"flip": true, "profile": "fast"}));
    assert_eq!(fast, parse(json!({"flip": true, "profile": "fast"})));
    let best = read(json!({"profile": "best"}), Profile::Fast);
    assert_eq!(best, read(json!({}), Profile::Best));
    // What was stored means the same under every setting.
    assert_eq!(parse(fast.canonical()), fast);
    assert_eq!(parse(best.canonical()), best);
}

/// A spec in which every field means something.
fn everything() -> Value {
    json!({
        "trim": {"threshold": 20},
        "resize": {"width": 0.6, "aspect": 1.5, "fit": "contain", "gravity": {"x": 0.25, "y": 0.75},
            "background": "#102030", "enlarge": false, "dpr": 2},
        "crop": {"width": 300, "height": 200, "gravity": "north"},
        "rotate": 45,
        "flip": true,
        "filters": {"grayscale": true, "invert": true, "sepia": 10, "blur": 2, "sharpen": 1, "brightness": 3, "contrast": 4,
            "saturation": 5, "hue": 6, "gamma": 2, "pixelate": 7, "vignette": 8, "tint": "#010203", "colorize": "#04050607"},
        "round": 9,
        "watermark": {"text": "a", "opacity": 0.5, "gravity": "south", "x": 1, "y": 2, "size": 20, "color": "#ffffff",
            "font": "sans bold", "rotate": 30, "tile": true},
        "border": {"width": 3, "color": "#ffffff"},
        "format": "jpeg",
        "quality": 70,
        "max_bytes": 100_000,
        "profile": "fast",
        "strip": {"keep": ["icc"]},
        "background": "#aabbcc",
        "progressive": true,
    })
}

#[test]
fn another_value_of_any_field_is_another_spec() {
    let everything = everything();
    assert_eq!(parse(everything.clone()).canonical(), everything, "every field is written down");
    let image = json!({"image_id": "0190a7c2-5f0e-7c3a-9d1b-2f6f1c1e4b5a"});
    let mut hashes = BTreeMap::from([(parse(everything.clone()).hash(), "nothing".to_owned())]);
    for (pointer, values) in [
        ("/trim", json!([true, {"threshold": 0}, false])),
        ("/resize/width", json!([0.7, 500])),
        ("/resize/aspect", json!([1.6, "4:3"])),
        ("/resize/fit", json!(["inside", "outside", "fill", "cover"])),
        ("/resize/gravity", json!([{"x": 0.2, "y": 0.75}, {"x": 0.25, "y": 0.7}, "west"])),
        ("/resize/background", json!(["#102031", "#aabbcc", "#10203040"])),
        ("/resize/enlarge", json!([true])),
        ("/resize/dpr", json!([1, 3])),
        (
            "/crop",
            json!([{"width": 300, "height": 200, "x": 0, "y": 0}, {"width": 300, "height": 200, "x": 1, "y": 0},
                {"width": 300, "height": 200, "x": 200, "y": 150, "center": true},
                {"width": 300, "height": 200, "x": 200, "y": 150}]),
        ),
        ("/crop/width", json!([301, 0.5])),
        ("/crop/height", json!([201, 0.25, 0.5])),
        ("/crop/gravity", json!(["smart", "center"])),
        ("/rotate", json!([44, 46, 90, 0])),
        ("/flip", json!([false])),
        ("/filters/grayscale", json!([false])),
        ("/filters/invert", json!([false])),
        ("/filters/sepia", json!([11, true, 0])),
        ("/filters/blur", json!([2.000001, 0])),
        ("/filters/sharpen", json!([1.5, 0])),
        ("/filters/brightness", json!([-3, 0])),
        ("/filters/contrast", json!([-4, 0])),
        ("/filters/saturation", json!([-5, 0])),
        ("/filters/hue", json!([-6, 0])),
        ("/filters/gamma", json!([1, 0.5])),
        ("/filters/pixelate", json!([8, 1])),
        ("/filters/vignette", json!([9, 0])),
        ("/filters/tint", json!(["#010204", "#01020380", "transparent"])),
        ("/filters/colorize", json!(["#04050608", "#040506", "transparent"])),
        ("/round", json!([10, "max"])),
        ("/watermark", json!([image])),
        ("/watermark/text", json!(["b", "a ", "a\n"])),
        ("/watermark/opacity", json!([1, 0.4])),
        ("/watermark/gravity", json!(["north", "center", {"x": 0.5, "y": 0.9}])),
        ("/watermark/x", json!([-1, 0])),
        ("/watermark/y", json!([-2, 0])),
        ("/watermark/size", json!([21, 20.5])),
        ("/watermark/color", json!(["black", "#fffffe", "#fffffffe"])),
        ("/watermark/font", json!(["sans", "sans italic", "sans bold italic"])),
        ("/watermark/rotate", json!([-30, 0])),
        ("/watermark/tile", json!([false])),
        ("/border/width", json!([4])),
        ("/border/color", json!(["black", "#ffffff80"])),
        ("/format", json!(["auto", "png", "webp", "gif", "tiff", "bmp", "ico", "qoi", "avif"])),
        ("/quality", json!([71, 80, "auto", "auto:best", "auto:eco", "auto:low"])),
        ("/max_bytes", json!([100_001])),
        ("/profile", json!(["best"])),
        (
            "/strip",
            json!([true, false, {"keep": ["exif"]}, {"keep": ["iptc"]}, {"keep": ["xmp"]}, {"keep": ["copyright"]}]),
        ),
        ("/background", json!(["white", "#aabbcd"])),
        ("/progressive", json!([false])),
    ] {
        for value in values.as_array().unwrap() {
            let mut other = everything.clone();
            *other.pointer_mut(pointer).unwrap() = value.clone();
            let what = format!("{pointer} = {value}");
            if let Some(same) = hashes.insert(parse(other).hash(), what.clone()) {
                panic!("{what} means the same as {same}");
            }
        }
    }
    for value in [true, false] {
        let spec = parse(json!({"format": "webp", "lossless": value}));
        assert_eq!(spec.canonical().get("lossless").is_some(), value);
    }
}
