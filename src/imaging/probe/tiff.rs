//! TIFF, and BigTIFF: the first directory.

use ::tiff::decoder::Decoder;

use super::{Header, Reader};
use crate::{
    domain::error::Result,
    imaging::tiff::{Colors, broken, layout},
};

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Header> {
    let mut file = Decoder::new(reader.rewound()?).map_err(broken)?;
    let layout = layout(&mut file)?;
    // A palette is one of eight bits.
    let is_deep = layout.bits > 8 && layout.colors != Colors::Palette;
    Ok(Header {
        in_rows: false,
        width: layout.width,
        height: layout.height,
        frames: 1,
        has_alpha: layout.alpha.is_some(),
        orientation: layout.orientation,
        depth: if is_deep { 16 } else { 8 },
    })
}
