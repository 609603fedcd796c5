//! The fields that say how the result is written.

use serde_json::Value;

use super::{MAX_BYTES, STRIP, object::Object};
use crate::domain::{
    color::Color,
    format::Format,
    transform::{Auto, FormatChoice, Keep, Profile, Quality, Spec},
};

/// The names of all formats that are written, and `auto`.
pub(in crate::domain::transform) fn formats() -> Vec<&'static str> {
    let writable = Format::ALL.iter().filter(|format| format.is_writable());
    let aliases = Format::ALIASES.iter().filter(|(_, format)| format.is_writable());
    let names = writable.map(|format| format.as_str()).chain(aliases.map(|(name, _)| *name));
    std::iter::once("auto").chain(names).collect()
}

impl Spec {
    /// Reads everything but the operations.
    pub(super) fn read_output(&mut self, fields: &mut Object<'_, '_>, profile: Profile) {
        self.format = fields.choice("format", &formats()).and_then(|name| match name {
            "auto" => Some(FormatChoice::Auto),
            name => Format::from_name(name).map(FormatChoice::Fixed),
        });
        self.quality = read_quality(fields);
        self.max_bytes = fields.integer("max_bytes", 1, MAX_BYTES).map(u64::from);
        self.profile = fields.named("profile", Profile::NAMES).unwrap_or(profile);
        self.keep = read_keep(fields);
        self.background = fields.color("background").unwrap_or(Color::WHITE);
        self.lossless = fields.boolean("lossless").unwrap_or(false);
        self.progressive = fields.boolean("progressive");
    }
}

fn read_quality(fields: &mut Object<'_, '_>) -> Option<Quality> {
    let value = fields.get("quality")?;
    if value.is_number() {
        return fields.integer("quality", 1, 100).map(Quality::Fixed);
    }
    let auto = value.as_str().and_then(|text| Auto::NAMES.iter().find(|(name, _)| *name == text));
    if auto.is_none() {
        let names: Vec<&str> = Auto::NAMES.iter().map(|(name, _)| *name).collect();
        let names = names.join(", ");
        fields.fault("quality", format!("must be between 1 and 100, or one of: {names}"));
    }
    auto.map(|(_, auto)| Quality::Auto(*auto))
}

fn read_keep(fields: &mut Object<'_, '_>) -> Keep {
    match fields.get("strip") {
        None | Some(Value::Bool(true)) => Keep::NOTHING,
        Some(Value::Bool(false)) => Keep::UNSTRIPPED,
        Some(Value::Object(_)) => fields.object("strip").map_or(Keep::NOTHING, read_names),
        Some(_) => {
            fields.fault("strip", "must be true, false or {\"keep\": […]}");
            Keep::NOTHING
        }
    }
}

fn read_names(mut fields: Object<'_, '_>) -> Keep {
    let mut keep = Keep::NOTHING;
    fields.allow(STRIP);
    fields.require("keep");
    let Some(value) = fields.get("keep") else { return keep };
    let known = keep.fields().map(|(name, _)| name).join(", ");
    let Some(names) = value.as_array() else {
        fields.fault("keep", format!("must be a list of: {known}"));
        return keep;
    };
    for (index, name) in names.iter().enumerate() {
        match keep.fields().into_iter().find(|(known, _)| name == known) {
            Some((_, on)) => *on = true,
            None => fields.fault_at(&format!("keep/{index}"), format!("must be one of: {known}")),
        }
    }
    keep
}
