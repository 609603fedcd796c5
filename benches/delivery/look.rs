//! How results look, and how large they are.

use bytes::Bytes;

use crate::{
    cases::Case,
    place::Place,
    reference::{Light, Size, dimensions, reference},
    score::{Float, Picture, score},
};

/// The results of one server.
#[derive(Debug, Clone, Copy)]
pub struct Looks {
    /// SSIMULACRA2 against the reference, the mean of all.
    pub linear: f64,
    pub gamma: f64,
    /// Of all together.
    pub bytes: usize,
    /// Whether they are as large as was asked for, so that all of this can be compared.
    pub is_exact: bool,
}

/// What results of a case are held against.
pub struct Look<'a> {
    place: &'a Place,
    wanted: Vec<Wanted>,
}

struct Wanted {
    size: (u32, u32),
    linear: Float,
    gamma: Float,
}

impl<'a> Look<'a> {
    pub fn new(case: &Case, place: &'a Place) -> Self {
        let source: Picture = place.pixels(&place.picture(case));
        let wanted = |width| {
            let size = Size::Width(width);
            let [linear, gamma] =
                [Light::Linear, Light::Gamma].map(|light| reference(&source, size, light));
            Wanted { size: dimensions(&source, size), linear, gamma }
        };
        Self { place, wanted: case.exact.into_iter().map(wanted).collect() }
    }

    /// Looks at one result for each of the widths.
    pub fn at(&self, made: &[Bytes]) -> Looks {
        let count = self.wanted.len() as f64;
        let mut looks = Looks { linear: 0.0, gamma: 0.0, bytes: 0, is_exact: true };
        for (wanted, bytes) in self.wanted.iter().zip(made) {
            let picture = self.place.pixels(bytes);
            let (width, height) = wanted.size;
            looks.bytes += bytes.len();
            if (picture.width, picture.height) == wanted.size {
                let shown = picture.shown(width, height);
                looks.linear += score(&wanted.linear, &shown) / count;
                looks.gamma += score(&wanted.gamma, &shown) / count;
            } else {
                looks.is_exact = false;
            }
        }
        looks
    }
}
