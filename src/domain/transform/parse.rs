//! JSON → spec, with every fault named.

mod object;
mod operations;
mod output;
mod shape;
mod watermark;

use serde_json::Value;

use self::{object::Object, operations::read_object_form};
pub(super) use self::{object::rounded, output::formats};
use super::{Profile, Spec};
use crate::domain::error::Fault;

/// The longest side that may be asked for.
pub(super) const MAX_SIDE: u32 = 8000;
/// The most that `dpr` may be.
pub(super) const MAX_DPR: f64 = 10.0;
/// The farthest place that a crop may begin at, to either side.
pub(super) const MAX_OFFSET: i32 = 1_000_000;
/// The widest border.
pub(super) const MAX_BORDER: u32 = 1000;
/// The farthest that a watermark may be moved.
pub(super) const MAX_SHIFT: i32 = 8000;
/// The largest letters, in pixels.
pub(super) const MAX_LETTER: f64 = 2000.0;
/// The longest text, in characters.
pub(super) const MAX_TEXT: usize = 1000;
/// The most that `max_bytes` may be.
pub(super) const MAX_BYTES: u32 = 1_000_000_000;
/// The most entries of `operations`.
pub(super) const MAX_OPERATIONS: usize = 64;

/// In the order that the object form runs in.
pub(super) const OPERATIONS: &[&str] = &[
    "trim",
    "resize",
    "crop",
    "rotate",
    "flip",
    "mirror",
    "filters",
    "round",
    "watermark",
    "border",
];
pub(super) const OUTPUT: &[&str] = &[
    "format",
    "quality",
    "max_bytes",
    "profile",
    "strip",
    "background",
    "lossless",
    "progressive",
];
pub(super) const TRIM: &[&str] = &["threshold"];
pub(super) const RESIZE: &[&str] =
    &["width", "height", "aspect", "fit", "gravity", "background", "enlarge", "dpr"];
pub(super) const CROP: &[&str] = &["x", "y", "width", "height", "center", "gravity"];
pub(super) const POINT: &[&str] = &["x", "y"];
pub(super) const FILTERS: &[&str] = &[
    "grayscale",
    "invert",
    "sepia",
    "blur",
    "sharpen",
    "brightness",
    "contrast",
    "saturation",
    "hue",
    "gamma",
    "pixelate",
    "vignette",
    "tint",
    "colorize",
];
pub(super) const WATERMARK: &[&str] = &[
    "text", "image_id", "opacity", "gravity", "x", "y", "scale", "size", "color", "font", "rotate",
    "tile",
];
pub(super) const BORDER: &[&str] = &["width", "color"];
pub(super) const STRIP: &[&str] = &["keep"];

impl Spec {
    /// Reads a spec, as it is stored: one that names no profile means the truest picture. Every fault is reported, each
    /// with its JSON pointer.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn parse(value: &Value) -> Result<Self, Vec<Fault>> {
        Self::parse_with(value, Profile::Best)
    }

    /// Reads a spec as a client wrote it: one that names no profile means `profile`, which the deployment decides.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn parse_with(value: &Value, profile: Profile) -> Result<Self, Vec<Fault>> {
        let mut spec = Self::read(value, profile)?;
        spec.normalise();
        Ok(spec)
    }

    /// The spec as it is written, before it is brought into normal form.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(crate) fn read(value: &Value, profile: Profile) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut spec = Self::default();
        if let Some(mut fields) = Object::open(value, String::new(), &mut faults) {
            fields.allow(&[OPERATIONS, OUTPUT, &["operations"]].concat());
            spec.read_output(&mut fields, profile);
            spec.read_operations(&mut fields);
        }
        if faults.is_empty() { Ok(spec) } else { Err(faults) }
    }

    fn read_operations(&mut self, fields: &mut Object<'_, '_>) {
        let background = self.background;
        let Some(list) = fields.get("operations") else {
            self.operations = read_object_form(fields, background);
            return;
        };
        for name in OPERATIONS {
            if fields.get(name).is_some() {
                fields.fault(name, "stands inside operations when operations is given");
            }
        }
        let Some(list) = list.as_array() else {
            fields.fault("operations", "must be a list of objects");
            return;
        };
        if list.len() > MAX_OPERATIONS {
            fields.fault(
                "operations",
                format!("has {} entries; at most {MAX_OPERATIONS}", list.len()),
            );
            return;
        }
        for (index, entry) in list.iter().enumerate() {
            let Some(mut entry) = fields.open_at(entry, &format!("operations/{index}")) else {
                continue;
            };
            entry.allow(OPERATIONS);
            if entry.len() != 1 {
                entry.fault_here(format!("must hold exactly one of: {}", OPERATIONS.join(", ")));
            }
            self.operations.extend(read_object_form(&mut entry, background));
        }
    }
}
