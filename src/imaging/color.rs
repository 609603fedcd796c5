//! Colour profiles: whatever a file is in becomes sRGB, or stays in its own colours where they are kept.

use std::sync::Arc;

use moxcms::{ColorProfile, DataColorSpace, Layout, TransformExecutor, TransformOptions};

pub(super) use self::{
    numbers::{from_code_points, from_gamma, is_bright},
    space::{Curve, SRGB, Space},
};
use super::{
    control::{Control, Failure},
    sample::Sample,
};

mod numbers;
mod space;

/// Rows of a large picture are converted in pieces of this many pixels, so that little more than the picture is held.
const PIECE: usize = 4096;

/// The light of an sRGB value, both 0 to 1 (IEC 61966-2-1).
pub(super) fn light(value: f32) -> f32 {
    if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// The sRGB value of light, both 0 to 1.
pub(super) fn tone(light: f32) -> f32 {
    if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
}

/// Whether pixels can stay in the colours of `icc`: results are RGB, so a profile for grey or for inks can't be kept.
pub(super) fn can_be_kept(icc: &[u8]) -> bool {
    ColorProfile::new_from_slice(icc)
        .is_ok_and(|profile| profile.color_space == DataColorSpace::Rgb)
}

/// Converts RGBA pixels from the profile `icc` to sRGB. A profile that can't be understood is ignored, as viewers do:
/// the pixels are then taken for sRGB.
pub(super) fn to_srgb<S: Sample>(
    pixels: &mut [S],
    icc: &[u8],
    control: &Control,
) -> Result<(), Failure> {
    match ColorProfile::new_from_slice(icc) {
        Ok(profile) => from_profile(pixels, &profile, control),
        Err(_) => Ok(()),
    }
}

/// The same from a profile that was read, or made.
pub(super) fn from_profile<S: Sample>(
    pixels: &mut [S],
    profile: &ColorProfile,
    control: &Control,
) -> Result<(), Failure> {
    let srgb = ColorProfile::new_srgb();
    // A profile that can't be used is one that can't be understood.
    let _is_done = match profile.color_space {
        DataColorSpace::Rgb => {
            let whole = |source: &mut Vec<S>, pixels: &[S]| source.extend_from_slice(pixels);
            convert(profile, Layout::Rgba, &srgb, pixels, control, whole)?
        }
        DataColorSpace::Gray => {
            let grey = |source: &mut Vec<S>, pixels: &[S]| {
                let pixels = pixels.as_chunks::<4>().0;
                source.extend(pixels.iter().flat_map(|[grey, _, _, alpha]| [*grey, *alpha]));
            };
            convert(profile, Layout::GrayAlpha, &srgb, pixels, control, grey)?
        }
        _ => false,
    };
    Ok(())
}

/// Converts pixels in place; `gather` lays a piece of them out as the profile wants it. False, and nothing done, where moxcms
/// can't.
fn convert<S: Sample>(
    profile: &ColorProfile,
    layout: Layout,
    to: &ColorProfile,
    pixels: &mut [S],
    control: &Control,
    gather: impl Fn(&mut Vec<S>, &[S]),
) -> Result<bool, Failure> {
    let Some(transform) = S::transform(profile, layout, to, TransformOptions::default()) else {
        return Ok(false);
    };
    let mut source = Vec::new();
    for piece in pixels.chunks_mut(PIECE * 4) {
        control.check()?;
        source.clear();
        gather(&mut source, piece);
        if transform.transform(&source, piece).is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Rows of RGBA pixels from one profile to sRGB, one after the other.
pub(super) struct ToSrgb {
    transform: Arc<dyn TransformExecutor<u8> + Send + Sync>,
    is_grey: bool,
    source: Vec<u8>,
}

impl ToSrgb {
    /// From `profile`, unless moxcms can't.
    fn new(profile: &ColorProfile) -> Option<Self> {
        let is_grey = profile.color_space == DataColorSpace::Gray;
        let layout = match profile.color_space {
            DataColorSpace::Rgb => Layout::Rgba,
            DataColorSpace::Gray => Layout::GrayAlpha,
            _ => return None,
        };
        let options = TransformOptions::default();
        let transform = u8::transform(profile, layout, &ColorProfile::new_srgb(), options)?;
        Some(Self { transform, is_grey, source: Vec::new() })
    }

    /// Puts a row, converted, where there is as much room.
    pub(super) fn convert(&mut self, row: &[u8], to: &mut [u8]) {
        let row = if self.is_grey {
            let pixels = row.as_chunks::<4>().0;
            self.source.clear();
            self.source.extend(pixels.iter().flat_map(|[grey, _, _, alpha]| [*grey, *alpha]));
            &self.source
        } else {
            row
        };
        // Both are of the lengths that the layouts say.
        let _ = self.transform.transform(row, to);
    }
}

/// Luma and chroma as JPEG has them (Rec. 601, full range) as red, green and blue.
pub(super) fn from_ycbcr<S: Sample>([luma, blue, red]: [S; 3]) -> [S; 3] {
    let middle = S::from_byte(128).float();
    let (luma, blue, red) = (luma.float(), blue.float() - middle, red.float() - middle);
    let green = luma - 0.344_136 * blue - 0.714_136 * red;
    [luma + 1.402 * red, green, luma + 1.772 * blue].map(S::nearest)
}

/// Ink on paper to RGBA in place: four inks a pixel, full scale is full ink. Without a profile, or with one that is not for
/// inks, each ink takes away its share of the light.
pub(super) fn inks_to_srgb<S: Sample>(
    pixels: &mut [S],
    icc: Option<&[u8]>,
    control: &Control,
) -> Result<(), Failure> {
    let profile = icc
        .and_then(|icc| ColorProfile::new_from_slice(icc).ok())
        .filter(|profile| profile.color_space == DataColorSpace::Cmyk);
    if let Some(profile) = profile {
        // The inks are laid out as if they were four channels of colour.
        let whole = |source: &mut Vec<S>, pixels: &[S]| source.extend_from_slice(pixels);
        if convert(&profile, Layout::Rgba, &ColorProfile::new_srgb(), pixels, control, whole)? {
            return Ok(());
        }
    }
    let light = |ink: S, black: S| {
        S::nearest((S::FULL - ink.float()) * (S::FULL - black.float()) / S::FULL)
    };
    for pixel in pixels.as_chunks_mut::<4>().0 {
        let [cyan, magenta, yellow, black] = *pixel;
        let [red, green, blue] = [cyan, magenta, yellow].map(|ink| light(ink, black));
        *pixel = [red, green, blue, S::max_value()];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn display_p3_is_converted() {
        let p3 = ColorProfile::new_display_p3().encode().unwrap();
        // P3's (234, 51, 35) is as near as sRGB's pure red comes.
        let mut pixels = [234_u8, 51, 35, 128, 128, 128, 128, 255];
        to_srgb(&mut pixels, &p3, &Control::default()).unwrap();
        let [red, green, blue, alpha, grey @ ..] = pixels;
        assert!(red >= 254 && green <= 3 && blue <= 3 && alpha == 128, "{pixels:?}");
        assert!(grey.into_iter().take(3).all(|channel| channel.abs_diff(128) <= 1), "{grey:?}");
    }

    #[test]
    fn grey_profiles_are_converted() {
        let linear = ColorProfile::new_gray_with_gamma(1.0).encode().unwrap();
        let mut pixels = [55_u8, 55, 55, 9];
        to_srgb(&mut pixels, &linear, &Control::default()).unwrap();
        // 55/255 of the light is 128 in sRGB.
        let [red, green, blue, alpha] = pixels;
        assert!(
            red.abs_diff(128) <= 1 && red == green && green == blue && alpha == 9,
            "{pixels:?}"
        );
    }

    #[test]
    fn what_is_no_profile_changes_nothing() {
        for icc in [b"".as_slice(), b"nonsense", &[0; 200]] {
            let mut pixels = [1_u8, 2, 3, 4];
            to_srgb(&mut pixels, icc, &Control::default()).unwrap();
            assert_eq!(pixels, [1, 2, 3, 4]);
        }
    }

    #[test]
    fn inks_without_a_profile_take_light_away() {
        let mut pixels = [0_u8, 0, 0, 0, 255, 0, 0, 0, 0, 255, 255, 0, 0, 0, 0, 255, 0, 0, 0, 128];
        inks_to_srgb(&mut pixels, None, &Control::default()).unwrap();
        let expected = [
            [255, 255, 255, 255],
            [0, 255, 255, 255],
            [255, 0, 0, 255],
            [0, 0, 0, 255],
            [127, 127, 127, 255],
        ];
        assert_eq!(pixels.as_chunks::<4>().0, expected);
    }
}
