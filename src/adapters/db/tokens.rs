//! Refresh tokens in their families, and API keys.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    Mode, Transaction,
    error::Stop,
    tx::{Tx, binds},
};
use crate::domain::{
    error::{Code, Error},
    ids::{ApiKeyId, FamilyId, TokenId, UserId},
    user::{ApiKey, RefreshToken, Rotation, Session, User},
};

/// Records the first token of a login, unless the password was changed since it was checked.
#[derive(Debug, Clone)]
pub struct InsertRefreshToken {
    /// The token.
    pub token: RefreshToken,
    /// What the password was checked against.
    pub password_hash: String,
}

impl Transaction for InsertRefreshToken {
    const NAME: &'static str = "tokens.insert";
    const MODE: Mode = Mode::Write;
    type Output = ();

    async fn perform(&self, tx: &mut Tx) -> Result<(), Stop> {
        // Written, so that a change of the password at the same time waits, and then finds this login.
        let still = tx
            .execute(
                "UPDATE users SET password_hash = password_hash WHERE id = $1 AND password_hash = $2",
                binds![self.token.user_id, &self.password_hash],
            )
            .await?;
        if still == 0 {
            return Err(
                Error::new(Code::InvalidCredentials, "the password was just changed").into()
            );
        }
        open_login(tx, &self.token).await
    }
}

/// Opens the login that `token` is the first of.
pub(super) async fn open_login(tx: &mut Tx, token: &RefreshToken) -> Result<(), Stop> {
    tx.execute(
        "INSERT INTO logins (id, user_id, used_at, expires_at) VALUES ($1, $2, $3, $4)",
        binds![token.family_id, token.user_id, token.created_at, token.expires_at],
    )
    .await?;
    insert(tx, token).await
}

async fn insert(tx: &mut Tx, token: &RefreshToken) -> Result<(), Stop> {
    tx.execute(
        "INSERT INTO refresh_tokens (id, user_id, family_id, token_hash, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        binds![
            token.id,
            token.user_id,
            token.family_id,
            &token.token_hash,
            token.created_at,
            token.expires_at
        ],
    )
    .await?;
    Ok(())
}

/// Spends a refresh token for its successor.
#[derive(Debug, Clone)]
pub struct RotateRefreshToken {
    /// SHA-256 of the token that was shown, hex.
    pub token_hash: String,
    /// SHA-256 of the token that is to follow it.
    pub successor_hash: String,
    /// The identity of that one.
    pub successor_id: TokenId,
    /// Who shows it: a fingerprint, to tell a repeated request from a thief's.
    pub client: String,
    /// The present.
    pub now: DateTime<Utc>,
    /// When the successor ends.
    pub expires_at: DateTime<Utc>,
    /// For how long the same client may show a spent token again.
    pub grace: Duration,
}

row! {
    struct ShownToken {
        id: Uuid,
        user_id: Uuid,
        family_id: Uuid,
        expires_at: DateTime<Utc>,
        spent_at: Option<DateTime<Utc>>,
        spent_by: Option<String>,
        successor_id: Option<Uuid>,
        username: String,
        disabled: bool,
        registered_at: DateTime<Utc>,
    }
}

impl Transaction for RotateRefreshToken {
    const NAME: &'static str = "tokens.rotate";
    const MODE: Mode = Mode::Write;
    type Output = Rotation;

    async fn perform(&self, tx: &mut Tx) -> Result<Rotation, Stop> {
        // The login's row is the lock that everything about its tokens is done under: of two rotations,
        // or a rotation and a revocation, the second one sees what the first did.
        let held = tx
            .execute(
                "UPDATE logins SET used_at = $2
                 WHERE id = (SELECT family_id FROM refresh_tokens WHERE token_hash = $1)",
                binds![&self.token_hash, self.now],
            )
            .await?;
        if held == 0 {
            return Ok(Rotation::Unknown);
        }
        let shown: Option<ShownToken> = tx
            .fetch_optional(
                "SELECT t.id, t.user_id, t.family_id, t.expires_at, t.spent_at, t.spent_by,
                        t.successor_id, u.username, u.disabled, u.created_at AS registered_at
                 FROM refresh_tokens t JOIN users u ON u.id = t.user_id WHERE t.token_hash = $1",
                binds![&self.token_hash],
            )
            .await?;
        let Some(shown) = shown else { return Ok(Rotation::Unknown) };
        let user = User {
            id: UserId(shown.user_id),
            username: shown.username.clone(),
            created_at: shown.registered_at,
        };
        if let Some(spent_at) = shown.spent_at {
            if let Some(successor) = self.repeated(tx, &shown, spent_at).await? {
                return Ok(if shown.disabled {
                    Rotation::Disabled
                } else {
                    Rotation::Repeated(user, successor)
                });
            }
            tx.execute("DELETE FROM logins WHERE id = $1", binds![shown.family_id]).await?;
            return Ok(Rotation::Reused(FamilyId(shown.family_id)));
        }
        if shown.expires_at <= self.now {
            return Ok(Rotation::Expired);
        }
        if shown.disabled {
            return Ok(Rotation::Disabled);
        }
        Ok(Rotation::Rotated(user, self.spend(tx, &shown).await?))
    }
}

impl RotateRefreshToken {
    async fn spend(&self, tx: &mut Tx, shown: &ShownToken) -> Result<RefreshToken, Stop> {
        tx.execute(
            "UPDATE refresh_tokens SET spent_at = $2, spent_by = $3, successor_id = $4 WHERE id = $1",
            binds![shown.id, self.now, &self.client, self.successor_id],
        )
        .await?;
        tx.execute(
            "UPDATE logins SET expires_at = $2 WHERE id = $1",
            binds![shown.family_id, self.expires_at],
        )
        .await?;
        let successor = RefreshToken {
            id: self.successor_id,
            user_id: UserId(shown.user_id),
            family_id: FamilyId(shown.family_id),
            token_hash: self.successor_hash.clone(),
            created_at: self.now,
            expires_at: self.expires_at,
        };
        insert(tx, &successor).await?;
        Ok(successor)
    }

    /// The successor of then, if this is the client that spent the token, and it was just now.
    async fn repeated(
        &self,
        tx: &mut Tx,
        shown: &ShownToken,
        spent_at: DateTime<Utc>,
    ) -> Result<Option<RefreshToken>, Stop> {
        let grace = TimeDelta::from_std(self.grace).unwrap_or_default();
        let in_time = self.now.signed_duration_since(spent_at) <= grace;
        if !in_time || shown.spent_by.as_deref() != Some(self.client.as_str()) {
            return Ok(None);
        }
        let row: Option<TokenRow> = tx
            .fetch_optional(
                "SELECT id, user_id, family_id, token_hash, created_at, expires_at
                 FROM refresh_tokens WHERE id = $1",
                binds![shown.successor_id],
            )
            .await?;
        Ok(row.map(RefreshToken::from))
    }
}

row! {
    struct TokenRow {
        id: Uuid,
        user_id: Uuid,
        family_id: Uuid,
        token_hash: String,
        created_at: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    }
}

impl From<TokenRow> for RefreshToken {
    fn from(row: TokenRow) -> Self {
        RefreshToken {
            id: TokenId(row.id),
            user_id: UserId(row.user_id),
            family_id: FamilyId(row.family_id),
            token_hash: row.token_hash,
            created_at: row.created_at,
            expires_at: row.expires_at,
        }
    }
}

/// Ends the login that a refresh token belongs to; a token that nobody knows is no error.
#[derive(Debug, Clone)]
pub struct RevokeFamilyOf {
    /// SHA-256 of the token, hex.
    pub token_hash: String,
    /// The account.
    pub user_id: UserId,
}

impl Transaction for RevokeFamilyOf {
    const NAME: &'static str = "tokens.revoke_family";
    const MODE: Mode = Mode::Write;
    type Output = ();

    async fn perform(&self, tx: &mut Tx) -> Result<(), Stop> {
        tx.execute(
            "DELETE FROM logins WHERE user_id = $2
             AND id = (SELECT family_id FROM refresh_tokens WHERE token_hash = $1)",
            binds![&self.token_hash, self.user_id],
        )
        .await?;
        Ok(())
    }
}

row! {
    struct SessionRow {
        user_id: Uuid,
        username: String,
        disabled: bool,
    }
}

impl From<SessionRow> for Session {
    fn from(row: SessionRow) -> Self {
        Session { user_id: UserId(row.user_id), username: row.username, disabled: row.disabled }
    }
}

/// Whom an access token speaks for; `None` once its login was revoked or its account deleted.
#[derive(Debug, Clone)]
pub struct SessionByToken {
    /// The `jti` claim.
    pub id: TokenId,
    /// The present.
    pub now: DateTime<Utc>,
}

impl Transaction for SessionByToken {
    const NAME: &'static str = "tokens.session";
    const MODE: Mode = Mode::Read;
    type Output = Option<Session>;

    async fn perform(&self, tx: &mut Tx) -> Result<Option<Session>, Stop> {
        let row: Option<SessionRow> = tx
            .fetch_optional(
                "SELECT t.user_id, u.username, u.disabled
                 FROM refresh_tokens t JOIN users u ON u.id = t.user_id
                 WHERE t.id = $1 AND t.expires_at > $2",
                binds![self.id, self.now],
            )
            .await?;
        Ok(row.map(Session::from))
    }
}

/// Records an API key.
#[derive(Debug, Clone)]
pub struct InsertApiKey {
    /// The key.
    pub key: ApiKey,
}

impl Transaction for InsertApiKey {
    const NAME: &'static str = "api_keys.insert";
    const MODE: Mode = Mode::Write;
    type Output = ();

    async fn perform(&self, tx: &mut Tx) -> Result<(), Stop> {
        let ApiKey { id, user_id, name, key_hash, created_at } = &self.key;
        tx.execute(
            "INSERT INTO api_keys (id, user_id, name, key_hash, created_at)
             VALUES ($1, $2, $3, $4, $5)",
            binds![*id, *user_id, name, key_hash, *created_at],
        )
        .await
        .map_err(|stop| stop.or_missing("account"))?;
        Ok(())
    }
}

row! {
    struct ApiKeyRow {
        id: Uuid,
        user_id: Uuid,
        name: String,
        key_hash: String,
        created_at: DateTime<Utc>,
    }
}

/// The API keys of an account, newest first.
#[derive(Debug, Clone)]
pub struct ApiKeysOf {
    /// The account.
    pub user_id: UserId,
}

impl Transaction for ApiKeysOf {
    const NAME: &'static str = "api_keys.list";
    const MODE: Mode = Mode::Read;
    type Output = Vec<ApiKey>;

    async fn perform(&self, tx: &mut Tx) -> Result<Vec<ApiKey>, Stop> {
        let rows: Vec<ApiKeyRow> = tx
            .fetch_all(
                "SELECT id, user_id, name, key_hash, created_at FROM api_keys
                 WHERE user_id = $1 ORDER BY id DESC",
                binds![self.user_id],
            )
            .await?;
        let key = |row: ApiKeyRow| ApiKey {
            id: ApiKeyId(row.id),
            user_id: UserId(row.user_id),
            name: row.name,
            key_hash: row.key_hash,
            created_at: row.created_at,
        };
        Ok(rows.into_iter().map(key).collect())
    }
}

/// Revokes an API key.
#[derive(Debug, Clone)]
pub struct DeleteApiKey {
    /// The account.
    pub user_id: UserId,
    /// The key.
    pub id: ApiKeyId,
}

impl Transaction for DeleteApiKey {
    const NAME: &'static str = "api_keys.delete";
    const MODE: Mode = Mode::Write;
    type Output = ();

    async fn perform(&self, tx: &mut Tx) -> Result<(), Stop> {
        let deleted = tx
            .execute(
                "DELETE FROM api_keys WHERE id = $1 AND user_id = $2",
                binds![self.id, self.user_id],
            )
            .await?;
        if deleted == 0 {
            return Err(Error::not_found("API key").into());
        }
        Ok(())
    }
}

/// Whom an API key speaks for.
#[derive(Debug, Clone)]
pub struct SessionByApiKey {
    /// SHA-256 of the key, hex.
    pub key_hash: String,
}

row! {
    struct ApiKeySessionRow {
        id: Uuid,
        ..session: SessionRow,
    }
}

impl Transaction for SessionByApiKey {
    const NAME: &'static str = "api_keys.session";
    const MODE: Mode = Mode::Read;
    type Output = Option<(ApiKeyId, Session)>;

    async fn perform(&self, tx: &mut Tx) -> Result<Self::Output, Stop> {
        let row: Option<ApiKeySessionRow> = tx
            .fetch_optional(
                "SELECT k.id, k.user_id, u.username, u.disabled
                 FROM api_keys k JOIN users u ON u.id = k.user_id WHERE k.key_hash = $1",
                binds![&self.key_hash],
            )
            .await?;
        Ok(row.map(|row| (ApiKeyId(row.id), row.session.into())))
    }
}

/// Removes tokens and logins that have ended by themselves.
#[derive(Debug, Clone)]
pub struct PurgeTokens {
    /// The present.
    pub now: DateTime<Utc>,
}

impl Transaction for PurgeTokens {
    const NAME: &'static str = "tokens.purge";
    const MODE: Mode = Mode::Write;
    /// Tokens and logins removed.
    type Output = u64;

    async fn perform(&self, tx: &mut Tx) -> Result<u64, Stop> {
        let logins =
            tx.execute("DELETE FROM logins WHERE expires_at <= $1", binds![self.now]).await?;
        let tokens = tx
            .execute("DELETE FROM refresh_tokens WHERE expires_at <= $1", binds![self.now])
            .await?;
        Ok(logins + tokens)
    }
}
