//! Where a photograph was taken, as EXIF says it: read when it is asked for, and kept nowhere.

use exif::{In, Rational, Tag, Value};

use super::exif::parsed;
use crate::domain::image::Position;

/// The place that a block names; `None` where it is not whole, or none on Earth.
pub(in crate::imaging) fn position(block: &[u8]) -> Option<Position> {
    let exif = parsed(block)?;
    let value = |tag| exif.get_field(tag, In::PRIMARY).map(|field| &field.value);
    let angle = |degrees, side, sides, most| {
        signed(angle(value(degrees)?, most)?, letter(value(side)?)?, sides)
    };
    Some(Position {
        latitude: angle(Tag::GPSLatitude, Tag::GPSLatitudeRef, [b'N', b'S'], 90.0)?,
        longitude: angle(Tag::GPSLongitude, Tag::GPSLongitudeRef, [b'E', b'W'], 180.0)?,
        altitude: value(Tag::GPSAltitude)
            .and_then(|metres| altitude(metres, value(Tag::GPSAltitudeRef))),
    })
}

/// Degrees, minutes and seconds as degrees, to a centimetre.
fn angle(value: &Value, most: f64) -> Option<f64> {
    let Value::Rational(parts) = value else { return None };
    let [degrees, finer @ ..] = parts.as_slice() else { return None };
    let sixtieths = |sum, part: &Rational| part.to_f64() / 60.0 + sum;
    // Seconds are parts of minutes, and these of degrees.
    let finer = finer.iter().take(2).rev().fold(0.0, |finer, part| sixtieths(finer / 60.0, part));
    let angle = degrees.to_f64() + finer;
    // Also no number: a denominator of 0 is not.
    (0.0..=most).contains(&angle).then(|| (angle * 1e7).round() / 1e7)
}

fn signed(angle: f64, side: u8, [positive, negative]: [u8; 2]) -> Option<f64> {
    match side.to_ascii_uppercase() {
        side if side == positive => Some(angle),
        // There is no other zero.
        side if side == negative => Some(0.0 - angle),
        _ => None,
    }
}

fn letter(value: &Value) -> Option<u8> {
    match value {
        Value::Ascii(lines) => lines.first()?.first().copied(),
        _ => None,
    }
}

/// Metres above the sea, to a millimetre; the reference says whether it is below.
fn altitude(metres: &Value, reference: Option<&Value>) -> Option<f64> {
    let Value::Rational(metres) = metres else { return None };
    let metres = metres.first()?.to_f64();
    let is_below = reference.and_then(|below| below.get_uint(0)) == Some(1);
    let metres = if is_below { 0.0 - metres } else { metres };
    metres.is_finite().then(|| (metres * 1e3).round() / 1e3)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Cursor;

    use exif::{Field, experimental::Writer};
    use proptest::prelude::*;

    use super::*;

    type Parts = Vec<(u32, u32)>;

    fn rational(parts: &[(u32, u32)]) -> Value {
        Value::Rational(
            parts.iter().map(|(num, denom)| Rational { num: *num, denom: *denom }).collect(),
        )
    }

    /// A block that says so.
    fn block(
        latitude: (&Parts, &str),
        longitude: (&Parts, &str),
        altitude: &[(u32, u32)],
        below: u8,
    ) -> Vec<u8> {
        let text = |text: &str| Value::Ascii(vec![text.as_bytes().to_vec()]);
        let fields = [
            (Tag::GPSLatitudeRef, text(latitude.1)),
            (Tag::GPSLatitude, rational(latitude.0)),
            (Tag::GPSLongitudeRef, text(longitude.1)),
            (Tag::GPSLongitude, rational(longitude.0)),
            (Tag::GPSAltitudeRef, Value::Byte(vec![below])),
            (Tag::GPSAltitude, rational(altitude)),
        ]
        .map(|(tag, value)| Field { tag, ifd_num: In::PRIMARY, value });
        let mut writer = Writer::new();
        fields.iter().for_each(|field| writer.push_field(field));
        let mut block = Cursor::new(Vec::new());
        writer.write(&mut block, false).unwrap();
        block.into_inner()
    }

    #[test]
    fn degrees_minutes_and_seconds_become_degrees() {
        let north = vec![(52, 1), (31, 1), (1224, 100)];
        let east = vec![(13, 1), (2445, 100)];
        let position = |ns, ew, below| {
            position(&block((&north, ns), (&east, ew), &[(345, 10)], below)).unwrap()
        };
        let berlin = Position { latitude: 52.520_066_7, longitude: 13.4075, altitude: Some(34.5) };
        assert_eq!(position("N", "E", 0), berlin);
        let mirrored =
            Position { latitude: -52.520_066_7, longitude: -13.4075, altitude: Some(-34.5) };
        assert_eq!(position("S", "W", 1), mirrored);
    }

    #[test]
    fn what_is_not_whole_is_no_place() {
        let good = vec![(10, 1), (20, 1), (30, 1)];
        for (parts, side) in [
            (vec![(91, 1)], "N"),
            (vec![(10, 0)], "N"),
            (vec![(10, 1), (0, 0)], "N"),
            (good.clone(), "E"),
            (good.clone(), ""),
        ] {
            assert_eq!(
                position(&block((&parts, side), (&good, "E"), &[(1, 1)], 0)),
                None,
                "{parts:?}"
            );
        }
        let high = position(&block((&good, "N"), (&good, "E"), &[(1, 0)], 0)).unwrap();
        assert_eq!(high.altitude, None);
        assert_eq!(position(b"II*\0"), None);
    }

    proptest! {
        #[test]
        fn any_numbers_are_a_place_on_earth_or_none(
            latitude in proptest::collection::vec(any::<(u32, u32)>(), 1..5),
            longitude in proptest::collection::vec((0_u32..400, 0_u32..3), 1..4),
            altitude in proptest::collection::vec(any::<(u32, u32)>(), 1..3),
            below in any::<u8>(),
        ) {
            let block = block((&latitude, "S"), (&longitude, "W"), &altitude, below);
            if let Some(Position { latitude, longitude, altitude }) = position(&block) {
                prop_assert!((-90.0..=0.0).contains(&latitude) && (-180.0..=0.0).contains(&longitude));
                prop_assert!(altitude.is_none_or(f64::is_finite));
            }
        }

        #[test]
        fn a_damaged_block_harms_nothing(
            damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
            length in any::<prop::sample::Index>(),
        ) {
            let part = vec![(10, 1), (20, 1), (30, 1)];
            let mut block = block((&part, "N"), (&part, "E"), &[(1, 1)], 0);
            for (at, byte) in damage {
                let at = at.index(block.len());
                if let Some(place) = block.get_mut(at) {
                    *place = byte;
                }
            }
            block.truncate(length.index(block.len()) + 1);
            position(&block);
        }
    }
}
