//! Icons: files of several pictures. The `image` crate takes the one of most colours, however small, and lays the mask over alpha;
//! so it is shown files of one picture, and of no mask where there is alpha.

use std::cmp::Reverse;

use bytes::Buf;

/// The header, and each entry of the list that follows it.
const HEADER: usize = 6;
const ENTRY: usize = 16;
/// The header of a bitmap of 32 bits a pixel.
const BITMAP: usize = 40;

/// One picture of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where it stands in the list.
    at: usize,
    width: usize,
    height: usize,
    bits: u16,
    /// Bytes of the picture, and where they begin.
    pub length: u32,
    pub offset: u32,
}

/// How long the list of pictures is that a file begins with, its header included.
pub(super) fn list(start: &[u8]) -> usize {
    HEADER + ENTRY * start.get(4..HEADER).map_or(0, |mut count| usize::from(count.get_u16_le()))
}

/// The entry of most pixels in a list; of two, the one of more colours; of two of those, the first.
pub(super) fn largest(list: &[u8]) -> Option<Entry> {
    let places = (HEADER..self::list(list)).step_by(ENTRY);
    let entries = places.map_while(|at| {
        let mut entry = list.get(at..at + ENTRY)?;
        // 256 is written as 0.
        let mut side = || usize::from(entry.get_u8().wrapping_sub(1)) + 1;
        let (width, height) = (side(), side());
        entry.advance(4);
        let bits = entry.get_u16_le();
        let (length, offset) = (entry.get_u32_le(), entry.get_u32_le());
        Some(Entry { at, width, height, bits, length, offset })
    });
    entries.min_by_key(|entry| Reverse((entry.width * entry.height, entry.bits)))
}

/// A file of that one picture, with the list that it is in and its bytes, or the first of them.
pub(super) fn alone(list: &[u8], entry: Entry, content: &[u8]) -> Option<Vec<u8>> {
    let content = content.get(..unmasked(content, entry).unwrap_or(content.len()))?;
    let mut file = vec![0, 0, 1, 0, 1, 0];
    file.extend(list.get(entry.at..entry.at + ENTRY - 8)?);
    file.extend(u32::try_from(content.len()).ok()?.to_le_bytes());
    file.extend(u32::try_from(HEADER + ENTRY).ok()?.to_le_bytes());
    file.extend(content);
    Some(file)
}

/// The same, of the largest picture of a whole file.
pub(super) fn largest_alone(file: &[u8]) -> Option<Vec<u8>> {
    let entry = largest(file)?;
    let content = file.get(usize::try_from(entry.offset).ok()?..)?;
    let length = usize::try_from(entry.length).ok()?.min(content.len());
    alone(file, entry, content.get(..length)?)
}

/// How long a bitmap is without its mask, where it has alpha of its own.
fn unmasked(content: &[u8], entry: Entry) -> Option<usize> {
    const NOT_COMPRESSED: [u8; 4] = [0; 4];
    let header = content.get(..BITMAP)?;
    let is_bitmap = header.starts_with(&[40, 0, 0, 0])
        && header.get(14..16) == Some(&[32, 0])
        && header.get(16..20) == Some(&NOT_COMPRESSED);
    let end = BITMAP + entry.width * entry.height * 4;
    let pixels = content.get(BITMAP..end).filter(|_| is_bitmap)?;
    pixels.iter().skip(3).step_by(4).any(|alpha| *alpha > 0).then_some(end)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn file(entries: &[(u8, u16, &[u8])]) -> Vec<u8> {
        let count = u8::try_from(entries.len()).unwrap();
        let mut offset = HEADER + ENTRY * entries.len();
        let mut file = vec![0, 0, 1, 0, count, 0];
        for (side, bits, content) in entries {
            file.extend([*side, *side, 0, 0, 1, 0]);
            file.extend(bits.to_le_bytes());
            for number in [content.len(), offset] {
                file.extend(u32::try_from(number).unwrap().to_le_bytes());
            }
            offset += content.len();
        }
        entries.iter().for_each(|(.., content)| file.extend(*content));
        file
    }

    #[test]
    fn the_largest_is_taken() {
        let several =
            file(&[(16, 32, b"small"), (0, 8, b"large"), (0, 24, b"better"), (48, 32, b"")]);
        let one = largest_alone(&several).unwrap();
        assert_eq!(one, file(&[(0, 24, b"better")]));
        assert_eq!(largest_alone(&one).unwrap(), one);
        assert_eq!(largest_alone(&several[..HEADER]), None);
        assert_eq!(largest_alone(b""), None);
    }
}
