//! The colours that a picture's pixels are in while it is worked on: sRGB, or those of the profile that it keeps. Colours of a
//! spec and pictures that are laid over are in sRGB, and are brought there.

use std::sync::OnceLock;

use moxcms::{ColorProfile, Layout, ToneCurveEvaluator};

use super::{ToSrgb, convert};
use crate::{
    domain::color::Color,
    imaging::{
        control::{Control, Failure},
        sample::Sample,
    },
};

/// sRGB, or a profile that was kept.
pub(in crate::imaging) struct Space {
    profile: Option<ColorProfile>,
    curve: OnceLock<Option<Curve>>,
}

/// Where nothing was kept.
pub(in crate::imaging) static SRGB: Space = Space { profile: None, curve: OnceLock::new() };

/// How a space's samples become light.
pub(in crate::imaging) struct Curve {
    light: Box<dyn ToneCurveEvaluator + Send + Sync>,
    /// The values of light as they were asked for: frames of an animation ask for the same.
    tones: OnceLock<Vec<f32>>,
}

impl Space {
    /// The space of pixels with that profile; of sRGB where there is none.
    pub(in crate::imaging) fn of(icc: Option<&[u8]>) -> Self {
        let profile = icc.and_then(|icc| ColorProfile::new_from_slice(icc).ok());
        Self { profile, curve: OnceLock::new() }
    }

    /// The space of pixels with a profile that was read, or made.
    pub(in crate::imaging) fn with(profile: &ColorProfile) -> Self {
        Self { profile: Some(profile.clone()), curve: OnceLock::new() }
    }

    /// How its pixels become sRGB; `None` where they are, or can't.
    pub(in crate::imaging) fn to_srgb(&self) -> Option<ToSrgb> {
        ToSrgb::new(self.profile.as_ref()?)
    }

    /// A colour of the spec as pixels of this space have it.
    pub(in crate::imaging) fn paint<S: Sample>(&self, color: Color) -> [S; 4] {
        let mut pixel = color.channels().map(S::from_byte);
        // Nothing stops a single pixel.
        let _ = self.bring(&mut pixel, &Control::default());
        pixel
    }

    /// Brings RGBA pixels here from sRGB. A profile that leads nowhere leaves them as they are.
    pub(in crate::imaging) fn bring<S: Sample>(
        &self,
        pixels: &mut [S],
        control: &Control,
    ) -> Result<(), Failure> {
        if let Some(profile) = &self.profile {
            let whole = |source: &mut Vec<S>, pixels: &[S]| source.extend_from_slice(pixels);
            convert(&ColorProfile::new_srgb(), Layout::Rgba, profile, pixels, control, whole)?;
        }
        Ok(())
    }

    /// The curve that all three channels share; none where it is sRGB's, or they share none.
    pub(in crate::imaging) fn curve(&self) -> Option<&Curve> {
        let profile = self.profile.as_ref()?;
        self.curve.get_or_init(|| Curve::of(profile)).as_ref()
    }
}

impl Curve {
    fn of(profile: &ColorProfile) -> Option<Self> {
        let red = profile.red_trc.as_ref()?;
        if [&profile.green_trc, &profile.blue_trc].into_iter().any(|trc| trc.as_ref() != Some(red))
        {
            return None;
        }
        let curve = Self { light: red.make_linear_evaluator().ok()?, tones: OnceLock::new() };
        // It has to lead from darkness to full light, and back again.
        let lights: Vec<f32> =
            (0..=255_u8).map(|byte| curve.light(f32::from(byte) / 255.0)).collect();
        let ends = lights.first().zip(lights.last());
        let leads = ends.is_some_and(|(dark, full)| dark.abs() < 0.01 && (full - 1.0).abs() < 0.01);
        (leads && lights.is_sorted()).then_some(curve)
    }

    /// The light of a value, both 0 to 1.
    pub(in crate::imaging) fn light(&self, value: f32) -> f32 {
        self.light.evaluate_value(value).clamp(0.0, 1.0)
    }

    /// The values of these lights, all 0 to 1. They are looked for, as not every curve can be turned round; once, so that every
    /// call has to be for the same lights.
    pub(in crate::imaging) fn tones(&self, lights: impl Iterator<Item = f32>) -> &[f32] {
        self.tones.get_or_init(|| lights.map(|light| self.tone(light)).collect())
    }

    fn tone(&self, light: f32) -> f32 {
        let (mut below, mut above) = (0.0_f32, 1.0_f32);
        for _ in 0..24 {
            let middle = f32::midpoint(below, above);
            if self.light(middle) < light { below = middle } else { above = middle }
        }
        f32::midpoint(below, above)
    }
}
