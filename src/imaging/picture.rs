//! Pixels, and the frames of an animation.

use std::borrow::Cow;

use image::{ImageBuffer, RgbaImage};

use super::{
    control::{Control, Failure},
    sample::Sample,
};
use crate::domain::transform::Round;

/// Pixels of one depth, with straight alpha.
pub(super) type Raster<S> = ImageBuffer<<S as Sample>::Pixel, Vec<S>>;

/// The rows of a raster, a pixel being its four samples.
pub(super) fn rows<S: Sample>(raster: &Raster<S>) -> impl Iterator<Item = &[[S; 4]]> {
    let length = raster.width().max(1) as usize * 4;
    raster.chunks_exact(length).map(|row| row.as_chunks::<4>().0)
}

/// The same, to be changed.
pub(super) fn rows_mut<S: Sample>(raster: &mut Raster<S>) -> impl Iterator<Item = &mut [[S; 4]]> {
    let length = raster.width().max(1) as usize * 4;
    raster.chunks_exact_mut(length).map(|row| row.as_chunks_mut::<4>().0)
}

/// Pixels of either depth.
#[derive(Debug, Clone)]
pub(super) enum Pixels {
    /// Eight bits a channel.
    Eight(Raster<u8>),
    /// Sixteen bits a channel: where the source has them and the result keeps them.
    Sixteen(Raster<u16>),
}

/// A picture in sRGB, or in the colours of `icc`, with straight alpha. There is always at least one frame, and all have
/// one size and one depth.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    /// The first frame; all there is of a still picture.
    pub first: Frame,
    /// The frames that follow.
    pub rest: Vec<Frame>,
    /// How often an animation plays; 0 is for ever.
    pub plays: u32,
    /// Whether any pixel may be transparent. When not, every alpha is full.
    pub has_alpha: bool,
    /// The profile of the colours that the pixels are in; `None` is sRGB.
    pub icc: Option<Vec<u8>>,
    /// What the file said besides its pixels, as far as the result keeps it.
    pub metadata: Metadata,
    /// How the corners were rounded last, for a border that follows.
    pub outline: Option<Round>,
}

/// What a file says besides its pixels, each block as the formats hold it.
#[derive(Debug, Clone, Default)]
pub(super) struct Metadata {
    /// A TIFF structure, without any prefix; its orientation is 1.
    pub exif: Option<Vec<u8>>,
    /// An XML packet.
    pub xmp: Option<Vec<u8>>,
    /// IPTC-IIM records, without Photoshop's wrapping.
    pub iptc: Option<Vec<u8>>,
}

/// One picture of an animation.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    /// Its pixels.
    pub pixels: Pixels,
    /// How long it is shown, in milliseconds.
    pub delay: u32,
}

impl Pixels {
    /// Width and height.
    pub(super) fn size(&self) -> (u32, u32) {
        match self {
            Pixels::Eight(raster) => raster.dimensions(),
            Pixels::Sixteen(raster) => raster.dimensions(),
        }
    }

    /// In eight bits a channel.
    pub(super) fn eight(&self) -> Cow<'_, RgbaImage> {
        match self {
            Pixels::Eight(raster) => Cow::Borrowed(raster),
            Pixels::Sixteen(raster) => {
                let (width, height) = raster.dimensions();
                let bytes =
                    raster.as_raw().iter().map(|sample| u8::nearest(sample.float() / 257.0));
                let raster = RgbaImage::from_raw(width, height, bytes.collect());
                Cow::Owned(raster.unwrap_or_default())
            }
        }
    }
}

impl Picture {
    /// A picture that stands still.
    pub(super) fn still(pixels: Pixels, has_alpha: bool) -> Self {
        Self::of(Frame { pixels, delay: 0 }, Vec::new(), 0, has_alpha)
    }

    /// A picture of these frames, unless there is none.
    pub(super) fn animated(frames: Vec<Frame>, plays: u32, has_alpha: bool) -> Option<Self> {
        let mut frames = frames.into_iter();
        let first = frames.next()?;
        Some(Self::of(first, frames.collect(), plays, has_alpha))
    }

    fn of(first: Frame, rest: Vec<Frame>, plays: u32, has_alpha: bool) -> Self {
        let metadata = Metadata::default();
        Self { first, rest, plays, has_alpha, icc: None, metadata, outline: None }
    }

    /// Width and height.
    pub(super) fn size(&self) -> (u32, u32) {
        self.first.pixels.size()
    }

    /// Every frame.
    pub(super) fn frames(&self) -> impl Iterator<Item = &Frame> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    /// Puts `change` of every frame in its place.
    pub(super) fn map(
        &mut self,
        control: &Control,
        mut change: impl FnMut(Pixels) -> Result<Pixels, Failure>,
    ) -> Result<(), Failure> {
        for frame in std::iter::once(&mut self.first).chain(&mut self.rest) {
            control.check()?;
            let pixels = std::mem::replace(&mut frame.pixels, Pixels::Eight(RgbaImage::default()));
            frame.pixels = change(pixels)?;
        }
        Ok(())
    }
}
