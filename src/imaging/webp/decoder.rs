//! Reading: libwebp is given the file piece by piece, and tells which rows are finished.
#![allow(unsafe_code)] // A codec's border: C functions, and memory that they own.

use std::{ffi::c_int, mem, mem::MaybeUninit, ptr};

use libwebp_sys::{
    VP8StatusCode, WEBP_CSP_MODE, WebPGetFeatures, WebPIDecGetRGB, WebPIDecoder, WebPIDelete,
    WebPINewRGB, WebPIUpdate,
};

use crate::imaging::{control::Control, watched::PIECE};

/// Why a picture can't be read: it is damaged, ends too early or is none, in the words of libwebp.
type Damaged = String;

/// A still picture that is being read: room for all of its RGBA pixels, in which row after row is finished.
pub(in crate::imaging) struct Decoder<'a> {
    file: &'a [u8],
    /// Bytes of it that libwebp has seen.
    seen: usize,
    size: (u32, u32),
    has_alpha: bool,
    /// libwebp writes here as long as `decoder` is there.
    pixels: Vec<u8>,
    decoder: *mut WebPIDecoder,
    /// Rows that are finished.
    finished: u32,
    is_whole: bool,
}

impl<'a> Decoder<'a> {
    /// Begins with a file that holds one picture, of at most so many pixels.
    ///
    /// # Errors
    /// It is none, or an animation, or larger.
    pub(in crate::imaging) fn new(file: &'a [u8], most: u64) -> Result<Self, Damaged> {
        let mut features = MaybeUninit::uninit();
        // SAFETY: the bytes are there; what they say is all filled in, unless the answer is that it was not.
        let features = unsafe {
            let status = WebPGetFeatures(file.as_ptr(), file.len(), features.as_mut_ptr());
            if status != VP8StatusCode::VP8_STATUS_OK {
                return Err(format!("{status:?}"));
            }
            features.assume_init()
        };
        if features.has_animation != 0 {
            return Err("an animation where a picture is expected".to_owned());
        }
        let size = (features.width.unsigned_abs(), features.height.unsigned_abs());
        if u64::from(size.0) * u64::from(size.1) > most {
            return Err("it is larger than the picture that it is part of".to_owned());
        }
        let row = c_int::try_from(size.0 * 4).map_err(|_| "too wide")?;
        let mut pixels = vec![0; size.0 as usize * size.1 as usize * 4];
        // SAFETY: there are so many bytes of pixels, which stay where they are until the decoder is gone. libwebp refuses to write a
        // picture of another size than they have room for.
        let decoder = unsafe {
            WebPINewRGB(WEBP_CSP_MODE::MODE_RGBA, pixels.as_mut_ptr(), pixels.len(), row)
        };
        let has_alpha = features.has_alpha != 0;
        let (finished, is_whole) = (0, false);
        let begun = Self { file, seen: 0, size, has_alpha, pixels, decoder, finished, is_whole };
        if decoder.is_null() { Err("there is no memory for it".to_owned()) } else { Ok(begun) }
    }

    /// Width and height.
    pub(in crate::imaging) const fn size(&self) -> (u32, u32) {
        self.size
    }

    /// Whether the file says that pixels may be transparent.
    pub(in crate::imaging) const fn has_alpha(&self) -> bool {
        self.has_alpha
    }

    /// Decodes until `row` is finished, in RGBA, and gives it; where there is none, until all of the picture is.
    ///
    /// # Errors
    /// The file is damaged or ends too early. So it is called as well when the control says to stop: that is looked at first.
    pub(in crate::imaging) fn row(
        &mut self,
        row: u32,
        control: &Control,
    ) -> Result<Option<&[u8]>, Damaged> {
        while self.finished <= row && !self.is_whole {
            control.check().map_err(|_| "stopped")?;
            self.read()?;
        }
        let length = self.size.0 as usize * 4;
        let is_finished = row < self.finished;
        Ok(is_finished.then(|| self.pixels.chunks_exact(length).nth(row as usize)).flatten())
    }

    /// All pixels, decoded to the end.
    ///
    /// # Errors
    /// As of [`Decoder::row`].
    pub(in crate::imaging) fn pixels(mut self, control: &Control) -> Result<Vec<u8>, Damaged> {
        self.row(self.size.1, control)?;
        self.close();
        Ok(mem::take(&mut self.pixels))
    }

    /// Lets libwebp see the next piece of the file.
    fn read(&mut self) -> Result<(), Damaged> {
        if self.seen == self.file.len() {
            return Err("it ends too early".to_owned());
        }
        self.seen = self.file.len().min(self.seen + PIECE);
        let mut finished: c_int = 0;
        // SAFETY: the file outlives `self` and does not move; no more of it is told than there is.
        let status = unsafe {
            let status = WebPIUpdate(self.decoder, self.file.as_ptr(), self.seen);
            let none = ptr::null_mut;
            WebPIDecGetRGB(self.decoder, &mut finished, none(), none(), none());
            status
        };
        self.finished = finished.max(0).unsigned_abs();
        match status {
            VP8StatusCode::VP8_STATUS_OK => self.is_whole = true,
            VP8StatusCode::VP8_STATUS_SUSPENDED => {}
            status => return Err(format!("{status:?}")),
        }
        Ok(())
    }
}

impl Decoder<'_> {
    fn close(&mut self) {
        // SAFETY: made once, deleted once; of no decoder nothing is deleted.
        unsafe { WebPIDelete(mem::replace(&mut self.decoder, ptr::null_mut())) }
    }
}

impl Drop for Decoder<'_> {
    fn drop(&mut self) {
        self.close();
    }
}
