//! Properties of every spec that can be written.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    super::{Auto, Font, Profile, Source, Spec, parse as reader},
    parse,
    wording::{backwards, fill, idle_otherwise, reworded},
};
use crate::domain::{format::Format, image::Focus};

fn maybe(values: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Option<Value>> {
    proptest::option::of(values).boxed()
}

fn object(
    fields: Vec<(&'static str, BoxedStrategy<Option<Value>>)>,
) -> impl Strategy<Value = Value> {
    let (names, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
    values.prop_map(move |values| {
        let fields =
            names.iter().zip(values).filter_map(|(name, value)| Some(((*name).to_owned(), value?)));
        Value::Object(fields.collect())
    })
}

fn one_of(values: impl Into<Vec<&'static str>>) -> impl Strategy<Value = Value> {
    proptest::sample::select(values.into()).prop_map(Value::from)
}

fn names_of<T>(names: &'static [(&'static str, T)]) -> impl Strategy<Value = Value> {
    one_of(names.iter().map(|(name, _)| *name).collect::<Vec<_>>())
}

fn gravity() -> impl Strategy<Value = Value> {
    prop_oneof![place(), place(), place(), Just(json!("smart"))]
}

fn place() -> impl Strategy<Value = Value> {
    prop_oneof![
        one_of([
            "center",
            "north",
            "northeast",
            "east",
            "southeast",
            "south",
            "southwest",
            "west",
            "northwest"
        ]),
        (0.0..=1.0, 0.0..=1.0).prop_map(|(x, y)| json!({"x": x, "y": y})),
        Just(json!({"x": 0.5, "y": 1})),
    ]
}

fn color() -> impl Strategy<Value = Value> {
    one_of(["red", "#f00", "white", "#FFFFFF", "transparent", "#12345678", "#00000000"])
}

fn length() -> impl Strategy<Value = Value> {
    prop_oneof![
        (1_u32..4000).prop_map(Value::from),
        (0.01..0.99).prop_map(|part: f64| json!(part)),
        // Parts and dprs of few digits: their products are exact, however they are shared out.
        (10_u32..1000).prop_map(|part| json!(f64::from(part) / 1e3)),
        Just(json!(0.999_999_9)),
        Just(json!(200.0))
    ]
}

fn resize() -> impl Strategy<Value = Value> {
    let box_sides = (
        length(),
        proptest::option::of(length()),
        proptest::option::of(prop_oneof![Just(json!("3:2")), Just(json!(1.5))]),
        any::<bool>(),
    );
    let rest = object(vec![
        ("fit", maybe(one_of(["cover", "contain", "inside", "outside", "fill"]))),
        ("gravity", maybe(gravity())),
        ("background", maybe(color())),
        ("enlarge", maybe(any::<bool>().prop_map(Value::from))),
        (
            "dpr",
            maybe(prop_oneof![
                (0.1..1.3).prop_map(|dpr: f64| json!(dpr)),
                (20_u32..130).prop_map(|dpr| json!(f64::from(dpr) / 1e2)),
                Just(json!(1.25)),
            ]),
        ),
    ]);
    (box_sides, rest).prop_map(|((first, second, aspect, swap), mut fields)| {
        let (one, other) = if swap { ("height", "width") } else { ("width", "height") };
        fields[one] = first;
        match (second, aspect) {
            (Some(second), _) => fields[other] = second,
            (None, Some(aspect)) => fields["aspect"] = aspect,
            (None, None) => {}
        }
        fields
    })
}

fn crop() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-5000..5000, -5000..5000, length(), length(), proptest::option::of(any::<bool>()))
            .prop_map(|(x, y, width, height, center)| {
                let mut fields = json!({"x": x, "y": y, "width": width, "height": height});
                if let Some(center) = center {
                    fields["center"] = json!(center);
                }
                fields
            }),
        (length(), length(), gravity()).prop_map(
            |(width, height, gravity)| json!({"width": width, "height": height, "gravity": gravity})
        ),
    ]
}

fn filters() -> impl Strategy<Value = Value> {
    let percent = || {
        maybe(prop_oneof![
            Just(json!(0)),
            Just(json!(-0.0)),
            (-100.0..100.0).prop_map(|value: f64| json!(value))
        ])
    };
    object(vec![
        ("grayscale", maybe(any::<bool>().prop_map(Value::from))),
        ("invert", maybe(any::<bool>().prop_map(Value::from))),
        (
            "sepia",
            maybe(prop_oneof![
                any::<bool>().prop_map(Value::from),
                (0..=100).prop_map(Value::from)
            ]),
        ),
        ("blur", maybe((0.0..250.0).prop_map(|sigma: f64| json!(sigma)))),
        ("brightness", percent()),
        ("saturation", percent()),
        ("hue", maybe((-360..=360).prop_map(Value::from))),
        ("gamma", maybe(prop_oneof![Just(json!(1)), Just(json!(2.2))])),
        ("sharpen", maybe((0.0..10.0).prop_map(|sigma: f64| json!(sigma)))),
        ("contrast", percent()),
        ("pixelate", maybe((1..5).prop_map(Value::from))),
        ("vignette", maybe((0..=100).prop_map(Value::from))),
        ("tint", maybe(color())),
        ("colorize", maybe(color())),
    ])
}

fn trim() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        Just(json!({})),
        (0..=255).prop_map(|threshold| json!({"threshold": threshold})),
        Just(json!({"threshold": 10})),
    ]
}

fn watermark() -> impl Strategy<Value = Value> {
    let degrees = || maybe((-360..=360).prop_map(Value::from));
    let shift = || maybe(prop_oneof![Just(json!(0)), (-8000..=8000).prop_map(Value::from)]);
    let laid = || {
        vec![
            (
                "opacity",
                maybe(prop_oneof![
                    Just(json!(1)),
                    Just(json!(0)),
                    (0.0..=1.0).prop_map(|opacity: f64| json!(opacity))
                ]),
            ),
            ("gravity", maybe(place())),
            ("x", shift()),
            ("y", shift()),
            ("rotate", degrees()),
            ("tile", maybe(any::<bool>().prop_map(Value::from))),
        ]
    };
    let extent = || {
        prop_oneof![
            Just(json!({})),
            (1..=2000).prop_map(|size| json!({"size": size})),
            (0.001..=1.0).prop_map(|scale: f64| json!({"scale": scale})),
        ]
    };
    let text = prop_oneof![Just("  \n".to_owned()), "\\PC{1,20}", "[a-c\n]{1,5}"];
    let letters = vec![("color", maybe(color())), ("font", maybe(names_of(Font::NAMES)))];
    let words = (text, extent(), object([laid(), letters].concat())).prop_map(
        |(text, extent, mut fields)| {
            fields["text"] = json!(text);
            merged(fields, extent)
        },
    );
    let picture = (any::<u128>(), extent(), object(laid())).prop_map(|(id, extent, mut fields)| {
        fields["image_id"] = json!(uuid::Uuid::from_u128(id));
        merged(fields, extent)
    });
    prop_oneof![words, picture]
}

fn merged(mut fields: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        fields[name] = value.clone();
    }
    fields
}

fn border() -> impl Strategy<Value = Value> {
    (1..=1000, maybe(color())).prop_map(|(width, color)| match color {
        Some(color) => json!({"width": width, "color": color}),
        None => json!({"width": width}),
    })
}

fn strip() -> impl Strategy<Value = Value> {
    let names = &["exif", "icc", "iptc", "xmp", "copyright"][..];
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        proptest::collection::vec(proptest::sample::select(names), 0..7)
            .prop_map(|names| json!({"keep": names})),
    ]
}

fn operations() -> Vec<(&'static str, BoxedStrategy<Option<Value>>)> {
    vec![
        ("trim", maybe(trim())),
        ("resize", maybe(resize())),
        ("crop", maybe(crop())),
        (
            "rotate",
            maybe(prop_oneof![
                (-360..=360).prop_map(Value::from),
                (-4..=4).prop_map(|turns| json!(turns * 90))
            ]),
        ),
        ("flip", maybe(any::<bool>().prop_map(Value::from))),
        ("mirror", maybe(any::<bool>().prop_map(Value::from))),
        ("filters", maybe(filters())),
        ("round", maybe(prop_oneof![Just(json!("max")), (1..=8000).prop_map(Value::from)])),
        ("watermark", maybe(watermark())),
        ("border", maybe(border())),
    ]
}

fn output() -> Vec<(&'static str, BoxedStrategy<Option<Value>>)> {
    vec![
        ("format", maybe(one_of(reader::formats()))),
        (
            "quality",
            maybe(prop_oneof![
                Just(json!(80)),
                (1..=100).prop_map(Value::from),
                names_of(Auto::NAMES)
            ]),
        ),
        ("max_bytes", maybe((1_u32..=1_000_000_000).prop_map(Value::from))),
        ("profile", maybe(names_of(Profile::NAMES))),
        ("strip", maybe(strip())),
        ("background", maybe(color())),
        ("lossless", maybe(any::<bool>().prop_map(Value::from))),
        ("progressive", maybe(any::<bool>().prop_map(Value::from))),
    ]
}

/// Any good spec, in either form.
fn spec() -> impl Strategy<Value = Value> {
    let object_form = object([operations(), output()].concat());
    let entry = operations()
        .into_iter()
        .map(|(name, values)| {
            values
                .prop_map(move |value| json!({name: value.unwrap_or(Value::Null)}))
                .prop_filter("a value", move |entry| !entry[name].is_null())
        })
        .collect::<Vec<_>>();
    let list_form =
        (object(output()), proptest::collection::vec(proptest::strategy::Union::new(entry), 0..8))
            .prop_map(|(mut fields, list)| {
                fields["operations"] = Value::Array(list);
                fields
            });
    prop_oneof![object_form, list_form]
}

/// A picture, of which all that matters to a spec is random.
fn source() -> impl Strategy<Value = Source> {
    let focus = proptest::option::of((0.0..=1.0, 0.0..=1.0).prop_map(|(x, y)| Focus { x, y }));
    (proptest::sample::select(Format::ALL), any::<bool>(), any::<bool>(), focus).prop_map(
        |(format, has_alpha, is_animated, focus)| Source { format, has_alpha, is_animated, focus },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_canonical_form_is_a_fixed_point(written in spec()) {
        let spec = parse(written);
        let canonical = spec.canonical();
        let again = parse(canonical.clone());
        prop_assert_eq!(&again, &spec);
        prop_assert_eq!(again.canonical(), canonical);
        prop_assert_eq!(again.hash(), spec.hash());
    }

    #[test]
    fn a_resolved_spec_is_a_fixed_point(written in spec(), source in source(), accept in proptest::option::of("(image/(avif|webp|png)(;q=0)?, )*")) {
        let spec = parse(written).resolved(source, accept.as_deref());
        prop_assert_eq!(&parse(spec.canonical()), &spec);
        prop_assert_eq!(&spec.resolved(source, None), &spec);
    }

    #[test]
    fn other_words_for_one_meaning_have_one_hash(written in spec()) {
        let other = reworded(&written);
        let (spec, same) = (parse(written), parse(other.clone()));
        prop_assert_eq!(&same, &spec, "{}", other);
        prop_assert_eq!(same.hash(), spec.hash());
    }

    #[test]
    fn what_is_idle_in_the_result_has_no_part_in_its_hash(written in spec(), source in source()) {
        let other = idle_otherwise(&written, source);
        let of = |value: &Value| parse(value.clone()).resolved(source, None);
        prop_assert_eq!(of(&other), of(&written), "{}", other);
        prop_assert_eq!(of(&other).hash(), of(&written).hash());
    }

    /// One field of a spec taken from another: the hash is another just when the meaning is.
    #[test]
    fn another_meaning_has_another_hash(fields in object([operations(), output()].concat()), others in object([operations(), output()].concat())) {
        let spec = parse(fields.clone());
        for (name, value) in others.as_object().unwrap() {
            let mut other = fields.clone();
            other[name] = value.clone();
            let other = parse(other);
            prop_assert_eq!(other.hash() == spec.hash(), other == spec, "{} = {}", name, value);
        }
    }

    #[test]
    fn the_default_profile_is_all_that_depends_on_the_deployment(written in spec()) {
        let fast = Spec::parse_with(&written, Profile::Fast).unwrap();
        let mut explicit = written;
        fill(&mut explicit, "profile", json!("fast"));
        prop_assert_eq!(&fast, &parse(explicit));
        prop_assert_eq!(&parse(fast.canonical()), &fast);
    }

    #[test]
    fn the_order_of_writing_does_not_matter(written in spec()) {
        let other: Value = serde_json::from_str(&backwards(&written)).unwrap();
        prop_assert_eq!(parse(other).hash(), parse(written).hash());
    }

    #[test]
    fn both_forms_of_one_meaning_have_one_hash(fields in object(operations())) {
        let list: Vec<Value> = reader::OPERATIONS
            .iter()
            .filter_map(|name| fields.get(name).map(|value| json!({*name: value})))
            .collect();
        prop_assert_eq!(parse(json!({"operations": list})).hash(), parse(fields).hash());
    }

    #[test]
    fn no_json_makes_it_panic(text in "[\\{\\}\\[\\]\":,a-z0-9.\\-]{0,60}", at in 0_usize..19, with in 0_usize..6) {
        if let Ok(value) = serde_json::from_str::<Value>(&text) {
            let _ = Spec::parse(&value);
        }
        let odd = [Value::Null, json!(-1), json!(1e308), json!("x"), json!([]), json!({"x": {}})];
        let name = [reader::OPERATIONS, reader::OUTPUT, &["operations"]].concat()[at];
        let _ = Spec::parse(&json!({name: odd[with].clone()}));
    }
}
