//! The frames of a WebP by libwebp's own decoder, which has nothing in common with the engine but the library.
#![allow(unsafe_code)] // C functions, and memory that they own.

use std::{mem::MaybeUninit, ptr, slice};

use image::RgbaImage;
use libwebp_sys::{
    WebPAnimDecoderDelete, WebPAnimDecoderGetInfo, WebPAnimDecoderGetNext,
    WebPAnimDecoderHasMoreFrames, WebPAnimDecoderNewInternal, WebPData, WebPGetDemuxABIVersion,
};

/// Each frame, and how long it is shown in milliseconds; one of a still picture.
pub fn frames(file: &[u8]) -> Vec<(RgbaImage, u32)> {
    let data = WebPData { bytes: file.as_ptr(), size: file.len() };
    let mut frames = Vec::new();
    // SAFETY: the file outlives the decoder, which is made and deleted once; it says how large its frames are, and each is
    // copied before the next is asked for.
    unsafe {
        let decoder = WebPAnimDecoderNewInternal(&data, ptr::null(), WebPGetDemuxABIVersion());
        assert!(!decoder.is_null(), "it is a WebP");
        let mut info = MaybeUninit::uninit();
        assert_ne!(WebPAnimDecoderGetInfo(decoder, info.as_mut_ptr()), 0);
        let info = info.assume_init();
        let (width, height) = (info.canvas_width, info.canvas_height);
        let mut before = 0;
        while WebPAnimDecoderHasMoreFrames(decoder) != 0 {
            let (mut pixels, mut end) = (ptr::null_mut(), 0);
            assert_ne!(
                WebPAnimDecoderGetNext(decoder, &mut pixels, &mut end),
                0,
                "it has another frame"
            );
            let pixels = slice::from_raw_parts(pixels, (width * height * 4) as usize).to_vec();
            let shown = u32::try_from(end - before).unwrap();
            frames.push((RgbaImage::from_raw(width, height, pixels).unwrap(), shown));
            before = end;
        }
        WebPAnimDecoderDelete(decoder);
    }
    frames
}
