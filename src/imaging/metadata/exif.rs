//! EXIF: a TIFF structure of directories, each a list of entries of twelve bytes.

use std::io::Cursor;

use exif::{Context, Exif, Field, In, Reader, Tag, Value, experimental::Writer};

use crate::domain::image as domain;

const ORIENTATION: u16 = 0x0112;
const THUMBNAIL: u16 = 0x0201;
const THUMBNAIL_LENGTH: u16 = 0x0202;
/// Tags of the first directory that are about the photograph: what it shows, the camera, software, time, artist, the computer,
/// how large a pixel is, how it is rated, whose it is; and title, remark, author, keywords and subject as Windows writes them.
const SAID: &[u16] = &[
    0x010e, 0x010f, 0x0110, 0x011a, 0x011b, 0x0128, 0x0131, 0x0132, 0x013b, 0x013c, 0x4746, 0x4749,
    0x8298, 0x9c9b, 0x9c9c, 0x9c9d, 0x9c9e, 0x9c9f,
];
/// What some containers put before a block: JPEG demands it, others repeat it.
const PREFIX: &[u8] = b"Exif\0\0";
/// Characters that are kept of a text.
const LONGEST: usize = 200;
/// An entry: tag, type, count, and a value or where it is.
const ENTRY: usize = 12;

/// The block without what its container put before it.
pub(super) fn bare(mut block: Vec<u8>) -> Vec<u8> {
    if block.starts_with(PREFIX) {
        block.drain(..PREFIX.len());
    }
    block
}

/// The block with its orientation reset, and without its thumbnail: that shows the picture as it was before it was cut.
pub(super) fn upright(mut block: Vec<u8>) -> Option<Vec<u8>> {
    let file = Layout::of(&block)?;
    let first = usize::try_from(file.u32(&block, 4)?).ok()?;
    let entries = file.entries(&block, first)?;
    for at in entries.clone() {
        if file.u16(&block, at)? == ORIENTATION {
            // A number of sixteen bits stands at the beginning of its four bytes, whichever end is first.
            let upright = file.bytes_of(1);
            block.get_mut(at + 8..at + 10)?.copy_from_slice(&upright);
            block.get_mut(at + 10..at + 12)?.fill(0);
        }
    }
    let link = entries.end;
    let second = usize::try_from(file.u32(&block, link)?).ok()?;
    block.get_mut(link..link + 4)?.fill(0);
    if second > 0 {
        let (mut begin, mut length) = (0, 0);
        for at in file.entries(&block, second)? {
            let value = usize::try_from(file.u32(&block, at + 8)?).ok()?;
            match file.u16(&block, at)? {
                THUMBNAIL => begin = value,
                THUMBNAIL_LENGTH => length = value,
                _ => {}
            }
        }
        block.get_mut(begin..begin.checked_add(length)?)?.fill(0);
    }
    Some(block)
}

/// A block that holds the artist and the copyright of another, and nothing else.
pub(super) fn copyright(block: &[u8]) -> Option<Vec<u8>> {
    written(&parsed(block)?, |field| matches!(field.tag, Tag::Artist | Tag::Copyright))
}

/// What a TIFF says of the photograph, without what it says of its pixels.
pub(super) fn without_pixels(file: &[u8]) -> Option<Vec<u8>> {
    written(&parsed(file)?, |field| is_said(field.tag))
}

/// What tag `number` of the first directory holds, as bytes.
pub(in crate::imaging) fn block(file: &[u8], number: u16) -> Option<Vec<u8>> {
    let exif = parsed(file)?;
    match &exif.get_field(Tag(Context::Tiff, number), In::PRIMARY)?.value {
        Value::Byte(bytes) | Value::Undefined(bytes, _) => Some(bytes.clone()),
        // Adobe's software writes IPTC as numbers of four bytes, in the file's own order.
        Value::Long(numbers) if exif.little_endian() => {
            Some(numbers.iter().flat_map(|number| number.to_le_bytes()).collect())
        }
        Value::Long(numbers) => {
            Some(numbers.iter().flat_map(|number| number.to_be_bytes()).collect())
        }
        _ => None,
    }
}

/// What a block says of the photograph, its orientation and its pixels left out: fields of the first directory, of EXIF's own
/// and of the place.
pub(in crate::imaging) fn fields(block: &[u8]) -> Vec<Field> {
    let Some(exif) = parsed(block) else { return Vec::new() };
    let primary = exif.fields().filter(|field| field.ifd_num == In::PRIMARY && is_said(field.tag));
    primary.cloned().collect()
}

/// What a block says of the photograph, and not where it was taken.
pub(in crate::imaging) fn summary(block: &[u8]) -> Option<domain::Exif> {
    let exif = parsed(block)?;
    let value = |tag| exif.get_field(tag, In::PRIMARY).map(|field| &field.value);
    let text = |tag| match value(tag)? {
        Value::Ascii(lines) => {
            let text = lines.iter().map(|line| String::from_utf8_lossy(line)).collect::<Vec<_>>();
            let text: String =
                text.join(" ").chars().filter(|c| !c.is_control()).take(LONGEST).collect();
            Some(text.trim().to_owned()).filter(|text| !text.is_empty())
        }
        _ => None,
    };
    let number = |tag| match value(tag)? {
        Value::Rational(numbers) => {
            numbers.first().map(exif::Rational::to_f64).filter(|number| number.is_finite())
        }
        _ => None,
    };
    let exposure = |tag| match value(tag)? {
        Value::Rational(numbers) => match numbers.first()? {
            exif::Rational { denom: 0, .. } => None,
            exif::Rational { num, denom } if num % denom == 0 => Some((num / denom).to_string()),
            exif::Rational { num, denom } => Some(format!("{num}/{denom}")),
        },
        _ => None,
    };
    // `2026:11:24 14:05:09`, with colons in the date too.
    let taken = text(Tag::DateTimeOriginal).and_then(|text| {
        let (date, time) = text.split_once(' ')?;
        let offset = self::offset(text_of(value(Tag::OffsetTimeOriginal)));
        Some(format!("{}T{time}{offset}", date.replace(':', "-")))
    });
    let summary = domain::Exif {
        make: text(Tag::Make),
        model: text(Tag::Model),
        lens: text(Tag::LensModel),
        taken_at: taken,
        exposure_time: exposure(Tag::ExposureTime),
        f_number: number(Tag::FNumber),
        iso: value(Tag::PhotographicSensitivity).and_then(|value| value.get_uint(0)),
        focal_length: number(Tag::FocalLength),
        software: text(Tag::Software),
        artist: text(Tag::Artist),
        copyright: text(Tag::Copyright),
    };
    (summary != domain::Exif::default()).then_some(summary)
}

fn text_of(value: Option<&Value>) -> &[u8] {
    match value {
        Some(Value::Ascii(lines)) => lines.first().map(Vec::as_slice).unwrap_or_default(),
        _ => &[],
    }
}

/// `+01:00`, if it is one.
fn offset(text: &[u8]) -> &str {
    match text {
        [b'+' | b'-', a, b, b':', c, d]
            if [a, b, c, d].iter().all(|digit| digit.is_ascii_digit()) =>
        {
            std::str::from_utf8(text).unwrap_or_default()
        }
        _ => "",
    }
}

/// Whether a tag is about the photograph, and not about how its pixels are stored.
fn is_said(tag: Tag) -> bool {
    match tag.context() {
        Context::Exif | Context::Gps => true,
        Context::Tiff => SAID.contains(&tag.number()),
        _ => false,
    }
}

/// The block, as far as it can be read.
pub(super) fn parsed(block: &[u8]) -> Option<Exif> {
    let read = Reader::new().continue_on_error(true).read_raw(block.to_vec());
    read.or_else(|error| error.distill_partial_result(|_| {})).ok()
}

/// A new block of the fields that `keep` chooses, if there are any.
fn written(exif: &Exif, keep: impl Fn(&Field) -> bool) -> Option<Vec<u8>> {
    let fields: Vec<&Field> =
        exif.fields().filter(|field| field.ifd_num == In::PRIMARY && keep(field)).collect();
    if fields.is_empty() {
        return None;
    }
    let mut writer = Writer::new();
    fields.into_iter().for_each(|field| writer.push_field(field));
    let mut block = Cursor::new(Vec::new());
    writer.write(&mut block, exif.little_endian()).ok()?;
    Some(block.into_inner())
}

/// In which order numbers are written.
struct Layout {
    little: bool,
}

impl Layout {
    fn of(block: &[u8]) -> Option<Self> {
        match block.first_chunk::<4>()? {
            b"II*\0" => Some(Self { little: true }),
            b"MM\0*" => Some(Self { little: false }),
            _ => None,
        }
    }

    fn u16(&self, block: &[u8], at: usize) -> Option<u16> {
        let bytes = *block.get(at..)?.first_chunk()?;
        Some(if self.little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    fn u32(&self, block: &[u8], at: usize) -> Option<u32> {
        let bytes = *block.get(at..)?.first_chunk()?;
        Some(if self.little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    fn bytes_of(&self, number: u16) -> [u8; 2] {
        if self.little { number.to_le_bytes() } else { number.to_be_bytes() }
    }

    /// Where the entries of the directory at `at` begin; the range ends where the link to the next one stands.
    fn entries(&self, block: &[u8], at: usize) -> Option<Entries> {
        let count = usize::from(self.u16(block, at)?);
        let end = at.checked_add(2)?.checked_add(count * ENTRY)?;
        block.get(..end)?;
        Some(Entries { next: at + 2, end })
    }
}

/// The beginnings of a directory's entries.
#[derive(Clone)]
struct Entries {
    next: usize,
    end: usize,
}

impl Iterator for Entries {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let at = self.next;
        self.next += ENTRY;
        (at < self.end).then_some(at)
    }
}
