//! Colours that a file describes by numbers instead of a profile: code points of ITU-T H.273, or a gamma and where the
//! primaries lie.

use moxcms::{
    Chromaticity, CicpColorPrimaries, CicpProfile, ColorPrimaries, ColorProfile,
    MatrixCoefficients, ToneReprCurve, TransferCharacteristics, XyY,
};

/// Transfer functions of ITU-T H.273 for more light than a screen has: PQ and HLG.
const BRIGHT: [u32; 2] = [16, 18];
/// BT.709's primaries are sRGB's; 2 is not said.
const SRGB_PRIMARIES: [u32; 2] = [1, 2];
/// The curves of BT.709 and BT.601 are written for pictures that are meant as sRGB.
const SRGB_CURVES: [u32; 4] = [1, 2, 6, 13];
/// What writers say who mean sRGB's curve: to the fifth decimal, in which Adobe RGB's own gamma differs.
const SRGB_GAMMA: f32 = 0.45455;
const SAME_GAMMA: f32 = 0.0001;
/// sRGB's white, red, green and blue.
const SRGB_PLACES: [[f32; 2]; 4] = [[0.3127, 0.329], [0.64, 0.33], [0.3, 0.6], [0.15, 0.06]];
/// How much a number of a file may be off by rounding.
const ALIKE: f32 = 0.0006;

/// Whether that is a transfer function for brighter screens.
pub(in crate::imaging) fn is_bright(transfer: u32) -> bool {
    BRIGHT.contains(&transfer)
}

/// The profile that the code points stand for; none where that is sRGB, or nothing that is known.
pub(in crate::imaging) fn from_code_points(primaries: u32, transfer: u32) -> Option<ColorProfile> {
    if SRGB_PRIMARIES.contains(&primaries) && SRGB_CURVES.contains(&transfer) {
        return None;
    }
    let code = |number: u32| u8::try_from(number).unwrap_or(2);
    let transfer = if transfer == 2 { 13 } else { transfer };
    let primaries = if primaries == 2 { 1 } else { primaries };
    Some(ColorProfile::new_from_cicp(CicpProfile {
        color_primaries: CicpColorPrimaries::try_from(code(primaries)).ok()?,
        transfer_characteristics: TransferCharacteristics::try_from(code(transfer)).ok()?,
        matrix_coefficients: MatrixCoefficients::Identity,
        full_range: true,
    }))
}

/// The profile of samples that are light to the power of `gamma`, with white, red, green and blue at these places, or sRGB's;
/// none where that is sRGB, or makes no sense.
pub(in crate::imaging) fn from_gamma(
    gamma: f32,
    places: Option<[[f32; 2]; 4]>,
) -> Option<ColorProfile> {
    let near = |one: f32, other: f32| (one - other).abs() < ALIKE;
    let is_srgb_curve = (gamma - SRGB_GAMMA).abs() < SAME_GAMMA;
    let places = places.unwrap_or(SRGB_PLACES);
    let mut numbers = places.iter().flatten().zip(SRGB_PLACES.iter().flatten());
    if is_srgb_curve && numbers.all(|(one, other)| near(*one, *other)) {
        return None;
    }
    let makes_sense = (0.05..=20.0).contains(&gamma)
        && places.iter().all(|[x, y]| *y > 0.0 && x + y <= 1.0 + ALIKE)
        && surface(places) > ALIKE;
    if !makes_sense {
        return None;
    }
    let [white, red, green, blue] = places.map(|[x, y]| Chromaticity::new(x, y));
    let mut profile = ColorProfile::new_srgb();
    let white = XyY { x: white.x.into(), y: white.y.into(), yb: 1.0 };
    profile.update_rgb_colorimetry(white, ColorPrimaries { red, green, blue });
    if !is_srgb_curve {
        let curve = Some(ToneReprCurve::Parametric(vec![1.0 / gamma]));
        profile.red_trc.clone_from(&curve);
        profile.green_trc.clone_from(&curve);
        profile.blue_trc = curve;
    }
    Some(profile)
}

/// Twice the surface of the triangle that the primaries make.
fn surface([_, [red_x, red_y], [green_x, green_y], [blue_x, blue_y]]: [[f32; 2]; 4]) -> f32 {
    ((green_x - red_x) * (blue_y - red_y) - (blue_x - red_x) * (green_y - red_y)).abs()
}
