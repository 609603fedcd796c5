//! JPEG, by libjpeg-turbo: all of it at once as here, in [`Rows`], or in [`Bands`] of luma and chroma.

mod bands;
mod icc;
mod reduced;
mod rows;
#[cfg(test)]
mod tests;
mod turbo;

pub(in crate::imaging) use self::turbo::version;
use self::turbo::{Color, Decoder};
pub(super) use self::{
    icc::read as icc,
    reduced::{detail, explain, reduce},
};
use super::{Wanted, corrupt, picture_of, settle};
use crate::{
    domain::{error::Error, limits::Limits},
    imaging::{
        color,
        control::{Control, Failure},
        picture::{Picture, Pixels},
    },
};

pub(super) fn decode(
    input: &[u8],
    wanted: Wanted,
    limits: &Limits,
    control: &Control,
) -> Result<Picture, Failure> {
    let mut decoder = Decoder::open(input, control)?;
    let (width, height) = decoder.size();
    let count = u64::from(width) * u64::from(height);
    if count > limits.pixels {
        return Err(corrupt("the pixels are not of the size that the header says").into());
    }
    decoder.plan(8, false)?;
    decoder.start()?;
    let mut pixels = vec![0; usize::try_from(count * 4).map_err(Error::internal)?];
    decoder.rows(&mut pixels)?;
    decoder.finish()?;
    let icc = icc::read(input);
    let icc = if decoder.color() == Color::Inks {
        if decoder.is_adobe() {
            pixels.iter_mut().for_each(|ink| *ink = 255 - *ink);
        }
        color::inks_to_srgb(&mut pixels, icc.as_deref(), control)?;
        // They were brought into sRGB by their profile already.
        None
    } else {
        settle(&mut pixels, icc.as_deref(), wanted, control)?
    };
    let pixels = picture_of(width, height, pixels)?;
    Ok(Picture { icc, ..Picture::still(Pixels::Eight(pixels), false) })
}
