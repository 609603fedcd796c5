//! Deletions: the rows go at once, and what remains is a list of objects to remove.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    Mode, Transaction,
    error::Stop,
    objects,
    tx::{Bind, Tx, binds, placeholders},
};
use crate::domain::{
    error::Error,
    ids::{DeletionId, ImageId, UserId, VariantId},
    image::Deletion,
};

/// What a deletion covers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scope {
    User(UserId),
    Image(ImageId),
    Variant(VariantId),
}

/// Writes down a deletion of all objects in `scope` that nothing else uses, before their rows are deleted; with the keys.
/// That the scope belongs to the account is for the caller to have checked.
pub(super) async fn record(
    tx: &mut Tx,
    user_id: UserId,
    id: DeletionId,
    scope: Scope,
    now: DateTime<Utc>,
) -> Result<(Deletion, Vec<String>), Stop> {
    // From the top down, each row locked before its children are read: nothing can be added below it,
    // and no object be given to it, that this list would miss.
    const OF_USER: &[&str] = &[
        "SELECT NULL FROM users WHERE id = $1",
        "SELECT object_key FROM images WHERE user_id = $1",
        "SELECT object_key FROM variants WHERE image_id IN (SELECT id FROM images WHERE user_id = $1)",
    ];
    const OF_IMAGE: &[&str] = &[
        "SELECT object_key FROM images WHERE id = $1",
        "SELECT object_key FROM variants WHERE image_id = $1",
    ];
    const OF_VARIANT: &[&str] = &["SELECT object_key FROM variants WHERE id = $1"];
    let (selects, of) = match scope {
        Scope::User(id) => (OF_USER, Bind::from(id)),
        Scope::Image(id) => (OF_IMAGE, Bind::from(id)),
        Scope::Variant(id) => (OF_VARIANT, Bind::from(id)),
    };
    let mut keys = Vec::new();
    for select in selects {
        let sql = format!("{select} {}", tx.dialect().for_update);
        let rows: Vec<(Option<String>,)> = tx.fetch_all(AssertSqlSafe(sql), [of.clone()]).await?;
        keys.extend(rows.into_iter().filter_map(|(key,)| key));
    }
    let keys = objects::release(tx, keys).await?;
    let deletion = record_keys(tx, user_id, id, &keys, now).await?;
    Ok((deletion, keys))
}

/// Writes down a deletion of these objects.
pub(super) async fn record_keys(
    tx: &mut Tx,
    user_id: UserId,
    id: DeletionId,
    keys: &[String],
    now: DateTime<Utc>,
) -> Result<Deletion, Stop> {
    let objects = i64::try_from(keys.len()).map_err(Stop::corrupt)?;
    let finished_at = keys.is_empty().then_some(now);
    tx.execute(
        "INSERT INTO deletions (id, user_id, objects, created_at, finished_at)
         VALUES ($1, $2, $3, $4, $5)",
        binds![id, user_id, objects, now, finished_at],
    )
    .await?;
    for chunk in keys.chunks(500) {
        let rows: Vec<String> = (0..chunk.len()).map(|n| format!("($1, ${})", n + 2)).collect();
        let sql = format!(
            "INSERT INTO deletion_objects (deletion_id, object_key) VALUES {}",
            rows.join(", ")
        );
        let values = std::iter::once(Bind::from(id)).chain(chunk.iter().map(Bind::from));
        tx.execute(AssertSqlSafe(sql), values.collect::<Vec<_>>()).await?;
    }
    Ok(Deletion { id, objects, remaining: objects, created_at: now, finished_at })
}

row! {
    struct DeletionRow {
        id: Uuid,
        objects: i64,
        remaining: i64,
        created_at: DateTime<Utc>,
        finished_at: Option<DateTime<Utc>>,
    }
}

/// How far a deletion has come. The receipt alone opens it: the account may be what was deleted.
#[derive(Debug, Clone)]
pub struct DeletionById {
    /// The receipt.
    pub id: DeletionId,
}

impl Transaction for DeletionById {
    const NAME: &'static str = "deletions.get";
    const MODE: Mode = Mode::Read;
    type Output = Deletion;

    async fn perform(&self, tx: &mut Tx) -> Result<Deletion, Stop> {
        let row: Option<DeletionRow> = tx
            .fetch_optional(
                "SELECT id, objects, created_at, finished_at,
                        (SELECT count(*) FROM deletion_objects WHERE deletion_id = $1) AS remaining
                 FROM deletions WHERE id = $1",
                binds![self.id],
            )
            .await?;
        let row = row.ok_or_else(|| Error::not_found("deletion"))?;
        Ok(Deletion {
            id: DeletionId(row.id),
            objects: row.objects,
            remaining: row.remaining,
            created_at: row.created_at,
            finished_at: row.finished_at,
        })
    }
}

/// Objects that are still to be removed, those asked for first before the others.
#[derive(Debug, Clone)]
pub struct PendingDeletions {
    /// Those behind this one.
    pub after: Option<(DeletionId, String)>,
    /// How many at most.
    pub limit: i64,
}

impl Transaction for PendingDeletions {
    const NAME: &'static str = "deletions.pending";
    const MODE: Mode = Mode::Read;
    type Output = Vec<(DeletionId, String)>;

    async fn perform(&self, tx: &mut Tx) -> Result<Self::Output, Stop> {
        let (id, key) =
            self.after.clone().map_or((Uuid::nil(), String::new()), |(id, key)| (id.0, key));
        let rows: Vec<(Uuid, String)> = tx
            .fetch_all(
                "SELECT deletion_id, object_key FROM deletion_objects
                 WHERE (deletion_id, object_key) > ($1, $2)
                 ORDER BY deletion_id, object_key LIMIT $3",
                binds![id, key, self.limit],
            )
            .await?;
        Ok(rows.into_iter().map(|(id, key)| (DeletionId(id), key)).collect())
    }
}

/// Strikes objects off a deletion's list; with the last one it is finished.
#[derive(Debug, Clone)]
pub struct ObjectsDeleted {
    /// The receipt.
    pub deletion_id: DeletionId,
    /// The objects that are gone.
    pub keys: Vec<String>,
    /// The present.
    pub now: DateTime<Utc>,
}

impl Transaction for ObjectsDeleted {
    const NAME: &'static str = "deletions.objects_deleted";
    const MODE: Mode = Mode::Write;
    type Output = ();

    async fn perform(&self, tx: &mut Tx) -> Result<(), Stop> {
        // One at a time for each deletion: of two that each strike off all but the other's objects,
        // neither would see that it was the last.
        let lock = format!("SELECT id FROM deletions WHERE id = $1 {}", tx.dialect().for_update);
        tx.fetch_all::<(Uuid,)>(AssertSqlSafe(lock), binds![self.deletion_id]).await?;
        for chunk in self.keys.chunks(500) {
            let sql = format!(
                "DELETE FROM deletion_objects WHERE deletion_id = $1 AND object_key IN ({})",
                placeholders(2, chunk.len())
            );
            let values =
                std::iter::once(Bind::from(self.deletion_id)).chain(chunk.iter().map(Bind::from));
            tx.execute(AssertSqlSafe(sql), values.collect::<Vec<_>>()).await?;
        }
        tx.execute(
            "UPDATE deletions SET finished_at = $2 WHERE id = $1 AND finished_at IS NULL
             AND NOT EXISTS (SELECT 1 FROM deletion_objects WHERE deletion_id = $1)",
            binds![self.deletion_id, self.now],
        )
        .await?;
        Ok(())
    }
}
