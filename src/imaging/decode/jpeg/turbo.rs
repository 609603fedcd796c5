//! libjpeg-turbo, through the flat functions of `turbo.c`.
#![allow(unsafe_code)] // A codec's border: C functions, and memory that they own.

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    io::BufRead,
    marker::PhantomData,
    ptr::NonNull,
};

// Linked for its library alone.
use turbojpeg_sys as _;

use super::super::{broken, corrupt};
use crate::{
    domain::{error::Error, format::Format},
    imaging::control::{Control, Failure},
};

/// Encoders write about ten. Each costs a walk over all pixels, however few bytes it has: a small file could keep a thread
/// busy for an hour.
const MAX_SCANS: c_int = 500;

const END_OF_IMAGE: u8 = 0xd9;

/// The decoder's own.
#[repr(C)]
struct Handle {
    private: [u8; 0],
}

/// What a file is, by its headers.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Info {
    width: u32,
    height: u32,
    color: u32,
    is_adobe: u32,
}

impl Info {
    const NONE: Self = Self { width: 0, height: 0, color: 0, is_adobe: 0 };
}

/// What the samples of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Color {
    Grey,
    Ycbcr,
    Rgb,
    /// Four inks, or luma, chroma and black.
    Inks,
}

/// One channel as it is stored, at the scale that was asked for.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Channel {
    /// Samples across that belong to the picture.
    pub width: u32,
    /// Samples down.
    pub height: u32,
    /// Samples that are written in each row, which may be more.
    pub columns: u32,
    /// Samples across of one cell, the least that is coded together of all channels.
    pub cell_width: u32,
    /// Samples down of it: so many rows are written at once.
    pub cell_height: u32,
}

impl Channel {
    /// How many samples rows of cells need, where there are `stride` from one row to the next.
    pub(super) fn room(&self, stride: usize) -> usize {
        stride * self.cell_height as usize
    }
}

/// What is decoded, at the scale that was asked for.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Frame {
    /// Pixels across: what is only partly in the picture counts.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// The first three channels; nothing of those that are not there.
    pub channels: [Channel; 3],
}

unsafe extern "C" {
    fn darkroom_turbo_new(
        stop: extern "C" fn(*const c_void) -> c_int,
        control: *const c_void,
        most_scans: c_int,
    ) -> *mut Handle;
    fn darkroom_turbo_close(turbo: *mut Handle);
    fn darkroom_turbo_message(turbo: *const Handle) -> *const c_char;
    fn darkroom_turbo_open(
        turbo: *mut Handle,
        file: *const u8,
        size: usize,
        info: *mut Info,
    ) -> c_int;
    fn darkroom_turbo_plan(
        turbo: *mut Handle,
        eighths: u32,
        raw: c_int,
        frame: *mut Frame,
    ) -> c_int;
    fn darkroom_turbo_start(turbo: *mut Handle) -> c_int;
    fn darkroom_turbo_rows(turbo: *mut Handle, pixels: *mut u8, stride: usize, count: u32)
    -> c_int;
    fn darkroom_turbo_cells(
        turbo: *mut Handle,
        planes: *const *mut u8,
        strides: *const usize,
        is_idle: c_int,
    ) -> c_int;
    fn darkroom_turbo_finish(turbo: *mut Handle) -> c_int;
    fn darkroom_turbo_left(turbo: *const Handle) -> usize;
    fn darkroom_turbo_version() -> *const c_char;
}

/// Whether the work is to end; asked by libjpeg-turbo once a row, or a row of cells.
extern "C" fn stop(control: *const c_void) -> c_int {
    // SAFETY: it is the control of the decoder that asks, which is borrowed for as long as that lives.
    let control = unsafe { &*control.cast::<Control>() };
    control.check().is_err().into()
}

/// A file that is decoded in order: planned, started, read row by row and finished.
///
/// It fills nothing in: a file that ends before the rows that are read do, or that can't be right, is `image_corrupt`.
pub(super) struct Decoder<'a> {
    handle: Handled<'a>,
    file: &'a [u8],
    control: &'a Control,
    info: Info,
    color: Color,
    frame: Frame,
}

/// What is closed in the end. It reads from a file and asks a control that it borrows.
struct Handled<'a>(NonNull<Handle>, PhantomData<(&'a [u8], &'a Control)>);

impl Drop for Handled<'_> {
    fn drop(&mut self) {
        // SAFETY: made once, closed once.
        unsafe { darkroom_turbo_close(self.0.as_ptr()) }
    }
}

impl<'a> Decoder<'a> {
    /// Reads the headers.
    pub(super) fn open(file: &'a [u8], control: &'a Control) -> Result<Self, Failure> {
        let mut info = Info::NONE;
        // SAFETY: the control outlives the decoder, by the lifetime that both have; what is asked of it neither unwinds nor jumps.
        let handle =
            unsafe { darkroom_turbo_new(stop, std::ptr::from_ref(control).cast(), MAX_SCANS) };
        let handle = NonNull::new(handle).ok_or_else(|| Error::internal("no memory"))?;
        let handle = Handled(handle, PhantomData);
        // SAFETY: a decoder that has no file yet, and a file that outlives it.
        let outcome =
            unsafe { darkroom_turbo_open(handle.0.as_ptr(), file.as_ptr(), file.len(), &mut info) };
        settled(&handle, control, outcome)?;
        let color = match info.color {
            0 => Color::Grey,
            1 => Color::Ycbcr,
            2 => Color::Rgb,
            3 => Color::Inks,
            _ => return Err(corrupt("the JPEG has channels of no known meaning").into()),
        };
        Ok(Self { handle, file, control, info, color, frame: Frame::default() })
    }

    pub(super) const fn color(&self) -> Color {
        self.color
    }

    /// Width and height of what is stored.
    pub(super) const fn size(&self) -> (u32, u32) {
        (self.info.width, self.info.height)
    }

    /// Whether Adobe's marker is there: software that writes it writes inks inverted.
    pub(super) const fn is_adobe(&self) -> bool {
        self.info.is_adobe != 0
    }

    /// Sets the scale, in eighths, and whether channels are handed over as they are stored: then [`Self::cells`] reads, else
    /// [`Self::rows`] does.
    pub(super) fn plan(&mut self, eighths: u32, raw: bool) -> Result<&Frame, Failure> {
        let mut frame = Frame::default();
        // SAFETY: a decoder that has a file; the frame is written.
        let outcome =
            unsafe { darkroom_turbo_plan(self.pointer(), eighths, raw.into(), &mut frame) };
        self.settled(outcome)?;
        self.frame = frame;
        Ok(&self.frame)
    }

    /// What was planned.
    pub(super) const fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Begins. Of a file of several scans all are read here.
    pub(super) fn start(&mut self) -> Result<(), Failure> {
        // SAFETY: a decoder that has a file.
        let outcome = unsafe { darkroom_turbo_start(self.pointer()) };
        self.settled(outcome)
    }

    /// As many rows as `pixels` has room for, of four bytes a pixel: RGBA, or four inks.
    pub(super) fn rows(&mut self, pixels: &mut [u8]) -> Result<(), Failure> {
        let stride = self.frame.width as usize * 4;
        let count = pixels.len().checked_div(stride).unwrap_or_default();
        let count = u32::try_from(count).map_err(Error::internal)?;
        // SAFETY: a decoder that was started, or else says so; there is room for so many rows of so many bytes.
        let outcome =
            unsafe { darkroom_turbo_rows(self.pointer(), pixels.as_mut_ptr(), stride, count) };
        self.settled(outcome)
    }

    /// The next row of cells of each channel, with `strides` samples from one row to the next. With `is_idle` it is only read
    /// past, and nothing is written.
    pub(super) fn cells(
        &mut self,
        planes: [&mut [u8]; 3],
        strides: [usize; 3],
        is_idle: bool,
    ) -> Result<(), Failure> {
        for ((channel, plane), stride) in self.frame.channels.iter().zip(&planes).zip(strides) {
            if stride < channel.columns as usize || plane.len() < channel.room(stride) {
                return Err(Error::internal("a plane is too small for its channel").into());
            }
        }
        let planes = planes.map(<[u8]>::as_mut_ptr);
        // SAFETY: a decoder that was started, or else says so; each plane has room for as many rows as a cell has, of as many samples
        // as are written in each.
        let outcome = unsafe {
            darkroom_turbo_cells(self.pointer(), planes.as_ptr(), strides.as_ptr(), is_idle.into())
        };
        self.settled(outcome)
    }

    /// Reads on to the end marker, when all rows were read.
    pub(super) fn finish(&mut self) -> Result<(), Failure> {
        // SAFETY: a decoder that was started, or else says so.
        let outcome = unsafe { darkroom_turbo_finish(self.pointer()) };
        self.settled(outcome)
    }

    /// Looks for the end marker, without decoding what stands before it: when the rows that are left are not wanted.
    pub(super) fn skip_to_end(&mut self) -> Result<(), Failure> {
        // SAFETY: a decoder that was started.
        let left = unsafe { darkroom_turbo_left(self.pointer()) };
        let at = self.file.len().saturating_sub(left);
        let rest = self.file.get(at..).unwrap_or_default();
        if left == 0 || ends(rest) {
            Ok(())
        } else {
            Err(corrupt("the JPEG ends too early").into())
        }
    }

    const fn pointer(&self) -> *mut Handle {
        self.handle.0.as_ptr()
    }

    fn settled(&self, outcome: c_int) -> Result<(), Failure> {
        settled(&self.handle, self.control, outcome)
    }
}

/// What a call's outcome means.
fn settled(handle: &Handled<'_>, control: &Control, outcome: c_int) -> Result<(), Failure> {
    match outcome {
        0 => Ok(()),
        3 => Err(corrupt(&format!("the JPEG has more than {MAX_SCANS} scans")).into()),
        // Damaged, or stopped.
        _ => {
            control.check()?;
            // SAFETY: a text in the decoder, which ends with a zero.
            let message = unsafe { CStr::from_ptr(darkroom_turbo_message(handle.0.as_ptr())) };
            Err(broken(Format::Jpeg, message.to_string_lossy()).into())
        }
    }
}

/// Whether the end marker is there: `rest` begins within a scan, or at a marker that ends one.
fn ends(mut rest: &[u8]) -> bool {
    loop {
        // To the next marker: in a scan, 0xff is followed by zero, or by a restart.
        if rest.skip_until(0xff).is_err() {
            return false;
        }
        while let Some(([0xff], after)) = rest.split_first_chunk() {
            rest = after;
        }
        match rest {
            [END_OF_IMAGE, ..] => return true,
            [0x00 | 0x01 | 0xd0..=0xd8, after @ ..] => rest = after,
            // A segment that tells its length.
            [_, high, low, ..] => {
                let length = u16::from_be_bytes([*high, *low]);
                rest = rest.get(1 + usize::from(length)..).unwrap_or_default();
            }
            _ => return false,
        }
    }
}

/// The version of libjpeg-turbo.
pub(in crate::imaging) fn version() -> String {
    // SAFETY: a static text, which ends with a zero.
    unsafe { CStr::from_ptr(darkroom_turbo_version()) }.to_string_lossy().into_owned()
}
