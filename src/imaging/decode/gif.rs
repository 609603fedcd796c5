//! GIF, frame by frame as they are shown.

use gif::{ColorOutput, DecodeOptions, DisposalMethod, MemoryLimit, Repeat};

use super::{
    broken,
    canvas::{Canvas, Disposal, Patch},
    picture_of,
};
use crate::{
    domain::{format::Format, limits::Limits},
    imaging::{
        control::{Control, Failure},
        picture::{Frame, Picture, Pixels},
        watched::Watched,
    },
};

pub(super) fn decode(
    input: &[u8],
    frames: u32,
    limits: &Limits,
    control: &Control,
) -> Result<Picture, Failure> {
    let damaged = |cause: gif::DecodingError| broken(Format::Gif, cause);
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::RGBA);
    // A frame may reach beyond the canvas, but is no larger than a picture may be.
    if let Some(bytes) = std::num::NonZeroU64::new(limits.pixels.saturating_mul(4)) {
        options.set_memory_limit(MemoryLimit::Bytes(bytes));
    }
    let mut decoder = options.read_info(Watched::new(input, control)).map_err(damaged)?;
    let mut canvas = Canvas::new((decoder.width().into(), decoder.height().into()));
    let mut shown = Vec::new();
    let mut has_alpha = false;
    for _ in 0..frames {
        control.check()?;
        let Some(frame) = decoder.read_next_frame().map_err(damaged)? else { break };
        let (width, height) = (frame.width.into(), frame.height.into());
        let pixels = picture_of(width, height, frame.buffer.to_vec())?;
        let disposal = match frame.dispose {
            DisposalMethod::Any | DisposalMethod::Keep => Disposal::Keep,
            DisposalMethod::Background => Disposal::Clear,
            DisposalMethod::Previous => Disposal::Restore,
        };
        let patch = Patch { left: frame.left.into(), top: frame.top.into(), pixels: &pixels };
        let delay = u32::from(frame.delay) * 10;
        let pixels = canvas.show(&patch, true, disposal);
        has_alpha |= pixels.pixels().any(|pixel| pixel.0[3] < 255);
        shown.push(Frame { pixels: Pixels::Eight(pixels), delay });
    }
    // The file says how often it is repeated after the first time.
    let plays = match decoder.repeat() {
        Repeat::Infinite => 0,
        Repeat::Finite(again) => u32::from(again) + 1,
    };
    Ok(Picture::animated(shown, plays, has_alpha)
        .ok_or_else(|| broken(Format::Gif, "there is no frame"))?)
}
