//! A JPEG made smaller while it is decoded. The decoder of our own takes what most files are; libjpeg-turbo the rest, in bands of luma
//! and chroma where they are that, else in rows of colours.

use super::{
    super::{
        baseline, corrupt,
        meaning::{Meaning, Mixed},
        reduced::Reducing,
    },
    bands::Bands,
    icc,
    rows::Rows,
};
use crate::{
    domain::transform::Profile,
    imaging::{
        control::Failure,
        picture::Picture,
        planes::{Planes, Shape},
        reduce::{Detail, Reducer, Reduction},
    },
};

/// Of fewer samples to one of the result, chroma of half the size is not just repeated, but drawn smoothly, unless speed counts for more.
const SMOOTH: f64 = 2.5;
/// So many samples to one of the result have to be left: of fewer, what the decoder leaves out is missed.
const BEST: f64 = 5.0;
/// The same where speed counts for more.
const FAST: f64 = 1.4;

/// What [`super::super::reduced::reduce`] is to do.
pub(in super::super) fn reduce(
    input: &[u8],
    reducing: &Reducing<'_>,
) -> Result<(Picture, String), Failure> {
    let meaning = Meaning::of(icc::read(input));
    let detail = detail(reducing.reduction);
    if let Mixed::AsTheyAre(light) = meaning.mixed(reducing.wanted) {
        let reducer = Reducer::new(reducing.reduction, detail);
        let (part, control) = (reducer.part(), reducing.control);
        if let Some(mut planes) = baseline::open(input, &part, control) {
            reducing.check(planes.size(), detail)?;
            if is_enough(planes.shape(), reducing.reduction, detail) {
                let picture = reducing.planes(&mut planes, reducer, &light, &meaning)?;
                return Ok((picture, explain(detail, "in luma and chroma")));
            }
        } else if let Some(mut planes) = Bands::open(input, part, control)?
            && is_enough(planes.shape(), reducing.reduction, detail)
        {
            reducing.check(planes.size(), detail)?;
            let picture = reducing.planes(&mut planes, reducer, &light, &meaning)?;
            return Ok((picture, explain(detail, "in luma and chroma by libjpeg-turbo")));
        }
    }
    let rows = Rows::open(input, detail.eighths, reducing.control)?;
    let mut rows =
        rows.ok_or_else(|| corrupt("the JPEG is in inks, which its header does not say"))?;
    let picture = reducing.rows(&mut rows, detail, &meaning)?;
    Ok((picture, explain(detail, "in rows of colours by libjpeg-turbo")))
}

/// Whether planes of that shape lose nothing by chroma that is repeated.
fn is_enough(shape: Shape, reduction: &Reduction, detail: Detail) -> bool {
    let is_whole = matches!(shape, Shape::Grey | Shape::Color { across: 1, down: 1 });
    let left = reduction.ratio() * f64::from(detail.eighths) / 8.0;
    is_whole || reduction.profile == Profile::Fast || left >= SMOOTH
}

/// What of a picture's detail is needed.
pub(in super::super) fn detail(reduction: &Reduction) -> Detail {
    let least = match reduction.profile {
        Profile::Best => BEST,
        Profile::Fast => FAST,
    };
    let is_enough = |eighths: &u32| reduction.ratio() * f64::from(*eighths) / 8.0 >= least;
    match [1, 2, 4].into_iter().find(is_enough) {
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
