//! What the numbers of a picture's pixels mean.

use moxcms::ColorProfile;

use super::{Wanted, settle};
use crate::imaging::{
    color::{self, Space, ToSrgb},
    control::{Control, Failure},
    reduce::Light,
    sample::Sample,
};

/// Which colours a file's numbers stand for.
pub(in crate::imaging) enum Meaning {
    /// sRGB.
    Srgb,
    /// What a profile says.
    Icc(Vec<u8>),
    /// Code points, or a gamma and primaries.
    Numbers(Box<ColorProfile>),
}

/// In which light pixels of a meaning can be mixed.
pub(super) enum Mixed {
    /// In this, as they are.
    AsTheyAre(Light),
    /// Only once they are sRGB: their channels share no curve.
    InSrgb(ToSrgb),
}

impl Meaning {
    /// That of a profile, if there is one.
    pub(super) fn of(icc: Option<Vec<u8>>) -> Self {
        icc.map_or(Self::Srgb, Self::Icc)
    }

    /// Brings pixels into sRGB, unless a profile is kept: then it is returned.
    pub(super) fn settle<S: Sample>(
        &self,
        pixels: &mut [S],
        wanted: Wanted,
        control: &Control,
    ) -> Result<Option<Vec<u8>>, Failure> {
        match self {
            Self::Icc(icc) => settle(pixels, Some(icc), wanted, control),
            Self::Numbers(profile) => color::from_profile(pixels, profile, control).map(|()| None),
            Self::Srgb => Ok(None),
        }
    }

    /// How pixels are mixed before they are settled.
    pub(super) fn mixed(&self, wanted: Wanted) -> Mixed {
        let (space, is_kept) = match self {
            Self::Srgb => return Mixed::AsTheyAre(Light::Srgb),
            Self::Icc(icc) => (Space::of(Some(icc)), wanted.icc && color::can_be_kept(icc)),
            Self::Numbers(profile) => (Space::with(profile), false),
        };
        match (space.curve(), space.to_srgb()) {
            (None, Some(to_srgb)) if !is_kept => Mixed::InSrgb(to_srgb),
            // What can't be understood is taken for sRGB.
            (curve, _) => Mixed::AsTheyAre(Light::of(curve)),
        }
    }
}
