//! What a URL leaves to whoever is looking: `dpr_auto`, `w_auto`, and how much those who save data are sent.

use super::parameter::{Parameter, number};
use crate::domain::{
    error::Fault,
    transform::{Auto, FormatChoice, Quality, Spec, parse::MAX_SIDE},
};

/// What `dpr_auto` may come to: few, so that few pictures are made.
const DPRS: [f64; 4] = [1.0, 1.5, 2.0, 3.0];
/// The step of `w_auto` where none is said.
const STEP: u32 = 100;

/// What a browser says of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Hints {
    /// Pixels of the screen for one of the page, as `Sec-CH-DPR` says.
    pub dpr: Option<f64>,
    /// How many pixels of the screen the picture will be wide, as `Sec-CH-Width` says.
    pub width: Option<u32>,
    /// Whether less is to be sent, as `Save-Data` says.
    pub save_data: bool,
}

/// What of a request the meaning of a URL depends on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asks {
    /// What formats are accepted.
    pub accept: bool,
    /// [`Hints::dpr`].
    pub dpr: bool,
    /// [`Hints::width`].
    pub width: bool,
    /// [`Hints::save_data`].
    pub save_data: bool,
}

impl Hints {
    /// What `dpr_auto` is.
    pub(super) fn dpr(&self) -> f64 {
        let told = self.dpr.filter(|dpr| dpr.is_finite() && !self.save_data).unwrap_or(1.0);
        let [.., most] = DPRS;
        DPRS.into_iter().find(|dpr| *dpr >= told).unwrap_or(most)
    }

    /// Settles what of the output is left open, whoever has said so.
    pub(super) fn settle(&self, spec: &mut Spec, asks: &mut Asks) {
        asks.accept |= spec.format == Some(FormatChoice::Auto);
        // The best was chosen for a reason.
        if let Some(Quality::Auto(Auto::Good | Auto::Eco)) = spec.quality {
            asks.save_data = true;
            if self.save_data {
                spec.quality = Some(Quality::Auto(Auto::Low));
            }
        }
    }
}

/// What `w_auto` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    /// Pixels of the page, which a `dpr` multiplies.
    Page(u32),
    /// Pixels of the screen, in which the `dpr` is already.
    Screen(u32),
    /// As wide as the picture is.
    Whole,
}

/// Reads `auto`, `auto:STEP` and `auto:STEP:FALLBACK`; `None` where a width is none of them.
pub(super) fn read_width(width: &Parameter, hints: &Hints) -> Option<Result<Width, Fault>> {
    let mut parts = width.value.split(':');
    if parts.next() != Some("auto") {
        return None;
    }
    let pixels = |text: &str| {
        let pixels = u32::try_from(number(text)?.as_u64()?).ok()?;
        (1..=MAX_SIDE).contains(&pixels).then_some(pixels)
    };
    let said = [parts.next(), parts.next()].map(|part| part.map(pixels));
    let [step, fallback] = said.map(Option::flatten);
    if said.contains(&Some(None)) || parts.next().is_some() {
        let detail = format!(
            "must be auto, auto:STEP or auto:STEP:FALLBACK, each whole pixels between 1 and {MAX_SIDE}"
        );
        return Some(Err(width.fault(detail)));
    }
    let up = |width: u32| width.clamp(1, MAX_SIDE).next_multiple_of(step.unwrap_or(STEP));
    Some(Ok(match (hints.width, fallback) {
        (Some(width), _) => Width::Screen(up(width).min(MAX_SIDE)),
        (None, Some(width)) => Width::Page(width),
        (None, None) => Width::Whole,
    }))
}
