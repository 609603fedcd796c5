//! Accounts and what proves that a request is theirs.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ids::{ApiKeyId, FamilyId, TokenId, UserId};

/// An account.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// Its identity.
    pub id: UserId,
    /// As the person wrote it; unique without regard to case.
    pub username: String,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
}

/// An account with what its password is checked against.
#[derive(Debug, Clone, PartialEq)]
pub struct Credentials {
    /// The account.
    pub user: User,
    /// Argon2id, in PHC string form.
    pub password_hash: String,
    /// An operator has shut the account.
    pub disabled: bool,
}

/// What an account holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Pictures uploaded.
    pub images: i64,
    /// Pictures made from them.
    pub variants: i64,
    /// Bytes of both.
    pub bytes: i64,
}

/// One refresh token, as it is kept: its hash, never itself.
#[derive(Debug, Clone, PartialEq)]
pub struct RefreshToken {
    /// Also the `jti` of the access token issued beside it.
    pub id: TokenId,
    /// The account.
    pub user_id: UserId,
    /// The login it descends from; revoked as a whole.
    pub family_id: FamilyId,
    /// SHA-256 of the token, hex.
    pub token_hash: String,
    /// When it was issued.
    pub created_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
}

/// What presenting a refresh token led to.
#[derive(Debug, Clone, PartialEq)]
pub enum Rotation {
    /// It was good, and is spent now; its successor was recorded. The account it belongs to.
    Rotated(User, RefreshToken),
    /// It had just been spent by the same client: here is the successor of then.
    Repeated(User, RefreshToken),
    /// It was spent before: somebody has a copy. The whole login is revoked now.
    Reused(FamilyId),
    /// It has expired.
    Expired,
    /// The account was disabled.
    Disabled,
    /// Never issued, or revoked.
    Unknown,
}

/// Whom a request speaks for, as it is looked up (and cached for a few seconds).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// The account.
    pub user_id: UserId,
    /// Its name.
    pub username: String,
    /// An operator has shut the account.
    pub disabled: bool,
}

/// A long-lived key, as it is listed: without the key.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiKey {
    /// Its identity.
    pub id: ApiKeyId,
    /// The account.
    pub user_id: UserId,
    /// What its owner calls it.
    pub name: String,
    /// SHA-256 of the key, hex.
    pub key_hash: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// What is wrong with a username, if anything.
pub fn check_username(username: &str) -> Option<&'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let good = (3..=64).contains(&username.len()) && username.chars().all(allowed);
    (!good).then_some("must be 3 to 64 of A-Z a-z 0-9 _ . -")
}

/// What is wrong with the name of an API key, if anything.
pub fn check_api_key_name(name: &str) -> Option<&'static str> {
    let good = (1..=100).contains(&name.trim().chars().count()) && !name.contains(char::is_control);
    (!good).then_some("must be 1 to 100 characters, none of them a control")
}

/// What is wrong with a password, if anything.
pub fn check_password(password: &str) -> Option<&'static str> {
    let good = (8..=128).contains(&password.chars().count());
    (!good).then_some("must be 8 to 128 characters long")
}
