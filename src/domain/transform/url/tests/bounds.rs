//! A text costs no more than its length, and not much at that: whoever asks need not be known.

use std::cell::Cell;

use proptest::prelude::*;
use serde_json::json;

use super::{
    super::{MAX_COMPONENTS, MAX_FAULTS, MAX_OPERATIONS, parameter::MAX_JOINED},
    fault, meaning, read,
};
use crate::domain::{
    delivery::MAX_TRANSFORMATION,
    error::Fault,
    transform::{Profile, Spec},
};

/// What is read of a text with a preset of so many operations, and how often the preset was looked up.
fn with_presets(text: &str, operations: usize) -> (Result<Spec, Vec<Fault>>, usize) {
    let listed = vec![json!({"rotate": 20}); operations];
    let preset = Spec::parse(&json!({"operations": listed})).unwrap();
    let looked = Cell::new(0);
    let find = |_: &str| {
        looked.set(looked.get() + 1);
        Some(preset.clone())
    };
    (Spec::from_url_with(text, Profile::Best, &find), looked.get())
}

fn only(faults: &[Fault]) -> (&str, &str) {
    assert_eq!(faults.len(), 1, "{faults:?}");
    (&faults[0].pointer, &faults[0].detail)
}

#[test]
fn what_is_too_long_is_not_looked_into() {
    let turns = format!("a_1{}", ".1".repeat(31_000));
    let formats = vec!["f"; 32_000].join("/");
    let presets = vec!["t_a"; 16_000].join("/");
    let encoded = format!("t_a/{}", "%2C".repeat(MAX_TRANSFORMATION - 3));
    let short = format!("t_a/w_{}", "1".repeat(MAX_TRANSFORMATION - 5));
    for text in [&turns, &formats, &presets, &encoded, &short] {
        let (result, looked) = with_presets(text, 0);
        assert_eq!(only(&result.unwrap_err()), ("", "must be at most 2000 bytes"));
        assert_eq!(looked, 0);
    }
    // What counts is what is said, not how it is encoded.
    let name: String = std::iter::repeat_n("%61", MAX_TRANSFORMATION - 2).collect();
    let (result, looked) = with_presets(&format!("t_{name}"), 0);
    assert!(result.is_ok() && looked == 1, "{result:?}");
}

#[test]
fn there_are_only_so_many_components() {
    let most = vec!["f_png"; MAX_COMPONENTS].join("/");
    assert_eq!(meaning(&most), json!({"format": "png"}));
    let (result, looked) = with_presets(&format!("t_a/{most}"), 0);
    let detail = format!("must have at most {MAX_COMPONENTS} components");
    assert_eq!(only(&result.unwrap_err()), ("", &*detail));
    assert_eq!(looked, 0);
    // Layers that take four components each.
    let layer = "l_text:Arial_9:a/o_50/a_5/fl_layer_apply";
    assert_eq!(meaning(&[layer; 40].join("/"))["operations"].as_array().unwrap().len(), 40);
}

#[test]
fn presets_are_not_read_past_the_operations_that_there_may_be() {
    let (result, _) = with_presets("t_a", MAX_OPERATIONS);
    assert_eq!(result.unwrap().operations.len(), MAX_OPERATIONS);
    let (result, looked) = with_presets(&["t_a"; MAX_COMPONENTS].join("/"), MAX_OPERATIONS);
    let detail = format!("must come to at most {MAX_OPERATIONS} operations");
    assert_eq!(only(&result.unwrap_err()), ("", &*detail));
    assert_eq!(looked, 2);
}

#[test]
fn only_so_many_values_are_joined() {
    let turns = |many: usize| format!("a_{}", vec!["5"; many].join("."));
    assert_eq!(meaning(&turns(MAX_JOINED))["operations"].as_array().unwrap().len(), MAX_JOINED);
    let told = "a_5: is one too many; there may be 16".to_owned();
    assert_eq!(fault(&turns(900)), ("/0/a".to_owned(), told));
    let flags = |many: usize| format!("w_5,{}", vec!["fl_lossy"; many].join(","));
    meaning(&flags(MAX_JOINED));
    for text in [flags(200), format!("w_5,fl_lossy{}", ".lossy".repeat(200))] {
        let told = "fl_lossy: is one too many; there may be 16".to_owned();
        assert_eq!(fault(&text), ("/0/fl".to_owned(), told));
    }
    let layer = format!("l_text:Arial_9:a,fl_tiled{}", ".tiled".repeat(MAX_JOINED));
    assert_eq!(fault(&layer).0, "/0/fl");
}

#[test]
fn faults_quote_little_and_the_first_of_them_are_told() {
    let long = "z".repeat(1900);
    for text in [
        format!("e_{long}"),
        format!("l_{long}:a"),
        format!("l_text:{long}_9:a"),
        format!("l_text:Arial_9_{long}:a"),
        format!("f_png/f_{long}"),
        format!("w_5,w_{long}"),
        format!("t_{long}"),
        format!("l_text:Arial_9:{long}"),
    ] {
        for fault in read(&text).unwrap_err() {
            assert!(fault.detail.chars().count() < 400, "{}", fault.detail);
        }
    }
    let faults = read(&",".repeat(1000)).unwrap_err();
    assert_eq!(faults.len(), MAX_FAULTS + 1);
    let last = faults.last().unwrap();
    assert_eq!((&*last.pointer, &*last.detail), ("", "has 901 more faults"));
}

#[test]
fn the_page_names_the_limits() {
    let page = include_str!("../../../../../docs/URL.md");
    for limit in [
        format!("at most {MAX_TRANSFORMATION} bytes"),
        format!("{MAX_COMPONENTS} components"),
        format!("{MAX_OPERATIONS} operations"),
        format!("at most {MAX_JOINED} values"),
        format!("the first {MAX_FAULTS} are told"),
    ] {
        assert!(page.contains(&limit), "{limit}");
    }
}

/// Up to 64 KB of whatever adds up.
fn pile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => proptest::sample::select(&[
            "a_1.1.1", ".1", ".hflip", "/f", "/", ",", "fl_lossy", ".tiled", ",fl_", "t_a/", "w_5,",
            "zz_1,", "/e_sepia", "/l_text:Arial_9:", "/fl_layer_apply", "%2F", "%252F", "/dpr_2",
            "w_5/", "/q_1", "/q_2", "%E2%80%AE", "bo_1px_solid", "_", ":", "~",
        ][..]).prop_map(str::to_owned),
        1 => "\\PC{1,8}",
    ];
    let repeated =
        (piece, prop_oneof![2 => 1_usize..20, 1 => 100_usize..500, 1 => 1000_usize..64_000])
            .prop_map(|(piece, times)| piece.repeat(times));
    proptest::collection::vec(repeated, 1..8).prop_map(|pieces| {
        let mut text = pieces.concat();
        text.truncate(text.floor_char_boundary(64_000));
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_is_sent_comes_to_little(text in pile(), operations in 0..=MAX_OPERATIONS) {
        let (result, looked) = with_presets(&text, operations);
        prop_assert!(looked <= MAX_COMPONENTS);
        prop_assert!(looked * operations <= 2 * MAX_OPERATIONS);
        if text.len() > 3 * MAX_TRANSFORMATION {
            prop_assert_eq!(looked, 0);
            prop_assert_eq!(result.as_ref().map_err(Vec::len).unwrap_err(), 1);
        }
        match result {
            Ok(spec) => prop_assert!(spec.operations.len() <= MAX_OPERATIONS),
            Err(faults) => {
                prop_assert!(faults.len() <= MAX_FAULTS + 1);
                for fault in faults {
                    prop_assert!(fault.pointer.len() <= 2 * MAX_TRANSFORMATION + 8);
                    prop_assert!(fault.detail.len() <= 2000, "{}", fault.detail);
                }
            }
        }
    }
}
