//! Making a picture smaller while it is decoded, by rows or by planes: what all formats that can have in common.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use super::{
    Decoded, Wanted, avif, corrupt, jpeg,
    meaning::{Meaning, Mixed},
    png, webp,
};
use crate::{
    domain::{format::Format, limits::Limits},
    imaging::{
        color::ToSrgb,
        control::{Control, Failure},
        picture::{Picture, Pixels},
        planes::{Band, Planes, Shape},
        probe::Probe,
        reduce::{Detail, Light, Reducer, Reduction},
        rows::Rows,
    },
};

/// A picture that is made smaller while it is decoded; `reduction` is of the picture as it is stored. `None` where only all of
/// it can be decoded.
pub(super) fn reduce(
    input: &[u8],
    probe: &Probe,
    reduction: &Reduction,
    wanted: Wanted,
    limits: &Limits,
    control: &Control,
) -> Result<Option<Decoded>, Failure> {
    let (width, height) = (probe.width, probe.height);
    let size = if probe.orientation > 4 { (height, width) } else { (width, height) };
    let mixing = Cell::default();
    let reducing = Reducing { size, reduction, wanted, control, mixing: &mixing };
    let by_rows = |picture| (picture, BY_ROWS.to_owned());
    let (picture, how) = match probe.format {
        Format::Jpeg => jpeg::reduce(input, &reducing)?,
        Format::Png => {
            let Some((mut rows, meaning)) = png::Lines::of(input, control)? else {
                return Ok(None);
            };
            reducing.rows(&mut rows, Detail::ALL, &meaning).map(by_rows)?
        }
        Format::Webp => {
            let meaning = Meaning::of(webp::icc(input));
            let mut rows = webp::Lines::of(input, limits, control)?;
            reducing.rows(&mut rows, Detail::ALL, &meaning).map(by_rows)?
        }
        Format::Avif => avif::reduce(input, &reducing, limits).map(by_rows)?,
        _ => return Ok(None),
    };
    Ok(Some(Decoded { picture, how, is_early: true, mixing: mixing.get() }))
}

/// What is wanted, for all that is left to do once there are rows.
pub(super) struct Reducing<'a> {
    /// The size that the header gave, as it is stored.
    size: (u32, u32),
    pub reduction: &'a Reduction,
    pub wanted: Wanted,
    pub control: &'a Control,
    /// Takes how much of the time nothing was decoded.
    mixing: &'a Cell<Duration>,
}

impl Reducing<'_> {
    /// Whether what a decoder hands over, of which `detail` is left, is of the size that the plan was made for.
    pub(super) fn check(&self, size: (u32, u32), detail: Detail) -> Result<(), Failure> {
        let scaled = |side: u32| (u64::from(side) * u64::from(detail.eighths)).div_ceil(8);
        let (width, height) = self.size;
        if (u64::from(size.0), u64::from(size.1)) == (scaled(width), scaled(height)) {
            Ok(())
        } else {
            Err(corrupt("the pixels are not of the size that the header says").into())
        }
    }

    /// Of rows, of which `detail` is left.
    pub(super) fn rows(
        &self,
        rows: &mut dyn Rows,
        detail: Detail,
        meaning: &Meaning,
    ) -> Result<Picture, Failure> {
        self.check(rows.size(), detail)?;
        let has_alpha = rows.has_alpha();
        let rows = &mut Timed::new(rows);
        let reducer = Reducer::new(self.reduction, detail);
        let (mut pixels, meaning) = match meaning.mixed(self.wanted) {
            Mixed::AsTheyAre(light) => (reducer.rows(rows, &light, self.control)?, meaning),
            Mixed::InSrgb(to_srgb) => {
                let mut rows = Converted { rows, to_srgb, row: Vec::new() };
                (reducer.rows(&mut rows, &Light::Srgb, self.control)?, &Meaning::Srgb)
            }
        };
        self.mixing.set(rows.between());
        let icc = meaning.settle(&mut pixels, self.wanted, self.control)?;
        Ok(Picture { icc, ..Picture::still(Pixels::Eight(pixels), has_alpha) })
    }

    /// Of planes that were asked for what `reducer` needs. Only where pixels can be mixed as they are.
    pub(super) fn planes(
        &self,
        planes: &mut dyn Planes,
        reducer: Reducer,
        light: &Light,
        meaning: &Meaning,
    ) -> Result<Picture, Failure> {
        let mut planes = Timed::new(planes);
        let mut pixels = reducer.planes(&mut planes, light, self.control)?;
        self.mixing.set(planes.between());
        let icc = meaning.settle(&mut pixels, self.wanted, self.control)?;
        Ok(Picture { icc, ..Picture::still(Pixels::Eight(pixels), false) })
    }
}

/// A decoder that is timed.
struct Timed<'d, D: ?Sized> {
    decoder: &'d mut D,
    begun: Instant,
    decoding: Duration,
}

impl<'d, D: ?Sized> Timed<'d, D> {
    fn new(decoder: &'d mut D) -> Self {
        Self { decoder, begun: Instant::now(), decoding: Duration::ZERO }
    }

    /// What passed since while it was not decoding, here: mixing on another thread costs only what it is waited for.
    fn between(&self) -> Duration {
        self.begun.elapsed().saturating_sub(self.decoding)
    }
}

impl Rows for Timed<'_, dyn Rows + '_> {
    fn size(&self) -> (u32, u32) {
        self.decoder.size()
    }

    fn has_alpha(&self) -> bool {
        self.decoder.has_alpha()
    }

    fn is_decoded(&self) -> bool {
        self.decoder.is_decoded()
    }

    fn next(&mut self) -> Result<Option<&[u8]>, Failure> {
        let begun = Instant::now();
        let row = self.decoder.next();
        self.decoding += begun.elapsed();
        row
    }
}

impl Planes for Timed<'_, dyn Planes + '_> {
    fn shape(&self) -> Shape {
        self.decoder.shape()
    }

    fn next(&mut self) -> Result<Option<Band<'_>>, Failure> {
        let begun = Instant::now();
        let band = self.decoder.next();
        self.decoding += begun.elapsed();
        band
    }
}

/// Rows that are brought to sRGB.
struct Converted<'r> {
    rows: &'r mut dyn Rows,
    to_srgb: ToSrgb,
    row: Vec<u8>,
}

impl Rows for Converted<'_> {
    fn size(&self) -> (u32, u32) {
        self.rows.size()
    }

    fn has_alpha(&self) -> bool {
        self.rows.has_alpha()
    }

    fn next(&mut self) -> Result<Option<&[u8]>, Failure> {
        let Some(row) = self.rows.next()? else { return Ok(None) };
        self.row.resize(row.len(), 0);
        self.to_srgb.convert(row, &mut self.row);
        Ok(Some(&self.row))
    }
}

/// How pictures that are in no planes are read.
const BY_ROWS: &str = "row by row";

/// How a picture is made smaller while it is decoded, as far as its headers tell.
pub(in crate::imaging) fn how(probe: &Probe, reduction: Reduction) -> String {
    match probe.format {
        Format::Jpeg => {
            let reduction = reduction.stored(probe.orientation, (probe.width, probe.height));
            jpeg::explain(&reduction, jpeg::detail(&reduction), None)
        }
        _ => BY_ROWS.to_owned(),
    }
}

/// What that takes: bytes beside the result, and nanoseconds for each pixel of the file, and for each of the result.
pub(in crate::imaging) fn cost(probe: &Probe, reduction: &Reduction) -> (u64, [u64; 2]) {
    let reduction = reduction.stored(probe.orientation, (probe.width, probe.height));
    let pixels = u64::from(probe.width) * u64::from(probe.height);
    let side = u64::from(probe.width.max(probe.height));
    let (detail, beside, nanoseconds) = match probe.format {
        Format::Jpeg => {
            let detail = jpeg::detail(&reduction);
            // Of a file in several scans all coefficients are kept, of two bytes, for three channels. Else some rows of each.
            let (coefficients, nanoseconds) = match (probe.in_passes, detail.eighths) {
                (true, _) => (pixels * 6, 12),
                (false, 8) => (0, 5),
                (false, _) => (0, 2),
            };
            (detail, coefficients + side * 128, nanoseconds)
        }
        // Rows as they are inflated, a few at a time.
        Format::Png => (Detail::ALL, side * 128 + (1 << 20), 10),
        // All of the pixels, as they are packed and unpacked, and alpha once more.
        Format::Webp => (Detail::ALL, pixels * 9 + side * 128, 12),
        // Planes, and what dav1d predicts from; deeper ones it keeps more of.
        _ => {
            let plane = if probe.depth > 8 { 20 } else { 8 };
            (Detail::ALL, pixels * plane + side * 256, 12)
        }
    };
    (beside + reduction.held(detail) + (1 << 20), [nanoseconds, 10])
}
