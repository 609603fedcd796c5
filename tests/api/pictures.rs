//! Pictures made for tests, small and of known pixels.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

/// Four quarters: red, green; blue, white.
pub const QUARTERS: [[u8; 3]; 4] = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]];

/// A picture of four quarters, in `format`.
pub fn quarters(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let picture = RgbImage::from_fn(width, height, |x, y| {
        Rgb(QUARTERS[usize::from(x >= width / 2) + 2 * usize::from(y >= height / 2)])
    });
    encoded(picture.into(), format)
}

/// A PNG that is transparent all over.
pub fn transparent(width: u32, height: u32) -> Vec<u8> {
    encoded(RgbaImage::from_pixel(width, height, Rgba([9, 9, 9, 0])).into(), ImageFormat::Png)
}

/// A JPEG whose EXIF says how its pixels are to be turned.
pub fn turned(width: u32, height: u32, orientation: u8) -> Vec<u8> {
    let mut exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    with_exif(&quarters(width, height, ImageFormat::Jpeg), &exif)
}

/// A JPEG that says where it was taken: 52° 30' 36" north, 13° 24' 18" west.
pub fn placed() -> Vec<u8> {
    let numbers = |numbers: &[u32]| -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
    };
    let exif = [
        // A directory of one entry: where that of the place is.
        b"II*\0\x08\0\0\0\x01\0\x25\x88\x04\0\x01\0\0\0\x1a\0\0\0\0\0\0\0".as_slice(),
        b"\x04\0\x01\0\x02\0\x02\0\0\0N\0\0\0\x02\0\x05\0\x03\0\0\0\x50\0\0\0",
        b"\x03\0\x02\0\x02\0\0\0W\0\0\0\x04\0\x05\0\x03\0\0\0\x68\0\0\0\0\0\0\0",
        &numbers(&[52, 1, 30, 1, 36, 1]),
        &numbers(&[13, 1, 24, 1, 18, 1]),
    ];
    with_exif(&quarters(40, 20, ImageFormat::Jpeg), &exif.concat())
}

fn with_exif(jpeg: &[u8], exif: &[u8]) -> Vec<u8> {
    let length = u16::try_from(exif.len() + 8).unwrap().to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, b"Exif\0\0", exif, &jpeg[2..]].concat()
}

/// A JPEG that ends in the middle of its pixels.
pub fn truncated() -> Vec<u8> {
    let rocket = crate::sandbox::ROCKET;
    rocket[..rocket.len() / 2].to_vec()
}

fn encoded(picture: DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}
