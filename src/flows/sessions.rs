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
    /// By an API key rather than a login.
    pub by_api_key: bool,
}

impl Caller {
    /// Refuses a caller that came with an API key.
    ///
    /// # Errors
    /// `unauthenticated`.
    pub fn logged_in(self) -> Result<Self> {
        if self.by_api_key {
            let detail = "an API key is not enough here; log in and use the token";
            return Err(Error::new(Code::Unauthenticated, detail));
        }
        Ok(self)
    }
}

/// Finds out whom the bearer of `credential`, an access token or an API key, speaks for.
///
/// # Errors
/// `unauthenticated`, `token_expired`, `account_disabled`.
pub async fn authenticate(services: &Services, credential: &str) -> Result<Caller> {
    let by_api_key = credential.starts_with(API_KEY_PREFIX);
    let session = if by_api_key {
        let key_hash = digest(credential);
        let key = format!("api-key:{key_hash}");
        remembered(services, key, || async {
            let found = services.database.ask(SessionByApiKey { key_hash }).await?;
            Ok(found.map(|(_, session)| session))
        })
        .await?
    } else {
        let id = TokenId(services.tokens.verify(credential)?.jti);
        let key = format!("session:{id}");
        remembered(services, key, || services.database.ask(SessionByToken { id, now: now() }))
            .await?
    };
    let session = session.ok_or_else(|| {
        Error::new(Code::Unauthenticated, "the token or key was revoked, or never issued")
    })?;
    if session.disabled {
        return Err(Error::new(Code::AccountDisabled, "this account is disabled"));
    }
    Ok(Caller { user_id: session.user_id, by_api_key })
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
