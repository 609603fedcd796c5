//! Stored objects and how many rows name each. Equal bytes of an account are one object.
//!
//! The order of things, so that a crash leaves at worst an object that no row names, never a row whose object is missing: a key is
//! reserved, the object is stored under it, and the row that names it counts it ([`attach`]) as it is written. Whoever deletes
//! such a row counts it off ([`release`]); with the last one the object is written down to be removed. A key is never given
//! twice, so that removing it can't hit what somebody else is storing.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    Mode, Transaction, deletions,
    error::Stop,
    tx::{Bind, Tx, binds, placeholders},
};
use crate::domain::{
    error::Error,
    ids::{DeletionId, UserId},
    object::Object,
};

/// How long it is known that an object was given up, should whoever stored it still come: a machine that slept meanwhile.
const REMEMBERED: TimeDelta = TimeDelta::days(90);

/// Whether bytes are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// They are, under this key.
    There(String),
    /// They are to be stored under the new one.
    New,
}

/// Writes down that an object is about to be stored, unless the account has one with the same bytes that may be used instead.
#[derive(Debug, Clone)]
pub struct ReserveObject {
    /// The account.
    pub user_id: UserId,
    /// The object, with a key that nobody else has.
    pub object: Object,
    /// Whether to look for another.
    pub may_share: bool,
    /// The present.
    pub now: DateTime<Utc>,
}

impl Transaction for ReserveObject {
    const NAME: &'static str = "objects.reserve";
    const MODE: Mode = Mode::Write;
    type Output = Place;

    async fn perform(&self, tx: &mut Tx) -> Result<Place, Stop> {
        let Object { key, sha256, .. } = &self.object;
        let sql = "SELECT key FROM objects WHERE user_id = $1 AND sha256 = $2 AND shared";
        if self.may_share
            && let Some((there,)) = tx.fetch_optional(sql, binds![self.user_id, sha256]).await?
        {
            return Ok(Place::There(there));
        }
        let size = i64::try_from(self.object.size).map_err(Stop::corrupt)?;
        tx.execute(
            "INSERT INTO objects (key, user_id, sha256, size, refs, shared, created_at)
             VALUES ($1, $2, $3, $4, 0, FALSE, $5)",
            binds![key, self.user_id, sha256, size, self.now],
        )
        .await?;
        Ok(Place::New)
    }
}

/// Keeps what the backend calls an object, for those who look for it there.
#[derive(Debug, Clone)]
pub struct NameObject {
    /// Our key.
    pub key: String,
    /// Its name there.
    pub name: Option<String>,
    /// What it is numbered by there.
    pub asset_id: Option<String>,
}

impl Transaction for NameObject {
    const NAME: &'static str = "objects.name";
    const MODE: Mode = Mode::Write;
    type Output = ();

    async fn perform(&self, tx: &mut Tx) -> Result<(), Stop> {
        tx.execute(
            "UPDATE objects SET name = $2, asset_id = $3 WHERE key = $1",
            binds![&self.key, self.name.clone(), self.asset_id.clone()],
        )
        .await?;
        Ok(())
    }
}

/// Counts one more use of an object that was there before; `None` if it was removed meanwhile.
pub(super) async fn attach_again(tx: &mut Tx, key: &str) -> Result<Option<()>, Stop> {
    let counted = tx
        .execute("UPDATE objects SET refs = refs + 1 WHERE key = $1 AND refs > 0", binds![key])
        .await?;
    Ok((counted > 0).then_some(()))
}

/// Counts the first use of an object that was just stored. Where the account has got another with the same bytes meanwhile,
/// that one is used and this one is to be removed. The key to name; `None` if what was stored was given up meanwhile, and there is no other.
pub(super) async fn attach(
    tx: &mut Tx,
    user_id: UserId,
    object: &Object,
    now: DateTime<Utc>,
) -> Result<Option<String>, Stop> {
    let size = i64::try_from(object.size).map_err(Stop::corrupt)?;
    let reserved: Option<(Option<String>, Option<String>)> = tx
        .fetch_optional(
            "DELETE FROM objects WHERE key = $1 AND refs = 0 RETURNING name, asset_id",
            binds![&object.key],
        )
        .await?;
    if reserved.is_none() {
        // Of two who waited for the same making, the second comes here.
        if attach_again(tx, &object.key).await?.is_some() {
            return Ok(Some(object.key.clone()));
        }
        if is_doomed(tx, &object.key).await? {
            return share(tx, user_id, &object.sha256).await;
        }
    }
    let (name, asset_id) = reserved.unwrap_or_default();
    let (key,): (String,) = tx
        .fetch_one(
            "INSERT INTO objects
                 (key, user_id, sha256, size, refs, shared, name, asset_id, created_at)
             VALUES ($1, $2, $3, $4, 1, TRUE, $5, $6, $7)
             ON CONFLICT (user_id, sha256) WHERE shared DO UPDATE SET refs = objects.refs + 1
             RETURNING key",
            binds![&object.key, user_id, &object.sha256, size, name, asset_id, now],
        )
        .await?;
    if key != object.key {
        let keys = [object.key.clone()];
        deletions::record_keys(tx, user_id, DeletionId::new(), &keys, now).await?;
    }
    Ok(Some(key))
}

/// Remembers that an object is to be removed, for those who wait for the same making and may still come to name it.
pub(super) async fn doom(
    tx: &mut Tx,
    user_id: UserId,
    object: &Object,
    now: DateTime<Utc>,
) -> Result<(), Stop> {
    let size = i64::try_from(object.size).map_err(Stop::corrupt)?;
    tx.execute(
        "INSERT INTO objects (key, user_id, sha256, size, refs, shared, created_at)
         VALUES ($1, $2, $3, $4, -1, FALSE, $5) ON CONFLICT (key) DO NOTHING",
        binds![&object.key, user_id, &object.sha256, size, now],
    )
    .await?;
    Ok(())
}

/// Counts one more use of the account's object with these bytes, if there is one; its key.
async fn share(tx: &mut Tx, user_id: UserId, sha256: &str) -> Result<Option<String>, Stop> {
    let sql = "UPDATE objects SET refs = refs + 1 WHERE user_id = $1 AND sha256 = $2 AND shared
               RETURNING key";
    let row: Option<(String,)> = tx.fetch_optional(sql, binds![user_id, sha256]).await?;
    Ok(row.map(|(key,)| key))
}

/// For whoever has nothing else to name.
pub(super) fn given_up(key: &str) -> Stop {
    Error::unavailable("the storage", format_args!("{key} was given up meanwhile")).into()
}

/// Whether an object is to be removed although a row that would name it may still come.
async fn is_doomed(tx: &mut Tx, key: &str) -> Result<bool, Stop> {
    let sql = "SELECT refs FROM objects WHERE key = $1 AND refs < 0";
    Ok(tx.fetch_optional::<(i32,)>(sql, binds![key]).await?.is_some())
}

/// Counts off one use for each mention of a key; those that nobody uses any more.
pub(super) async fn release(tx: &mut Tx, keys: Vec<String>) -> Result<Vec<String>, Stop> {
    count_off(tx, keys, "DELETE FROM objects").await
}

/// The same, where the rows that name them live on: of two who waited for the same making, the second may still come, and is told
/// that what was made has gone.
pub(super) async fn retire(tx: &mut Tx, keys: Vec<String>) -> Result<Vec<String>, Stop> {
    count_off(tx, keys, "UPDATE objects SET refs = -1, shared = FALSE").await
}

/// See [`release`]; `end` is what becomes of the row of an object that nobody uses any more.
async fn count_off(tx: &mut Tx, mut keys: Vec<String>, end: &str) -> Result<Vec<String>, Stop> {
    // In one order, so that two who release the same objects don't wait for each other in a circle.
    keys.sort_unstable();
    let mut unused = Vec::new();
    while !keys.is_empty() {
        let chunk: Vec<String> = keys.drain(..keys.len().min(500)).collect();
        let mut distinct = chunk.clone();
        distinct.dedup();
        let named = placeholders(1, distinct.len());
        let binds = || distinct.iter().map(Bind::from).collect::<Vec<_>>();
        let lock = tx.dialect().for_update;
        let lock = format!("SELECT key FROM objects WHERE key IN ({named}) ORDER BY key {lock}");
        let known: Vec<(String,)> = tx.fetch_all(AssertSqlSafe(lock), binds()).await?;
        let once = format!("UPDATE objects SET refs = refs - 1 WHERE key IN ({named})");
        tx.execute(AssertSqlSafe(once), binds()).await?;
        // Mostly there are none: a variant that has the same bytes as another of its image.
        for repeated in chunk.windows(2).filter_map(|pair| match pair {
            [first, second] if first == second => Some(first),
            _ => None,
        }) {
            let sql = "UPDATE objects SET refs = refs - 1 WHERE key = $1";
            tx.execute(sql, binds![repeated]).await?;
        }
        let sql = format!("{end} WHERE key IN ({named}) AND refs <= 0 RETURNING key");
        let gone: Vec<(String,)> = tx.fetch_all(AssertSqlSafe(sql), binds()).await?;
        unused.extend(gone.into_iter().map(|(key,)| key));
        // What no row describes was stored before there were any.
        unused
            .extend(distinct.into_iter().filter(|key| !known.iter().any(|(known,)| known == key)));
    }
    unused.sort_unstable();
    unused.dedup();
    Ok(unused)
}

/// Has an object removed that was stored and then not used.
#[derive(Debug, Clone)]
pub struct AbandonObject {
    /// The account.
    pub user_id: UserId,
    /// The key.
    pub key: String,
    /// The present.
    pub now: DateTime<Utc>,
}

impl Transaction for AbandonObject {
    const NAME: &'static str = "objects.abandon";
    const MODE: Mode = Mode::Write;
    type Output = ();

    async fn perform(&self, tx: &mut Tx) -> Result<(), Stop> {
        abandon(tx, self.user_id, &self.key, self.now).await
    }
}

/// See [`AbandonObject`]. One that is in use stays.
pub(super) async fn abandon(
    tx: &mut Tx,
    user_id: UserId,
    key: &str,
    now: DateTime<Utc>,
) -> Result<(), Stop> {
    let doom = "UPDATE objects SET refs = -1 WHERE key = $1 AND refs = 0";
    if tx.execute(doom, binds![key]).await? > 0 {
        let keys = [key.to_owned()];
        deletions::record_keys(tx, user_id, DeletionId::new(), &keys, now).await?;
    }
    Ok(())
}

/// Has objects removed that were reserved before a time and that no row names: the remains of crashes.
#[derive(Debug, Clone)]
pub struct SweepObjects {
    /// Reserved before then.
    pub before: DateTime<Utc>,
    /// How many at most.
    pub limit: i64,
    /// The present.
    pub now: DateTime<Utc>,
}

impl Transaction for SweepObjects {
    const NAME: &'static str = "objects.sweep";
    const MODE: Mode = Mode::Write;
    /// How many there were.
    type Output = usize;

    async fn perform(&self, tx: &mut Tx) -> Result<usize, Stop> {
        tx.execute(
            "DELETE FROM objects WHERE refs < 0 AND created_at < $1",
            binds![self.before - REMEMBERED],
        )
        .await?;
        let sql = format!(
            "WITH due AS MATERIALIZED (
                 SELECT key FROM objects WHERE refs = 0 AND created_at < $1
                 ORDER BY created_at LIMIT $2 {}
             )
             UPDATE objects SET refs = -1
             WHERE refs = 0 AND created_at < $1 AND key IN (SELECT key FROM due)
             RETURNING user_id, key",
            tx.dialect().skip_locked
        );
        let swept: Vec<(Uuid, String)> =
            tx.fetch_all(AssertSqlSafe(sql), binds![self.before, self.limit]).await?;
        for (user_id, key) in &swept {
            let keys = std::slice::from_ref(key);
            let id = DeletionId::new();
            deletions::record_keys(tx, UserId(*user_id), id, keys, self.now).await?;
        }
        Ok(swept.len())
    }
}

/// A page of the objects that rows name, by key.
#[derive(Debug, Clone)]
pub struct ListObjects {
    /// Those behind this key; the empty one is before all.
    pub after: String,
    /// How many at most.
    pub limit: i64,
}

impl Transaction for ListObjects {
    const NAME: &'static str = "objects.list";
    const MODE: Mode = Mode::Read;
    type Output = Vec<Object>;

    async fn perform(&self, tx: &mut Tx) -> Result<Vec<Object>, Stop> {
        let rows: Vec<(String, i64, String)> = tx
            .fetch_all(
                "SELECT key, size, sha256 FROM objects WHERE key > $1 AND refs > 0
                 ORDER BY key LIMIT $2",
                binds![&self.after, self.limit],
            )
            .await?;
        Ok(rows.into_iter().map(|(key, size, sha256)| Object::new(&key, size, &sha256)).collect())
    }
}

/// An object, if rows name it.
#[derive(Debug, Clone)]
pub struct FindObject {
    /// Its key.
    pub key: String,
}

impl Transaction for FindObject {
    const NAME: &'static str = "objects.find";
    const MODE: Mode = Mode::Read;
    type Output = Option<Object>;

    async fn perform(&self, tx: &mut Tx) -> Result<Option<Object>, Stop> {
        let row: Option<(String, i64, String)> = tx
            .fetch_optional(
                "SELECT key, size, sha256 FROM objects WHERE key = $1 AND refs > 0",
                binds![&self.key],
            )
            .await?;
        Ok(row.map(|(key, size, sha256)| Object::new(&key, size, &sha256)))
    }
}

/// How much is stored behind a key: objects and bytes.
#[derive(Debug, Clone)]
pub struct CountObjects {
    /// Those behind this key; the empty one is before all.
    pub after: String,
}

impl Transaction for CountObjects {
    const NAME: &'static str = "objects.count";
    const MODE: Mode = Mode::Read;
    type Output = (u64, u64);

    async fn perform(&self, tx: &mut Tx) -> Result<(u64, u64), Stop> {
        let (objects, bytes): (i64, i64) = tx
            .fetch_one(
                "SELECT count(*), CAST(coalesce(sum(size), 0) AS BIGINT) FROM objects
                 WHERE key > $1 AND refs > 0",
                binds![&self.after],
            )
            .await?;
        let count = |number: i64| u64::try_from(number).map_err(Stop::corrupt);
        Ok((count(objects)?, count(bytes)?))
    }
}
