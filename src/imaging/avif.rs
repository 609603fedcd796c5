//! libavif, through the flat functions of `avif.c`.
#![allow(unsafe_code)] // A codec's border: C functions, and memory that they own.

mod decoded;
mod write;

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    marker::PhantomData,
    ptr,
};

pub(super) use self::{
    decoded::{Decoded, Layout},
    write::{Settings, encode},
};
use super::sample::Sample;

/// What a file is, by its boxes.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct Info {
    pub width: u32,
    pub height: u32,
    /// Bits of a channel.
    pub depth: u32,
    pub has_alpha: u32,
    /// As EXIF counts.
    pub orientation: u32,
    is_cut: u32,
    left: u32,
    top: u32,
    cut_width: u32,
    cut_height: u32,
    /// The code points of ITU-T H.273, for files without a profile.
    pub primaries: u32,
    pub transfer: u32,
    pub matrix: u32,
    pub full_range: u32,
    icc: *const u8,
    exif: *const u8,
    xmp: *const u8,
    icc_size: usize,
    exif_size: usize,
    xmp_size: usize,
}

unsafe extern "C" {
    fn darkroom_avif_open(
        data: *const u8,
        size: usize,
        length: u64,
        pixels: u32,
        side: u32,
        headers_only: c_int,
        info: *mut Info,
        error: *mut *const c_char,
    ) -> *mut c_void;
    fn darkroom_avif_pixels(
        decoder: *mut c_void,
        pixels: *mut c_void,
        width: u32,
        height: u32,
        depth: u32,
    ) -> *const c_char;
    fn darkroom_avif_decode(decoder: *mut c_void, layout: *mut Layout) -> *const c_char;
    fn darkroom_avif_close(decoder: *mut c_void);
    fn darkroom_avif_version() -> *const c_char;
    fn darkroom_avif_codecs(names: *mut c_char);
    fn darkroom_avif_libyuv() -> u32;
}

/// A file that was parsed. It borrows the file: libavif reads from it until it is closed.
pub(super) struct Decoder<'a> {
    handle: *mut c_void,
    info: Info,
    file: PhantomData<&'a [u8]>,
}

impl<'a> Decoder<'a> {
    /// Parses the boxes of a file of `length` bytes: with `headers_only` `file` may be the beginning that holds them. No
    /// picture of more `pixels` or a longer `side` is opened.
    pub(super) fn open(
        file: &'a [u8],
        length: u64,
        pixels: u32,
        side: u32,
        headers_only: bool,
    ) -> Result<Self, String> {
        let mut info = std::mem::MaybeUninit::uninit();
        let mut error = ptr::null();
        // SAFETY: the file outlives the decoder; `info` is written whenever a decoder is returned, `error` when not.
        unsafe {
            let handle = darkroom_avif_open(
                file.as_ptr(),
                file.len(),
                length,
                pixels,
                side,
                headers_only.into(),
                info.as_mut_ptr(),
                &mut error,
            );
            if handle.is_null() {
                return Err(text(error));
            }
            Ok(Self { handle, info: info.assume_init(), file: PhantomData })
        }
    }

    pub(super) const fn info(&self) -> &Info {
        &self.info
    }

    /// Left, top, width and height of the part that is to be shown, where that is not all.
    pub(super) const fn cut(&self) -> Option<[u32; 4]> {
        let Info { left, top, cut_width, cut_height, .. } = self.info;
        if self.info.is_cut == 0 { None } else { Some([left, top, cut_width, cut_height]) }
    }

    pub(super) fn icc(&self) -> Option<&[u8]> {
        self.block(self.info.icc, self.info.icc_size)
    }

    pub(super) fn exif(&self) -> Option<&[u8]> {
        self.block(self.info.exif, self.info.exif_size)
    }

    pub(super) fn xmp(&self) -> Option<&[u8]> {
        self.block(self.info.xmp, self.info.xmp_size)
    }

    fn block(&self, data: *const u8, size: usize) -> Option<&[u8]> {
        if data.is_null() || size == 0 {
            return None;
        }
        // SAFETY: the decoder owns these bytes, and lives as long as the slice.
        Some(unsafe { std::slice::from_raw_parts(data, size) })
    }

    /// The first picture as it is stored, in planes.
    pub(super) fn decode(self) -> Result<Decoded<'a>, String> {
        let mut layout = std::mem::MaybeUninit::uninit();
        // SAFETY: `layout` is written whenever there is no error.
        unsafe {
            let error = darkroom_avif_decode(self.handle, layout.as_mut_ptr());
            if error.is_null() {
                Ok(Decoded::new(self, layout.assume_init()))
            } else {
                Err(text(error))
            }
        }
    }

    /// The first picture in RGBA.
    pub(super) fn pixels<S: Sample>(self) -> Result<Vec<S>, String> {
        let Info { width, height, .. } = self.info;
        let count = u64::from(width) * u64::from(height) * 4;
        let mut samples = vec![S::from_byte(0); usize::try_from(count).map_err(|_| "too large")?];
        let depth = u32::try_from(size_of::<S>() * 8).map_err(|_| "too deep")?;
        // SAFETY: the buffer has room for four samples a pixel of the size that the function checks.
        unsafe {
            let pixels = samples.as_mut_ptr().cast();
            let error = darkroom_avif_pixels(self.handle, pixels, width, height, depth);
            if error.is_null() { Ok(samples) } else { Err(text(error)) }
        }
    }
}

impl Drop for Decoder<'_> {
    fn drop(&mut self) {
        // SAFETY: opened once, closed once.
        unsafe { darkroom_avif_close(self.handle) }
    }
}

/// libavif's version, and the codecs in it with theirs.
pub(super) fn versions() -> (String, String) {
    // More than the 256 bytes that libavif fills at most.
    let mut names = [0_u8; 512];
    // SAFETY: a static text; and a buffer of enough room, which ends with a zero in any case.
    let version = unsafe {
        darkroom_avif_codecs(names.as_mut_ptr().cast());
        text(darkroom_avif_version())
    };
    let names = CStr::from_bytes_until_nul(&names).map(CStr::to_string_lossy).unwrap_or_default();
    (version, names.into_owned())
}

/// The version of libyuv that libavif converts colours with; 0 where it has none and does so slowly.
pub(super) fn libyuv() -> u32 {
    // SAFETY: it takes nothing and returns a number.
    unsafe { darkroom_avif_libyuv() }
}

/// A text of libavif's own, which is never freed.
///
/// # Safety
/// `text` is null or ends with a zero.
unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: as above.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
