//! Giving up what was made of pictures: in every process, and in the storage.

use uuid::Uuid;

use super::{
    Services,
    metadata::{self, account_changes, image_changes},
    transform::transform_now,
};
use crate::{
    adapters::db::{
        now,
        purge::{CountTagged, PurgeImage, PurgeTag},
    },
    domain::{
        error::{Error, Result},
        ids::{ImageId, UserId},
        transform::Spec,
        variant::Variant,
    },
};

/// Pictures purged in one transaction.
const TOGETHER: u32 = 100;

/// Gives up all that was made of a picture.
///
/// # Errors
/// `not_found`.
pub async fn purge_image(services: &Services, user_id: UserId, id: ImageId) -> Result<()> {
    image_changes(services, user_id, id).await;
    services.database.ask(PurgeImage { user_id, id, now: now() }).await?;
    services.delivery.changed();
    services.deletions.ring();
    Ok(())
}

/// How many pictures have a label.
///
/// # Errors
/// When the database fails.
pub async fn count_tagged(services: &Services, user_id: UserId, tag: String) -> Result<usize> {
    let count = services.database.ask(CountTagged { user_id, tag }).await?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Gives up all that was made of the pictures with a label; how many pictures there are.
///
/// # Errors
/// When the database fails; what was purged by then is.
pub async fn purge_tag(services: &Services, user_id: UserId, tag: String) -> Result<usize> {
    let (mut purged, mut after) = (0, ImageId(Uuid::nil()));
    loop {
        account_changes(services, user_id).await;
        let some = PurgeTag { user_id, tag: tag.clone(), after, limit: TOGETHER, now: now() };
        let some = services.database.ask(some).await?;
        services.delivery.changed();
        services.deletions.ring();
        purged += some.len();
        match some.last() {
            Some(last) if some.len() >= TOGETHER as usize => after = *last,
            _ => return Ok(purged),
        }
    }
}

/// Makes a variant again that was given up, and whoever asks for it waits.
///
/// # Errors
/// Those of [`transform_now`].
pub async fn make_again(services: &Services, variant: Variant) -> Result<Variant> {
    let image = metadata::image(services, variant.user_id, variant.image_id).await?;
    let unread = |faults| Error::internal(format!("{} has a spec like {faults:?}", variant.id));
    let spec = Spec::parse(&variant.spec).map_err(unread)?;
    Ok(transform_now(services, image, spec).await?.0)
}
