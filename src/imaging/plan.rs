//! Every size that a transformation passes through, computed and checked before a pixel is decoded.

use super::{encode, probe::Probe, reduce::Reduction, steps, svg};
use crate::domain::{
    error::{Code, Error, Result},
    format::Format,
    limits::Limits,
    transform::{Operation, Spec},
};

/// Width and height.
type Size = (u32, u32);

/// How a picture goes its way.
pub(super) struct Plan {
    /// What the result is.
    pub format: Format,
    /// How many frames it has.
    pub frames: u32,
    /// Whether it stays in sixteen bits a channel.
    pub sixteen: bool,
    /// What is done while it is decoded; else why nothing is.
    pub early: std::result::Result<Early, &'static str>,
}

impl Plan {
    /// The way of a picture that is `probe` by `spec`.
    pub(super) fn of(probe: &Probe, spec: &Spec) -> Self {
        let format = spec.output(probe.source());
        let frames = if encode::is_animated(format) { probe.frames.max(1) } else { 1 };
        let sixteen = keeps_sixteen(probe, format);
        Self { format, frames, sixteen, early: early(probe, spec, frames, sixteen) }
    }

    /// Refuses what would pass a limit, or what the format has no room for, as far as that is known before a trim.
    pub(super) fn check(
        &self,
        size: Size,
        operations: &[Operation],
        limits: &Limits,
    ) -> Result<()> {
        match check(size, self.frames, operations, limits)? {
            Some(size) => encode::check(self.format, size),
            None => Ok(()),
        }
    }
}

/// The size that a picture of `size` comes to. Refuses what would pass a limit, and names the step. `None` where something is
/// trimmed: only the pixels tell what the steps after it work on, and what is left may be of any ratio.
fn check(
    mut size: Size,
    frames: u32,
    operations: &[Operation],
    limits: &Limits,
) -> Result<Option<Size>> {
    for operation in operations {
        if matches!(operation, Operation::Trim(_)) {
            return Ok(None);
        }
        size = next(size, frames, operation, limits)?;
    }
    Ok(Some(size))
}

fn next(size: Size, frames: u32, operation: &Operation, limits: &Limits) -> Result<Size> {
    let size = steps::size_after(operation, size)?;
    within(limits, size, frames).map_err(|problem| {
        Error::new(Code::ImageTooLarge, format!("{} would make {problem}", operation.name()))
    })?;
    Ok(size)
}

/// The size after every step, as far as it is known; from the first trim on, the most that it can be within the limits.
pub(super) fn most(
    mut size: Size,
    frames: u32,
    operations: &[Operation],
    limits: &Limits,
) -> Result<Vec<Size>> {
    let pixels = limits.pixels.min(limits.animation_pixels / u64::from(frames.max(1)));
    let mut is_known = true;
    let mut sizes = Vec::with_capacity(operations.len());
    for operation in operations {
        is_known &= !matches!(operation, Operation::Trim(_));
        if is_known {
            size = next(size, frames, operation, limits)?;
            sizes.push(size);
        } else {
            let (width, height) = steps::most_after(operation, size, limits)?;
            size = (width.min(limits.width), height.min(limits.height));
            // Both sides at their longest may be more pixels than are ever made.
            let rows = u32::try_from(pixels / u64::from(size.0.max(1))).unwrap_or(u32::MAX);
            sizes.push((size.0, size.1.min(rows.max(1))));
        }
    }
    Ok(sizes)
}

/// Whether a picture stays in sixteen bits a channel on its way: where it has them and the result holds them.
fn keeps_sixteen(probe: &Probe, output: Format) -> bool {
    probe.depth > 8 && matches!(output, Format::Png | Format::Tiff)
}

/// What is done while a picture is decoded.
pub(super) struct Early {
    /// How it is decoded.
    pub view: View,
    /// How many of the operations that stands for.
    pub count: usize,
    /// What is left of them.
    pub left: Option<Operation>,
}

impl Early {
    /// The size of what is decoded, upright.
    pub(super) const fn size(&self) -> Size {
        match self.view {
            View::Drawn(view) => view.size,
            View::Reduced(reduction) => reduction.size,
        }
    }
}

/// How a picture is decoded so that the first operations are done with it.
#[derive(Debug, Clone, Copy)]
pub(super) enum View {
    /// A drawing, as large as it is wanted.
    Drawn(svg::View),
    /// Pixels that are mixed to fewer; of the upright picture.
    Reduced(Reduction),
}

/// What can be done while the picture is decoded; else why nothing can.
fn early(
    probe: &Probe,
    spec: &Spec,
    frames: u32,
    keeps_sixteen: bool,
) -> Result<Early, &'static str> {
    let size = (probe.width, probe.height);
    if probe.format == Format::Svg {
        let (view, left) =
            steps::view(&spec.operations, size).ok_or("it is not made larger first of all")?;
        return Ok(Early { view: View::Drawn(view), count: 1, left });
    }
    let (reduction, count, left) = steps::reduction(&spec.operations, size, spec.profile)
        .ok_or("it is not made smaller first of all")?;
    match () {
        () if frames > 1 => Err("its frames lie on each other"),
        () if keeps_sixteen => Err("sixteen bits are kept"),
        () if !probe.in_rows => Err("it can't be read row by row"),
        () => Ok(Early { view: View::Reduced(reduction), count, left }),
    }
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
