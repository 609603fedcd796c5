//! How alike two pictures look: SSIMULACRA2 (Sneyers 2022), the mean of what people said of compressed pictures. 100 is the
//! same; 90 can't be told apart even when flickering between both, 80 not side by side, 70 shows to those who look for it,
//! 50 is medium quality.

use image::RgbaImage;
use ssimulacra2::{
    ColorPrimaries, LinearRgb, Rgb, TransferCharacteristic, compute_frame_ssimulacra2,
};

use crate::domain::error::{Error, Result};

/// The measure's own smallest side.
const SMALLEST: u32 = 8;

/// A picture to compare others with.
pub(super) struct Reference(LinearRgb);

impl Reference {
    pub(super) fn new(picture: &RgbaImage) -> Result<Self> {
        linear(picture).map(Self)
    }

    /// How alike `other`, a picture of the same size, looks.
    pub(super) fn score(&self, other: &RgbaImage) -> Result<f64> {
        compute_frame_ssimulacra2(self.0.clone(), linear(other)?).map_err(Error::internal)
    }
}

/// Light, on grey where something is transparent. What is too small for the measure is repeated until it is not.
fn linear(picture: &RgbaImage) -> Result<LinearRgb> {
    let (width, height) = picture.dimensions();
    let (across, down) = (width.max(SMALLEST), height.max(SMALLEST));
    let mut pixels = Vec::with_capacity(across as usize * down as usize);
    for y in 0..down {
        for x in 0..across {
            let pixel = picture.get_pixel_checked(x % width.max(1), y % height.max(1));
            let [red, green, blue, alpha] =
                pixel.map_or([0; 4], |pixel| pixel.0).map(|channel| f32::from(channel) / 255.0);
            pixels.push([red, green, blue].map(|channel| channel * alpha + 0.5 * (1.0 - alpha)));
        }
    }
    let (srgb, primaries) = (TransferCharacteristic::SRGB, ColorPrimaries::BT709);
    let picture = Rgb::new(pixels, across as usize, down as usize, srgb, primaries);
    LinearRgb::try_from(picture.map_err(Error::internal)?).map_err(Error::internal)
}
