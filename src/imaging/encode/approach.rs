//! Looking for the lowest quality that scores as high as is wanted, in few tries: each takes as long as writing the picture and
//! reading it.

use crate::{domain::error::Error, imaging::control::Failure};

/// Below, artefacts are so large that no score is to be trusted.
const LOWEST: u8 = 20;
/// Above, files grow and nobody sees why.
const HIGHEST: u8 = 97;
/// What a score may be above the wanted one: a step of quality moves it by about a half to one, and nobody sees that.
const ENOUGH: f64 = 2.0;
/// What a step of quality moves the score by, as long as nothing more is known.
const STEP: f64 = 0.8;
/// How often is tried at most.
const TRIES: u32 = 7;

/// A quality that was tried.
pub(super) struct Tried<T> {
    pub quality: u8,
    pub score: f64,
    pub result: T,
}

/// The lowest quality that scores `wanted`, or hardly more; of those that were tried the one that scores best, if none does.
/// Scores are taken to rise with the quality. Looking begins at `start`, goes on by what a step usually gives until there is one
/// quality on either side, then by the line between them, and then by halves.
pub(super) fn approach<T>(
    wanted: f64,
    start: u8,
    mut measure: impl FnMut(u8) -> Result<(f64, T), Failure>,
) -> Result<Tried<T>, Failure> {
    let (mut below, mut above): (Option<Tried<T>>, Option<Tried<T>>) = (None, None);
    let mut quality = start;
    for tries in 1..=TRIES {
        let (score, result) = measure(quality)?;
        let tried = Tried { quality, score, result };
        if score >= wanted {
            above = Some(tried);
        } else if below.as_ref().is_none_or(|best| best.score < score) {
            below = Some(tried);
        }
        let scored = [&below, &above].map(|tried| tried.as_ref().map(|t| (t.quality, t.score)));
        match next(wanted, scored, tries) {
            Some(better) => quality = better,
            None => break,
        }
    }
    above.or(below).ok_or_else(|| Error::internal("no quality was tried").into())
}

/// What to try after the best qualities below and above the wanted score; `None` if that is not worth it.
fn next(wanted: f64, scored: [Option<(u8, f64)>; 2], tries: u32) -> Option<u8> {
    let aim = wanted + ENOUGH / 2.0;
    match scored {
        [_, Some((_, score))] if score <= wanted + ENOUGH => None,
        [Some((low, under)), Some((high, over))] => {
            // Where the line misleads, halves do not.
            let share = if tries < 4 { (aim - under) / (over - under) } else { 0.5 };
            let between = f64::from(low) + share * f64::from(high - low);
            (high - low > 1).then(|| whole(between).clamp(low + 1, high - 1))
        }
        [None, Some((LOWEST, _))] | [Some((HIGHEST, _)), None] | [None, None] => None,
        [Some((quality, score)), None] | [None, Some((quality, score))] => {
            // Not where it was looked for: further away each time, and then at the end.
            let steps = (aim - score) / STEP;
            let steps = steps.abs().max(4.0 * f64::from(tries - 1)).copysign(steps);
            let next = if tries < 4 {
                f64::from(quality) + steps * f64::from(tries)
            } else {
                steps * 100.0
            };
            Some(whole(next))
        }
    }
}

/// The nearest quality.
fn whole(quality: f64) -> u8 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Within the range.
    let quality = quality.round().clamp(f64::from(LOWEST), f64::from(HIGHEST)) as u8;
    quality
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    /// What is found for a curve, and in how many tries.
    fn found(wanted: f64, start: u8, curve: impl Fn(u8) -> f64) -> (u8, f64, u32) {
        let tries = Cell::new(0);
        let found = approach(wanted, start, |quality| {
            assert!((LOWEST..=HIGHEST).contains(&quality));
            tries.set(tries.get() + 1);
            Ok((curve(quality), ()))
        });
        let Tried { quality, score, .. } = found.unwrap();
        (quality, score, tries.get())
    }

    #[test]
    fn what_is_usual_takes_few_tries() {
        for shift in [-5.0, 0.0, 5.0] {
            // Steep at first, then flat, like those of JPEG and AVIF.
            let curve =
                |quality: u8| shift + 100.0 - 90.0 * (-0.03 * (f64::from(quality) - 20.0)).exp();
            for (wanted, start) in [(50.0, 45), (70.0, 60), (80.0, 72)] {
                let (_, score, tries) = found(wanted, start, curve);
                assert!((wanted..=wanted + ENOUGH).contains(&score), "{wanted} {score}");
                assert!(tries <= 4, "{wanted} {tries}");
            }
        }
    }

    #[test]
    fn the_ends_are_found() {
        assert_eq!(found(80.0, 70, |_| 100.0).0, LOWEST);
        let (quality, score, _) = found(90.0, 70, |quality| f64::from(quality) / 2.0);
        assert_eq!((quality, score), (HIGHEST, f64::from(HIGHEST) / 2.0));
    }

    proptest! {
        /// Whatever the curve: what reaches the score if anything that was tried does, and never without end.
        #[test]
        fn any_curve_is_followed(
            scores in prop::collection::vec(-50.0..100.0, 100),
            start in LOWEST..=HIGHEST,
            wanted in 40.0..95.0,
            is_rising: bool,
        ) {
            let mut scores = scores;
            if is_rising {
                scores.sort_by(f64::total_cmp);
            }
            let curve = |quality: u8| scores.get(usize::from(quality)).copied().unwrap();
            let (quality, score, tries) = found(wanted, start, curve);
            prop_assert!(tries <= TRIES);
            prop_assert_eq!(score, curve(quality));
            if is_rising && curve(HIGHEST) < wanted {
                prop_assert!(score <= curve(HIGHEST));
            }
            if is_rising && curve(HIGHEST) >= wanted {
                prop_assert!(score >= wanted);
            }
        }
    }
}
