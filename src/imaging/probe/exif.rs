//! The one thing that EXIF says about the pixels: which way up they are.

use exif::{In, Tag};

/// The orientation that a TIFF-structured EXIF block names; 1 where it names none.
pub(super) fn orientation(block: Vec<u8>) -> u8 {
    // Some writers repeat the prefix that JPEG demands.
    let block = match block.strip_prefix(b"Exif\0\0") {
        Some(rest) => rest.to_vec(),
        None => block,
    };
    // What is wrong elsewhere in the block says nothing about the orientation.
    let exif = exif::Reader::new()
        .continue_on_error(true)
        .read_raw(block)
        .or_else(|error| error.distill_partial_result(|_| {}));
    exif.ok()
        .and_then(|exif| exif.get_field(Tag::Orientation, In::PRIMARY)?.value.get_uint(0))
        .and_then(|value| u8::try_from(value).ok())
        .filter(|value| (1..=8).contains(value))
        .unwrap_or(1)
}
