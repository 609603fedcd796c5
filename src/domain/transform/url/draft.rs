//! The JSON form in the making, which remembers where each of its fields was written.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    hints::{Asks, Hints, Width},
    parameter::{Parameter, quoted},
};
use crate::domain::{
    color::Color,
    error::Fault,
    transform::{
        Length, Operation, Profile, Spec,
        parse::{MAX_DPR, OPERATIONS},
    },
};

/// One entry of `operations`.
pub(super) struct Step {
    name: String,
    value: Value,
    /// The parameter that each field comes from.
    origins: BTreeMap<&'static str, Parameter>,
    /// The parameter that the rest of it comes from.
    whole: Parameter,
    /// What its width is where that was `auto`.
    auto: Option<Width>,
}

impl Step {
    /// An operation that has no fields.
    pub(super) fn plain(name: &str, value: impl Into<Value>, whole: Parameter) -> Self {
        let (name, value) = (name.to_owned(), value.into());
        Self { name, value, origins: BTreeMap::new(), whole, auto: None }
    }

    /// An operation whose fields follow.
    pub(super) fn object(name: &str, whole: Parameter) -> Self {
        Self::plain(name, Map::new(), whole)
    }

    /// Sets a field.
    pub(super) fn set(&mut self, field: &'static str, value: impl Into<Value>, origin: Parameter) {
        if let Some(fields) = self.value.as_object_mut() {
            fields.insert(field.to_owned(), value.into());
        }
        self.origins.insert(field, origin);
    }

    /// Sets a field that nobody wrote.
    pub(super) fn imply(&mut self, field: &'static str, value: impl Into<Value>) {
        self.set(field, value, self.whole.clone());
    }

    /// Sets a width that was `auto`.
    pub(super) fn set_auto(&mut self, width: Width, origin: Parameter) {
        // The whole width is no number of the JSON form; half of it stands there until it is read.
        let written = match width {
            Width::Page(pixels) | Width::Screen(pixels) => Value::from(pixels),
            Width::Whole => Value::from(0.5),
        };
        self.set("width", written, origin);
        self.auto = Some(width);
    }

    /// Multiplies a size by `dpr`.
    pub(super) fn multiply(&mut self, dpr: Value, origin: Parameter) {
        let factor = dpr.as_f64().filter(|dpr| (0.1..=MAX_DPR).contains(dpr));
        let (Some(Width::Screen(_) | Width::Whole), Some(factor)) = (self.auto, factor) else {
            self.set("dpr", dpr, origin);
            return;
        };
        // The width is what it is. A part of the picture's height is so many of its pixels, whatever the screen.
        if let Some(height) = self.value.get_mut("height")
            && let Some(pixels) = height.as_f64().filter(|pixels| *pixels >= 1.0)
        {
            *height = Value::from((pixels * factor).round().max(1.0));
        }
        self.origins.insert("dpr", origin);
    }

    /// Whether it was multiplied.
    fn is_multiplied(&self) -> bool {
        self.has("dpr") || self.origins.contains_key("dpr")
    }

    /// Forgets a field.
    pub(super) fn unset(&mut self, field: &str) {
        if let Some(fields) = self.value.as_object_mut() {
            fields.remove(field);
        }
    }

    /// Whether a field is set.
    pub(super) fn has(&self, field: &str) -> bool {
        self.value.get(field).is_some()
    }

    fn origin(&self, field: Option<&str>) -> &Parameter {
        field.and_then(|field| self.origins.get(field)).unwrap_or(&self.whole)
    }
}

/// The whole spec.
pub(super) struct Draft {
    steps: Vec<Step>,
    output: BTreeMap<&'static str, (Value, Parameter)>,
    /// What presets say of the output.
    inherited: Map<String, Value>,
    /// Whether no colour profile is kept, whoever says so.
    drops_profile: bool,
    /// What the last padding is made of.
    padding: Option<(Value, Parameter)>,
    /// Each `dpr_` that stands without a size, and how many steps come before it.
    loose: Vec<(usize, Value, Parameter)>,
    /// What is known of whoever is looking.
    pub hints: Hints,
    /// What of that was asked for.
    pub asks: Asks,
    pub faults: Vec<Fault>,
}

impl Draft {
    pub(super) fn new(hints: Hints) -> Self {
        Self {
            steps: Vec::new(),
            output: BTreeMap::new(),
            inherited: Map::new(),
            drops_profile: false,
            padding: None,
            loose: Vec::new(),
            hints,
            asks: Asks::default(),
            faults: Vec::new(),
        }
    }

    /// Adds an operation.
    pub(super) fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// How many operations there are.
    pub(super) fn operations(&self) -> usize {
        self.steps.len()
    }

    /// Sets a field of the output. It may be said again, if the same is said.
    pub(super) fn set(&mut self, field: &'static str, value: impl Into<Value>, origin: Parameter) {
        let value = value.into();
        match self.output.get(field) {
            Some((other, first)) if *other != value => {
                let first = format!("{} in component {}", quoted(&first.written), first.component);
                self.faults.push(origin.fault(format!("says otherwise than {first}")));
            }
            Some(_) => {}
            None => {
                self.output.insert(field, (value, origin));
            }
        }
    }

    /// Keeps these kinds of metadata too.
    pub(super) fn keep(&mut self, kinds: &[&str], origin: Parameter) {
        let kept = self.output.entry("strip").or_insert((json!({"keep": []}), origin));
        if let Some(Value::Array(kept)) = kept.0.get_mut("keep") {
            kept.extend(kinds.iter().map(|kind| Value::from(*kind)));
        }
    }

    /// Keeps no colour profile, not that of a preset either.
    pub(super) fn drop_profile(&mut self) {
        self.drops_profile = true;
    }

    /// Remembers what a padding is made of: the same lies beneath transparency, unless something else is said of that.
    pub(super) fn padded(&mut self, color: Color, origin: Parameter) {
        self.padding = Some((Value::from(color.to_string()), origin));
    }

    /// Remembers a `dpr_` that stands without a size: Cloudinary's builders write it into a component of its own.
    pub(super) fn scale_nearest(&mut self, dpr: Value, origin: Parameter) {
        self.loose.push((self.steps.len(), dpr, origin));
    }

    /// Adds all that a preset says.
    pub(super) fn splice(&mut self, preset: &Spec, origin: &Parameter) {
        let mut canonical = preset.canonical();
        let listed = canonical.get_mut("operations").map(Value::take);
        let listed = listed.and_then(|list| list.as_array().cloned()).unwrap_or_default();
        for entry in listed.iter().chain([&canonical]) {
            for name in OPERATIONS {
                let Some(value) = entry.get(*name) else { continue };
                let mut step = Step::plain(name, value.clone(), origin.clone());
                // A preset's own background is what its padding is made of.
                if *name == "resize" && value.get("background").is_none() {
                    step.imply("background", preset.background.to_string());
                }
                self.push(step);
            }
        }
        if let Value::Object(fields) = canonical {
            let output = fields
                .into_iter()
                .filter(|(name, _)| name != "operations" && !OPERATIONS.contains(&name.as_str()));
            self.inherited.extend(output);
        }
        let profile = Profile::NAMES.iter().find(|(_, profile)| *profile == preset.profile);
        if let Some((name, _)) = profile {
            self.inherited.insert("profile".to_owned(), Value::from(*name));
        }
    }

    /// The spec, or all that is wrong.
    pub(super) fn finish(mut self, profile: Profile) -> Result<(Spec, Asks), Vec<Fault>> {
        self.scale();
        if let Some((value, origin)) = self.padding.take() {
            self.output.entry("background").or_insert((value, origin));
        }
        let mut fields = std::mem::take(&mut self.inherited);
        for (name, (value, _)) in &self.output {
            fields.insert((*name).to_owned(), value.clone());
        }
        let steps = self.steps.iter().map(|step| json!({step.name.as_str(): step.value}));
        fields.insert("operations".to_owned(), steps.collect());
        match Spec::read(&Value::Object(fields), profile) {
            Ok(mut spec) if self.faults.is_empty() => {
                self.widen(&mut spec.operations);
                spec.normalise();
                spec.keep.icc &= !self.drops_profile;
                self.hints.settle(&mut spec, &mut self.asks);
                Ok((spec, self.asks))
            }
            Ok(_) => Err(self.faults),
            Err(found) => {
                let found = found.into_iter().map(|fault| self.translate(fault));
                let found: Vec<Fault> = found.collect();
                Err(self.faults.into_iter().chain(found).collect())
            }
        }
    }

    /// Gives every loose `dpr_` to the last resize before it, or else to the first after it.
    fn scale(&mut self) {
        for (place, dpr, origin) in std::mem::take(&mut self.loose) {
            let sized = |step: &Step| step.name == "resize";
            let before = self.steps.iter().take(place).rposition(sized);
            let after = || self.steps.iter().position(sized);
            match before.or_else(after).and_then(|index| self.steps.get_mut(index)) {
                None => self.faults.push(origin.fault("needs w_ or h_ in some component")),
                Some(step) if step.is_multiplied() => {
                    self.faults.push(origin.fault("that size has a dpr_ already"));
                }
                Some(step) => step.multiply(dpr, origin),
            }
        }
    }

    /// Puts the whole width where that is what `auto` is. Every size is one operation.
    fn widen(&self, operations: &mut [Operation]) {
        let sizes = operations.iter_mut().filter_map(|operation| match operation {
            Operation::Resize(resize) => Some(resize),
            _ => None,
        });
        let steps = self.steps.iter().filter(|step| step.name == "resize");
        for (size, _) in sizes.zip(steps).filter(|(_, step)| step.auto == Some(Width::Whole)) {
            size.width = Some(Length::Fraction(1.0));
        }
    }

    /// A fault of the JSON form in the words of the URL.
    fn translate(&self, fault: Fault) -> Fault {
        let mut path = fault.pointer.split('/').skip(1);
        let origin = match path.next() {
            Some("operations") => {
                let index = path.next().and_then(|index| index.parse::<usize>().ok());
                let step = index.and_then(|index| self.steps.get(index));
                step.map(|step| step.origin(path.nth(1)))
            }
            Some(field) => self.output.get(field).map(|(_, origin)| origin),
            None => None,
        };
        match origin {
            Some(origin) => origin.fault(fault.detail),
            None => Fault::new("", fault.detail),
        }
    }
}
