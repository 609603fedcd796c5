//! An AVIF that is handed over in bands: decoded as a whole, as libavif does, but never laid out in RGBA as a whole.

use std::ops::Range;

use super::{super::meaning::Meaning, broken, parse};
use crate::{
    domain::{format::Format, limits::Limits},
    imaging::{
        avif::Decoded,
        color,
        control::{Control, Failure},
        planes::{Band, Part, Plane, Planes, Shape},
        rows::Rows,
    },
};

/// Rows of luma in a band; even, and a multiple of eight.
const BAND: u32 = 32;

/// A picture that was decoded, to be handed over as [`Planes`] or as [`Rows`], of eight bits.
pub(super) struct Opened<'a> {
    decoded: Decoded<'a>,
    /// What its numbers mean.
    pub meaning: Meaning,
}

/// Decodes a picture.
///
/// # Errors
/// `image_corrupt`; `unsupported_media_type` for high dynamic range.
pub(super) fn open<'a>(input: &'a [u8], limits: &Limits) -> Result<Opened<'a>, Failure> {
    let decoder = parse(input, limits)?;
    let info = *decoder.info();
    let meaning = match decoder.icc() {
        Some(icc) => Meaning::Icc(icc.to_vec()),
        None => match color::from_code_points(info.primaries, info.transfer) {
            Some(profile) => Meaning::Numbers(Box::new(profile)),
            None => Meaning::Srgb,
        },
    };
    let decoded = decoder.decode().map_err(|cause| broken(Format::Avif, cause))?;
    Ok(Opened { decoded, meaning })
}

impl<'a> Opened<'a> {
    /// How its planes lie, where they mean what those of a JPEG do, so that they can be handed over as they are.
    pub(super) fn planar(&self) -> Option<Shape> {
        let is_planar = self.decoded.is_like_jpeg() && self.decoded.cut().is_none();
        is_planar.then(|| shape(&self.decoded))
    }

    /// As planes; only where [`Opened::planar`] says so, and in eighths of eight.
    pub(super) fn planes(self, part: &Part, control: &'a Control) -> AvifPlanes<'a> {
        let height = self.decoded.info().height;
        let rows = part.rows.start / BAND * BAND..part.rows.end.min(height);
        AvifPlanes { decoded: self.decoded, rows, band: [const { Vec::new() }; 3], control }
    }

    /// As rows of RGBA.
    pub(super) fn rows(self, control: &'a Control) -> AvifRows<'a> {
        let info = self.decoded.info();
        let [left, top, width, height] =
            self.decoded.cut().unwrap_or([0, 0, info.width, info.height]);
        AvifRows {
            columns: left..left + width,
            rows: top..top + height,
            converted: top..top,
            start: top,
            pixels: Vec::new(),
            decoded: self.decoded,
            control,
        }
    }
}

fn shape(decoded: &Decoded<'_>) -> Shape {
    let layout = decoded.layout();
    match layout.across {
        0 => Shape::Grey,
        across => Shape::Color { across: across as usize, down: layout.down as usize },
    }
}

/// The planes, a band at a time.
pub(super) struct AvifPlanes<'a> {
    decoded: Decoded<'a>,
    /// Those still to be handed over.
    rows: Range<u32>,
    band: [Vec<u8>; 3],
    control: &'a Control,
}

impl Planes for AvifPlanes<'_> {
    fn shape(&self) -> Shape {
        shape(&self.decoded)
    }

    fn next(&mut self) -> Result<Option<Band<'_>>, Failure> {
        self.control.check()?;
        if self.rows.is_empty() {
            return Ok(None);
        }
        let info = self.decoded.info();
        let (top, stride) = (self.rows.start, info.width as usize + Plane::SLACK);
        let rows = BAND.min(info.height - top);
        self.rows.start = top + rows;
        let down = self.decoded.layout().down;
        let mut planes = [Plane::NONE; 3];
        let each = (0..).zip(&mut self.band).zip(&mut planes);
        for ((index, samples), plane) in each.take(if down == 0 { 1 } else { 3 }) {
            let down = if index == 0 { 1 } else { down };
            let (top, rows) = (top / down, rows.div_ceil(down));
            samples.resize(stride * rows as usize, 0);
            let width = self.decoded.plane(index, top, rows, samples, stride);
            let width = width.map_err(|cause| broken(Format::Avif, cause))?;
            *plane = Plane { samples, stride, width, rows: rows as usize };
        }
        Ok(Some(Band { top, planes }))
    }
}

/// The rows, converted a band at a time.
pub(super) struct AvifRows<'a> {
    decoded: Decoded<'a>,
    /// What is shown.
    columns: Range<u32>,
    /// Those still to be handed over.
    rows: Range<u32>,
    /// Those that `pixels` has, whose first one is `start`: what is left of the band.
    converted: Range<u32>,
    start: u32,
    pixels: Vec<u8>,
    control: &'a Control,
}

impl AvifRows<'_> {
    /// Converts the rows that follow. Chroma that is halved is interpolated: two rows more on either side give what converting
    /// all at once would.
    fn convert(&mut self) -> Result<(), Failure> {
        self.control.check()?;
        let info = *self.decoded.info();
        let margin = if self.decoded.layout().down == 2 { 2 } else { 0 };
        let top = self.rows.start / BAND * BAND;
        let end = (top + BAND).min(info.height);
        let (from, to) = (top.saturating_sub(margin), (end + margin).min(info.height));
        self.pixels.resize(info.width as usize * 4 * (to - from) as usize, 0);
        let converted = self.decoded.rows(from, to - from, &mut self.pixels);
        converted.map_err(|cause| broken(Format::Avif, cause))?;
        (self.converted, self.start) = (self.rows.start..end, from);
        Ok(())
    }
}

impl Rows for AvifRows<'_> {
    fn size(&self) -> (u32, u32) {
        let height = self.decoded.cut().map_or(self.decoded.info().height, |[.., height]| height);
        (self.columns.end - self.columns.start, height)
    }

    fn has_alpha(&self) -> bool {
        self.decoded.info().has_alpha != 0
    }

    fn next(&mut self) -> Result<Option<&[u8]>, Failure> {
        let Some(row) = self.rows.clone().next() else {
            return Ok(None);
        };
        if !self.converted.contains(&row) {
            self.convert()?;
        }
        self.rows.start = row + 1;
        let length = self.decoded.info().width as usize * 4;
        let pixels = self.pixels.chunks_exact(length.max(4)).nth((row - self.start) as usize);
        let (from, to) = (self.columns.start as usize * 4, self.columns.end as usize * 4);
        match pixels.and_then(|row| row.get(from..to)) {
            Some(row) => Ok(Some(row)),
            None => Err(broken(Format::Avif, "a cut beyond the picture").into()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::cast_possible_truncation)]
    use image::RgbaImage;

    use super::*;
    use crate::imaging::{
        avif::{self, Settings},
        samples,
    };

    const PLAIN: Settings<'_> = Settings {
        quality: 80,
        speed: 9,
        full_color: false,
        lossless: false,
        has_alpha: false,
        icc: None,
        exif: None,
        xmp: None,
    };

    fn file(picture: &RgbaImage, settings: Settings<'_>) -> Vec<u8> {
        avif::encode(picture.as_raw(), picture.dimensions(), &settings).unwrap()
    }

    /// Odd sides, and more than two bands.
    fn photo() -> RgbaImage {
        let cat = samples::read(samples::CAT);
        image::imageops::crop_imm(&cat, 100, 40, 131, 101).to_image()
    }

    fn opened(file: &[u8]) -> Opened<'_> {
        open(file, &Limits::default()).unwrap()
    }

    fn whole(file: &[u8]) -> RgbaImage {
        let control = Control::default();
        let picture =
            super::super::decode(file, super::super::Wanted::FIRST, &Limits::default(), &control);
        picture.unwrap().first.pixels.eight().into_owned()
    }

    #[test]
    fn rows_are_those_of_the_whole() {
        let mut files: Vec<Vec<u8>> = [
            include_bytes!("../../../../tests/pictures/codecs/cat.avif").as_slice(),
            include_bytes!("../../../../tests/pictures/codecs/deep.avif").as_slice(),
            include_bytes!("../../../../tests/pictures/codecs/veil.avif").as_slice(),
            include_bytes!("../../../../tests/pictures/codecs/grey.avif").as_slice(),
            include_bytes!("../../../../tests/pictures/codecs/cut.avif").as_slice(),
        ]
        .map(<[u8]>::to_vec)
        .into();
        let photo = photo();
        files.push(file(&photo, PLAIN));
        files.push(file(&photo, Settings { full_color: true, ..PLAIN }));
        files.push(file(&samples::veil(131, 101), Settings { has_alpha: true, ..PLAIN }));
        for file in &files {
            let control = Control::default();
            let expected = whole(file);
            let mut rows = opened(file).rows(&control);
            assert_eq!(rows.size(), expected.dimensions());
            let mut read = Vec::new();
            while let Some(row) = rows.next().unwrap() {
                read.extend_from_slice(row);
            }
            assert!(&read == expected.as_raw());
        }
    }

    /// Of planes, by the formula of JFIF, every sample of chroma for all the luma that it is stored with.
    fn painted(planes: &mut AvifPlanes<'_>, width: u32, height: u32) -> RgbaImage {
        let (across, down) = match planes.shape() {
            Shape::Grey => (0, 0),
            Shape::Color { across, down } => (across, down),
        };
        let mut picture = RgbaImage::new(width, height);
        let mut next = 0;
        while let Some(band) = planes.next().unwrap() {
            assert_eq!(band.top, next);
            let [luma, blue, red] = band.planes;
            assert!(luma.samples.len() == luma.rows * luma.stride);
            assert!(luma.stride >= luma.width + Plane::SLACK);
            next += u32::try_from(luma.rows).unwrap();
            for (y, row) in (band.top..next).zip(0..) {
                for x in 0..width as usize {
                    let light = f32::from(luma.samples[row * luma.stride + x]);
                    let [blue, red] = [blue, red].map(|plane| match across {
                        0 => 0.0,
                        _ => {
                            f32::from(plane.samples[row / down * plane.stride + x / across]) - 128.0
                        }
                    });
                    let color = [
                        light + 1.402 * red,
                        light - 0.344_136 * blue - 0.714_136 * red,
                        light + 1.772 * blue,
                    ];
                    let [r, g, b] = color.map(|value| value.round().clamp(0.0, 255.0) as u8);
                    picture.put_pixel(x as u32, y, image::Rgba([r, g, b, 255]));
                }
            }
        }
        picture
    }

    #[test]
    fn planes_are_those_of_the_whole() {
        let photo = photo();
        let control = Control::default();
        let all = Part { eighths: 8, columns: 0..131, rows: 0..101 };
        for (full_color, least) in [(true, 45.0), (false, 36.0)] {
            let file = file(&photo, Settings { full_color, ..PLAIN });
            let opened = opened(&file);
            assert!(opened.planar().is_some());
            let read = painted(&mut opened.planes(&all, &control), 131, 101);
            let found = crate::imaging::tests::psnr(&read, &whole(&file));
            assert!(found > least, "{found}");
        }
        // Bands without a row that is asked for are left out.
        let file = file(&photo, PLAIN);
        let mut planes = opened(&file).planes(&Part { rows: 40..70, ..all }, &control);
        let tops: Vec<u32> =
            std::iter::from_fn(|| planes.next().unwrap().map(|band| band.top)).collect();
        assert_eq!(tops, [32, 64]);
    }

    #[test]
    fn what_planes_cannot_say_is_left_to_rows() {
        let veil = file(&samples::veil(20, 20), Settings { has_alpha: true, ..PLAIN });
        assert!(opened(&veil).planar().is_none());
        let lossless = Settings { lossless: true, quality: 100, ..PLAIN };
        assert!(opened(&file(&photo(), lossless)).planar().is_none());
        let short = file(&photo(), PLAIN);
        let short = &short[..short.len() - 40];
        assert!(open(short, &Limits::default()).is_err());
    }
}
