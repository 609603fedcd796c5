//! Planes of luma and chroma are mixed as they are, each at its own size: the quickest way, in gamma light.

use super::{
    Light, Reducer, convert,
    kernel::Axis,
    mixer::{Kernels, Mixer},
    paint::Paint,
};
use crate::imaging::{
    control::{Control, Failure},
    picture::Raster,
    planes::{Band, Planes},
};

/// Reduces colours of which chroma has one sample to so many of luma, across and down.
pub(super) fn reduce(
    reducer: Reducer,
    source: &mut dyn Planes,
    [across, down]: [usize; 2],
    control: &Control,
) -> Result<Raster<u8>, Failure> {
    let mut paint = Paint::new(reducer.size, &Light::Gamma);
    let [horizontal, vertical] = reducer.axes;
    let together = across == 1 && down == 1;
    let mut luma = Mixer::new(reducer.kernels, if together { 3 } else { 1 });
    let mut chroma = (!together).then(|| {
        let kernels = Kernels::new(divided(horizontal, across), divided(vertical, down));
        Mixer::new(kernels, 2)
    });
    let is_done = |luma: &Mixer, chroma: &Option<Mixer>| luma.is_done() && chroma.as_ref().is_none_or(Mixer::is_done);
    while !is_done(&luma, &chroma)
        && let Some(band) = source.next()?
    {
        control.check()?;
        match &mut chroma {
            None => feed(&mut luma, &band, [0, 1, 2], 1, |lights| paint.opaque(lights)),
            Some(chroma) => {
                feed(&mut luma, &band, [0], 1, |lights| paint.luma(lights));
                feed(chroma, &band, [1, 2], down, |lights| paint.chroma(lights));
            }
        }
    }
    Ok(paint.finish_colors())
}

/// The axis of samples of which there are so many times fewer.
fn divided(axis: Axis, by: usize) -> Axis {
    #[allow(clippy::cast_precision_loss)] // 1 or 2.
    let scale = by as f64;
    Axis { first: axis.first / by, end: axis.end.div_ceil(by), start: axis.start / scale, length: axis.length / scale, ..axis }
}

/// Gives a mixer the rows of some planes, of which there are so many times fewer than of luma.
fn feed<const N: usize>(
    mixer: &mut Mixer,
    band: &Band<'_>,
    which: [usize; N],
    fewer: usize,
    mut done: impl FnMut(&[[i16; 4]]),
) {
    let planes = which.map(|plane| band.planes.get(plane).copied().unwrap_or(crate::imaging::planes::Plane::NONE));
    let rows = planes.first().map_or(0, |plane| plane.rows);
    let left = mixer.columns().start;
    for line in 0..rows {
        if band.top as usize / fewer + line == mixer.next() && !mixer.is_done() {
            let fill = |row: &mut std::slice::ChunksExactMut<'_, i16>| {
                for (plane, to) in planes.iter().zip(row) {
                    convert::grey(plane.row(line, left), to, &Light::Gamma);
                }
            };
            mixer.take(fill, &mut done);
        }
    }
}
