//! What the URL form must hold to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod bounds;
mod hints;
mod properties;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::url_reference_markdown;
use crate::domain::{
    error::Fault,
    transform::{Profile, Spec},
};

const ID: &str = "0199c2f0-7a3e-7c51-b0d4-3f1f6c2a9e10";

fn read(url: &str) -> Result<Spec, Vec<Fault>> {
    Spec::from_url(url, Profile::Best)
}

/// The canonical form of what a URL means.
fn meaning(url: &str) -> Value {
    read(url).unwrap_or_else(|faults| panic!("{url}: {faults:?}")).canonical()
}

/// The only fault of a URL.
fn fault(url: &str) -> (String, String) {
    let mut faults = read(url).expect_err(url);
    assert_eq!(faults.len(), 1, "{url}: {faults:?}");
    let Fault { pointer, detail } = faults.remove(0);
    (pointer, detail)
}

fn rows(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

#[test]
fn what_the_builder_writes_means_what_it_should() {
    let made = rows(include_str!("../../../../tests/url_gen/urls.json"));
    let expected = rows(include_str!("../../../../tests/url_gen/expected.json"));
    assert_eq!(made.len(), expected.len());
    for (made, expected) in made.iter().zip(expected) {
        assert_eq!(made["url"], expected["url"], "{}", made["code"]);
        let url = made["url"].as_str().unwrap();
        match (read(url), expected.get("spec")) {
            (Ok(spec), Some(meant)) => assert_eq!(spec.canonical(), *meant, "{url}"),
            (Err(faults), None) => {
                let meant = expected["faults"].as_array().unwrap();
                assert_eq!(faults.len(), meant.len(), "{url}: {faults:?}");
                for (fault, meant) in faults.iter().zip(meant) {
                    assert_eq!(fault.pointer, meant["pointer"].as_str().unwrap(), "{url}");
                    let begins = meant["begins"].as_str().unwrap();
                    assert!(fault.detail.starts_with(begins), "{url}: {}", fault.detail);
                }
            }
            (result, _) => panic!("{url}: {result:?}"),
        }
    }
}

#[test]
fn the_page_follows_the_tables() {
    let page = include_str!("../../../../docs/URL.md");
    let (_, rest) = page.split_once("<!-- tables:begin -->").expect("the marker of its beginning");
    let (tables, _) = rest.split_once("<!-- tables:end -->").expect("the marker of its end");
    let made = url_reference_markdown();
    assert!(tables.trim() == made.trim(), "docs/URL.md is not the code's, which says:\n{made}");
}

#[test]
fn every_line_of_the_tables_is_read() {
    for effect in super::effect::EFFECTS {
        let levels = effect.level.map_or(vec![String::new()], |[least, most, default]| {
            vec![String::new(), format!(":{least}"), format!(":{most}"), format!(":{default}")]
        });
        for level in levels {
            meaning(&format!("e_{}{level}", effect.name));
        }
        if let Some([least, most, default]) = effect.level {
            let (name, of) = (effect.name, |level: i32| format!("e_{}:{level}", effect.name));
            assert_eq!(meaning(&format!("e_{name}")), meaning(&of(default)), "{name}");
            for beyond in [least - 1, most + 1] {
                assert_eq!(fault(&of(beyond)).0, "/0/e", "{name}:{beyond}");
            }
        }
    }
    for mode in super::table::MODES {
        meaning(&format!("c_{},w_10,h_10", mode.name));
    }
    for (gravity, _) in super::table::GRAVITIES {
        meaning(&format!("c_fill,w_10,h_10,g_{gravity}"));
    }
    // Names that the builder does not write.
    for (name, format) in [("jpeg", "jpeg"), ("tif", "tiff"), ("qoi", "qoi")] {
        assert_eq!(meaning(&format!("f_{name}")), json!({"format": format}));
    }
    for font in super::table::FONTS {
        meaning(&format!("l_text:{}_10:a", font.replace(' ', "%20").to_lowercase()));
    }
    for (name, why) in super::table::REFUSED {
        let (pointer, detail) = fault(&format!("w_10,{name}_1"));
        assert_eq!(pointer, format!("/0/{name}"));
        assert!(detail.contains(why), "{detail}");
    }
}

#[test]
fn what_stands_in_one_component_runs_in_one_order() {
    let url = "bo_2px_solid,r_9,e_blur:20,a_20,w_30,h_20,c_fill,co_red,q_70,f_png,b_blue";
    let meant = json!({
        "resize": {"width": 30, "height": 20},
        "rotate": 20,
        "filters": {"blur": 2},
        "round": 9,
        "border": {"width": 2, "color": "#ff0000"},
        "format": "png",
        "background": "#0000ff",
    });
    assert_eq!(meaning(url), meant);
    assert_eq!(meaning("w_30,e_trim"), json!({"trim": {"threshold": 26}, "resize": {"width": 30}}));
}

#[test]
fn turns_and_mirrors_run_as_they_are_written() {
    assert_eq!(meaning("a_90.hflip"), meaning("a_90/a_hflip"));
    assert_eq!(meaning("a_hflip.90"), meaning("a_hflip/a_90"));
    assert_ne!(meaning("a_hflip.90"), meaning("a_90.hflip"));
    assert_eq!(meaning("a_auto"), json!({}));
    assert_eq!(fault("a_22.5").0, "/0/a");
}

#[test]
fn encoded_commas_and_slashes_are_read() {
    assert_eq!(meaning("w_30%2Ch_20%2Fe_grayscale"), meaning("w_30,h_20/e_grayscale"));
    // Encoded twice they belong to the text, and a percent sign alone is one.
    for (sent, text) in [
        ("a%252Cb%252Fc", "a,b/c"),
        ("100%25", "100%"),
        ("a:b_c", "a:b_c"),
        ("%25D7%25A9", "ש"),
        ("%D7%A9", "ש"),
    ] {
        let meant = json!({"watermark": {"text": text, "size": 20}});
        assert_eq!(meaning(&format!("l_text:Arial_20:{sent}")), meant, "{sent}");
    }
    assert_eq!(fault("l_text:Arial_20:%25ff").0, "/0/l");
    assert_eq!(fault("%ff").0, "");
}

#[test]
fn a_layer_ends_where_it_is_applied_or_with_its_component() {
    let one = json!({"watermark": {"image_id": ID, "size": 50, "gravity": "south", "y": -3}});
    assert_eq!(meaning(&format!("l_{ID},w_50,g_south,y_-3")), one);
    assert_eq!(meaning(&format!("l_{ID}/w_50/fl_layer_apply,g_south,y_-3")), one);
    let all = meaning(&format!("l_{ID}/l_text:Arial_9:a/fl_layer_apply,g_north/w_50"));
    let meant = json!({"operations": [
        {"watermark": {"image_id": ID}},
        {"watermark": {"text": "a", "size": 9, "gravity": "north"}},
        {"resize": {"width": 50}},
    ]});
    assert_eq!(all, meant);
    assert_eq!(
        meaning("l_text:Arial_9:a,w_0.5"),
        json!({"watermark": {"text": "a", "scale": 0.5}})
    );
    for (url, pointer) in [
        ("w_50/fl_layer_apply", "/1/fl"),
        (&format!("l_{ID}/fl_layer_apply,fl_relative"), "/1/fl"),
        (&format!("l_{ID},co_red"), "/0/co"),
        (&format!("l_{ID}/w_50/fl_layer_apply,w_60"), "/2/w"),
        ("w_10/l_text:Arial_9:a/w_60/fl_layer_apply", "/2/w"),
        ("l_text:Arial_0:a", "/0/l"),
        ("l_text:Arial:a", "/0/l"),
        ("l_text:Arial_9", "/0/l"),
        ("l_nothing", "/0/l"),
        ("l_text:Arial_9:a,o_101", "/0/o"),
        ("l_text:Arial_9:a,x_0.5", "/0/x"),
        ("l_text:Arial_9:a/fl_layer_apply,y_8001", "/1/y"),
    ] {
        assert_eq!(fault(url).0, pointer, "{url}");
    }
}

#[test]
fn a_crop_takes_pixels_and_fractions() {
    let sized = |width: f64, height: f64| json!({"width": width, "height": height});
    assert_eq!(meaning("c_crop,w_0.5,h_0.25"), json!({"crop": sized(0.5, 0.25)}));
    let meant = json!({"crop": {"width": 0.5, "height": 80, "gravity": "southeast"}});
    assert_eq!(meaning("c_crop,w_0.5,h_80,g_south_east"), meant);
    let meant = json!({"crop": {"width": 0.5, "height": 0.5, "x": 10, "y": 0}});
    assert_eq!(meaning("c_crop,w_0.5,h_0.5,x_10"), meant);
    // Outside is cut off.
    let meant = json!({"crop": {"width": 60, "height": 80, "x": 0, "y": 20}});
    assert_eq!(meaning("c_crop,w_100,h_80,x_-40,y_20"), meant);
}

#[test]
fn a_crop_around_a_point_is_moved_inside_at_every_edge() {
    let around = |x: i32, y: i32| json!({"crop": {"width": 100, "height": 100, "x": x, "y": y, "center": true}});
    let crop = |x: i32, y: i32| meaning(&format!("c_crop,w_100,h_100,g_xy_center,x_{x},y_{y}"));
    assert_eq!(crop(445, 295), around(445, 295));
    assert_eq!(crop(10, 295), around(50, 295));
    assert_eq!(crop(10, 10), json!({"crop": {"width": 100, "height": 100, "x": 0, "y": 0}}));
    let meant = json!({"crop": {"width": 0.5, "height": 0.5, "x": 30, "y": 40, "center": true}});
    assert_eq!(meaning("c_crop,w_0.5,h_0.5,g_xy_center,x_30,y_40"), meant);
}

#[test]
fn dpr_goes_to_the_nearest_size() {
    assert_eq!(meaning("w_50,dpr_2.0"), json!({"resize": {"width": 100}}));
    assert_eq!(meaning("w_50/r_5/dpr_2"), json!({"resize": {"width": 100}, "round": 5}));
    assert_eq!(meaning("dpr_2/w_50"), json!({"resize": {"width": 100}}));
    let two = json!({"operations": [{"resize": {"width": 80}}, {"resize": {"width": 100}}]});
    assert_eq!(meaning("w_80/w_50/dpr_2"), two);
    assert_eq!(fault("w_50,dpr_2/dpr_3").0, "/1/dpr");
    assert_eq!(fault("c_crop,w_5,h_5,dpr_2").0, "/0/dpr");
    assert_eq!(fault("w_5000/dpr_2").0, "/1/dpr");
}

#[test]
fn backgrounds_go_where_they_belong() {
    let pad = "c_pad,w_9,h_9";
    let resize = json!({"width": 9, "height": 9, "fit": "contain"});
    assert_eq!(
        meaning(&format!("{pad},b_red")),
        json!({"resize": resize, "background": "#ff0000"})
    );
    let both = meaning(&format!("{pad},b_red/b_blue"));
    assert_eq!(both["resize"]["background"], "#ff0000");
    assert_eq!(both["background"], "#0000ff");
    let white = meaning(&format!("{pad}/b_blue"));
    assert_eq!(white["resize"]["background"], "#ffffff");
    assert_eq!(white["background"], "#0000ff");
}

#[test]
fn nothing_is_passed_over() {
    for (url, pointer) in [
        ("", ""),
        ("/w_5", "/0"),
        ("w_5//e_sepia", "/1"),
        ("w_5,,h_5", "/0"),
        ("w_5,w_6", "/0/w"),
        ("hello", "/0/hello"),
        ("wonky_5", "/0/wonky"),
        ("$size_5", "/0/$size"),
        ("if_w_gt_5", "/0/if"),
        ("w_5,x_1", "/0/x"),
        ("g_north", "/0/g"),
        ("ar_16:9", "/0/ar"),
        ("c_fill", "/0/c"),
        ("c_fill,w_5,h_5,g_xy_center,x_0.5", "/0/g"),
        ("c_fill,w_5,h_5,ar_1", "/0/ar"),
        ("c_crop,w_5,h_5,ar_1", "/0/ar"),
        ("c_crop,w_5,ar_0", "/0/ar"),
        ("c_crop,w_5", "/0/c"),
        ("c_crop,w_5,h_5,g_south,x_1", "/0/g"),
        ("c_crop,w_5,h_5,g_xy_center,x_1", "/0/g"),
        ("c_crop,w_5,h_5,x_-1000001", "/0/x"),
        ("c_crop,w_5,h_5,x_0.5", "/0/x"),
        ("c_crop,w_1.5,h_0.5", "/0/w"),
        ("c_crop,w_0.5,h_1.0", "/0/h"),
        ("c_crop,w_0.5,ar_16:9", "/0/ar"),
        ("w_1.0", "/0/w"),
        ("w_0", "/0/w"),
        ("w_1e3", "/0/w"),
        ("w_99999999999999999999", "/0/w"),
        ("co_red", "/0/co"),
        ("bo_1px_solid_red,co_red", "/0/co"),
        ("bo_1px_dashed_red", "/0/bo"),
        ("bo_1px_solidred", "/0/bo"),
        ("b_blurple", "/0/b"),
        ("b_rgb:12345", "/0/b"),
        ("q_0", "/0/q"),
        ("q_80.5", "/0/q"),
        ("r_0", "/0/r"),
        ("e_grayscale:5", "/0/e"),
        ("e_sepia:1:2", "/0/e"),
        ("fl_lossy.tiled", "/0/fl"),
        ("f_png/f_jpg", "/1/f"),
        ("t_name", "/0/t"),
        ("a~b_1", "/0/a~0b"),
    ] {
        assert_eq!(fault(url).0, pointer, "{url}");
    }
    assert_eq!(meaning("f_jpg,q_7/f_jpeg,q_7"), json!({"format": "jpeg", "quality": 7}));
    assert_eq!(fault(&["e_negate"; 65].join("/")).0, "");
}

#[test]
fn every_fault_is_told_at_once_in_the_words_of_the_url() {
    let faults = read("w_9000,q_101/e_sepia:0,zz_1/r_x").unwrap_err();
    let told: BTreeMap<&str, &str> =
        faults.iter().map(|fault| (fault.pointer.as_str(), fault.detail.as_str())).collect();
    let pointers: Vec<&str> = told.keys().copied().collect();
    assert_eq!(pointers, ["/0/q", "/0/w", "/1/e", "/1/zz", "/2/r"]);
    assert_eq!(told["/0/w"], "w_9000: must be between 1 and 8000, or a fraction between 0 and 1");
    let long = fault(&format!("zz_{}", "é".repeat(500))).1;
    assert!(long.starts_with("zz_é") && long.chars().count() < 300, "{long}");
}

#[test]
fn a_preset_stands_where_it_is_named() {
    let parse = |value: Value| Spec::parse(&value).unwrap();
    let presets = |name: &str| match name {
        "card" => Some(parse(json!({
            "resize": {"width": 9, "height": 9, "fit": "contain"}, "filters": {"invert": true},
            "background": "red", "quality": 50, "format": "webp", "profile": "fast",
        }))),
        "twice" => Some(parse(json!({"operations": [{"round": 3}, {"resize": {"width": 7}}]}))),
        "whole" => Some(parse(json!({"strip": false}))),
        "marked" => Some(parse(json!({"strip": {"keep": ["icc", "xmp"]}}))),
        _ => None,
    };
    let read = |url: &str| Spec::from_url_with(url, Profile::Fast, &presets);
    let meaning = |url: &str| read(url).unwrap().canonical();
    let meant = json!({
        "operations": [
            {"filters": {"sepia": 80}},
            {"resize": {"width": 9, "height": 9, "fit": "contain", "background": "#ff0000"}},
            {"filters": {"invert": true}},
            {"rotate": 20},
        ],
        "format": "jpeg", "quality": 50, "profile": "fast", "background": "#0000ff",
    });
    assert_eq!(meaning("e_sepia/t_card/a_20,f_jpg,b_blue"), meant);
    // A preset is as it was made, whatever the deployment's profile is.
    assert_eq!(meaning("t_twice"), json!({"operations": [{"round": 3}, {"resize": {"width": 7}}]}));
    assert_eq!(meaning("w_7"), json!({"resize": {"width": 7}, "profile": "fast"}));
    // A flag of the URL takes away what a preset keeps, wherever it stands.
    for (url, strip) in [
        ("t_whole", json!(false)),
        ("t_whole/fl_strip_profile", json!({"keep": ["exif"]})),
        ("fl_strip_profile/t_whole", json!({"keep": ["exif"]})),
        ("t_marked/fl_strip_profile.lossy", json!({"keep": ["xmp"]})),
        ("t_marked/fl_strip_profile,fl_keep_attribution", json!({"keep": ["copyright"]})),
    ] {
        assert_eq!(meaning(url), json!({"strip": strip}), "{url}");
    }
    for (url, pointer) in [("w_5/t_none", "/1/t"), ("t_card,w_5", "/0/w")] {
        assert_eq!(read(url).unwrap_err()[0].pointer, pointer, "{url}");
    }
}
