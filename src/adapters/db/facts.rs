//! Pictures that were not looked at yet, and what was found out about them. The row itself is the order: it is taken for a
//! while, and comes back if nothing was heard.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    Mode, Transaction,
    error::Stop,
    tx::{Tx, binds},
};
use crate::domain::{
    error::{Error, Result as DomainResult},
    ids::ImageId,
    image::Facts,
    object::Object,
};

/// A picture to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undescribed {
    /// The picture.
    pub id: ImageId,
    /// Its bytes.
    pub object: Object,
    /// How often it was taken, this time included.
    pub attempts: i32,
}

/// Takes pictures that nobody has looked at, oldest first.
#[derive(Debug, Clone)]
pub struct TakeUndescribed {
    /// How many at most.
    pub limit: i64,
    /// The present.
    pub now: DateTime<Utc>,
    /// From then on others may take them.
    pub until: DateTime<Utc>,
}

impl Transaction for TakeUndescribed {
    const NAME: &'static str = "facts.take";
    const MODE: Mode = Mode::Write;
    type Output = Vec<Undescribed>;

    async fn perform(&self, tx: &mut Tx) -> Result<Self::Output, Stop> {
        let sql = format!(
            "WITH due AS MATERIALIZED (
                 SELECT id FROM images
                 WHERE NOT described AND (describe_at IS NULL OR describe_at <= $1)
                 ORDER BY id LIMIT $3 {}
             )
             UPDATE images SET describe_at = $2, describe_attempts = describe_attempts + 1
             WHERE NOT described AND (describe_at IS NULL OR describe_at <= $1)
                 AND id IN (SELECT id FROM due)
             RETURNING id, object_key, size, sha256, describe_attempts",
            tx.dialect().skip_locked
        );
        let binds = binds![self.now, self.until, self.limit];
        let rows: Vec<(Uuid, String, i64, String, i32)> =
            tx.fetch_all(AssertSqlSafe(sql), binds).await?;
        let mut taken: Vec<Undescribed> = rows
            .into_iter()
            .map(|(id, key, size, sha256, attempts)| Undescribed {
                id: ImageId(id),
                object: Object::new(&key, size, &sha256),
                attempts,
            })
            .collect();
        taken.sort_by_key(|image| image.id);
        Ok(taken)
    }
}

/// Records what was found out; it is not looked at again. A picture that has gone meanwhile is passed over.
#[derive(Debug, Clone)]
pub struct Describe {
    /// The picture.
    pub id: ImageId,
    /// Nothing, for one that can't be read.
    pub facts: Facts,
}

impl Transaction for Describe {
    const NAME: &'static str = "facts.put";
    const MODE: Mode = Mode::Write;
    type Output = ();

    async fn perform(&self, tx: &mut Tx) -> Result<(), Stop> {
        let facts = &self.facts;
        tx.execute(
            "UPDATE images SET described = TRUE, thumbhash = $2, dominant_color = $3, palette = $4,
                 phash = $5, blurhash = $6, exif = $7 WHERE id = $1",
            binds![
                self.id,
                facts.thumbhash.clone(),
                facts.dominant_color.clone(),
                written(facts.palette.as_ref())?,
                facts.phash.clone(),
                facts.blurhash.clone(),
                written(facts.exif.as_ref())?
            ],
        )
        .await?;
        Ok(())
    }
}

fn written<T: Serialize>(value: Option<&T>) -> DomainResult<Option<String>> {
    value.map(serde_json::to_string).transpose().map_err(Error::internal)
}
