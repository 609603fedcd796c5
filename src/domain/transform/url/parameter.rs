//! What is written in a component, before anybody knows what it means.

use serde_json::Value;

use super::table;
use crate::domain::{color::Color, error::Fault};

/// How much of what was written is told back.
const ECHO: usize = 60;
/// The most values that are joined with points.
pub(super) const MAX_JOINED: usize = 16;

/// One parameter: `w_300`.
#[derive(Debug, Clone)]
pub(super) struct Parameter {
    /// The component that it stands in, counted from 0.
    pub component: usize,
    /// What stands before the first `_`.
    pub name: String,
    /// What stands behind it.
    pub value: String,
    /// The part of it that a fault quotes.
    pub written: String,
}

impl Parameter {
    fn read(component: usize, written: &str) -> Self {
        let (name, value) = written.split_once('_').unwrap_or((written, ""));
        Self {
            component,
            name: name.to_owned(),
            value: value.to_owned(),
            written: written.to_owned(),
        }
    }

    /// The same parameter, of which `written` is at issue.
    pub(super) fn quoting(&self, written: impl Into<String>) -> Self {
        Self { written: written.into(), ..self.clone() }
    }

    /// A fault of this parameter.
    pub(super) fn fault(&self, detail: impl std::fmt::Display) -> Fault {
        let name = self.name.replace('~', "~0").replace('/', "~1");
        let written = quoted(&self.written);
        Fault::new(format!("/{}/{name}", self.component), format!("{written}: {detail}"))
    }

    /// The values that are joined with points in it, each as a parameter of its own: `fl_a.b` are two.
    pub(super) fn parts(&self) -> impl Iterator<Item = Self> {
        self.value.split('.').map(|value| Self {
            component: self.component,
            name: self.name.clone(),
            value: value.to_owned(),
            written: format!("{}_{value}", self.name),
        })
    }

    /// Its value as a number of the JSON form.
    pub(super) fn number(&self) -> Option<Value> {
        number(&self.value)
    }

    /// Whether its value is a number with a point: Cloudinary's way to say "this much of the side".
    pub(super) fn is_fraction(&self) -> bool {
        self.value.contains('.') && self.number().is_some()
    }

    /// Its value as a number for the JSON parser to judge; otherwise a fault that says what is `accepted`.
    pub(super) fn numeric(&self, accepted: &str, faults: &mut Vec<Fault>) -> Option<Value> {
        let number = self.number();
        if number.is_none() {
            faults.push(self.fault(not_a_number(&self.value, accepted)));
        }
        number
    }

    /// Whole pixels for the JSON parser to judge.
    pub(super) fn pixels(&self, faults: &mut Vec<Fault>) -> Option<Value> {
        if self.is_fraction() {
            faults.push(self.fault("must be whole pixels here"));
            return None;
        }
        self.numeric("must be whole pixels", faults)
    }

    /// A colour, of which `text` is the way it is written.
    pub(super) fn color(&self, text: &str, faults: &mut Vec<Fault>) -> Option<Color> {
        let color = match text.strip_prefix("rgb:") {
            Some(digits) => format!("#{digits}").parse(),
            None => text.parse(),
        };
        if color.is_err() {
            faults.push(self.fault(table::COLORS));
        }
        color.ok()
    }
}

/// The beginning of what was written.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted: String = text.chars().take(ECHO).collect();
    if quoted.len() < text.len() {
        quoted.push('…');
    }
    quoted
}

/// As many of the values that are joined as there may be; one more is a fault.
pub(super) fn few(
    mut parts: impl Iterator<Item = Parameter>,
    faults: &mut Vec<Fault>,
) -> Vec<Parameter> {
    let few = parts.by_ref().take(MAX_JOINED).collect();
    if let Some(next) = parts.next() {
        faults.push(next.fault(format!("is one too many; there may be {MAX_JOINED}")));
    }
    few
}

/// `-12` or `0.5`, as a number of the JSON form; no exponent, no infinity, no sign but a minus.
pub(super) fn number(text: &str) -> Option<Value> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !plain || !digits.starts_with(|c: char| c.is_ascii_digit()) || digits.ends_with('.') {
        return None;
    }
    match text.parse::<i64>() {
        Ok(whole) => Some(Value::from(whole)),
        Err(_) => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from),
    }
}

/// Why a text that should be a number is none.
fn not_a_number(text: &str, accepted: &str) -> String {
    if text.split(':').next() == Some("auto") {
        format!("\"auto\" is for w_ and dpr_ of a size alone; {accepted}")
    } else if text.contains('$') || text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        format!("expressions and variables are not offered; {accepted}")
    } else {
        accepted.to_owned()
    }
}

/// The parameters between two slashes. Whoever understands one takes it out.
#[derive(Debug)]
pub(super) struct Component {
    parameters: Vec<Parameter>,
}

impl Component {
    /// Reads the text between two slashes.
    pub(super) fn read(index: usize, text: &str, faults: &mut Vec<Fault>) -> Self {
        let mut component = Self { parameters: Vec::new() };
        let here = || format!("/{index}");
        if text.is_empty() {
            faults.push(Fault::new(here(), "a component must name something"));
            return component;
        }
        for written in text.split(',') {
            if written.is_empty() {
                faults.push(Fault::new(here(), "there is nothing between two commas"));
            } else {
                component.add(Parameter::read(index, written), faults);
            }
        }
        component
    }

    /// Adds what stands in another one.
    pub(super) fn append(&mut self, other: Component, faults: &mut Vec<Fault>) {
        for parameter in other.parameters {
            self.add(parameter, faults);
        }
    }

    fn add(&mut self, parameter: Parameter, faults: &mut Vec<Fault>) {
        // Flags add up.
        if parameter.name != "fl" && self.has(&parameter.name) {
            let name = quoted(&parameter.name);
            let detail = format!("{name}_ can be said once; chain components with /");
            faults.push(parameter.quoting(format!("{name}_")).fault(detail));
        } else {
            self.parameters.push(parameter);
        }
    }

    /// Whether a parameter of that name is left.
    pub(super) fn has(&self, name: &str) -> bool {
        self.parameters.iter().any(|parameter| parameter.name == name)
    }

    /// Takes out the parameter of that name.
    pub(super) fn take(&mut self, name: &str) -> Option<Parameter> {
        let place = self.parameters.iter().position(|parameter| parameter.name == name)?;
        Some(self.parameters.remove(place))
    }

    /// Whether the flag is set.
    pub(super) fn has_flag(&self, flag: &str) -> bool {
        let mut flags = self.parameters.iter().filter(|parameter| parameter.name == "fl");
        flags.any(|parameter| parameter.value.split('.').any(|name| name == flag))
    }

    /// Takes out all flags, each as a parameter of its own.
    pub(super) fn take_flags(&mut self, faults: &mut Vec<Fault>) -> Vec<Parameter> {
        let (flags, rest) = std::mem::take(&mut self.parameters)
            .into_iter()
            .partition(|parameter| parameter.name == "fl");
        self.parameters = rest;
        let flags: Vec<Parameter> = flags;
        few(flags.iter().flat_map(Parameter::parts), faults)
    }

    /// Reports what nobody took. `inside` says of a known parameter where it stands.
    pub(super) fn refuse_rest(self, inside: &str, faults: &mut Vec<Fault>) {
        for parameter in self.parameters {
            faults.push(parameter.fault(table::why_not(&parameter.name, inside)));
        }
    }
}
