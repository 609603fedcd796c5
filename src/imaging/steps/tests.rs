//! What the steps plan is what they make.
#![allow(clippy::unwrap_used)]

use image::RgbaImage;
use proptest::prelude::*;
use serde_json::json;

use super::{Size, apply, size_after};
use crate::{
    domain::{limits::Limits, transform::Spec},
    imaging::{
        Overlays,
        control::Control,
        picture::{Picture, Pixels},
    },
};

fn check(value: &serde_json::Value, size: Size) -> Result<(), TestCaseError> {
    let operations = Spec::parse(value).unwrap().operations;
    for operation in operations {
        let mut picture = Picture::still(Pixels::Eight(RgbaImage::new(size.0, size.1)), true);
        let (overlays, limits) = (Overlays::default(), Limits::default());
        apply(&mut picture, &operation, &Spec::default(), &overlays, &limits, &Control::default())
            .unwrap();
        prop_assert_eq!(picture.size(), size_after(&operation, size).unwrap(), "{}", value);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_plan_is_kept(
        size in (1_u32..60, 1_u32..60),
        target in (1_u32..60, 1_u32..60),
        fit in proptest::sample::select(vec!["cover", "contain", "inside", "outside", "fill"]),
        enlarge: bool,
        at in (0.0..=1.0, 0.0..=1.0),
        degrees in 0..360,
    ) {
        let gravity = json!({"x": at.0, "y": at.1});
        check(&json!({"resize": {"width": target.0, "height": target.1, "fit": fit, "enlarge": enlarge, "gravity": gravity}}), size)?;
        check(&json!({"resize": {"width": target.0, "enlarge": enlarge}}), size)?;
        check(&json!({"crop": {"width": target.0, "height": target.1, "gravity": gravity}}), size)?;
        check(&json!({"rotate": degrees}), size)?;
    }
}
