//! Accounts: registering, logging in and out, and what follows from a password.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Services, delete::delete_user};
use crate::{
    adapters::{
        db::{
            now,
            tokens::{InsertApiKey, InsertRefreshToken, RevokeFamilyOf, RotateRefreshToken},
            users::{ChangePassword, CreateUser, CredentialsById, CredentialsByName},
        },
        token::{API_KEY_PREFIX, digest, random},
    },
    domain::{
        error::{Code, Error, Result},
        ids::{ApiKeyId, FamilyId, TokenId, UserId},
        image::Deletion,
        user::{ApiKey, Credentials, RefreshToken, Rotation, User},
    },
};

/// A refresh token shown again within this time by the same client gets the same successor: its
/// first answer was lost on the way.
const GRACE: Duration = Duration::from_secs(10);

/// What a client gets when it has proved who it is.
pub struct Issued {
    /// The account.
    pub user: User,
    /// The access token.
    pub token: String,
    /// How long it is good for.
    pub lifetime: Duration,
    /// What gets the next one.
    pub refresh_token: String,
}

/// Opens an account. Its name and password were checked where they came in.
///
/// # Errors
/// `username_taken`.
pub async fn register(services: &Services, username: String, password: String) -> Result<Issued> {
    let password_hash = services.passwords.hash(password).await?;
    let user = User { id: UserId::new(), username, created_at: now() };
    let (refresh_token, token) = new_login(services, user.id)?;
    let issued = issue(services, user.clone(), token.id, token.created_at, refresh_token)?;
    services.database.ask(CreateUser { user, password_hash, token }).await?;
    Ok(issued)
}

/// Begins a login.
///
/// # Errors
/// `invalid_credentials` (as slowly for an unknown user as for a wrong password),
/// `account_disabled`.
pub async fn log_in(services: &Services, username: String, password: String) -> Result<Issued> {
    let found = services.database.ask(CredentialsByName { username }).await?;
    let Credentials { user, password_hash, .. } = check(services, found, password).await?;
    let (refresh_token, token) = new_login(services, user.id)?;
    let issued = issue(services, user, token.id, token.created_at, refresh_token)?;
    services.database.ask(InsertRefreshToken { token, password_hash }).await?;
    Ok(issued)
}

/// Spends a refresh token; `client` tells who showed it.
///
/// # Errors
/// `unauthenticated`, `token_expired`, `account_disabled`.
pub async fn refresh(services: &Services, spent: &str, client: String) -> Result<Issued> {
    let successor = services.tokens.successor(spent);
    let at = now();
    let rotation = services
        .database
        .ask(RotateRefreshToken {
            token_hash: digest(spent),
            successor_hash: digest(&successor),
            successor_id: TokenId::new(),
            client,
            now: at,
            expires_at: at + services.refresh_lifetime,
            grace: GRACE,
        })
        .await?;
    match rotation {
        Rotation::Rotated(user, token) | Rotation::Repeated(user, token) => {
            issue(services, user, token.id, at, successor)
        }
        Rotation::Expired => {
            Err(Error::new(Code::TokenExpired, "the refresh token has expired; log in"))
        }
        Rotation::Disabled => Err(Error::new(Code::AccountDisabled, "this account is disabled")),
        Rotation::Reused(family) => {
            tracing::warn!(%family, "a spent refresh token was shown; its login is revoked");
            Err(unknown_refresh_token())
        }
        Rotation::Unknown => Err(unknown_refresh_token()),
    }
}

fn unknown_refresh_token() -> Error {
    Error::new(Code::Unauthenticated, "the refresh token was spent, revoked, or never issued")
}

/// Ends the login that a refresh token of this account belongs to; one that is unknown is ended.
///
/// # Errors
/// When the database fails.
pub async fn log_out(services: &Services, user_id: UserId, refresh_token: &str) -> Result<()> {
    let token_hash = digest(refresh_token);
    services.database.ask(RevokeFamilyOf { token_hash, user_id }).await
}

/// Changes the password, and ends every login. The new one was checked where it came in.
///
/// # Errors
/// `invalid_credentials` for a wrong old password.
pub async fn change_password(
    services: &Services,
    user_id: UserId,
    old: String,
    new: String,
) -> Result<()> {
    let found = services.database.ask(CredentialsById { id: user_id }).await?;
    check(services, found, old).await?;
    let password_hash = services.passwords.hash(new).await?;
    services.database.ask(ChangePassword { user_id, password_hash }).await
}

/// Deletes the account with everything in it.
///
/// # Errors
/// `invalid_credentials`.
pub async fn close(services: &Services, user_id: UserId, password: String) -> Result<Deletion> {
    let found = services.database.ask(CredentialsById { id: user_id }).await?;
    check(services, found, password).await?;
    delete_user(services, user_id).await
}

/// Makes an API key; the key itself, which is not kept, and its row.
///
/// # Errors
/// When the database fails.
pub async fn create_api_key(
    services: &Services,
    user_id: UserId,
    name: String,
) -> Result<(String, ApiKey)> {
    let key = format!("{API_KEY_PREFIX}{}", random()?);
    let row =
        ApiKey { id: ApiKeyId::new(), user_id, name, key_hash: digest(&key), created_at: now() };
    services.database.ask(InsertApiKey { key: row.clone() }).await?;
    Ok((key, row))
}

/// The account, if the password is right and it is not disabled.
async fn check(
    services: &Services,
    found: Option<Credentials>,
    password: String,
) -> Result<Credentials> {
    let hash = found.as_ref().map(|found| found.password_hash.clone());
    let right = services.passwords.verify(password, hash).await?;
    match found {
        Some(found) if right && found.disabled => {
            Err(Error::new(Code::AccountDisabled, "this account is disabled"))
        }
        Some(found) if right => Ok(found),
        _ => Err(Error::new(Code::InvalidCredentials, "the username or the password is wrong")),
    }
}

/// A refresh token that begins a login, and its row.
fn new_login(services: &Services, user_id: UserId) -> Result<(String, RefreshToken)> {
    let refresh_token = random()?;
    let at = now();
    let row = RefreshToken {
        id: TokenId::new(),
        user_id,
        family_id: FamilyId::new(),
        token_hash: digest(&refresh_token),
        created_at: at,
        expires_at: at + services.refresh_lifetime,
    };
    Ok((refresh_token, row))
}

fn issue(
    services: &Services,
    user: User,
    id: TokenId,
    at: DateTime<Utc>,
    refresh_token: String,
) -> Result<Issued> {
    let token = services.tokens.access(&user, id, at)?;
    Ok(Issued { user, token, lifetime: services.tokens.lifetime(), refresh_token })
}
