//! libjpeg-turbo and jpegli, through the flat functions of `jpeg_write.c`.
#![allow(unsafe_code)] // A codec's border: C functions, and memory that they own.

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    marker::PhantomData,
    ptr, slice,
};

// What is called through C must be linked all the same.
use jpegli_sys as _;
use turbojpeg_sys as _;

use crate::imaging::control::Control;

/// What coefficients are divided by: a table for luma and one for colour, row by row.
pub(super) type Divisors = [[u16; 64]; 2];

/// Who writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Library {
    /// Rounds to nothing what is nearly nothing: fewer bytes for the same look.
    Jpegli,
    /// Takes half the time.
    Turbo,
}

/// What the bytes of a pixel are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Samples {
    Grey = 1,
    Rgb = 3,
    /// The alpha is not looked at. [`Library::Turbo`] alone.
    Rgba = 4,
}

/// How a file is written.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub library: Library,
    pub divisors: Divisors,
    /// Colour at the full resolution, not at half of it both ways.
    pub full_color: bool,
    pub progressive: bool,
    /// Huffman tables of the picture's own, for which all of it is held in memory; progressive files have them anyway.
    pub optimized: bool,
}

#[repr(C)]
struct Order {
    width: u32,
    height: u32,
    channels: u32,
    full_color: u32,
    progressive: u32,
    optimized: u32,
    divisors: *const u16,
    receiver: extern "C" fn(*mut c_void, *const u8, usize) -> c_int,
    context: *mut c_void,
}

unsafe extern "C" {
    fn darkroom_jpegli_open(order: *const Order, error: *mut *const c_char) -> *mut c_void;
    fn darkroom_jpegli_write(writer: *mut c_void, rows: *const u8, count: usize) -> *const c_char;
    fn darkroom_jpegli_finish(writer: *mut c_void) -> *const c_char;
    fn darkroom_jpegli_close(writer: *mut c_void);
    fn darkroom_jpegli_divisors(quality: u32, full_color: u32, divisors: *mut u16) -> c_int;
    fn darkroom_turbo_writer_open(order: *const Order, error: *mut *const c_char) -> *mut c_void;
    fn darkroom_turbo_writer_write(
        writer: *mut c_void,
        rows: *const u8,
        count: usize,
    ) -> *const c_char;
    fn darkroom_turbo_writer_finish(writer: *mut c_void) -> *const c_char;
    fn darkroom_turbo_writer_close(writer: *mut c_void);
}

/// What jpegli divides by at a quality of 1 to 100.
pub(super) fn divisors(quality: u8, full_color: bool) -> Result<Divisors, String> {
    let mut divisors = [[1; 64]; 2];
    // SAFETY: there is room for both tables.
    let is_done = unsafe {
        darkroom_jpegli_divisors(
            quality.into(),
            full_color.into(),
            divisors.as_flattened_mut().as_mut_ptr(),
        )
    };
    if is_done == 0 { Err(NO_MEMORY.to_owned()) } else { Ok(divisors) }
}

const NO_MEMORY: &str = "there is no memory for an encoder";

/// What was written so far, and who may stop it.
struct Output<'c> {
    bytes: Vec<u8>,
    control: &'c Control,
}

/// A part of the file comes out; other than 0 when no more is wanted.
extern "C" fn receive(context: *mut c_void, bytes: *const u8, size: usize) -> c_int {
    // SAFETY: the context is the output that the writer was opened with and owns, and nothing else looks at it during a call;
    // the bytes are there until this returns.
    let (output, bytes) =
        unsafe { (&mut *context.cast::<Output<'_>>(), slice::from_raw_parts(bytes, size)) };
    output.bytes.extend_from_slice(bytes);
    output.control.check().is_err().into()
}

/// A file that is being written.
pub(super) struct Writer<'c> {
    library: Library,
    handle: *mut c_void,
    output: *mut Output<'c>,
    /// Bytes of a row, and how many rows are still to come.
    row: usize,
    left: usize,
    owned: PhantomData<Output<'c>>,
}

impl<'c> Writer<'c> {
    /// Begins a file. The control is looked at as often as a piece of it is done.
    pub(super) fn open(
        (width, height): (u32, u32),
        samples: Samples,
        settings: &Settings,
        control: &'c Control,
    ) -> Result<Self, String> {
        let output = Box::into_raw(Box::new(Output { bytes: Vec::new(), control }));
        let order = Order {
            width,
            height,
            channels: samples as u32,
            full_color: settings.full_color.into(),
            progressive: settings.progressive.into(),
            optimized: settings.optimized.into(),
            divisors: settings.divisors.as_flattened().as_ptr(),
            receiver: receive,
            context: output.cast(),
        };
        let open = match settings.library {
            Library::Jpegli => darkroom_jpegli_open,
            Library::Turbo => darkroom_turbo_writer_open,
        };
        let mut error = ptr::null();
        // SAFETY: the order and its divisors live until the call returns, the output as long as the writer.
        let handle = unsafe { open(&order, &mut error) };
        let writer = Self {
            library: settings.library,
            handle,
            output,
            row: width as usize * samples as usize,
            left: height as usize,
            owned: PhantomData,
        };
        if handle.is_null() {
            return Err(NO_MEMORY.to_owned());
        }
        told(error)?;
        Ok(writer)
    }

    /// Writes whole rows, as many as there are.
    pub(super) fn write(&mut self, rows: &[u8]) -> Result<(), String> {
        let count = rows.len().checked_div(self.row).unwrap_or_default();
        if count * self.row != rows.len() || count > self.left {
            return Err("the rows are not those that were announced".to_owned());
        }
        self.left -= count;
        let write = match self.library {
            Library::Jpegli => darkroom_jpegli_write,
            Library::Turbo => darkroom_turbo_writer_write,
        };
        // SAFETY: the writer is open, and there are as many bytes as rows of the announced width have.
        told(unsafe { write(self.handle, rows.as_ptr(), count) })
    }

    /// The file, once all rows were written.
    pub(super) fn finish(self) -> Result<Vec<u8>, String> {
        let finish = match self.library {
            Library::Jpegli => darkroom_jpegli_finish,
            Library::Turbo => darkroom_turbo_writer_finish,
        };
        // SAFETY: the writer is open; after the call nobody else looks at the output.
        unsafe {
            told(finish(self.handle))?;
            Ok(std::mem::take(&mut (*self.output).bytes))
        }
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        let close = match self.library {
            Library::Jpegli => darkroom_jpegli_close,
            Library::Turbo => darkroom_turbo_writer_close,
        };
        // SAFETY: opened once and closed once; the output came out of a box, and goes after the last who knows it.
        unsafe {
            if !self.handle.is_null() {
                close(self.handle);
            }
            drop(Box::from_raw(self.output));
        }
    }
}

/// What a function of C says: null is well.
fn told(error: *const c_char) -> Result<(), String> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: a text that ends with a zero, of the writer that is still open, or a static one.
    Err(unsafe { CStr::from_ptr(error) }.to_string_lossy().into_owned())
}
