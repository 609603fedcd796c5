//! What is wrong must fail: each case is judged by pictures that were spoilt on purpose, as a mistake in the engine would.

use image::{DynamicImage, ImageBuffer, Rgba, RgbaImage, imageops};

use super::{Case, cases};

/// Every operation of every kind of picture.
const MATRIX: [&str; 7] = ["photograph", "alpha", "turned", "deep", "moving", "trim", "written"];

/// Every case of the family that still passes with `spoil` of what was expected.
fn unnoticed(family: &str, spoil: impl Fn(&Case, &RgbaImage) -> Option<RgbaImage>) -> Vec<String> {
    let unnoticed = cases(family).into_iter().filter(|case| {
        let right = case.expected(0);
        spoil(case, &right.to_rgba8())
            .is_some_and(|wrong| case.compare(&DynamicImage::ImageRgba8(wrong), &right).is_empty())
    });
    unnoticed.map(|case| format!("{} {}", case.family, case.name)).collect()
}

/// Half a pixel to the left: the mean of each pixel and the next.
fn shifted(picture: &RgbaImage) -> RgbaImage {
    RgbaImage::from_fn(picture.width(), picture.height(), |x, y| {
        let (one, next) =
            (picture.get_pixel(x, y).0, picture.get_pixel((x + 1).min(picture.width() - 1), y).0);
        Rgba(std::array::from_fn(|i| u8::midpoint(one[i], next[i])))
    })
}

#[test]
fn half_a_pixel_is_noticed() {
    let computed = ["resize", "quick", "fit", "rotate", "orientation", "colour", "watermark"];
    for family in computed.into_iter().chain(MATRIX) {
        // Letters are placed on quarters of a pixel, and cover little of the picture; of a wide blur nothing is left to be shifted.
        let is_apart = |name: &str| {
            name == "letters" || name.starts_with("text-") || name.ends_with("filter-blur-4")
        };
        let found =
            unnoticed(family, |case, picture| (!is_apart(&case.name)).then(|| shifted(picture)));
        assert!(found.is_empty(), "{found:?}");
    }
    let found = unnoticed("watermark", |case, picture| {
        (case.name == "letters").then(|| {
            let (width, height) = picture.dimensions();
            RgbaImage::from_fn(width, height, |x, y| *picture.get_pixel((x + 1).min(width - 1), y))
        })
    });
    assert!(found.is_empty(), "a whole pixel: {found:?}");
}

#[test]
fn the_other_light_is_noticed() {
    for family in ["resize", "quick"] {
        let found = unnoticed(family, |case, _| {
            let file = case.folder.join("expected").join(format!("gamma-{}.png", case.name));
            file.is_file().then(|| image::open(file).unwrap().to_rgba8())
        });
        assert!(found.is_empty(), "{found:?}");
    }
}

#[test]
fn colours_that_bleed_are_noticed() {
    // Resized and blurred without multiplying by alpha first: the green beneath what is transparent comes out.
    let bleeding = |case: &Case, right: &RgbaImage| {
        if !case.source.starts_with("disc") {
            return None;
        }
        let source = image::load_from_memory(&case.source(&case.source)).unwrap().to_rgba8();
        let channels: [ImageBuffer<image::Luma<u8>, Vec<u8>>; 4] = std::array::from_fn(|channel| {
            let plane = ImageBuffer::from_fn(source.width(), source.height(), |x, y| {
                image::Luma([source.get_pixel(x, y).0[channel]])
            });
            if case.family == "filter" {
                imageops::blur(&plane, 2.2)
            } else {
                imageops::resize(
                    &plane,
                    right.width(),
                    right.height(),
                    imageops::FilterType::Lanczos3,
                )
            }
        });
        Some(RgbaImage::from_fn(right.width(), right.height(), |x, y| {
            Rgba(std::array::from_fn(|channel| channels[channel].get_pixel(x, y).0[0]))
        }))
    };
    let found = unnoticed("resize", bleeding);
    assert!(found.is_empty(), "{found:?}");
    let found = unnoticed("filter", |case, right| {
        case.name.ends_with("disc-blur").then(|| bleeding(case, right)).flatten()
    });
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn swapped_channels_and_wrong_turns_are_noticed() {
    let others = [
        "resize",
        "fit",
        "move",
        "rotate",
        "shape",
        "watermark",
        "decode",
        "orientation",
        "colour",
        "animation",
        "png",
        "gif",
        "jpeg",
        "inks",
        "tiff",
        "bitmap",
        "jxl",
        "avif",
        "light",
        "kept",
    ];
    for family in others.into_iter().chain(MATRIX) {
        let found = unnoticed(family, |case, picture| {
            // What has no colour looks the same.
            let is_grey = picture.pixels().all(|pixel| pixel.0[0] == pixel.0[2]);
            let mut wrong = picture.clone();
            wrong.pixels_mut().for_each(|pixel| pixel.0.swap(0, 2));
            (!is_grey && !case.name.contains("grayscale")).then_some(wrong)
        });
        assert!(found.is_empty(), "{found:?}");
        let found = unnoticed(family, |_, picture| Some(imageops::flip_horizontal(picture)));
        let found: Vec<_> = found.into_iter().filter(|name| !name.ends_with("enlarge")).collect();
        assert!(found.is_empty(), "{found:?}");
    }
}

#[test]
fn eight_bits_are_not_sixteen() {
    for family in ["sixteen", "deep"] {
        let found = unnoticed(family, |_, picture| Some(picture.clone()));
        assert!(found.is_empty(), "{found:?}");
    }
}

#[test]
fn what_is_left_as_it_was_is_noticed() {
    for family in ["photograph", "alpha", "moving"] {
        let found = unnoticed(family, |case, right| {
            let source = image::load_from_memory(&case.source(&case.source)).unwrap().to_rgba8();
            (source.dimensions() == right.dimensions()).then_some(source)
        });
        assert!(found.is_empty(), "{found:?}");
    }
}

#[test]
fn lost_transparency_is_noticed() {
    for family in ["alpha", "moving"] {
        let found = unnoticed(family, |_, right| {
            let mut wrong = right.clone();
            wrong.pixels_mut().for_each(|pixel| pixel.0[3] = 255);
            // Of some cuts all but an edge of it lies outside.
            let clear = right.pixels().filter(|pixel| pixel.0[3] < 128).count();
            (clear > 3).then_some(wrong)
        });
        assert!(found.is_empty(), "{found:?}");
    }
}

#[test]
fn another_frame_is_noticed() {
    let found = unnoticed("moving", |case, _| Some(case.expected(1).to_rgba8()));
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_filter_that_does_nothing_or_too_much_is_noticed() {
    let found = unnoticed("filter", |case, _| {
        Some(image::load_from_memory(&case.source(&case.source)).unwrap().to_rgba8())
    });
    assert!(found.is_empty(), "{found:?}");
    // Two levels too bright.
    let found = unnoticed("filter", |_, picture| {
        let mut wrong = picture.clone();
        wrong.pixels_mut().for_each(|pixel| {
            pixel.0[..3].iter_mut().for_each(|channel| *channel = channel.saturating_add(2));
        });
        Some(wrong)
    });
    assert!(found.is_empty(), "{found:?}");
}
