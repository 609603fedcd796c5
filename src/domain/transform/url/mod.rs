//! The URL form of a spec: Cloudinary's syntax, `c_fill,w_300,h_200/e_sepia:50/f_auto,q_auto`.
//!
//! What is written becomes the JSON form, step by step, and the one JSON parser reads that: ranges are said once. Whatever
//! it finds is told in the words of the URL. Nothing that stands in the text is passed over: what no step has taken is a
//! fault.

mod component;
mod draft;
mod effect;
mod hints;
mod layer;
mod parameter;
mod reference;
mod size;
mod table;

use percent_encoding::percent_decode_str;

use self::{draft::Draft, parameter::Component};
use super::{Profile, Spec, parse::MAX_OPERATIONS};
use crate::domain::{delivery::MAX_TRANSFORMATION, error::Fault};

pub use self::{
    hints::{Asks, Hints},
    reference::url_reference_markdown,
};

/// The most components. An operation takes four where it takes its time: a layer that is opened, said more of twice, and applied.
const MAX_COMPONENTS: usize = 4 * MAX_OPERATIONS;
/// The most faults that are told one by one.
const MAX_FAULTS: usize = 100;

/// Finds the preset of a name.
type Presets<'p> = &'p dyn Fn(&str) -> Option<Spec>;

impl Spec {
    /// Reads the URL form, percent-encoded as it was sent. A text that names no profile means `profile`. Where this is
    /// used there are no named presets, `t_` is a fault, and nobody is looking: `auto` is what it is without hints.
    ///
    /// # Errors
    /// All that is wrong with it. A pointer names the component, counted from 0, and the parameter: `/1/e` is `e_` of the
    /// second one.
    pub fn from_url(text: &str, profile: Profile) -> Result<Self, Vec<Fault>> {
        read(text, profile, None, &Hints::default()).map(|(spec, _)| spec)
    }

    /// The same, with `presets` to look up what `t_` names. The operations of a preset run where it stands; what it says of
    /// the output holds unless the rest of the text says otherwise.
    ///
    /// # Errors
    /// All that is wrong with it; a preset that is not found is one fault.
    pub fn from_url_with(
        text: &str,
        profile: Profile,
        presets: &dyn Fn(&str) -> Option<Spec>,
    ) -> Result<Self, Vec<Fault>> {
        Self::from_url_for(text, profile, presets, &Hints::default()).map(|(spec, _)| spec)
    }

    /// The same for somebody who gives `hints`, with what of a request the meaning depends on.
    ///
    /// # Errors
    /// All that is wrong with it, whatever the hints are.
    pub fn from_url_for(
        text: &str,
        profile: Profile,
        presets: &dyn Fn(&str) -> Option<Spec>,
        hints: &Hints,
    ) -> Result<(Self, Asks), Vec<Fault>> {
        read(text, profile, Some(presets), hints)
    }
}

fn read(
    text: &str,
    profile: Profile,
    presets: Option<Presets<'_>>,
    hints: &Hints,
) -> Result<(Spec, Asks), Vec<Fault>> {
    let long = || vec![Fault::new("", format!("must be at most {MAX_TRANSFORMATION} bytes"))];
    // A byte is sent as three characters at most.
    if text.len() > 3 * MAX_TRANSFORMATION {
        return Err(long());
    }
    // Some clients encode even the commas. What a text layer wants to keep from being read here is encoded twice.
    let Ok(decoded) = percent_decode_str(text).decode_utf8() else {
        return Err(vec![Fault::new("", "must be percent-encoded UTF-8")]);
    };
    if decoded.is_empty() {
        return Err(vec![Fault::new("", "names no transformation")]);
    }
    if decoded.len() > MAX_TRANSFORMATION {
        return Err(long());
    }
    if decoded.split('/').nth(MAX_COMPONENTS).is_some() {
        let detail = format!("must have at most {MAX_COMPONENTS} components");
        return Err(vec![Fault::new("", detail)]);
    }
    let mut draft = Draft::new(*hints);
    let components = decoded.split('/').enumerate();
    let components: Vec<Component> =
        components.map(|(index, text)| Component::read(index, text, &mut draft.faults)).collect();
    let mut rest = components.into_iter();
    while !rest.as_slice().is_empty() {
        let length = layer::length(rest.as_slice());
        let block: Vec<Component> = rest.by_ref().take(length).collect();
        if block.first().is_some_and(|first| first.has("l")) {
            layer::read(block, &mut draft);
        } else {
            for component in block {
                component::read(component, &mut draft, presets);
            }
        }
        // A preset can be named as often as there are components, and has as many operations as a spec.
        if draft.operations() > MAX_OPERATIONS {
            let detail = format!("must come to at most {MAX_OPERATIONS} operations");
            draft.faults.push(Fault::new("", detail));
            return Err(told(draft.faults));
        }
    }
    draft.finish(profile).map_err(told)
}

/// The first of the faults, and how many there are beside.
fn told(mut faults: Vec<Fault>) -> Vec<Fault> {
    let more = faults.len().saturating_sub(MAX_FAULTS);
    faults.truncate(MAX_FAULTS);
    if more > 0 {
        faults.push(Fault::new("", format!("has {more} more faults")));
    }
    faults
}

#[cfg(test)]
mod tests;
