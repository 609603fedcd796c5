//! WebP, still and animated. The frames of an animation are decoded one by one as pictures of their own and laid on each other
//! here.

#[cfg(test)]
mod tests;

use super::{
    Wanted, broken,
    canvas::{Canvas, Disposal, Patch},
    corrupt, picture_of, settle,
};
use crate::{
    domain::{format::Format, limits::Limits},
    imaging::{
        control::{Control, Failure},
        picture::{Frame, Picture, Pixels},
        rows::Rows,
        webp::Decoder,
    },
};

pub(super) fn decode(
    input: &[u8],
    wanted: Wanted,
    limits: &Limits,
    control: &Control,
) -> Result<Picture, Failure> {
    let container = Container::of(input);
    let Some(size) = container.animated else {
        return still(input, container.icc, wanted, limits, control);
    };
    let mut canvas = Canvas::new(size);
    let mut shown = Vec::new();
    let mut has_alpha = false;
    let mut plays = 1;
    let mut kept = None;
    for (kind, data) in chunks(input) {
        if &kind == b"ANIM" {
            plays = data
                .get(4..6)
                .and_then(|bytes| bytes.try_into().ok())
                .map_or(0, u16::from_le_bytes);
        }
        if &kind != b"ANMF" || shown.len() >= wanted.frames as usize {
            continue;
        }
        control.check()?;
        let stored = Stored::read(data).ok_or_else(|| corrupt("the WebP has a broken frame"))?;
        let picture = still(&stored.file, container.icc, wanted, limits, control)?;
        let patch =
            Patch { left: stored.left, top: stored.top, pixels: &picture.first.pixels.eight() };
        let pixels = canvas.show(&patch, stored.blend, stored.disposal);
        kept = picture.icc;
        has_alpha |= pixels.pixels().any(|pixel| pixel.0[3] < 255);
        shown.push(Frame { pixels: Pixels::Eight(pixels), delay: stored.delay });
    }
    let animated = Picture::animated(shown, plays.into(), has_alpha)
        .ok_or_else(|| broken(Format::Webp, "there is no frame"))?;
    Ok(Picture { icc: kept, ..animated })
}

/// A file that holds one picture.
fn still(
    file: &[u8],
    icc: Option<&[u8]>,
    wanted: Wanted,
    limits: &Limits,
    control: &Control,
) -> Result<Picture, Failure> {
    let Lines { decoder, .. } = Lines::of(file, limits, control)?;
    let ((width, height), has_alpha) = (decoder.size(), decoder.has_alpha());
    let pixels = decoder.pixels(control);
    control.check()?;
    let mut pixels = pixels.map_err(|cause| broken(Format::Webp, cause))?;
    let icc = settle(&mut pixels, icc, wanted, control)?;
    let pixels = Pixels::Eight(picture_of(width, height, pixels)?);
    Ok(Picture { icc, ..Picture::still(pixels, has_alpha) })
}

/// The profile of a file's colours.
pub(super) fn icc(input: &[u8]) -> Option<Vec<u8>> {
    Container::of(input).icc.map(<[u8]>::to_vec)
}

/// The rows of a file that holds one picture, in the colours that it is stored in.
pub(in crate::imaging) struct Lines<'a> {
    decoder: Decoder<'a>,
    /// Rows that were handed over.
    row: u32,
    control: &'a Control,
}

impl<'a> Lines<'a> {
    /// Begins with a file that was probed, and has one frame.
    pub(in crate::imaging) fn of(
        file: &'a [u8],
        limits: &Limits,
        control: &'a Control,
    ) -> Result<Self, Failure> {
        let decoder =
            Decoder::new(file, limits.pixels).map_err(|cause| broken(Format::Webp, cause))?;
        Ok(Self { decoder, row: 0, control })
    }
}

impl Rows for Lines<'_> {
    fn size(&self) -> (u32, u32) {
        self.decoder.size()
    }

    fn has_alpha(&self) -> bool {
        self.decoder.has_alpha()
    }

    fn next(&mut self) -> Result<Option<&[u8]>, Failure> {
        let row = self.row;
        self.row = row.saturating_add(1);
        self.decoder.row(row, self.control).map_err(|cause| match self.control.check() {
            Err(stopped) => stopped,
            Ok(()) => broken(Format::Webp, cause).into(),
        })
    }
}

/// What the chunks around the pixels say.
struct Container<'a> {
    /// The size of the canvas of an animation.
    animated: Option<(u32, u32)>,
    /// The profile of all colours.
    icc: Option<&'a [u8]>,
}

impl<'a> Container<'a> {
    fn of(input: &'a [u8]) -> Self {
        const ANIMATION: u8 = 2;
        const ICC: u8 = 0x20;
        let mut chunks = chunks(input);
        let Some((_, [flags, _, _, _, a, b, c, d, e, f, ..])) =
            chunks.next().filter(|(kind, _)| kind == b"VP8X")
        else {
            return Self { animated: None, icc: None };
        };
        let size = |bytes| u32::from_le_bytes(bytes) + 1;
        let size = (size([*a, *b, *c, 0]), size([*d, *e, *f, 0]));
        let mut profiles = chunks.filter(|(kind, _)| kind == b"ICCP" && flags & ICC != 0);
        Self {
            animated: (flags & ANIMATION != 0).then_some(size),
            icc: profiles.next().map(|(_, profile)| profile),
        }
    }
}

/// One frame as an animation holds it.
struct Stored {
    left: u32,
    top: u32,
    delay: u32,
    blend: bool,
    disposal: Disposal,
    /// The frame's picture as a file of its own.
    file: Vec<u8>,
}

impl Stored {
    /// Reads what an ANMF chunk holds.
    fn read(data: &[u8]) -> Option<Self> {
        const NO_BLEND: u8 = 2;
        const CLEAR: u8 = 1;
        let (header, picture) = data.split_at_checked(16)?;
        let number = |at: usize| {
            let [low, middle, high] = *header.get(at..)?.first_chunk()?;
            Some(u32::from_le_bytes([low, middle, high, 0]))
        };
        let flags = *header.last()?;
        let has_alpha_chunk = picture.starts_with(b"ALPH");
        let mut body = b"WEBP".to_vec();
        if has_alpha_chunk {
            // Alpha in a chunk of its own needs the extended header.
            body.extend(b"VP8X\x0a\0\0\0\x10\0\0\0");
            body.extend(header.get(6..12)?);
        }
        body.extend(picture);
        let length = u32::try_from(body.len()).ok()?.to_le_bytes();
        Some(Self {
            left: number(0)? * 2,
            top: number(3)? * 2,
            delay: number(12)?,
            blend: flags & NO_BLEND == 0,
            disposal: if flags & CLEAR == 0 { Disposal::Keep } else { Disposal::Clear },
            file: [b"RIFF", length.as_slice(), &body].concat(),
        })
    }
}

/// The chunks of a WebP.
fn chunks(input: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    const HEADER: usize = 12;
    let mut rest = input.get(HEADER..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (kind, after) = rest.split_first_chunk::<4>()?;
        let (length, after) = after.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let data = after.get(..length)?;
        rest = after.get(length.next_multiple_of(2)..).unwrap_or_default();
        Some((*kind, data))
    })
}
