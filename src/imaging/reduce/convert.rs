//! Rows of samples to rows of light, one channel after the other.
//!
//! Every row that is read has room for whole [`LANES`](super::lanes::LANES) behind its last sample, and so has every one that is written: what stands there
//! is computed with, and never looked at.
#![allow(unsafe_code)] // To call what is compiled for vector instructions, where the processor has them.
#![allow(clippy::inline_always)] // Loops are compiled with the instructions of the function that they stand in.

use super::{
    lanes::{Lanes, Portable},
    light::{Light, Srgb, Tone},
};

/// Samples of luma and chroma that belong together.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub luma: &'a [u8],
    pub blue: &'a [u8],
    pub red: &'a [u8],
}

/// A row of light for each of three channels.
pub(super) type Colors<'a> = [&'a mut [i16]; 3];

/// Compiles a loop for any processor and for AVX2, and runs that which suits.
macro_rules! vectorised {
    ($(#[$doc:meta])* fn $name:ident = $body:ident($($argument:ident: $type:ty),* $(,)?)) => {
        $(#[$doc])*
        pub(super) fn $name($($argument: $type),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn avx2($($argument: $type),*) {
                    $body::<super::lanes::Avx2>($($argument),*);
                }
                if std::arch::is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor has what the function is compiled for.
                    return unsafe { avx2($($argument),*) };
                }
            }
            $body::<Portable>($($argument),*);
        }
    };
    // The same for a loop that needs to know of light.
    ($(#[$doc:meta])* fn $name:ident = $body:ident($($argument:ident: $type:ty),* $(,)?) by light) => {
        $(#[$doc])*
        pub(super) fn $name($($argument: $type,)* light: &Light) {
            #[inline(always)]
            fn any<V: Lanes>($($argument: $type,)* light: &Light) {
                match light {
                    Light::Srgb => $body::<V>($($argument,)* Srgb),
                    Light::Table(table) => $body::<V>($($argument,)* &**table),
                }
            }
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn avx2($($argument: $type,)* light: &Light) {
                    any::<super::lanes::Avx2>($($argument,)* light);
                }
                if std::arch::is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor has what the function is compiled for.
                    return unsafe { avx2($($argument,)* light) };
                }
            }
            any::<Portable>($($argument,)* light);
        }
    };
}

vectorised! {
    /// One pixel of light for every sample, chroma being as fine as luma.
    fn same = each(row: Row<'_>, to: Colors<'_>) by light
}
vectorised! {
    /// One pixel of light for every sample of luma; of chroma there are half as many.
    fn doubled = each_of_two(row: Row<'_>, to: Colors<'_>) by light
}
vectorised! {
    /// One pixel of light, their mean, for two by two samples of luma and one of chroma; the other row of luma is `lower`.
    fn halved = mean_of_four(row: Row<'_>, lower: &[u8], to: Colors<'_>) by light
}
vectorised! {
    /// The means of two by two lights.
    fn averaged = mean_of_two_rows(upper: &[i16], lower: &[i16], to: &mut [i16])
}
vectorised! {
    /// The light of grey samples.
    fn grey = each_grey(samples: &[u8], to: &mut [i16]) by light
}
vectorised! {
    /// The light of RGBA pixels, all of them opaque.
    fn opaque = each_opaque(pixels: &[[u8; 4]], to: Colors<'_>) by light
}
vectorised! {
    /// The light of RGBA pixels, multiplied by their alpha, and that alpha in units of 1/64.
    fn veiled = each_veiled(pixels: &[[u8; 4]], to: [&mut [i16]; 4]) by light
}
vectorised! {
    /// Two rows, sample by sample beside each other.
    fn beside = each_beside(first: &[i16], second: &[i16], to: &mut [i16])
}

/// How much more red, green and blue a pixel has than its luma says, in units of 1/128 (Rec. 601).
#[inline(always)]
fn offsets<V: Lanes>(blue: V, red: V) -> [V; 3] {
    // In units of 1/256 by factors in units of 2⁻¹⁴, where a product is of units of 2⁻¹⁵: units of 1/128.
    let chroma = |samples: V| samples.plus(V::all(-128)).left::<8>();
    let (blue, red) = (chroma(blue), chroma(red));
    let green = blue.times(V::all(-5638)).plus(red.times(V::all(-11_700)));
    [red.times(V::all(22_970)), green, blue.times(V::all(29_032))]
}

/// The light of luma in units of 1/128, and of how much more there is.
#[inline(always)]
fn light_of<V: Lanes>(luma: V, offset: V, tone: impl Tone) -> V {
    // Past full scale there is a little room.
    tone.light(luma.plus_within(offset).max(V::all(0)))
}

/// The mean of four lights, rounded: of fourteen bits each and without a sign, so that there is room for their sum.
#[inline(always)]
fn mean<V: Lanes>([a, b, c, d]: [V; 4]) -> V {
    a.plus(b).plus(c.plus(d)).plus(V::all(2)).right::<2>()
}

#[inline(always)]
fn each<V: Lanes>(row: Row<'_>, [reds, greens, blues]: Colors<'_>, tone: impl Tone) {
    let (luma, blue, red) = (row.luma.as_chunks().0, row.blue.as_chunks().0, row.red.as_chunks().0);
    let to = reds
        .as_chunks_mut()
        .0
        .iter_mut()
        .zip(greens.as_chunks_mut().0)
        .zip(blues.as_chunks_mut().0);
    for ((((r, g), b), luma), (blue, red)) in to.zip(luma).zip(blue.iter().zip(red)) {
        let luma = V::of_bytes(luma).left::<7>();
        let [more_red, more_green, more_blue] = offsets(V::of_bytes(blue), V::of_bytes(red));
        light_of(luma, more_red, tone).put(r);
        light_of(luma, more_green, tone).put(g);
        light_of(luma, more_blue, tone).put(b);
    }
}

#[inline(always)]
fn each_of_two<V: Lanes>(row: Row<'_>, [reds, greens, blues]: Colors<'_>, tone: impl Tone) {
    let (luma, blue, red) = (row.luma.as_chunks().0, row.blue.as_chunks().0, row.red.as_chunks().0);
    let to = reds
        .as_chunks_mut()
        .0
        .iter_mut()
        .zip(greens.as_chunks_mut().0)
        .zip(blues.as_chunks_mut().0);
    for ((((r, g), b), luma), (blue, red)) in to.zip(luma).zip(blue.iter().zip(red)) {
        let [even, odd] = V::of_pairs(luma).map(V::left::<7>);
        let [more_red, more_green, more_blue] = offsets(V::of_bytes(blue), V::of_bytes(red));
        light_of(even, more_red, tone).put_pairs(light_of(odd, more_red, tone), r);
        light_of(even, more_green, tone).put_pairs(light_of(odd, more_green, tone), g);
        light_of(even, more_blue, tone).put_pairs(light_of(odd, more_blue, tone), b);
    }
}

#[inline(always)]
fn mean_of_four<V: Lanes>(
    row: Row<'_>,
    lower: &[u8],
    [reds, greens, blues]: Colors<'_>,
    tone: impl Tone,
) {
    let (blue, red) = (row.blue.as_chunks().0, row.red.as_chunks().0);
    let luma = row.luma.as_chunks().0.iter().zip(lower.as_chunks().0);
    let to = reds
        .as_chunks_mut()
        .0
        .iter_mut()
        .zip(greens.as_chunks_mut().0)
        .zip(blues.as_chunks_mut().0);
    for ((((r, g), b), (upper, lower)), (blue, red)) in to.zip(luma).zip(blue.iter().zip(red)) {
        let ([one, two], [three, four]) = (V::of_pairs(upper), V::of_pairs(lower));
        let luma = [one, two, three, four].map(V::left::<7>);
        let [more_red, more_green, more_blue] = offsets(V::of_bytes(blue), V::of_bytes(red));
        mean(luma.map(|luma| light_of(luma, more_red, tone))).put(r);
        mean(luma.map(|luma| light_of(luma, more_green, tone))).put(g);
        mean(luma.map(|luma| light_of(luma, more_blue, tone))).put(b);
    }
}

#[inline(always)]
fn mean_of_two_rows<V: Lanes>(upper: &[i16], lower: &[i16], to: &mut [i16]) {
    let rows = upper.as_chunks().0.iter().zip(lower.as_chunks().0);
    for (to, (upper, lower)) in to.as_chunks_mut().0.iter_mut().zip(rows) {
        let ([one, two], [three, four]) = (V::of_turns(upper), V::of_turns(lower));
        mean([one, two, three, four]).put(to);
    }
}

#[inline(always)]
fn each_grey<V: Lanes>(samples: &[u8], to: &mut [i16], tone: impl Tone) {
    for (to, samples) in to.as_chunks_mut().0.iter_mut().zip(samples.as_chunks().0) {
        tone.light(V::of_bytes(samples).left::<7>()).put(to);
    }
}

#[inline(always)]
fn each_beside<V: Lanes>(first: &[i16], second: &[i16], to: &mut [i16]) {
    let rows = first.as_chunks().0.iter().zip(second.as_chunks().0);
    for (to, (first, second)) in to.as_chunks_mut().0.iter_mut().zip(rows) {
        V::of(first).put_pairs(V::of(second), to);
    }
}

#[inline(always)]
fn each_opaque<V: Lanes>(pixels: &[[u8; 4]], [reds, greens, blues]: Colors<'_>, tone: impl Tone) {
    let to = reds
        .as_chunks_mut()
        .0
        .iter_mut()
        .zip(greens.as_chunks_mut().0)
        .zip(blues.as_chunks_mut().0);
    for (((r, g), b), pixels) in to.zip(pixels.as_chunks().0) {
        let [red, green, blue, _] = V::of_pixels(pixels);
        tone.light(red.left::<7>()).put(r);
        tone.light(green.left::<7>()).put(g);
        tone.light(blue.left::<7>()).put(b);
    }
}

#[inline(always)]
fn each_veiled<V: Lanes>(
    pixels: &[[u8; 4]],
    [reds, greens, blues, alphas]: [&mut [i16]; 4],
    tone: impl Tone,
) {
    let to = reds
        .as_chunks_mut()
        .0
        .iter_mut()
        .zip(greens.as_chunks_mut().0)
        .zip(blues.as_chunks_mut().0);
    for ((((r, g), b), a), pixels) in to.zip(alphas.as_chunks_mut().0).zip(pixels.as_chunks().0) {
        let [red, green, blue, alpha] = V::of_pixels(pixels);
        // In units of 2⁻¹⁵: what is opaque becomes the most that there is, which multiplies fourteen bits like one.
        let share = alpha.left::<7>().plus(alpha.right::<1>());
        tone.light(red.left::<7>()).times(share).put(r);
        tone.light(green.left::<7>()).times(share).put(g);
        tone.light(blue.left::<7>()).times(share).put(b);
        alpha.left::<6>().put(a);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use proptest::prelude::*;

    use super::{super::light::Tone, *};
    use crate::imaging::reduce::lanes::LANES;

    const SAMPLES: usize = 3 * LANES;

    /// What a loop leaves in three rows.
    fn rows(fill: impl FnOnce(Colors<'_>)) -> Vec<Vec<i16>> {
        let mut rows = vec![vec![0; SAMPLES]; 3];
        let [reds, greens, blues] = rows.get_disjoint_mut([0, 1, 2]).unwrap();
        fill([reds, greens, blues]);
        rows
    }

    fn table() -> Light {
        let mut table = Box::new([0_i16; 256]);
        (0_i16..).zip(table.iter_mut()).for_each(|(at, light)| *light = at * 64);
        Light::Table(table)
    }

    proptest! {
        /// What this processor is best at gives what any processor gives.
        #[test]
        fn every_processor_makes_the_same_light(
            luma in proptest::collection::vec(any::<u8>(), 4 * SAMPLES),
            chroma in proptest::collection::vec(any::<u8>(), 2 * SAMPLES),
        ) {
            let (lower, red) = (&luma[2 * SAMPLES..], &chroma[SAMPLES..]);
            let row = Row { luma: &luma, blue: &chroma, red };
            fn check(light: &Light, tone: impl Tone, row: Row<'_>, lower: &[u8], luma: &[u8]) {
                assert_eq!(rows(|to| same(row, to, light)), rows(|to| each::<Portable>(row, to, tone)));
                assert_eq!(rows(|to| doubled(row, to, light)), rows(|to| each_of_two::<Portable>(row, to, tone)));
                assert_eq!(
                    rows(|to| halved(row, lower, to, light)),
                    rows(|to| mean_of_four::<Portable>(row, lower, to, tone))
                );
                let pixels = luma.as_chunks::<4>().0;
                assert_eq!(rows(|to| opaque(pixels, to, light)), rows(|to| each_opaque::<Portable>(pixels, to, tone)));
                let mut beside = vec![0; SAMPLES];
                let mut other = beside.clone();
                let veil = rows(|[r, g, b]| veiled(pixels, [r, g, b, &mut beside], light));
                assert_eq!(veil, rows(|[r, g, b]| each_veiled::<Portable>(pixels, [r, g, b, &mut other], tone)));
                assert_eq!(beside, other);
            }
            check(&Light::Srgb, Srgb, row, lower, &luma);
            let Light::Table(numbers) = table() else { unreachable!() };
            check(&table(), &*numbers, row, lower, &luma);
            let upper = rows(|to| doubled(row, to, &Light::Srgb));
            let (mut one, mut other) = (vec![0; SAMPLES / 2], vec![0; SAMPLES / 2]);
            averaged(&upper[0], &upper[1], &mut one);
            mean_of_two_rows::<Portable>(&upper[0], &upper[1], &mut other);
            prop_assert_eq!(one, other);
            let (mut one, mut other) = (vec![0; 2 * SAMPLES], vec![0; 2 * SAMPLES]);
            beside(&upper[0], &upper[1], &mut one);
            each_beside::<Portable>(&upper[0], &upper[1], &mut other);
            prop_assert_eq!(one, other);
        }
    }
}
