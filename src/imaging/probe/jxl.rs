//! JPEG XL: the header of the codestream.

use std::io::Read;

use jxl_oxide::{InitializeResult, JxlImage, JxlThreadPool};

use super::{Header, Reader, corrupt};
use crate::domain::error::{Error, Result};

/// The header with its colour profile is no longer.
const LONGEST: u64 = 4 << 20;
const PIECE: usize = 4096;

/// Whether a file begins like a codestream of its own, or like one in boxes.
pub(super) fn is_jxl(start: &[u8]) -> bool {
    start.starts_with(&[0xff, 0x0a]) || start.starts_with(b"\0\0\0\x0cJXL \r\n\x87\n")
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Header> {
    let image = opened(reader.rewound()?.take(LONGEST))?;
    let depth = image.image_header().metadata.bit_depth.bits_per_sample();
    // Sides are as displayed: the decoder puts pictures upright itself.
    Ok(Header {
        in_rows: false,
        width: image.width(),
        height: image.height(),
        frames: 1,
        has_alpha: image.pixel_format().has_alpha(),
        orientation: 1,
        depth: if depth > 8 { 16 } else { 8 },
    })
}

/// As much of a file as its header takes.
fn opened(mut reader: impl Read) -> Result<JxlImage> {
    let broken = |cause: String| corrupt("the header of the picture is broken").caused_by(cause);
    let mut parser = JxlImage::builder().pool(JxlThreadPool::none()).build_uninit();
    let mut piece = Vec::with_capacity(PIECE);
    loop {
        let count = reader.by_ref().take(PIECE as u64).read_to_end(&mut piece);
        if count.map_err(Error::internal)? == 0 {
            return Err(corrupt("the JPEG XL ends in its header"));
        }
        let used = parser.feed_bytes(&piece).map_err(|cause| broken(cause.to_string()))?;
        piece.drain(..used.min(piece.len()));
        match parser.try_init().map_err(|cause| broken(cause.to_string()))? {
            InitializeResult::NeedMoreData(more) => parser = more,
            InitializeResult::Initialized(image) => return Ok(image),
        }
    }
}
