//! AVIF, by libavif: the first picture of the file.

mod bands;

use image::imageops;

use super::{
    Wanted, broken,
    meaning::{Meaning, Mixed},
    picture_of,
    reduced::Reducing,
    settle,
};
use crate::{
    domain::{
        error::{Code, Error},
        format::Format,
        limits::Limits,
    },
    imaging::{
        avif::Decoder,
        color,
        control::{Control, Failure},
        picture::{Picture, Pixels, Raster},
        probe::MOST_PIXELS,
        reduce::{Detail, Reducer},
        sample::Sample,
    },
};

pub(super) fn decode(
    input: &[u8],
    wanted: Wanted,
    limits: &Limits,
    control: &Control,
) -> Result<Picture, Failure> {
    let decoder = parse(input, limits)?;
    let info = *decoder.info();
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

/// What [`super::reduced::reduce`] is to do: by planes where they are like those of a JPEG, else by rows.
pub(super) fn reduce(
    input: &[u8],
    reducing: &Reducing<'_>,
    limits: &Limits,
) -> Result<Picture, Failure> {
    let mut opened = bands::open(input, limits)?;
    let meaning = std::mem::replace(&mut opened.meaning, Meaning::Srgb);
    if let Some(shape) = opened.planar()
        && reducing.reduction.suits(shape, Detail::ALL)
        && let Mixed::AsTheyAre(light) = meaning.mixed(reducing.wanted)
    {
        let reducer = Reducer::new(reducing.reduction, Detail::ALL);
        let mut planes = opened.planes(&reducer.part(), reducing.control);
        return reducing.planes(&mut planes, reducer, &light, &meaning);
    }
    reducing.rows(&mut opened.rows(reducing.control), Detail::ALL, &meaning)
}

/// The boxes of a file whose colours are read.
fn parse<'a>(input: &'a [u8], limits: &Limits) -> Result<Decoder<'a>, Failure> {
    let pixels = u32::try_from(limits.pixels).unwrap_or(MOST_PIXELS).min(MOST_PIXELS);
    let decoder =
        Decoder::open(input, input.len() as u64, pixels, limits.width.max(limits.height), false)
            .map_err(|cause| broken(Format::Avif, cause))?;
    if color::is_bright(decoder.info().transfer) {
        let detail = "AVIF of high dynamic range (PQ or HLG) is not read";
        return Err(Error::new(Code::UnsupportedMediaType, detail).into());
    }
    Ok(decoder)
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
        && let Some(profile) = color::from_code_points(info.primaries, info.transfer)
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
