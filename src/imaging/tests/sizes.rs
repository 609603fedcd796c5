//! Where pictures are cut and padded, and which sizes are known when.

use super::{
    super::{plan, probe, steps},
    *,
};

/// From the file to the cut: wherever the one thing to see is, it is in the picture, and whole.
#[test]
fn a_smart_size_keeps_what_there_is_to_see() {
    for (left, top) in [(4, 20), (50, 4), (92, 60), (20, 70)] {
        let picture = RgbaImage::from_fn(120, 100, |x, y| {
            let is_patch = (left..left + 24).contains(&x) && (top..top + 24).contains(&y);
            let is_light = (x / 4 + y / 4) % 2 == 0;
            Rgba(if !is_patch {
                [128, 128, 128, 255]
            } else if is_light {
                [220, 40, 30, 255]
            } else {
                [250, 200, 40, 255]
            })
        });
        let file = samples::png(&picture);
        let patch = |picture: &RgbaImage| {
            picture.pixels().filter(|pixel| pixel.0[0] > 180 && pixel.0[2] < 100).count()
        };
        // Cut across, cut down, and cut out; each is smaller than the picture, and larger than the patch.
        for (value, scale) in [
            (json!({"resize": {"width": 40, "height": 100, "gravity": "smart"}}), 1),
            (json!({"resize": {"width": 120, "height": 40, "gravity": "smart"}}), 1),
            (json!({"resize": {"width": 20, "height": 50, "gravity": "smart"}}), 2),
            (json!({"crop": {"width": 40, "height": 40, "gravity": "smart"}}), 1),
        ] {
            let made = pixels(&file, value.clone());
            let (found, all) = (patch(&made) * scale * scale, 24 * 24);
            assert!(found.abs_diff(all) <= all / 8, "{left}, {top}: {found} of {all}: {value}");
            let output = make(&file, value.clone());
            let told = output.steps.iter().any(|step| step.detail.contains("smart, found at"));
            assert!(told, "{value}: {:?}", output.steps);
        }
    }
}

#[test]
fn padding_is_not_painted_over_what_is_transparent() {
    let clear = [9, 8, 7, 0];
    let picture = RgbaImage::from_fn(30, 20, |x, _| {
        Rgba(match x {
            0..10 => clear,
            10..20 => [200, 30, 30, 128],
            _ => [30, 30, 200, 255],
        })
    });
    let file = samples::png(&picture);
    let padded = |background: &str, format: &str| {
        let resize = json!({"width": 30, "height": 30, "fit": "contain", "background": background});
        let made = make(&file, json!({"resize": resize, "format": format, "lossless": true}));
        samples::read(&made.bytes)
    };
    for format in ["png", "webp"] {
        for (background, padding) in
            [("#00ff00", [0, 255, 0, 255]), ("#00ff0080", [0, 255, 0, 128])]
        {
            let made = padded(background, format);
            assert_eq!(made.get_pixel(5, 2).0, padding, "{format}");
            assert_eq!(made.get_pixel(5, 27).0, padding, "{format}");
            let [x5, x15, x25] = [5, 15, 25].map(|x| made.get_pixel(x, 15).0);
            assert_eq!((x5[3], x15, x25), (0, [200, 30, 30, 128], [30, 30, 200, 255]), "{format}");
        }
    }
    // Where there is no transparency the background of the whole lies beneath, and the padding is what it is.
    let made = padded("#00ff00", "jpeg");
    let near = |x: u32, y: u32, expected: [u8; 3]| {
        let found = made.get_pixel(x, y).0;
        let is_near = found.iter().zip(expected).all(|(one, other)| one.abs_diff(other) <= 12);
        assert!(is_near, "{x}, {y}: {found:?}");
    };
    near(4, 15, [255, 255, 255]);
    near(4, 2, [0, 255, 0]);
}

/// Grey all around a patch.
fn framed(size: (u32, u32), patch: (u32, u32)) -> Vec<u8> {
    samples::png(&RgbaImage::from_fn(size.0, size.1, |x, y| {
        let (left, top) = ((size.0 - patch.0) / 2, (size.1 - patch.1) / 2);
        let is_patch = (left..left + patch.0).contains(&x) && (top..top + patch.1).contains(&y);
        let spot = u8::from((x * 7 + y * 3) % 5 == 0) * 90;
        Rgba(if is_patch { [200, 30 + spot, 90, 255] } else { [90, 90, 90, 255] })
    }))
}

/// What a trim leaves is not known before the pixels are, and only then what the steps behind it lead to.
#[test]
fn sizes_behind_a_trim_are_those_of_what_it_leaves() {
    let tall = framed((60, 1000), (40, 40));
    let widened = json!({"trim": true, "resize": {"width": 500}});
    let made = make(&tall, widened.clone());
    assert_eq!((made.width, made.height), (500, 500));
    // Untrimmed it would be 8333 pixels down; and so it is where the patch is as tall.
    let error = refusal(&tall, json!({"resize": {"width": 500}}));
    assert_eq!(error.code, Code::ImageTooLarge);
    let error = refusal(&framed((60, 1000), (40, 990)), widened);
    assert_eq!(error.code, Code::ImageTooLarge);
    assert!(error.detail.starts_with("resize would make 500 × 12375"), "{}", error.detail);
    // What stands before a trim is known from the header.
    let before = json!({"operations": [{"resize": {"width": 500}}, {"trim": true}]});
    assert_eq!(refusal(&tall, before).code, Code::ImageTooLarge);
    // Trimmed once more, and what lies behind that.
    let twice = json!({"operations": [
        {"trim": true}, {"border": {"width": 9}}, {"trim": true}, {"resize": {"height": 8001, "dpr": 0.9}},
    ]});
    assert!(Spec::parse(&twice).is_err());
    let twice = json!({"operations": [
        {"trim": true}, {"border": {"width": 9}}, {"trim": true}, {"resize": {"height": 70}},
    ]});
    let made = make(&tall, twice);
    assert_eq!((made.width, made.height), (70, 70));

    // The same holds for what a format has room for.
    let large = framed((300, 280), (100, 90));
    assert_eq!(refusal(&large, json!({"format": "ico"})).code, Code::TransformImpossible);
    let icon = make(&large, json!({"format": "ico", "trim": true}));
    assert_eq!((icon.width, icon.height), (100, 90));
    let error = refusal(&large, json!({"format": "ico", "trim": true, "resize": {"width": 257}}));
    assert_eq!(error.code, Code::TransformImpossible);
    assert!(error.detail.contains("256"), "{}", error.detail);
}

/// Every step after a trim takes as much memory as was foreseen, whatever is left.
#[test]
fn what_is_foreseen_behind_a_trim_is_enough() {
    let limits = Limits::default();
    let file = framed((90, 70), (40, 30));
    let probe = probe(std::io::Cursor::new(&file), &limits).unwrap();
    for resize in [
        json!({"width": 200}),
        json!({"height": 30}),
        json!({"width": 0.5}),
        json!({"height": 0.9, "dpr": 3}),
        json!({"width": 300, "enlarge": false}),
        json!({"width": 50, "height": 90}),
        json!({"width": 50, "height": 90, "enlarge": false}),
        json!({"width": 50, "height": 90, "fit": "inside"}),
        json!({"width": 50, "height": 90, "fit": "outside"}),
        json!({"width": 50, "height": 90, "fit": "outside", "enlarge": false}),
        json!({"width": 50, "height": 90, "fit": "contain", "enlarge": false}),
        json!({"width": 0.5, "height": 90, "fit": "fill"}),
        json!({"height": 80, "aspect": 1.5}),
    ] {
        let spec =
            spec(json!({"trim": true, "resize": resize, "border": {"width": 2}, "rotate": 20}));
        let operations = &spec.operations;
        let most = plan::most((probe.width, probe.height), 1, operations, &limits).unwrap();
        // Whatever a trim may leave of it.
        for left in [(40, 30), (1, 70), (90, 1), (90, 70), (7, 61), (88, 13)] {
            let mut size = left;
            for (operation, most) in operations.iter().zip(&most).skip(1) {
                size = steps::size_after(operation, size).unwrap();
                let is_refused = plan::within(&limits, size, 1).is_err();
                let fits = size.0 <= most.0 && size.1 <= most.1;
                assert!(fits || is_refused, "{resize}: {left:?} becomes {size:?}, not {most:?}");
            }
        }
    }
    let unforeseen = Limits { pixels: 1_000_000, ..limits };
    let wide = spec(json!({"trim": true, "resize": {"width": 4000}}));
    let most = plan::most((90, 70), 1, &wide.operations, &unforeseen).unwrap();
    assert_eq!(most, [(90, 70), (4000, 250)]);
}
