//! One component that is no layer: its parameters become operations, in the order that the object form runs in.

use serde_json::Value;

use super::{
    Presets,
    draft::{Draft, Step},
    effect::Chosen,
    parameter::{Component, Parameter, few, number},
    size::{read_dpr, read_size},
    table::{COLORS, FLAGS, Flag},
};
use crate::domain::{color::Color, error::Fault, format::Format};

pub(super) fn read(mut component: Component, draft: &mut Draft, presets: Option<Presets<'_>>) {
    if let Some(name) = component.take("t") {
        read_preset(&name, draft, presets);
        component.refuse_rest("beside a preset", &mut draft.faults);
        return;
    }
    let colour = component.take("co");
    let color = colour.as_ref().and_then(|co| co.color(&co.value, &mut draft.faults));
    let effect = component.take("e").and_then(|e| Chosen::read(e, draft));
    let border = component.take("bo");
    let coloured = effect.as_ref().is_some_and(Chosen::is_coloured)
        || border
            .as_ref()
            .is_some_and(|bo| split_border(&bo.value).is_some_and(|bo| bo.1.is_none()));
    if let Some(colour) = colour.filter(|_| !coloured) {
        draft.faults.push(colour.fault(
            "co_ means nothing here; it needs a text layer, e_colorize, or bo_ without a colour",
        ));
    }

    let (first, later) = match effect {
        Some(effect) if effect.is_first() => (Some(effect), None),
        effect => (None, effect),
    };
    if let Some(trim) = first {
        trim.push(color, draft);
    }
    read_size(&mut component, draft);
    if let Some(angle) = component.take("a") {
        read_angle(angle, draft);
    }
    if let Some(effect) = later {
        effect.push(color, draft);
    }
    if let Some(radius) = component.take("r") {
        read_radius(radius, draft);
    }
    if let Some(border) = border {
        read_border(border, color, draft);
    }
    read_output(&mut component, draft);
    component.refuse_rest("here", &mut draft.faults);
}

fn read_preset(name: &Parameter, draft: &mut Draft, presets: Option<Presets<'_>>) {
    match presets.map(|find| find(&name.value)) {
        Some(Some(preset)) => draft.splice(&preset, name),
        Some(None) => draft.faults.push(name.fault("there is no preset of that name")),
        None => draft.faults.push(name.fault("named presets are not available here")),
    }
}

/// `a_`: degrees and mirrors, in the order that they are written in.
fn read_angle(angle: Parameter, draft: &mut Draft) {
    // A point joins modes; in a number it is a fraction, which the parser refuses.
    let modes =
        if angle.is_fraction() { vec![angle] } else { few(angle.parts(), &mut draft.faults) };
    for mode in modes {
        match (mode.value.as_str(), mode.number()) {
            (_, Some(degrees)) => draft.push(Step::plain("rotate", degrees, mode)),
            ("hflip", _) => draft.push(Step::plain("mirror", true, mode)),
            ("vflip", _) => draft.push(Step::plain("flip", true, mode)),
            // As EXIF says: that is done in any case.
            ("auto", _) => {}
            _ => {
                let accepted = "must be degrees between -360 and 360, hflip, vflip or auto";
                draft.faults.push(mode.fault(accepted));
            }
        }
    }
}

fn read_radius(radius: Parameter, draft: &mut Draft) {
    let accepted = "must be pixels, or max";
    if radius.value == "max" {
        draft.push(Step::plain("round", "max", radius));
    } else if radius.value.contains(':') {
        let detail = "corners of different radii are not offered; must be one number, or max";
        draft.faults.push(radius.fault(detail));
    } else if let Some(pixels) = radius.numeric(accepted, &mut draft.faults) {
        draft.push(Step::plain("round", pixels, radius));
    }
}

/// `4px_solid_red`: its width, and its colour if it has one.
fn split_border(text: &str) -> Option<(Value, Option<&str>)> {
    let (width, rest) = text.split_once("px_solid")?;
    let color = match rest {
        "" => None,
        rest => Some(rest.strip_prefix('_')?),
    };
    Some((number(width)?, color))
}

fn read_border(border: Parameter, color: Option<Color>, draft: &mut Draft) {
    let Some((width, named)) = split_border(&border.value) else {
        let detail = "must be like 4px_solid_red; no other style is offered";
        draft.faults.push(border.fault(detail));
        return;
    };
    let color = match named {
        Some(named) => match border.color(named, &mut draft.faults) {
            Some(color) => Some(color),
            None => return,
        },
        None => color,
    };
    let mut step = Step::object("border", border);
    step.imply("width", width);
    if let Some(color) = color {
        step.imply("color", color.to_string());
    }
    draft.push(step);
}

/// `q_`, `f_`, `fl_`, `b_` and a `dpr_` that no size took.
fn read_output(component: &mut Component, draft: &mut Draft) {
    if let Some(quality) = component.take("q") {
        let value = quality.number().unwrap_or_else(|| Value::from(quality.value.clone()));
        draft.set("quality", value, quality);
    }
    if let Some(format) = component.take("f") {
        // One format has one name, so that saying it twice is no contradiction.
        let name = Format::from_name(&format.value)
            .map_or(format.value.clone(), |format| format.as_str().to_owned());
        draft.set("format", name, format);
    }
    if let Some(background) = component.take("b")
        && let Some(color) = read_background(&background, &mut draft.faults)
    {
        draft.set("background", color.to_string(), background);
    }
    if let Some(dpr) = component.take("dpr")
        && let Some(number) = read_dpr(&dpr, draft)
    {
        draft.scale_nearest(number, dpr);
    }
    for flag in component.take_flags(&mut draft.faults) {
        match FLAGS.iter().find(|(name, _, _)| *name == flag.value).map(|(_, flag, _)| flag) {
            Some(Flag::Granted) => {}
            Some(Flag::DropProfile) => draft.drop_profile(),
            Some(Flag::Progressive(on)) => draft.set("progressive", *on, flag),
            Some(Flag::Keep(kinds)) => draft.keep(kinds, flag),
            Some(Flag::OfLayer) => {
                draft.faults.push(flag.fault("goes with a layer, and none is open here"));
            }
            None => draft.faults.push(flag.fault(flags())),
        }
    }
}

/// What is accepted as a flag.
pub(super) fn flags() -> String {
    let names: Vec<&str> = FLAGS.iter().map(|(name, _, _)| *name).collect();
    format!("not offered; there are: {}", names.join(", "))
}

/// `b_`: a colour. What would have to be guessed from the picture is not offered.
pub(super) fn read_background(background: &Parameter, faults: &mut Vec<Fault>) -> Option<Color> {
    let guessed = ["auto", "blurred", "gen_fill"];
    if let Some(name) = guessed.iter().find(|name| background.value.starts_with(*name)) {
        faults.push(background.fault(format!("\"{name}\" is not offered; {COLORS}")));
        return None;
    }
    background.color(&background.value, faults)
}
