//! The pictures that watermarks show: the account's own, and none else's.

use super::Services;
use crate::{
    adapters::db::images::ImageById,
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
    let mut faults = Vec::new();
    for (pointer, id) in named {
        match services.database.ask(ImageById { user_id, id }).await {
            Ok(_) => {}
            Err(error) if error.code == Code::NotFound => {
                faults.push(Fault::new(pointer, "there is no such image"));
            }
            Err(error) => return Err(error),
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Error::invalid(faults)) }
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
