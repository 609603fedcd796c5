//! Pixels, and the frames of an animation.

use image::RgbaImage;

use super::control::{Control, Failure};

/// A picture in sRGB, eight bits a channel, with straight alpha. There is always at least one frame, and all have one size.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    /// The first frame; all there is of a still picture.
    pub first: Frame,
    /// The frames that follow.
    pub rest: Vec<Frame>,
    /// How often an animation plays; 0 is for ever.
    pub plays: u32,
    /// Whether any pixel may be transparent. When not, every alpha is 255.
    pub has_alpha: bool,
}

/// One picture of an animation.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    /// Its pixels.
    pub pixels: RgbaImage,
    /// How long it is shown, in milliseconds.
    pub delay: u32,
}

impl Picture {
    /// A picture that stands still.
    pub(super) fn still(pixels: RgbaImage, has_alpha: bool) -> Self {
        Self { first: Frame { pixels, delay: 0 }, rest: Vec::new(), plays: 0, has_alpha }
    }

    /// A picture of these frames, unless there is none.
    pub(super) fn animated(frames: Vec<Frame>, plays: u32, has_alpha: bool) -> Option<Self> {
        let mut frames = frames.into_iter();
        let first = frames.next()?;
        Some(Self { first, rest: frames.collect(), plays, has_alpha })
    }

    /// Width and height.
    pub(super) fn size(&self) -> (u32, u32) {
        self.first.pixels.dimensions()
    }

    /// Every frame.
    pub(super) fn frames(&self) -> impl Iterator<Item = &Frame> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    /// Puts `change` of every frame in its place.
    pub(super) fn map(
        &mut self,
        control: &Control,
        mut change: impl FnMut(RgbaImage) -> Result<RgbaImage, Failure>,
    ) -> Result<(), Failure> {
        for frame in std::iter::once(&mut self.first).chain(&mut self.rest) {
            control.check()?;
            frame.pixels = change(std::mem::take(&mut frame.pixels))?;
        }
        Ok(())
    }
}
