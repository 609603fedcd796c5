//! The same by AVX2, two blocks at once: one in each half of the vectors.
#![allow(unsafe_code)] // What reads and writes vectors, and what is compiled for a processor that has them.

use std::{arch::x86_64::*, ops::Range};

use super::{
    Baseline,
    block::Pair,
    idct::{EVEN, FIRST, Kernel, ODD, Output, POINT, SECOND},
};

/// There is one only where the processor has AVX2 and the instructions for single bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx2(());

impl Avx2 {
    /// `None` if the processor lacks any of it.
    pub(super) fn detect() -> Option<Self> {
        let has_all = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt");
        has_all.then_some(Self(()))
    }

    /// Decodes a row of MCUs: reading bits, too, is quicker by instructions of its own.
    pub(super) fn row(
        self,
        decoder: &mut Baseline<'_>,
        row: usize,
        wanted: Range<usize>,
    ) -> Option<()> {
        #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
        fn row_by_avx2(
            kernel: Avx2,
            decoder: &mut Baseline<'_>,
            row: usize,
            wanted: Range<usize>,
        ) -> Option<()> {
            decoder.mcus(kernel, row, wanted)
        }
        // SAFETY: the processor has what it is compiled for.
        unsafe { row_by_avx2(self, decoder, row, wanted) }
    }
}

impl Kernel for Avx2 {
    #[inline(always)]
    fn eight(self, pair: &Pair, steps: &Pair, is_sparse: bool, output: Output<'_>) {
        // SAFETY: the processor has what it is compiled for.
        unsafe { eight(pair, steps, is_sparse, output) }
    }

    #[inline(always)]
    fn four(self, pair: &Pair, steps: &Pair, output: Output<'_>) {
        // SAFETY: as above.
        unsafe { four(pair, steps, output) }
    }
}

/// One, in the scale of the constants.
const ONE: i16 = 1 << POINT;

/// Sums of 32 bits: of the left half of both blocks' columns, and of the right half.
type Wide = [__m256i; 2];

/// Vectors by turns, in each half of them.
macro_rules! turns {
    ($low:ident $high:ident, $a:expr, $b:expr) => {
        [$low($a, $b), $high($a, $b)]
    };
}

/// A row of both blocks.
#[target_feature(enable = "avx2")]
fn row(pair: &Pair, steps: &Pair, y: usize) -> __m256i {
    let load = |pair: &Pair| {
        let row = pair.0.as_chunks::<16>().0.get(y).unwrap_or(&[0; 16]);
        // SAFETY: sixteen numbers of two bytes are as many as are read.
        unsafe { _mm256_loadu_si256(row.as_ptr().cast()) }
    };
    _mm256_mullo_epi16(load(pair), load(steps))
}

/// a · x + b · y.
#[target_feature(enable = "avx2")]
fn dot(ab: Wide, x: i16, y: i16) -> Wide {
    let [x0, x1] = x.to_le_bytes();
    let [y0, y1] = y.to_le_bytes();
    let by = _mm256_set1_epi32(i32::from_le_bytes([x0, x1, y0, y1]));
    ab.map(|ab| _mm256_madd_epi16(ab, by))
}

#[target_feature(enable = "avx2")]
fn plus(a: Wide, b: Wide) -> Wide {
    [_mm256_add_epi32(a[0], b[0]), _mm256_add_epi32(a[1], b[1])]
}

#[target_feature(enable = "avx2")]
fn minus(a: Wide, b: Wide) -> Wide {
    [_mm256_sub_epi32(a[0], b[0]), _mm256_sub_epi32(a[1], b[1])]
}

#[target_feature(enable = "avx2")]
fn shift<const BITS: i32>(value: Wide) -> __m256i {
    let [left, right] = value.map(|value| _mm256_srai_epi32::<BITS>(value));
    _mm256_packs_epi32(left, right)
}

/// One pass over eight lines, of which the last four are zero if it `IS_SPARSE`.
#[target_feature(enable = "avx2")]
fn pass<const BITS: i32, const IS_SPARSE: bool>(lines: [__m256i; 8]) -> [__m256i; 8] {
    let [i0, i1, i2, i3, i4, i5, i6, i7] = lines;
    let [c2, c6, c2_up] = EVEN;
    let both = |a, b| turns!(_mm256_unpacklo_epi16 _mm256_unpackhi_epi16, a, b);
    let (i04, i26, i13, i57) = (both(i0, i4), both(i2, i6), both(i1, i3), both(i5, i7));
    let half = [_mm256_set1_epi32(1 << (BITS - 1)); 2];
    let sum = plus(dot(i04, ONE, ONE), half);
    let difference = if IS_SPARSE { sum } else { plus(dot(i04, ONE, -ONE), half) };
    let (low, high) = (dot(i26, c2, c6), dot(i26, c6, -c2_up));
    let [a, b, c, d] =
        [plus(sum, low), plus(difference, high), minus(difference, high), minus(sum, low)];
    let [e, f, g, h] = ODD.map(|[c1, c3, c5, c7]| {
        let odd = dot(i13, c1, c3);
        if IS_SPARSE { odd } else { plus(odd, dot(i57, c5, c7)) }
    });
    [
        plus(a, e),
        plus(b, f),
        plus(c, g),
        plus(d, h), //
        minus(d, h),
        minus(c, g),
        minus(b, f),
        minus(a, e),
    ]
    .map(|value| shift::<BITS>(value))
}

/// Rows to columns.
#[target_feature(enable = "avx2")]
fn transposed([r0, r1, r2, r3, r4, r5, r6, r7]: [__m256i; 8]) -> [__m256i; 8] {
    let ones = |a, b| turns!(_mm256_unpacklo_epi16 _mm256_unpackhi_epi16, a, b);
    let twos = |a, b| turns!(_mm256_unpacklo_epi32 _mm256_unpackhi_epi32, a, b);
    let fours = |a, b| turns!(_mm256_unpacklo_epi64 _mm256_unpackhi_epi64, a, b);
    let ([a0, a1], [b0, b1], [c0, c1], [d0, d1]) =
        (ones(r0, r1), ones(r2, r3), ones(r4, r5), ones(r6, r7));
    let ([e0, e1], [e2, e3]) = (twos(a0, b0), twos(a1, b1));
    let ([f0, f1], [f2, f3]) = (twos(c0, d0), twos(c1, d1));
    let ([o0, o1], [o2, o3]) = (fours(e0, f0), fours(e1, f1));
    let ([o4, o5], [o6, o7]) = (fours(e2, f2), fours(e3, f3));
    [o0, o1, o2, o3, o4, o5, o6, o7]
}

/// Samples, which are stored less 128.
#[target_feature(enable = "avx2")]
fn samples(a: __m256i, b: __m256i) -> __m256i {
    _mm256_xor_si256(_mm256_packs_epi16(a, b), _mm256_set1_epi8(-128))
}

/// The half of a vector that is of the first block, or of the second.
#[target_feature(enable = "avx2")]
fn half(vector: __m256i, which: usize) -> __m128i {
    if which == 0 { _mm256_castsi256_si128(vector) } else { _mm256_extracti128_si256::<1>(vector) }
}

/// See [`Kernel::eight`].
#[target_feature(enable = "avx2")]
fn eight(pair: &Pair, steps: &Pair, is_sparse: bool, output: Output<'_>) {
    let zero = _mm256_setzero_si256();
    let [c0, c1, c2, c3, c4, c5, c6, c7] = if is_sparse {
        let [r0, r1, r2, r3] = std::array::from_fn(|y| row(pair, steps, y));
        let columns = pass::<FIRST, true>([r0, r1, r2, r3, zero, zero, zero, zero]);
        pass::<SECOND, true>(transposed(columns))
    } else {
        let columns = pass::<FIRST, false>(std::array::from_fn(|y| row(pair, steps, y)));
        pass::<SECOND, false>(transposed(columns))
    };
    // Columns to rows, of which there are two in each half of a vector.
    let turns = |a, b| turns!(_mm256_unpacklo_epi8 _mm256_unpackhi_epi8, a, b);
    let ([c02, c46], [c13, c57]) =
        (turns(samples(c0, c4), samples(c2, c6)), turns(samples(c1, c5), samples(c3, c7)));
    let ([upper0, lower0], [upper4, lower4]) = (turns(c02, c13), turns(c46, c57));
    let fours = |a, b| turns!(_mm256_unpacklo_epi32 _mm256_unpackhi_epi32, a, b);
    let ([r01, r23], [r45, r67]) = (fours(upper0, upper4), fours(lower0, lower4));
    for (which, place) in output.places.iter().enumerate() {
        let end = place + 7 * output.stride + 8;
        let Some(block) = output.samples.get_mut(*place..end) else { continue };
        for (y, rows) in [r01, r23, r45, r67].into_iter().enumerate() {
            let rows = half(rows, which);
            // SAFETY: the eight bytes of the last of eight rows end where the slice does.
            unsafe {
                let to = block.as_mut_ptr().add(2 * y * output.stride);
                _mm_storel_epi64(to.cast(), rows);
                _mm_storeh_pd(to.add(output.stride).cast(), _mm_castsi128_pd(rows));
            }
        }
    }
}

/// One pass over four lines of four, of which the first and the third stand by turns, and the others. Gives the first and the third
/// one after the other, and the others.
#[target_feature(enable = "avx2")]
fn pass_of_four<const BITS: i32>(i02: __m256i, i13: __m256i) -> [__m256i; 2] {
    let [c2, c6, _] = EVEN;
    let half = [_mm256_set1_epi32(1 << (BITS - 1)); 2];
    // As if the two sums were halves of the columns.
    let even = plus([dot([i02; 2], ONE, ONE)[0], dot([i02; 2], ONE, -ONE)[0]], half);
    let odd = [dot([i13; 2], c2, c6)[0], dot([i13; 2], c6, -c2)[0]];
    let ([o0, o1], [o3, o2]) = (plus(even, odd), minus(even, odd));
    [shift::<BITS>([o0, o2]), shift::<BITS>([o1, o3])]
}

/// See [`Kernel::four`].
#[target_feature(enable = "avx2")]
fn four(pair: &Pair, steps: &Pair, output: Output<'_>) {
    let [r0, r1, r2, r3] = std::array::from_fn(|y| row(pair, steps, y));
    let [r02, r13] =
        pass_of_four::<FIRST>(_mm256_unpacklo_epi16(r0, r2), _mm256_unpacklo_epi16(r1, r3));
    let (upper, lower) = (_mm256_unpacklo_epi16(r02, r13), _mm256_unpackhi_epi16(r02, r13));
    let (c01, c23) = (_mm256_unpacklo_epi32(upper, lower), _mm256_unpackhi_epi32(upper, lower));
    let (c02, c13) = (_mm256_unpacklo_epi64(c01, c23), _mm256_unpackhi_epi64(c01, c23));
    let turns = |c| _mm256_unpacklo_epi16(c, _mm256_unpackhi_epi64(c, c));
    let [c02, c13] = pass_of_four::<SECOND>(turns(c02), turns(c13));
    // Columns 0, 2, 1, 3 to rows.
    let order = _mm256_broadcastsi128_si256(_mm_setr_epi8(
        0, 8, 4, 12, 1, 9, 5, 13, 2, 10, 6, 14, 3, 11, 7, 15,
    ));
    let rows = _mm256_shuffle_epi8(samples(c02, c13), order);
    let Output { samples, places, stride } = output;
    let mut output = Output { samples, places: &[], stride };
    for (which, place) in places.iter().enumerate() {
        let mut block = [[0; 4]; 4];
        // SAFETY: four rows of four bytes are as many as are written.
        unsafe { _mm_storeu_si128(block.as_mut_ptr().cast(), half(rows, which)) };
        output.put(*place, &block);
    }
}
