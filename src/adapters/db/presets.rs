//! Transformations with names.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    Mode, Transaction, changes,
    error::Stop,
    tx::{Tx, binds},
    users,
};
use crate::domain::{
    delivery::{ChangeKind, MAX_PRESETS, MAX_PRESETS_TOGETHER, Preset},
    error::{Code, Error},
    ids::UserId,
};

/// Seconds after which it makes sense to try again: somebody has to delete one.
const FULL_FOR: u32 = 60 * 60;

row! {
    struct PresetRow {
        name: String,
        spec: Value,
        created_at: DateTime<Utc>,
        updated_at: DateTime<Utc>,
    }
}

impl From<PresetRow> for Preset {
    fn from(row: PresetRow) -> Self {
        let PresetRow { name, spec, created_at, updated_at } = row;
        Preset { name, spec, created_at, updated_at }
    }
}

/// Gives a name to a transformation, another one if the name was given before.
#[derive(Debug, Clone)]
pub struct PutPreset {
    /// The account.
    pub user_id: UserId,
    /// The name.
    pub name: String,
    /// What it stands for.
    pub spec: Value,
    /// The present.
    pub now: DateTime<Utc>,
}

impl Transaction for PutPreset {
    const NAME: &'static str = "presets.put";
    const MODE: Mode = Mode::Write;
    /// The preset, and whether its name is a new one.
    type Output = (Preset, bool);

    async fn perform(&self, tx: &mut Tx) -> Result<Self::Output, Stop> {
        let Self { user_id, name, spec, now } = self;
        let size = spec.to_string().len();
        users::lock(tx, *user_id).await?;
        let (others, bytes): (i64, i64) = tx
            .fetch_one(
                "SELECT count(*), CAST(coalesce(sum(size), 0) AS BIGINT) FROM presets
                 WHERE user_id = $1 AND name <> $2",
                binds![*user_id, name],
            )
            .await?;
        let is_full =
            |detail: String| Error::new(Code::QuotaExceeded, detail).retry_after(FULL_FOR);
        if usize::try_from(others).is_ok_and(|others| others >= MAX_PRESETS) {
            let detail = format!("an account has at most {MAX_PRESETS} presets; delete one first");
            return Err(is_full(detail).into());
        }
        if usize::try_from(bytes).is_ok_and(|bytes| bytes + size > MAX_PRESETS_TOGETHER) {
            let detail = format!(
                "the presets of an account have at most {MAX_PRESETS_TOGETHER} bytes together as \
                 canonical JSON; the others have {bytes}, this one {size}: delete one first"
            );
            return Err(is_full(detail).into());
        }
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        changes::of_account(tx, *user_id, ChangeKind::Facts).await?;
        let known: Option<PresetRow> = tx
            .fetch_optional(
                "UPDATE presets SET spec = $3, updated_at = $4, size = $5
                 WHERE user_id = $1 AND name = $2
                 RETURNING name, spec, created_at, updated_at",
                binds![*user_id, name, spec, *now, size],
            )
            .await?;
        if let Some(known) = known {
            return Ok((known.into(), false));
        }
        let row: PresetRow = tx
            .fetch_one(
                "INSERT INTO presets (user_id, name, spec, created_at, updated_at, size)
                 VALUES ($1, $2, $3, $4, $4, $5) RETURNING name, spec, created_at, updated_at",
                binds![*user_id, name, spec, *now, size],
            )
            .await?;
        Ok((row.into(), true))
    }
}

/// A preset of an account.
#[derive(Debug, Clone)]
pub struct PresetByName {
    /// The account.
    pub user_id: UserId,
    /// The name.
    pub name: String,
}

impl Transaction for PresetByName {
    const NAME: &'static str = "presets.get";
    const MODE: Mode = Mode::Read;
    type Output = Preset;

    async fn perform(&self, tx: &mut Tx) -> Result<Preset, Stop> {
        let row: Option<PresetRow> = tx
            .fetch_optional(
                "SELECT name, spec, created_at, updated_at FROM presets
                 WHERE user_id = $1 AND name = $2",
                binds![self.user_id, &self.name],
            )
            .await?;
        Ok(row.ok_or_else(|| Error::not_found("preset"))?.into())
    }
}

/// The presets of an account, by name.
#[derive(Debug, Clone)]
pub struct PresetsOf {
    /// The account.
    pub user_id: UserId,
}

impl Transaction for PresetsOf {
    const NAME: &'static str = "presets.list";
    const MODE: Mode = Mode::Read;
    type Output = Vec<Preset>;

    async fn perform(&self, tx: &mut Tx) -> Result<Vec<Preset>, Stop> {
        let rows: Vec<PresetRow> = tx
            .fetch_all(
                "SELECT name, spec, created_at, updated_at FROM presets
                 WHERE user_id = $1 ORDER BY name",
                binds![self.user_id],
            )
            .await?;
        Ok(rows.into_iter().map(Preset::from).collect())
    }
}

/// Takes a name back.
#[derive(Debug, Clone)]
pub struct DeletePreset {
    /// The account.
    pub user_id: UserId,
    /// The name.
    pub name: String,
}

impl Transaction for DeletePreset {
    const NAME: &'static str = "presets.delete";
    const MODE: Mode = Mode::Write;
    type Output = ();

    async fn perform(&self, tx: &mut Tx) -> Result<(), Stop> {
        let deleted = tx
            .execute(
                "DELETE FROM presets WHERE user_id = $1 AND name = $2",
                binds![self.user_id, &self.name],
            )
            .await?;
        if deleted == 0 {
            return Err(Error::not_found("preset").into());
        }
        changes::of_account(tx, self.user_id, ChangeKind::Facts).await
    }
}
