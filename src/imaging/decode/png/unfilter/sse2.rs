//! With vectors of sixteen bytes, which every processor of x86-64 has.
#![allow(unsafe_code)] // To call what asks for SSE2.

use std::arch::x86_64::{
    __m128i, _mm_add_epi16, _mm_and_si128, _mm_andnot_si128, _mm_castpd_si128, _mm_castsi128_pd,
    _mm_cmpeq_epi16, _mm_cvtsi32_si128, _mm_max_epi16, _mm_min_epi16, _mm_or_si128,
    _mm_packus_epi16, _mm_set_epi64x, _mm_set1_epi16, _mm_setzero_si128, _mm_shuffle_pd,
    _mm_srli_epi16, _mm_sub_epi16, _mm_unpackhi_epi8, _mm_unpacklo_epi8, _mm_unpacklo_epi64,
};

use super::{Around, Filter, Pixel, ROWS};

/// The samples of two rows, of sixteen bits each: those of the upper row in the lower half.
#[derive(Clone, Copy)]
struct Pair(__m128i);

/// The pixels around, and what counts of them; of the upper two rows first.
pub(super) struct Wave {
    left: [Pair; 2],
    corner: [Pair; 2],
    masks: [Masks; 2],
}

impl Around for Wave {
    fn new(filters: [Filter; ROWS]) -> Self {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { Self::at_the_edge(filters) }
    }

    #[inline(always)]
    fn step(&mut self, differences: [Pixel; ROWS], above: Pixel) -> [Pixel; ROWS] {
        // SAFETY: as above.
        unsafe { self.stepped(differences, above) }
    }
}

impl Wave {
    #[target_feature(enable = "sse2")]
    fn at_the_edge([first, second, third, fourth]: [Filter; ROWS]) -> Self {
        let none = [Pair(_mm_setzero_si128()); 2];
        let masks = |upper, lower| {
            let [sub, up, average, paeth] =
                [Filter::Sub, Filter::Up, Filter::Average, Filter::Paeth].map(|wanted| {
                    let mask = |filter| if filter == wanted { -1 } else { 0 };
                    Pair(_mm_set_epi64x(mask(lower), mask(upper)))
                });
            Masks { sub, up, average, paeth }
        };
        let masks = [masks(first, second), masks(third, fourth)];
        Self { left: none, corner: none, masks }
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn stepped(&mut self, differences: [Pixel; ROWS], above: Pixel) -> [Pixel; ROWS] {
        let zero = _mm_setzero_si128();
        let differences: __m128i = bytemuck::cast(differences);
        let above = _mm_unpacklo_epi8(_mm_cvtsi32_si128(i32::from_le_bytes(above)), zero);
        // What a row has undone last lies over the pixel of the row below.
        let [left, left_below] = self.left;
        let between = _mm_shuffle_pd::<1>(_mm_castsi128_pd(left.0), _mm_castsi128_pd(left_below.0));
        let up = Pair(_mm_unpacklo_epi64(above, left.0));
        let up_below = Pair(_mm_castpd_si128(between));
        let [corner, corner_below] = self.corner;
        let [masks, masks_below] = &self.masks;
        let undone = masks.undone(left, up, corner, _mm_unpacklo_epi8(differences, zero));
        let differences = _mm_unpackhi_epi8(differences, zero);
        let below = masks_below.undone(left_below, up_below, corner_below, differences);
        (self.left, self.corner) = ([undone, below], [up, up_below]);
        bytemuck::cast(_mm_packus_epi16(undone.0, below.0))
    }
}

/// Which prediction counts, for each of two rows: all bits of it, or none.
struct Masks {
    sub: Pair,
    up: Pair,
    average: Pair,
    paeth: Pair,
}

impl Masks {
    #[inline]
    #[target_feature(enable = "sse2")]
    fn undone(&self, Pair(a): Pair, Pair(b): Pair, Pair(c): Pair, differences: __m128i) -> Pair {
        let average = _mm_and_si128(self.average.0, _mm_srli_epi16::<1>(_mm_add_epi16(a, b)));
        let paeth = _mm_and_si128(self.paeth.0, nearest(a, b, c));
        let plain = _mm_or_si128(_mm_and_si128(self.sub.0, a), _mm_and_si128(self.up.0, b));
        let predicted = _mm_or_si128(plain, _mm_or_si128(average, paeth));
        let sum = _mm_add_epi16(differences, predicted);
        Pair(_mm_and_si128(sum, _mm_set1_epi16(0xff)))
    }
}

/// Paeth's prediction.
#[inline]
#[target_feature(enable = "sse2")]
fn nearest(a: __m128i, b: __m128i, c: __m128i) -> __m128i {
    let (to_a, to_b) = (_mm_sub_epi16(b, c), _mm_sub_epi16(a, c));
    let to_c = magnitude(_mm_add_epi16(to_a, to_b));
    let (to_a, to_b) = (magnitude(to_a), magnitude(to_b));
    let least = _mm_min_epi16(to_c, _mm_min_epi16(to_a, to_b));
    let b_or_c = pick(_mm_cmpeq_epi16(least, to_b), b, c);
    pick(_mm_cmpeq_epi16(least, to_a), a, b_or_c)
}

#[inline]
#[target_feature(enable = "sse2")]
fn magnitude(values: __m128i) -> __m128i {
    _mm_max_epi16(values, _mm_sub_epi16(_mm_setzero_si128(), values))
}

#[inline]
#[target_feature(enable = "sse2")]
fn pick(mask: __m128i, yes: __m128i, no: __m128i) -> __m128i {
    _mm_or_si128(_mm_and_si128(mask, yes), _mm_andnot_si128(mask, no))
}
