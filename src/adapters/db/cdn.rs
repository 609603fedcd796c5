//! Pictures that a CDN in front of the service has to forget, until it was told twice: at once, and when no process shows any more
//! what it had at hand before, which the CDN may have fetched in between. Written down whether there is one or not: only
//! whoever tells it knows.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    Mode, Transaction,
    error::Stop,
    now,
    tx::{Bind, Tx, binds},
};
use crate::domain::ids::{ImageId, UserId};

/// Rows written or named by one statement.
const TOGETHER: usize = 500;
/// When it is told the second time: processes hear of a change within 5 s.
const AGAIN: TimeDelta = TimeDelta::seconds(6);

/// What becomes of a picture that is to be forgotten already: once more, and at once.
macro_rules! once_more {
    () => {
        " ON CONFLICT (image_id) DO UPDATE SET
              purge_id = excluded.purge_id, attempts = 0, due_at = excluded.due_at,
              again_at = excluded.again_at, created_at = excluded.created_at"
    };
}

/// Has some pictures forgotten.
pub(super) async fn forget(tx: &mut Tx, images: &[ImageId]) -> Result<(), Stop> {
    for some in images.chunks(TOGETHER) {
        let rows: Vec<String> =
            (0..some.len()).map(|n| format!("(${}, $1, 0, $2, $3, $2)", n + 4)).collect();
        let sql = format!(
            concat!(
                "INSERT INTO cdn_purges
                     (image_id, purge_id, attempts, due_at, again_at, created_at)
                 VALUES {}",
                once_more!()
            ),
            rows.join(", ")
        );
        let at = now();
        let mut values = binds![Uuid::now_v7(), at, at + AGAIN].to_vec();
        values.extend(some.iter().copied().map(Bind::from));
        tx.execute(AssertSqlSafe(sql), values).await?;
    }
    Ok(())
}

/// Has all pictures of an account forgotten.
pub(super) async fn forget_account(tx: &mut Tx, user_id: UserId) -> Result<(), Stop> {
    let at = now();
    tx.execute(
        concat!(
            "INSERT INTO cdn_purges (image_id, purge_id, attempts, due_at, again_at, created_at)
             SELECT id, $2, 0, $3, $4, $3 FROM images WHERE user_id = $1 ORDER BY id",
            once_more!()
        ),
        binds![user_id, Uuid::now_v7(), at, at + AGAIN],
    )
    .await?;
    Ok(())
}

/// A picture that the CDN is to be told to forget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CdnPurge {
    /// The picture.
    pub image_id: ImageId,
    /// Which time it is.
    pub purge_id: Uuid,
    /// How often it was told, this time included.
    pub attempts: i32,
}

/// Takes what is due, the oldest first; nobody else has it before the lease has run out.
#[derive(Debug, Clone)]
pub struct LeaseCdnPurges {
    /// The present.
    pub now: DateTime<Utc>,
    /// For how long.
    pub lease: TimeDelta,
    /// How many at most.
    pub limit: i64,
}

impl Transaction for LeaseCdnPurges {
    const NAME: &'static str = "cdn.lease";
    const MODE: Mode = Mode::Write;
    type Output = Vec<CdnPurge>;

    async fn perform(&self, tx: &mut Tx) -> Result<Vec<CdnPurge>, Stop> {
        let sql = format!(
            "WITH due AS MATERIALIZED (
                 SELECT image_id FROM cdn_purges WHERE due_at <= $1 ORDER BY due_at LIMIT $3 {}
             )
             UPDATE cdn_purges SET due_at = $2, attempts = attempts + 1
             WHERE due_at <= $1 AND image_id IN (SELECT image_id FROM due)
             RETURNING image_id, purge_id, attempts",
            tx.dialect().skip_locked
        );
        let binds = binds![self.now, self.now + self.lease, self.limit];
        let rows: Vec<(Uuid, Uuid, i32)> = tx.fetch_all(AssertSqlSafe(sql), binds).await?;
        let purge = |(image_id, purge_id, attempts)| CdnPurge {
            image_id: ImageId(image_id),
            purge_id,
            attempts,
        };
        Ok(rows.into_iter().map(purge).collect())
    }
}

/// Records what came of telling the CDN. What was told the first time is due a second time. A picture that has to be forgotten once
/// more since stays as it is.
#[derive(Debug, Clone)]
pub struct SettleCdnPurges {
    /// What was told.
    pub purges: Vec<CdnPurge>,
    /// When it is tried again; `None` if the CDN has it.
    pub again: Option<DateTime<Utc>>,
}

impl Transaction for SettleCdnPurges {
    const NAME: &'static str = "cdn.settle";
    const MODE: Mode = Mode::Write;
    type Output = ();

    async fn perform(&self, tx: &mut Tx) -> Result<(), Stop> {
        match self.again {
            Some(at) => {
                self.each(tx, "UPDATE cdn_purges SET due_at = $1 WHERE TRUE", &binds![at]).await
            }
            None => {
                self.each(tx, "DELETE FROM cdn_purges WHERE again_at IS NULL", &[]).await?;
                // Another time: whoever told it late of the first does not settle the second.
                self.each(
                    tx,
                    "UPDATE cdn_purges SET purge_id = $1, attempts = 0,
                         due_at = again_at, again_at = NULL
                     WHERE again_at IS NOT NULL",
                    &binds![Uuid::now_v7()],
                )
                .await
            }
        }
    }
}

impl SettleCdnPurges {
    /// Does something, which ends in a condition and takes `binds`, to what was told.
    async fn each(&self, tx: &mut Tx, action: &str, binds: &[Bind]) -> Result<(), Stop> {
        let first = binds.len();
        for some in self.purges.chunks(TOGETHER) {
            let pair = |n: usize| format!("(${}, ${})", first + 2 * n + 1, first + 2 * n + 2);
            let pairs: Vec<String> = (0..some.len()).map(pair).collect();
            let sql = format!("{action} AND (image_id, purge_id) IN (VALUES {})", pairs.join(", "));
            let mut values = binds.to_vec();
            values.extend(some.iter().flat_map(|purge| binds![purge.image_id, purge.purge_id]));
            tx.execute(AssertSqlSafe(sql), values).await?;
        }
        Ok(())
    }
}

/// Gives up on what a CDN was not told in all this time: there is none, or it does not listen.
#[derive(Debug, Clone)]
pub struct PurgeCdnPurges {
    /// What was written down before it goes.
    pub before: DateTime<Utc>,
    /// How many at most.
    pub limit: i64,
}

impl Transaction for PurgeCdnPurges {
    const NAME: &'static str = "cdn.purge";
    const MODE: Mode = Mode::Write;
    /// How many went.
    type Output = u64;

    async fn perform(&self, tx: &mut Tx) -> Result<u64, Stop> {
        tx.execute(
            "DELETE FROM cdn_purges WHERE image_id IN (
                 SELECT image_id FROM cdn_purges WHERE created_at < $1 LIMIT $2)",
            binds![self.before, self.limit],
        )
        .await
    }
}
