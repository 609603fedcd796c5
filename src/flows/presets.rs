//! Transformations in the URL form, where they are kept or signed, and the presets that they name.

use std::collections::HashMap;

use serde_json::Value;

use super::{Services, overlays};
use crate::{
    adapters::db::{
        delivery::PutDeliverySettings,
        now,
        presets::{DeletePreset, PresetsOf, PutPreset},
    },
    domain::{
        delivery::{MAX_TRANSFORMATION, Preset, Settings, check_preset_spec},
        error::{Error, Fault, Result},
        ids::{ImageId, UserId},
        transform::{Hints, Profile, Spec},
    },
};

/// The presets of an account, by name.
#[derive(Debug, Clone, Default)]
pub struct Presets(HashMap<String, Value>);

impl Presets {
    /// Those of an account.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of(services: &Services, user_id: UserId) -> Result<Self> {
        let all = services.database.ask(PresetsOf { user_id }).await?;
        Ok(all.into_iter().map(|Preset { name, spec, .. }| (name, spec)).collect())
    }

    /// What a name stands for.
    pub fn find(&self, name: &str) -> Option<Spec> {
        self.0.get(name).and_then(|spec| Spec::parse(spec).ok())
    }

    /// Reads a transformation in the URL form that is to be kept or signed.
    ///
    /// # Errors
    /// All that is wrong with it, told of the text as a whole.
    pub fn read(&self, text: &str, profile: Profile) -> Result<Spec, Vec<Fault>> {
        in_bounds(text)?;
        Spec::from_url_with(text, profile, &|name| self.find(name)).map_err(as_a_whole)
    }
}

impl FromIterator<(String, Value)> for Presets {
    fn from_iter<T: IntoIterator<Item = (String, Value)>>(presets: T) -> Self {
        Self(presets.into_iter().collect())
    }
}

/// Reads a transformation in the URL form that is to become a preset, which can name no other.
///
/// # Errors
/// As [`Presets::read`].
pub fn read_alone(text: &str, profile: Profile) -> Result<Spec, Vec<Fault>> {
    in_bounds(text)?;
    let spec = Spec::from_url(text, profile).map_err(as_a_whole)?;
    let asked = Spec::from_url_for(text, profile, &|_| None, &Hints::default());
    if asked.is_ok_and(|(_, asks)| asks.dpr || asks.width) {
        let detail = "is the same for everybody: dpr_auto and w_auto belong beside it, in the URL";
        return Err(vec![Fault::new("", detail)]);
    }
    Ok(spec)
}

fn in_bounds(text: &str) -> Result<(), Vec<Fault>> {
    if text.len() <= MAX_TRANSFORMATION && !text.contains('\0') {
        return Ok(());
    }
    let detail =
        format!("must be at most {MAX_TRANSFORMATION} bytes, without the character U+0000");
    Err(vec![Fault::new("", detail)])
}

/// Faults of a text that is one string of whatever it stands in.
fn as_a_whole(mut faults: Vec<Fault>) -> Vec<Fault> {
    faults.iter_mut().for_each(|fault| fault.pointer.clear());
    faults
}

/// Gives a name to a transformation; whether the name is a new one. `named` are the pictures that the spec names, and where.
///
/// # Errors
/// `validation_failed` if the spec is too large, or one of those is not the account's; `quota_exceeded`.
pub async fn put(
    services: &Services,
    user_id: UserId,
    name: String,
    spec: &Spec,
    named: Vec<(String, ImageId)>,
) -> Result<(Preset, bool)> {
    let spec = spec.canonical();
    if let Some(detail) = check_preset_spec(&spec) {
        return Err(Error::field("", detail));
    }
    overlays::check(services, user_id, named).await?;
    let query = PutPreset { user_id, name, spec, now: now() };
    let put = services.database.ask(query).await?;
    services.delivery.changed();
    Ok(put)
}

/// Takes a name back.
///
/// # Errors
/// `not_found`.
pub async fn delete(services: &Services, user_id: UserId, name: String) -> Result<()> {
    services.database.ask(DeletePreset { user_id, name }).await?;
    services.delivery.changed();
    Ok(())
}

/// Puts other settings in the place of an account's.
///
/// # Errors
/// `validation_failed`, naming every transformation that can't be read and every picture that is not the account's.
pub async fn put_settings(services: &Services, user_id: UserId, settings: Settings) -> Result<()> {
    let presets = Presets::of(services, user_id).await?;
    let (mut faults, mut named) = (Vec::new(), Vec::new());
    for (index, text) in settings.allowed.iter().enumerate() {
        let pointer = format!("/allowed/{index}");
        match presets.read(text, services.profile) {
            Ok(spec) => named.extend(spec.overlays().map(|id| (pointer.clone(), id))),
            Err(found) => {
                faults.extend(found.into_iter().map(|fault| Fault::new(&pointer, fault.detail)));
            }
        }
    }
    named.extend(settings.fallback_image_id.map(|id| ("/fallback_image_id".to_owned(), id)));
    faults.extend(overlays::missing(services, user_id, named).await?);
    if !faults.is_empty() {
        return Err(Error::invalid(faults));
    }
    services.database.ask(PutDeliverySettings { user_id, settings }).await?;
    services.delivery.changed();
    Ok(())
}
