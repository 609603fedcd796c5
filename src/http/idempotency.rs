//! `Idempotency-Key`: a POST that is sent again gets the answer it got first.
//!
//! The key is reserved before the work, so that of two requests at once only one works; the answer
//! is kept for a day beside a fingerprint of what was asked, so that the key can't be used for
//! something else.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use warp::{
    http::{HeaderName, HeaderValue, StatusCode},
    reply::Response,
};

use super::{context::Request, problem::raise};
use crate::{
    adapters::{
        db::{
            idempotency::{ReleaseKey, Reservation, ReserveKey, StoreResponse, StoredResponse},
            now,
        },
        token::digest,
    },
    domain::{
        error::{Code, Error, Fault, Result},
        ids::UserId,
    },
    flows::Services,
};

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// After this time a reservation whose request never came to an end, because its process died, can
/// be taken over.
const RESERVED: Duration = Duration::from_secs(5 * 60);
/// The most that a key may have.
const MAX_KEY: usize = 255;
/// Headers that belong to the answer.
const HEADERS: [&str; 3] = ["content-type", "location", "x-cache"];

/// One request, with or without a key.
pub struct Attempt {
    reserved: Option<Held>,
    done: Option<(String, StoredResponse)>,
}

/// A key that is ours until it is settled; given back if the request comes to nothing.
struct Held {
    services: Arc<Services>,
    key: Option<Key>,
}

#[derive(Clone)]
struct Key {
    user_id: UserId,
    path: String,
    key: String,
    until: DateTime<Utc>,
}

/// An error as it is kept.
#[derive(Serialize, Deserialize)]
struct StoredError {
    code: Code,
    detail: String,
    faults: Vec<Fault>,
}

impl Attempt {
    /// Reserves the request's key, if it has one.
    ///
    /// # Errors
    /// `validation_failed` for a key that is none; `idempotency_conflict` while the first request
    /// runs.
    pub async fn begin(request: &Request, user_id: UserId) -> Result<Self> {
        let Some(key) = request.headers.get("idempotency-key") else {
            return Ok(Self { reserved: None, done: None });
        };
        let sane = |key: &&str| {
            (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let key = key.to_str().ok().filter(sane).ok_or_else(|| {
            let detail = format!("must be 1 to {MAX_KEY} printable ASCII characters");
            Error::field("/Idempotency-Key", detail)
        })?;
        let (at, path) = (now(), request.path.clone());
        let key = Key { user_id, path, key: key.to_owned(), until: at + RESERVED };
        let services = request.shared_services();
        let Key { user_id, path, key: text, until } = key.clone();
        let query = ReserveKey { user_id, path, key: text, now: at, until };
        match services.database.ask(query).await? {
            Reservation::Reserved => {
                Ok(Self { reserved: Some(Held { services, key: Some(key) }), done: None })
            }
            Reservation::Done { fingerprint, response } => {
                Ok(Self { reserved: None, done: Some((fingerprint, response)) })
            }
            Reservation::Running => {
                let detail = "a request with this Idempotency-Key is still under way";
                Err(Error::new(Code::IdempotencyConflict, detail).retry_after(1))
            }
        }
    }

    /// Gives the key back: `error` came before it was known what is asked.
    pub async fn abandon(self, error: Error) -> Error {
        if let Some(mut held) = self.reserved {
            held.release().await;
        }
        error
    }

    /// The answer to `asked`: the one given before, or that of `work`, which is kept.
    ///
    /// `asked` is all that makes the request what it is: the file's hash and the fields, not the raw
    /// body, whose multipart boundary differs each time.
    ///
    /// The work is done in a task of its own: a client that leaves meanwhile and asks again must find
    /// what it began, not begin it anew.
    ///
    /// # Errors
    /// Those of `work`; `idempotency_conflict` if the key was used for something else.
    pub async fn settle(
        self,
        asked: &Value,
        work: impl Future<Output = Result<Response>> + Send + 'static,
    ) -> Result<Response> {
        let fingerprint = digest(&asked.to_string());
        if let Some((first, response)) = self.done {
            if first != fingerprint {
                let detail = "this Idempotency-Key was used for another request";
                return Err(Error::new(Code::IdempotencyConflict, detail));
            }
            return restore(response);
        }
        let reserved = self.reserved;
        let settled = tokio::spawn(async move {
            match reserved {
                None => work.await,
                Some(reservation) => reservation.keep(fingerprint, work.await).await,
            }
        });
        settled.await.map_err(Error::internal)?
    }
}

impl Held {
    /// Keeps the answer and gives it on. What may turn out otherwise next time is not kept: the key
    /// is free again.
    async fn keep(mut self, fingerprint: String, result: Result<Response>) -> Result<Response> {
        let (result, response) = match result {
            Ok(response) => {
                let (response, stored) = store(response).await?;
                (Ok(response), stored)
            }
            Err(error) if error.status >= 500 || matches!(error.status, 400 | 413 | 429) => {
                self.release().await;
                return Err(error);
            }
            Err(error) => {
                let stored = StoredError {
                    code: error.code,
                    detail: error.detail.clone(),
                    faults: error.faults.clone(),
                };
                let stored = StoredResponse {
                    status: i32::from(error.status),
                    headers: Value::Object(serde_json::Map::new()),
                    body: serde_json::to_string(&stored).map_err(Error::internal)?,
                };
                (Err(error), stored)
            }
        };
        if let Some(Key { user_id, path, key, until }) = self.key.take() {
            let expires_at = now() + KEPT;
            let query =
                StoreResponse { user_id, path, key, until, fingerprint, response, expires_at };
            self.services.database.ask(query).await?;
        }
        result
    }

    /// Gives the key back, before the answer goes out: a retry that follows it must not find the key taken.
    async fn release(&mut self) {
        if let Some(key) = self.key.take() {
            release(&self.services, key).await;
        }
    }
}

/// Of a request whose client has left.
impl Drop for Held {
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        let services = self.services.clone();
        // Outside a runtime the process is ending, and the reservation ends by itself.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { release(&services, key).await });
        }
    }
}

async fn release(services: &Services, key: Key) {
    let Key { user_id, path, key, until } = key;
    if let Err(error) = services.database.ask(ReleaseKey { user_id, path, key, until }).await {
        tracing::warn!(%error, cause = error.cause, "an idempotency key stays reserved");
    }
}

/// What is kept of an answer, and the answer.
async fn store(response: Response) -> Result<(Response, StoredResponse)> {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(Error::internal)?.to_bytes();
    let headers = HEADERS.iter().filter_map(|name| {
        let value = parts.headers.get(*name)?.to_str().ok()?;
        Some(((*name).to_owned(), Value::String(value.to_owned())))
    });
    let stored = StoredResponse {
        status: i32::from(parts.status.as_u16()),
        headers: Value::Object(headers.collect()),
        body: String::from_utf8(body.to_vec()).map_err(Error::internal)?,
    };
    Ok((Response::from_parts(parts, body.into()), stored))
}

/// The answer given before.
fn restore(stored: StoredResponse) -> Result<Response> {
    let status = u16::try_from(stored.status).map_err(Error::internal)?;
    let mut response = if status >= 400 {
        let error: StoredError = serde_json::from_str(&stored.body).map_err(Error::internal)?;
        let faults = error.faults;
        raise(Error { status, faults, ..Error::new(error.code, error.detail) })
    } else {
        let mut response = Response::new(stored.body.into());
        *response.status_mut() = StatusCode::from_u16(status).map_err(Error::internal)?;
        response
    };
    for (name, value) in stored.headers.as_object().into_iter().flatten() {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(Error::internal)?;
        let value = HeaderValue::from_str(value.as_str().unwrap_or_default());
        response.headers_mut().insert(name, value.map_err(Error::internal)?);
    }
    response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
    Ok(response)
}
