//! Specs against pixels: what is said to mean the same makes the same picture, and what is said to mean something else another.

use std::collections::BTreeMap;

use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};

use super::*;
use crate::domain::transform::{Profile, Source};

/// A small picture that is nowhere its own mirror image: a border to be trimmed, colours, grey, and every kind of alpha.
fn asymmetric() -> RgbaImage {
    RgbaImage::from_fn(31, 22, |x, y| {
        if !(2..28).contains(&x) || !(1..19).contains(&y) {
            return Rgba([70, 120, 40, 255]);
        }
        let alpha = match (x, y) {
            (16.., 10..) => (x * 9 - y * 3) as u8,
            (5..8, 3..7) => 0,
            _ => 255,
        };
        Rgba([(x * 8) as u8, (y * 11) as u8 ^ 0x25, (x * x + 3 * y) as u8, alpha])
    })
}

/// The same without transparency, as a photograph is stored.
fn photograph() -> Vec<u8> {
    samples::jpeg_turned(&asymmetric(), 6)
}

fn source_of(file: &[u8]) -> Source {
    super::super::probe(std::io::Cursor::new(file), &Limits::default()).unwrap().source()
}

/// What comes of it: the file, or why there is none.
fn outcome(file: &[u8], spec: &Spec) -> Result<(Format, Vec<u8>), Code> {
    match transform(file, spec, &Limits::default(), &Control::default()) {
        Ok(output) => Ok((output.format, output.bytes)),
        Err(Failure::Refused(error)) => Err(error.code),
        Err(Failure::Cancelled) => panic!("cancelled"),
    }
}

/// Whether it comes to the same. A picture that is made smaller while it is decoded is put upright only then, and one of JPEG is decoded
/// with less detail: that may be seen by a meter, and by nobody else.
fn is_alike(
    one: &Result<(Format, Vec<u8>), Code>,
    other: &Result<(Format, Vec<u8>), Code>,
    is_turned: bool,
) -> bool {
    match (one, other) {
        (Ok((format, one)), Ok((other_format, other))) if is_turned && one != other => {
            let seen = |file| super::pixels(file, json!({}));
            let (one, other) = (seen(one), seen(other));
            format == other_format
                && one.dimensions() == other.dimensions()
                && super::psnr(&one, &other) > 30.0
        }
        _ => one == other,
    }
}

/// One of these, or nothing.
fn one_of(values: Value) -> impl Strategy<Value = Option<Value>> {
    proptest::option::weighted(0.5, proptest::sample::select(values.as_array().unwrap().clone()))
}

type Fields = Vec<(&'static str, proptest::strategy::BoxedStrategy<Option<Value>>)>;

fn object(fields: Fields) -> impl Strategy<Value = Value> {
    let (names, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
    values.prop_map(move |values| {
        let given = names.iter().zip(values).filter_map(|(name, value)| Some((*name, value?)));
        given
            .map(|(name, value)| (name.to_owned(), value))
            .collect::<serde_json::Map<_, _>>()
            .into()
    })
}

fn fields(table: Value) -> Fields {
    let table = table.as_object().unwrap().clone();
    table.into_iter().map(|(name, values)| (&*name.leak(), one_of(values).boxed())).collect()
}

/// Sizes: each side or both, in pixels and in parts, with everything that can stand beside them.
fn resize() -> impl Strategy<Value = Value> {
    let sides = object(fields(json!({
        "width": [1, 12, 20, 44, 0.25, 0.5, 0.75, 0.999_999_9],
        "height": [1, 10, 26, 0.25, 0.5, 0.625, 0.9],
    })));
    let rest = object(fields(json!({
        "aspect": ["3:2", 0.5],
        "fit": ["contain", "inside", "outside", "fill"],
        "gravity": ["west", "southeast", "smart", {"x": 0.3, "y": 0.8}],
        "background": ["#ff000080", "navy"],
        "enlarge": [false],
        "dpr": [2, 4],
    })));
    (sides, rest).prop_map(|(sides, mut fields)| {
        let fields_of = |value: &Value| value.as_object().unwrap().clone();
        let sides = fields_of(&sides);
        if sides.is_empty() {
            fields["width"] = json!(14);
        }
        if sides.len() == 2 {
            fields.as_object_mut().unwrap().remove("aspect");
        }
        fields.as_object_mut().unwrap().extend(sides);
        fields
    })
}

fn crop() -> impl Strategy<Value = Value> {
    let sides = (
        proptest::sample::select(vec![json!(9), json!(20), json!(90), json!(0.5)]),
        proptest::sample::select(vec![json!(6), json!(15), json!(90), json!(0.75)]),
    );
    let place = prop_oneof![
        object(fields(json!({"gravity": ["north", "southwest", "smart", {"x": 0.1, "y": 0.6}]}))),
        (-12..40, -12..30, any::<bool>())
            .prop_map(|(x, y, center)| json!({"x": x, "y": y, "center": center})),
    ];
    (sides, place).prop_map(|((width, height), mut fields)| {
        (fields["width"], fields["height"]) = (width, height);
        fields
    })
}

/// What is done to the pixels, in the object form.
fn operations() -> Fields {
    // Of filters that change nothing, those that could not be told from the file: a Gaussian of no width is none, and some
    // forget colours that can't be seen. Only the normal form says that they are not there.
    let filters = object(fields(json!({
        "grayscale": [true, false],
        "invert": [true, false],
        "sepia": [40, true],
        "blur": [0.6, 1.4],
        "sharpen": [1],
        "brightness": [0, 15, -20],
        "contrast": [0, 25, -100],
        "saturation": [-50, 60],
        "hue": [30, 90],
        "gamma": [1, 1.8],
        "pixelate": [2, 3],
        "vignette": [30, 60],
        "tint": ["#3366cc80", "#cc3300"],
        "colorize": ["#3366cc80", "#cc330040"],
    })));
    let watermark = object(fields(json!({
        "opacity": [0, 0.5],
        "gravity": ["northwest", "east", {"x": 0.2, "y": 0.7}],
        "x": [-3, 2],
        "y": [-2, 3],
        "size": [8, 13],
        "color": ["#ffee00", "transparent"],
        "font": ["sans bold", "sans italic"],
        "rotate": [90, -30, 360],
        "tile": [true],
    })));
    let text = |mut fields: Value| {
        fields["text"] = json!("R");
        fields
    };
    let border = object(fields(json!({"color": ["red", "#00ff0080"]})));
    let border = (1..4, border).prop_map(|(width, mut fields)| {
        fields["width"] = json!(width);
        fields
    });
    let some = |values: proptest::strategy::BoxedStrategy<Value>| {
        proptest::option::weighted(0.4, values).boxed()
    };
    let mut all = fields(json!({
        "trim": [true, {"threshold": 60}, {"threshold": 255}],
        "rotate": [90, 180, -90, 360, 25],
        "flip": [true],
        "mirror": [true],
        "round": [5, "max"],
    }));
    all.extend([
        ("resize", some(resize().boxed())),
        ("crop", some(crop().boxed())),
        ("filters", some(filters.boxed())),
        ("watermark", some(watermark.prop_map(text).boxed())),
        ("border", some(border.boxed())),
    ]);
    all
}

fn output() -> Fields {
    fields(json!({
        "format": ["png", "jpeg", "webp", "gif", "tiff", "bmp", "qoi", "ico"],
        "quality": [40, 80, 95],
        "profile": ["fast", "best"],
        "background": ["#ff000080", "#ff7f7f", "transparent", "teal"],
        "lossless": [true],
        "progressive": [true],
        "strip": [false, {"keep": ["iptc"]}, {"keep": ["exif", "copyright"]}],
    }))
}

/// The normal form, and what is dropped for the picture at hand, change no pixel and no byte: the engine is given the spec as
/// it was written, too.
#[test]
fn the_normal_form_makes_what_was_written() {
    let mut runner = TestRunner::deterministic();
    let listed = |fields: Value| {
        // Where an idle step lies between round and border there is another picture with it and without.
        let steps = fields.as_object().unwrap().iter().filter(|(name, _)| *name != "border");
        steps.map(|(name, value)| json!({name: value})).collect::<Vec<_>>()
    };
    let in_a_list = (object(operations()).prop_map(listed).prop_shuffle(), object(output()))
        .prop_map(|(list, mut fields)| {
            fields["operations"] = json!(list);
            fields
        });
    let specs = prop_oneof![object([operations(), output()].concat()), in_a_list];
    let picture = samples::png(&asymmetric());
    let sources = [picture, photograph(), samples::animation()];
    let mut changed = 0;
    for round in 0..600 {
        let mut written = specs.new_tree(&mut runner).unwrap().current();
        if written.get("format") != Some(&json!("webp")) {
            // Encoders that always lose take it at its word: only the normal form knows that they can't keep it.
            written.as_object_mut().unwrap().remove("lossless");
        }
        let file = &sources[round % 3];
        let source = source_of(file);
        let raw = Spec::read(&written, Profile::Best).unwrap();
        let normal = spec(written.clone());
        let resolved = normal.resolved(source, None);
        let expected = outcome(file, &raw);
        for spec in [&normal, &resolved] {
            let same = is_alike(&outcome(file, spec), &expected, round % 3 == 1);
            assert!(same, "{written}\n{}", spec.canonical());
        }
        changed += u32::from(raw != normal) + u32::from(normal != resolved);
    }
    // Else nothing was tried.
    assert!(changed > 600, "{changed}");
}

/// Fields whose change can't always be seen, for good reasons: a cut of what lies outside of the picture, a gravity where
/// nothing is cut, a filter of what has no colour any more, a corner that is cut off again.
const MAY_BE_UNSEEN: u32 = 12;

/// One field of a spec is changed. If the hash is another, so is the picture, but for changes that nothing could show; if the
/// hash is the same, so is the file. No field is always unseen.
#[test]
fn another_hash_is_another_picture() {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    let mut output = output();
    output.retain(|(name, _)| *name != "strip");
    let specs = object([operations(), output].concat());
    let file = samples::png(&asymmetric());
    let source = source_of(&file);
    // Of each field: how often another hash made another picture, and how often the same.
    let mut seen: BTreeMap<String, [u32; 2]> = BTreeMap::new();
    let mut equal = 0;
    for _ in 0..1600 {
        let [one, other] = [(); 2].map(|()| specs.new_tree(&mut runner).unwrap().current());
        let mut differing = changes("", &one, &other);
        if differing.is_empty() {
            continue;
        }
        // Fields of fields are many, and both specs seldom have the one that holds them.
        let inner = differing.iter().filter(|(name, _)| name.matches('/').count() > 1).count();
        differing.sort_by_key(|(name, _)| name.matches('/').count() < 2);
        let most = if inner > 0 && any::<u8>().new_tree(&mut runner).unwrap().current() > 60 {
            inner
        } else {
            differing.len()
        };
        let at = (0..most).new_tree(&mut runner).unwrap().current();
        let (name, changed) = differing.swap_remove(at);
        let changed = apply(&one, &name, changed);
        let of = |value: &Value| Spec::parse(value).map(|spec| spec.resolved(source, None));
        let (Ok(first), Ok(second)) = (of(&one), of(&changed)) else { continue };
        let (made, other) = (outcome(&file, &first), outcome(&file, &second));
        let same = made == other;
        if first.hash() == second.hash() {
            assert!(same, "{one}\n{changed}");
            equal += 1;
        } else if made.is_ok() || other.is_ok() {
            seen.entry(name).or_default()[usize::from(same)] += 1;
        }
    }
    let [visible, unseen] =
        seen.values().fold([0; 2], |sum, [visible, unseen]| [sum[0] + visible, sum[1] + unseen]);
    assert!(visible > 600 && equal > 100 && seen.len() > 50, "{visible} {equal} {seen:#?}");
    assert!(unseen * 100 <= visible * MAY_BE_UNSEEN, "{unseen} beside {visible}: {seen:#?}");
    for (name, [visible, _]) in &seen {
        assert!(*visible > 0, "nobody ever sees {name}: {seen:#?}");
    }
}

/// Every field that `other` says otherwise, with what it says there; nothing is that it does not.
fn changes(path: &str, one: &Value, other: &Value) -> Vec<(String, Option<Value>)> {
    let (Some(first), Some(second)) = (one.as_object(), other.as_object()) else {
        return if one == other { vec![] } else { vec![(path.to_owned(), Some(other.clone()))] };
    };
    let names: std::collections::BTreeSet<&String> = first.keys().chain(second.keys()).collect();
    let of = |name: &String| {
        let path = format!("{path}/{name}");
        match (first.get(name), second.get(name)) {
            (Some(one), Some(other)) => changes(&path, one, other),
            (_, other) => vec![(path, other.cloned())],
        }
    };
    names.into_iter().flat_map(of).collect()
}

/// `spec` with what stands at `path` replaced, or taken out.
fn apply(spec: &Value, path: &str, value: Option<Value>) -> Value {
    let mut changed = spec.clone();
    let (parent, name) = path.rsplit_once('/').unwrap();
    let fields = changed.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Some(value) => {
            fields.insert(name.to_owned(), value);
        }
        None => {
            fields.remove(name);
        }
    }
    changed
}
