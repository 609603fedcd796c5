//! The pictures that watermarks show: the account's own, and none else's.

use super::Services;
use crate::{
    adapters::db::images::{ImageById, ImagesThere},
    domain::{
        error::{Code, Error, Fault, Result},
        ids::{ImageId, UserId},
        image::Image,
        transform::Spec,
    },
};

/// Refuses what was asked for if one of these pictures, each with the pointer that it was named at, is not the account's.
///
/// # Errors
/// `validation_failed`, naming every one.
pub async fn check(
    services: &Services,
    user_id: UserId,
    named: Vec<(String, ImageId)>,
) -> Result<()> {
    let faults = missing(services, user_id, named).await?;
    if faults.is_empty() { Ok(()) } else { Err(Error::invalid(faults)) }
}

/// A fault for each of these pictures that is not the account's, at the pointer that it was named at.
///
/// # Errors
/// When the database fails.
pub async fn missing(
    services: &Services,
    user_id: UserId,
    named: Vec<(String, ImageId)>,
) -> Result<Vec<Fault>> {
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let ids = named.iter().map(|(_, id)| *id).collect();
    let there = services.database.ask(ImagesThere { user_id: Some(user_id), ids }).await?;
    let missing = named.into_iter().filter(|(_, id)| !there.contains(id));
    Ok(missing.map(|(pointer, _)| Fault::new(pointer, "there is no such image")).collect())
}

/// The pictures that `spec` lays over another, each once.
///
/// # Errors
/// `transform_impossible` if one has been deleted since.
pub(super) async fn find(services: &Services, user_id: UserId, spec: &Spec) -> Result<Vec<Image>> {
    let mut ids: Vec<ImageId> = spec.overlays().collect();
    ids.sort_unstable();
    ids.dedup();
    let mut images = Vec::with_capacity(ids.len());
    for id in ids {
        let found = services.database.ask(ImageById { user_id, id }).await;
        images.push(found.map_err(|error| match error.code {
            Code::NotFound => {
                let detail = format!("the watermark's image {id} has been deleted");
                Error::new(Code::TransformImpossible, detail)
            }
            _ => error,
        })?);
    }
    Ok(images)
}
