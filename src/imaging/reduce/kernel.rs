//! The weights of Lanczos3 along one axis, in whole numbers.

use std::{ops::Range, sync::LazyLock};

/// What the weights of a sample add up to: exactly, so that what is of one colour stays of that colour.
pub(super) const ONE: i32 = 1 << SHIFT;
/// Bits of a weight behind the point.
pub(super) const SHIFT: i32 = 14;

/// Lobes of the kernel to each side.
const LOBES: usize = 3;
/// Points of the table for each of them.
const STEPS: usize = 1024;
/// sinc(x) · sinc(x / 3) at x = 0, 1/1024, … 3 and a little further. A line between two of them is off by less than a millionth.
static LANCZOS: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let sinc = |x: f64| {
        if x == 0.0 { 1.0 } else { (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x) }
    };
    let at = |step: usize| count(step) / count(STEPS);
    #[allow(clippy::cast_possible_truncation)] // To the nearest.
    let value = |x: f64| (sinc(x) * sinc(x / count(LOBES))) as f32;
    (0..=LOBES * STEPS + 1)
        .map(|step| if step < LOBES * STEPS { value(at(step)) } else { 0.0 })
        .collect()
});

/// How an axis is divided anew.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    /// The first sample that may be looked at.
    pub first: usize,
    /// The end of those that may be looked at.
    pub end: usize,
    /// Where the part that is taken begins, in samples.
    pub start: f64,
    /// How long it is.
    pub length: f64,
    /// Samples of the result.
    pub count: usize,
    /// Whether every sample is already the mean of two, which has dimmed the fine detail: it is brought back.
    pub is_averaged: bool,
}

/// The weights of every sample of the result.
pub(super) struct Kernel {
    spans: Vec<Span>,
    weights: Vec<i16>,
    taps: usize,
    group: usize,
}

#[derive(Clone, Copy)]
struct Span {
    /// The first sample that counts.
    start: usize,
    /// How many, before zeros.
    taps: usize,
}

impl Kernel {
    /// The weights along `axis`; so many for each sample of the result that their number is a multiple of `group`, and the first is
    /// that of a sample whose number is a multiple of `align`. Those beyond what counts are zero.
    pub(super) fn new(axis: Axis, align: usize, group: usize) -> Self {
        let ratio = axis.length / count(axis.count.max(1));
        let (reach, scale) = reach(axis);
        let mut all = Vec::with_capacity(axis.count);
        let mut spans = Vec::with_capacity(axis.count);
        let (mut values, mut points) = (Vec::new(), Vec::new());
        for index in 0..axis.count {
            let middle = axis.start + (count(index) + 0.5) * ratio;
            let from = floor(middle - reach).clamp(axis.first, axis.end.max(axis.first + 1) - 1);
            let until = (floor(middle + reach) + 1).min(axis.end).max(from + 1);
            let value = |sample: usize, further: f64| {
                lanczos((count(sample) + further + 0.5 - middle) / scale)
            };
            values.clear();
            if axis.is_averaged {
                points.clear();
                points.extend((from..until + 2).map(|sample| value(sample, -1.0)));
                values.extend(points.array_windows().map(sharpened));
            } else {
                values.extend((from..until).map(|sample| value(sample, 0.0)));
            }
            let (first, whole) = whole_numbers(&values);
            let start = (from + first) / align * align;
            let lead = from + first - start;
            spans.push(Span { start, taps: lead + whole.len() });
            all.push((lead, whole));
        }
        let taps = spans.iter().map(|span| span.taps).max().unwrap_or(1).next_multiple_of(group);
        let mut weights = vec![0; taps * axis.count];
        for (place, (lead, whole)) in weights.chunks_exact_mut(taps).zip(all) {
            for (weight, value) in place.iter_mut().skip(lead).zip(whole) {
                *weight = value;
            }
        }
        Self { spans, weights, taps, group }
    }

    /// How many weights each sample of the result has at most.
    pub(super) fn most_taps(axis: Axis, align: usize, group: usize) -> usize {
        let (reach, _) = reach(axis);
        let all = axis.end.saturating_sub(axis.first).max(1);
        ((floor(2.0 * reach) + 2).min(all) + align).next_multiple_of(group)
    }

    /// How many samples of the result there are.
    pub(super) fn len(&self) -> usize {
        self.spans.len()
    }

    /// How many weights each sample of the result has.
    pub(super) fn taps(&self) -> usize {
        self.taps
    }

    /// For each sample of the result, the first sample that it is made of, and the weights from that on, [`Kernel::taps`] of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &[i16])> {
        self.spans
            .iter()
            .zip(self.weights.chunks_exact(self.taps))
            .map(|(span, weights)| (span.start, weights))
    }

    /// What [`Kernel::iter`] has for one sample of the result, without whole groups of zeros at the end.
    pub(super) fn get(&self, index: usize) -> Option<(usize, &[i16])> {
        let span = self.spans.get(index)?;
        let at = index * self.taps;
        Some((span.start, self.weights.get(at..at + span.taps.next_multiple_of(self.group))?))
    }

    /// Counts samples from `origin` on, which none of them lies before.
    pub(super) fn counted_from(mut self, origin: usize) -> Self {
        for span in &mut self.spans {
            span.start = span.start.saturating_sub(origin);
        }
        self
    }

    /// The samples that count for any of the result.
    pub(super) fn needed(&self) -> Range<usize> {
        let start = self.spans.iter().map(|span| span.start).min().unwrap_or(0);
        let end = self.spans.iter().map(|span| span.start + span.taps).max().unwrap_or(0);
        start..end
    }
}

/// How far the kernel reaches, in samples, and how much wider it is than among those of the result.
fn reach(axis: Axis) -> (f64, f64) {
    let scale = (axis.length / count(axis.count.max(1))).max(1.0);
    (count(LOBES) * scale + if axis.is_averaged { 1.0 } else { 0.0 }, scale)
}

/// The weight of a sample that is the mean of two, by the kernel there and beside it. A mean over one sample's width has the second
/// moment 1/12, and one over half of it a quarter of that; taking the difference off the kernel's own curvature undoes what the mean
/// did, to the second order.
fn sharpened([before, here, after]: &[f32; 3]) -> f32 {
    const LOST: f32 = (1.0 - 1.0 / 4.0) / 24.0;
    here * (1.0 + 2.0 * LOST) - (before + after) * LOST
}

fn lanczos(x: f64) -> f32 {
    let at = x.abs() * count(STEPS);
    let step = floor(at);
    #[allow(clippy::cast_possible_truncation)] // Between 0 and 1.
    let part = (at - count(step)) as f32;
    match LANCZOS.get(step..step + 2) {
        Some([from, to]) => from + (to - from) * part,
        _ => 0.0,
    }
}

/// The weights in proportion, adding up to [`ONE`], without what is zero at both ends; and how many those at the beginning were.
fn whole_numbers(values: &[f32]) -> (usize, Vec<i16>) {
    let sum: f32 = values.iter().sum();
    #[allow(clippy::cast_precision_loss)] // A power of two.
    let scale = ONE as f32 / sum;
    #[allow(clippy::cast_possible_truncation)] // At most twice ONE, which is 2¹⁴.
    let mut whole: Vec<i16> = values.iter().map(|value| (value * scale).round() as i16).collect();
    let lost = ONE - whole.iter().map(|value| i32::from(*value)).sum::<i32>();
    if let (Some(largest), Ok(lost)) = (whole.iter_mut().max(), i16::try_from(lost)) {
        *largest = largest.saturating_add(lost);
    }
    let first = whole.iter().position(|value| *value != 0).unwrap_or(0);
    let end = whole.iter().rposition(|value| *value != 0).map_or(whole.len(), |last| last + 1);
    whole.truncate(end);
    whole.drain(..first);
    (first, whole)
}

#[allow(clippy::cast_precision_loss)] // Far below 2⁵³.
fn count(samples: usize) -> f64 {
    samples as f64
}

/// The sample that a place lies in; before the first one, the first.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // The cast saturates.
fn floor(place: f64) -> usize {
    place.max(0.0) as usize
}
