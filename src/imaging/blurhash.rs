//! BlurHash (blurha.sh): a few of a picture's lowest frequencies, as text.

use std::f32::consts::PI;

use image::RgbaImage;

use super::color::{light, tone};

/// Frequencies along the longer side, and along the other.
const FREQUENCIES: [u32; 2] = [4, 3];
/// The digits, by their values.
const DIGITS: &[u8; 83] =
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~";

/// Red, green and blue.
type Light = [f32; 3];

/// The hash of a picture without transparent pixels.
pub(super) fn blurhash(picture: &RgbaImage) -> String {
    let (width, height) = picture.dimensions();
    let [long, short] = FREQUENCIES;
    let (across, down) = if width >= height { (long, short) } else { (short, long) };
    let frequencies: Vec<Light> =
        (0..down).flat_map(|y| (0..across).map(move |x| frequency(picture, x, y))).collect();
    let Some((mean, waves)) = frequencies.split_first() else { return String::new() };

    let mut text = String::new();
    put(&mut text, across - 1 + (down - 1) * 9, 1);
    let strongest = waves.iter().flatten().fold(0.0, |most: f32, wave| most.max(wave.abs()));
    let strength = step(strongest * 166.0 - 0.5, 82);
    put(&mut text, strength, 1);
    let [red, green, blue] = mean.map(|light| step(tone(light) * 255.0 + 0.5, 255));
    put(&mut text, red << 16 | green << 8 | blue, 4);
    #[allow(clippy::cast_precision_loss)] // At most 83.
    let most = (strength + 1) as f32 / 166.0;
    for wave in waves {
        let [red, green, blue] = wave.map(|wave| {
            let part = wave / most;
            step(part.signum() * part.abs().sqrt() * 9.0 + 9.5, 18)
        });
        put(&mut text, (red * 19 + green) * 19 + blue, 2);
    }
    text
}

/// How much of the picture's light goes so often to and fro.
fn frequency(picture: &RgbaImage, across: u32, down: u32) -> Light {
    let (width, height) = picture.dimensions();
    let waves = |frequency: u32, side: u32| -> Vec<f32> {
        #[allow(clippy::cast_precision_loss)] // Small pictures.
        let angle = |at: u32| PI * (frequency * at) as f32 / side as f32;
        (0..side).map(|at| angle(at).cos()).collect()
    };
    let (columns, rows) = (waves(across, width), waves(down, height));
    let mut sum = [0.0; 3];
    for (row, vertical) in picture.rows().zip(&rows) {
        for (pixel, horizontal) in row.zip(&columns) {
            for (sum, value) in sum.iter_mut().zip(pixel.0) {
                *sum += vertical * horizontal * light(f32::from(value) / 255.0);
            }
        }
    }
    let share = if (across, down) == (0, 0) { 1.0 } else { 2.0 };
    #[allow(clippy::cast_precision_loss)] // Small pictures.
    let pixels = (width * height) as f32;
    sum.map(|sum| sum * share / pixels)
}

/// The whole number below, from 0 to `most`.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // The cast saturates.
fn step(value: f32, most: u32) -> u32 {
    (value as u32).min(most)
}

/// Writes a number of so many digits.
fn put(text: &mut String, number: u32, digits: u32) {
    for place in (0..digits).rev() {
        let digit = number / 83_u32.pow(place) % 83;
        if let Some(digit) = usize::try_from(digit).ok().and_then(|digit| DIGITS.get(digit)) {
            text.push(char::from(*digit));
        }
    }
}

#[cfg(test)]
mod tests {
    use image::Rgba;

    use super::*;

    fn of(width: u32, height: u32, color: impl Fn(u32, u32) -> [u8; 3]) -> String {
        blurhash(&RgbaImage::from_fn(width, height, |x, y| {
            let [red, green, blue] = color(x, y);
            Rgba([red, green, blue, 255])
        }))
    }

    /// What two encoders of others make of the same pixels, one in Python, the other the authors' own in C.
    #[test]
    fn the_hash_is_the_one_that_others_make() {
        let byte = |value: u32| u8::try_from(value).unwrap_or(u8::MAX);
        let gradient = |x, y| [byte(x * 255 / 31), byte(y * 255 / 23), 128];
        assert_eq!(of(32, 24, gradient), "L$HewF2swxX8l}WDjte;gJfjfQfj");
        let upright = |x, y| [byte(x * 255 / 23), byte(y * 255 / 31), 128];
        assert_eq!(of(24, 32, upright), "T$HoEv2swxl}WDjtgJfjfQnmWpjt");
        let tiles = |x, y| if (x / 10 + y / 10) % 2 == 1 { [255, 0, 0] } else { [0, 0, 255] };
        assert_eq!(of(40, 20, tiles), "LrLjfLo3fQo3w$FOfQ2NfQSPfQN|");
        assert_eq!(of(8, 8, |_, _| [200, 30, 20]), "LNM^z:|wfQ|w|wsUfQsUfQfQfQfQ");
        assert_eq!(of(8, 8, |_, _| [0; 3]), "L00000fQfQfQfQfQfQfQfQfQfQfQ");
        assert_eq!(of(8, 8, |_, _| [255; 3]), "LfTSUA~qfQ~q~qt7fQt7fQfQfQfQ");
        assert_eq!(of(1, 1, |_, _| [9; 3]).len(), 28);
    }
}
