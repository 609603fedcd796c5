//! XMP: an XML packet. Of all that it says, one thing is changed: which way up the picture is.

const ORIENTATION: &[u8] = b"tiff:Orientation";
const UPRIGHT: u8 = b'1';

/// The packet with its orientation reset, as long as it was: an attribute, or the text of an element.
pub(super) fn upright(mut packet: Vec<u8>) -> Vec<u8> {
    let mut at = 0;
    while let Some(found) = packet.get(at..).and_then(|rest| place(rest, ORIENTATION)) {
        let is_end = packet.get(..at + found).is_some_and(|before| before.ends_with(b"/"));
        at += found + ORIENTATION.len();
        // What stands between the name and its number.
        let between = packet.get(at..).unwrap_or_default().iter();
        let length = between.take_while(|byte| b" \t\r\n=>'\"".contains(byte)).count();
        if let Some(number @ b'1'..=b'8') = packet.get_mut(at + length).filter(|_| !is_end) {
            *number = UPRIGHT;
        }
    }
    packet
}

fn place(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_orientation_is_reset_and_nothing_else() {
        for (given, expected) in [
            (
                "<a tiff:Orientation=\"6\" tiff:Width=\"6\"/>",
                "<a tiff:Orientation=\"1\" tiff:Width=\"6\"/>",
            ),
            ("<a tiff:Orientation = '8'/>", "<a tiff:Orientation = '1'/>"),
            (
                "<tiff:Orientation>\n 3</tiff:Orientation>8",
                "<tiff:Orientation>\n 1</tiff:Orientation>8",
            ),
            ("tiff:Orientation", "tiff:Orientation"),
            ("tiff:Orientation=\"", "tiff:Orientation=\""),
            ("Orientation=\"6\"", "Orientation=\"6\""),
        ] {
            assert_eq!(upright(given.into()), expected.as_bytes(), "{given}");
        }
    }
}
