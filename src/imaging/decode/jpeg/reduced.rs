//! A JPEG made smaller while it is decoded. The decoder of our own takes what most files are; libjpeg-turbo the rest, in bands of luma
//! and chroma where they are that, else in rows of colours.

use super::{
    super::{Wanted, baseline, settle},
    bands::Bands,
    icc,
    rows::Rows,
};
use crate::{
    domain::transform::Profile,
    imaging::{
        color::{self, Space},
        control::{Control, Failure},
        picture::{Picture, Pixels, Raster},
        planes::{Planes, Shape},
        probe::Probe,
        reduce::{Detail, Light, Reducer, Reduction},
    },
};

/// Of fewer samples to one of the result, chroma of half the size is not just repeated, but drawn smoothly, unless speed counts for more.
const SMOOTH: f64 = 2.5;
/// So many samples to one of the result have to be left: of fewer, what the decoder leaves out is missed.
const BEST: f64 = 5.0;
/// The same where speed counts for more.
const FAST: f64 = 1.4;

/// Decodes what `reduction` needs of it; `None` where that can't be done by rows: of inks, and of profiles that have no curve which all
/// channels share.
pub(in super::super) fn reduce(
    input: &[u8],
    reduction: &Reduction,
    wanted: Wanted,
    control: &Control,
) -> Result<Option<(Picture, String)>, Failure> {
    let icc = icc::read(input);
    let space = Space::of(icc.as_deref());
    let light = match (icc.as_deref(), space.curve()) {
        (Some(icc), None) if !(wanted.icc && color::can_be_kept(icc)) => return Ok(None),
        (_, curve) => Light::of(curve),
    };
    let detail = detail(reduction);
    let reducer = Reducer::new(reduction, detail);
    let Some((mut pixels, by)) = decode(input, reduction, detail, reducer, &light, control)? else {
        return Ok(None);
    };
    let icc = settle(&mut pixels, icc.as_deref(), wanted, control)?;
    let picture = Picture { icc, ..Picture::still(Pixels::Eight(pixels), false) };
    Ok(Some((picture, explain(detail, by))))
}

fn decode(
    input: &[u8],
    reduction: &Reduction,
    detail: Detail,
    reducer: Reducer,
    light: &Light,
    control: &Control,
) -> Result<Option<(Raster<u8>, &'static str)>, Failure> {
    let left = reduction.ratio() * f64::from(detail.eighths) / 8.0;
    let is_fine = |planes: &dyn Planes| {
        let is_whole = matches!(planes.shape(), Shape::Grey | Shape::Color { across: 1, down: 1 });
        is_whole || reduction.profile == Profile::Fast || left >= SMOOTH
    };
    if let Some(mut planes) = baseline::open(input, &reducer.part(), control) {
        if is_fine(&planes) {
            let pixels = reducer.planes(&mut planes, light, control)?;
            return Ok(Some((pixels, "in luma and chroma")));
        }
    } else if let Some(mut planes) = Bands::open(input, reducer.part(), control)?
        && is_fine(&planes)
    {
        let pixels = reducer.planes(&mut planes, light, control)?;
        return Ok(Some((pixels, "in luma and chroma by libjpeg-turbo")));
    }
    let Some(mut rows) = Rows::open(input, detail.eighths, control)? else { return Ok(None) };
    let pixels = reducer.rows(&mut rows, light, control)?;
    Ok(Some((pixels, "in rows of colours by libjpeg-turbo")))
}

/// What of a picture's detail is needed.
fn detail(reduction: &Reduction) -> Detail {
    let least = match reduction.profile {
        Profile::Best => BEST,
        Profile::Fast => FAST,
    };
    let enough = |eighths: &u32| reduction.ratio() * f64::from(*eighths) / 8.0 >= least;
    match [1, 2, 4].into_iter().find(enough) {
        Some(eighths) => Detail { eighths, is_averaged: false },
        None => reduction.detail(),
    }
}

fn explain(detail: Detail, by: &str) -> String {
    let scale = match detail.eighths {
        8 => "at full size",
        4 => "at half its size",
        2 => "at a quarter of its size",
        _ => "at an eighth of its size",
    };
    let averaged = if detail.is_averaged { ", two by two pixels averaged" } else { "" };
    format!("{scale} {by}{averaged}")
}

/// What that takes: bytes beside the result, and nanoseconds for each pixel of the file.
pub(in super::super) fn reducing(probe: &Probe, reduction: &Reduction) -> (u64, u64) {
    /// Rows of luma that are decoded at a time, and so many planes of them.
    const BANDS: u64 = 32 * 3;
    /// Of a file in several scans all coefficients are kept, of two bytes, for three or four channels.
    const COEFFICIENTS: u64 = 8;
    let pixels = u64::from(probe.width) * u64::from(probe.height);
    let coefficients = if probe.in_passes { pixels * COEFFICIENTS } else { 0 };
    let bands = u64::from(probe.width.max(probe.height)) * BANDS;
    let detail = detail(reduction);
    let nanoseconds = match (probe.in_passes, detail.eighths) {
        (true, _) => 12,
        (false, 8) => 4,
        (false, _) => 2,
    };
    (coefficients + bands + reduction.held(detail) + (2 << 20), nanoseconds)
}
