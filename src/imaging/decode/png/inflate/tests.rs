//! What another's DEFLATE packs is unpacked as another's INFLATE does it, and what is damaged is refused by both.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;
use zlib_rs::{
    Deflate, DeflateConfig, DeflateFlush, Inflate as Inflater, InflateFlush, ReturnCode, Status,
    Strategy as Way, compress_bound, compress_slice,
};

use super::{super::chunks::Chunks, Inflate};

/// A file of nothing but chunks of pixels, which end at `cuts` of the stream.
fn file(stream: &[u8], cuts: &[usize]) -> Vec<u8> {
    let mut file = vec![0; 8];
    let mut rest = stream;
    let mut chunk = |name: &[u8], data: &[u8]| {
        file.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        let whole = [name, data].concat();
        file.extend(&whole);
        file.extend(zlib_rs::crc32::crc32(0, &whole).to_be_bytes());
    };
    for cut in cuts {
        let (data, behind) = rest.split_at((*cut).min(rest.len()));
        chunk(b"IDAT", data);
        rest = behind;
    }
    chunk(b"IDAT", rest);
    chunk(b"IEND", &[]);
    file
}

/// More than any stream here becomes.
const MOST: usize = 4 << 20;

/// All of a stream, asked for piece by piece.
fn unpacked(file: &[u8], piece: usize) -> Result<Vec<u8>, &'static str> {
    let mut inflate = Inflate::new(Chunks::of(file), piece);
    let mut all = Vec::new();
    while inflate.unpack(piece)? > 0 {
        all.extend_from_slice(inflate.unpacked());
        if all.len() > MOST {
            return Err("it does not end");
        }
    }
    Ok(all)
}

fn packed(bytes: &[u8], level: i32, strategy: Way) -> Vec<u8> {
    let mut stream = vec![0; compress_bound(bytes.len()) + 64];
    let config = DeflateConfig { level, strategy, ..DeflateConfig::default() };
    let (stream, status) = compress_slice(&mut stream, bytes, config);
    assert_eq!(status, ReturnCode::Ok);
    stream.to_vec()
}

/// Bytes like those of pictures: some that are new, some that come again, from near and far.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let new = prop::collection::vec(prop_oneof![0_u8..4, any::<u8>()], 1..200)
        .prop_map(|new| (new, 0, 0));
    let again =
        (1_usize..50_000, 1_usize..600).prop_map(|(distance, length)| (vec![], distance, length));
    let near =
        (1_usize..40, 1_usize..600).prop_map(|(distance, length)| (vec![], distance, length));
    prop::collection::vec(prop_oneof![new, again, near], 0..250).prop_map(|parts| {
        let mut bytes = Vec::new();
        for (new, distance, length) in parts {
            bytes.extend(new);
            if let Some(from) = bytes.len().checked_sub(distance) {
                for at in from..from + length {
                    bytes.push(bytes[at]);
                }
            }
        }
        bytes
    })
}

fn strategies() -> impl Strategy<Value = (i32, Way)> {
    let strategy = prop_oneof![
        Just(Way::Default),
        Just(Way::Filtered),
        Just(Way::HuffmanOnly),
        Just(Way::Rle),
        Just(Way::Fixed),
    ];
    (0..=9, strategy)
}

proptest! {
    #[test]
    fn what_was_packed_is_unpacked(
        bytes in bytes(),
        (level, strategy) in strategies(),
        cuts in prop::collection::vec(0_usize..3_000, 0..20),
        piece in 1_usize..70_000,
    ) {
        let file = file(&packed(&bytes, level, strategy), &cuts);
        prop_assert_eq!(unpacked(&file, piece).unwrap(), bytes);
    }

    #[test]
    fn what_is_damaged_is_refused_or_read_as_by_others(
        bytes in bytes(),
        (level, strategy) in strategies(),
        damages in prop::collection::vec((any::<prop::sample::Index>(), 0_u32..8), 1..4),
        cuts in prop::collection::vec(0_usize..3_000, 0..20),
        piece in 1_usize..70_000,
    ) {
        let mut stream = packed(&bytes, level, strategy);
        let body = stream.get_mut(2..).unwrap();
        for (at, bit) in damages {
            body[at.index(body.len())] ^= 1 << bit;
        }
        let mut theirs = vec![0; MOST];
        let mut inflate = Inflater::new(false, 15);
        let status = inflate.decompress(body, &mut theirs, InflateFlush::NoFlush);
        let (read, written) = (inflate.total_in(), inflate.total_out());
        if matches!(status, Ok(Status::StreamEnd)) {
            // The checksum would tell the damage whatever is read.
            theirs.truncate(usize::try_from(written).unwrap());
            stream.truncate(2 + usize::try_from(read).unwrap());
            stream.extend(zlib_rs::adler32::adler32(1, &theirs).to_be_bytes());
            prop_assert_eq!(unpacked(&file(&stream, &cuts), piece).unwrap(), theirs);
        } else {
            prop_assert!(unpacked(&file(&stream, &cuts), piece).is_err());
        }
    }
}

/// Bits, the first being the lowest of the first byte.
struct Writer(Vec<bool>);

impl Writer {
    fn number(&mut self, value: u32, bits: u32) -> &mut Self {
        self.0.extend((0..bits).map(|bit| value >> bit & 1 == 1));
        self
    }

    fn stream(&self, contents: &[u8]) -> Vec<u8> {
        let mut stream = vec![0x78, 0x9c];
        stream.extend(
            self.0.chunks(8).map(|bits| {
                (0..).zip(bits).map(|(place, bit)| u8::from(*bit) << place).sum::<u8>()
            }),
        );
        stream.extend(zlib_rs::adler32::adler32(1, contents).to_be_bytes());
        stream
    }
}

fn fixed() -> Writer {
    let mut writer = Writer(vec![]);
    writer.number(1, 1).number(1, 2);
    writer
}

/// Codes are written from their highest bit on.
fn code(writer: &mut Writer, code: u32, bits: u32) {
    writer.number(code.reverse_bits() >> (32 - bits), bits);
}

#[test]
fn blocks_of_all_kinds_follow_each_other() {
    let bytes = b"pixels, pixels and more of these pixels".repeat(50);
    let mut writer = Writer(vec![]);
    // Four blocks of nothing by the fixed codes, which are five bytes.
    let nothing = |writer: &mut Writer, last| {
        for block in 0..4 {
            writer.number(u32::from(block == 3 && last), 1).number(1, 2);
            code(writer, 0, 7);
        }
    };
    let mut all = Vec::new();
    for _ in 0..3 {
        nothing(&mut writer, false);
        nothing(&mut writer, false);
        // A block with codes of its own, and one that is stored, and empty.
        let mut deflate = Deflate::new(9, false, 15);
        let mut place = vec![0; 4096];
        deflate.compress(&bytes, &mut place, DeflateFlush::SyncFlush).unwrap();
        for byte in &place[..usize::try_from(deflate.total_out()).unwrap()] {
            writer.number((*byte).into(), 8);
        }
        all.extend(&bytes);
    }
    nothing(&mut writer, true);
    for piece in [1, 100, 1 << 16] {
        let file = file(&writer.stream(&all), &[1, 7, 40, 41, 42]);
        assert_eq!(unpacked(&file, piece).unwrap(), all);
    }
}

#[test]
fn a_match_from_before_the_beginning_is_refused() {
    let mut writer = fixed();
    code(&mut writer, 0x30 + 7, 8);
    // Three bytes, from two before.
    code(&mut writer, 1, 7);
    code(&mut writer, 1, 5);
    code(&mut writer, 0, 7);
    let damage = unpacked(&file(&writer.stream(&[7; 4]), &[]), 100).unwrap_err();
    assert_eq!(damage, "a match begins before all");
}

#[test]
fn symbols_that_mean_nothing_are_refused() {
    for symbol in [286, 287] {
        let mut writer = fixed();
        code(&mut writer, 0b1100_0000 + symbol - 280, 8);
        code(&mut writer, 0, 7);
        assert!(unpacked(&file(&writer.stream(&[]), &[]), 100).is_err());
    }
    for distance in [30, 31] {
        let mut writer = fixed();
        code(&mut writer, 0x30, 8);
        code(&mut writer, 1, 7);
        code(&mut writer, distance, 5);
        code(&mut writer, 0, 7);
        assert!(unpacked(&file(&writer.stream(&[0; 4]), &[]), 100).is_err());
    }
}

#[test]
fn a_stream_that_ends_early_is_refused_wherever_it_ends() {
    let bytes: Vec<u8> = (0..2_000_u32).map(|at| (at * at / 77).to_le_bytes()[0]).collect();
    for strategy in [Way::Default, Way::Fixed, Way::HuffmanOnly] {
        let stream = packed(&bytes, 6, strategy);
        for length in 0..stream.len() {
            assert!(unpacked(&file(&stream[..length], &[]), 1 << 16).is_err(), "{length}");
        }
        // However small the chunks are.
        for size in 1..40 {
            let cuts = vec![size; stream.len() / size];
            assert_eq!(unpacked(&file(&stream, &cuts), 1 << 16).unwrap(), bytes);
        }
    }
}

#[test]
fn a_wrong_checksum_is_refused() {
    let mut stream = packed(b"pixels", 6, Way::Default);
    *stream.last_mut().unwrap() ^= 1;
    assert_eq!(
        unpacked(&file(&stream, &[]), 100).unwrap_err(),
        "the checksum of its pixels is wrong"
    );
}
