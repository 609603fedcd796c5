//! The two sums that resizing is, over rows of whole numbers: of several rows to one, and of neighbours within a row.
#![allow(unsafe_code)] // Vector instructions, where the processor has them.

use super::kernel::{Kernel, ONE, SHIFT};

/// Samples that rows are a multiple of, and what may be read beyond what counts.
pub(super) const BLOCK: usize = 32;

/// Mixes rows, two of which lie sample by sample beside each other in each of `pairs`, by their weights: to a row of half that
/// length. All are whole [`BLOCK`]s of the result.
pub(super) fn vertical(pairs: &[&[i16]], weights: &[[i16; 2]], row: &mut [i16]) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has what the function is compiled for.
        return unsafe { avx2::vertical(pairs, weights, row) };
    }
    portable::vertical(pairs, weights, row);
}

/// Mixes the neighbours in a row of up to four channels, of which each has `stride` samples, by `columns`, to pixels. There are
/// weights in eights, and rows are long enough for them.
pub(super) fn horizontal(row: &[i16], stride: usize, columns: &Kernel, pixels: &mut [[i16; 4]]) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has what the function is compiled for.
        return unsafe { avx2::horizontal(row, stride, columns, pixels) };
    }
    portable::horizontal(row, stride, columns, pixels);
}

/// A sum of products as a sample, which may be a little out of range.
#[inline]
fn rounded(sum: i32) -> i16 {
    let sum = (sum + ONE / 2) >> SHIFT;
    #[allow(clippy::cast_possible_truncation)] // Within the range.
    let sum = sum.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
    sum
}

mod portable {
    use super::{BLOCK, Kernel, rounded};

    pub(super) fn vertical(pairs: &[&[i16]], weights: &[[i16; 2]], row: &mut [i16]) {
        for (place, samples) in row.chunks_exact_mut(BLOCK).enumerate() {
            let mut sums = [0_i32; BLOCK];
            for (pair, [first, second]) in pairs.iter().zip(weights) {
                let from = place * BLOCK * 2;
                let both = pair.get(from..from + BLOCK * 2).unwrap_or_default().as_chunks::<2>().0;
                for (sum, [one, other]) in sums.iter_mut().zip(both) {
                    *sum += i32::from(*one) * i32::from(*first)
                        + i32::from(*other) * i32::from(*second);
                }
            }
            for (sample, sum) in samples.iter_mut().zip(sums) {
                *sample = rounded(sum);
            }
        }
    }

    pub(super) fn horizontal(
        row: &[i16],
        stride: usize,
        columns: &Kernel,
        pixels: &mut [[i16; 4]],
    ) {
        for (pixel, (start, weights)) in pixels.iter_mut().zip(columns.iter()) {
            for (sample, channel) in pixel.iter_mut().zip(row.chunks_exact(stride)) {
                let samples = channel.get(start..start + weights.len()).unwrap_or_default();
                let products = samples
                    .iter()
                    .zip(weights)
                    .map(|(sample, weight)| i32::from(*sample) * i32::from(*weight));
                *sample = rounded(products.sum());
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m128i, __m256i, _mm_add_epi32, _mm_loadu_si128, _mm_madd_epi16, _mm_packs_epi32,
        _mm_set1_epi32, _mm_srai_epi32, _mm_storel_epi64, _mm256_add_epi32, _mm256_castsi256_si128,
        _mm256_extracti128_si256, _mm256_hadd_epi32, _mm256_loadu_si256, _mm256_madd_epi16,
        _mm256_packs_epi32, _mm256_permute4x64_epi64, _mm256_set1_epi32, _mm256_setzero_si256,
        _mm256_srai_epi32, _mm256_storeu_si256, _mm256_zextsi128_si256,
    };

    use super::{BLOCK, Kernel, ONE, SHIFT};

    #[target_feature(enable = "avx2")]
    pub(super) fn vertical(pairs: &[&[i16]], weights: &[[i16; 2]], row: &mut [i16]) {
        let half = _mm256_set1_epi32(ONE / 2);
        for (place, samples) in row.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
            let mut sums = [half; 4];
            for (pair, [first, second]) in pairs.iter().zip(weights) {
                let Some(both) = pair.as_chunks::<{ BLOCK * 2 }>().0.get(place) else { continue };
                let weight =
                    _mm256_set1_epi32(i32::from(*second) << 16 | i32::from(*first) & 0xffff);
                for (sum, samples) in sums.iter_mut().zip(both.as_chunks::<16>().0) {
                    *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(load(samples), weight));
                }
            }
            let [a, b, c, d] = sums.map(|sum| _mm256_srai_epi32::<SHIFT>(sum));
            let (low, high) = samples.split_at_mut(BLOCK / 2);
            if let (Some(low), Some(high)) = (low.first_chunk_mut(), high.first_chunk_mut()) {
                store(low, in_order(_mm256_packs_epi32(a, b)));
                store(high, in_order(_mm256_packs_epi32(c, d)));
            }
        }
    }

    /// What was packed half by half, in the order of the samples.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn in_order(packed: __m256i) -> __m256i {
        _mm256_permute4x64_epi64::<0b11_01_10_00>(packed)
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn horizontal(
        row: &[i16],
        stride: usize,
        columns: &Kernel,
        pixels: &mut [[i16; 4]],
    ) {
        // Of a length that is known beforehand, the sums are straight lines of code.
        match columns.taps() {
            8 => sums::<8>(row, stride, columns, pixels),
            16 => sums::<16>(row, stride, columns, pixels),
            24 => sums::<24>(row, stride, columns, pixels),
            32 => sums::<32>(row, stride, columns, pixels),
            40 => sums::<40>(row, stride, columns, pixels),
            48 => sums::<48>(row, stride, columns, pixels),
            _ => long_sums(row, stride, columns, pixels),
        }
    }

    #[target_feature(enable = "avx2")]
    fn sums<const TAPS: usize>(
        row: &[i16],
        stride: usize,
        columns: &Kernel,
        pixels: &mut [[i16; 4]],
    ) {
        let mut channels: [&[i16]; 4] = [&[]; 4];
        for (channel, samples) in channels.iter_mut().zip(row.chunks_exact(stride)) {
            *channel = samples;
        }
        let of = |channel: &[i16], start: usize, weights: &[i16; TAPS]| match channel
            .get(start..)
            .and_then(|rest| rest.first_chunk::<TAPS>())
        {
            Some(samples) => products(samples, weights),
            None => _mm256_setzero_si256(),
        };
        for (pixel, (start, weights)) in pixels.iter_mut().zip(columns.iter()) {
            let Some(weights) = weights.first_chunk::<TAPS>() else { return };
            let [a, b, c, d] = channels.map(|channel| of(channel, start, weights));
            store_four(pixel, gathered([a, b, c, d]));
        }
    }

    #[target_feature(enable = "avx2")]
    fn long_sums(row: &[i16], stride: usize, columns: &Kernel, pixels: &mut [[i16; 4]]) {
        for (pixel, (start, weights)) in pixels.iter_mut().zip(columns.iter()) {
            let mut sums = [_mm256_setzero_si256(); 4];
            for (sum, channel) in sums.iter_mut().zip(row.chunks_exact(stride)) {
                *sum = products(
                    channel.get(start..start + weights.len()).unwrap_or_default(),
                    weights,
                );
            }
            store_four(pixel, gathered(sums));
        }
    }

    /// Four sums in eight parts each, as samples.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn gathered([a, b, c, d]: [__m256i; 4]) -> __m128i {
        let four = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
        let four = _mm_add_epi32(_mm256_castsi256_si128(four), _mm256_extracti128_si256::<1>(four));
        let four = _mm_srai_epi32::<SHIFT>(_mm_add_epi32(four, _mm_set1_epi32(ONE / 2)));
        _mm_packs_epi32(four, four)
    }

    /// The sum of the products of neighbours and their weights, in eight parts; both are of one length, a multiple of eight.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn products(samples: &[i16], weights: &[i16]) -> __m256i {
        let ((samples, last), (weights, last_weights)) =
            (samples.as_chunks::<16>(), weights.as_chunks::<16>());
        let mut sum = match (last.first_chunk(), last_weights.first_chunk()) {
            (Some(samples), Some(weights)) => {
                _mm256_zextsi128_si256(_mm_madd_epi16(load_eight(samples), load_eight(weights)))
            }
            _ => _mm256_setzero_si256(),
        };
        for (samples, weights) in samples.iter().zip(weights) {
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(load(samples), load(weights)));
        }
        sum
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load(samples: &[i16; 16]) -> __m256i {
        // SAFETY: an array of that many bytes; nothing has to be aligned.
        unsafe { _mm256_loadu_si256(samples.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load_eight(samples: &[i16; 8]) -> __m128i {
        // SAFETY: as above.
        unsafe { _mm_loadu_si128(samples.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn store(place: &mut [i16; 16], samples: __m256i) {
        // SAFETY: as above.
        unsafe { _mm256_storeu_si256(place.as_mut_ptr().cast(), samples) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn store_four(place: &mut [i16; 4], samples: __m128i) {
        // SAFETY: as above, of which the lower half is stored.
        unsafe { _mm_storel_epi64(place.as_mut_ptr().cast(), samples) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use proptest::prelude::*;

    use super::{super::kernel::Axis, *};

    fn axis(end: usize, length: f64, count: usize) -> Axis {
        Axis { first: 0, end, start: 0.0, length, count, is_averaged: false }
    }

    proptest! {
        /// What this processor is best at gives what any processor gives.
        #[test]
        fn every_processor_mixes_the_same(
            numbers in proptest::collection::vec(-2000..18_000_i16, 4 * 320),
            count in 1..97_usize,
            channels in 1..=4_usize,
        ) {
            let stride = 320;
            let row = &numbers[..stride * channels];
            let columns = Kernel::new(axis(200, 200.0, count), 1, 8);
            prop_assume!(columns.taps() <= 100);
            let (mut one, mut other) = (vec![[0; 4]; count], vec![[0; 4]; count]);
            horizontal(row, stride, &columns, &mut one);
            portable::horizontal(row, stride, &columns, &mut other);
            prop_assert_eq!(one, other);

            let rows = Kernel::new(axis(12, 12.0, 2), 2, 2);
            let weights = rows.get(0).unwrap().1.as_chunks::<2>().0;
            let pairs: Vec<&[i16]> = (0..weights.len()).map(|at| &numbers[at * 64..at * 64 + 128]).collect();
            let (mut one, mut other) = (vec![0; 64], vec![0; 64]);
            vertical(&pairs, weights, &mut one);
            portable::vertical(&pairs, weights, &mut other);
            prop_assert_eq!(one, other);
        }

        #[test]
        fn weights_are_one_in_all(end in 1..500_usize, count in 1..300_usize, part in 0.1..1.0, is_averaged: bool) {
            #[allow(clippy::cast_precision_loss)]
            let length = end as f64 * part;
            let axis = Axis { is_averaged, start: 0.0, length, ..axis(end, length, count) };
            for (align, group) in [(1, 8), (2, 2)] {
                let kernel = Kernel::new(axis, align, group);
                prop_assert!(kernel.taps() <= Kernel::most_taps(axis, align, group));
                for (start, weights) in kernel.iter() {
                    prop_assert_eq!(weights.iter().map(|weight| i32::from(*weight)).sum::<i32>(), ONE);
                    prop_assert_eq!(start % align, 0);
                }
                prop_assert!(kernel.needed().end <= end.next_multiple_of(align));
            }
        }
    }
}
