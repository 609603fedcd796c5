//! Rows of light back to rows of samples.

use super::light::{FULL, Light};
use crate::imaging::picture::Raster;

/// A picture that is filled row by row.
pub(super) struct Paint {
    samples: Box<[u8]>,
    picture: Raster<u8>,
    /// Bytes that are filled.
    at: usize,
}

impl Paint {
    pub(super) fn new((width, height): (u32, u32), light: &Light) -> Self {
        Self { samples: light.samples(), picture: Raster::<u8>::new(width, height), at: 0 }
    }

    /// The next row, of what has no alpha.
    pub(super) fn opaque(&mut self, lights: &[[i16; 4]]) {
        let samples = &self.samples;
        let of = |light: i16| sample(samples, light);
        let row = self.picture.get_mut(self.at..self.at + lights.len() * 4).unwrap_or_default();
        for (pixel, [red, green, blue, _]) in row.as_chunks_mut::<4>().0.iter_mut().zip(lights) {
            *pixel = [of(*red), of(*green), of(*blue), 255];
        }
        self.at += lights.len() * 4;
    }

    /// The next row, of grey.
    pub(super) fn grey(&mut self, lights: &[[i16; 4]]) {
        let samples = &self.samples;
        let row = self.picture.get_mut(self.at..self.at + lights.len() * 4).unwrap_or_default();
        for (pixel, [light, ..]) in row.as_chunks_mut::<4>().0.iter_mut().zip(lights) {
            let grey = sample(samples, *light);
            *pixel = [grey, grey, grey, 255];
        }
        self.at += lights.len() * 4;
    }

    /// The next row, of colours that are multiplied by their alpha, which is in units of 1/64.
    pub(super) fn veiled(&mut self, lights: &[[i16; 4]]) {
        const OPAQUE: i16 = 255 << 6;
        let samples = &self.samples;
        let row = self.picture.get_mut(self.at..self.at + lights.len() * 4).unwrap_or_default();
        for (pixel, [red, green, blue, alpha]) in row.as_chunks_mut::<4>().0.iter_mut().zip(lights)
        {
            if *alpha == OPAQUE {
                *pixel =
                    [sample(samples, *red), sample(samples, *green), sample(samples, *blue), 255];
                continue;
            }
            // Beside edges it may be more than all there is, and so are the colours.
            let transparency = u8::try_from((i32::from(*alpha) + 32).max(0) >> 6).unwrap_or(255);
            if transparency == 0 {
                *pixel = [0; 4];
                continue;
            }
            let share = f32::from(OPAQUE) / f32::from(*alpha);
            #[allow(clippy::cast_possible_truncation)] // The cast saturates.
            let of = |light: i16| sample(samples, (f32::from(light) * share).round() as i16);
            *pixel = [of(*red), of(*green), of(*blue), transparency];
        }
        self.at += lights.len() * 4;
    }

    /// The picture.
    pub(super) fn finish(self) -> Raster<u8> {
        self.picture
    }
}

/// The sample of a light, which may be a little out of range.
#[inline]
fn sample(samples: &[u8], light: i16) -> u8 {
    let place = usize::try_from(light.max(0)).unwrap_or(0).min(FULL - 1);
    samples.get(place).copied().unwrap_or(255)
}
