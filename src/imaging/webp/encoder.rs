//! Writing: libwebp tells now and then how far it is, and stops if the answer is no.
#![allow(unsafe_code)] // A codec's border: C functions, and memory that they own.

use std::{
    ffi::{CStr, c_int},
    mem::MaybeUninit,
    ptr, slice,
};

use image::RgbaImage;
use libwebp_sys::{
    WebPAnimEncoder, WebPAnimEncoderAdd, WebPAnimEncoderAssemble, WebPAnimEncoderDelete,
    WebPAnimEncoderGetError, WebPAnimEncoderNewInternal, WebPAnimEncoderOptionsInitInternal,
    WebPConfig, WebPData, WebPDataClear, WebPEncode, WebPGetMuxABIVersion, WebPMemoryWrite,
    WebPMemoryWriterClear, WebPMemoryWriterInit, WebPPicture, WebPPictureFree,
    WebPPictureImportRGBA, WebPPictureImportRGBX,
};

use crate::imaging::control::Control;

/// Writes a picture; without `has_alpha` every pixel is opaque.
pub(in crate::imaging) fn encode(
    pixels: &RgbaImage,
    has_alpha: bool,
    config: &WebPConfig,
    control: &Control,
) -> Result<Vec<u8>, String> {
    let as_argb = config.lossless != 0;
    let mut bitmap = Bitmap::new(pixels, has_alpha, as_argb, control)?;
    let mut writer = MaybeUninit::uninit();
    // SAFETY: the writer is made before anything is written, lives as long as the call, and owns the bytes until it is cleared.
    unsafe {
        WebPMemoryWriterInit(writer.as_mut_ptr());
        let mut writer = writer.assume_init();
        bitmap.0.writer = Some(WebPMemoryWrite);
        bitmap.0.custom_ptr = ptr::from_mut(&mut writer).cast();
        let is_written = WebPEncode(config, &mut bitmap.0) != 0;
        let bytes = bytes_of(writer.mem, writer.size);
        WebPMemoryWriterClear(&mut writer);
        if is_written { Ok(bytes) } else { Err(format!("{:?}", bitmap.0.error_code)) }
    }
}

/// An animation that is being written.
pub(in crate::imaging) struct Animation<'a> {
    encoder: *mut WebPAnimEncoder,
    config: &'a WebPConfig,
    control: &'a Control,
}

impl<'a> Animation<'a> {
    /// An animation that is played so often; 0 is for ever.
    pub(in crate::imaging) fn new(
        (width, height): (u32, u32),
        plays: u16,
        config: &'a WebPConfig,
        control: &'a Control,
    ) -> Result<Self, String> {
        let version = WebPGetMuxABIVersion();
        let mut options = MaybeUninit::uninit();
        // SAFETY: the options are filled in by the library itself, unless it says that it did not.
        let encoder = unsafe {
            if WebPAnimEncoderOptionsInitInternal(options.as_mut_ptr(), version) == 0 {
                return Err("libwebp has another version".to_owned());
            }
            let mut options = options.assume_init();
            options.anim_params.bgcolor = 0;
            options.anim_params.loop_count = plays.into();
            WebPAnimEncoderNewInternal(side(width)?, side(height)?, &options, version)
        };
        if encoder.is_null() {
            return Err("there is no memory for the animation".to_owned());
        }
        Ok(Self { encoder, config, control })
    }

    /// Adds a picture of the animation's size, which is shown from `time` on, in milliseconds.
    pub(in crate::imaging) fn add(&mut self, pixels: &RgbaImage, time: i32) -> Result<(), String> {
        let mut bitmap = Bitmap::new(pixels, true, true, self.control)?;
        // SAFETY: the encoder is there as long as `self`, and keeps nothing of the bitmap but its control, which lives longer.
        let is_added =
            unsafe { WebPAnimEncoderAdd(self.encoder, &mut bitmap.0, time, self.config) != 0 };
        if is_added { Ok(()) } else { Err(self.error()) }
    }

    /// The file.
    pub(in crate::imaging) fn finish(self) -> Result<Vec<u8>, String> {
        let mut data = WebPData { bytes: ptr::null(), size: 0 };
        // SAFETY: what was assembled is ours to copy and to clear.
        unsafe {
            // No picture is the end. How long the last one is shown is not said this way.
            WebPAnimEncoderAdd(self.encoder, ptr::null_mut(), 0, ptr::null());
            if WebPAnimEncoderAssemble(self.encoder, &mut data) == 0 {
                return Err(self.error());
            }
            let bytes = bytes_of(data.bytes, data.size);
            WebPDataClear(&mut data);
            Ok(bytes)
        }
    }

    fn error(&self) -> String {
        // SAFETY: a text that ends with a zero, and is the encoder's own.
        unsafe {
            let text = WebPAnimEncoderGetError(self.encoder);
            if text.is_null() {
                return String::new();
            }
            CStr::from_ptr(text).to_string_lossy().into_owned()
        }
    }
}

impl Drop for Animation<'_> {
    fn drop(&mut self) {
        // SAFETY: made once, deleted once.
        unsafe { WebPAnimEncoderDelete(self.encoder) }
    }
}

/// A picture as libwebp holds it.
struct Bitmap(WebPPicture);

impl Bitmap {
    /// Pixels as they are, or at once as luma and chroma, which is what is written with loss.
    fn new(
        pixels: &RgbaImage,
        has_alpha: bool,
        as_argb: bool,
        control: &Control,
    ) -> Result<Self, String> {
        let picture = WebPPicture::new().map_err(|()| "libwebp has another version")?;
        let mut bitmap = Self(picture);
        bitmap.0.use_argb = as_argb.into();
        (bitmap.0.width, bitmap.0.height) = (side(pixels.width())?, side(pixels.height())?);
        bitmap.0.progress_hook = Some(goes_on);
        bitmap.0.user_data = ptr::from_ref(control).cast_mut().cast();
        let import = if has_alpha { WebPPictureImportRGBA } else { WebPPictureImportRGBX };
        let row = side(pixels.width().saturating_mul(4))?;
        // SAFETY: an image holds as many rows of four bytes a pixel as it says; they are copied.
        let is_imported = unsafe { import(&mut bitmap.0, pixels.as_ptr(), row) != 0 };
        if is_imported { Ok(bitmap) } else { Err("there is no memory for the pixels".to_owned()) }
    }
}

impl Drop for Bitmap {
    fn drop(&mut self) {
        // SAFETY: what it holds was allocated by the library, or is null.
        unsafe { WebPPictureFree(&mut self.0) }
    }
}

/// What libwebp calls now and then; it gives up when the answer is zero.
unsafe extern "C" fn goes_on(_percent: c_int, picture: *const WebPPicture) -> c_int {
    // SAFETY: whoever made the picture put a control there that lives longer.
    let control = unsafe { &*(*picture).user_data.cast::<Control>() };
    control.check().is_ok().into()
}

/// # Safety
/// `bytes` is null, or there are `size` of them.
unsafe fn bytes_of(bytes: *const u8, size: usize) -> Vec<u8> {
    if bytes.is_null() {
        return Vec::new();
    }
    // SAFETY: as above.
    unsafe { slice::from_raw_parts(bytes, size) }.to_vec()
}

fn side(length: u32) -> Result<c_int, String> {
    c_int::try_from(length).map_err(|_| "too many pixels a side".to_owned())
}
