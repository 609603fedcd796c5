//! AVIF: the boxes at the top, of which libavif reads the one that says what there is.

use super::{Header, Reader, corrupt};
use crate::{
    domain::{
        error::{Code, Error, Result},
        limits::Limits,
    },
    imaging::avif::Decoder,
};

/// libavif's own limit, above which it opens nothing.
pub(in crate::imaging) const MOST_PIXELS: u32 = 1 << 28;

/// What libavif looks at of the pixels themselves where their box does not say which colours they are in; mostly they follow at once.
const SAMPLE: u64 = 256;

/// Whether a file that begins like this is AVIF: one of its brands is.
pub(super) fn is_avif(start: &[u8]) -> bool {
    let Some((length, rest)) = start.split_first_chunk::<4>() else { return false };
    let Some(brands) = rest.strip_prefix(b"ftyp") else { return false };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    let brands = brands.get(..length.saturating_sub(8)).unwrap_or(brands);
    brands.as_chunks::<4>().0.iter().any(|brand| matches!(brand, b"avif" | b"avis"))
}

pub(super) fn read(reader: &mut Reader<'_>, limits: &Limits) -> Result<Header> {
    let end = described(reader)?;
    let length = reader.length();
    // The limits are checked by the caller, who names them; here nothing is decoded.
    fn open(start: &[u8], length: u64) -> Result<Decoder<'_>> {
        Decoder::open(start, length, MOST_PIXELS, 0, true)
            .map_err(|cause| corrupt("the header of the picture is broken").caused_by(cause))
    }
    let mut start = reader.peek(end + SAMPLE)?;
    if open(&start, length).is_err() {
        start = reader.peek(limits.upload_size)?;
    }
    let decoder = open(&start, length)?;
    let info = decoder.info();
    let (width, height) = match decoder.cut() {
        Some([_, _, width, height]) => (width, height),
        None => (info.width, info.height),
    };
    let longest = limits.width.max(limits.height);
    if info.width.max(info.height) > longest {
        let detail = format!(
            "the picture has {} × {} pixels; at most {longest} a side",
            info.width, info.height
        );
        return Err(Error::new(Code::ImageTooLarge, detail));
    }
    Ok(Header {
        in_rows: true,
        width,
        height,
        frames: 1,
        has_alpha: info.has_alpha != 0,
        orientation: u8::try_from(info.orientation).unwrap_or(1),
        depth: u8::try_from(info.depth).unwrap_or(8),
    })
}

/// Walks over all boxes, so that a file that ends too early is known; the end of the last one that describes pictures. Pixels
/// seldom stand before it; where they do, they are held in memory too, as much as an upload may have.
fn described(reader: &mut Reader<'_>) -> Result<u64> {
    let mut at = 0;
    let mut end = None;
    reader.rewound()?;
    while reader.remaining() > 0 {
        let (length, kind) = (u64::from(reader.u32_be()?), reader.array::<4>()?);
        let (length, header) = match length {
            // To the end of the file.
            0 => (reader.remaining() + 8, 8),
            1 => (u64::from(reader.u32_be()?) << 32 | u64::from(reader.u32_be()?), 16),
            length => (length, 8),
        };
        let body =
            length.checked_sub(header).ok_or_else(|| corrupt("the AVIF has a broken box"))?;
        reader.skip(body)?;
        at += length;
        if matches!(&kind, b"meta" | b"moov") {
            end = Some(at);
        }
    }
    end.ok_or_else(|| corrupt("the AVIF describes no picture"))
}
