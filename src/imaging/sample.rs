//! The two depths that pictures are worked on in.

use std::{borrow::Cow, sync::Arc};

use fast_image_resize::{
    PixelTrait,
    pixels::{U8x4, U16x4},
};
use image::{Pixel, Primitive, Rgba};
use moxcms::{ColorProfile, Layout, TransformExecutor, TransformOptions};

/// One channel of one pixel. Steps are written once for both depths.
pub(super) trait Sample:
    Primitive + Default + bytemuck::Pod + Send + Sync + 'static
{
    /// Four of them to the resizer.
    type Resized: PixelTrait;
    /// Four of them.
    type Pixel: Pixel<Subpixel = Self> + From<[Self; 4]> + Send + Sync + 'static;

    /// Full scale.
    const FULL: f32;

    /// 0 to [`Sample::FULL`], as a float.
    fn float(self) -> f32;
    /// The nearest sample; what is out of range becomes the end of the range.
    fn nearest(value: f32) -> Self;
    /// The sample that is as much of full scale as `byte` is of 255.
    fn from_byte(byte: u8) -> Self;
    /// Its place among all samples, from 0.
    fn index(self) -> usize;
    /// Samples as files of most formats hold them: the high byte first.
    fn from_big_endian(bytes: &[u8]) -> Cow<'_, [Self]>;
    /// The same the other way round.
    fn to_big_endian(samples: &[Self]) -> Cow<'_, [u8]>;
    /// How colours of one profile, laid out as `layout` says, become RGBA of another.
    fn transform(
        from: &ColorProfile,
        layout: Layout,
        to: &ColorProfile,
        options: TransformOptions,
    ) -> Option<Arc<dyn TransformExecutor<Self> + Send + Sync>>;
}

impl Sample for u8 {
    type Resized = U8x4;
    type Pixel = Rgba<u8>;

    const FULL: f32 = 255.0;

    fn float(self) -> f32 {
        self.into()
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // The cast saturates.
    fn nearest(value: f32) -> Self {
        value.round() as u8
    }

    fn from_byte(byte: u8) -> Self {
        byte
    }

    fn index(self) -> usize {
        self.into()
    }

    fn from_big_endian(bytes: &[u8]) -> Cow<'_, [Self]> {
        Cow::Borrowed(bytes)
    }

    fn to_big_endian(samples: &[Self]) -> Cow<'_, [u8]> {
        Cow::Borrowed(samples)
    }

    fn transform(
        from: &ColorProfile,
        layout: Layout,
        to: &ColorProfile,
        options: TransformOptions,
    ) -> Option<Arc<dyn TransformExecutor<Self> + Send + Sync>> {
        from.create_transform_8bit(layout, to, Layout::Rgba, options).ok()
    }
}

impl Sample for u16 {
    type Resized = U16x4;
    type Pixel = Rgba<u16>;

    const FULL: f32 = 65535.0;

    fn float(self) -> f32 {
        self.into()
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // The cast saturates.
    fn nearest(value: f32) -> Self {
        value.round() as u16
    }

    fn from_byte(byte: u8) -> Self {
        u16::from(byte) * 257
    }

    fn index(self) -> usize {
        self.into()
    }

    fn from_big_endian(bytes: &[u8]) -> Cow<'_, [Self]> {
        bytes.as_chunks::<2>().0.iter().map(|sample| u16::from_be_bytes(*sample)).collect()
    }

    fn to_big_endian(samples: &[Self]) -> Cow<'_, [u8]> {
        samples.iter().flat_map(|sample| sample.to_be_bytes()).collect()
    }

    fn transform(
        from: &ColorProfile,
        layout: Layout,
        to: &ColorProfile,
        options: TransformOptions,
    ) -> Option<Arc<dyn TransformExecutor<Self> + Send + Sync>> {
        from.create_transform_16bit(layout, to, Layout::Rgba, options).ok()
    }
}
