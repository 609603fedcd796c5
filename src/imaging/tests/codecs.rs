//! AVIF, JPEG XL and SVG: files of other encoders, our own, and hostile ones.

use std::time::{Duration, Instant};

use image::{RgbaImage, imageops};
use serde_json::json;

use super::{Control, make, pixels, psnr, refusal, samples};
use crate::{
    domain::{error::Code, format::Format, limits::Limits},
    imaging::probe,
};

macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/pictures/codecs/", $name)).as_slice()
    };
}

const CAT: &[u8] = file!("cat.png");
const VEIL: &[u8] = file!("veil.png");

fn probed(file: &[u8]) -> crate::imaging::Probe {
    probe(std::io::Cursor::new(file), &Limits::default()).unwrap()
}

#[test]
fn files_of_other_encoders_are_read() {
    let (cat, veil) = (samples::read(CAT), samples::read(VEIL));
    for (name, file, format, expected, least) in [
        ("cat.avif", file!("cat.avif"), Format::Avif, &cat, 38.0),
        ("deep.avif", file!("deep.avif"), Format::Avif, &cat, 38.0),
        ("veil.avif", file!("veil.avif"), Format::Avif, &veil, 36.0),
        ("cat.jxl", file!("cat.jxl"), Format::Jxl, &cat, 38.0),
        ("veil.jxl", file!("veil.jxl"), Format::Jxl, &veil, 60.0),
    ] {
        let probe = probed(file);
        assert_eq!((probe.format, probe.width, probe.height), (format, 96, 64), "{name}");
        assert_eq!(probe.has_alpha, name.starts_with("veil"), "{name}");
        let found = psnr(&pixels(file, json!({})), expected);
        assert!(found > least, "{name}: {found}");
    }
    let grey = pixels(file!("grey.avif"), json!({}));
    assert!(grey.pixels().all(|pixel| pixel.0[0] == pixel.0[1] && pixel.0[1] == pixel.0[2]));
}

#[test]
fn more_than_eight_bits_stay_so() {
    assert_eq!(probed(file!("deep.avif")).depth, 10);
    let made = make(file!("deep.avif"), json!({"format": "png"}));
    assert_eq!(image::load_from_memory(&made.bytes).unwrap().color(), image::ColorType::Rgb16);
    let made = make(file!("deep.avif"), json!({"format": "jpeg"}));
    assert_eq!(image::load_from_memory(&made.bytes).unwrap().color(), image::ColorType::Rgb8);
}

#[test]
fn boxes_turn_mirror_and_cut() {
    let cat = samples::read(CAT);
    // Counter-clockwise first, then top and bottom exchanged.
    let turned = imageops::flip_vertical(&imageops::rotate90(&cat));
    for (name, file, expected) in [
        ("irot1", file!("irot1.avif"), imageops::rotate270(&cat)),
        ("irot3imir0", file!("irot3imir0.avif"), turned),
        ("imir1", file!("imir1.avif"), imageops::flip_horizontal(&cat)),
        ("cut", file!("cut.avif"), imageops::crop_imm(&cat, 10, 6, 60, 40).to_image()),
    ] {
        let probe = probed(file);
        assert_eq!((probe.width, probe.height), expected.dimensions(), "{name}");
        let found = psnr(&pixels(file, json!({})), &expected);
        assert!(found > 36.0, "{name}: {found}");
    }
}

#[test]
fn colours_are_brought_into_srgb() {
    // The same numbers, meant in Display P3: what a profile of it says they are.
    let mut expected = samples::read(CAT);
    let p3 = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    crate::imaging::color::to_srgb(&mut expected, &p3, &Control::default()).unwrap();
    let found = pixels(file!("p3.avif"), json!({}));
    assert!(psnr(&found, &expected) > 36.0, "{}", psnr(&found, &expected));
    assert!(psnr(&found, &samples::read(CAT)) < 34.0);
    assert_eq!(refusal(file!("pq.avif"), json!({})).code, Code::UnsupportedMediaType);
}

#[test]
fn avif_is_written_as_well_as_asked_for() {
    let cat = samples::read(CAT);
    let size = |quality: u8| make(CAT, json!({"format": "avif", "quality": quality})).bytes.len();
    let sizes = [10, 30, 50, 70, 95].map(size);
    assert!(sizes.is_sorted(), "{sizes:?}");
    let score = |spec: serde_json::Value| {
        let made = make(CAT, spec);
        assert_eq!((made.format, made.width, made.height), (Format::Avif, 96, 64));
        psnr(&pixels(&made.bytes, json!({})), &cat)
    };
    assert!(score(json!({"format": "avif"})) > 33.0);
    assert!(score(json!({"format": "avif", "profile": "fast"})) > 32.0);
    assert!(score(json!({"format": "avif", "quality": 95})) > 40.0);
    assert_eq!(score(json!({"format": "avif", "lossless": true})), f64::INFINITY);
    let veil = make(VEIL, json!({"format": "avif", "quality": 90}));
    assert!(probed(&veil.bytes).has_alpha);
    assert!(psnr(&pixels(&veil.bytes, json!({})), &samples::read(VEIL)) > 34.0);
    let found = make(CAT, json!({"format": "avif", "quality": "auto"}));
    assert!(found.bytes.len() < size(95) && found.bytes.len() > size(30));
}

#[test]
fn what_ends_too_early_is_corrupt() {
    for file in [file!("cat.avif"), file!("veil.avif"), file!("cat.jxl"), file!("veil.jxl")] {
        for length in [file.len() - 1, file.len() * 3 / 4, file.len() / 2, 200, 40, 13] {
            let code = refusal(&file[..length], json!({})).code;
            assert_eq!(code, Code::ImageCorrupt, "{length} of {}", file.len());
        }
    }
}

const RECTANGLES: &str = r##"<?xml version="1.0"?>
<!-- three of them -->
<svg xmlns="http://www.w3.org/2000/svg" width="60" height="40" viewBox="0 0 30 20">
  <rect width="10" height="20" fill="#dc1e1e"/>
  <rect x="20" width="10" height="20" fill="#1e1edc" fill-opacity="0.5"/>
</svg>"##;

#[test]
fn drawings_are_drawn() {
    let drawn = pixels(RECTANGLES.as_bytes(), json!({}));
    assert_eq!(drawn.dimensions(), (60, 40));
    assert_eq!(drawn.get_pixel(10, 10).0, [220, 30, 30, 255]);
    assert_eq!(drawn.get_pixel(30, 10).0, [0; 4]);
    let [red, green, blue, alpha] = drawn.get_pixel(50, 10).0;
    assert!(red.abs_diff(30) <= 1 && green.abs_diff(30) <= 1 && blue.abs_diff(220) <= 1);
    assert!(alpha.abs_diff(128) <= 1);
    let one_side = RECTANGLES.replace(" height=\"40\"", "");
    assert_eq!(pixels(one_side.as_bytes(), json!({})), drawn);
    for (attributes, expected) in [
        ("width='2in' height='1in'", (192, 96)),
        ("viewBox='0 0 123 45'", (123, 45)),
        ("width='1in' viewBox='0,0 30 60'", (96, 192)),
        ("height='90' viewBox='0 0 30 60'", (45, 90)),
        ("width='100%' viewBox='0 0 30 60'", (30, 60)),
    ] {
        let file = format!("\u{feff}<svg xmlns='http://www.w3.org/2000/svg' {attributes}/>");
        let probe = probed(file.as_bytes());
        assert_eq!(
            (probe.format, probe.width, probe.height),
            (Format::Svg, expected.0, expected.1)
        );
    }
    let text = "<svg xmlns='http://www.w3.org/2000/svg' width='90' height='30'>\
        <text x='5' y='24' font-size='24' font-family='Whatever'>Abc</text></svg>";
    let drawn = pixels(text.as_bytes(), json!({}));
    let ink = drawn.pixels().filter(|pixel| pixel.0[3] > 128).count();
    assert!((150..900).contains(&ink), "{ink}");
}

/// Sharp at any size: as if the file were one of very many pixels. Made larger from its own size the edges would be blurred;
/// made smaller it is resized, in linear light like any picture.
#[test]
fn drawings_are_drawn_as_large_as_they_are_wanted() {
    let drawing = RECTANGLES
        .replace("<rect width", "<rect width=\"30\" height=\"20\" fill=\"#a0c8a0\"/><rect width");
    let large = drawing.replace("\"60\"", "\"1920\"").replace("\"40\"", "\"1280\"");
    let large = samples::png(&pixels(large.as_bytes(), json!({})));
    let small = samples::png(&pixels(drawing.as_bytes(), json!({})));
    for resize in [
        json!({ "width": 240 }),
        json!({ "width": 30 }),
        json!({ "width": 210, "height": 170, "fit": "fill" }),
        json!({ "width": 130, "height": 170, "fit": "cover", "gravity": "northeast" }),
        json!({ "width": 37, "height": 17, "fit": "cover", "gravity": "southwest" }),
        json!({ "width": 130, "height": 170, "fit": "contain", "gravity": "south", "background": "#ffcc00" }),
        json!({ "width": 130, "height": 170, "fit": "outside", "dpr": 2 }),
        json!({ "width": 130, "height": 170, "fit": "inside" }),
    ] {
        let spec = json!({ "operations": [{ "resize": resize }, { "rotate": 90 }] });
        let drawn = pixels(drawing.as_bytes(), spec.clone());
        let expected = pixels(&large, spec.clone());
        assert_eq!(drawn.dimensions(), expected.dimensions(), "{spec}");
        let alike = psnr(&drawn, &expected);
        assert!(alike > 40.0, "{alike:.1} dB: {spec}");
        let resized = pixels(&small, spec.clone());
        if resize["width"].as_u64() > Some(60) {
            let blurred = psnr(&resized, &expected);
            assert!(alike > blurred + 5.0, "{alike:.1} dB, resized {blurred:.1}: {spec}");
        } else {
            assert_eq!(drawn, resized, "{spec}");
        }
    }
    // A part of its own size, not of the size that it is drawn at; and nothing larger where that was not asked for.
    let half = pixels(RECTANGLES.as_bytes(), json!({ "resize": { "width": 0.5 } }));
    assert_eq!(half.dimensions(), (30, 20));
    let kept =
        pixels(RECTANGLES.as_bytes(), json!({ "resize": { "width": 600, "enlarge": false } }));
    assert_eq!(kept.dimensions(), (60, 40));
    let wide = pixels(RECTANGLES.as_bytes(), json!({ "resize": { "width": 600 } }));
    assert_eq!(wide.get_pixel(199, 10).0, [220, 30, 30, 255]);
    assert_eq!(wide.get_pixel(200, 10).0, [0; 4]);
}

#[test]
fn drawings_load_nothing_and_end_soon() {
    let around = |inner: &str| {
        format!(
            "<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink' width='50' height='50'>{inner}</svg>"
        )
    };
    // Pictures from elsewhere are left out: of files, of addresses, and drawings in drawings.
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/pictures/chelsea.png");
    for link in [
        path,
        &format!("file://{path}"),
        "http://127.0.0.1/a.png",
        "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><rect width='9' height='9'/></svg>",
    ] {
        let link = link.replace('<', "%3C").replace('\'', "%27");
        let file = around(&format!("<image width='50' height='50' xlink:href='{link}'/>"));
        let drawn = pixels(file.as_bytes(), json!({}));
        assert!(drawn.pixels().all(|pixel| pixel.0 == [0; 4]), "{link}");
    }
    let laughs = "<!DOCTYPE svg [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'>]>".to_owned()
        + &around("<text>&b;</text>");
    let nested = around(&("<g>".repeat(50_000) + &"</g>".repeat(50_000)));
    let mut uses = "<g id='a0'><rect width='1' height='1'/></g>".to_owned();
    for level in 1..12 {
        let inner = format!("<use xlink:href='#a{}'/>", level - 1).repeat(10);
        uses += &format!("<g id='a{level}'>{inner}</g>");
    }
    // Each would need a picture of its own, of 256 MB.
    let layered = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='7000' height='7000'>{}<rect width='7000' height='7000'/>{}</svg>",
        "<g opacity='0.9'>".repeat(300),
        "</g>".repeat(300)
    );
    let many = around(&"<rect/>".repeat(300_000));
    let huge =
        "<svg xmlns='http://www.w3.org/2000/svg' width='100000' height='100000'/>".to_owned();
    for (name, file) in [
        ("entities", laughs),
        ("nesting", nested),
        ("uses", around(&uses)),
        ("elements", many),
        ("size", huge),
        ("layers", layered),
        ("no end", "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><g>".to_owned()),
    ] {
        let started = Instant::now();
        let code = refusal(file.as_bytes(), json!({})).code;
        assert!(matches!(code, Code::ImageTooLarge | Code::ImageCorrupt), "{name}: {code:?}");
        // Generous: a debug build on a busy machine. Unbounded they would take hours.
        assert!(started.elapsed() < Duration::from_secs(20), "{name}");
    }
}

/// Few bytes can mean hours, and nothing stops resvg once it draws.
#[test]
fn drawings_that_take_too_long_are_not_begun() {
    let around = |side: u32, inner: &str| {
        format!(
            "<svg xmlns='http://www.w3.org/2000/svg' width='{side}' height='{side}'>{inner}</svg>"
        )
    };
    let filtered = |side: u32, filter: &str, times: usize| {
        let rect = format!("<rect width='{side}' height='{side}' filter='url(#f)'/>");
        around(side, &format!("<filter id='f' {filter}</filter>{}", rect.repeat(times)))
    };
    let mut patterns = "<pattern id='p0' width='9' height='9' patternUnits='userSpaceOnUse'><rect width='5' height='5'/></pattern>".to_owned();
    for level in 1..12 {
        let inner =
            format!("<rect width='900' height='900' fill='url(#p{})'/>", level - 1).repeat(10);
        patterns += &format!(
            "<pattern id='p{level}' width='900' height='900' patternUnits='userSpaceOnUse'>{inner}</pattern>"
        );
    }
    patterns += "<rect width='900' height='900' fill='url(#p11)'/>";
    // The same by rules of a style sheet; and nothing but depth, or rules.
    let mut styled = "<style>.p0{fill:#000}".to_owned();
    for level in 1..12 {
        styled += &format!(".p{level}{{fill:url(#p{})}}", level - 1);
    }
    styled += "</style>";
    for level in 0..12 {
        let inner = format!("<rect width='900' height='900' class='p{level}'/>").repeat(10);
        styled += &format!(
            "<pattern id='p{level}' width='900' height='900' patternUnits='userSpaceOnUse'>{inner}</pattern>"
        );
    }
    styled += "<rect width='900' height='900' fill='url(#p11)'/>";
    let depth = format!("{}<rect width='9' height='9'/>{}", "<g>".repeat(600), "</g>".repeat(600));
    let rules = format!("<style>{}</style>{}", ".a{x:y}".repeat(50_000), "<g/>".repeat(50_000));
    let zigzag: String = (1..200_000)
        .map(|x| format!("L{} {}", x % 4000, if x % 2 == 0 { 0 } else { 4000 }))
        .collect();
    let blur = "><feGaussianBlur stdDeviation='30'/>";
    for (name, file) in [
        ("octaves", filtered(900, "><feTurbulence baseFrequency='0.1' numOctaves='1000000'/>", 1)),
        ("reach", filtered(2000, "><feMorphology operator='dilate' radius='300'/>", 1)),
        ("filters", filtered(2000, blur, 2000)),
        ("parts", filtered(2000, &format!(">{}", "<feOffset/>".repeat(500)), 1)),
        (
            "region",
            filtered(
                90,
                "filterUnits='userSpaceOnUse' x='-20000' y='-20000' width='40000' height='40000'><feFlood/>",
                1,
            ),
        ),
        ("patterns", around(900, &patterns)),
        ("patterns by rules", around(900, &styled)),
        ("depth", around(900, &depth)),
        ("rules", around(900, &rules)),
        ("edges", around(4000, &format!("<path d='M0 0{zigzag}'/>"))),
        ("flat", around(7000, &"<rect width='7000' height='7000' opacity='0.1'/>".repeat(20_000))),
    ] {
        let error = refusal(file.as_bytes(), json!({}));
        assert_eq!(error.code, Code::ImageTooLarge, "{name}: {error}");
    }
    // What people draw is drawn: shadows, gradients, letters, many small things.
    let shadow = "><feGaussianBlur in='SourceAlpha' stdDeviation='6'/><feOffset dx='4' result='o'/>\
        <feFlood flood-opacity='.5'/><feComposite in2='o' operator='in'/>\
        <feMerge><feMergeNode/><feMergeNode in='SourceGraphic'/></feMerge>";
    let small = "<circle cx='50' cy='50' r='4' stroke='red' opacity='.5'/>".repeat(2000);
    let page = filtered(600, shadow, 3).replace("</svg>", &format!("{small}</svg>"));
    assert_eq!(pixels(page.as_bytes(), json!({})).dimensions(), (600, 600));
    // And what programs export: a clip path of its own for every shape, by rules, in groups that are clipped again.
    let mut exported = "<style>".to_owned();
    for n in 0..60 {
        exported += &format!(".c{n}{{clip-path:url(#c{n});fill:url(#f{n})}}");
    }
    exported += "</style>";
    for n in 0..60 {
        exported += &format!(
            "<clipPath id='c{n}'><rect class='d' width='500' height='{n}9'/></clipPath>\
             <linearGradient id='f{n}'><stop stop-color='red'/></linearGradient>"
        );
        let group = format!("<g clip-path='url(#c{n})'>").repeat(5);
        exported +=
            &format!("{group}<rect class='c{n}' width='90' height='9'/>{}", "</g>".repeat(5));
    }
    assert_eq!(pixels(around(600, &exported).as_bytes(), json!({})).dimensions(), (600, 600));
}

#[test]
fn a_page_is_no_drawing() {
    for text in
        ["<html><body><svg width='1' height='1'/></body></html>", "<!-- <svg> --><p/>", "<", "<!--"]
    {
        assert_eq!(refusal(text.as_bytes(), json!({})).code, Code::UnsupportedMediaType, "{text}");
    }
}

#[test]
fn a_drawing_is_a_picture_like_any() {
    let made = make(RECTANGLES.as_bytes(), json!({"resize": {"width": 30}}));
    assert_eq!((made.format, made.width, made.height), (Format::Png, 30, 20));
    let flat = RgbaImage::from_pixel(1, 1, image::Rgba([255; 4]));
    let jpeg =
        samples::read(&make(RECTANGLES.as_bytes(), json!({"format": "jpeg", "quality": 95})).bytes);
    assert!(jpeg.get_pixel(30, 20).0[0].abs_diff(flat.get_pixel(0, 0).0[0]) < 4);
}
