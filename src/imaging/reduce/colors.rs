//! Planes of luma and chroma become colours of light, and those are mixed.

use std::slice::ChunksExactMut;

use super::{
    Light, Reducer,
    beside::beside,
    convert::{self, Row},
    lanes::LANES,
    mixer::Mixer,
    paint::Paint,
    too_few,
};
use crate::imaging::{
    control::{Control, Failure},
    picture::Raster,
    planes::{Band, Plane, Planes, Shape},
    threads::LARGE,
};

/// Reduces what a decoder hands over.
pub(super) fn reduce(
    reducer: Reducer,
    source: &mut dyn Planes,
    light: &Light,
    control: &Control,
) -> Result<Raster<u8>, Failure> {
    let is_large = reducer.pixels() >= LARGE;
    let shape = source.shape();
    let step = reducer.detail.step();
    let mut bands =
        Bands { source, step, end: reducer.kernels.rows().end, is_last: false, control };
    let mut mixing = Mixing::new(reducer, shape, light);
    loop {
        let lent = if is_large { control.threads.lend() } else { None };
        let is_more = if let Some(lent) = lent {
            let copy = |copy: &mut Copied| Ok(bands.next()?.map(|band| copy.take(&band)).is_some());
            beside(&lent, copy, |copy| mixing.band(&copy.band()))?
        } else {
            bands.next()?.map(|band| mixing.band(&band)).is_some()
        };
        if !is_more {
            return mixing.finish();
        }
    }
}

/// The bands that count.
struct Bands<'s> {
    source: &'s mut dyn Planes,
    /// How many rows become one before they are mixed.
    step: usize,
    /// How many rows there are, at that step, with the last one that counts.
    end: usize,
    is_last: bool,
    control: &'s Control,
}

impl Bands<'_> {
    /// The next one. After the last one that counts the decoder is not asked any more.
    fn next(&mut self) -> Result<Option<Band<'_>>, Failure> {
        if self.is_last {
            return Ok(None);
        }
        let band = self.source.next()?;
        self.control.check()?;
        if let Some(Band { top, planes: [luma, ..] }) = &band {
            self.is_last = (*top as usize + luma.rows).div_ceil(self.step) >= self.end;
        }
        Ok(band)
    }
}

/// A band that is kept while the next one is decoded.
#[derive(Default)]
struct Copied {
    top: u32,
    samples: Vec<u8>,
    /// Samples from one row to the next, the picture's samples of a row, and rows; of each plane.
    planes: [[usize; 3]; 3],
}

impl Copied {
    /// Keeps that band.
    fn take(&mut self, band: &Band<'_>) {
        self.top = band.top;
        self.samples.clear();
        for (kept, Plane { samples, stride, width, rows }) in
            self.planes.iter_mut().zip(band.planes)
        {
            *kept = [stride, width, rows];
            self.samples.extend_from_slice(samples.get(..stride * rows).unwrap_or_default());
        }
    }

    /// What is kept.
    fn band(&self) -> Band<'_> {
        let mut left = self.samples.as_slice();
        let planes = self.planes.map(|[stride, width, rows]| {
            let (samples, rest) = left.split_at_checked(stride * rows).unwrap_or_default();
            left = rest;
            Plane { samples, stride, width, rows }
        });
        Band { top: self.top, planes }
    }
}

/// A picture of which bands are mixed.
struct Mixing<'l> {
    mixer: Mixer,
    lighter: Lighter<'l>,
    paint: Paint,
    is_grey: bool,
    step: usize,
}

impl<'l> Mixing<'l> {
    fn new(reducer: Reducer, shape: Shape, light: &'l Light) -> Self {
        let is_grey = shape == Shape::Grey;
        let step = reducer.detail.step();
        let paint = Paint::new(reducer.size, light);
        let mixer = Mixer::new(reducer.kernels, if is_grey { 1 } else { 3 });
        let columns = mixer.columns();
        let lighter = Lighter {
            left: columns.start * step,
            count: columns.len(),
            shape,
            light,
            is_averaged: step == 2,
            full: Default::default(),
        };
        Self { mixer, lighter, paint, is_grey, step }
    }

    /// Mixes the next band.
    fn band(&mut self, band: &Band<'_>) {
        let Self { mixer, lighter, paint, .. } = self;
        let rows = band.planes.first().map_or(0, |luma| luma.rows);
        for line in (0..rows).step_by(self.step) {
            if (band.top as usize + line) / self.step == mixer.next() && !mixer.is_done() {
                mixer.take(
                    |row| lighter.light(band, line, row),
                    |lights| if self.is_grey { paint.grey(lights) } else { paint.opaque(lights) },
                );
            }
        }
    }

    /// The picture.
    fn finish(self) -> Result<Raster<u8>, Failure> {
        if self.mixer.is_done() { Ok(self.paint.finish()) } else { Err(too_few()) }
    }
}

/// Makes light of rows.
struct Lighter<'l> {
    /// The first sample of luma that counts.
    left: usize,
    /// How many pixels of light are wanted.
    count: usize,
    shape: Shape,
    light: &'l Light,
    is_averaged: bool,
    /// Two rows at full size, channel by channel, that are averaged.
    full: [Vec<i16>; 2],
}

impl Lighter<'_> {
    /// Fills the channels of a row by that line of the band; where two by two pixels are averaged, by that and the next one.
    fn light(&mut self, band: &Band<'_>, line: usize, row: &mut ChunksExactMut<'_, i16>) {
        let [luma, blue, red] = band.planes;
        // Below the last line of the picture there is the same once more.
        let below = if line + 1 < luma.rows { line + 1 } else { line };
        if !self.is_averaged {
            self.whole(band, line, row);
        } else if self.shape == (Shape::Color { across: 2, down: 2 }) {
            let Some(colors) = three(row) else { return };
            let (left, half) = (self.left, line / 2);
            let chroma = left / 2;
            let (upper, lower) = (luma.row(line, left), luma.row(below, left));
            let samples =
                Row { luma: upper, blue: blue.row(half, chroma), red: red.row(half, chroma) };
            self.halved(samples, lower, luma.width.saturating_sub(left), colors);
        } else {
            self.averaged(band, [line, below], row);
        }
    }

    /// Two lines of luma and one of chroma, of which `width` samples of luma are the picture's.
    fn halved(
        &self,
        row: Row<'_>,
        lower: &[u8],
        width: usize,
        [reds, greens, blues]: convert::Colors<'_>,
    ) {
        let light = self.light;
        let pairs = (width / 2).min(self.count);
        convert::halved(row, lower, [&mut *reds, &mut *greens, &mut *blues], light);
        if pairs == self.count {
            return;
        }
        // The last column is alone. It is done again, with the same column once more beside it.
        let block = pairs / LANES * LANES;
        let twice = |samples: &[u8]| {
            let mut some = [0; 2 * LANES];
            for (place, sample) in
                some.iter_mut().zip(samples.get(block * 2..width).unwrap_or_default())
            {
                *place = *sample;
            }
            if let Some([last, beside]) = some.get_mut(width - 1 - block * 2..=width - block * 2) {
                *beside = *last;
            }
            some
        };
        let (upper, lower) = (twice(row.luma), twice(lower));
        let rest = |samples: &'_ [u8]| -> Vec<u8> {
            samples.get(block..block + LANES).unwrap_or_default().to_vec()
        };
        let (blue, red) = (rest(row.blue), rest(row.red));
        let row = Row { luma: &upper, blue: &blue, red: &red };
        if let (Some(reds), Some(greens), Some(blues)) =
            (reds.get_mut(block..), greens.get_mut(block..), blues.get_mut(block..))
        {
            convert::halved(row, &lower, [reds, greens, blues], light);
        }
    }

    /// A line as it is.
    fn whole(&self, band: &Band<'_>, line: usize, row: &mut ChunksExactMut<'_, i16>) {
        let [luma, blue, red] = band.planes;
        let samples = luma.row(line, self.left);
        let Shape::Color { across, down } = self.shape else {
            if let Some(to) = row.next() {
                convert::grey(samples, to, self.light);
            }
            return;
        };
        let (left, half) = (self.left / across, line / down);
        let samples = Row { luma: samples, blue: blue.row(half, left), red: red.row(half, left) };
        let Some(colors) = three(row) else { return };
        match across {
            1 => convert::same(samples, colors, self.light),
            _ => convert::doubled(samples, colors, self.light),
        }
    }

    /// Two lines, made light of and then averaged.
    fn averaged(&mut self, band: &Band<'_>, lines: [usize; 2], row: &mut ChunksExactMut<'_, i16>) {
        let width = band.planes.first().map_or(0, |luma| luma.width.saturating_sub(self.left));
        let stride = (self.count * 2).next_multiple_of(2 * LANES) + 2 * LANES;
        let channels = row.len();
        let mut full = std::mem::take(&mut self.full);
        for (full, line) in full.iter_mut().zip(lines) {
            full.resize(stride * channels, 0);
            self.whole(band, line, &mut full.chunks_exact_mut(stride));
            for channel in full.chunks_exact_mut(stride) {
                // The last column is alone: the same stands beside it.
                if let Some(last) = width.checked_sub(1)
                    && let Some([last, beside]) = channel.get_mut(last..=width)
                {
                    *beside = *last;
                }
            }
        }
        let [upper, lower] = &full;
        for ((to, upper), lower) in
            row.zip(upper.chunks_exact(stride)).zip(lower.chunks_exact(stride))
        {
            convert::averaged(upper, lower, to);
        }
        self.full = full;
    }
}

/// The three channels of a row.
fn three<'r>(row: &mut ChunksExactMut<'r, i16>) -> Option<convert::Colors<'r>> {
    Some([row.next()?, row.next()?, row.next()?])
}

impl<'a> Plane<'a> {
    /// A row from that sample on, with what may be read behind it.
    pub(super) fn row(&self, line: usize, from: usize) -> &'a [u8] {
        let start = line * self.stride;
        self.samples.get(start + from..start + self.stride).unwrap_or_default()
    }
}
