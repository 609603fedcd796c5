//! What a spec must hold to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod documentation;
mod faults;
mod meaning;
mod properties;
mod resolution;
mod sizes;
mod wording;

use serde_json::Value;

use super::{Source, Spec};
use crate::domain::{error::Fault, format::Format};

fn parse(value: Value) -> Spec {
    Spec::parse(&value).unwrap_or_else(|faults| panic!("{value}: {faults:?}"))
}

fn faults(value: Value) -> Vec<Fault> {
    Spec::parse(&value).expect_err("a fault")
}

/// The only fault of `value`.
fn fault(value: Value) -> (String, String) {
    let mut faults = faults(value);
    assert_eq!(faults.len(), 1, "{faults:?}");
    let Fault { pointer, detail } = faults.remove(0);
    (pointer, detail)
}

const OPAQUE_JPEG: Source =
    Source { format: Format::Jpeg, has_alpha: false, is_animated: false, focus: None };
const CLEAR_PNG: Source = Source { format: Format::Png, has_alpha: true, ..OPAQUE_JPEG };
