//! `e_`: the one table from Cloudinary's numbers to ours.

use serde_json::{Value, json};

use super::{
    draft::{Draft, Step},
    parameter::{Parameter, number, quoted},
};
use crate::domain::{color::Color, transform::parse::rounded};

/// An effect that means something.
pub(super) struct Effect {
    /// What stands behind `e_`.
    pub name: &'static str,
    /// The least, the most and the default of the number behind the colon; `None` where there is none.
    pub level: Option<[i32; 3]>,
    /// What it becomes.
    pub becomes: Becomes,
}

/// What an effect becomes, the number of the URL being N.
pub(super) enum Becomes {
    /// A filter that is on.
    Switch(&'static str),
    /// A filter of strength N times this.
    Filter(&'static str, f64),
    /// A filter of strength 1 + N/100.
    Gamma,
    /// A trim with N percent of 255 as its threshold.
    Trim,
    /// A colour, N percent thick.
    Colorize,
}

const fn effect(name: &'static str, level: [i32; 3], becomes: Becomes) -> Effect {
    Effect { name, level: Some(level), becomes }
}

/// Every effect. Ranges and defaults are those that Cloudinary's builder documents, but for pixelate, whose blocks have 256
/// pixels a side at most here.
pub(super) const EFFECTS: &[Effect] = &[
    Effect { name: "grayscale", level: None, becomes: Becomes::Switch("grayscale") },
    Effect { name: "negate", level: None, becomes: Becomes::Switch("invert") },
    effect("sepia", [1, 100, 80], Becomes::Filter("sepia", 1.0)),
    effect("blur", [1, 2000, 100], Becomes::Filter("blur", 0.1)),
    effect("sharpen", [1, 2000, 100], Becomes::Filter("sharpen", 0.005)),
    effect("brightness", [-99, 100, 80], Becomes::Filter("brightness", 1.0)),
    effect("contrast", [-100, 100, 0], Becomes::Filter("contrast", 1.0)),
    effect("saturation", [-100, 100, 80], Becomes::Filter("saturation", 1.0)),
    effect("hue", [-100, 100, 80], Becomes::Filter("hue", 1.8)),
    effect("gamma", [-50, 150, 0], Becomes::Gamma),
    effect("pixelate", [1, 256, 100], Becomes::Filter("pixelate", 1.0)),
    effect("vignette", [0, 100, 20], Becomes::Filter("vignette", 1.0)),
    effect("trim", [0, 100, 10], Becomes::Trim),
    effect("colorize", [0, 100, 100], Becomes::Colorize),
];

/// The colour of `e_colorize` where `co_` gives none.
const GRAY: Color = Color { red: 128, green: 128, blue: 128, alpha: 255 };

/// An effect with its number.
pub(super) struct Chosen {
    effect: &'static Effect,
    level: f64,
    origin: Parameter,
}

impl Chosen {
    /// Reads `e_`; what is wrong becomes a fault.
    pub(super) fn read(parameter: Parameter, draft: &mut Draft) -> Option<Self> {
        // The builder leaves the colons of values that were not given.
        let (name, level) = match parameter.value.trim_end_matches(':').split_once(':') {
            Some((name, level)) => (name, Some(level)),
            None => (parameter.value.trim_end_matches(':'), None),
        };
        let Some(effect) = EFFECTS.iter().find(|effect| effect.name == name) else {
            let names: Vec<&str> = EFFECTS.iter().map(|effect| effect.name).collect();
            let (name, names) = (quoted(name), names.join(", "));
            let detail = format!("{name:?} is not offered; there are: {names}");
            draft.faults.push(parameter.fault(detail));
            return None;
        };
        match effect.level(level) {
            Ok(level) => Some(Self { effect, level, origin: parameter }),
            Err(detail) => {
                draft.faults.push(parameter.fault(detail));
                None
            }
        }
    }

    /// Whether it runs before the size is changed.
    pub(super) const fn is_first(&self) -> bool {
        matches!(self.effect.becomes, Becomes::Trim)
    }

    /// Whether it takes a colour.
    pub(super) const fn is_coloured(&self) -> bool {
        matches!(self.effect.becomes, Becomes::Colorize)
    }

    /// Adds its operation.
    pub(super) fn push(self, color: Option<Color>, draft: &mut Draft) {
        let step = |name, value: Value| Step::plain(name, value, self.origin.clone());
        let level = self.level;
        draft.push(match self.effect.becomes {
            Becomes::Switch(filter) => step("filters", json!({filter: true})),
            Becomes::Filter(filter, times) => {
                step("filters", json!({filter: rounded(level * times)}))
            }
            Becomes::Gamma => step("filters", json!({"gamma": rounded(1.0 + level / 100.0)})),
            Becomes::Trim => step("trim", json!({"threshold": (level * 2.55).round()})),
            Becomes::Colorize => {
                let color = color.unwrap_or(GRAY);
                let thick = thinned(color, level / 100.0).to_string();
                step("filters", json!({"colorize": thick}))
            }
        });
    }
}

impl Effect {
    /// The number that is meant by what stands behind the colon.
    fn level(&self, text: Option<&str>) -> Result<f64, String> {
        match (self.level, text) {
            (None, None) => Ok(0.0),
            (None, Some(_)) => Err(format!("e_{} takes no value", self.name)),
            (Some([_, _, default]), None) => Ok(f64::from(default)),
            (Some([least, most, _]), Some(text)) => {
                let level = number(text).and_then(|level| level.as_f64());
                let whole = level.filter(|level| level.fract() == 0.0);
                whole
                    .filter(|level| (f64::from(least)..=f64::from(most)).contains(level))
                    .ok_or_else(|| {
                        format!("e_{} takes one whole number between {least} and {most}", self.name)
                    })
            }
        }
    }
}

/// The same colour, of which this much is left.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // The product lies between 0 and 255.
fn thinned(color: Color, part: f64) -> Color {
    Color { alpha: (f64::from(color.alpha) * part).round() as u8, ..color }
}
