//! What the samples of a TIFF mean. The tiff crate unpacks them; of what they mean it knows less than files say, so that is read
//! here, for the probe and for the decoder.

use ::tiff::{
    TiffError,
    decoder::{Decoder, ifd::Value},
    tags::{CompressionMethod, PhotometricInterpretation as Photometric, Tag},
};

use super::watched::ReadSeek;
use crate::domain::error::{Code, Error, Result};

/// What colours are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colors {
    /// Light, or the lack of it.
    Grey { inverted: bool },
    /// A place in a list of colours.
    Palette,
    /// Red, green and blue.
    Rgb,
    /// Cyan, magenta, yellow and black.
    Inks,
    /// Luma and two differences, as JPEG has them.
    YCbCr,
}

/// What alpha did to the colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alpha {
    /// Nothing.
    Straight,
    /// They were multiplied by it.
    Associated,
}

/// The first picture of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub width: u32,
    pub height: u32,
    pub colors: Colors,
    /// Of the first sample after the colours, if that is one.
    pub alpha: Option<Alpha>,
    /// Samples of a pixel, with those that nobody asks for.
    pub samples: usize,
    /// Bits of each: 1, 2, 4, 8 or 16.
    pub bits: u8,
    /// As EXIF counts.
    pub orientation: u8,
}

impl Colors {
    /// Samples that a colour takes.
    pub(super) const fn count(self) -> usize {
        match self {
            Self::Grey { .. } | Self::Palette => 1,
            Self::Rgb | Self::YCbCr => 3,
            Self::Inks => 4,
        }
    }
}

/// Each channel by itself.
const PLANES: u16 = 2;
/// A sample of the alpha that colours were multiplied by.
const ASSOCIATED: u16 = 1;
/// A sample of the alpha that they were not multiplied by.
const UNASSOCIATED: u16 = 2;
/// Cyan, magenta, yellow and black, among sets of inks.
const CMYK: u16 = 1;
/// Luma and chroma of Rec. 601, as JPEG has them.
const LUMA: [f64; 3] = [0.299, 0.587, 0.114];
const CHROMA_SUBSAMPLING: Tag = Tag::ChromaSubsampling;
const YCBCR_COEFFICIENTS: Tag = Tag::Unknown(529);
const INK_SET: Tag = Tag::Unknown(332);

/// What a file that was just opened holds first; refuses what is not read, and says what that is.
pub(super) fn layout(file: &mut Decoder<&mut dyn ReadSeek>) -> Result<Layout> {
    let (width, height) = file.dimensions().map_err(broken)?;
    compression(file)?;
    let photometric = number(file, Tag::PhotometricInterpretation)?;
    let colors = match photometric.and_then(Photometric::from_u16) {
        Some(Photometric::WhiteIsZero) => Colors::Grey { inverted: true },
        Some(Photometric::BlackIsZero) => Colors::Grey { inverted: false },
        Some(Photometric::RGBPalette) => Colors::Palette,
        Some(Photometric::RGB) => Colors::Rgb,
        Some(Photometric::CMYK) => Colors::Inks,
        Some(Photometric::YCbCr) => Colors::YCbCr,
        Some(other) => return Err(unsupported(&format!("TIFF in {other:?} is not read"))),
        None => return Err(unsupported("TIFF in a colour space without a name is not read")),
    };
    let samples = usize::from(number(file, Tag::SamplesPerPixel)?.unwrap_or(1));
    let bits = number(file, Tag::BitsPerSample)?.unwrap_or(1);
    let formats = numbers(file, Tag::SampleFormat)?;
    if formats.iter().any(|format| *format != 1) {
        return Err(unsupported("TIFF of fractions or of negative numbers is not read"));
    }
    let whole = match bits {
        8 | 16 => colors != Colors::YCbCr || bits == 8,
        1 | 2 | 4 => samples == 1 && colors.count() == 1,
        _ => false,
    };
    if !whole {
        let detail = format!("TIFF of {samples} samples of {bits} bits a pixel is not read");
        return Err(unsupported(&detail));
    }
    if colors == Colors::Inks && number(file, INK_SET)?.is_some_and(|set| set != CMYK) {
        return Err(unsupported("TIFF in other inks than CMYK is not read"));
    }
    if colors == Colors::YCbCr {
        chroma(file)?;
    }
    let is_planar = samples > 1 && number(file, Tag::PlanarConfiguration)? == Some(PLANES);
    if is_planar && file.find_tag(Tag::TileWidth).map_err(broken)?.is_some() {
        // The tiff crate stumbles over tiles at the edges of the second plane.
        return Err(unsupported("TIFF of tiles with a plane for each channel is not read"));
    }
    let over = samples.checked_sub(colors.count());
    let over = over.ok_or_else(|| corrupt("the TIFF has fewer samples than its colours need"))?;
    let alpha = match numbers(file, Tag::ExtraSamples)?.first() {
        _ if over == 0 => None,
        Some(&ASSOCIATED) => Some(Alpha::Associated),
        // Some writers do not say what one more sample is, and mean alpha.
        None | Some(&UNASSOCIATED) => Some(Alpha::Straight),
        Some(_) => None,
    };
    let orientation = number(file, Tag::Orientation)?.and_then(|value| u8::try_from(value).ok());
    let orientation = orientation.unwrap_or(1);
    let bits = u8::try_from(bits).unwrap_or(16);
    Ok(Layout { width, height, colors, alpha, samples, bits, orientation })
}

/// Refuses what the tiff crate does not unpack.
fn compression(file: &mut Decoder<&mut dyn ReadSeek>) -> Result<()> {
    let method = number(file, Tag::Compression)?.unwrap_or(1);
    match CompressionMethod::from_u16_exhaustive(method) {
        CompressionMethod::None
        | CompressionMethod::LZW
        | CompressionMethod::Deflate
        | CompressionMethod::OldDeflate
        | CompressionMethod::PackBits
        | CompressionMethod::ModernJPEG
        | CompressionMethod::Fax4 => Ok(()),
        CompressionMethod::Unknown(other) => {
            Err(unsupported(&format!("TIFF compressed by method {other} is not read")))
        }
        other => Err(unsupported(&format!("TIFF compressed by {other:?} is not read"))),
    }
}

/// Refuses luma and chroma that are not those of JPEG; where they are compressed so, the chroma is brought to the size of the luma.
fn chroma(file: &mut Decoder<&mut dyn ReadSeek>) -> Result<()> {
    let is_jpeg = number(file, Tag::Compression)? == Some(CompressionMethod::ModernJPEG.to_u16());
    // Not said is two by two.
    if !is_jpeg && numbers(file, CHROMA_SUBSAMPLING)? != [1, 1] {
        return Err(unsupported("TIFF in YCbCr with less chroma than luma is read as JPEG alone"));
    }
    let is_usual = match file.find_tag(YCBCR_COEFFICIENTS).map_err(broken)? {
        None => true,
        Some(Value::List(shares)) => {
            shares.len() == LUMA.len()
                && shares.iter().zip(LUMA).all(|(share, usual)| near(share, usual))
        }
        Some(_) => false,
    };
    if is_usual {
        Ok(())
    } else {
        Err(unsupported("TIFF in other YCbCr than that of JPEG is not read"))
    }
}

/// Whether a fraction is `usual`, as far as writers are exact.
fn near(fraction: &Value, usual: f64) -> bool {
    match *fraction {
        Value::Rational(over, under) => {
            (f64::from(over) - usual * f64::from(under)).abs() <= 0.001 * f64::from(under)
        }
        _ => false,
    }
}

fn number(file: &mut Decoder<&mut dyn ReadSeek>, tag: Tag) -> Result<Option<u16>> {
    Ok(numbers(file, tag)?.first().copied())
}

fn numbers(file: &mut Decoder<&mut dyn ReadSeek>, tag: Tag) -> Result<Vec<u16>> {
    Ok(file.find_tag_unsigned_vec(tag).map_err(broken)?.unwrap_or_default())
}

/// What a file that could not be opened, or a number of it that could not be read, comes to.
pub(super) fn broken(cause: TiffError) -> Error {
    match cause {
        TiffError::UnsupportedError(_) => {
            unsupported("a TIFF of this kind is not read").caused_by(cause)
        }
        _ => corrupt("the header of the picture is broken").caused_by(cause),
    }
}

fn unsupported(detail: &str) -> Error {
    Error::new(Code::UnsupportedMediaType, detail)
}

fn corrupt(detail: &str) -> Error {
    Error::new(Code::ImageCorrupt, detail)
}
