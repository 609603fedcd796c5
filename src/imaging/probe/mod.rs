//! What a file is, by its headers alone: no pixel is decoded, and memory does not grow with the file.

mod avif;
mod exif;
mod gif;
mod jpeg;
mod jxl;
mod other;
mod png;
mod reader;
mod tiff;
mod webp;

use std::io::{BufRead, Cursor, Seek};

pub(super) use self::avif::MOST_PIXELS;
use self::reader::Reader;
use super::{plan, svg};
use crate::domain::{
    error::{Code, Error, Result},
    format::Format,
    limits::Limits,
    transform::Source,
};

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// The format, decided by the bytes.
    pub format: Format,
    /// Pixels across, as displayed.
    pub width: u32,
    /// Pixels down, as displayed.
    pub height: u32,
    /// Frames; 1 for a still picture.
    pub frames: u32,
    /// Whether any pixel may be transparent.
    pub has_alpha: bool,
    /// The EXIF orientation, 1 to 8.
    pub orientation: u8,
    /// Bits of a channel.
    pub depth: u8,
    /// A JPEG of several scans, all of which must be read before there is a row of pixels.
    pub in_passes: bool,
    /// A still picture that can be made smaller row by row while it is decoded.
    pub in_rows: bool,
}

impl Probe {
    /// What the headers of a picture mostly say of which no more is known.
    ///
    /// # Errors
    /// `image_too_large`, `too_many_frames`, as [`probe()`].
    pub fn imagined(
        format: Format,
        (width, height): (u32, u32),
        frames: u32,
        has_alpha: bool,
        limits: &Limits,
    ) -> Result<Self> {
        check_size((width, height), frames, limits)?;
        let by_rows = matches!(format, Format::Jpeg | Format::Png | Format::Webp | Format::Avif);
        Ok(Self {
            format,
            width,
            height,
            frames,
            has_alpha,
            orientation: 1,
            depth: 8,
            in_passes: false,
            in_rows: by_rows && frames == 1,
        })
    }

    /// What a spec's defaults go by. Nobody has said what matters in the picture.
    pub fn source(&self) -> Source {
        Source {
            format: self.format,
            has_alpha: self.has_alpha,
            is_animated: self.frames > 1,
            focus: None,
        }
    }
}

/// What the headers say, before orientation.
struct Header {
    width: u32,
    height: u32,
    frames: u32,
    has_alpha: bool,
    orientation: u8,
    depth: u8,
    in_rows: bool,
}

/// Reads what `file` holds as far as needed to say what it is, and refuses what is no picture, ends too early or passes
/// a limit.
pub fn probe(mut file: impl BufRead + Seek, limits: &Limits) -> Result<Probe> {
    let mut reader = Reader::new(&mut file)?;
    let format = recognise(&mut reader)?;
    let mut in_passes = false;
    let header = match format {
        Format::Jpeg => {
            let (header, all_scans) = jpeg::read(&mut reader)?;
            in_passes = all_scans;
            header
        }
        Format::Png => png::read(&mut reader, limits)?,
        Format::Gif => gif::read(&mut reader, limits)?,
        Format::Webp => webp::read(&mut reader, limits)?,
        Format::Avif => avif::read(&mut reader, limits)?,
        Format::Jxl => jxl::read(&mut reader)?,
        Format::Tiff => tiff::read(&mut reader)?,
        Format::Svg => drawing(&mut reader, limits)?,
        _ => other::read(&mut reader, format)?,
    };
    let orientation = if (1..=8).contains(&header.orientation) { header.orientation } else { 1 };
    let (width, height) =
        if orientation > 4 { (header.height, header.width) } else { (header.width, header.height) };
    if width == 0 || height == 0 {
        return Err(corrupt("the picture has no pixels"));
    }
    check_size((width, height), header.frames, limits)?;
    let Header { frames, has_alpha, depth, in_rows, .. } = header;
    Ok(Probe { format, width, height, frames, has_alpha, orientation, depth, in_passes, in_rows })
}

/// How many channels the pixels of a JPEG have.
pub(super) fn channels(file: &[u8]) -> Option<u8> {
    jpeg::channels(&mut Reader::new(&mut Cursor::new(file)).ok()?)
}

/// A drawing has to be read as a whole to know its size, but is not drawn.
fn drawing(reader: &mut Reader<'_>, limits: &Limits) -> Result<Header> {
    let file = reader.peek(limits.upload_size)?;
    let (width, height) = svg::size(&file)?;
    Ok(Header {
        width,
        height,
        frames: 1,
        has_alpha: true,
        orientation: 1,
        depth: 8,
        in_rows: false,
    })
}

/// Bytes that a format is known by.
const START: u64 = 64;
/// The same for drawings, and how much more is looked at while nothing but comments is found.
const TEXT: usize = 4096;
const MORE: usize = 32;

/// The format, by the first bytes.
fn recognise(reader: &mut Reader<'_>) -> Result<Format> {
    let mut start = reader.peek(START)?;
    if svg::is_text(&start) {
        let mut length = TEXT;
        start = reader.peek(length as u64)?;
        while start.len() == length && length < svg::LONGEST && svg::is_svg(&start).is_none() {
            length *= MORE;
            start = reader.peek(length as u64)?;
        }
    }
    Ok(match start.as_slice() {
        [0xff, 0xd8, 0xff, ..] => Format::Jpeg,
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Format::Png,
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Format::Gif,
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Format::Webp,
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Format::Tiff,
        [b'B', b'M', ..] if start.len() >= 18 => Format::Bmp,
        [b'q', b'o', b'i', b'f', ..] => Format::Qoi,
        [b'#', b'?', b'R', b'A', b'D', b'I', b'A', b'N', b'C', b'E', b'\n' | b'\r', ..] => {
            Format::Hdr
        }
        [0x76, 0x2f, 0x31, 0x01, ..] => Format::Exr,
        [0, 0, 1, 0, count, 0, ..] if *count > 0 => Format::Ico,
        [b'P', b'1'..=b'7', b' ' | b'\t' | b'\r' | b'\n' | b'#', ..] => Format::Pnm,
        start if avif::is_avif(start) => Format::Avif,
        start if jxl::is_jxl(start) => Format::Jxl,
        start if svg::is_svg(start) == Some(true) => Format::Svg,
        start if is_tga(start.get(..18).unwrap_or(start)) => Format::Tga,
        _ => {
            let detail = "the bytes are no picture of a format that is read here";
            return Err(Error::new(Code::UnsupportedMediaType, detail));
        }
    })
}

/// TGA has no magic number; only a header that makes sense in every field is taken for one. Text never does: its second
/// byte would have to be 0 or 1.
fn is_tga(start: &[u8]) -> bool {
    let [_, map, kind, map_start @ .., depth, descriptor] = start else { return false };
    let [_, _, map_length @ .., _, _, _, _, width_low, width_high, height_low, height_high] =
        map_start
    else {
        return false;
    };
    let [length_low, length_high, entry] = map_length else { return false };
    let has_map =
        *map == 1 && (*length_low, *length_high) != (0, 0) && matches!(entry, 15 | 16 | 24 | 32);
    let has_size = (*width_low, *width_high) != (0, 0) && (*height_low, *height_high) != (0, 0);
    let makes_sense = match kind {
        1 | 9 => has_map && *depth == 8,
        2 | 10 => *map == 0 && matches!(depth, 15 | 16 | 24 | 32),
        3 | 11 => *map == 0 && matches!(depth, 8 | 16),
        _ => false,
    };
    makes_sense && has_size && descriptor & 0xc0 == 0
}

/// Refuses what passes a limit.
fn check_size(size: (u32, u32), frames: u32, limits: &Limits) -> Result<()> {
    check_frames(frames, limits)?;
    plan::within(limits, size, frames)
        .map_err(|problem| Error::new(Code::ImageTooLarge, format!("the picture has {problem}")))
}

/// Refuses animations that are too long.
fn check_frames(frames: u32, limits: &Limits) -> Result<()> {
    if frames > limits.frames {
        let detail = format!("the animation has more than {} frames", limits.frames);
        return Err(Error::new(Code::TooManyFrames, detail));
    }
    Ok(())
}

/// `image_corrupt`.
pub(super) fn corrupt(detail: impl Into<String>) -> Error {
    Error::new(Code::ImageCorrupt, detail)
}

#[cfg(test)]
mod tests;
