//! PNG without loss, in the form that takes the least: grey, a palette, RGB, with alpha only where it is seen.

mod filter;
mod pack;

use std::{borrow::Cow, collections::HashMap};

use png::{BitDepth, ColorType, Compression, Encoder, Filter, chunk::IDAT};

use self::pack::Stored;
use super::refused;
use crate::{
    domain::{
        format::Format,
        transform::{Profile, Spec},
    },
    imaging::{
        control::{Control, Failure},
        picture::{Picture, Pixels, Raster, rows},
        sample::Sample,
    },
};

/// Colours that a palette holds.
const COLORS: usize = 256;
/// Up to so many shades a palette of few bits takes less than grey of eight.
const SHADES: usize = 16;

pub(super) fn encode(
    picture: &Picture,
    spec: &Spec,
    control: &Control,
) -> Result<Vec<u8>, Failure> {
    match &picture.first.pixels {
        Pixels::Eight(raster) => {
            let form = Form::of::<u8>(raster, picture);
            let most = if form.is_grey { SHADES } else { COLORS };
            if let Some(palette) = Palette::of(raster, most, control)? {
                return palette.encode(raster, spec, control);
            }
            form.encode(raster, BitDepth::Eight, spec, control)
        }
        Pixels::Sixteen(raster) => {
            Form::of::<u16>(raster, picture).encode(raster, BitDepth::Sixteen, spec, control)
        }
    }
}

fn write(
    (width, height): (u32, u32),
    color: ColorType,
    depth: BitDepth,
    spec: &Spec,
    prepare: impl FnOnce(&mut Encoder<'_, &mut Vec<u8>>),
    data: &[u8],
    control: &Control,
) -> Result<Vec<u8>, Failure> {
    let failed = |cause: png::EncodingError| refused(Format::Png, cause);
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height);
    encoder.set_depth(depth);
    encoder.set_color(color);
    encoder.set_compression(Compression::Fast);
    prepare(&mut encoder);
    let mut writer = encoder.write_header().map_err(failed)?;
    match spec.profile {
        Profile::Best => {
            let length = data.len() / height.max(1) as usize;
            let step = (color != ColorType::Indexed)
                .then(|| color.samples() * if depth == BitDepth::Sixteen { 2 } else { 1 });
            Stored { data, length, step }.pack(control, |bytes| {
                writer.write_chunk(IDAT, bytes).map_err(|cause| failed(cause).into())
            })?;
        }
        // Quick; and as a whole it sees when packing makes nothing smaller.
        Profile::Fast => writer.write_image_data(data).map_err(failed)?,
    }
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

/// Which channels say something.
#[derive(Clone, Copy)]
struct Form {
    is_grey: bool,
    is_opaque: bool,
}

impl Form {
    fn of<S: Sample>(raster: &Raster<S>, picture: &Picture) -> Self {
        let pixels = || raster.as_chunks::<4>().0.iter();
        Self {
            // A profile that was kept is for three channels.
            is_grey: picture.icc.is_none()
                && pixels().all(|[red, green, blue, _]| red == green && green == blue),
            is_opaque: !picture.has_alpha || pixels().all(|[.., alpha]| *alpha == S::max_value()),
        }
    }

    fn encode<S: Sample>(
        self,
        raster: &Raster<S>,
        depth: BitDepth,
        spec: &Spec,
        control: &Control,
    ) -> Result<Vec<u8>, Failure> {
        let pixels = raster.as_chunks::<4>().0.iter();
        let (color, samples): (_, Cow<'_, [S]>) = match (self.is_grey, self.is_opaque) {
            (true, true) => (ColorType::Grayscale, pixels.map(|[grey, ..]| *grey).collect()),
            (true, false) => (
                ColorType::GrayscaleAlpha,
                pixels.flat_map(|[grey, _, _, alpha]| [*grey, *alpha]).collect(),
            ),
            (false, true) => (
                ColorType::Rgb,
                pixels.flat_map(|[red, green, blue, _]| [*red, *green, *blue]).collect(),
            ),
            (false, false) => (ColorType::Rgba, Cow::Borrowed(raster.as_raw())),
        };
        let data = S::to_big_endian(&samples);
        write(raster.dimensions(), color, depth, spec, |_| (), &data, control)
    }
}

/// The few colours of a picture, what is not opaque first: so the list of alphas is short.
struct Palette {
    colors: Vec<[u8; 4]>,
    indices: HashMap<[u8; 4], u8>,
}

impl Palette {
    /// The colours of `raster`, if there are no more than `most`.
    fn of(raster: &Raster<u8>, most: usize, control: &Control) -> Result<Option<Self>, Failure> {
        let mut indices = HashMap::new();
        let mut before = None;
        for row in rows::<u8>(raster) {
            control.check()?;
            for pixel in row {
                if before != Some(pixel) {
                    indices.insert(*pixel, 0);
                    if indices.len() > most {
                        return Ok(None);
                    }
                }
                before = Some(pixel);
            }
        }
        let mut colors: Vec<[u8; 4]> = indices.keys().copied().collect();
        colors.sort_unstable_by_key(|[red, green, blue, alpha]| (*alpha, *red, *green, *blue));
        for (index, color) in (0_u8..=255).zip(&colors) {
            indices.insert(*color, index);
        }
        Ok(Some(Self { colors, indices }))
    }

    fn encode(
        &self,
        raster: &Raster<u8>,
        spec: &Spec,
        control: &Control,
    ) -> Result<Vec<u8>, Failure> {
        let (depth, bits) = match self.colors.len() {
            0..=2 => (BitDepth::One, 1),
            3..=4 => (BitDepth::Two, 2),
            5..=16 => (BitDepth::Four, 4),
            _ => (BitDepth::Eight, 8),
        };
        let mut data = Vec::new();
        for row in rows::<u8>(raster) {
            control.check()?;
            // The leftmost pixel is in the highest bits.
            for group in row.chunks(8 / bits) {
                let mut byte = 0_u8;
                for (place, pixel) in group.iter().enumerate() {
                    let index = self.indices.get(pixel).copied().unwrap_or_default();
                    byte |= index << (8 - bits * (place + 1));
                }
                data.push(byte);
            }
        }
        let colors: Vec<u8> =
            self.colors.iter().flat_map(|[red, green, blue, _]| [*red, *green, *blue]).collect();
        let alphas: Vec<u8> =
            self.colors.iter().map(|[.., alpha]| *alpha).take_while(|alpha| *alpha < 255).collect();
        let prepare = |encoder: &mut Encoder<'_, &mut Vec<u8>>| {
            encoder.set_palette(colors);
            if !alphas.is_empty() {
                encoder.set_trns(alphas);
            }
            // Neighbouring indices mean nothing to each other.
            encoder.set_filter(Filter::NoFilter);
        };
        write(raster.dimensions(), ColorType::Indexed, depth, spec, prepare, &data, control)
    }
}
