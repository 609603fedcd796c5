//! JPEG of the kind that nearly all are: baseline, or extended sequential, by Huffman codes and in one scan (ITU-T T.81); grey, or
//! luma and chroma. It is decoded row of MCUs by row, at 8, 4, 2 or 1 eighths of its size. What is of another kind is left to others.
//!
//! ```text
//!   header     tables, sizes       bits ─▶ block ─▶ component ─▶ idct, simd ─▶ a band of rows
//!                                  0, 1    huffman  blocks in pairs            of each plane
//! ```

mod bits;
mod block;
mod component;
mod header;
mod huffman;
mod idct;
#[cfg(target_arch = "x86_64")]
mod simd;

#[cfg(test)]
mod tests;

use std::{ops::Range, sync::Arc};

use self::{
    bits::Bits,
    component::{Component, Layout},
    header::{BLOCK, Header},
    huffman::Tables,
    idct::{Kernel, Portable},
};
use super::broken;
use crate::{
    domain::format::Format,
    imaging::{
        control::{Control, Failure},
        planes::{Band, Part, Plane, Planes, Shape},
    },
};

/// The bands of a picture while it is decoded.
pub(in crate::imaging) struct Baseline<'a> {
    control: &'a Control,
    bits: Bits<'a>,
    components: Vec<Component>,
    shape: Shape,
    /// The size of the picture in samples of luma, as it is decoded.
    size: (u32, u32),
    /// Samples of a block, across and down: 8, 4, 2 or 1.
    block: usize,
    /// The planes of a band, one after the other.
    samples: Vec<u8>,
    /// MCUs across.
    across: usize,
    /// Rows of MCUs of a band.
    rows: usize,
    /// The row of MCUs that comes next.
    next: usize,
    /// MCUs of a row, and rows of them, that are wanted. Rows begin with a band.
    wanted: [Range<usize>; 2],
    restart: Restart,
    #[cfg(target_arch = "x86_64")]
    avx2: Option<simd::Avx2>,
}

/// Where restarts are.
struct Restart {
    /// MCUs between two; zero where there are none.
    interval: u32,
    /// MCUs since the last one.
    since: u32,
    /// Restarts so far.
    count: u32,
}

/// Begins to decode a part of a picture. `None` if the file is of another kind, has a damaged header, or lacks an end; and at full
/// size if the processor lacks AVX2: then libjpeg-turbo is quicker, which gives the same.
pub(in crate::imaging) fn open<'a>(
    input: &'a [u8],
    part: &Part,
    control: &'a Control,
) -> Option<Baseline<'a>> {
    begin(input, part, control).filter(|decoder| decoder.block < BLOCK || decoder.has_vectors())
}

/// The same on any processor.
fn begin<'a>(input: &'a [u8], part: &Part, control: &'a Control) -> Option<Baseline<'a>> {
    let block = usize::try_from(part.eighths).ok().filter(|block| [8, 4, 2, 1].contains(block))?;
    let header = header::read(input)?;
    let [wide, high] = header.components.first()?.blocks;
    let shape = match header.components.as_slice() {
        [_] => Shape::Grey,
        _ => Shape::Color { across: wide, down: high },
    };
    let scaled = |length: u32| (length * part.eighths).div_ceil(8);
    let size @ (width, height) = (scaled(header.width), scaled(header.height));
    let [mcu_width, mcu_height] = [wide * block, high * block];
    let [across, down] =
        [(width as usize).div_ceil(mcu_width), (height as usize).div_ceil(mcu_height)];
    // The fewest that make a multiple of eight rows.
    let rows = (BLOCK / mcu_height).max(1);
    let band = rows * mcu_height;
    let within = |range: &Range<u32>, end: u32, length: usize| {
        let (start, end) = (range.start as usize, range.end.min(end) as usize);
        if start < end { start / length..end.div_ceil(length) } else { 0..0 }
    };
    let bands = within(&part.rows, height, band);
    let wanted =
        [within(&part.columns, width, mcu_width), bands.start * rows..(bands.end * rows).min(down)];
    // Single coefficients are passed over in the smallest blocks, and outside of what is wanted.
    let passes = block <= 2 || wanted != [0..across, 0..down];
    let (components, samples) = components(&header, block, across, rows, size, passes)?;
    Some(Baseline {
        control,
        bits: Bits::new(header.scan),
        components,
        shape,
        size,
        block,
        samples: vec![0; samples],
        across,
        rows,
        next: 0,
        wanted,
        restart: Restart { interval: header.restart, since: 0, count: 0 },
        #[cfg(target_arch = "x86_64")]
        avx2: simd::Avx2::detect(),
    })
}

/// The components, and how many samples a band of them has.
fn components(
    header: &Header<'_>,
    block: usize,
    across: usize,
    rows: usize,
    (width, height): (u32, u32),
    passes: bool,
) -> Option<(Vec<Component>, usize)> {
    let [widest, highest] = header.components.first()?.blocks;
    let mut components = Vec::<Component>::with_capacity(header.components.len());
    let mut start = 0;
    for component in &header.components {
        let [wide, high] = component.blocks;
        let stride = across * wide * block + Plane::SLACK;
        let layout = Layout {
            start,
            stride,
            width: (width as usize * wide).div_ceil(widest),
            height: (height as usize * high).div_ceil(highest),
        };
        start += rows * high * block * stride;
        // Chroma, both, is mostly coded by the same tables.
        let mut others = header.components.iter().zip(&components);
        let same = others.find(|(other, _)| other.dc == component.dc && other.ac == component.ac);
        let tables = match same {
            Some((_, other)) => Arc::clone(&other.coding.tables),
            None => Arc::new(Tables::new(&component.dc, &component.ac, passes)?),
        };
        components.push(Component::new(tables, component, layout));
    }
    Some((components, start))
}

impl Planes for Baseline<'_> {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn next(&mut self) -> Result<Option<Band<'_>>, Failure> {
        let [columns, rows] = self.wanted.clone();
        if columns.is_empty() || rows.is_empty() {
            return Ok(None);
        }
        while self.next < rows.start {
            self.row(0, 0..0)?;
        }
        if self.next >= rows.end {
            return Ok(None);
        }
        let first = self.next;
        for row in 0..self.rows.min(rows.end - first) {
            self.row(row, columns.clone())?;
        }
        Ok(Some(self.band(first)))
    }
}

impl Baseline<'_> {
    /// Width and height in samples of luma, as it is decoded.
    pub(in crate::imaging) const fn size(&self) -> (u32, u32) {
        self.size
    }

    /// Whether blocks are transformed by vectors.
    const fn has_vectors(&self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return self.avx2.is_some();
        #[cfg(not(target_arch = "x86_64"))]
        return false;
    }

    /// What was decoded of the rows of MCUs from a given one on.
    fn band(&self, first: usize) -> Band<'_> {
        let mut planes = [Plane::NONE; 3];
        let mut tops = [0; 3];
        for ((plane, top), component) in planes.iter_mut().zip(&mut tops).zip(&self.components) {
            let Layout { start, stride, width, height } = component.layout;
            let [_, down] = component.blocks;
            let lines = self.rows * down * self.block;
            let samples = self.samples.get(start..start + lines * stride).unwrap_or_default();
            *top = first * down * self.block;
            *plane = Plane { samples, stride, width, rows: lines.min(height - *top) };
        }
        let [top, ..] = tops;
        Band { top: u32::try_from(top).unwrap_or_default(), planes }
    }

    /// Decodes the next row of MCUs to the given one of the band. Of those that aren't wanted only what the others need is read.
    fn row(&mut self, row: usize, wanted: Range<usize>) -> Result<(), Failure> {
        self.control.check()?;
        self.next += 1;
        #[cfg(target_arch = "x86_64")]
        let done = match self.avx2 {
            Some(avx2) => avx2.row(self, row, wanted),
            None => self.mcus(Portable, row, wanted),
        };
        #[cfg(not(target_arch = "x86_64"))]
        let done = self.mcus(Portable, row, wanted);
        Ok(done.ok_or_else(|| {
            broken(Format::Jpeg, "a code or a marker is wrong, or data is missing")
        })?)
    }

    #[inline(always)]
    fn mcus(&mut self, kernel: impl Kernel, row: usize, wanted: Range<usize>) -> Option<()> {
        match self.block {
            8 => self.mcus_of::<8>(kernel, row, wanted),
            4 => self.mcus_of::<4>(kernel, row, wanted),
            2 => self.mcus_of::<2>(kernel, row, wanted),
            _ => self.mcus_of::<1>(kernel, row, wanted),
        }
    }

    /// `None` if the data is damaged.
    #[inline(always)]
    fn mcus_of<const SIZE: usize>(
        &mut self,
        kernel: impl Kernel,
        row: usize,
        wanted: Range<usize>,
    ) -> Option<()> {
        for mcu in 0..self.across {
            if self.restart.interval > 0 && self.restart.since == self.restart.interval {
                self.restart()?;
            }
            self.restart.since += 1;
            let is_wanted = wanted.contains(&mcu);
            let (mut at, piece) = self.bits.mcu();
            for component in &mut self.components {
                let [wide, high] = component.blocks;
                let Layout { start, stride, .. } = component.layout;
                let mut line = start + (row * high * stride + mcu * wide) * SIZE;
                for _ in 0..high {
                    for x in 0..wide {
                        if is_wanted {
                            let (samples, place) = (&mut self.samples, line + x * SIZE);
                            component.read::<SIZE>(kernel, &mut at, piece, samples, place)?;
                        } else {
                            component.coding.read_dc(&mut at, piece)?;
                        }
                    }
                    line += stride * SIZE;
                }
            }
            self.bits.go_on(at)?;
        }
        for component in &mut self.components {
            component.flush::<SIZE>(kernel, &mut self.samples);
        }
        Some(())
    }

    /// F.2.1.3.1: after the marker, DC begins with zero again. `None` if there is none.
    #[cold]
    fn restart(&mut self) -> Option<()> {
        self.bits.restart(self.restart.count)?;
        self.restart.count = self.restart.count.wrapping_add(1);
        self.restart.since = 0;
        for component in &mut self.components {
            component.coding.before = 0;
        }
        Some(())
    }
}
