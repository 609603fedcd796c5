//! TIFF without loss: deflated, with the difference of neighbours as it suits pictures.

use std::io::Cursor;

use tiff::{
    encoder::{
        Compression, DeflateLevel, ImageEncoder, Predictor, TiffEncoder, TiffKindStandard,
        colortype::{ColorType, RGB8, RGB16, RGBA8, RGBA16},
    },
    tags::Tag,
};

use super::{colors, refused};
use crate::{
    domain::{error::Result, format::Format},
    imaging::{
        metadata,
        picture::{Picture, Pixels},
    },
};

/// What the fourth channel is: alpha that colours are not multiplied by.
const UNASSOCIATED_ALPHA: u16 = 2;
const XMP: Tag = Tag::Unknown(700);
const IPTC: Tag = Tag::Unknown(33_723);

type File<'a> = &'a mut Cursor<Vec<u8>>;

pub(super) fn encode(picture: &Picture) -> Result<Vec<u8>> {
    match (&picture.first.pixels, picture.has_alpha) {
        (Pixels::Eight(raster), true) => write::<RGBA8>(picture, raster.as_raw()),
        (Pixels::Eight(raster), false) => write::<RGB8>(picture, &colors(raster.as_raw())),
        (Pixels::Sixteen(raster), true) => write::<RGBA16>(picture, raster.as_raw()),
        (Pixels::Sixteen(raster), false) => write::<RGB16>(picture, &colors(raster.as_raw())),
    }
}

fn write<C: ColorType>(picture: &Picture, samples: &[C::Inner]) -> Result<Vec<u8>>
where
    [C::Inner]: tiff::encoder::TiffValue,
{
    let mut file = Cursor::new(Vec::new());
    fill::<C>(&mut file, picture, samples).map_err(|cause| refused(Format::Tiff, cause))?;
    Ok(file.into_inner())
}

fn fill<C: ColorType>(
    file: File<'_>,
    picture: &Picture,
    samples: &[C::Inner],
) -> tiff::TiffResult<()>
where
    [C::Inner]: tiff::encoder::TiffValue,
{
    let (width, height) = picture.size();
    let mut encoder = TiffEncoder::new(file)?
        .with_compression(Compression::Deflate(DeflateLevel::Balanced))
        .with_predictor(Predictor::Horizontal);
    let mut image = encoder.new_image::<C>(width, height)?;
    describe(&mut image, picture)?;
    image.write_data(samples)
}

/// What is said besides the pixels.
fn describe<C: ColorType>(
    image: &mut ImageEncoder<'_, File<'_>, C, TiffKindStandard>,
    picture: &Picture,
) -> tiff::TiffResult<()> {
    let tags = image.encoder();
    if picture.has_alpha {
        tags.write_tag(Tag::ExtraSamples, &[UNASSOCIATED_ALPHA][..])?;
    }
    if let Some(icc) = &picture.icc {
        tags.write_tag(Tag::IccProfile, icc.as_slice())?;
    }
    if let Some(xmp) = &picture.metadata.xmp {
        tags.write_tag(XMP, xmp.as_slice())?;
    }
    if let Some(iptc) = &picture.metadata.iptc {
        tags.write_tag(IPTC, iptc.as_slice())?;
    }
    if let Some(exif) = &picture.metadata.exif {
        for (tag, text) in metadata::texts(exif) {
            tags.write_tag(Tag::from_u16_exhaustive(tag), text.as_str())?;
        }
    }
    Ok(())
}
