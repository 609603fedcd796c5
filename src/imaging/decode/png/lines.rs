//! The rows of a PNG of eight bits a sample, one by one, with its checksums: nothing but a few rows is held.

use std::iter;

use png::{BitDepth, ColorType};

use super::{
    Meaning, broken,
    chunks::Chunks,
    inflate::Inflate,
    meaning, opened,
    unfilter::{Filter, Pixel, ROWS, undo},
};
use crate::{
    domain::format::Format,
    imaging::{
        control::{Control, Failure},
        rows::Rows,
    },
};

/// Bytes that are inflated at a time, about: what is to be repeated from before is found quickest where it is still in place.
const INFLATED: usize = 256 << 10;

/// A PNG that is unpacked.
pub(in crate::imaging) struct Lines<'a> {
    /// Rows as they were stored, each behind the byte that names its filter.
    inflate: Inflate<'a>,
    size: (u32, u32),
    kind: Kind,
    /// How many rows are inflated together: a multiple of those that are undone together.
    batch: u32,
    /// The last of the rows before them, as it was stored.
    above: Vec<Pixel>,
    /// What they became.
    rows: Vec<Pixel>,
    /// Rows that were handed over.
    row: u32,
    /// Whether all of the file was read.
    is_whole: bool,
    control: &'a Control,
}

impl<'a> Lines<'a> {
    /// Begins with a file that was probed, and says what its colours mean: rows are in them. Of an APNG it is the picture for viewers
    /// that know no animations. `None` where only all of the picture can be decoded: interlaced, or of other than eight bits a sample.
    pub(in crate::imaging) fn of(
        file: &'a [u8],
        control: &'a Control,
    ) -> Result<Option<(Self, Meaning)>, Failure> {
        let reader = opened(file, control)?;
        let info = reader.info();
        if info.interlaced || info.bit_depth != BitDepth::Eight {
            return Ok(None);
        }
        let (width, kind) = (info.width as usize, Kind::of(info));
        let length = width * kind.samples() + 1;
        // Not more than there are, but for the last few.
        let batch = (INFLATED / length).clamp(1, info.height as usize).next_multiple_of(ROWS);
        let lines = Self {
            // What follows a small picture may be much.
            inflate: Inflate::new(Chunks::of(file), INFLATED.max(length * batch)),
            size: (info.width, info.height),
            kind,
            batch: u32::try_from(batch).unwrap_or(u32::MAX),
            above: vec![[0; 4]; width],
            rows: vec![[0; 4]; width * ROWS],
            row: 0,
            is_whole: false,
            control,
        };
        Ok(Some((lines, meaning(info)?)))
    }

    /// Unpacks the next rows, if there are any left.
    fn unpack(&mut self) -> Result<(), Failure> {
        self.control.check()?;
        let length = self.above.len() * self.kind.samples() + 1;
        if self.row.is_multiple_of(self.batch) {
            let wanted = length * self.batch.min(self.size.1 - self.row) as usize;
            if self.inflate.unpack(wanted).map_err(damaged)? < wanted {
                return Err(damaged("rows are missing"));
            }
        }
        let index = (self.row % self.batch) as usize;
        let mut left = self.inflate.unpacked().chunks_exact(length).skip(index).peekable();
        // Below the last row is the first once more: it is undone, and not handed over.
        let first = left.peek().copied().unwrap_or_default();
        let (mut filters, mut stored) = ([Filter::None; ROWS], [first; ROWS]);
        let all = left.chain(iter::repeat(first));
        for ((filter, stored), row) in filters.iter_mut().zip(&mut stored).zip(all) {
            if let [name, samples @ ..] = row {
                *filter = Filter::of(*name).ok_or_else(|| damaged("there is no such filter"))?;
                *stored = samples;
            }
        }
        let (above, rows) = (&mut self.above, &mut self.rows);
        match self.kind.samples() {
            1 => undo::<1>(filters, stored, above, rows),
            2 => undo::<2>(filters, stored, above, rows),
            3 => undo::<3>(filters, stored, above, rows),
            _ => undo::<4>(filters, stored, above, rows),
        }
        let last = above.len() * (ROWS - 1);
        above.copy_from_slice(rows.get(last..).unwrap_or_default());
        self.kind.finish(rows);
        Ok(())
    }

    /// Looks at what follows the pixels: the checksum of all, and the chunks up to the last.
    fn finish(&mut self) -> Result<(), Failure> {
        // More rows than there are: nobody sees them.
        while self.inflate.unpack(INFLATED).map_err(damaged)? > 0 {
            self.control.check()?;
        }
        let chunks = self.inflate.chunks();
        while chunks.next().map_err(damaged)?.0 != *b"IEND" {}
        self.is_whole = true;
        Ok(())
    }
}

impl Rows for Lines<'_> {
    fn size(&self) -> (u32, u32) {
        self.size
    }

    fn has_alpha(&self) -> bool {
        self.kind.has_alpha()
    }

    fn next(&mut self) -> Result<Option<&[u8]>, Failure> {
        if self.row == self.size.1 {
            if !self.is_whole {
                self.finish()?;
            }
            return Ok(None);
        }
        let index = self.row as usize % ROWS;
        if index == 0 {
            self.unpack()?;
        }
        self.row += 1;
        let row = self.rows.chunks_exact(self.above.len()).nth(index);
        Ok(row.map(|row| row.as_flattened()))
    }
}

fn damaged(cause: &str) -> Failure {
    broken(Format::Png, cause).into()
}

/// What the samples of a pixel are.
enum Kind {
    /// Grey, of which one may mean transparent.
    Grey(Option<u8>),
    GreyAlpha,
    /// Red, green and blue; one colour may mean transparent.
    Color(Option<[u8; 3]>),
    ColorAlpha,
    /// The place of a colour in the palette.
    Palette {
        colors: Box<[Pixel; 256]>,
        has_alpha: bool,
    },
}

impl Kind {
    fn of(info: &png::Info<'_>) -> Self {
        let transparent = info.trns.as_deref();
        match info.color_type {
            // Of the two bytes in which those that mean transparent are stored, the `png` crate leaves the one that counts.
            ColorType::Grayscale => Self::Grey(match transparent {
                Some([grey, ..]) => Some(*grey),
                _ => None,
            }),
            ColorType::GrayscaleAlpha => Self::GreyAlpha,
            ColorType::Rgb => Self::Color(match transparent {
                Some([red, green, blue, ..]) => Some([*red, *green, *blue]),
                _ => None,
            }),
            ColorType::Rgba => Self::ColorAlpha,
            ColorType::Indexed => {
                let mut colors = Box::new([[0, 0, 0, 255]; 256]);
                let stored = info.palette.as_deref().unwrap_or_default().as_chunks::<3>().0;
                for (color, [red, green, blue]) in colors.iter_mut().zip(stored) {
                    *color = [*red, *green, *blue, 255];
                }
                for ([.., alpha], stored) in colors.iter_mut().zip(transparent.unwrap_or_default())
                {
                    *alpha = *stored;
                }
                Self::Palette { colors, has_alpha: transparent.is_some() }
            }
        }
    }

    const fn samples(&self) -> usize {
        match self {
            Self::Grey(_) | Self::Palette { .. } => 1,
            Self::GreyAlpha => 2,
            Self::Color(_) => 3,
            Self::ColorAlpha => 4,
        }
    }

    const fn has_alpha(&self) -> bool {
        match self {
            Self::Grey(transparent) => transparent.is_some(),
            Self::Color(transparent) => transparent.is_some(),
            Self::GreyAlpha | Self::ColorAlpha => true,
            Self::Palette { has_alpha, .. } => *has_alpha,
        }
    }

    /// Makes RGBA of samples.
    fn finish(&self, pixels: &mut [Pixel]) {
        match self {
            Self::ColorAlpha => {}
            Self::Color(None) => pixels.iter_mut().for_each(|[.., alpha]| *alpha = 255),
            Self::Color(Some(transparent)) => {
                for pixel in pixels {
                    let [red, green, blue, alpha] = pixel;
                    *alpha = if [*red, *green, *blue] == *transparent { 0 } else { 255 };
                }
            }
            Self::Grey(transparent) => {
                for pixel in pixels {
                    let [grey, ..] = *pixel;
                    let alpha = if *transparent == Some(grey) { 0 } else { 255 };
                    *pixel = [grey, grey, grey, alpha];
                }
            }
            Self::GreyAlpha => {
                for pixel in pixels {
                    let [grey, alpha, ..] = *pixel;
                    *pixel = [grey, grey, grey, alpha];
                }
            }
            Self::Palette { colors, .. } => {
                for pixel in pixels {
                    let [place, ..] = *pixel;
                    *pixel = colors.get(usize::from(place)).copied().unwrap_or_default();
                }
            }
        }
    }
}
