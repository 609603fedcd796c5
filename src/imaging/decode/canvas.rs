//! What an animation shows: each frame is a patch on what the one before left.

use image::{Pixel, RgbaImage};

/// The picture that the patches are laid on.
pub(super) struct Canvas {
    pixels: RgbaImage,
}

/// One frame as it is stored.
pub(super) struct Patch<'p> {
    pub left: u32,
    pub top: u32,
    pub pixels: &'p RgbaImage,
}

/// What becomes of a patch before the next one is laid.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Disposal {
    /// It stays.
    Keep,
    /// Its place becomes transparent.
    Clear,
    /// What was there before it comes back.
    Restore,
}

impl Canvas {
    /// A transparent canvas.
    pub(super) fn new((width, height): (u32, u32)) -> Self {
        Self { pixels: RgbaImage::new(width, height) }
    }

    /// Lays a patch, which may reach beyond the canvas, and gives the picture that is then seen. `blend` lets what lies
    /// beneath show through.
    pub(super) fn show(&mut self, patch: &Patch<'_>, blend: bool, disposal: Disposal) -> RgbaImage {
        let before = (disposal == Disposal::Restore).then(|| self.pixels.clone());
        self.lay(
            patch,
            |beneath, pixel| {
                if blend { beneath.blend(pixel) } else { *beneath = *pixel }
            },
        );
        let shown = self.pixels.clone();
        match before {
            Some(before) => self.pixels = before,
            None if disposal == Disposal::Clear => {
                self.lay(patch, |beneath, _| *beneath = image::Rgba([0; 4]));
            }
            None => {}
        }
        shown
    }

    fn lay(&mut self, patch: &Patch<'_>, put: impl Fn(&mut image::Rgba<u8>, &image::Rgba<u8>)) {
        for (x, y, pixel) in patch.pixels.enumerate_pixels() {
            let (x, y) = (patch.left.saturating_add(x), patch.top.saturating_add(y));
            if let Some(beneath) = self.pixels.get_pixel_mut_checked(x, y) {
                put(beneath, pixel);
            }
        }
    }
}
