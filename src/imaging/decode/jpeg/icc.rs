//! The colour profile that a JPEG carries, in pieces (ICC.1, annex B.4).

/// Before each piece; its number, from 1, and how many there are follow.
const NAME: &[u8] = b"ICC_PROFILE\0";
const APP2: u8 = 0xe2;
const START_OF_SCAN: u8 = 0xda;
const END_OF_IMAGE: u8 = 0xd9;

/// The profile, if all pieces of it are there.
pub(in super::super) fn read(input: &[u8]) -> Option<Vec<u8>> {
    let mut pieces = Vec::new();
    let mut rest = input.get(2..)?;
    while let [0xff, marker, after @ ..] = rest {
        match *marker {
            // Markers may be padded.
            0xff => {
                rest = rest.get(1..)?;
                continue;
            }
            START_OF_SCAN | END_OF_IMAGE => break,
            _ => {}
        }
        let length = usize::from(u16::from_be_bytes(*after.first_chunk()?));
        let body = after.get(2..length)?;
        if *marker == APP2
            && let Some([number, count, piece @ ..]) = body.strip_prefix(NAME)
        {
            pieces.push((*number, *count, piece));
        }
        rest = after.get(length..)?;
    }
    pieces.sort_by_key(|(number, ..)| *number);
    let (_, count, _) = *pieces.first()?;
    let is_whole = pieces.len() == usize::from(count)
        && (1..)
            .zip(&pieces)
            .all(|(expected, (number, of, _))| *number == expected && *of == count);
    is_whole.then(|| pieces.iter().flat_map(|(.., piece)| piece.iter().copied()).collect())
}
