//! Sixteen samples that are computed with at once: what the loops over rows are written in, once for every kind of processor.
//!
//! Sums wrap around unless it is said that they don't. Both kinds give the same.
#![allow(unsafe_code)] // Vector instructions; whoever calls a loop has looked that the processor has them.
#![allow(clippy::inline_always)] // They exist only within functions that are compiled for the processor.

/// How many.
pub(super) const LANES: usize = 16;

/// Sixteen numbers of sixteen bits.
pub(super) trait Lanes: Copy {
    /// All the same.
    fn all(value: i16) -> Self;
    /// Numbers as they are.
    fn of(numbers: &[i16; LANES]) -> Self;
    /// Bytes, 0 to 255 each.
    fn of_bytes(bytes: &[u8; LANES]) -> Self;
    /// Bytes by turns: those at even places and those at odd ones.
    fn of_pairs(bytes: &[u8; 2 * LANES]) -> [Self; 2];
    /// The channels of pixels.
    fn of_pixels(pixels: &[[u8; 4]; LANES]) -> [Self; 4];
    /// Numbers without a sign by turns.
    fn of_turns(numbers: &[i16; 2 * LANES]) -> [Self; 2];
    /// Puts them down.
    fn put(self, place: &mut [i16; LANES]);
    /// Puts down both by turns.
    fn put_pairs(self, other: Self, place: &mut [i16; 2 * LANES]);
    /// The sum.
    fn plus(self, other: Self) -> Self;
    /// The sum, or the end of the range if it would pass that.
    fn plus_within(self, other: Self) -> Self;
    /// The product of numbers in units of 2⁻¹⁵, rounded.
    fn times(self, other: Self) -> Self;
    /// The larger.
    fn max(self, other: Self) -> Self;
    /// One where this is above `limit`, else the other.
    fn choose(self, limit: Self, above: Self, below: Self) -> Self;
    /// Shifted to the left.
    fn left<const BITS: i32>(self) -> Self;
    /// Shifted to the right, as numbers without a sign.
    fn right<const BITS: i32>(self) -> Self;
}

/// For any processor.
#[derive(Clone, Copy)]
pub(super) struct Portable([i16; LANES]);

impl Portable {
    #[inline(always)]
    fn with(self, other: Self, each: impl Fn(i16, i16) -> i16) -> Self {
        let mut result = self;
        for (number, other) in result.0.iter_mut().zip(other.0) {
            *number = each(*number, other);
        }
        result
    }
}

impl Lanes for Portable {
    #[inline(always)]
    fn all(value: i16) -> Self {
        Self([value; LANES])
    }

    #[inline(always)]
    fn of(numbers: &[i16; LANES]) -> Self {
        Self(*numbers)
    }

    #[inline(always)]
    fn of_bytes(bytes: &[u8; LANES]) -> Self {
        Self(bytes.map(i16::from))
    }

    #[inline(always)]
    fn of_pairs(bytes: &[u8; 2 * LANES]) -> [Self; 2] {
        let (mut even, mut odd) = ([0; LANES], [0; LANES]);
        for ((even, odd), [first, second]) in
            even.iter_mut().zip(&mut odd).zip(bytes.as_chunks::<2>().0)
        {
            (*even, *odd) = (i16::from(*first), i16::from(*second));
        }
        [Self(even), Self(odd)]
    }

    #[inline(always)]
    fn of_pixels(pixels: &[[u8; 4]; LANES]) -> [Self; 4] {
        let channel =
            |channel: fn(&[u8; 4]) -> u8| Self(pixels.map(|pixel| i16::from(channel(&pixel))));
        [
            channel(|[red, ..]| *red),
            channel(|[_, green, ..]| *green),
            channel(|[.., blue, _]| *blue),
            channel(|[.., alpha]| *alpha),
        ]
    }

    #[inline(always)]
    fn of_turns(numbers: &[i16; 2 * LANES]) -> [Self; 2] {
        let (mut even, mut odd) = ([0; LANES], [0; LANES]);
        for ((even, odd), [first, second]) in
            even.iter_mut().zip(&mut odd).zip(numbers.as_chunks::<2>().0)
        {
            (*even, *odd) = (*first, *second);
        }
        [Self(even), Self(odd)]
    }

    #[inline(always)]
    fn put(self, place: &mut [i16; LANES]) {
        *place = self.0;
    }

    #[inline(always)]
    fn put_pairs(self, other: Self, place: &mut [i16; 2 * LANES]) {
        for (pair, (one, other)) in
            place.as_chunks_mut::<2>().0.iter_mut().zip(self.0.into_iter().zip(other.0))
        {
            *pair = [one, other];
        }
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.with(other, i16::wrapping_add)
    }

    #[inline(always)]
    fn plus_within(self, other: Self) -> Self {
        self.with(other, i16::saturating_add)
    }

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)] // Only −1 · −1 has no room; it wraps around, as it does in vector instructions.
    fn times(self, other: Self) -> Self {
        self.with(other, |one, other| ((i32::from(one) * i32::from(other) + 0x4000) >> 15) as i16)
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.with(other, i16::max)
    }

    #[inline(always)]
    fn choose(self, limit: Self, above: Self, below: Self) -> Self {
        let mut result = below;
        for (number, (above, (this, limit))) in
            result.0.iter_mut().zip(above.0.into_iter().zip(self.0.into_iter().zip(limit.0)))
        {
            *number = if this > limit { above } else { *number };
        }
        result
    }

    #[inline(always)]
    fn left<const BITS: i32>(self) -> Self {
        Self(self.0.map(|number| number << BITS))
    }

    #[inline(always)]
    #[allow(clippy::cast_sign_loss, clippy::cast_possible_wrap)] // Taken as numbers without a sign.
    fn right<const BITS: i32>(self) -> Self {
        Self(self.0.map(|number| ((number as u16) >> BITS) as i16))
    }
}

/// For processors with AVX2.
#[cfg(target_arch = "x86_64")]
pub(super) use avx2::Avx2;

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256i, _mm_loadu_si128, _mm256_add_epi16, _mm256_adds_epi16, _mm256_and_si256,
        _mm256_blendv_epi8, _mm256_cmpgt_epi16, _mm256_cvtepu8_epi16, _mm256_loadu_si256,
        _mm256_max_epi16, _mm256_mulhrs_epi16, _mm256_packus_epi32, _mm256_permute2x128_si256,
        _mm256_permute4x64_epi64, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_slli_epi16,
        _mm256_srli_epi16, _mm256_srli_epi32, _mm256_storeu_si256, _mm256_unpackhi_epi16,
        _mm256_unpacklo_epi16,
    };

    use super::{LANES, Lanes};

    #[derive(Clone, Copy)]
    pub(in super::super) struct Avx2(__m256i);

    /// Twice eight numbers of thirty-two bits, none of which needs more than sixteen.
    #[inline(always)]
    fn packed(first: __m256i, second: __m256i) -> Avx2 {
        // SAFETY: as below. What is packed half by half is put in order.
        Avx2(unsafe {
            _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packus_epi32(first, second))
        })
    }

    // SAFETY, of all below: whoever names the type does so within a function that is compiled for AVX2. Arrays are as long as what is
    // read or written; nothing has to be aligned.
    impl Lanes for Avx2 {
        #[inline(always)]
        fn all(value: i16) -> Self {
            Self(unsafe { _mm256_set1_epi16(value) })
        }

        #[inline(always)]
        fn of(numbers: &[i16; LANES]) -> Self {
            Self(unsafe { _mm256_loadu_si256(numbers.as_ptr().cast()) })
        }

        #[inline(always)]
        fn of_bytes(bytes: &[u8; LANES]) -> Self {
            Self(unsafe { _mm256_cvtepu8_epi16(_mm_loadu_si128(bytes.as_ptr().cast())) })
        }

        #[inline(always)]
        fn of_pairs(bytes: &[u8; 2 * LANES]) -> [Self; 2] {
            unsafe {
                let both = _mm256_loadu_si256(bytes.as_ptr().cast());
                [
                    Self(_mm256_and_si256(both, _mm256_set1_epi16(255))),
                    Self(_mm256_srli_epi16::<8>(both)),
                ]
            }
        }

        #[inline(always)]
        fn of_pixels(pixels: &[[u8; 4]; LANES]) -> [Self; 4] {
            unsafe {
                let first = _mm256_loadu_si256(pixels.as_ptr().cast());
                let second = _mm256_loadu_si256(pixels.as_ptr().add(LANES / 2).cast());
                let low = |four| _mm256_and_si256(four, _mm256_set1_epi32(255));
                [
                    packed(low(first), low(second)),
                    packed(low(_mm256_srli_epi32::<8>(first)), low(_mm256_srli_epi32::<8>(second))),
                    packed(
                        low(_mm256_srli_epi32::<16>(first)),
                        low(_mm256_srli_epi32::<16>(second)),
                    ),
                    packed(_mm256_srli_epi32::<24>(first), _mm256_srli_epi32::<24>(second)),
                ]
            }
        }

        #[inline(always)]
        fn of_turns(numbers: &[i16; 2 * LANES]) -> [Self; 2] {
            unsafe {
                let first = _mm256_loadu_si256(numbers.as_ptr().cast());
                let second = _mm256_loadu_si256(numbers.as_ptr().add(LANES).cast());
                let even = |both| _mm256_and_si256(both, _mm256_set1_epi32(0xffff));
                let odd = |both| _mm256_srli_epi32::<16>(both);
                [packed(even(first), even(second)), packed(odd(first), odd(second))]
            }
        }

        #[inline(always)]
        fn put(self, place: &mut [i16; LANES]) {
            unsafe { _mm256_storeu_si256(place.as_mut_ptr().cast(), self.0) }
        }

        #[inline(always)]
        fn put_pairs(self, other: Self, place: &mut [i16; 2 * LANES]) {
            let (halves, _) = place.as_chunks_mut::<LANES>();
            if let [first, second] = halves {
                unsafe {
                    let (low, high) = (
                        _mm256_unpacklo_epi16(self.0, other.0),
                        _mm256_unpackhi_epi16(self.0, other.0),
                    );
                    Self(_mm256_permute2x128_si256::<0x20>(low, high)).put(first);
                    Self(_mm256_permute2x128_si256::<0x31>(low, high)).put(second);
                }
            }
        }

        #[inline(always)]
        fn plus(self, other: Self) -> Self {
            Self(unsafe { _mm256_add_epi16(self.0, other.0) })
        }

        #[inline(always)]
        fn plus_within(self, other: Self) -> Self {
            Self(unsafe { _mm256_adds_epi16(self.0, other.0) })
        }

        #[inline(always)]
        fn times(self, other: Self) -> Self {
            Self(unsafe { _mm256_mulhrs_epi16(self.0, other.0) })
        }

        #[inline(always)]
        fn max(self, other: Self) -> Self {
            Self(unsafe { _mm256_max_epi16(self.0, other.0) })
        }

        #[inline(always)]
        fn choose(self, limit: Self, above: Self, below: Self) -> Self {
            Self(unsafe {
                _mm256_blendv_epi8(below.0, above.0, _mm256_cmpgt_epi16(self.0, limit.0))
            })
        }

        #[inline(always)]
        fn left<const BITS: i32>(self) -> Self {
            Self(unsafe { _mm256_slli_epi16::<BITS>(self.0) })
        }

        #[inline(always)]
        fn right<const BITS: i32>(self) -> Self {
            Self(unsafe { _mm256_srli_epi16::<BITS>(self.0) })
        }
    }
}
