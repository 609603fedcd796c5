//! How alike two pictures look: SSIMULACRA2, in which 100 is the same and 70 high quality.

use ssimulacra2::{
    ColorPrimaries, LinearRgb, Rgb, TransferCharacteristic, compute_frame_ssimulacra2,
};

/// A decoded file.
pub struct Picture {
    pub width: u32,
    pub height: u32,
    /// Rows of red, green, blue and alpha, in sRGB.
    pub rgba: Vec<u8>,
}

/// A picture on grey, finer than bytes: red, green and blue in sRGB, 0 to 1.
pub struct Float {
    pub width: u32,
    pub height: u32,
    pub pixels: Vec<[f32; 3]>,
}

impl Picture {
    /// On grey, where it is transparent; of what is larger than `width` and `height` the middle.
    pub fn shown(&self, width: u32, height: u32) -> Float {
        let [left, top] = [self.width.checked_sub(width), self.height.checked_sub(height)]
            .map(|more| more.expect("no result is smaller than was asked for") as usize / 2);
        let rows = self.rgba.chunks_exact(self.width as usize * 4).skip(top).take(height as usize);
        let pixels = rows.flat_map(|row| {
            row.as_chunks().0.iter().skip(left).take(width as usize).map(|pixel: &[u8; 4]| {
                let [red, green, blue, alpha] = pixel.map(|byte| f32::from(byte) / 255.0);
                [red, green, blue].map(|value| value * alpha + 0.5 * (1.0 - alpha))
            })
        });
        Float { width, height, pixels: pixels.collect() }
    }
}

/// How alike `made` looks to `reference`, which is as large.
pub fn score(reference: &Float, made: &Float) -> f64 {
    compute_frame_ssimulacra2(linear(reference), linear(made)).expect("they are as large")
}

fn linear(picture: &Float) -> LinearRgb {
    let (width, height) = (picture.width as usize, picture.height as usize);
    let (srgb, primaries) = (TransferCharacteristic::SRGB, ColorPrimaries::BT709);
    let picture = Rgb::new(picture.pixels.clone(), width, height, srgb, primaries);
    let picture = picture.expect("there are as many pixels as the size says");
    LinearRgb::try_from(picture).expect("sRGB is known")
}
