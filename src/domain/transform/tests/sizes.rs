//! Sizes that mean the same, whatever the picture.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::parse;

/// A part of one side beside pixels of the other: whatever `dpr` shares them out, two such sizes have one form just when both
/// sides come to the same, a part to six digits.
#[test]
fn a_part_beside_pixels_has_one_form() {
    let mut forms = HashMap::new();
    let dprs: [f64; 14] =
        [0.5, 1.0, 1.05, 1.25, 1.5, 1.999_999, 2.0, 2.5, 3.0, 3.3, 4.0, 5.0, 8.0, 10.0];
    for dpr in dprs {
        for part in [0.05_f64, 0.1, 0.2, 0.25, 0.4, 0.5, 0.6, 0.75, 0.8, 0.9, 0.999_999] {
            for pixels in (1..=40).map(f64::from).chain([100.0, 101.0, 799.0, 800.0]) {
                let spec = parse(json!({"resize": {"width": part, "height": pixels, "dpr": dpr}}));
                let meaning = ((part * dpr * 1e6).round(), (pixels * dpr).round().max(1.0));
                let meaning = format!("{meaning:?}");
                let form = spec.canonical().to_string();
                assert_eq!(parse(spec.canonical()), spec, "{form}");
                assert_eq!(
                    forms.entry(meaning.clone()).or_insert(form.clone()),
                    &form,
                    "{meaning}"
                );
            }
        }
    }
    let different: HashSet<_> = forms.values().collect();
    assert_eq!(different.len(), forms.len());
}

/// Pairs of sizes that mean the same, whatever the picture; `null` keeps the size that it has.
#[test]
fn one_size_has_one_form() {
    for (written, canonical) in [
        // Parts of the picture's own sides have the dpr in them while they are parts.
        (json!({"width": 0.25, "dpr": 2}), json!({"width": 0.5})),
        (json!({"width": 0.9, "dpr": 0.5}), json!({"width": 0.45})),
        (json!({"width": 0.25, "dpr": 2, "aspect": "2"}), json!({"width": 0.5, "aspect": 2})),
        (json!({"width": 0.25, "height": 101, "dpr": 1.5}), json!({"width": 0.375, "height": 152})),
        // Then they are parts of the least dpr of 2, 5 and 10.
        (json!({"width": 0.4, "dpr": 3}), json!({"width": 0.6, "dpr": 2})),
        (json!({"height": 0.8, "dpr": 2.75}), json!({"height": 0.44, "dpr": 5})),
        (json!({"width": 0.75, "dpr": 8}), json!({"width": 0.6, "dpr": 10})),
        (
            json!({"width": 0.4, "height": 0.3, "dpr": 3, "fit": "fill"}),
            json!({"width": 0.6, "height": 0.45, "dpr": 2, "fit": "fill"}),
        ),
        (
            json!({"width": 0.25, "dpr": 4, "aspect": 2}),
            json!({"width": 0.5, "dpr": 2, "aspect": 2}),
        ),
        // Beside pixels they are parts of the first dpr, of the fewest digits, that brings back both: 151 is nothing times 2.
        (
            json!({"width": 0.75, "height": 100, "dpr": 2}),
            json!({"width": 0.75, "height": 100, "dpr": 2}),
        ),
        (
            json!({"width": 0.6, "height": 80, "dpr": 2.5}),
            json!({"width": 0.75, "height": 100, "dpr": 2}),
        ),
        (
            json!({"width": 0.9, "height": 100, "dpr": 1.51}),
            json!({"width": 0.970_714_3, "height": 108, "dpr": 1.4}),
        ),
        (
            json!({"width": 7, "height": 0.999_999_9, "dpr": 1.3}),
            json!({"width": 3, "height": 0.433_333_3, "dpr": 3}),
        ),
        // One pixel more, or a hair more of the side, is another size.
        (
            json!({"width": 0.75, "height": 101, "dpr": 2}),
            json!({"width": 0.75, "height": 101, "dpr": 2}),
        ),
        (
            json!({"width": 0.750_001, "height": 100, "dpr": 2}),
            json!({"width": 0.750_001, "height": 100, "dpr": 2}),
        ),
        // All of it is no change.
        (json!({"width": 0.5, "dpr": 2}), Value::Null),
        (json!({"height": 0.25, "dpr": 4, "enlarge": false}), Value::Null),
        (json!({"width": 0.5, "height": 0.5, "dpr": 2, "fit": "contain"}), Value::Null),
        (json!({"width": 0.9, "dpr": 2, "enlarge": false}), Value::Null),
        (json!({"width": 0.9, "height": 0.6, "dpr": 2, "enlarge": false}), Value::Null),
        (
            json!({"width": 0.9, "height": 7, "dpr": 2, "fit": "outside", "enlarge": false}),
            Value::Null,
        ),
        (json!({"width": 0.5, "height": 0.2, "dpr": 2, "fit": "outside"}), Value::Null),
        // A hair less than all of it is all of it, not one pixel.
        (json!({"width": 0.999_999_9}), Value::Null),
        (json!({"width": 0.999_999_999}), Value::Null),
        (json!({"width": 0.999_999}), json!({"width": 0.999_999})),
        (json!({"height": 1e-9}), json!({"height": 0.000_001})),
        (json!({"width": 0.999_999_9, "aspect": 1}), json!({"width": 0.5, "dpr": 2, "aspect": 1})),
        // What never becomes larger is not kept from it.
        (json!({"width": 0.5, "enlarge": false}), json!({"width": 0.5})),
        (json!({"width": 1, "enlarge": false}), json!({"width": 1})),
        (json!({"width": 2, "enlarge": false}), json!({"width": 2, "enlarge": false})),
        (
            json!({"width": 0.5, "height": 0.9, "enlarge": false}),
            json!({"width": 0.5, "height": 0.9}),
        ),
        (
            json!({"width": 0.5, "height": 90, "enlarge": false, "fit": "inside"}),
            json!({"width": 0.5, "height": 90, "fit": "inside"}),
        ),
        (
            json!({"width": 0.5, "aspect": 3, "enlarge": false, "fit": "contain"}),
            json!({"width": 0.5, "aspect": 3, "fit": "contain"}),
        ),
        (
            json!({"width": 0.5, "height": 90, "enlarge": false, "fit": "outside"}),
            json!({"width": 0.5, "height": 90, "enlarge": false, "fit": "outside"}),
        ),
        (
            json!({"width": 0.5, "aspect": 3, "enlarge": false}),
            json!({"width": 0.5, "aspect": 3, "enlarge": false}),
        ),
        // One side longer than it was stays as it was, and the other may be less.
        (
            json!({"width": 0.9, "height": 0.2, "dpr": 2, "enlarge": false, "fit": "fill"}),
            json!({"width": 0.5, "height": 0.2, "dpr": 2, "fit": "fill"}),
        ),
        (
            json!({"width": 0.9, "height": 0.2, "dpr": 2, "enlarge": false}),
            json!({"width": 0.5, "height": 0.2, "dpr": 2}),
        ),
        // Beside pixels too, whatever the dpr.
        (
            json!({"width": 0.9, "height": 80, "dpr": 2.5, "enlarge": false}),
            json!({"width": 0.5, "height": 100, "dpr": 2, "enlarge": false}),
        ),
        (
            json!({"width": 0.6, "height": 100, "dpr": 2, "enlarge": false, "fit": "inside"}),
            json!({"width": 0.5, "height": 100, "dpr": 2, "fit": "inside"}),
        ),
        // But padding is made up to the size that was asked for, and a ratio holds for the side that is asked for.
        (
            json!({"width": 0.9, "height": 0.6, "dpr": 2, "enlarge": false, "fit": "contain"}),
            json!({"width": 0.9, "height": 0.6, "dpr": 2, "enlarge": false, "fit": "contain"}),
        ),
        (
            json!({"width": 0.75, "aspect": 3, "dpr": 2, "enlarge": false}),
            json!({"width": 0.75, "aspect": 3, "dpr": 2, "enlarge": false}),
        ),
        (
            json!({"width": 0.5, "aspect": 3, "dpr": 2, "fit": "outside"}),
            json!({"width": 0.5, "aspect": 3, "dpr": 2, "fit": "outside"}),
        ),
    ] {
        let spec = parse(json!({"resize": written}));
        let meant = if canonical.is_null() { json!({}) } else { json!({"resize": canonical}) };
        assert_eq!(spec.canonical(), meant, "{written}");
        assert_eq!(parse(meant), spec, "{written}");
    }
}
