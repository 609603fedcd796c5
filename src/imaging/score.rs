//! How alike two pictures look: SSIMULACRA2 (Sneyers 2022), the mean of what people said of compressed pictures. 100 is the
//! same; 90 can't be told apart even when flickering between both, 80 not side by side, 70 shows to those who look for it,
//! 50 is medium quality.
//!
//! The measure weighs 108 errors: of six scales, three channels of XYB, three kinds and two norms. Three quarters of its weights
//! are zero or so small that they move no score by a hundredth; what they would weigh is not computed. That leaves of the full size
//! luma alone, and what is the same for every try, the half of the reference, is computed once.
//!
//! Pictures that have fewer scales, of a side below 113 pixels, are weighed by the scales they have. Other implementations count
//! through the same table without a gap, and so weigh their scales by what is meant for others.

mod compare;
mod light;
#[cfg(test)]
mod tests;

use image::RgbaImage;

use self::{
    compare::{Compared, Errors},
    light::Light,
};

/// A picture to compare others with.
pub(super) struct Reference {
    scales: Vec<Vec<Compared>>,
    size: (u32, u32),
}

impl Reference {
    pub(super) fn new(picture: &RgbaImage) -> Self {
        let mut scales = Vec::new();
        each_scale(picture, |light, weighed| {
            let planes = weighed.iter().map(|(channel, _)| light.channel(*channel));
            scales.push(planes.map(Compared::new).collect());
        });
        Self { scales, size: picture.dimensions() }
    }

    /// How alike `other` looks; minus infinity, if it is of another size.
    pub(super) fn score(&self, other: &RgbaImage) -> f64 {
        if other.dimensions() != self.size {
            return f64::NEG_INFINITY;
        }
        let mut scales = self.scales.iter();
        let mut error = 0.0;
        each_scale(other, |light, weighed| {
            let planes = scales.next().map(Vec::as_slice).unwrap_or_default();
            for ((channel, weights), reference) in weighed.iter().zip(planes) {
                error += weights.of(&reference.errors(&light.channel(*channel)));
            }
        });
        rescaled(error)
    }
}

/// From the weighed sum of the errors to the scale of what people say.
fn rescaled(error: f64) -> f64 {
    let error = error * 0.956_238_261_683_484_4;
    let cubic = 6.248_496_625_763_138e-5 * error * error * error;
    let error = cubic - 0.020_884_521_182_843_837 * error * error + 2.326_765_642_916_932 * error;
    100.0 - 10.0 * error.max(0.0).powf(0.627_633_646_783_138_7)
}

/// Hands over the picture, then its half, and so on, as long as it has enough pixels, each with what is weighed of it.
fn each_scale(picture: &RgbaImage, mut hand: impl FnMut(&Light, &[(Channel, Weights)])) {
    let mut light = Light::of(picture);
    for (index, weighed) in WEIGHED.iter().enumerate() {
        if light.width < light::SMALLEST || light.height < light::SMALLEST {
            break;
        }
        if index > 0 {
            light = light.halved();
        }
        hand(&light, weighed);
    }
}

/// A channel of XYB, the space of what the eye's cones tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Channel {
    /// Redder or greener.
    X,
    /// How light.
    Y,
    /// Bluer or yellower.
    B,
}

/// What the errors of one plane weigh.
#[derive(Debug, Default)]
struct Weights {
    /// The mean of where structure differs.
    structure: f64,
    /// The fourth norm of it.
    structure_4: f64,
    /// The mean, of edges where there were none.
    artefact: f64,
    artefact_4: f64,
    /// The same of edges that are gone.
    loss: f64,
    loss_4: f64,
}

impl Weights {
    const NONE: Self = Self {
        structure: 0.0,
        structure_4: 0.0,
        artefact: 0.0,
        artefact_4: 0.0,
        loss: 0.0,
        loss_4: 0.0,
    };

    fn of(&self, errors: &Errors) -> f64 {
        let [structure, artefact, loss] = [&errors.structure, &errors.artefact, &errors.loss];
        self.structure * structure.mean
            + self.structure_4 * structure.norm_4
            + self.artefact * artefact.mean
            + self.artefact_4 * artefact.norm_4
            + self.loss * loss.mean
            + self.loss_4 * loss.norm_4
    }
}

/// What of each scale has a weight above 0.01, by the table of the measure's version 2.1.
const WEIGHED: [&[(Channel, Weights)]; 5] = [
    &[(
        Channel::Y,
        Weights { structure_4: 7.466_890_328, loss_4: 17.445_833_984, ..Weights::NONE },
    )],
    &[
        (Channel::X, Weights { structure_4: 1.104_172_643, ..Weights::NONE }),
        (
            Channel::Y,
            Weights { structure_4: 6.683_678_146, loss_4: 1.027_889_938, ..Weights::NONE },
        ),
    ],
    &[
        (
            Channel::X,
            Weights { structure_4: 1.842_245_552, artefact_4: 11.441_172_604, ..Weights::NONE },
        ),
        (
            Channel::Y,
            Weights { structure: 225.205_153_008, structure_4: 19.213_238_186, ..Weights::NONE },
        ),
    ],
    &[
        (
            Channel::X,
            Weights { structure_4: 1.878_759_498, artefact_4: 10.949_069_906, ..Weights::NONE },
        ),
        (
            Channel::Y,
            Weights {
                structure: 176.393_175_985,
                structure_4: 24.433_009_999,
                artefact_4: 0.285_208_026,
                ..Weights::NONE
            },
        ),
        (
            Channel::B,
            Weights { structure_4: 8.826_982_765, artefact_4: 23.192_433_440, ..Weights::NONE },
        ),
    ],
    &[
        (
            Channel::X,
            Weights { artefact: 0.967_793_708, artefact_4: 0.998_176_698, ..Weights::NONE },
        ),
        (
            Channel::Y,
            Weights { structure_4: 34.779_063_445, artefact_4: 44.835_625_329, ..Weights::NONE },
        ),
        (
            Channel::B,
            Weights {
                structure: 95.108_049_881,
                artefact: 0.986_397_803,
                artefact_4: 171.266_725_590,
                loss: 0.983_438_279,
                loss_4: 0.980_785_887,
                ..Weights::NONE
            },
        ),
    ],
];
