//! Giving up what was made of pictures, so that it is made again when it is next asked for. Variants stay, under the ids that they have:
//! jobs hang on them.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    Mode, Transaction, changes, deletions,
    error::Stop,
    objects,
    tx::{Bind, Tx, binds, placeholders},
    variants,
};
use crate::domain::{
    delivery::ChangeKind,
    ids::{DeletionId, ImageId, UserId},
};

/// Gives up all that was made of a picture.
#[derive(Debug, Clone)]
pub struct PurgeImage {
    /// The account.
    pub user_id: UserId,
    /// The picture.
    pub id: ImageId,
    /// The present.
    pub now: DateTime<Utc>,
}

impl Transaction for PurgeImage {
    const NAME: &'static str = "purge.image";
    const MODE: Mode = Mode::Write;
    type Output = ();

    async fn perform(&self, tx: &mut Tx) -> Result<(), Stop> {
        variants::lock_image(tx, self.user_id, self.id).await?;
        purge(tx, self.user_id, &[self.id], self.now).await
    }
}

/// Gives up all that was made of an account's pictures with a label, some pictures at a time.
#[derive(Debug, Clone)]
pub struct PurgeTag {
    /// The account.
    pub user_id: UserId,
    /// The label.
    pub tag: String,
    /// Those behind this one.
    pub after: ImageId,
    /// How many at most.
    pub limit: u32,
    /// The present.
    pub now: DateTime<Utc>,
}

impl Transaction for PurgeTag {
    const NAME: &'static str = "purge.tag";
    const MODE: Mode = Mode::Write;
    /// The pictures, in order.
    type Output = Vec<ImageId>;

    async fn perform(&self, tx: &mut Tx) -> Result<Vec<ImageId>, Stop> {
        let rows: Vec<(Uuid,)> = tx
            .fetch_all(
                "SELECT image_id FROM image_tags
                 WHERE user_id = $1 AND tag = $2 AND image_id > $3 ORDER BY image_id LIMIT $4",
                binds![self.user_id, &self.tag, self.after, self.limit],
            )
            .await?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT id FROM images WHERE id IN ({}) ORDER BY id {}",
            placeholders(1, rows.len()),
            tx.dialect().for_update
        );
        let binds: Vec<Bind> = rows.iter().map(|(id,)| Bind::from(*id)).collect();
        let held: Vec<(Uuid,)> = tx.fetch_all(AssertSqlSafe(sql), binds).await?;
        let held: Vec<ImageId> = held.into_iter().map(|(id,)| ImageId(id)).collect();
        purge(tx, self.user_id, &held, self.now).await?;
        // What was deleted in this moment counts as well: its neighbours are still to come.
        Ok(rows.into_iter().map(|(id,)| ImageId(id)).collect())
    }
}

/// How many of an account's pictures have a label.
#[derive(Debug, Clone)]
pub struct CountTagged {
    /// The account.
    pub user_id: UserId,
    /// The label.
    pub tag: String,
}

impl Transaction for CountTagged {
    const NAME: &'static str = "purge.count";
    const MODE: Mode = Mode::Read;
    type Output = i64;

    async fn perform(&self, tx: &mut Tx) -> Result<i64, Stop> {
        let (count,) = tx
            .fetch_one(
                "SELECT count(*) FROM image_tags WHERE user_id = $1 AND tag = $2",
                binds![self.user_id, &self.tag],
            )
            .await?;
        Ok(count)
    }
}

/// Gives up what was made of pictures that are held, and what is known of why others could not be made.
async fn purge(
    tx: &mut Tx,
    user_id: UserId,
    images: &[ImageId],
    now: DateTime<Utc>,
) -> Result<(), Stop> {
    if images.is_empty() {
        return Ok(());
    }
    variants::give_up(tx, user_id, images).await?;
    // What failed is tried again as well.
    let of = format!(
        "(object_key IS NOT NULL OR status = 'failed') AND image_id IN ({})",
        placeholders(1, images.len())
    );
    let binds = || images.iter().copied().map(Bind::from).collect::<Vec<_>>();
    let lock = tx.dialect().for_update;
    let sql = format!("SELECT object_key FROM variants WHERE {of} ORDER BY id {lock}");
    let keys: Vec<(Option<String>,)> = tx.fetch_all(AssertSqlSafe(sql), binds()).await?;
    let sql = format!(
        "UPDATE variants SET status = 'pending', engine = 0, format = NULL, size = NULL,
             width = NULL, height = NULL, sha256 = NULL, object_key = NULL,
             error_code = NULL, error_detail = NULL
         WHERE {of}"
    );
    tx.execute(AssertSqlSafe(sql), binds()).await?;
    let unused = objects::retire(tx, keys.into_iter().filter_map(|(key,)| key).collect()).await?;
    if !unused.is_empty() {
        deletions::record_keys(tx, user_id, DeletionId::new(), &unused, now).await?;
    }
    changes::of_images(tx, user_id, images, ChangeKind::Pictures).await
}
