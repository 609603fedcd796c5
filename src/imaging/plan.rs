//! Every size that a transformation passes through, computed and checked before a pixel is decoded.

use super::{probe::Probe, steps};
use crate::domain::{
    error::{Code, Error, Result},
    limits::Limits,
    transform::Operation,
};

/// Refuses what would pass a limit at any step, and names the step.
pub(super) fn check(
    probe: &Probe,
    frames: u32,
    operations: &[Operation],
    limits: &Limits,
) -> Result<()> {
    let mut size = (probe.width, probe.height);
    for operation in operations {
        size = steps::size_after(operation, size)?;
        within(limits, size, frames).map_err(|problem| {
            Error::new(Code::ImageTooLarge, format!("{} would make {problem}", operation.name()))
        })?;
    }
    Ok(())
}

/// Whether `frames` pictures of `size` are within the limits; else how they are not.
pub(super) fn within(limits: &Limits, size: (u32, u32), frames: u32) -> Result<(), String> {
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
