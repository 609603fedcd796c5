//! Blocks of one colour each: the mean of what was there, on premultiplied alpha.

use crate::imaging::{
    control::{Control, Failure},
    picture::{Raster, rows, rows_mut},
    sample::Sample,
};

/// Gives every block of `side` × `side` pixels, counted from the top left, its mean colour. Blocks at the right and bottom
/// edges are what is left.
pub(super) fn pixelate<S: Sample>(
    frame: &mut Raster<S>,
    side: u32,
    control: &Control,
) -> Result<(), Failure> {
    let side = side.max(1) as usize;
    let blocks = (frame.width() as usize).div_ceil(side);
    let height = frame.height() as usize;
    let mut means: Vec<[f64; 5]> = Vec::new();
    for top in (0..height).step_by(side) {
        means.clear();
        means.resize(blocks, [0.0; 5]);
        for row in rows::<S>(frame).skip(top).take(side) {
            control.check()?;
            for (block, mean) in row.chunks(side).zip(&mut means) {
                for pixel in block {
                    let [red, green, blue, alpha] = pixel.map(|sample| f64::from(sample.float()));
                    let parts = [red * alpha, green * alpha, blue * alpha, alpha, 1.0];
                    mean.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
                }
            }
        }
        for row in rows_mut::<S>(frame).skip(top).take(side) {
            control.check()?;
            for (block, mean) in row.chunks_mut(side).zip(&means) {
                block.fill(color(*mean));
            }
        }
    }
    Ok(())
}

#[allow(clippy::cast_possible_truncation)] // Means of samples.
fn color<S: Sample>([red, green, blue, alpha, count]: [f64; 5]) -> [S; 4] {
    if alpha <= 0.0 {
        return [S::from_byte(0); 4];
    }
    [red / alpha, green / alpha, blue / alpha, alpha / count].map(|mean| S::nearest(mean as f32))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use image::{Rgba, RgbaImage};

    use super::*;

    #[test]
    fn blocks_get_their_means_and_what_is_hidden_does_not_count() {
        let mut frame = RgbaImage::from_fn(5, 3, |x, y| match (x, y) {
            (0, 0) => Rgba([255, 0, 0, 0]),
            (x, _) if x < 2 => Rgba([0, 100, 0, 255]),
            (4, _) => Rgba([7, 8, 9, 255]),
            (x, _) => Rgba([if x == 2 { 10 } else { 30 }, 0, 0, 255]),
        });
        pixelate::<u8>(&mut frame, 2, &Control::default()).unwrap();
        let at = |x, y| frame.get_pixel(x, y).0;
        // A quarter of the first block is transparent, and its red is not seen.
        assert_eq!((at(0, 0), at(1, 1)), ([0, 100, 0, 191], [0, 100, 0, 191]));
        assert_eq!((at(2, 0), at(3, 1)), ([20, 0, 0, 255], [20, 0, 0, 255]));
        assert_eq!((at(4, 0), at(4, 2)), ([7, 8, 9, 255], [7, 8, 9, 255]));
        assert_eq!(at(1, 2), [0, 100, 0, 255]);
    }
}
