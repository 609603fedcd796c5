//! Between samples and light, in fourteen bits.
#![allow(clippy::inline_always)] // Part of the loops that they are called in, with those loops' instructions.

use super::{
    super::color::{self, Curve},
    convert,
    lanes::{LANES, Lanes},
};

/// The light of full scale is a little less than this.
pub(super) const FULL: usize = 1 << 14;

/// Curves that are nowhere further apart are the same: a tenth of a step of eight bits where light is full.
const ALIKE: f32 = 0.001;
/// The light of full scale, by a table.
const MOST: f32 = 16_320.0;

/// What light a sample has.
pub(in crate::imaging) enum Light {
    /// As sRGB says.
    Srgb,
    /// By a table.
    Table(Box<[i16; 256]>),
}

/// The light of samples in units of 1/128, which may lie a little beyond 255.
pub(super) trait Tone: Copy {
    fn light<V: Lanes>(self, samples: V) -> V;
}

/// [`Light::Srgb`], 16192 times what IEC 61966-2-1 says: a line up to 13, and from there on a polynomial of the third degree, fitted so
/// that it is nowhere off by more than three tenths of a step of eight bits. It grows with every step, and even past full scale four
/// lights have room in sixteen bits.
#[derive(Clone, Copy)]
pub(super) struct Srgb;

impl Tone for Srgb {
    #[inline(always)]
    fn light<V: Lanes>(self, samples: V) -> V {
        let line = samples.times(V::all(1258));
        let sum = samples.times(V::all(5287)).plus(V::all(10_885));
        let curve = samples.times(samples.times(sum).plus(V::all(166))).plus(V::all(30));
        samples.choose(V::all(13 * 128 + 64), curve, line)
    }
}

/// [`Light::Table`], of the nearest sample.
impl Tone for &[i16; 256] {
    #[inline(always)]
    fn light<V: Lanes>(self, samples: V) -> V {
        let mut numbers = [0; LANES];
        samples.plus_within(V::all(64)).right::<7>().put(&mut numbers);
        V::of(&numbers.map(|sample| {
            usize::try_from(sample).ok().and_then(|sample| self.get(sample)).copied().unwrap_or(0)
        }))
    }
}

impl Light {
    /// By the curve that colours have; by sRGB's where there is none.
    pub(in crate::imaging) fn of(curve: Option<&Curve>) -> Self {
        let Some(curve) = curve else { return Light::Srgb };
        let samples: Vec<f32> = (0..=255_u8).map(|sample| f32::from(sample) / 255.0).collect();
        let is_srgb = samples
            .iter()
            .all(|sample| (curve.light(*sample) - color::light(*sample)).abs() < ALIKE);
        if is_srgb {
            return Light::Srgb;
        }
        let mut table = Box::new([0; 256]);
        for (light, sample) in table.iter_mut().zip(samples) {
            #[allow(clippy::cast_possible_truncation)] // Fourteen bits.
            let whole = (curve.light(sample) * MOST).round() as i16;
            *light = whole;
        }
        Light::Table(table)
    }

    /// The samples of all lights from nothing to [`FULL`]: the nearest; halfway between two, the brighter one.
    pub(super) fn samples(&self) -> Box<[u8]> {
        let lights = self.lights();
        let mut samples = vec![255; FULL].into_boxed_slice();
        let mut from = 0;
        for (sample, (here, next)) in (0..=254_u8).zip(lights.iter().zip(lights.iter().skip(1))) {
            let until =
                usize::try_from(i32::from(*here) + i32::from(*next)).unwrap_or(0).div_ceil(2);
            if let Some(these) = samples.get_mut(from..until) {
                these.fill(sample);
                from = until;
            }
        }
        samples
    }

    /// The lights of all samples.
    pub(super) fn lights(&self) -> [i16; 256] {
        let samples: Vec<u8> = (0..=255).collect();
        let mut lights = [0; 256];
        convert::grey(&samples, &mut lights, self);
        lights
    }
}
