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
        planes::Planes,
        reduce::{Detail, Reducer, Reduction},
    },
};

/// So many samples to one of the result have to be left: of fewer, what the decoder leaves out is missed.
const BEST: f64 = 5.0;
/// The same where speed counts for more.
const FAST: f64 = 1.4;

/// Why planes do not do.
const SMOOTH: &str = "in rows of colours, as its chroma is to be drawn smoothly";

/// What [`super::super::reduced::reduce`] is to do.
pub(in super::super) fn reduce(
    input: &[u8],
    reducing: &Reducing<'_>,
) -> Result<(Picture, String), Failure> {
    let meaning = Meaning::of(icc::read(input));
    let detail = detail(reducing.reduction);
    let explained = |picture, by| Ok((picture, explain(reducing.reduction, detail, Some(by))));
    let suits = |planes: &dyn Planes| reducing.reduction.suits(planes.shape(), detail);
    let by = if let Mixed::AsTheyAre(light) = meaning.mixed(reducing.wanted) {
        let reducer = Reducer::new(reducing.reduction, detail);
        let (part, control) = (reducer.part(), reducing.control);
        if let Some(mut planes) = baseline::open(input, &part, control) {
            reducing.check(planes.size(), detail)?;
            if suits(&planes) {
                let picture = reducing.planes(&mut planes, reducer, &light, &meaning)?;
                return explained(picture, "in luma and chroma");
            }
            SMOOTH
        } else if let Some(mut planes) = Bands::open(input, part, control)? {
            reducing.check(planes.size(), detail)?;
            if suits(&planes) {
                let picture = reducing.planes(&mut planes, reducer, &light, &meaning)?;
                return explained(
                    picture,
                    "in luma and chroma by libjpeg-turbo, as it is no common JPEG",
                );
            }
            SMOOTH
        } else {
            "in rows of colours, as it is not in luma and chroma of common sizes"
        }
    } else {
        "in rows of colours, as its channels share no curve"
    };
    let rows = Rows::open(input, detail.eighths, reducing.control)?;
    let mut rows =
        rows.ok_or_else(|| corrupt("the JPEG is in inks, which its header does not say"))?;
    explained(reducing.rows(&mut rows, detail, &meaning)?, by)
}

/// What of a picture's detail is needed.
pub(in super::super) fn detail(reduction: &Reduction) -> Detail {
    let least = match reduction.profile {
        Profile::Best => BEST,
        Profile::Fast => FAST,
    };
    let details = [1, 2, 4].map(|eighths| Detail { eighths, is_averaged: false });
    let is_enough = |detail: &Detail| {
        reduction.ratio() * f64::from(detail.eighths) / 8.0 >= least
            && reduction.is_kept_apart(*detail)
    };
    details.into_iter().find(is_enough).unwrap_or_else(|| reduction.detail())
}

/// At which size it is decoded, and by what, if that is known.
pub(in super::super) fn explain(reduction: &Reduction, detail: Detail, by: Option<&str>) -> String {
    let scale = match detail.eighths {
        8 => "at full size",
        4 => "at half its size",
        2 => "at a quarter of its size",
        _ => "at an eighth of its size",
    };
    let by = by.map_or(String::new(), |by| format!(" {by}"));
    let averaged = if detail.is_averaged { ", two by two pixels averaged" } else { "" };
    let ratio = reduction.ratio();
    format!("{scale}{by}{averaged}, as {ratio:.1} pixels become one")
}
