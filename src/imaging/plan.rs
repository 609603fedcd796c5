//! Every size that a transformation passes through, computed and checked before a pixel is decoded.

use super::{probe::Probe, steps, svg::View};
use crate::domain::{
    error::{Code, Error, Result},
    format::Format,
    limits::Limits,
    transform::Operation,
};

/// Width and height.
type Size = (u32, u32);

/// The size after every step of a picture of `size`. Refuses what would pass a limit, and names the step.
pub(super) fn check(
    mut size: Size,
    frames: u32,
    operations: &[Operation],
    limits: &Limits,
) -> Result<Vec<Size>> {
    let mut sizes = Vec::with_capacity(operations.len());
    for operation in operations {
        size = steps::size_after(operation, size)?;
        within(limits, size, frames).map_err(|problem| {
            Error::new(Code::ImageTooLarge, format!("{} would make {problem}", operation.name()))
        })?;
        sizes.push(size);
    }
    Ok(sizes)
}

/// Whether a picture stays in sixteen bits a channel on its way: where it has them and the result holds them.
pub(super) fn keeps_sixteen(probe: &Probe, output: Format) -> bool {
    probe.depth > 8 && matches!(output, Format::Png | Format::Tiff)
}

/// How a drawing is drawn at once as large as its first operation wants it, and what is left of that operation.
pub(super) fn view(probe: &Probe, operations: &[Operation]) -> Option<(View, Operation)> {
    let size = (probe.width, probe.height);
    (probe.format == Format::Svg).then(|| steps::view(operations, size)).flatten()
}

/// Whether `frames` pictures of `size` are within the limits; else how they are not.
pub(super) fn within(limits: &Limits, size: Size, frames: u32) -> Result<(), String> {
    let (width, height) = size;
    let pixels = u64::from(width) * u64::from(height);
    let picture = format!("{width} × {height} pixels");
    if width > limits.width {
        Err(format!("{picture}; at most {} across", limits.width))
    } else if height > limits.height {
        Err(format!("{picture}; at most {} down", limits.height))
    } else if pixels > limits.pixels {
        Err(format!("{picture}; at most {} in all", limits.pixels))
    } else if frames > 1 && pixels.saturating_mul(frames.into()) > limits.animation_pixels {
        let most = limits.animation_pixels;
        Err(format!("{frames} frames of {picture}; at most {most} pixels in all frames together"))
    } else {
        Ok(())
    }
}
