//! What delivery URLs are signed with.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    Mode, Transaction, changes,
    error::Stop,
    tx::{Tx, binds},
    users,
};
use crate::domain::{
    delivery::{ChangeKind, MAX_SIGNING_KEYS, SigningKey},
    error::{Code, Error},
    ids::UserId,
};

/// Seconds after which it makes sense to try again: somebody has to delete one.
const FULL_FOR: u32 = 60 * 60;

row! {
    struct KeyRow {
        id: String,
        user_id: Uuid,
        name: String,
        secret: String,
        created_at: DateTime<Utc>,
    }
}

impl From<KeyRow> for SigningKey {
    fn from(row: KeyRow) -> Self {
        let KeyRow { id, user_id, name, secret, created_at } = row;
        SigningKey { id, user_id: UserId(user_id), name, secret, created_at }
    }
}

/// The keys of an account, newest first.
async fn of(tx: &mut Tx, user_id: UserId) -> Result<Vec<SigningKey>, Stop> {
    let rows: Vec<KeyRow> = tx
        .fetch_all(
            "SELECT id, user_id, name, secret, created_at FROM signing_keys
             WHERE user_id = $1 ORDER BY created_at DESC, id DESC",
            binds![user_id],
        )
        .await?;
    Ok(rows.into_iter().map(SigningKey::from).collect())
}

async fn insert(tx: &mut Tx, key: &SigningKey) -> Result<(), Stop> {
    tx.execute(
        "INSERT INTO signing_keys (id, user_id, name, secret, created_at)
         VALUES ($1, $2, $3, $4, $5)",
        binds![&key.id, key.user_id, &key.name, &key.secret, key.created_at],
    )
    .await?;
    changes::of_account(tx, key.user_id, ChangeKind::Facts).await
}

/// Records a key.
#[derive(Debug, Clone)]
pub struct InsertSigningKey {
    /// The key.
    pub key: SigningKey,
}

impl Transaction for InsertSigningKey {
    const NAME: &'static str = "signing_keys.insert";
    const MODE: Mode = Mode::Write;
    type Output = ();

    async fn perform(&self, tx: &mut Tx) -> Result<(), Stop> {
        users::lock(tx, self.key.user_id).await?;
        if of(tx, self.key.user_id).await?.len() >= MAX_SIGNING_KEYS {
            let detail =
                format!("an account has at most {MAX_SIGNING_KEYS} signing keys; delete one first");
            return Err(Error::new(Code::QuotaExceeded, detail).retry_after(FULL_FOR).into());
        }
        insert(tx, &self.key).await
    }
}

/// The key that an account signs with, its newest; recorded now if it has none.
#[derive(Debug, Clone)]
pub struct EnsureSigningKey {
    /// What to record then.
    pub key: SigningKey,
}

impl Transaction for EnsureSigningKey {
    const NAME: &'static str = "signing_keys.ensure";
    const MODE: Mode = Mode::Write;
    type Output = SigningKey;

    async fn perform(&self, tx: &mut Tx) -> Result<SigningKey, Stop> {
        users::lock(tx, self.key.user_id).await?;
        if let Some(newest) = of(tx, self.key.user_id).await?.into_iter().next() {
            return Ok(newest);
        }
        insert(tx, &self.key).await?;
        Ok(self.key.clone())
    }
}

/// The keys of an account, newest first: the first is what it signs with.
#[derive(Debug, Clone)]
pub struct SigningKeysOf {
    /// The account.
    pub user_id: UserId,
}

impl Transaction for SigningKeysOf {
    const NAME: &'static str = "signing_keys.list";
    const MODE: Mode = Mode::Read;
    type Output = Vec<SigningKey>;

    async fn perform(&self, tx: &mut Tx) -> Result<Vec<SigningKey>, Stop> {
        of(tx, self.user_id).await
    }
}

/// Takes a key back: what it has signed does not hold any more.
#[derive(Debug, Clone)]
pub struct DeleteSigningKey {
    /// The account.
    pub user_id: UserId,
    /// The key.
    pub id: String,
}

impl Transaction for DeleteSigningKey {
    const NAME: &'static str = "signing_keys.delete";
    const MODE: Mode = Mode::Write;
    type Output = ();

    async fn perform(&self, tx: &mut Tx) -> Result<(), Stop> {
        let deleted = tx
            .execute(
                "DELETE FROM signing_keys WHERE id = $1 AND user_id = $2",
                binds![&self.id, self.user_id],
            )
            .await?;
        if deleted == 0 {
            return Err(Error::not_found("signing key").into());
        }
        changes::of_account(tx, self.user_id, ChangeKind::Facts).await
    }
}

/// What a signature is checked with, by the id that it names, and whether the key's account is shut; `None` if there is no such key.
#[derive(Debug, Clone)]
pub struct SigningKeyById {
    /// The key.
    pub id: String,
}

row! {
    struct KeyAndAccountRow {
        disabled: bool,
        ..key: KeyRow,
    }
}

impl Transaction for SigningKeyById {
    const NAME: &'static str = "signing_keys.get";
    const MODE: Mode = Mode::Read;
    type Output = Option<(SigningKey, bool)>;

    async fn perform(&self, tx: &mut Tx) -> Result<Self::Output, Stop> {
        let row: Option<KeyAndAccountRow> = tx
            .fetch_optional(
                "SELECT k.id, k.user_id, k.name, k.secret, k.created_at, u.disabled
                 FROM signing_keys k JOIN users u ON u.id = k.user_id WHERE k.id = $1",
                binds![&self.id],
            )
            .await?;
        Ok(row.map(|row| (row.key.into(), row.disabled)))
    }
}
