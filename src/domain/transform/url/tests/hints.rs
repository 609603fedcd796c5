//! What is left to whoever is looking.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::meaning;
use crate::domain::{
    error::Fault,
    transform::{Asks, Hints, Profile, Spec, url::tests::fault},
};

const NOBODY: Hints = Hints { dpr: None, width: None, save_data: false };
const SAVING: Hints = Hints { save_data: true, ..NOBODY };
const NOTHING: Asks = Asks { accept: false, dpr: false, width: false, save_data: false };

fn read(url: &str, hints: Hints) -> Result<(Spec, Asks), Vec<Fault>> {
    let presets = |name: &str| match name {
        "auto" => Spec::parse(&json!({"format": "auto", "quality": "auto"})).ok(),
        _ => None,
    };
    Spec::from_url_for(url, Profile::Best, &presets, &hints)
}

fn seen(url: &str, hints: Hints) -> Value {
    read(url, hints).unwrap_or_else(|faults| panic!("{url}: {faults:?}")).0.canonical()
}

fn asks(url: &str) -> Asks {
    let (_, asks) = read(url, NOBODY).unwrap();
    assert_eq!(read(url, SAVING).unwrap().1, asks, "{url}");
    asks
}

fn dense(dpr: f64) -> Hints {
    Hints { dpr: Some(dpr), ..NOBODY }
}

fn wide(width: u32) -> Hints {
    Hints { width: Some(width), ..NOBODY }
}

#[test]
fn the_density_of_the_screen_comes_to_one_of_a_few() {
    for (told, dpr) in [
        (0.5, 1.0),
        (1.0, 1.0),
        (1.1, 1.5),
        (1.5, 1.5),
        (1.75, 2.0),
        (2.625, 3.0),
        (4.0, 3.0),
        (-1.0, 1.0),
        (f64::NAN, 1.0),
        (f64::INFINITY, 1.0),
    ] {
        assert_eq!(
            seen("w_50,dpr_auto", dense(told)),
            meaning(&format!("w_50,dpr_{dpr}")),
            "{told}"
        );
    }
    assert_eq!(seen("w_50/r_5/dpr_auto", dense(2.0)), meaning("w_100/r_5"));
    assert_eq!(meaning("w_50,dpr_auto"), meaning("w_50"));
    assert_eq!(seen("w_50,dpr_auto", Hints { save_data: true, ..dense(3.0) }), meaning("w_50"));
    assert_eq!(fault("dpr_auto").0, "/0/dpr");
}

#[test]
fn the_width_on_the_screen_comes_to_one_of_a_few() {
    let limited = |width: u32| json!({"resize": {"width": width, "enlarge": false}});
    for (url, told, width) in [
        ("w_auto", 0, 100),
        ("w_auto", 100, 100),
        ("w_auto", 101, 200),
        ("w_auto", 99_999, 8000),
        ("c_limit,w_auto", 640, 700),
        ("c_fit,w_auto", 640, 700),
        // Where there is no box there is nothing to fill.
        ("c_fill,w_auto", 640, 700),
        ("w_auto:30", 640, 660),
        ("w_auto:30:400", 640, 660),
        ("w_auto:8000", 1, 8000),
        ("w_auto:7000", 7001, 8000),
    ] {
        assert_eq!(seen(url, wide(told)), limited(width), "{url} {told}");
    }
    assert_eq!(meaning("w_auto"), json!({}));
    assert_eq!(meaning("w_auto:30:400"), limited(400));
    assert_eq!(meaning("w_auto:30:400,dpr_2"), limited(800));
}

#[test]
fn a_box_is_filled_as_always() {
    assert_eq!(seen("c_fill,w_auto,h_200", wide(640)), meaning("c_fill,w_700,h_200"));
    assert_eq!(seen("c_thumb,w_auto,ar_2", wide(640)), meaning("c_thumb,w_700,h_350"));
    assert_eq!(seen("c_lpad,w_auto,h_200", wide(640)), meaning("c_lpad,w_700,h_200"));
    let stretched = json!({"width": 700, "height": 200, "fit": "fill", "enlarge": false});
    assert_eq!(seen("w_auto,h_200", wide(640)), json!({"resize": stretched}));
    // As wide as the picture, whatever that is.
    let whole = json!({"resize": {"width": 0.5, "height": 100, "dpr": 2}});
    assert_eq!(meaning("c_fill,w_auto,h_200"), whole);
}

#[test]
fn a_width_on_the_screen_is_not_multiplied_again() {
    let both = Hints { dpr: Some(2.0), ..wide(640) };
    for url in ["w_auto,dpr_auto", "w_auto,dpr_3.0", "w_auto/dpr_auto", "dpr_auto/w_auto"] {
        assert_eq!(seen(url, both), seen("w_auto", both), "{url}");
    }
    assert_eq!(seen("c_fill,w_auto,h_200,dpr_auto", both), meaning("c_fill,w_700,h_400"));
    assert_eq!(seen("c_fill,w_auto,h_201/dpr_1.5", both), meaning("c_fill,w_700,h_302"));
    assert_eq!(seen("c_fill,w_auto,h_0.5,dpr_auto", both), seen("c_fill,w_auto,h_0.5", both));
    assert_eq!(seen("c_fill,w_auto,h_100,dpr_auto", dense(2.0)), meaning("c_fill,w_auto,h_200"));
    assert_eq!(seen("w_auto:100:300,dpr_auto", dense(2.0)), meaning("c_limit,w_600"));
    for (url, pointer) in [
        ("w_auto,dpr_11", "/0/dpr"),
        ("w_auto,dpr_x", "/0/dpr"),
        ("w_auto,dpr_2/dpr_2", "/1/dpr"),
        ("c_fill,w_auto,h_5000,dpr_2", "/0/h"),
    ] {
        for hints in [NOBODY, both] {
            let faults = read(url, hints).expect_err(url);
            assert_eq!(faults.len(), 1, "{url}: {faults:?}");
            assert_eq!(faults[0].pointer, pointer, "{url}");
        }
    }
}

#[test]
fn who_saves_data_is_sent_less() {
    for (said, saving) in [
        ("auto", "auto:low"),
        ("auto:good", "auto:low"),
        ("auto:eco", "auto:low"),
        ("auto:low", "auto:low"),
        ("auto:best", "auto:best"),
        ("70", "70"),
    ] {
        assert_eq!(seen(&format!("q_{said}"), SAVING), meaning(&format!("q_{saving}")), "{said}");
    }
    assert_eq!(seen("t_auto", SAVING), json!({"format": "auto", "quality": "auto:low"}));
    assert_eq!(seen("f_png,q_auto", SAVING), json!({"format": "png"}));
}

#[test]
fn a_request_is_asked_for_no_more_than_it_takes() {
    let accept = Asks { accept: true, ..NOTHING };
    let saving = Asks { save_data: true, ..NOTHING };
    for (url, asked) in [
        ("w_50,dpr_2/q_70,f_jpg", NOTHING),
        ("q_auto:best", NOTHING),
        ("q_auto:low", NOTHING),
        ("f_png,q_auto", NOTHING),
        ("f_auto", accept),
        ("q_auto", saving),
        ("t_auto", Asks { accept: true, ..saving }),
        ("t_auto/f_jpg", saving),
        ("t_auto/q_70", accept),
        ("w_auto", Asks { width: true, ..NOTHING }),
        ("w_50,dpr_auto", Asks { dpr: true, ..saving }),
        ("w_50/dpr_auto", Asks { dpr: true, ..saving }),
        ("w_auto,dpr_auto,f_auto", Asks { accept: true, dpr: true, width: true, save_data: true }),
    ] {
        assert_eq!(asks(url), asked, "{url}");
    }
}

#[test]
fn what_is_no_width_is_refused() {
    for url in [
        "w_auto:",
        "w_auto:0",
        "w_auto:8001",
        "w_auto:5.5",
        "w_auto:-5",
        "w_auto:5:",
        "w_auto:5:0",
        "w_auto:5:6:7",
        "w_auto:breakpoints",
        "w_automatic",
        "c_crop,w_auto,h_5",
    ] {
        assert_eq!(fault(url).0, "/0/w", "{url}");
    }
    assert_eq!(fault("h_auto").0, "/0/h");
    assert!(fault("l_0199c2f0-7a3e-7c51-b0d4-3f1f6c2a9e10,w_auto").1.contains("of a size alone"));
}

proptest! {
    #[test]
    fn no_screen_gets_less_than_it_has_and_few_pictures_are_made(
        width in 1_u32..=8000, step in 1_u32..=8000, dpr in 0.01_f64..=3.0,
    ) {
        let (made, _) = read(&format!("w_auto:{step}"), wide(width)).unwrap();
        let made = made.canonical()["resize"]["width"].as_u64().unwrap();
        prop_assert!(made >= width.into() && (made % u64::from(step) == 0 || made == 8000));
        prop_assert!(made < u64::from(width + step));
        let made = seen("w_100,dpr_auto", dense(dpr))["resize"]["width"].as_f64().unwrap();
        prop_assert!(made >= dpr * 100.0 && [100.0, 150.0, 200.0, 300.0].contains(&made));
    }

    #[test]
    fn what_is_read_can_be_written(
        mode in proptest::sample::select(vec!["scale", "fit", "limit", "fill", "lfill", "pad", "thumb"]),
        height in proptest::option::of(prop_oneof![
            (1_u32..=2600).prop_map(|pixels| pixels.to_string()),
            (1_u32..99).prop_map(|part| format!("0.{part:02}")),
        ]),
        hints in (proptest::option::of(0.1..9.0), proptest::option::of(0_u32..9000), any::<bool>()),
    ) {
        let (dpr, width, save_data) = hints;
        let height = height.map_or(String::new(), |height| format!(",h_{height}"));
        let url = format!("c_{mode},w_auto{height},dpr_auto,q_auto,f_auto");
        let (spec, _) = read(&url, Hints { dpr, width, save_data }).unwrap();
        let again = Spec::parse(&spec.canonical()).unwrap();
        prop_assert_eq!(again, spec, "{}", url);
    }
}
