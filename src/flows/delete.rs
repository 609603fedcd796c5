//! Deleting: the rows at once, with a receipt; the objects by the janitor, who is called.

use super::{
    Services,
    metadata::{account_changes, image_changes},
};
use crate::{
    adapters::db::{
        images::DeleteImage,
        now,
        users::DeleteUser,
        variants::{DeleteVariant, VariantById},
    },
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
    image_changes(services, user_id, id).await;
    let deletion_id = DeletionId::new();
    let query = DeleteImage { user_id, id, deletion_id, now: now() };
    let (deletion, _) = services.database.ask(query).await?;
    services.delivery.changed();
    services.deletions.ring();
    Ok(deletion)
}

/// Deletes a variant.
///
/// # Errors
/// `not_found`.
pub async fn delete_variant(services: &Services, user_id: UserId, id: VariantId) -> Result<()> {
    let variant = services.database.ask(VariantById { user_id, id }).await?;
    image_changes(services, user_id, variant.image_id).await;
    let deletion_id = DeletionId::new();
    services.database.ask(DeleteVariant { user_id, id, deletion_id, now: now() }).await?;
    services.delivery.changed();
    services.deletions.ring();
    Ok(())
}

/// Deletes an account with everything in it.
///
/// # Errors
/// `not_found`.
pub async fn delete_user(services: &Services, user_id: UserId) -> Result<Deletion> {
    account_changes(services, user_id).await;
    let deletion_id = DeletionId::new();
    let query = DeleteUser { user_id, deletion_id, now: now() };
    let (deletion, _) = services.database.ask(query).await?;
    services.delivery.changed();
    services.deletions.ring();
    Ok(deletion)
}
