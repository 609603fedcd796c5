//! Pictures as light, and what the eye makes of it.

use std::sync::LazyLock;

use image::RgbaImage;

use super::Channel;

/// The measure's own smallest side. What is smaller is repeated until it is not.
pub(super) const SMALLEST: usize = 8;

/// Steps between two values of eight bits.
const FINE: u32 = 16;

/// Light of a value in sRGB, in sixteenths of a step of eight bits.
static LINEAR: LazyLock<Vec<f32>> = LazyLock::new(|| {
    #[allow(clippy::cast_possible_truncation)] // To a float of fewer digits.
    let linear = |value| {
        let value = f64::from(value) / f64::from(255 * FINE);
        let light =
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) };
        light as f32
    };
    (0..=255 * FINE).map(linear).collect()
});

/// Red, green and blue light, 0 to 1, each in a plane.
pub(super) struct Light {
    pub width: usize,
    pub height: usize,
    planes: [Vec<f32>; 3],
}

/// One channel of a picture.
pub(super) struct Plane {
    pub width: usize,
    pub samples: Vec<f32>,
}

impl Light {
    /// The light of a picture, on grey where something is transparent.
    pub(super) fn of(picture: &RgbaImage) -> Self {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let (across, down) = (width.max(SMALLEST), height.max(SMALLEST));
        let mut planes = [(); 3].map(|()| Vec::with_capacity(across * down));
        let linear = LINEAR.as_slice();
        for row in picture.chunks_exact((width * 4).max(4)).cycle().take(down) {
            let pixels = row.as_chunks::<4>().0.iter();
            for (index, plane) in planes.iter_mut().enumerate() {
                let light = pixels.clone().cycle().take(across).map(|pixel| {
                    let [value, alpha] =
                        [pixel.get(index), pixel.last()].map(|v| u32::from(*v.unwrap_or(&0)));
                    let value = match alpha {
                        255 => value * FINE,
                        _ => (value * FINE * alpha + 255 * FINE / 2 * (255 - alpha) + 127) / 255,
                    };
                    linear.get(value as usize).copied().unwrap_or_default()
                });
                plane.extend(light);
            }
        }
        Self { width: across, height: down, planes }
    }

    /// Half as large, the mean of two by two; where a side is odd its last is counted twice.
    pub(super) fn halved(&self) -> Self {
        let (width, height) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let planes = self.planes.each_ref().map(|plane| {
            let mut half = Vec::with_capacity(width * height);
            for rows in plane.chunks(self.width * 2) {
                let (upper, lower) = rows.split_at(self.width);
                let lower = if lower.is_empty() { upper } else { lower };
                let (pairs, last) = upper.as_chunks::<2>();
                let (pairs_below, last_below) = lower.as_chunks::<2>();
                let mean = |([a, b], [c, d]): (&[f32; 2], &[f32; 2])| (a + b + c + d) * 0.25;
                half.extend(pairs.iter().zip(pairs_below).map(mean));
                half.extend(last.iter().zip(last_below).map(|(a, c)| (a + c) * 0.5));
            }
            half
        });
        Self { width, height, planes }
    }

    /// A channel of XYB, moved and stretched so that it lies between 0 and 1.
    pub(super) fn channel(&self, channel: Channel) -> Plane {
        let [red, green, blue] = self.planes.each_ref().map(Vec::as_slice);
        let light = red.iter().zip(green).zip(blue);
        let cones = light.map(|((red, green), blue)| [*red, *green, *blue]);
        let samples = match channel {
            Channel::X => cones.map(|light| (long(light) - middle(light)) * 7.0 + 0.42).collect(),
            Channel::Y => cones.map(|light| luma(light) + 0.01).collect(),
            Channel::B => cones.map(|light| short(light) - luma(light) + 0.55).collect(),
        };
        Plane { width: self.width, samples }
    }
}

/// What is never dark, however little light there is.
const BIAS: f32 = 0.003_793_073_4;
/// Its cube root.
const BIAS_ROOT: f32 = 0.155_954_2;

/// What the cones for long waves tell.
fn long([red, green, blue]: [f32; 3]) -> f32 {
    root(0.3 * red + 0.622 * green + 0.078 * blue + BIAS) - BIAS_ROOT
}

/// The same for middle waves.
fn middle([red, green, blue]: [f32; 3]) -> f32 {
    root(0.23 * red + 0.692 * green + 0.078 * blue + BIAS) - BIAS_ROOT
}

/// The same for short waves.
fn short([red, green, blue]: [f32; 3]) -> f32 {
    root(0.243_422_69 * red + 0.204_767_45 * green + 0.551_809_86 * blue + BIAS) - BIAS_ROOT
}

fn luma(light: [f32; 3]) -> f32 {
    (long(light) + middle(light)) * 0.5
}

/// The cube root of what is above zero, to within two of the last places: a third of the exponent, then twice Halley's step. Without
/// branches, so that many are taken at once.
#[inline(always)]
fn root(x: f32) -> f32 {
    let mut root = f32::from_bits(x.to_bits() / 3 + 0x2a51_1cd0);
    for _ in 0..2 {
        let cube = root * root * root;
        root = root * (cube + x + x) / (cube + cube + x);
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_exact() {
        for step in 0_u16..=10_000 {
            let x = BIAS + f32::from(step) / 10_000.0;
            let exact = x.cbrt();
            assert!((root(x) - exact).abs() <= exact * 3e-7, "{x}: {} {exact}", root(x));
        }
        assert!((root(BIAS) - BIAS_ROOT).abs() < 1e-7);
    }

    #[test]
    fn halves_of_odd_sides_count_the_last_twice() {
        let picture = RgbaImage::from_fn(9, 9, |x, y| {
            if x == 8 || y == 8 { image::Rgba([255; 4]) } else { image::Rgba([0, 0, 0, 255]) }
        });
        let half = Light::of(&picture).halved();
        assert_eq!((half.width, half.height), (5, 5));
        let bright = half.planes[0].iter().filter(|light| **light == 1.0).count();
        let dark = half.planes[0].iter().filter(|light| **light == 0.0).count();
        assert_eq!((bright, dark), (9, 16));
    }
}
