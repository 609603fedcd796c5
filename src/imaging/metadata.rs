//! What a file says besides its pixels: EXIF, XMP, IPTC. Read only where a spec keeps it, and only what it keeps; what is
//! broken is dropped, and never fails a picture.

mod exif;
mod position;
mod xmp;

use bytes::Bytes;
use img_parts::{
    DynImage, ImageEXIF, ImageICC,
    jpeg::{Jpeg, JpegSegment},
    png::{Png, PngChunk},
    riff::{RiffChunk, RiffContent},
    webp::WebP,
};

pub(super) use self::{
    exif::{block, fields, summary},
    position::position,
};
use super::{avif::Decoder, picture::Metadata, probe::MOST_PIXELS};
use crate::domain::{
    error::{Error, Result},
    format::Format,
    transform::Keep,
};

/// No block that is kept is longer: metadata is not for smuggling.
const LONGEST: usize = 1 << 20;
/// What one segment of a JPEG can hold.
const SEGMENT: usize = 65_533;
const APP1: u8 = 0xe1;
const APP13: u8 = 0xed;
const JPEG_XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
const PHOTOSHOP: &[u8] = b"Photoshop 3.0\0";
const RESOURCE: &[u8] = b"8BIM";
/// Photoshop's number for IPTC's records.
const IPTC: [u8; 2] = [0x04, 0x04];
/// The keyword of XMP in a PNG's text; not compressed, in no language.
const PNG_XMP: &[u8] = b"XML:com.adobe.xmp\0\0\0\0\0";
const WEBP_XMP: [u8; 4] = *b"XMP ";
const WEBP_HEADER: [u8; 4] = *b"VP8X";
/// The bit of a WebP's header that announces XMP.
const WEBP_SAYS_XMP: u8 = 0x04;

/// What `keep` names of `input`. The orientation is reset: pixels are upright by then.
pub(super) fn read(input: &[u8], format: Format, keep: Keep) -> Metadata {
    let Keep { exif, iptc, xmp, copyright, .. } = keep;
    if !(exif || iptc || xmp || copyright) {
        return Metadata::default();
    }
    let mut found = match format {
        Format::Tiff => from_tiff(input),
        Format::Jpeg | Format::Png | Format::Webp => from_container(input),
        Format::Avif => from_avif(input),
        Format::Jxl => from_jxl(input),
        _ => Metadata::default(),
    };
    found.exif = found.exif.map(exif::bare);
    if !exif {
        found.exif = found.exif.filter(|_| copyright).and_then(|exif| exif::copyright(&exif));
    }
    found.exif = found.exif.and_then(exif::upright);
    found.iptc = found.iptc.filter(|_| iptc);
    found.xmp = found.xmp.filter(|_| xmp).map(xmp::upright);
    for block in [&mut found.exif, &mut found.iptc, &mut found.xmp] {
        if block.as_ref().is_some_and(|block| block.len() > LONGEST) {
            *block = None;
        }
    }
    found
}

fn from_container(input: &[u8]) -> Metadata {
    let bytes = Bytes::copy_from_slice(input);
    let Ok(Some(file)) = DynImage::from_bytes(bytes) else { return Metadata::default() };
    let exif = file.exif().map(|exif| exif.to_vec());
    let (xmp, iptc) = match &file {
        DynImage::Jpeg(jpeg) => (
            jpeg.segments_by_marker(APP1)
                .find_map(|segment| segment.contents().strip_prefix(JPEG_XMP)),
            jpeg.segments_by_marker(APP13)
                .find_map(|segment| iptc_of(segment.contents().strip_prefix(PHOTOSHOP)?)),
        ),
        DynImage::Png(png) => (
            png.chunks_by_type(*b"iTXt").find_map(|chunk| chunk.contents().strip_prefix(PNG_XMP)),
            None,
        ),
        DynImage::WebP(webp) => {
            let chunk = webp.chunk_by_id(WEBP_XMP).and_then(|chunk| chunk.content().data());
            (chunk.map(AsRef::as_ref), None)
        }
    };
    Metadata { exif, xmp: xmp.map(<[u8]>::to_vec), iptc: iptc.map(<[u8]>::to_vec) }
}

/// IPTC's records among Photoshop's resources: a signature, a number, a name of even length, a length, what it holds.
fn iptc_of(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        rest = rest.strip_prefix(RESOURCE)?;
        let (number, after) = rest.split_first_chunk::<2>()?;
        let name = usize::from(*after.first()?) + 1;
        let after = after.get(name.next_multiple_of(2)..)?;
        let (length, after) = after.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        if *number == IPTC {
            return after.get(..length);
        }
        rest = after.get(length.next_multiple_of(2)..)?;
    }
}

/// libavif knows where these blocks are.
fn from_avif(input: &[u8]) -> Metadata {
    let Ok(file) = Decoder::open(input, input.len() as u64, MOST_PIXELS, 0, false) else {
        return Metadata::default();
    };
    let [exif, xmp] = [file.exif(), file.xmp()].map(|block| block.map(<[u8]>::to_vec));
    Metadata { exif, xmp, iptc: None }
}

/// JPEG XL has boxes beside its pixels; what is compressed once more is left out.
fn from_jxl(input: &[u8]) -> Metadata {
    let mut found = Metadata::default();
    for (kind, content) in boxes(input) {
        match kind {
            // Before the block stands how far its beginning is.
            b"Exif" => {
                found.exif = content.split_first_chunk().and_then(|(offset, block)| {
                    let offset = usize::try_from(u32::from_be_bytes(*offset)).ok()?;
                    block.get(offset..).map(<[u8]>::to_vec)
                });
            }
            b"xml " => found.xmp = Some(content.to_vec()),
            _ => {}
        }
    }
    found
}

/// The boxes of a file and what they hold, as far as they are whole.
fn boxes(mut rest: &[u8]) -> impl Iterator<Item = (&[u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (kind, after) = after.split_first_chunk::<4>()?;
        let (length, after) = match u32::from_be_bytes(*length) {
            0 => (after.len(), after),
            1 => {
                let (length, after) = after.split_first_chunk::<8>()?;
                (usize::try_from(u64::from_be_bytes(*length).checked_sub(16)?).ok()?, after)
            }
            length => (usize::try_from(length.checked_sub(8)?).ok()?, after),
        };
        let (content, after) = after.split_at_checked(length)?;
        rest = after;
        Some((kind, content))
    })
}

/// A TIFF is an EXIF block itself, but for the pixels in it.
fn from_tiff(input: &[u8]) -> Metadata {
    const XMP: u16 = 700;
    const IPTC: u16 = 33_723;
    Metadata {
        exif: exif::without_pixels(input),
        xmp: exif::block(input, XMP),
        iptc: exif::block(input, IPTC),
    }
}

/// Puts what there is to say into a file that was just written. What the format has no place for is left out.
pub(super) fn attach(
    file: Vec<u8>,
    format: Format,
    metadata: &Metadata,
    icc: Option<&[u8]>,
) -> Result<Vec<u8>> {
    let Metadata { exif, xmp, iptc } = metadata;
    if exif.is_none() && xmp.is_none() && iptc.is_none() && icc.is_none() {
        return Ok(file);
    }
    let exif = exif.as_ref().map(|exif| Bytes::copy_from_slice(exif));
    let icc = icc.map(Bytes::copy_from_slice);
    let broken = |cause: img_parts::Error| Error::internal(cause);
    match format {
        Format::Jpeg => {
            let mut jpeg = Jpeg::from_bytes(file.into()).map_err(broken)?;
            jpeg.set_icc_profile(icc);
            jpeg.set_exif(exif.filter(|exif| exif.len() + 6 <= SEGMENT));
            // After what was put in before: JFIF's header stays the first.
            let mut add = |marker, parts: &[&[u8]]| {
                let contents = parts.concat();
                if contents.len() <= SEGMENT {
                    let segment = JpegSegment::new_with_contents(marker, contents.into());
                    let at = jpeg
                        .segments()
                        .iter()
                        .take_while(|one| (0xe0..=0xef).contains(&one.marker()));
                    let at = at.count();
                    jpeg.segments_mut().insert(at, segment);
                }
            };
            if let Some(xmp) = xmp {
                add(APP1, &[JPEG_XMP, xmp]);
            }
            if let Some(iptc) = iptc {
                let length = u32::try_from(iptc.len()).unwrap_or(u32::MAX).to_be_bytes();
                let end: &[u8] = if iptc.len() % 2 == 0 { &[] } else { &[0] };
                add(APP13, &[PHOTOSHOP, RESOURCE, &IPTC, &[0, 0], &length, iptc, end]);
            }
            Ok(jpeg.encoder().bytes().to_vec())
        }
        Format::Png => {
            let mut png = Png::from_bytes(file.into()).map_err(broken)?;
            png.set_icc_profile(icc);
            png.set_exif(exif);
            if let Some(xmp) = xmp {
                let chunk = PngChunk::new(*b"iTXt", [PNG_XMP, xmp].concat().into());
                // After the header, which is the first.
                png.chunks_mut().insert(1, chunk);
            }
            Ok(png.encoder().bytes().to_vec())
        }
        Format::Webp => {
            let mut webp = WebP::from_bytes(file.into()).map_err(broken)?;
            webp.set_exif(exif);
            if let Some(xmp) = xmp {
                let content = RiffContent::Data(Bytes::copy_from_slice(xmp));
                webp.chunks_mut().push(RiffChunk::new(WEBP_XMP, content));
            }
            // Last, with or without one: this is what makes the header that any of the three needs.
            webp.set_icc_profile(icc);
            if xmp.is_some() {
                announce_xmp(&mut webp);
            }
            Ok(webp.encoder().bytes().to_vec())
        }
        // AVIF and TIFF are written with all of it.
        _ => Ok(file),
    }
}

/// Says in the header that there is XMP: in a header that was there before, img-parts speaks of the other two alone.
fn announce_xmp(webp: &mut WebP) {
    let mut chunks = webp.chunks_mut().iter_mut();
    let header = chunks.find(|chunk| chunk.id() == WEBP_HEADER).map(RiffChunk::content_mut);
    if let Some(RiffContent::Data(data)) = header {
        let mut bytes = data.to_vec();
        if let Some(flags) = bytes.first_mut() {
            *flags |= WEBP_SAYS_XMP;
        }
        *data = bytes.into();
    }
}
