//! `l_`: a text or a picture laid over the picture.

use percent_encoding::percent_decode_str;
use serde_json::json;

use super::{
    component::flags,
    draft::{Draft, Step},
    parameter::{Component, Parameter, number, quoted},
    size::read_place,
    table::{FLAGS, FONTS},
};
use crate::domain::error::Fault;

/// How many components from the first on belong together: those of a layer up to the one that applies it; otherwise one. A
/// layer that nobody applies before the next one opens has a single component, and applies itself.
pub(super) fn length(components: &[Component]) -> usize {
    let [first, rest @ ..] = components else { return 0 };
    if !first.has("l") || first.has_flag("layer_apply") {
        return 1;
    }
    let ends = |component: &Component| component.has("l") || component.has_flag("layer_apply");
    match rest.iter().position(ends) {
        Some(end) if rest.get(end).is_some_and(|component| !component.has("l")) => end + 2,
        _ => 1,
    }
}

/// Reads the components of one layer.
pub(super) fn read(block: Vec<Component>, draft: &mut Draft) {
    let faults = &mut draft.faults;
    let mut parts = block.into_iter();
    let Some(mut layer) = parts.next() else { return };
    for part in parts {
        layer.append(part, faults);
    }
    let Some(source) = layer.take("l") else { return };
    let mut step = Step::object("watermark", source.clone());
    let relative = read_flags(&mut layer, &mut step, faults);
    let good = match source.value.strip_prefix("text:") {
        Some(text) => {
            if let Some(co) = layer.take("co")
                && let Some(color) = co.color(&co.value, faults)
            {
                step.set("color", color.to_string(), co);
            }
            read_text(text, &source, layer.take("w"), &mut step, faults)
        }
        None => {
            read_fit(&mut layer, faults);
            read_image(&source, layer.take("w"), &mut step, faults)
        }
    };
    if let Some(relative) = relative
        && !step.has("scale")
    {
        faults.push(relative.fault("needs a fraction as w_"));
    }
    read_rest(&mut layer, &mut step, faults);
    layer.refuse_rest("in this layer", faults);
    if good {
        draft.push(step);
    }
}

/// The flags; `fl_relative` is handed back, for its fraction is still to be read.
fn read_flags(
    layer: &mut Component,
    step: &mut Step,
    faults: &mut Vec<Fault>,
) -> Option<Parameter> {
    let mut relative = None;
    for flag in layer.take_flags(faults) {
        match flag.value.as_str() {
            "layer_apply" => {}
            "relative" => relative = Some(flag),
            "tiled" => step.set("tile", true, flag),
            other if FLAGS.iter().any(|(name, _, _)| *name == other) => {
                faults.push(flag.fault("means nothing in a layer; chain it behind the layer"));
            }
            _ => faults.push(flag.fault(flags())),
        }
    }
    relative
}

/// `c_` says how a picture fits into a box, and there is none: its height follows its width.
fn read_fit(layer: &mut Component, faults: &mut Vec<Fault>) {
    if let Some(fit) = layer.take("c")
        && !matches!(fit.value.as_str(), "scale" | "fit")
    {
        faults.push(fit.fault("in a layer there are scale and fit, with w_ alone"));
    }
}

fn read_image(
    source: &Parameter,
    width: Option<Parameter>,
    step: &mut Step,
    faults: &mut Vec<Fault>,
) -> bool {
    if let Some((kind, _)) = source.value.split_once(':') {
        let accepted = "there are l_text:Font_Size:Text and l_<image id>";
        faults.push(source.fault(format!("\"{}:\" is not offered; {accepted}", quoted(kind))));
        return false;
    }
    step.imply("image_id", source.value.clone());
    if let Some(width) = width {
        if width.is_fraction() {
            step.set("scale", width.number(), width);
        } else if let Some(pixels) = width.numeric("must be pixels, or a fraction", faults) {
            step.set("size", pixels, width);
        }
    }
    true
}

/// `Font_Size[_style…]:Text`, each part decoded for the second time.
fn read_text(
    written: &str,
    source: &Parameter,
    width: Option<Parameter>,
    step: &mut Step,
    faults: &mut Vec<Fault>,
) -> bool {
    let decode = |text: &str| percent_decode_str(text).decode_utf8().ok().map(String::from);
    let parts = written.split_once(':').map(|(style, text)| (decode(style), decode(text)));
    let Some((Some(style), Some(text))) = parts else {
        let accepted = "must be l_text:Font_Size:Text, its text percent-encoded UTF-8";
        faults.push(source.fault(accepted));
        return false;
    };
    step.imply("text", text);
    let styled = read_style(&style, source, step, faults);
    match width {
        Some(width) if width.is_fraction() => {
            // The letters are as large as it takes.
            step.unset("size");
            step.set("scale", width.number(), width);
        }
        Some(width) => {
            let detail = "a text is as wide as its letters make it: say the size behind the font, or a fraction of the picture's width";
            faults.push(width.fault(detail));
        }
        None => {}
    }
    styled
}

fn read_style(style: &str, source: &Parameter, step: &mut Step, faults: &mut Vec<Fault>) -> bool {
    let words: Vec<&str> = style.split('_').collect();
    let place = words.iter().skip(1).position(|word| number(word).is_some());
    let Some((font, [size, cuts @ ..])) = place.map(|place| words.split_at(place + 1)) else {
        faults.push(source.fault("must name a font and a size, like l_text:Arial_40:Text"));
        return false;
    };
    let font = font.join("_");
    if !FONTS.iter().any(|known| known.eq_ignore_ascii_case(&font)) {
        let detail = format!(
            "the font {:?} is not offered; one sans stands in for: {}",
            quoted(&font),
            FONTS.join(", ")
        );
        faults.push(source.quoting("l_text").fault(detail));
    }
    step.set("size", number(size), source.quoting(format!("l_text:{font}_{size}")));
    let mut cut = String::from("sans");
    for word in ["bold", "italic"] {
        if cuts.contains(&word) {
            cut.push(' ');
            cut.push_str(word);
        }
    }
    step.imply("font", cut);
    let known = |word: &str| matches!(word, "bold" | "italic" | "normal" | "left");
    if let Some(word) = cuts.iter().find(|word| !known(word)) {
        let word = quoted(word);
        let detail = format!("the style {word:?} is not offered; there are bold and italic");
        faults.push(source.quoting("l_text").fault(detail));
    }
    true
}

/// What texts and pictures share.
fn read_rest(layer: &mut Component, step: &mut Step, faults: &mut Vec<Fault>) {
    if let Some(opacity) = layer.take("o") {
        let percent = opacity.number().and_then(|percent| percent.as_f64());
        match percent.filter(|percent| (0.0..=100.0).contains(percent)) {
            Some(percent) => step.set("opacity", json!(percent / 100.0), opacity),
            None => faults.push(opacity.fault("must be between 0 and 100")),
        }
    }
    if let Some(angle) = layer.take("a")
        && let Some(degrees) = angle.numeric("must be degrees between -360 and 360", faults)
    {
        step.set("rotate", degrees, angle);
    }
    if let Some(gravity) = layer.take("g") {
        if gravity.value == "auto" {
            faults.push(gravity.fault("a layer needs a place that has a name, like south_east"));
        } else if let Some((name, gravity)) = read_place(gravity, faults) {
            step.set("gravity", name, gravity);
        }
    }
    for field in ["x", "y"] {
        if let Some(offset) = layer.take(field)
            && let Some(pixels) = offset.pixels(faults)
        {
            step.set(field, pixels, offset);
        }
    }
}
