//! `c_`, `w_`, `h_` and what goes with them: another size, or a part.

use serde_json::{Value, json};

use super::{
    component::read_background,
    draft::{Draft, Step},
    hints,
    parameter::{Component, Parameter, number},
    table::{GRAVITIES, MODES, Mode, SCALE},
};
use crate::domain::{color::Color, error::Fault};

/// `dpr_`: a number for the JSON parser to judge.
pub(super) fn read_dpr(dpr: &Parameter, draft: &mut Draft) -> Option<Value> {
    if dpr.value == "auto" {
        draft.asks.dpr = true;
        draft.asks.save_data = true;
        return Some(Value::from(draft.hints.dpr()));
    }
    dpr.numeric("must be a number between 0.1 and 10, or auto", &mut draft.faults)
}

/// `c_`, `w_`, `h_` and what goes with them.
pub(super) fn read_size(component: &mut Component, draft: &mut Draft) {
    let mode = component.take("c");
    let chosen = match &mode {
        Some(c) => MODES.iter().find(|mode| mode.name == c.value).unwrap_or_else(|| {
            let names: Vec<&str> = MODES.iter().map(|mode| mode.name).collect();
            draft.faults.push(c.fault(format!("not offered; there are: {}", names.join(", "))));
            &SCALE
        }),
        None => &SCALE,
    };
    let (width, height) = (component.take("w"), component.take("h"));
    let Some(whole) = mode.clone().or_else(|| width.clone()).or_else(|| height.clone()) else {
        // Without a size, padding has no colour and a ratio no side: these are left for others.
        return;
    };
    match chosen.fit {
        Some(fit) => read_resize(component, draft, [width, height], whole, (chosen, fit)),
        None => read_crop(component, draft, [width, height], whole),
    }
}

fn read_resize(
    component: &mut Component,
    draft: &mut Draft,
    [width, height]: [Option<Parameter>; 2],
    whole: Parameter,
    (mode, fit): (&Mode, &'static str),
) {
    let auto = width.as_ref().and_then(|width| hints::read_width(width, &draft.hints));
    draft.asks.width |= auto.is_some();
    let dpr = component.take("dpr").and_then(|dpr| Some((read_dpr(&dpr, draft)?, dpr)));
    let faults = &mut draft.faults;
    if width.is_none() && height.is_none() {
        faults.push(whole.fault("needs w_ or h_"));
    }
    let mut step = Step::object("resize", whole);
    step.imply("fit", fit);
    // A width that nobody wrote makes nothing larger, unless a box has to be filled.
    let has_box = height.is_some() || component.has("ar");
    let fills = has_box && matches!(fit, "cover" | "contain");
    step.imply("enlarge", mode.enlarge && (auto.is_none() || fills));
    let mut sized = false;
    for (field, side) in [("width", width), ("height", height)] {
        let Some(side) = side else { continue };
        match auto.as_ref().filter(|_| field == "width") {
            Some(Ok(auto)) => step.set_auto(*auto, side),
            Some(Err(fault)) => {
                faults.push(fault.clone());
                continue;
            }
            None => match read_length(&side, faults) {
                Some(length) => step.set(field, length, side),
                None => continue,
            },
        }
        sized = true;
    }
    if let Some(ratio) = component.take("ar") {
        step.set("aspect", ratio.value.clone(), ratio);
    }
    match read_gravity(component, faults) {
        Some((value, origin)) => step.set("gravity", value, origin),
        None => {
            if let Some(gravity) = mode.gravity {
                step.imply("gravity", gravity);
            }
        }
    }
    if let Some((number, dpr)) = dpr {
        step.multiply(number, dpr);
    }
    if fit == "contain" {
        let b = component.take("b");
        match b.and_then(|b| Some((read_background(&b, faults)?, b))) {
            Some((color, origin)) => {
                step.set("background", color.to_string(), origin.clone());
                draft.padded(color, origin);
            }
            None => step.imply("background", Color::WHITE.to_string()),
        }
    }
    // A size that can't be read has been told of; the parser would only miss it.
    if sized {
        draft.push(step);
    }
}

/// Pixels, or a part of the picture's side.
fn read_length(side: &Parameter, faults: &mut Vec<Fault>) -> Option<Value> {
    let length = side.numeric("must be pixels, or a fraction between 0 and 1", faults)?;
    let inside = length.as_f64().is_some_and(|part| part > 0.0 && part < 1.0);
    if side.is_fraction() && !inside {
        faults.push(side.fault("with a point it is a fraction of the side, between 0 and 1"));
        return None;
    }
    Some(length)
}

/// `g_`, and `x_` and `y_` where it is `xy_center` and they are fractions.
fn read_gravity(component: &mut Component, faults: &mut Vec<Fault>) -> Option<(Value, Parameter)> {
    let gravity = component.take("g")?;
    if gravity.value == "xy_center" {
        let point = [component.take("x"), component.take("y")];
        if point.iter().any(Option::is_none) {
            faults.push(gravity.fault("needs x_ and y_"));
            return None;
        }
        let [x, y] = point.map(|place| place.and_then(|place| read_fraction(&place, faults)));
        return Some((json!({"x": x?, "y": y?}), gravity));
    }
    read_place(gravity, faults)
}

/// A place that has a name.
pub(super) fn read_place(
    gravity: Parameter,
    faults: &mut Vec<Fault>,
) -> Option<(Value, Parameter)> {
    let place = GRAVITIES.iter().find(|(name, _)| *name == gravity.value);
    if place.is_none() {
        faults.push(gravity.fault(places()));
    }
    place.map(|(_, name)| (Value::from(*name), gravity))
}

/// A part of the picture's side; pixels would need to know it.
fn read_fraction(place: &Parameter, faults: &mut Vec<Fault>) -> Option<Value> {
    let fraction = place.number().filter(|part| place.is_fraction() || *part == 0);
    if fraction.is_none() {
        faults.push(place.fault("must be a fraction here, like 0.25; c_crop alone takes pixels"));
    }
    fraction
}

/// What is accepted as a place.
fn places() -> String {
    let names: Vec<&str> = GRAVITIES.iter().map(|(name, _)| *name).collect();
    format!("not offered; there are: {}, xy_center", names.join(", "))
}

/// `c_crop`: a rectangle at a corner or around a place.
fn read_crop(
    component: &mut Component,
    draft: &mut Draft,
    sides: [Option<Parameter>; 2],
    whole: Parameter,
) {
    let faults = &mut draft.faults;
    if let Some(dpr) = component.take("dpr") {
        faults.push(dpr.fault("does not go with c_crop: it cuts pixels as they are"));
    }
    let mut step = Step::object("crop", whole.clone());
    let sides = crop_sides(sides, component.take("ar"), &whole, faults);
    let offsets = [component.take("x"), component.take("y")];
    let cornered = offsets.iter().any(Option::is_some);
    match component.take("g") {
        Some(g) if g.value == "xy_center" => {
            read_center(g, offsets, &mut step, faults);
        }
        Some(g) if cornered && g.value != "north_west" => {
            faults.push(g.fault("with x_ and y_, c_crop takes g_north_west and g_xy_center alone"));
        }
        Some(g) if !cornered => {
            if let Some((name, g)) = read_place(g, faults) {
                step.set("gravity", name, g);
            }
        }
        _ if cornered => read_corner(offsets, &mut step, faults),
        _ => {}
    }
    if let Some([(width, w), (height, h)]) = sides {
        step.set("width", width, w);
        step.set("height", height, h);
        draft.push(step);
    }
}

/// A value with the parameter that it comes from.
type Said = (Value, Parameter);

/// Width and height of what is cut out.
fn crop_sides(
    sides: [Option<Parameter>; 2],
    ratio: Option<Parameter>,
    whole: &Parameter,
    faults: &mut Vec<Fault>,
) -> Option<[Said; 2]> {
    let before = faults.len();
    let mut read =
        |side: Option<Parameter>| side.and_then(|side| Some((read_length(&side, faults)?, side)));
    let [width, height] = sides;
    let (width, height) = (read(width), read(height));
    match (width, height, ratio) {
        (Some(width), Some(height), None) => Some([width, height]),
        (Some(width), None, Some(ratio)) => {
            let height = other_side(&width.0, ratio, |side, ratio| side / ratio, faults)?;
            Some([width, height])
        }
        (None, Some(height), Some(ratio)) => {
            let width = other_side(&height.0, ratio, |side, ratio| side * ratio, faults)?;
            Some([width, height])
        }
        (Some(_), Some(_), Some(ratio)) => {
            faults.push(ratio.fault("goes with only one of w_ and h_"));
            None
        }
        _ => {
            if faults.len() == before {
                faults.push(whole.fault("c_crop needs w_ and h_, or one of them and ar_"));
            }
            None
        }
    }
}

/// The side that a ratio makes of the given one.
fn other_side(
    side: &Value,
    ratio: Parameter,
    apply: impl Fn(f64, f64) -> f64,
    faults: &mut Vec<Fault>,
) -> Option<Said> {
    let part = |text: &str| number(text)?.as_f64().filter(|part| *part > 0.0);
    let parsed = match ratio.value.split_once(':') {
        Some((width, height)) => {
            part(width).zip(part(height)).map(|(width, height)| width / height)
        }
        None => part(&ratio.value),
    };
    if side.is_f64() {
        faults.push(ratio.fault("does not go with a fraction in c_crop; say both w_ and h_"));
        return None;
    }
    let other = parsed.zip(side.as_f64()).map(|(ratio, side)| apply(side, ratio).round().max(1.0));
    match other {
        Some(other) => Some((Value::from(other), ratio)),
        None => {
            faults.push(ratio.fault("must be a ratio, like 16:9 or 1.5"));
            None
        }
    }
}

/// `x_` and `y_` as the left top corner; one that is not given is 0.
fn read_corner(offsets: [Option<Parameter>; 2], step: &mut Step, faults: &mut Vec<Fault>) {
    for (field, offset) in ["x", "y"].into_iter().zip(offsets) {
        match offset.map(|offset| (offset.pixels(faults), offset)) {
            Some((Some(pixels), offset)) => step.set(field, pixels, offset),
            // One that can't be read has been told of; the parser would only miss it.
            Some((None, _)) | None => step.imply(field, 0),
        }
    }
}

/// `x_` and `y_` as the middle: fractions of the picture, or pixels.
fn read_center(
    gravity: Parameter,
    [x, y]: [Option<Parameter>; 2],
    step: &mut Step,
    faults: &mut Vec<Fault>,
) {
    let (Some(x), Some(y)) = (x, y) else {
        faults.push(gravity.fault("needs x_ and y_"));
        return;
    };
    if let (Some(across), Some(down), true) =
        (x.number(), y.number(), x.is_fraction() || y.is_fraction())
    {
        step.set("gravity", json!({"x": across, "y": down}), gravity);
        return;
    }
    for (field, middle) in [("x", x), ("y", y)] {
        // One that can't be read has been told of; the parser would only miss it.
        let pixels = middle.pixels(faults).unwrap_or_else(|| 0.into());
        step.set(field, pixels, middle);
    }
    step.set("center", true, gravity);
}
