//! What a spec becomes for one source and one receiver.

use serde_json::{Value, json};

use super::{super::Source, CLEAR_PNG, OPAQUE_JPEG, parse};
use crate::domain::{format::Format, image::Focus};

#[test]
fn defaults_of_the_source_are_dropped() {
    for (written, source, accept, resolved) in [
        (json!({"format": "jpeg", "quality": 80}), OPAQUE_JPEG, None, json!({})),
        (json!({"quality": 80}), OPAQUE_JPEG, None, json!({})),
        (json!({"quality": 70}), CLEAR_PNG, None, json!({})),
        (json!({"format": "png"}), Source { format: Format::Tga, ..OPAQUE_JPEG }, None, json!({})),
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
            json!({"format": "avif"}),
        ),
        (json!({"format": "auto"}), OPAQUE_JPEG, Some("image/*, */*;q=0.8"), json!({})),
        (json!({"format": "auto"}), OPAQUE_JPEG, Some("image/webp;q=0, */*"), json!({})),
        (
            json!({"format": "auto"}),
            CLEAR_PNG,
            Some("image/webp, image/avif;q=0"),
            json!({"format": "webp"}),
        ),
        (
            json!({"format": "auto", "quality": 60}),
            CLEAR_PNG,
            Some("image/webp;q=0.9, image/avif;q=0.1"),
            json!({"format": "avif"}),
        ),
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
fn what_moves_goes_on_moving() {
    let gif = Source { format: Format::Gif, is_animated: true, ..OPAQUE_JPEG };
    let clear = Source { format: Format::Webp, has_alpha: true, ..gif };
    let apng = Source { format: Format::Png, ..clear };
    for (source, accept, format) in [
        (gif, None, "gif"),
        (gif, Some("image/*, */*;q=0.8"), "gif"),
        (gif, Some("image/avif"), "gif"),
        (gif, Some("image/avif,image/webp,*/*"), "webp"),
        (clear, Some("image/webp;q=0, image/avif"), "gif"),
        (clear, Some("image/webp"), "webp"),
        (apng, None, "gif"),
        (apng, Some("image/webp"), "webp"),
        // A single frame is a picture like any other.
        (Source { is_animated: false, ..gif }, Some("image/avif"), "avif"),
        (Source { is_animated: false, ..gif }, None, "jpeg"),
        (Source { is_animated: false, ..apng }, None, "png"),
    ] {
        let resolved = parse(json!({"format": "auto"})).resolved(source, accept);
        assert_eq!(resolved.output(source).as_str(), format, "{source:?} {accept:?}");
    }
    // Outside of HTTP too, and as the engine itself reads it.
    assert_eq!(parse(json!({"format": "auto"})).output(apng), Format::Gif);
    assert_eq!(parse(json!({"format": "avif"})).output(apng), Format::Avif);
}

/// What decides nothing that anybody sees.
#[test]
fn what_is_idle_in_the_result_is_dropped() {
    let fast = |fields: Value| {
        let mut fields = fields;
        fields["profile"] = json!("fast");
        fields
    };
    let red = json!("#ff7f7f");
    for (written, source, resolved) in [
        // A profile says how a picture is resized, and who writes JPEG, PNG, WebP and AVIF.
        (fast(json!({"flip": true})), OPAQUE_JPEG, fast(json!({"flip": true}))),
        (fast(json!({"progressive": false})), OPAQUE_JPEG, fast(json!({}))),
        (json!({"progressive": false}), OPAQUE_JPEG, json!({"progressive": false})),
        (fast(json!({"format": "gif"})), CLEAR_PNG, json!({"format": "gif"})),
        (fast(json!({"resize": {"width": 0.5, "dpr": 2}})), OPAQUE_JPEG, fast(json!({}))),
        (fast(json!({})), CLEAR_PNG, fast(json!({}))),
        (fast(json!({"format": "webp"})), OPAQUE_JPEG, fast(json!({"format": "webp"}))),
        (fast(json!({"resize": {"width": 9}})), OPAQUE_JPEG, fast(json!({"resize": {"width": 9}}))),
        // White lies beneath what lies beneath a JPEG.
        (
            json!({"format": "jpeg", "background": "transparent"}),
            CLEAR_PNG,
            json!({"format": "jpeg"}),
        ),
        (
            json!({"format": "jpeg", "background": "#ff000080"}),
            CLEAR_PNG,
            json!({"format": "jpeg", "background": red}),
        ),
        (
            json!({"format": "jpeg", "background": "#ff7f7f"}),
            CLEAR_PNG,
            json!({"format": "jpeg", "background": red}),
        ),
        // In corners it is mixed with what is beneath them, and padding has its own.
        (
            json!({"format": "jpeg", "background": "#ff000080", "rotate": 30}),
            CLEAR_PNG,
            json!({"format": "jpeg", "background": "#ff000080", "rotate": 30}),
        ),
        (
            json!({"resize": {"width": 9, "height": 9, "fit": "contain"}, "background": "#ff000080"}),
            OPAQUE_JPEG,
            json!({"resize": {"width": 9, "height": 9, "fit": "contain", "background": "#ff000080"}, "background": red}),
        ),
    ] {
        let spec = parse(written.clone()).resolved(source, None);
        assert_eq!(spec.canonical(), resolved, "{written}");
        assert_eq!(parse(spec.canonical()), spec, "{written}");
        assert_eq!(spec.resolved(source, None), spec, "{written}");
    }
}

#[test]
fn auto_minds_the_transparency_that_the_operations_bring() {
    for (fields, format) in [
        (json!({"round": 9}), "png"),
        (json!({"round": "max"}), "png"),
        (json!({"border": {"width": 3}}), "jpeg"),
        (json!({"border": {"width": 3, "color": "#00000080"}}), "png"),
        (json!({"watermark": {"text": "a", "opacity": 0.5}}), "jpeg"),
        (json!({"trim": true}), "jpeg"),
        (json!({"rotate": 30}), "jpeg"),
        (json!({"rotate": 30, "background": "transparent"}), "png"),
        (json!({"filters": {"colorize": "#00000080", "tint": "#ff000080"}}), "jpeg"),
    ] {
        let mut written = fields.clone();
        written["format"] = json!("auto");
        let source = Source { format: Format::Tga, ..OPAQUE_JPEG };
        assert_eq!(parse(written).output(source).as_str(), format, "{fields}");
    }
}

/// The background lies beneath what is transparent, and nowhere else.
#[test]
fn the_background_stays_where_it_is_seen() {
    for (mut written, source, stays) in [
        (json!({}), OPAQUE_JPEG, false),
        (json!({"round": 9}), OPAQUE_JPEG, true),
        (json!({"round": 9, "format": "avif"}), OPAQUE_JPEG, false),
        (json!({"border": {"width": 3}}), OPAQUE_JPEG, false),
        (json!({"border": {"width": 3, "color": "#00000080"}}), OPAQUE_JPEG, true),
        (json!({"watermark": {"text": "a"}}), OPAQUE_JPEG, false),
        (json!({"trim": true}), OPAQUE_JPEG, false),
        (json!({"format": "jpeg"}), CLEAR_PNG, true),
        (json!({"rotate": 30}), CLEAR_PNG, true),
        (json!({"rotate": 90}), CLEAR_PNG, false),
    ] {
        written["background"] = json!("red");
        let spec = parse(written.clone()).resolved(source, None);
        assert_eq!(spec.canonical().get("background").is_some(), stays, "{written}");
    }
}

#[test]
fn what_the_format_can_not_hold_is_not_kept() {
    let kept = |format: Format| {
        let source = Source { format, ..OPAQUE_JPEG };
        parse(json!({"strip": false})).resolved(source, None).canonical().get("strip").is_some()
    };
    for format in [Format::Bmp, Format::Gif, Format::Ico, Format::Qoi] {
        assert!(!kept(format), "{format:?}");
    }
    for format in [Format::Jpeg, Format::Png, Format::Webp, Format::Tiff, Format::Avif, Format::Tga]
    {
        assert!(kept(format), "{format:?}");
    }
}

#[test]
fn a_smart_gravity_becomes_the_point_that_the_owner_named() {
    let source = Source { focus: Some(Focus { x: 0.2, y: 0.3 }), ..OPAQUE_JPEG };
    let (cut, crop) = (
        |gravity: Value| json!({"resize": {"width": 3, "height": 4, "gravity": gravity}}),
        |gravity: Value| json!({"crop": {"width": 3, "height": 4, "gravity": gravity}}),
    );
    let (smart, chosen) = (|| json!("smart"), |x: f64, y: f64| json!({"x": x, "y": y}));
    let listed = |operations: Vec<Value>| json!({"operations": operations});
    for (before, moved) in [
        (json!({"rotate": 0}), Some((0.2, 0.3))),
        (json!({"rotate": 90}), Some((0.7, 0.2))),
        (json!({"rotate": 180}), Some((0.8, 0.7))),
        (json!({"rotate": 270}), Some((0.3, 0.8))),
        (json!({"flip": true}), Some((0.2, 0.7))),
        (json!({"mirror": true}), Some((0.8, 0.3))),
        (json!({"filters": {"blur": 2}}), Some((0.2, 0.3))),
        (json!({"round": 4}), Some((0.2, 0.3))),
        (json!({"watermark": {"text": "a"}}), Some((0.2, 0.3))),
        (json!({"resize": {"width": 50}}), Some((0.2, 0.3))),
        (json!({"resize": {"width": 50, "height": 70, "fit": "fill"}}), Some((0.2, 0.3))),
        // Where it lies now depends on the picture.
        (json!({"resize": {"width": 50, "height": 70, "fit": "contain"}}), None),
        (cut(chosen(0.1, 0.1)), None),
        (crop(chosen(0.1, 0.1)), None),
        (json!({"trim": true}), None),
        (json!({"border": {"width": 3}}), None),
        (json!({"rotate": 45}), None),
    ] {
        for cutting in [cut, crop] {
            let written = parse(listed(vec![before.clone(), cutting(smart())]));
            let gravity = moved.map_or(smart(), |(x, y)| chosen(x, y));
            let expected = parse(listed(vec![before.clone(), cutting(gravity)]));
            let resolved = written.resolved(source, None);
            assert_eq!(resolved.operations, expected.operations, "{before}");
            assert_eq!(resolved.resolved(source, None), resolved, "{before}");
            assert_eq!(written.resolved(OPAQUE_JPEG, None), written, "{before}");
        }
    }
}
