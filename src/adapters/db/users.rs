//! Accounts.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    Mode, Transaction, changes,
    deletions::{self, Scope},
    error::Stop,
    tokens,
    tx::{Tx, binds},
};
use crate::domain::{
    delivery::ChangeKind,
    error::{Code, Error},
    ids::{DeletionId, UserId},
    image::Deletion,
    user::{Credentials, RefreshToken, Usage, User},
};

/// Holds an account until the transaction ends, for whoever counts what it has before adding to it.
pub(super) async fn lock(tx: &mut Tx, id: UserId) -> Result<(), Stop> {
    let sql = format!("SELECT id FROM users WHERE id = $1 {}", tx.dialect().for_update);
    let row: Option<(Uuid,)> = tx.fetch_optional(AssertSqlSafe(sql), binds![id]).await?;
    row.map(|_| ()).ok_or_else(|| Error::not_found("account").into())
}

/// Registers an account, and opens its first login.
#[derive(Debug, Clone)]
pub struct CreateUser {
    /// The account.
    pub user: User,
    /// Argon2id, in PHC string form.
    pub password_hash: String,
    /// The login's first refresh token.
    pub token: RefreshToken,
}

impl Transaction for CreateUser {
    const NAME: &'static str = "users.create";
    const MODE: Mode = Mode::Write;
    type Output = ();

    async fn perform(&self, tx: &mut Tx) -> Result<(), Stop> {
        let created = tx
            .execute(
                "INSERT INTO users (id, username, password_hash, created_at) VALUES ($1, $2, $3, $4)
                 ON CONFLICT DO NOTHING",
                binds![self.user.id, &self.user.username, &self.password_hash, self.user.created_at],
            )
            .await?;
        if created == 0 {
            return Err(Error::new(Code::UsernameTaken, "that username is taken").into());
        }
        tokens::open_login(tx, &self.token).await
    }
}

row! {
    struct CredentialsRow {
        id: Uuid,
        username: String,
        password_hash: String,
        disabled: bool,
        created_at: DateTime<Utc>,
    }
}

impl From<CredentialsRow> for Credentials {
    fn from(row: CredentialsRow) -> Self {
        let user = User { id: UserId(row.id), username: row.username, created_at: row.created_at };
        Credentials { user, password_hash: row.password_hash, disabled: row.disabled }
    }
}

/// What a password is checked against, by the name that was typed.
#[derive(Debug, Clone)]
pub struct CredentialsByName {
    /// In any case.
    pub username: String,
}

impl Transaction for CredentialsByName {
    const NAME: &'static str = "users.credentials_by_name";
    const MODE: Mode = Mode::Read;
    type Output = Option<Credentials>;

    async fn perform(&self, tx: &mut Tx) -> Result<Option<Credentials>, Stop> {
        let row: Option<CredentialsRow> = tx
            .fetch_optional(
                "SELECT id, username, password_hash, disabled, created_at FROM users
                 WHERE lower(username) = lower($1)",
                binds![&self.username],
            )
            .await?;
        Ok(row.map(Credentials::from))
    }
}

/// What a password is checked against, for somebody who is logged in.
#[derive(Debug, Clone)]
pub struct CredentialsById {
    /// The account.
    pub id: UserId,
}

impl Transaction for CredentialsById {
    const NAME: &'static str = "users.credentials_by_id";
    const MODE: Mode = Mode::Read;
    type Output = Option<Credentials>;

    async fn perform(&self, tx: &mut Tx) -> Result<Option<Credentials>, Stop> {
        let row: Option<CredentialsRow> = tx
            .fetch_optional(
                "SELECT id, username, password_hash, disabled, created_at FROM users WHERE id = $1",
                binds![self.id],
            )
            .await?;
        Ok(row.map(Credentials::from))
    }
}

/// Sets another password, and ends every login of the account.
#[derive(Debug, Clone)]
pub struct ChangePassword {
    /// The account.
    pub user_id: UserId,
    /// Argon2id, in PHC string form.
    pub password_hash: String,
}

impl Transaction for ChangePassword {
    const NAME: &'static str = "users.change_password";
    const MODE: Mode = Mode::Write;
    type Output = ();

    async fn perform(&self, tx: &mut Tx) -> Result<(), Stop> {
        let changed = tx
            .execute(
                "UPDATE users SET password_hash = $2 WHERE id = $1",
                binds![self.user_id, &self.password_hash],
            )
            .await?;
        if changed == 0 {
            return Err(Error::not_found("account").into());
        }
        tx.execute("DELETE FROM logins WHERE user_id = $1", binds![self.user_id]).await?;
        Ok(())
    }
}

/// What an account holds.
#[derive(Debug, Clone)]
pub struct UsageOf {
    /// The account.
    pub user_id: UserId,
}

impl Transaction for UsageOf {
    const NAME: &'static str = "users.usage";
    const MODE: Mode = Mode::Read;
    type Output = Usage;

    async fn perform(&self, tx: &mut Tx) -> Result<Usage, Stop> {
        // Postgres sums BIGINT up to NUMERIC, and a sum of no rows is NULL.
        const IMAGES: &str = "SELECT count(*), CAST(coalesce(sum(size), 0) AS BIGINT) FROM images
                              WHERE user_id = $1";
        const VARIANTS: &str =
            "SELECT count(*), CAST(coalesce(sum(size), 0) AS BIGINT) FROM variants
                                WHERE user_id = $1 AND status = 'ready'";
        let (images, image_bytes): (i64, i64) = tx.fetch_one(IMAGES, binds![self.user_id]).await?;
        let (variants, variant_bytes): (i64, i64) =
            tx.fetch_one(VARIANTS, binds![self.user_id]).await?;
        Ok(Usage { images, variants, bytes: image_bytes.saturating_add(variant_bytes) })
    }
}

/// Deletes an account and all that it has.
#[derive(Debug, Clone)]
pub struct DeleteUser {
    /// The account.
    pub user_id: UserId,
    /// The receipt.
    pub deletion_id: DeletionId,
    /// The present.
    pub now: DateTime<Utc>,
}

impl Transaction for DeleteUser {
    const NAME: &'static str = "users.delete";
    const MODE: Mode = Mode::Write;
    type Output = (Deletion, Vec<String>);

    async fn perform(&self, tx: &mut Tx) -> Result<Self::Output, Stop> {
        let scope = Scope::User(self.user_id);
        let receipt =
            deletions::record(tx, self.user_id, self.deletion_id, scope, self.now).await?;
        changes::of_account(tx, self.user_id, ChangeKind::Pictures).await?;
        let deleted = tx.execute("DELETE FROM users WHERE id = $1", binds![self.user_id]).await?;
        if deleted == 0 {
            return Err(Error::not_found("account").into());
        }
        Ok(receipt)
    }
}
