//! Writing.

use std::{ffi::c_char, ptr};

use super::text;

/// What to write.
#[repr(C)]
struct Order {
    rgba: *const u8,
    width: u32,
    height: u32,
    has_alpha: u32,
    quality: u32,
    speed: u32,
    full_color: u32,
    lossless: u32,
    icc: *const u8,
    exif: *const u8,
    xmp: *const u8,
    icc_size: usize,
    exif_size: usize,
    xmp_size: usize,
}

unsafe extern "C" {
    fn darkroom_avif_encode(
        order: *const Order,
        output: *mut *mut u8,
        size: *mut usize,
    ) -> *const c_char;
    fn darkroom_avif_free(output: *mut u8);
}

/// How a picture is written.
#[derive(Debug, Clone, Copy)]
pub(in crate::imaging) struct Settings<'a> {
    /// 1 to 100.
    pub quality: u8,
    /// libaom's trade of time for size: 0 the slowest, 10 the fastest.
    pub speed: u8,
    /// Colour at the full resolution.
    pub full_color: bool,
    pub lossless: bool,
    pub has_alpha: bool,
    pub icc: Option<&'a [u8]>,
    pub exif: Option<&'a [u8]>,
    pub xmp: Option<&'a [u8]>,
}

/// Writes RGBA pixels of eight bits a channel.
pub(in crate::imaging) fn encode(
    rgba: &[u8],
    (width, height): (u32, u32),
    settings: &Settings<'_>,
) -> Result<Vec<u8>, String> {
    if rgba.len() as u64 != u64::from(width) * u64::from(height) * 4 {
        return Err("the pixels are not of the size that was said".to_owned());
    }
    let [icc, exif, xmp] =
        [settings.icc, settings.exif, settings.xmp].map(Option::unwrap_or_default);
    let order = Order {
        rgba: rgba.as_ptr(),
        width,
        height,
        has_alpha: settings.has_alpha.into(),
        quality: if settings.lossless { 100 } else { settings.quality.into() },
        speed: settings.speed.into(),
        full_color: settings.full_color.into(),
        lossless: settings.lossless.into(),
        icc: icc.as_ptr(),
        exif: exif.as_ptr(),
        xmp: xmp.as_ptr(),
        icc_size: icc.len(),
        exif_size: exif.len(),
        xmp_size: xmp.len(),
    };
    let (mut output, mut size) = (ptr::null_mut(), 0);
    // SAFETY: all of the order's slices live until the call returns; its output is copied and then freed.
    unsafe {
        let error = darkroom_avif_encode(&order, &mut output, &mut size);
        if !error.is_null() {
            return Err(text(error));
        }
        let bytes = std::slice::from_raw_parts(output, size).to_vec();
        darkroom_avif_free(output);
        Ok(bytes)
    }
}
