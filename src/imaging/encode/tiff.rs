//! TIFF without loss: deflated, with the difference of neighbours as it suits pictures.

use std::{borrow::Cow, io::Cursor};

use exif::{Context, Field, Value};
use tiff::{
    encoder::{
        Compression, DeflateLevel, DirectoryEncoder, ImageEncoder, Predictor, Rational, SRational,
        TiffEncoder, TiffKindStandard, TiffValue,
        colortype::{ColorType, RGB8, RGB16, RGBA8, RGBA16},
    },
    tags::{Tag, Type, ValueBuffer},
};

use super::{colors, refused};
use crate::{
    domain::format::Format,
    imaging::{
        control::{Control, Failure},
        metadata,
        picture::{Picture, Pixels},
        watched::Watched,
    },
};

/// What the fourth channel is: alpha that colours are not multiplied by.
const UNASSOCIATED_ALPHA: u16 = 2;
const XMP: Tag = Tag::Unknown(700);
const IPTC: Tag = Tag::Unknown(33_723);

/// Directories of fields of their own, and the tag that names where each is.
const APART: [(Context, Tag); 2] =
    [(Context::Exif, Tag::ExifDirectory), (Context::Gps, Tag::GpsDirectory)];

type File<'a> = Watched<'a, &'a mut Cursor<Vec<u8>>>;

pub(super) fn encode(picture: &Picture, control: &Control) -> Result<Vec<u8>, Failure> {
    let mut bytes = Cursor::new(Vec::new());
    let file = Watched::new(&mut bytes, control);
    match (&picture.first.pixels, picture.has_alpha) {
        (Pixels::Eight(raster), true) => fill::<RGBA8>(file, picture, raster.as_raw()),
        (Pixels::Eight(raster), false) => fill::<RGB8>(file, picture, &colors(raster.as_raw())),
        (Pixels::Sixteen(raster), true) => fill::<RGBA16>(file, picture, raster.as_raw()),
        (Pixels::Sixteen(raster), false) => fill::<RGB16>(file, picture, &colors(raster.as_raw())),
    }
    .map_err(|cause| refused(Format::Tiff, cause))?;
    Ok(bytes.into_inner())
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
    let fields = picture.metadata.exif.as_deref().map(metadata::fields).unwrap_or_default();
    let mut places = Vec::new();
    for (context, pointer) in APART {
        let mut fields = fields.iter().filter(|field| field.tag.context() == context).peekable();
        if fields.peek().is_some() {
            let mut directory = encoder.extra_directory()?;
            fields.try_for_each(|field| say(&mut directory, field))?;
            places.push((pointer, directory.finish_with_offsets()?.offset));
        }
    }
    let mut image = encoder.new_image::<C>(width, height)?;
    describe(&mut image, picture)?;
    let tags = image.encoder();
    let mut first = fields.iter().filter(|field| field.tag.context() == Context::Tiff);
    first.try_for_each(|field| say(tags, field))?;
    for (pointer, place) in places {
        tags.write_tag(pointer, place)?;
    }
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
    Ok(())
}

/// Writes a field as it was read.
fn say(
    directory: &mut DirectoryEncoder<'_, File<'_>, TiffKindStandard>,
    field: &Field,
) -> tiff::TiffResult<()> {
    match buffer(&field.value) {
        Some(value) => {
            directory.write_tag_buf(Tag::from_u16_exhaustive(field.tag.number()), &value)
        }
        None => Ok(()),
    }
}

/// A value in the machine's own order, which files are written in; none where there is none, or its type is not known.
fn buffer(value: &Value) -> Option<ValueBuffer> {
    fn of<T>(values: &[T]) -> Option<ValueBuffer>
    where
        [T]: TiffValue,
    {
        (!values.is_empty()).then(|| ValueBuffer::from_value(&values))
    }
    match value {
        Value::Byte(values) => of(values),
        // Parts of a text are divided by zeros, and one ends it.
        Value::Ascii(lines) => {
            let text = [lines.join(&0), vec![0]].concat();
            Some(ValueBuffer::from_value(&Text(&text)))
        }
        Value::Short(values) => of(values),
        Value::Long(values) => of(values),
        Value::Rational(values) => {
            let values = values.iter().map(|value| Rational { n: value.num, d: value.denom });
            of(&values.collect::<Vec<_>>())
        }
        Value::SByte(values) => of(values),
        Value::Undefined(bytes, _) => Some(ValueBuffer::from_value(&Opaque(bytes))),
        Value::SShort(values) => of(values),
        Value::SLong(values) => of(values),
        Value::SRational(values) => {
            let values = values.iter().map(|value| SRational { n: value.num, d: value.denom });
            of(&values.collect::<Vec<_>>())
        }
        Value::Float(values) => of(values),
        Value::Double(values) => of(values),
        Value::Unknown(..) => None,
    }
}

/// Letters, whatever their encoding: the format knows seven bits alone, and everybody writes UTF-8.
struct Text<'a>(&'a [u8]);

impl TiffValue for Text<'_> {
    const BYTE_LEN: u8 = 1;
    const FIELD_TYPE: Type = Type::ASCII;

    fn count(&self) -> usize {
        self.0.len()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.0)
    }
}

/// Bytes that only who wrote them understands.
struct Opaque<'a>(&'a [u8]);

impl TiffValue for Opaque<'_> {
    const BYTE_LEN: u8 = 1;
    const FIELD_TYPE: Type = Type::UNDEFINED;

    fn count(&self) -> usize {
        self.0.len()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.0)
    }
}
