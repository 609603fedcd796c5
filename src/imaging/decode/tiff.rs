//! TIFF, and BigTIFF: unpacked by the tiff crate, and read here as what the file says the samples are.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use ::tiff::{
    TiffError,
    decoder::{Decoder, DecodingResult, Limits as Bounds},
    tags::Tag,
};

use super::{Wanted, broken, corrupt, memory, picture_of, settle};
use crate::{
    domain::{format::Format, limits::Limits},
    imaging::{
        color,
        control::{Control, Failure},
        picture::{Picture, Pixels, Raster},
        sample::Sample,
        tiff::{self, Alpha, Colors, Layout},
        watched::{ReadSeek, Watched},
    },
};

/// The longest single value: a colour profile.
const LONGEST: usize = 16 << 20;
/// The interpretation that the tiff crate unpacks without an opinion of its own.
const BLACK_IS_ZERO: u8 = 1;
const PHOTOMETRIC: u64 = 262;

pub(super) fn decode(
    input: &[u8],
    wanted: Wanted,
    limits: &Limits,
    control: &Control,
) -> Result<Picture, Failure> {
    let damaged = |cause: TiffError| broken(Format::Tiff, cause);
    let most = usize::try_from(memory(limits)).unwrap_or(usize::MAX);
    let mut bounds = Bounds::default();
    (bounds.decoding_buffer_size, bounds.intermediate_buffer_size) = (most, most);
    bounds.ifd_value_size = LONGEST;
    let mut whole = Cursor::new(input);
    let file: &mut dyn ReadSeek = &mut whole;
    let mut file = Decoder::new(file).map_err(damaged)?.with_limits(bounds.clone());
    let layout = tiff::layout(&mut file)?;
    let icc = file.get_tag_u8_vec(Tag::IccProfile).ok();
    let palette = match layout.colors {
        Colors::Palette => palette(&file.get_tag_u16_vec(Tag::ColorMap).map_err(damaged)?),
        _ => Vec::new(),
    };

    let masked = Masked::new(input).ok_or_else(|| corrupt("the TIFF has a broken directory"))?;
    let mut masked = Watched::new(masked, control);
    let file: &mut dyn ReadSeek = &mut masked;
    let mut file = Decoder::new(file).map_err(damaged)?.with_limits(bounds);
    let mut unpacked = DecodingResult::U8(Vec::new());
    let stored = file.read_image_to_buffer(&mut unpacked).map_err(damaged)?;
    let bytes = unpacked.as_buffer(0).byte_len();
    if bytes < stored.complete_len {
        return Err(broken(Format::Tiff, "more planes than there is room for").into());
    }
    let plane = stored.plane_stride.filter(|_| stored.planes > 1).map(usize::from);
    let (pixels, icc) = match unpacked {
        DecodingResult::U8(samples) => {
            let samples = if layout.bits < 8 { spread(&samples, &layout) } else { samples };
            let file = File { samples, plane, layout };
            file.pixels(&palette, icc.as_deref(), wanted, Pixels::Eight, control)?
        }
        DecodingResult::U16(samples) => {
            let file = File { samples, plane: plane.map(|bytes| bytes / 2), layout };
            file.pixels(&palette, icc.as_deref(), wanted, Pixels::Sixteen, control)?
        }
        _ => {
            return Err(broken(Format::Tiff, "samples of another kind than the header says").into());
        }
    };
    let pixels = match pixels {
        Pixels::Sixteen(_) if !wanted.sixteen => Pixels::Eight(pixels.eight().into_owned()),
        pixels => pixels,
    };
    Ok(Picture { icc, ..Picture::still(pixels, layout.alpha.is_some()) })
}

/// All samples of a picture, unpacked.
struct File<S> {
    samples: Vec<S>,
    /// From one plane to the next, where each channel has its own; else the samples of a pixel lie side by side.
    plane: Option<usize>,
    layout: Layout,
}

impl<S: Sample> File<S> {
    fn at(&self, pixel: usize, channel: usize) -> S {
        let place = match self.plane {
            Some(plane) => channel * plane + pixel,
            None => pixel * self.layout.samples + channel,
        };
        self.samples.get(place).copied().unwrap_or_default()
    }

    fn alpha(&self, pixel: usize) -> S {
        let channel = self.layout.colors.count();
        if self.layout.alpha.is_some() { self.at(pixel, channel) } else { S::max_value() }
    }

    /// A sample of a colour as it was before it was multiplied by alpha.
    fn straight(&self, pixel: usize, channel: usize) -> S {
        let sample = self.at(pixel, channel);
        let alpha = self.alpha(pixel);
        if self.layout.alpha != Some(Alpha::Associated) || alpha == S::max_value() {
            return sample;
        }
        S::nearest(sample.float() * S::FULL / alpha.float().max(1.0))
    }

    fn each<T: Sample>(
        &self,
        control: &Control,
        color: impl Fn(usize) -> [T; 4],
    ) -> Result<Vec<T>, Failure> {
        let (width, height) = (self.layout.width as usize, self.layout.height as usize);
        let mut colors = Vec::with_capacity(width * height * 4);
        for row in 0..height {
            control.check()?;
            colors.extend((row * width..(row + 1) * width).flat_map(&color));
        }
        Ok(colors)
    }

    /// The pixels, and the profile that their colours were left in.
    fn pixels(
        self,
        palette: &[[u8; 3]],
        icc: Option<&[u8]>,
        wanted: Wanted,
        wrap: fn(Raster<S>) -> Pixels,
        control: &Control,
    ) -> Result<(Pixels, Option<Vec<u8>>), Failure> {
        let Layout { width, height, colors, .. } = self.layout;
        if colors == Colors::Palette {
            let mut pixels = self.each(control, |pixel| {
                let color = palette.get(self.at(pixel, 0).index());
                let [red, green, blue] = color.copied().unwrap_or_default();
                let alpha = self.alpha(pixel).float() / S::FULL;
                [red, green, blue, u8::nearest(alpha * u8::FULL)]
            })?;
            let icc = settle(&mut pixels, icc, wanted, control)?;
            return Ok((Pixels::Eight(picture_of(width, height, pixels)?), icc));
        }
        let mut pixels = self.each(control, |pixel| {
            let sample = |channel| self.straight(pixel, channel);
            match colors {
                Colors::Grey { inverted } => {
                    let light = sample(0);
                    let light = if inverted { S::max_value() - light } else { light };
                    [light, light, light, self.alpha(pixel)]
                }
                Colors::YCbCr => {
                    let [red, green, blue] = color::from_ycbcr([0, 1, 2].map(sample));
                    [red, green, blue, self.alpha(pixel)]
                }
                Colors::Inks => [0, 1, 2, 3].map(sample),
                _ => [sample(0), sample(1), sample(2), self.alpha(pixel)],
            }
        })?;
        if colors == Colors::Inks {
            color::inks_to_srgb(&mut pixels, icc, control)?;
            for (index, [.., alpha]) in pixels.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                *alpha = self.alpha(index);
            }
        }
        drop(self);
        // Inks were brought into sRGB by their profile already.
        let icc = icc.filter(|_| colors != Colors::Inks);
        let icc = settle(&mut pixels, icc, wanted, control)?;
        Ok((wrap(picture_of(width, height, pixels)?), icc))
    }
}

/// Samples of less than eight bits, each in a byte of its own: light as much of full scale as it was, places as they are.
fn spread(bytes: &[u8], layout: &Layout) -> Vec<u8> {
    let (width, bits) = (layout.width as usize, usize::from(layout.bits));
    let most = (1_u8 << layout.bits) - 1;
    let scale = if layout.colors == Colors::Palette { 1 } else { 255 / most };
    let rows = bytes.chunks((width * bits).div_ceil(8));
    rows.flat_map(|row| {
        // The leftmost pixel is in the highest bits.
        let pixels = row
            .iter()
            .flat_map(|byte| (1..=8 / bits).map(move |place| (byte >> (8 - bits * place)) & most));
        pixels.take(width).map(|sample| sample * scale)
    })
    .collect()
}

/// The colours of a palette: all reds, then all greens, then all blues.
fn palette(map: &[u16]) -> Vec<[u8; 3]> {
    // Words are 257 times the byte, or 256 times; some writers take bytes for words.
    let are_bytes = map.iter().all(|sample| *sample < 256);
    let byte = |sample: &u16| {
        let [high, low] = sample.to_be_bytes();
        if are_bytes { low } else { high }
    };
    let (reds, rest) = map.split_at(map.len() / 3);
    let (greens, blues) = rest.split_at(rest.len() / 2);
    let colors = reds.iter().zip(greens).zip(blues);
    colors.map(|((red, green), blue)| [byte(red), byte(green), byte(blue)]).collect()
}

/// A file that says its samples were light or the lack of it, whatever they are: the tiff crate reads no palettes, drops what it
/// takes for superfluous, and inverts what it does not know the meaning of.
struct Masked<'a> {
    file: Cursor<&'a [u8]>,
    /// Where two bytes stand that read as others, and these.
    at: u64,
    bytes: [u8; 2],
}

impl<'a> Masked<'a> {
    fn new(file: &'a [u8]) -> Option<Self> {
        let is_little = file.starts_with(b"II");
        let number = |at: usize, length: usize| {
            let bytes = file.get(at..at.checked_add(length)?)?.iter();
            let join = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
            Some(if is_little { bytes.rev().fold(0, join) } else { bytes.fold(0, join) })
        };
        let is_big = number(2, 2)? == 43;
        // How long an offset, the number of entries and an entry are.
        let (offset, count, entry) = if is_big { (8, 8, 20) } else { (4, 2, 12) };
        let first = usize::try_from(number(offset, offset)?).ok()?;
        let entries = usize::try_from(number(first, count)?).ok()?;
        let mut places = (0..entries).map_while(|index| {
            let at = first.checked_add(count)?.checked_add(entry * index)?;
            number(at, 2).map(|tag| (at, tag))
        });
        let (at, _) = places.find(|(_, tag)| *tag == PHOTOMETRIC)?;
        // The value stands at the end of its entry, at the beginning of its room.
        let at = u64::try_from(at + entry - offset).ok()?;
        let bytes = if is_little { [BLACK_IS_ZERO, 0] } else { [0, BLACK_IS_ZERO] };
        Some(Self { file: Cursor::new(file), at, bytes })
    }
}

impl Read for Masked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let start = self.file.position();
        let count = self.file.read(buffer)?;
        for (place, byte) in (self.at..).zip(self.bytes) {
            let index = place.checked_sub(start).and_then(|index| usize::try_from(index).ok());
            let index = index.filter(|index| *index < count);
            if let Some(read) = index.and_then(|index| buffer.get_mut(index)) {
                *read = byte;
            }
        }
        Ok(count)
    }
}

impl Seek for Masked<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}
