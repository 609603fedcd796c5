//! A colour over the whole picture: as shades, or flat.

use super::rows::each_row;
use crate::{
    domain::color::Color,
    imaging::{
        color::Space,
        control::{Control, Failure},
        picture::Raster,
        sample::Sample,
    },
};

/// The share of each channel in the luma of Rec. 709.
const LUMA: [f32; 3] = [0.2126, 0.7152, 0.0722];

/// Shades of `color` as light as the picture was: from black over the colour itself, where the luma is the colour's own, to
/// white. The colour's alpha is how far; the picture's stays.
pub(super) fn tint<S: Sample>(
    frame: &mut Raster<S>,
    color: Color,
    space: &Space,
    control: &Control,
) -> Result<(), Failure> {
    let (color, share) = parts(color, space);
    let own = luma(color);
    mix(frame, share, control, |pixel| {
        let wanted = luma(pixel);
        if wanted <= own {
            color.map(|channel| channel * wanted / own.max(f32::EPSILON))
        } else {
            let rest = (wanted - own) / (1.0 - own);
            color.map(|channel| channel + (1.0 - channel) * rest)
        }
    })
}

/// `color` laid over the picture, as thickly as its alpha says; the picture's alpha stays.
pub(super) fn colorize<S: Sample>(
    frame: &mut Raster<S>,
    color: Color,
    space: &Space,
    control: &Control,
) -> Result<(), Failure> {
    let (color, share) = parts(color, space);
    mix(frame, share, control, |_| color)
}

/// The channels and the alpha, 0 to 1.
fn parts(color: Color, space: &Space) -> ([f32; 3], f32) {
    let [red, green, blue, alpha] =
        space.paint::<u16>(color).map(|channel| channel.float() / u16::FULL);
    ([red, green, blue], alpha)
}

fn luma(color: [f32; 3]) -> f32 {
    color.into_iter().zip(LUMA).map(|(channel, share)| channel * share).sum()
}

/// Goes `share` of the way from every pixel to what `to` makes of it, channels being 0 to 1.
fn mix<S: Sample>(
    frame: &mut Raster<S>,
    share: f32,
    control: &Control,
    to: impl Fn([f32; 3]) -> [f32; 3] + Sync,
) -> Result<(), Failure> {
    each_row::<S>(frame, control, |_, row| {
        for [red, green, blue, _] in row {
            let target = to([*red, *green, *blue].map(|sample| sample.float() / S::FULL));
            for (sample, target) in [red, green, blue].into_iter().zip(target) {
                let value = sample.float();
                *sample = S::nearest(value + (target * S::FULL - value) * share);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use image::{Rgba, RgbaImage};

    use super::*;
    use crate::imaging::color::SRGB;

    type Filter = fn(&mut RgbaImage, Color, &Space, &Control) -> Result<(), Failure>;

    fn of(pixel: [u8; 4], color: &str, filter: Filter) -> [u8; 4] {
        let mut frame = RgbaImage::from_pixel(1, 1, Rgba(pixel));
        filter(&mut frame, color.parse().unwrap(), &SRGB, &Control::default()).unwrap();
        frame.get_pixel(0, 0).0
    }

    #[test]
    fn a_tint_keeps_the_luma() {
        for color in ["#2f6fdf", "red", "#ffee00", "black", "white"] {
            for pixel in
                [[0, 0, 0, 9], [255, 255, 255, 255], [90, 160, 20, 255], [30, 30, 200, 128]]
            {
                let tinted = of(pixel, color, tint::<u8>);
                let light =
                    |[red, green, blue, _]: [u8; 4]| luma([red, green, blue].map(f32::from));
                assert!(
                    (light(tinted) - light(pixel)).abs() <= 1.0,
                    "{pixel:?} {color} {tinted:?}"
                );
                assert_eq!(tinted[3], pixel[3]);
            }
        }
        // The colour itself, where the luma is its own.
        assert_eq!(of([54, 54, 54, 255], "red", tint::<u8>), [254, 0, 0, 255]);
        assert_eq!(of([90, 160, 20, 255], "#ff000000", tint::<u8>), [90, 160, 20, 255]);
    }

    #[test]
    fn a_colour_is_laid_over_as_thickly_as_its_alpha_says() {
        assert_eq!(of([10, 20, 30, 77], "#c86432", colorize::<u8>), [200, 100, 50, 77]);
        assert_eq!(of([0, 100, 200, 255], "#ffffff80", colorize::<u8>), [128, 178, 228, 255]);
    }
}
