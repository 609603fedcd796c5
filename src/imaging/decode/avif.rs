//! AVIF, by libavif: the first picture of the file.

use image::imageops;
use moxcms::{
    CicpColorPrimaries, CicpProfile, ColorProfile, MatrixCoefficients, TransferCharacteristics,
};

use super::{Wanted, broken, picture_of, settle};
use crate::{
    domain::{
        error::{Code, Error},
        format::Format,
        limits::Limits,
    },
    imaging::{
        avif::{Decoder, Info},
        color,
        control::{Control, Failure},
        picture::{Picture, Pixels, Raster},
        probe::MOST_PIXELS,
        sample::Sample,
    },
};

/// Transfer functions of ITU-T H.273 for more light than a screen has: PQ and HLG.
const BRIGHT: [u32; 2] = [16, 18];
/// BT.709's primaries are sRGB's; 2 is not said.
const SRGB_PRIMARIES: [u32; 2] = [1, 2];
/// The curves of BT.709 and BT.601 are written for pictures that are meant as sRGB.
const SRGB_CURVES: [u32; 4] = [1, 2, 6, 13];

pub(super) fn decode(
    input: &[u8],
    wanted: Wanted,
    limits: &Limits,
    control: &Control,
) -> Result<Picture, Failure> {
    let pixels = u32::try_from(limits.pixels).unwrap_or(MOST_PIXELS).min(MOST_PIXELS);
    let decoder =
        Decoder::open(input, input.len() as u64, pixels, limits.width.max(limits.height), false)
            .map_err(|cause| broken(Format::Avif, cause))?;
    let info = *decoder.info();
    if info.transfer == BRIGHT[0] || info.transfer == BRIGHT[1] {
        let detail = "AVIF of high dynamic range (PQ or HLG) is not read";
        return Err(Error::new(Code::UnsupportedMediaType, detail).into());
    }
    let icc = decoder.icc().map(<[u8]>::to_vec);
    let has_alpha = info.has_alpha != 0;
    let (pixels, icc) = if info.depth > 8 && wanted.sixteen {
        let (raster, icc) = read::<u16>(decoder, icc.as_deref(), wanted, control)?;
        (Pixels::Sixteen(raster), icc)
    } else {
        let (raster, icc) = read::<u8>(decoder, icc.as_deref(), wanted, control)?;
        (Pixels::Eight(raster), icc)
    };
    Ok(Picture { icc, ..Picture::still(pixels, has_alpha) })
}

fn read<S: Sample>(
    decoder: Decoder<'_>,
    icc: Option<&[u8]>,
    wanted: Wanted,
    control: &Control,
) -> Result<(Raster<S>, Option<Vec<u8>>), Failure> {
    let info = *decoder.info();
    let cut = decoder.cut();
    let mut samples = decoder.pixels::<S>().map_err(|cause| broken(Format::Avif, cause))?;
    let kept = settle(&mut samples, icc, wanted, control)?;
    if icc.is_none()
        && let Some(profile) = profile(&info)
    {
        color::from_profile(&mut samples, &profile, control)?;
    }
    let raster: Raster<S> = picture_of(info.width, info.height, samples)?;
    let raster = match cut {
        Some([x, y, width, height]) => imageops::crop_imm(&raster, x, y, width, height).to_image(),
        None => raster,
    };
    Ok((raster, kept))
}

/// The profile that the code points stand for; none where that is sRGB.
fn profile(info: &Info) -> Option<ColorProfile> {
    if SRGB_PRIMARIES.contains(&info.primaries) && SRGB_CURVES.contains(&info.transfer) {
        return None;
    }
    let code = |number: u32| u8::try_from(number).unwrap_or(2);
    let transfer = if info.transfer == 2 { 13 } else { info.transfer };
    let primaries = if info.primaries == 2 { 1 } else { info.primaries };
    Some(ColorProfile::new_from_cicp(CicpProfile {
        color_primaries: CicpColorPrimaries::try_from(code(primaries)).ok()?,
        transfer_characteristics: TransferCharacteristics::try_from(code(transfer)).ok()?,
        matrix_coefficients: MatrixCoefficients::Identity,
        full_range: true,
    }))
}
