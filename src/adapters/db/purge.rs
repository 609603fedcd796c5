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
    error::Error,
    ids::{DeletionId, ImageId, UserId},
    variant::{Failure, Made, Variant},
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
        match purge(tx, self.user_id, &[self.id], self.now).await? {
            0 => Err(Error::not_found("image").into()),
            _ => Ok(()),
        }
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

/// How often what was made of a picture was given up: to be read before something is made that [`KeepVariant`] is to record.
#[derive(Debug, Clone)]
pub struct PurgesOf {
    /// The account.
    pub user_id: UserId,
    /// The picture.
    pub image_id: ImageId,
}

impl Transaction for PurgesOf {
    const NAME: &'static str = "purge.times";
    const MODE: Mode = Mode::Read;
    type Output = i64;

    async fn perform(&self, tx: &mut Tx) -> Result<i64, Stop> {
        purges_of(tx, self.user_id, self.image_id, "").await
    }
}

async fn purges_of(tx: &mut Tx, user_id: UserId, id: ImageId, lock: &str) -> Result<i64, Stop> {
    let sql = format!("SELECT purges FROM images WHERE id = $1 AND user_id = $2 {lock}");
    let row: Option<(i64,)> = tx.fetch_optional(AssertSqlSafe(sql), binds![id, user_id]).await?;
    row.map(|(purges,)| purges).ok_or_else(|| Error::not_found("image").into())
}

/// Writes down that what was made of pictures is given up; how many of them are there. They must be held, or be one alone, which
/// nobody changes from then on.
pub(super) async fn give_up(tx: &mut Tx, user_id: UserId, images: &[ImageId]) -> Result<u64, Stop> {
    let sql = format!(
        "UPDATE images SET purges = purges + 1 WHERE user_id = $1 AND id IN ({})",
        placeholders(2, images.len())
    );
    let values = std::iter::once(Bind::from(user_id)).chain(images.iter().copied().map(Bind::from));
    tx.execute(AssertSqlSafe(sql), values.collect::<Vec<_>>()).await
}

/// Records what came of making a variant, and the variant where there was none; unless what was made of its picture was given up
/// since the making began.
#[derive(Debug, Clone)]
pub struct KeepVariant {
    /// What to insert if there is none.
    pub variant: Variant,
    /// What was made, or why it can't be.
    pub outcome: Result<Made, Failure>,
    /// [`PurgesOf`] its picture before it was begun.
    pub purges: i64,
    /// The present.
    pub now: DateTime<Utc>,
}

impl Transaction for KeepVariant {
    const NAME: &'static str = "purge.keep";
    const MODE: Mode = Mode::Write;
    /// Whether it was recorded; what was made is to be abandoned if not.
    type Output = bool;

    async fn perform(&self, tx: &mut Tx) -> Result<bool, Stop> {
        let Variant { user_id, image_id, engine, .. } = self.variant;
        // Whoever gives it up in this moment waits, or is waited for.
        let lock = tx.dialect().for_share;
        if purges_of(tx, user_id, image_id, lock).await? != self.purges {
            return Ok(false);
        }
        let reserved = variants::reserve(tx, &self.variant).await?;
        if reserved.engine > engine {
            // A later engine is at it.
            return Ok(false);
        }
        match &self.outcome {
            Ok(made) => {
                let kept = variants::complete(tx, reserved.id, made, Some(engine), self.now);
                Ok(kept.await?.is_some())
            }
            Err(failure) => variants::fail(tx, reserved.id, failure).await.map(|()| true),
        }
    }
}

/// Gives up what was made of pictures, and what is known of why others could not be made; of how many pictures. See [`give_up`].
async fn purge(
    tx: &mut Tx,
    user_id: UserId,
    images: &[ImageId],
    now: DateTime<Utc>,
) -> Result<u64, Stop> {
    if images.is_empty() {
        return Ok(0);
    }
    let there = give_up(tx, user_id, images).await?;
    if there == 0 {
        return Ok(0);
    }
    let of = format!("image_id IN ({})", placeholders(1, images.len()));
    let binds = || images.iter().copied().map(Bind::from).collect::<Vec<_>>();
    let lock = tx.dialect().for_update;
    // All of them: one that is being made may be ready before the next statement.
    let sql = format!("SELECT object_key FROM variants WHERE {of} ORDER BY id {lock}");
    let keys: Vec<(Option<String>,)> = tx.fetch_all(AssertSqlSafe(sql), binds()).await?;
    let sql = format!(
        "UPDATE variants SET status = 'pending', engine = 0, format = NULL, size = NULL,
             width = NULL, height = NULL, sha256 = NULL, object_key = NULL,
             error_code = NULL, error_detail = NULL
         WHERE {of} AND (object_key IS NOT NULL OR status = 'failed')"
    );
    // What failed is tried again as well.
    tx.execute(AssertSqlSafe(sql), binds()).await?;
    let unused = objects::retire(tx, keys.into_iter().filter_map(|(key,)| key).collect()).await?;
    if !unused.is_empty() {
        deletions::record_keys(tx, user_id, DeletionId::new(), &unused, now).await?;
    }
    changes::of_images(tx, user_id, images, ChangeKind::Pictures).await?;
    Ok(there)
}
