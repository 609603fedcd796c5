//! Properties of every spec that can be written.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    super::{Source, Spec},
    parse,
};
use crate::domain::format::Format;

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

fn one_of(values: &'static [&'static str]) -> impl Strategy<Value = Value> {
    proptest::sample::select(values).prop_map(Value::from)
}

fn gravity() -> impl Strategy<Value = Value> {
    prop_oneof![
        one_of(&[
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
    one_of(&["red", "#f00", "white", "#FFFFFF", "transparent", "#12345678", "#00000000"])
}

fn length() -> impl Strategy<Value = Value> {
    prop_oneof![
        (1_u32..4000).prop_map(Value::from),
        (0.01..0.99).prop_map(|part: f64| json!(part)),
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
        ("fit", maybe(one_of(&["cover", "contain", "inside", "outside", "fill"]))),
        ("gravity", maybe(gravity())),
        ("background", maybe(color())),
        ("enlarge", maybe(any::<bool>().prop_map(Value::from))),
        ("dpr", maybe((0.1..1.3).prop_map(|dpr: f64| json!(dpr)))),
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
        (0..5000, 0..5000, 1..5000, 1..5000).prop_map(
            |(x, y, width, height)| json!({"x": x, "y": y, "width": width, "height": height})
        ),
        (1..5000, 1..5000, gravity()).prop_map(
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
    ])
}

fn operations() -> Vec<(&'static str, BoxedStrategy<Option<Value>>)> {
    vec![
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
    ]
}

fn output() -> Vec<(&'static str, BoxedStrategy<Option<Value>>)> {
    vec![
        ("format", maybe(one_of(parse::FORMATS))),
        ("quality", maybe(prop_oneof![Just(json!(80)), (1..=100).prop_map(Value::from)])),
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

/// The same JSON with the fields of every object written in the opposite order.
fn backwards(value: &Value) -> String {
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
    fn a_resolved_spec_is_a_fixed_point(written in spec(), has_alpha: bool, webp: bool) {
        let source = Source { format: Format::Png, has_alpha };
        let spec = parse(written).resolved(source, webp.then_some("image/webp"));
        prop_assert_eq!(&parse(spec.canonical()), &spec);
        prop_assert_eq!(&spec.resolved(source, None), &spec);
    }

    #[test]
    fn the_order_of_writing_does_not_matter(written in spec()) {
        let other: Value = serde_json::from_str(&backwards(&written)).unwrap();
        prop_assert_eq!(parse(other).hash(), parse(written).hash());
    }

    #[test]
    fn both_forms_of_one_meaning_have_one_hash(fields in object(operations())) {
        let list: Vec<Value> = parse::OPERATIONS
            .iter()
            .filter_map(|name| fields.get(name).map(|value| json!({*name: value})))
            .collect();
        prop_assert_eq!(parse(json!({"operations": list})).hash(), parse(fields).hash());
    }

    #[test]
    fn no_json_makes_it_panic(text in "[\\{\\}\\[\\]\":,a-z0-9.\\-]{0,60}", at in 0_usize..12, with in 0_usize..6) {
        if let Ok(value) = serde_json::from_str::<Value>(&text) {
            let _ = Spec::parse(&value);
        }
        let odd = [Value::Null, json!(-1), json!(1e308), json!("x"), json!([]), json!({"x": {}})];
        let fields = [parse::OPERATIONS, parse::OUTPUT, &["operations"]].concat();
        let name = fields[at];
        let _ = Spec::parse(&json!({name: odd[with].clone()}));
    }
}
