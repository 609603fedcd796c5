//! Deleting: the rows at once, with a receipt; the objects by the janitor, who is called.

use super::Services;
use crate::{
    adapters::db::{images::DeleteImage, now, users::DeleteUser, variants::DeleteVariant},
    domain::{
        error::Result,
        ids::{DeletionId, ImageId, UserId, VariantId},
        image::Deletion,
    },
};

/// Deletes an image with everything made of it.
///
/// # Errors
/// `not_found`.
pub async fn delete_image(services: &Services, user_id: UserId, id: ImageId) -> Result<Deletion> {
    let deletion_id = DeletionId::new();
    let query = DeleteImage { user_id, id, deletion_id, now: now() };
    let (deletion, _) = services.database.ask(query).await?;
    services.deletions.ring();
    Ok(deletion)
}

/// Deletes a variant.
///
/// # Errors
/// `not_found`.
pub async fn delete_variant(services: &Services, user_id: UserId, id: VariantId) -> Result<()> {
    let deletion_id = DeletionId::new();
    services.database.ask(DeleteVariant { user_id, id, deletion_id, now: now() }).await?;
    services.deletions.ring();
    Ok(())
}

/// Deletes an account with everything in it.
///
/// # Errors
/// `not_found`.
pub async fn delete_user(services: &Services, user_id: UserId) -> Result<Deletion> {
    let deletion_id = DeletionId::new();
    let query = DeleteUser { user_id, deletion_id, now: now() };
    let (deletion, _) = services.database.ask(query).await?;
    services.deletions.ring();
    Ok(deletion)
}
