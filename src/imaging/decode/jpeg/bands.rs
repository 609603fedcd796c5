//! A JPEG in luma and chroma, in bands of rows, of every kind that has chroma at the size of luma or half of it.

use std::ops::Range;

use super::turbo::{Channel, Color, Decoder, Frame};
use crate::imaging::{
    control::{Control, Failure},
    planes::{Band, Part, Plane, Planes, Shape},
};

/// The bands of a picture while it is decoded.
pub(in crate::imaging) struct Bands<'a> {
    decoder: Decoder<'a>,
    shape: Shape,
    /// How often cells are read for a band.
    steps: u32,
    buffers: [Buffer; 3],
    /// The rows of luma that are wanted.
    rows: Range<u32>,
    /// The row of luma that is read next.
    at: u32,
    /// Whether it was begun to decode: of a file in several scans that reads all of them.
    is_started: bool,
}

/// The rows of one plane that a band has.
#[derive(Default)]
struct Buffer {
    samples: Vec<u8>,
    stride: usize,
    channel: Channel,
}

impl<'a> Bands<'a> {
    /// Reads the header; the first band begins to decode. `None` of what is not grey and not luma with two of chroma, or has chroma at another size than that of luma
    /// or half of it. The shape is that of what is decoded: at a smaller scale chroma may be as large as luma where the file has it
    /// at half the size.
    ///
    /// # Errors
    /// `image_corrupt`; what is asked of the control.
    pub(in crate::imaging) fn open(
        input: &'a [u8],
        part: Part,
        control: &'a Control,
    ) -> Result<Option<Self>, Failure> {
        let mut decoder = Decoder::open(input, control)?;
        let color = decoder.color();
        if !matches!(color, Color::Grey | Color::Ycbcr) {
            return Ok(None);
        }
        let frame = *decoder.plan(part.eighths, true)?;
        let Some(shape) = shape(color, &frame) else { return Ok(None) };
        let [luma, ..] = frame.channels;
        // The fewest that make a multiple of eight rows.
        let steps = (1..8).find(|steps| (steps * luma.cell_height).is_multiple_of(8)).unwrap_or(8);
        let rows = part.rows.start..part.rows.end.min(frame.height);
        let buffers = frame.channels.map(|channel| Buffer::new(channel, steps));
        Ok(Some(Self { decoder, shape, steps, buffers, rows, at: 0, is_started: false }))
    }

    /// Width and height of luma.
    pub(super) const fn size(&self) -> (u32, u32) {
        (self.decoder.frame().width, self.decoder.frame().height)
    }

    /// Reads what the buffers have room for, or what is left. Where nothing of it is wanted they stay as they are.
    fn read(&mut self, is_idle: bool) -> Result<(), Failure> {
        let height = self.decoder.frame().height;
        for step in 0..self.steps {
            if self.at >= height {
                break;
            }
            let strides = self.buffers.each_ref().map(|buffer| buffer.stride);
            let planes = self.buffers.each_mut().map(|buffer| buffer.cells(step));
            self.decoder.cells(planes, strides, is_idle)?;
            let [luma, ..] = &self.buffers;
            self.at += luma.channel.cell_height;
        }
        // Whoever has the last band knows that the file is whole.
        if self.at >= height {
            self.decoder.finish()
        } else if self.at >= self.rows.end {
            self.decoder.skip_to_end()
        } else {
            Ok(())
        }
    }
}

impl Planes for Bands<'_> {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn next(&mut self) -> Result<Option<Band<'_>>, Failure> {
        let height = self.decoder.frame().height;
        if !self.is_started {
            self.decoder.start()?;
            self.is_started = true;
        }
        loop {
            let top = self.at;
            if self.rows.is_empty() || top >= self.rows.end {
                return Ok(None);
            }
            let [luma, ..] = &self.buffers;
            let is_idle = top + luma.channel.cell_height * self.steps <= self.rows.start;
            self.read(is_idle)?;
            if is_idle {
                continue;
            }
            let rows = (self.at.min(height) - top) as usize;
            let [luma, blue, red] = &self.buffers;
            let planes = match self.shape {
                Shape::Grey => [luma.plane(rows), Plane::NONE, Plane::NONE],
                Shape::Color { down, .. } => {
                    let fewer = rows.div_ceil(down);
                    [luma.plane(rows), blue.plane(fewer), red.plane(fewer)]
                }
            };
            return Ok(Some(Band { top, planes }));
        }
    }
}

impl Buffer {
    fn new(channel: Channel, steps: u32) -> Self {
        if channel.columns == 0 {
            return Self::default();
        }
        // Rows begin where vectors do.
        let stride = (channel.columns as usize + Plane::SLACK).next_multiple_of(Plane::SLACK);
        Self { samples: vec![0; channel.room(stride) * steps as usize], stride, channel }
    }

    /// The rows of so manieth cells.
    fn cells(&mut self, step: u32) -> &mut [u8] {
        let length = self.channel.room(self.stride);
        self.samples.get_mut(length * step as usize..).unwrap_or_default()
    }

    /// The first rows.
    fn plane(&self, rows: usize) -> Plane<'_> {
        let samples = self.samples.get(..self.stride * rows).unwrap_or_default();
        Plane { samples, stride: self.stride, width: self.channel.width as usize, rows }
    }
}

/// How the channels lie to each other, where [`Shape`] can say it.
fn shape(color: Color, frame: &Frame) -> Option<Shape> {
    let [luma, blue, red] = frame.channels;
    if color == Color::Grey {
        return Some(Shape::Grey);
    }
    let ratio = |of: u32, to: u32| match of.checked_div(to) {
        Some(ratio @ (1 | 2)) if ratio * to == of => Some(ratio as usize),
        _ => None,
    };
    let of = |chroma: Channel| {
        let across = ratio(luma.cell_width, chroma.cell_width)?;
        let down = ratio(luma.cell_height, chroma.cell_height)?;
        Some(Shape::Color { across, down })
    };
    of(blue).filter(|shape| of(red) == Some(*shape))
}
