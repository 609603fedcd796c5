//! Pictures that the tests are made with.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgba, RgbaImage};

pub(super) const ROCKET: &[u8] = include_bytes!("../../tests/pictures/rocket.jpg");
pub(super) const HUBBLE: &[u8] = include_bytes!("../../tests/pictures/hubble_deep_field.jpg");
pub(super) const CAT: &[u8] = include_bytes!("../../tests/pictures/chelsea.png");
pub(super) const COFFEE: &[u8] = include_bytes!("../../tests/pictures/coffee.png");
pub(super) const ASTRONAUT: &[u8] = include_bytes!("../../tests/pictures/astronaut.png");

/// Six colours that survive every codec.
pub(super) const COLORS: [[u8; 4]; 6] = [
    [220, 30, 30, 255],
    [30, 200, 30, 255],
    [30, 30, 220, 255],
    [230, 220, 40, 255],
    [20, 20, 20, 255],
    [240, 240, 240, 255],
];

/// Three tiles across and two down, `tile` pixels a side, numbered as they are read.
pub(super) fn tiles(tile: u32) -> RgbaImage {
    RgbaImage::from_fn(3 * tile, 2 * tile, |x, y| {
        Rgba(COLORS[(x / tile + 3 * (y / tile)) as usize])
    })
}

/// Which tiles a picture shows, row by row.
pub(super) fn tiles_of(picture: &RgbaImage, tile: u32) -> Vec<Vec<usize>> {
    let (across, down) = (picture.width() / tile, picture.height() / tile);
    let at = |x: u32, y: u32| {
        let seen = picture.get_pixel(x * tile + tile / 2, y * tile + tile / 2).0;
        let distance = |color: &[u8; 4]| {
            (0..4).map(|channel| u32::from(seen[channel].abs_diff(color[channel]))).sum::<u32>()
        };
        (0..COLORS.len()).min_by_key(|index| distance(&COLORS[*index])).unwrap()
    };
    (0..down).map(|y| (0..across).map(|x| at(x, y)).collect()).collect()
}

/// Smooth colours with some structure.
pub(super) fn gradient(width: u32, height: u32) -> RgbaImage {
    RgbaImage::from_fn(width, height, |x, y| {
        let wave = 40.0 * (f64::from(x) / 5.0).sin() * (f64::from(y) / 7.0).cos();
        let red = 128.0 + wave;
        Rgba([red as u8, (x * 255 / width) as u8, (y * 255 / height) as u8, 255])
    })
}

/// A picture with every alpha from nothing to all.
pub(super) fn veil(width: u32, height: u32) -> RgbaImage {
    RgbaImage::from_fn(width, height, |x, y| {
        Rgba([200, 40, (y * 255 / height) as u8, (x * 255 / width) as u8])
    })
}

pub(super) fn written(picture: &RgbaImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let picture = DynamicImage::ImageRgba8(picture.clone());
    let opaque = matches!(format, ImageFormat::Jpeg | ImageFormat::Pnm);
    let picture = if opaque { picture.into_rgb8().into() } else { picture };
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub(super) fn png(picture: &RgbaImage) -> Vec<u8> {
    written(picture, ImageFormat::Png)
}

pub(super) fn read(bytes: &[u8]) -> RgbaImage {
    image::load_from_memory(bytes).unwrap().into_rgba8()
}

/// An EXIF block that says nothing but the orientation.
pub(super) fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    block.extend([orientation, 0, 0, 0, 0, 0, 0]);
    block
}

/// A JPEG with that orientation.
pub(super) fn jpeg_turned(picture: &RgbaImage, orientation: u8) -> Vec<u8> {
    let jpeg = written(picture, ImageFormat::Jpeg);
    let block = [b"Exif\0\0".as_slice(), &exif(orientation)].concat();
    let length = (block.len() as u16 + 2).to_be_bytes();
    [&[0xff, 0xd8, 0xff, 0xe1], length.as_slice(), &block, &jpeg[2..]].concat()
}

/// A PNG chunk with its checksum.
pub(super) fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [kind.as_slice(), data].concat();
    let mut crc = !0_u32;
    for byte in &body {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 * (crc & 1));
        }
    }
    [&(data.len() as u32).to_be_bytes(), body.as_slice(), &(!crc).to_be_bytes()].concat()
}

/// The length of a PNG's signature and header.
pub(super) const PNG_HEADER: usize = 33;

/// A PNG with that orientation.
pub(super) fn png_turned(picture: &RgbaImage, orientation: u8) -> Vec<u8> {
    let png = png(picture);
    let (head, tail) = png.split_at(PNG_HEADER);
    [head, &chunk(b"eXIf", &exif(orientation)), tail].concat()
}

/// A lossless WebP with that orientation.
pub(super) fn webp_turned(picture: &RgbaImage, orientation: u8) -> Vec<u8> {
    let simple = written(picture, ImageFormat::WebP);
    let block = exif(orientation);
    let side = |pixels: u32| (pixels - 1).to_le_bytes()[..3].to_vec();
    let mut chunks = b"WEBPVP8X\x0a\0\0\0\x08\0\0\0".to_vec();
    chunks.extend([side(picture.width()), side(picture.height())].concat());
    chunks.extend(&simple[12..]);
    chunks.extend([b"EXIF".as_slice(), &(block.len() as u32).to_le_bytes(), &block].concat());
    [b"RIFF".as_slice(), &(chunks.len() as u32).to_le_bytes(), &chunks].concat()
}

/// A PNG of a few bytes that says it is of that size.
pub(super) fn png_claiming(width: u32, height: u32) -> Vec<u8> {
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([8, 2, 0, 0, 0]);
    let signature = [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];
    [
        signature.as_slice(),
        &chunk(b"IHDR", &header),
        &chunk(b"IDAT", &[0; 2000]),
        &chunk(b"IEND", &[]),
    ]
    .concat()
}

/// An animation that needs its disposals: a red ground that stays, a green patch that is cleared, a blue patch that is taken
/// back, and a last patch that shows what they left.
pub(super) fn animation() -> Vec<u8> {
    use gif::{DisposalMethod, Encoder, Frame, Repeat};
    let mut bytes = Vec::new();
    let palette = [220, 30, 30, 30, 200, 30, 30, 30, 220, 230, 220, 40];
    let mut encoder = Encoder::new(&mut bytes, 30, 20, &palette).unwrap();
    encoder.set_repeat(Repeat::Finite(4)).unwrap();
    for (index, left, width, delay, dispose) in [
        (0, 0, 30, 10, DisposalMethod::Keep),
        (1, 0, 10, 20, DisposalMethod::Background),
        (2, 10, 10, 30, DisposalMethod::Previous),
        (3, 20, 10, 40, DisposalMethod::Keep),
    ] {
        let frame = Frame {
            left,
            width,
            height: 20,
            delay,
            dispose,
            buffer: vec![index; usize::from(width) * 20].into(),
            ..Frame::default()
        };
        encoder.write_frame(&frame).unwrap();
    }
    drop(encoder);
    bytes
}

macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("../../tests/golden/foreign/sources/", $name)).to_vec()
    };
}

/// Every kind of file that is read.
pub(super) fn every_kind() -> Vec<Vec<u8>> {
    let small = gradient(40, 30);
    let formats = [
        ImageFormat::Bmp,
        ImageFormat::Tiff,
        ImageFormat::Ico,
        ImageFormat::Qoi,
        ImageFormat::Pnm,
        ImageFormat::Tga,
    ];
    let mut files: Vec<_> = formats.into_iter().map(|format| written(&small, format)).collect();
    files.extend([
        file!("associated-deep.tif"),
        file!("big-palette.tif"),
        file!("planar-alpha.tif"),
        file!("jpeg.tif"),
        file!("bits-fax4.tif"),
        file!("several.ico"),
        file!("runs.hdr"),
        file!("float.exr"),
        file!("rle-8.bmp"),
        file!("palette-rle.tga"),
        file!("ycck-profile.jpg"),
        file!("blend.png"),
        file!("blend.webp"),
        animation(),
        png_turned(&small, 6),
        png(&veil(20, 20)),
        jpeg_turned(&small, 5),
        webp_turned(&small, 8),
    ]);
    files
}
