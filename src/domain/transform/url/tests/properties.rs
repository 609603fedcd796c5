//! Properties of every URL that can be written.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{ID, read};
use crate::domain::transform::Spec;

fn one_of(values: &'static [&'static str]) -> BoxedStrategy<String> {
    proptest::sample::select(values).prop_map(str::to_owned).boxed()
}

fn length() -> BoxedStrategy<String> {
    prop_oneof![
        (1_u32..3000).prop_map(|pixels| pixels.to_string()),
        (1_u32..99).prop_map(|part| format!("0.{part:02}")),
    ]
    .boxed()
}

/// Some of these parameters, each once.
fn some_of(parameters: Vec<(&'static str, BoxedStrategy<String>)>) -> BoxedStrategy<Vec<String>> {
    let each: Vec<_> = parameters
        .into_iter()
        .map(|(name, values)| {
            proptest::option::of(values.prop_map(move |value| format!("{name}_{value}")))
        })
        .collect();
    each.prop_map(|each| each.into_iter().flatten().collect()).boxed()
}

fn sized() -> BoxedStrategy<Vec<String>> {
    let modes = one_of(&[
        "scale",
        "fit",
        "limit",
        "fill",
        "lfill",
        "thumb",
        "pad",
        "pad,b_red",
        "lpad,b_rgb:12345678",
    ]);
    let rest = some_of(vec![
        ("h", length()),
        ("c", modes),
        ("g", one_of(&["center", "north", "south_east", "auto"])),
        ("dpr", one_of(&["2.0", "1", "0.5"])),
    ]);
    (prop_oneof![4 => length(), 1 => one_of(&["auto", "auto:30", "auto:30:400"])], rest)
        .prop_map(|(width, mut rest)| {
            rest.push(format!("w_{width}"));
            rest
        })
        .boxed()
}

fn cropped() -> BoxedStrategy<Vec<String>> {
    let sides = (1..500, 1..500);
    let place = prop_oneof![
        Just(String::new()),
        Just(",g_auto".to_owned()),
        Just(",g_xy_center,x_0.2,y_0.9".to_owned()),
        (0..99, 0..99).prop_map(|(x, y)| format!(",x_{x},y_{y}")),
        (0..99, 0..99).prop_map(|(x, y)| format!(",g_xy_center,x_{x},y_{y}")),
    ];
    (sides, place)
        .prop_map(|((width, height), place)| {
            let all = format!("c_crop,w_{width},h_{height}{place}");
            all.split(',').map(str::to_owned).collect()
        })
        .boxed()
}

fn finished() -> BoxedStrategy<Vec<String>> {
    let effects = (
        one_of(&["sepia", "blur", "brightness", "saturation", "hue", "gamma", "trim", "vignette"]),
        proptest::option::of(1_u32..100),
    )
        .prop_map(|(name, level)| match level {
            Some(level) => format!("{name}:{level}"),
            None => name,
        });
    some_of(vec![
        (
            "a",
            prop_oneof![
                (-360_i32..=360).prop_map(|a| a.to_string()),
                one_of(&["hflip", "vflip.90"])
            ]
            .boxed(),
        ),
        ("e", effects.boxed()),
        ("r", prop_oneof![(1_u32..99).prop_map(|r| r.to_string()), Just("max".to_owned())].boxed()),
        ("bo", one_of(&["3px_solid_red", "1px_solid_rgb:ff880088"])),
        ("fl", one_of(&["progressive", "lossy.keep_iptc", "strip_profile"])),
    ])
}

fn layer() -> BoxedStrategy<Vec<String>> {
    let source = prop_oneof![
        Just(format!("l_{ID}")),
        Just("l_text:Arial_20_bold:a%252Cb".to_owned()),
        Just("l_text:Roboto_8:x".to_owned()),
    ];
    let rest = some_of(vec![
        ("w", (1_u32..100).prop_map(|part| format!("0.{part:02}")).boxed()),
        ("o", (1_u32..=100).prop_map(|o| o.to_string()).boxed()),
        ("g", one_of(&["north", "south_west"])),
        ("x", (-50_i32..50).prop_map(|x| x.to_string()).boxed()),
    ]);
    (source, rest)
        .prop_map(|(source, mut rest)| {
            rest.push(source);
            rest
        })
        .boxed()
}

/// Any good URL, component by component.
fn chain() -> impl Strategy<Value = Vec<Vec<String>>> {
    let component = prop_oneof![
        sized(),
        cropped(),
        finished().prop_filter("something", |parameters| !parameters.is_empty()),
        layer(),
    ];
    let output = some_of(vec![
        ("f", one_of(&["auto", "png", "jpg", "webp"])),
        ("q", one_of(&["1", "80", "auto", "auto:eco"])),
        ("b", one_of(&["blue", "white"])),
    ]);
    (proptest::collection::vec(component, 1..6), output).prop_map(|(mut chain, output)| {
        if !output.is_empty() {
            chain.push(output);
        }
        chain
    })
}

fn written(chain: &[Vec<String>]) -> String {
    chain.iter().map(|component| component.join(",")).collect::<Vec<_>>().join("/")
}

/// Whether every fault points at something that is there.
fn points_at_something(url: &str) -> Result<(), TestCaseError> {
    let Err(faults) = read(url) else { return Ok(()) };
    let decoded = percent_encoding::percent_decode_str(url).decode_utf8_lossy().into_owned();
    let mut places = BTreeSet::from([String::new()]);
    for (index, component) in decoded.split('/').enumerate() {
        places.insert(format!("/{index}"));
        for parameter in component.split(',') {
            let name = parameter.split('_').next().unwrap_or_default();
            places.insert(format!("/{index}/{}", name.replace('~', "~0")));
        }
    }
    for fault in faults {
        prop_assert!(places.contains(&fault.pointer), "{url}: {fault:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn its_canonical_form_says_the_same(chain in chain()) {
        let url = written(&chain);
        let spec = read(&url).map_err(|faults| TestCaseError::fail(format!("{url}: {faults:?}")))?;
        let canonical = spec.canonical();
        let again = Spec::parse(&canonical).unwrap();
        prop_assert_eq!(&again, &spec);
        prop_assert_eq!(again.canonical(), canonical);
        prop_assert_eq!(again.hash(), spec.hash());
    }

    #[test]
    fn the_order_within_a_component_does_not_matter(
        (first, second) in chain().prop_flat_map(|chain| {
            let shuffled: Vec<_> =
                chain.iter().map(|component| Just(component.clone()).prop_shuffle()).collect();
            (Just(chain), shuffled)
        })
    ) {
        prop_assert_eq!(read(&written(&first)), read(&written(&second)));
    }

    #[test]
    fn a_doubly_encoded_text_comes_out_as_it_was(text in "[^\\p{C}]{1,20}") {
        use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
        let once = utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string();
        let twice = utf8_percent_encode(&once, NON_ALPHANUMERIC);
        let spec = read(&format!("l_text:Arial_20:{twice}")).unwrap();
        let direct = serde_json::json!({"watermark": {"text": text, "size": 20}});
        prop_assert_eq!(spec, Spec::parse(&direct).unwrap());
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,80}") {
        points_at_something(&text)?;
    }

    #[test]
    fn nothing_like_a_url_makes_it_panic(
        text in "((w|h|c|g|x|y|ar|a|q|f|e|r|b|bo|o|co|dpr|l|t|fl|u|zz|\\$v|~)_(0|-1|0\\.5|5|9999|1\\.|\\.|max|auto|red|rgb:f|crop|fill|pad|xy_center|north|sepia:5|trim::|4px_solid|text:Arial_5:a|text::|layer_apply|relative|%2C|%ff)[,/]?){0,8}"
    ) {
        points_at_something(&text)?;
    }
}
