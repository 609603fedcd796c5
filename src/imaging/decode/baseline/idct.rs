//! From coefficients to samples (ITU-T T.81, A.3.3): the inverse discrete cosine transform, in integers and with the roundings of
//! libjpeg's `jidctint`, so that it doesn't matter which decoder a picture came from. A smaller block is the transform of so many
//! points, of the lowest coefficients.
//!
//! The lines of a block are transformed column by column, then row by row. One of eight coefficients i is, but for its scale,
//!
//! ```text
//!   o[n] = i[0] + √2 · Σ i[k] · cos((2n + 1) · k · π / 16)
//! ```
//!
//! where outputs n and 7 - n have the sums over even k in common, and those over odd k but for their sign.

use super::{
    block::{NO_PAIR, PLACES, Pair},
    header::{BLOCK, COEFFICIENTS},
};

/// Bits after the point of the constants.
pub(super) const POINT: i32 = 13;
/// Bits after the point that are kept between the passes.
const KEPT: i32 = 2;
/// What is rounded off in the first pass.
pub(super) const FIRST: i32 = POINT - KEPT;
/// What is rounded off in the second: the scale of the transform is eight.
pub(super) const SECOND: i32 = POINT + KEPT + 3;

/// √2 · cos(k · π / 8) for k = 1, for 3, and for 1 again as libjpeg's sums of rounded constants have it.
pub(super) const EVEN: [i16; 3] = [10703, 4433, 10704];
/// √2 · cos((2n + 1) · k · π / 16) in the same way: for n = 0 to 3 a row, for k = 1, 3, 5, 7 a column.
pub(super) const ODD: [[i16; 4]; 4] = [
    [11363, 9633, 6437, 2260],
    [9633, -2259, -11362, -6436],
    [6437, -11362, 2261, 9633],
    [2260, -6436, 9633, -11363],
];

/// Where the samples of blocks go.
pub(super) struct Output<'a> {
    pub samples: &'a mut [u8],
    /// Where the first of each block goes: of one or two.
    pub places: &'a [usize],
    /// From one row to the next.
    pub stride: usize,
}

impl Output<'_> {
    /// Puts down a block.
    #[inline(always)]
    pub(super) fn put<const N: usize>(&mut self, place: usize, block: &[[u8; N]; N]) {
        let mut block = block.iter();
        self.rows(place, |row| *row = *block.next().unwrap_or(row));
    }

    /// Puts down a block of the same samples.
    #[inline(always)]
    pub(super) fn fill<const N: usize>(&mut self, place: usize, sample: u8) {
        self.rows::<N>(place, |row| *row = [sample; N]);
    }

    /// Shows the rows of a block.
    #[inline(always)]
    fn rows<const N: usize>(&mut self, place: usize, mut set: impl FnMut(&mut [u8; N])) {
        let mut rest = self.samples.get_mut(place..).unwrap_or_default();
        for _ in 0..N {
            let Some(row) = rest.first_chunk_mut() else { return };
            set(row);
            rest = rest.get_mut(self.stride..).unwrap_or_default();
        }
    }
}

/// What transforms the blocks of a pair, as many as there are places for. All kinds give the same.
pub(super) trait Kernel: Copy {
    /// To eight by eight samples. If it `is_sparse`, only the upper left quarter of the coefficients isn't zero.
    fn eight(self, pair: &Pair, steps: &Pair, is_sparse: bool, output: Output<'_>);
    /// To four by four.
    fn four(self, pair: &Pair, steps: &Pair, output: Output<'_>);
}

/// For any processor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Portable;

impl Kernel for Portable {
    fn eight(self, pair: &Pair, steps: &Pair, _: bool, mut output: Output<'_>) {
        for (which, place) in output.places.iter().enumerate() {
            output.put(*place, &transform(pair, steps, which, eight_points));
        }
    }

    fn four(self, pair: &Pair, steps: &Pair, mut output: Output<'_>) {
        for (which, place) in output.places.iter().enumerate() {
            output.put(*place, &transform(pair, steps, which, four_points));
        }
    }
}

/// Steps of quantisation, which are in zigzag order, as a pair of blocks.
pub(super) fn pair_of(steps: &[i16; COEFFICIENTS]) -> Pair {
    let mut pair = NO_PAIR;
    for (step, place) in steps.iter().zip(PLACES.iter().skip(1)) {
        for place in [usize::from(*place), usize::from(*place) + BLOCK] {
            if let Some(to) = pair.0.get_mut(place) {
                *to = *step;
            }
        }
    }
    pair
}

/// One block of a pair to `N` by `N` samples.
fn transform<const N: usize>(
    pair: &Pair,
    steps: &Pair,
    which: usize,
    points: fn([i32; N]) -> [i32; N],
) -> [[u8; N]; N] {
    let mut block = [[0; N]; N];
    let rows = pair.0.chunks(BLOCK).zip(steps.0.chunks(BLOCK)).skip(which).step_by(2);
    for (row, (values, steps)) in block.iter_mut().zip(rows) {
        for (to, (value, step)) in row.iter_mut().zip(values.iter().zip(steps)) {
            *to = value.wrapping_mul(*step).into();
        }
    }
    // The limits are those of vectors; what isn't damaged stays within them.
    let columns = transposed(block).map(|column| {
        points(column).map(|value| round::<FIRST>(value).clamp(i16::MIN.into(), i16::MAX.into()))
    });
    transposed(columns).map(|row| points(row).map(|value| sample(round::<SECOND>(value))))
}

fn transposed<const N: usize>(block: [[i32; N]; N]) -> [[i32; N]; N] {
    let mut rows = block.map(IntoIterator::into_iter);
    std::array::from_fn(|_| rows.each_mut().map(|row| row.next().unwrap_or_default()))
}

fn round<const BITS: i32>(value: i32) -> i32 {
    (value + (1 << (BITS - 1))) >> BITS
}

/// The transform of a line of eight.
fn eight_points([i0, i1, i2, i3, i4, i5, i6, i7]: [i32; 8]) -> [i32; 8] {
    let [c2, c6, c2_up] = EVEN.map(i32::from);
    let (sum, difference) = ((i0 + i4) << POINT, (i0 - i4) << POINT);
    let (low, high) = (i2 * c2 + i6 * c6, i2 * c6 - i6 * c2_up);
    let [a, b, c, d] = [sum + low, difference + high, difference - high, sum - low];
    let [e, f, g, h] = ODD.map(|row| {
        let [c1, c3, c5, c7] = row.map(i32::from);
        i1 * c1 + i3 * c3 + i5 * c5 + i7 * c7
    });
    [a + e, b + f, c + g, d + h, d - h, c - g, b - f, a - e]
}

/// The transform of a line of four: its coefficient k has the cosines of coefficient 2k of eight.
fn four_points([i0, i1, i2, i3]: [i32; 4]) -> [i32; 4] {
    let [c2, c6, _] = EVEN.map(i32::from);
    let (sum, difference) = ((i0 + i2) << POINT, (i0 - i2) << POINT);
    let (low, high) = (i1 * c2 + i3 * c6, i1 * c6 - i3 * c2);
    [sum + low, difference + high, difference - high, sum - low]
}

/// The four lowest coefficients of a block to two by two samples.
#[inline(always)]
pub(super) fn two(coefficients: [i16; 4], steps: [i16; 4]) -> [[u8; 2]; 2] {
    let ([a, b, c, d], [p, q, r, s]) = (coefficients, steps);
    let [a, b, c, d] = [(a, p), (b, q), (c, r), (d, s)].map(|(a, p)| i32::from(a.wrapping_mul(p)));
    [[a + b + c + d, a - b + c - d], [a + b - c - d, a - b - c + d]]
        .map(|row| row.map(|value| sample(round::<3>(value))))
}

/// What all samples are of a block that has DC alone.
#[inline(always)]
pub(super) fn flat(dc: i16, step: i16) -> u8 {
    sample(round::<3>(dc.wrapping_mul(step).into()))
}

/// Samples are stored less 128 (A.3.1).
fn sample(value: i32) -> u8 {
    u8::try_from((value + 128).clamp(0, 255)).unwrap_or_default()
}
