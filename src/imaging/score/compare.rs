//! Where two planes differ.

use super::light::Plane;

/// A blur: the impulse response of the recursive filter that the measure is defined by (Charalampidis 2016, sigma 1.5), which
/// ends by its own here.
const BLUR: [f32; 9] = [
    0.009_414_368,
    0.036_011_115,
    0.109_335_37,
    0.212_928_6,
    0.264_621_1,
    0.212_928_6,
    0.109_335_37,
    0.036_011_115,
    0.009_414_368,
];
/// How far it reaches to either side.
const REACH: usize = BLUR.len() / 2;
/// What keeps the structure of flat places from counting.
const FLAT: f32 = 0.0009;
/// How many samples are compared before their errors are added to the sums: few enough for floats of 32 bits.
const RUN: usize = 256;
/// How many sums are made beside each other.
const LANES: usize = 8;

/// One error of two planes.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Norms {
    /// Of all pixels.
    pub mean: f64,
    /// The fourth root of the mean of fourth powers: the worst places count most.
    pub norm_4: f64,
}

/// All errors of two planes.
#[derive(Debug)]
pub(super) struct Errors {
    /// How little is alike what goes on around a pixel.
    pub structure: Norms,
    /// Edges where there were none: ringing, blocks.
    pub artefact: Norms,
    /// Edges that are gone: smoothing.
    pub loss: Norms,
}

/// A plane that others are compared with, and what of it is the same each time.
pub(super) struct Compared {
    plane: Plane,
    /// Blurred.
    mean: Vec<f32>,
    /// How much it varies around the mean.
    variance: Vec<f32>,
    /// One by: one and how far it is from the mean.
    edge: Vec<f32>,
}

impl Compared {
    pub(super) fn new(plane: Plane) -> Self {
        let (width, samples) = (plane.width, &plane.samples);
        let mean = blurred(width, samples.iter().copied());
        let squares = blurred(width, samples.iter().map(|sample| sample * sample));
        let variance = squares.iter().zip(&mean).map(|(square, mean)| square - mean * mean);
        let edge =
            samples.iter().zip(&mean).map(|(sample, mean)| 1.0 / (1.0 + (sample - mean).abs()));
        Self { variance: variance.collect(), edge: edge.collect(), mean, plane }
    }

    /// The errors of `other`, a plane of the same size.
    pub(super) fn errors(&self, other: &Plane) -> Errors {
        let (width, samples) = (other.width, &other.samples);
        let means = blurred(width, samples.iter().copied());
        let squares = blurred(width, samples.iter().map(|sample| sample * sample));
        let both = self.plane.samples.iter().zip(samples);
        let products = blurred(width, both.map(|(one, other)| one * other));

        let [mut structure, mut artefact, mut loss] = [Sums::default(); 3];
        let [mut unlike, mut edge] = [[0.0; RUN]; 2];
        let of_reference =
            self.mean.chunks(RUN).zip(self.variance.chunks(RUN)).zip(self.edge.chunks(RUN));
        let of_other = samples.chunks(RUN).zip(means.chunks(RUN)).zip(squares.chunks(RUN));
        for ((((mean, variance), edges), ((samples, means), squares)), products) in
            of_reference.zip(of_other).zip(products.chunks(RUN))
        {
            if samples.len() < RUN {
                (unlike, edge) = ([0.0; RUN], [0.0; RUN]);
            }
            let each = mean.iter().zip(means).zip(variance).zip(squares).zip(products);
            for (to, ((((one, other), variance), square), product)) in unlike.iter_mut().zip(each) {
                let apart = one - other;
                let alike = 2.0 * (product - one * other) + FLAT;
                let varies = variance + (square - other * other) + FLAT;
                *to = (1.0 - (1.0 - apart * apart) * alike / varies).max(0.0);
            }
            let each = samples.iter().zip(means).zip(edges);
            for (to, ((sample, mean), edge)) in edge.iter_mut().zip(each) {
                *to = (1.0 + (sample - mean).abs()) * edge - 1.0;
            }
            structure.add(&unlike, |unlike| unlike);
            artefact.add(&edge, |edge| edge.max(0.0));
            loss.add(&edge, |edge| (-edge).max(0.0));
        }
        let [structure, artefact, loss] =
            [structure, artefact, loss].map(|sums| sums.norms(samples.len()));
        Errors { structure, artefact, loss }
    }
}

/// Sums of an error.
#[derive(Clone, Copy, Default)]
struct Sums {
    first: f64,
    fourth: f64,
}

impl Sums {
    fn add(&mut self, values: &[f32; RUN], error: impl Fn(f32) -> f32) {
        let [mut first, mut fourth] = [[0.0_f32; LANES]; 2];
        for values in values.as_chunks::<LANES>().0 {
            for ((value, first), fourth) in values.iter().zip(&mut first).zip(&mut fourth) {
                let error = error(*value);
                *first += error;
                *fourth += (error * error) * (error * error);
            }
        }
        self.first += f64::from(first.iter().sum::<f32>());
        self.fourth += f64::from(fourth.iter().sum::<f32>());
    }

    fn norms(self, count: usize) -> Norms {
        #[allow(clippy::cast_precision_loss)] // Some millions.
        let count = count.max(1) as f64;
        Norms { mean: self.first / count, norm_4: (self.fourth / count).sqrt().sqrt() }
    }
}

/// Rows of `width` samples, blurred; beyond the borders there is nothing.
fn blurred(width: usize, samples: impl ExactSizeIterator<Item = f32>) -> Vec<f32> {
    let (width, count) = (width.max(1), samples.len());
    let rows = count / width;
    let mut samples = samples;
    let mut across = vec![0.0; (rows + 2 * REACH) * width];
    let mut padded = vec![0.0; width + 2 * REACH];
    for to in across.chunks_exact_mut(width).skip(REACH).take(rows) {
        let middle = padded.iter_mut().skip(REACH).take(width);
        middle.zip(&mut samples).for_each(|(to, sample)| *to = sample);
        weigh(to, padded.windows(width));
    }
    let mut down = vec![0.0; count];
    for (to, from) in
        down.chunks_exact_mut(width).zip(across.windows(width * BLUR.len()).step_by(width))
    {
        weigh(to, from.chunks_exact(width));
    }
    down
}

/// Adds to a row those that are blurred together with it.
fn weigh<'a>(to: &mut [f32], lines: impl Iterator<Item = &'a [f32]>) {
    for (weight, line) in BLUR.iter().zip(lines) {
        for (to, from) in to.iter_mut().zip(line) {
            *to += weight * from;
        }
    }
}
