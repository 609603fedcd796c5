//! What [`super::transform`] would do, told from the headers: nothing is decoded.

use std::collections::BTreeMap;

use super::{
    decode, explain,
    plan::{Plan, View},
    predict::{Cost, predict},
    probe::Probe,
    steps,
};
use crate::domain::{
    error::Result,
    format::Format,
    ids::ImageId,
    limits::Limits,
    transform::{Operation, Quality, Spec, Trim, default_quality},
};

type Size = (u32, u32);

/// What would be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Foretold {
    /// What the result would be.
    pub format: Format,
    /// The quality that it would be encoded with, where that means something.
    pub quality: Option<Quality>,
    /// Its size; `None` where only the pixels tell.
    pub size: Option<Size>,
    /// What would be done, in order.
    pub steps: Vec<Foreseen>,
    /// What that would take.
    pub cost: Cost,
    /// What may not be as it was meant.
    pub warnings: Vec<String>,
}

/// A step that would be done, as a [`super::Step`] is one that was.
#[derive(Debug, Clone, PartialEq)]
pub struct Foreseen {
    /// What it is called: `decode`, `upright`, the name of an operation, `encode`.
    pub name: &'static str,
    /// What it would do in particular, or why there is nothing to do.
    pub detail: String,
    /// Whether there is nothing to do.
    pub skipped: bool,
    /// Width and height of the picture after it; `None` where only the pixels tell.
    pub size: Option<Size>,
}

/// Tells what would be made of a picture that is `probe` by `spec`; `marks` are the pictures that watermarks show.
///
/// # Errors
/// `image_too_large`, `transform_impossible`: what [`super::transform`] refuses before it decodes.
pub fn foretell(
    spec: &Spec,
    probe: &Probe,
    marks: &BTreeMap<ImageId, Probe>,
    limits: &Limits,
) -> Result<Foretold> {
    let plan = Plan::of(probe, spec);
    let whole = (probe.width, probe.height);
    plan.check(whole, &spec.operations, limits)?;
    let cost = predict(spec, probe, marks, limits)?;

    let mut steps = Vec::with_capacity(spec.operations.len() + 3);
    let mut step = |name, (detail, skipped), size| {
        steps.push(Foreseen { name, detail, skipped, size });
    };
    let how = way(&plan, probe, spec);
    let detail = explain::decode(probe, plan.frames, plan.sixteen, "", &how);
    step("decode", (detail, false), Some(whole));
    step("upright", explain::upright(probe.orientation), Some(whole));
    let mut warnings = warnings(&plan, probe, spec);
    let early = plan.early.as_ref().ok();
    let mut size = Some(whole);
    for (index, operation) in (1..).zip(&spec.operations) {
        let last = early.filter(|early| index == early.count);
        let (after, (mut detail, skipped)) = match (last, size) {
            (Some(early), Some(before)) => {
                let after = early.size();
                (Some(after), explain::operation(operation, false, spec, before, after))
            }
            _ => next(operation, spec, size)?,
        };
        if early.is_some_and(|early| index <= early.count) {
            detail += ", as it is decoded";
        }
        if let (Operation::Resize(resize), Some(before)) = (operation, size)
            && steps::enlarges(resize, before)
            && probe.format != Format::Svg
        {
            let ((across, down), (width, height)) = (before, steps::resized(resize, before));
            warnings.push(format!("resize makes {across} × {down} larger, for {width} × {height}"));
        }
        size = after;
        step(explain::name(operation), (detail, skipped), size);
        if let Some(left) = last.and_then(|early| early.left.as_ref()) {
            let (after, what) = next(left, spec, size)?;
            size = after;
            step(explain::name(left), what, size);
        }
    }
    let quality =
        default_quality(plan.format).filter(|_| !spec.lossless).map(|_| spec.quality(plan.format));
    // Whether it is progressive depends on its size.
    let size_or_none = size.unwrap_or_default();
    let detail = explain::encode(plan.format, &wanted(quality, spec), spec, size_or_none);
    step("encode", (detail, false), size);
    Ok(Foretold { format: plan.format, quality, size, steps, cost, warnings })
}

/// How the picture is decoded.
fn way(plan: &Plan, probe: &Probe, spec: &Spec) -> String {
    match &plan.early {
        Ok(early) => match early.view {
            View::Drawn(view) => decode::drawn_as(view.size),
            View::Reduced(reduction) => decode::reduced_as(probe, reduction),
        },
        Err(_) if spec.operations.is_empty() => String::new(),
        Err(why) => format!("as a whole, as {why}"),
    }
}

/// The size after an operation, and what there is to say of it.
fn next(
    operation: &Operation,
    spec: &Spec,
    size: Option<Size>,
) -> Result<(Option<Size>, (String, bool))> {
    Ok(match (operation, size) {
        (Operation::Trim(Trim { threshold }), _) => {
            let what = format!("a border of one colour is cut off, at a threshold of {threshold}");
            (None, (what, false))
        }
        (_, Some(before)) => {
            let after = steps::size_after(operation, before)?;
            (Some(after), explain::operation(operation, false, spec, before, after))
        }
        (Operation::Resize(_) | Operation::Crop(_), None) => {
            (None, ("of what the trim leaves".to_owned(), false))
        }
        // These do the same to pictures of any size.
        (_, None) => (None, explain::operation(operation, false, spec, (1, 1), (1, 1))),
    })
}

fn wanted(quality: Option<Quality>, spec: &Spec) -> String {
    let mut text = match quality {
        None => return String::new(),
        Some(Quality::Fixed(quality)) => format!("quality {quality}"),
        Some(Quality::Auto(auto)) => format!("quality {}, to be found by its score", auto.name()),
    };
    if let Some(most) = spec.max_bytes {
        text += &format!(", or the best within {most} bytes");
    }
    text
}

/// What is lost on the way, and was not asked to be.
fn warnings(plan: &Plan, probe: &Probe, spec: &Spec) -> Vec<String> {
    let name = plan.format.as_str();
    let mut warnings = Vec::new();
    if spec.may_have_alpha(probe.source()) && !plan.format.has_alpha() {
        let beneath = spec.background.over_white();
        warnings.push(format!("what is transparent is laid on {beneath}: {name} has no alpha"));
    }
    if probe.frames > plan.frames {
        let frames = probe.frames;
        warnings
            .push(format!("the first of {frames} frames alone is written: {name} does not move"));
    }
    if probe.depth > 8 && !plan.sixteen {
        warnings.push(format!("{} bits a channel become 8", probe.depth));
    }
    warnings
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use image::ImageFormat;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        domain::error::Code,
        imaging::{Control, Overlays, predict, probe, samples, transform},
    };

    fn foretold(file: &[u8], spec: Value) -> Result<(Foretold, Spec, Probe)> {
        let limits = Limits::default();
        let probe = probe(std::io::Cursor::new(file), &limits).unwrap();
        let spec = Spec::parse(&spec).unwrap().resolved(probe.source(), None);
        foretell(&spec, &probe, &BTreeMap::new(), &limits).map(|told| (told, spec, probe))
    }

    #[test]
    fn what_is_foretold_is_what_is_done() {
        let cat = samples::read(samples::CAT);
        let [jpeg, webp] =
            [ImageFormat::Jpeg, ImageFormat::WebP].map(|format| samples::written(&cat, format));
        let turned = samples::jpeg_turned(&cat, 6);
        let drawing = b"<svg xmlns='http://www.w3.org/2000/svg' width='40' height='30'/>".to_vec();
        let (cat, moving) = (samples::CAT.to_vec(), samples::animation());
        for file in [&jpeg, &webp, &turned, &cat, &moving, &drawing] {
            for spec in [
                json!({}),
                json!({"resize": {"width": 60, "height": 40}, "filters": {"sepia": 50}}),
                json!({"crop": {"width": 20, "height": 20, "x": 1, "y": 2}, "resize": {"width": 10}}),
                json!({"resize": {"width": 1.0}, "flip": true, "round": 5, "format": "jpeg"}),
                json!({"operations": [{"crop": {"width": 30, "height": 20, "x": 0, "y": 0}},
                    {"resize": {"width": 12}}, {"rotate": 45}], "format": "avif", "quality": 30}),
                json!({"border": {"width": 3, "color": "red"}, "format": "png"}),
                json!({"resize": {"width": 40, "height": 40, "fit": "contain"}, "quality": 70}),
                json!({"resize": {"width": 31, "height": 40, "gravity": "smart"}, "flip": true}),
                json!({"resize": {"width": 900}, "format": "webp", "lossless": true}),
            ] {
                let (told, spec, probe) = foretold(file, spec).unwrap();
                let limits = Limits::default();
                let made =
                    transform(file, &Overlays::new(), &spec, &limits, &Control::default()).unwrap();
                assert_eq!(
                    (told.format, told.size),
                    (made.format, Some((made.width, made.height)))
                );
                let cost = predict(&spec, &probe, &BTreeMap::new(), &limits).unwrap();
                assert_eq!(told.cost, cost);
                // What is made smaller while it is decoded is put upright when it is small.
                let size = |name: &str, size: Option<Size>| size.filter(|_| name != "upright");
                let told: Vec<_> = told
                    .steps
                    .iter()
                    .map(|step| (step.name, size(step.name, step.size), step.skipped))
                    .collect();
                let done: Vec<_> = made
                    .steps
                    .iter()
                    .map(|step| (step.name, size(step.name, Some(step.size)), step.skipped))
                    .collect();
                assert_eq!(told, done, "{}", spec.canonical());
            }
        }
    }

    #[test]
    fn what_only_pixels_tell_is_left_open() {
        let spec = json!({"trim": true, "resize": {"width": 60}, "filters": {"sepia": 50}});
        let (told, ..) = foretold(samples::CAT, spec).unwrap();
        assert_eq!(told.size, None);
        let sizes: Vec<_> =
            told.steps.iter().map(|step| (step.name, step.size.is_some())).collect();
        let known = [("decode", true), ("upright", true), ("trim", false), ("resize", false)];
        assert_eq!(sizes, [&known[..], &[("sepia", false), ("encode", false)]].concat());
        assert_eq!(told.steps[4].detail, "50 %");
    }

    #[test]
    fn what_is_lost_is_warned_of() {
        let warned = |file: &[u8], spec| foretold(file, spec).unwrap().0.warnings;
        assert_eq!(warned(samples::CAT, json!({"resize": {"width": 60}})), [""; 0]);
        let larger = warned(samples::CAT, json!({"resize": {"width": 902}}));
        assert_eq!(larger, ["resize makes 451 × 300 larger, for 902 × 600"]);
        let padded = json!({"resize": {"width": 451, "height": 900, "fit": "contain"}});
        assert_eq!(warned(samples::CAT, padded), [""; 0]);
        let veil = samples::png(&samples::veil(20, 20));
        let flat = warned(&veil, json!({"format": "jpeg", "background": "red"}));
        assert_eq!(flat, ["what is transparent is laid on #ff0000: jpeg has no alpha"]);
        let still = warned(&samples::animation(), json!({"format": "png"}));
        assert!(still[0].starts_with("the first of "), "{still:?}");
    }

    #[test]
    fn what_would_be_refused_is() {
        let code = |spec| foretold(samples::CAT, spec).unwrap_err().code;
        assert_eq!(code(json!({"resize": {"width": 8000}, "rotate": 45})), Code::ImageTooLarge);
        let outside = json!({"crop": {"width": 9, "height": 9, "x": 900, "y": 0}});
        assert_eq!(code(outside), Code::TransformImpossible);
        assert_eq!(code(json!({"format": "ico"})), Code::TransformImpossible);
    }
}
