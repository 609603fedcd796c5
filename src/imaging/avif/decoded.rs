//! A picture that was decoded, and lies in planes that libavif owns.

use std::ffi::{c_char, c_int, c_void};

use super::{Decoder, Info, text};

/// How the planes lie, and what their samples mean: the picture itself says so where its box does not.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(in crate::imaging) struct Layout {
    /// Samples of luma to one of chroma, across and down: 1 or 2. Both 0 where there is no chroma.
    pub across: u32,
    pub down: u32,
    /// The code point of ITU-T H.273.
    matrix: u32,
    full_range: u32,
}

unsafe extern "C" {
    fn darkroom_avif_plane(
        decoder: *const c_void,
        plane: c_int,
        top: u32,
        rows: u32,
        to: *mut u8,
        stride: usize,
    ) -> c_int;
    fn darkroom_avif_rows(
        decoder: *const c_void,
        top: u32,
        rows: u32,
        rgba: *mut u8,
    ) -> *const c_char;
}

/// The first picture of a file.
pub(in crate::imaging) struct Decoded<'a> {
    decoder: Decoder<'a>,
    layout: Layout,
}

impl<'a> Decoded<'a> {
    pub(super) const fn new(decoder: Decoder<'a>, layout: Layout) -> Self {
        Self { decoder, layout }
    }

    pub(in crate::imaging) const fn info(&self) -> &Info {
        self.decoder.info()
    }

    pub(in crate::imaging) const fn layout(&self) -> Layout {
        self.layout
    }

    /// Left, top, width and height of the part that is to be shown, where that is not all.
    pub(in crate::imaging) const fn cut(&self) -> Option<[u32; 4]> {
        self.decoder.cut()
    }

    /// Whether the planes hold what those of a JPEG do: eight bits, full range, Rec. 601, and there is nothing else.
    pub(in crate::imaging) const fn is_like_jpeg(&self) -> bool {
        let Info { depth, has_alpha, .. } = *self.info();
        let Layout { across, matrix, full_range, .. } = self.layout;
        let is_grey = across == 0;
        // Rec. 601 of 625 lines or of 525, which are the same, or unspecified, which is taken for it.
        let is_601 = is_grey || matches!(matrix, 5 | 6 | 2);
        depth == 8 && has_alpha == 0 && full_range != 0 && is_601
    }

    /// Copies rows of a plane (0 luma, 1 and 2 chroma) of eight bits into `to`, one every `stride` samples, and says how many
    /// samples of a row belong to the picture.
    pub(in crate::imaging) fn plane(
        &self,
        plane: u8,
        top: u32,
        rows: u32,
        to: &mut [u8],
        stride: usize,
    ) -> Result<usize, String> {
        let Layout { across, down, .. } = self.layout;
        let Info { width, height, .. } = *self.info();
        let (across, down) = if plane == 0 { (1, 1) } else { (across.max(1), down.max(1)) };
        let (width, height) = (width.div_ceil(across), height.div_ceil(down));
        let room = to.len() / stride.max(1);
        if (width as usize) > stride || (rows as usize) > room || height < top.saturating_add(rows)
        {
            return Err("rows that there are not".to_owned());
        }
        // SAFETY: `to` has room for so many rows, as was just seen; the function checks what it reads from.
        let is_read = unsafe {
            let to = to.as_mut_ptr();
            darkroom_avif_plane(self.decoder.handle, plane.into(), top, rows, to, stride)
        };
        if is_read == 0 { Err("a plane that there is not".to_owned()) } else { Ok(width as usize) }
    }

    /// Converts rows to RGBA of eight bits, straight alpha. `top` and the number of rows are even where chroma is halved from top
    /// to bottom, but at the picture's end.
    pub(in crate::imaging) fn rows(
        &self,
        top: u32,
        rows: u32,
        to: &mut [u8],
    ) -> Result<(), String> {
        let Info { width, height, .. } = *self.info();
        let needed = u64::from(width) * u64::from(rows) * 4;
        if (to.len() as u64) < needed || height < top.saturating_add(rows) {
            return Err("rows that there are not".to_owned());
        }
        // SAFETY: `to` has room for four samples a pixel of so many rows, which the picture has.
        unsafe {
            let error = darkroom_avif_rows(self.decoder.handle, top, rows, to.as_mut_ptr());
            if error.is_null() { Ok(()) } else { Err(text(error)) }
        }
    }
}
