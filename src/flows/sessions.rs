//! Whom a request speaks for.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::Services;
use crate::{
    adapters::{
        cache::{CacheGet, CachePut},
        db::{
            now,
            tokens::{SessionByApiKey, SessionByToken},
        },
        token::{API_KEY_PREFIX, digest},
    },
    domain::{
        error::{Code, Error, Result},
        ids::{TokenId, UserId},
        user::Session,
    },
};

/// How long a looked-up session is believed. A revocation, or a disabled account, is noticed within this time by every
/// process; the contract promises five seconds.
pub const BELIEVED: Duration = Duration::from_secs(3);

/// Whom a request speaks for, and what proved it.
#[derive(Debug, Clone, PartialEq)]
pub struct Caller {
    /// The account.
    pub user_id: UserId,
    proof: Proof,
}

/// What is looked up of a credential.
#[derive(Debug, Clone, PartialEq)]
enum Proof {
    /// Of a login: the refresh token that was issued beside the access token.
    Login(TokenId),
    /// Of an API key: its digest.
    ApiKey(String),
}

impl Caller {
    /// Refuses a caller that came with an API key.
    ///
    /// # Errors
    /// `unauthenticated`.
    pub fn logged_in(self) -> Result<Self> {
        if let Proof::ApiKey(_) = self.proof {
            let detail = "an API key is not enough here; log in and use the token";
            return Err(Error::new(Code::Unauthenticated, detail));
        }
        Ok(self)
    }

    /// Whether the login or the key was revoked since, or the account disabled. That an access token has expired meanwhile is
    /// no matter; nor is it that nobody can be asked.
    pub async fn is_shut_out(&self, services: &Services) -> bool {
        let session = self.proof.session(services).await;
        session
            .is_err_and(|error| matches!(error.code, Code::Unauthenticated | Code::AccountDisabled))
    }
}

impl Proof {
    /// Whose it is, if it holds.
    async fn session(&self, services: &Services) -> Result<Session> {
        let session = match self {
            Proof::ApiKey(key_hash) => {
                let query = SessionByApiKey { key_hash: key_hash.clone() };
                remembered(services, format!("api-key:{key_hash}"), || async {
                    let found = services.database.ask(query).await?;
                    Ok(found.map(|(_, session)| session))
                })
                .await?
            }
            Proof::Login(id) => {
                let query = SessionByToken { id: *id, now: now() };
                remembered(services, format!("session:{id}"), || services.database.ask(query))
                    .await?
            }
        };
        let session = session.ok_or_else(|| {
            Error::new(Code::Unauthenticated, "the token or key was revoked, or never issued")
        })?;
        if session.disabled {
            return Err(Error::new(Code::AccountDisabled, "this account is disabled"));
        }
        Ok(session)
    }
}

/// Finds out whom the bearer of `credential`, an access token or an API key, speaks for.
///
/// # Errors
/// `unauthenticated`, `token_expired`, `account_disabled`.
pub async fn authenticate(services: &Services, credential: &str) -> Result<Caller> {
    let proof = if credential.starts_with(API_KEY_PREFIX) {
        Proof::ApiKey(digest(credential))
    } else {
        Proof::Login(TokenId(services.tokens.verify(credential)?.jti))
    };
    let user_id = proof.session(services).await?.user_id;
    Ok(Caller { user_id, proof })
}

/// The session from the cache, else from `look_up`. A cache that fails is passed by.
async fn remembered<F>(
    services: &Services,
    key: String,
    look_up: impl FnOnce() -> F,
) -> Result<Option<Session>>
where
    F: Future<Output = Result<Option<Session>>>,
{
    let cached = services.cache.ask(CacheGet { keys: vec![key.clone()] }).await;
    let cached = cached.ok().and_then(|mut found| found.pop()).flatten();
    if let Some(session) = cached.and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
        return Ok(Some(session));
    }
    let asked = Instant::now();
    let session = look_up().await?;
    // What is known is as old as the question, however long the answer took.
    let ttl = BELIEVED.saturating_sub(asked.elapsed());
    if let Some(session) = &session
        && !ttl.is_zero()
    {
        let value = Bytes::from(serde_json::to_vec(session).map_err(Error::internal)?);
        // Fails open: the next request looks again.
        let _ = services.cache.ask(CachePut { key, value, ttl }).await;
    }
    Ok(session)
}
