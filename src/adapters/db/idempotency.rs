//! Idempotency keys: the first answer, kept for those who ask again.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    Mode, Transaction,
    error::Stop,
    tx::{Tx, binds},
};
use crate::domain::ids::UserId;

/// An answer as it was given.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredResponse {
    /// HTTP status.
    pub status: i32,
    /// Headers, as an object of strings.
    pub headers: Value,
    /// The body.
    pub body: String,
}

/// What is known of a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Reservation {
    /// It was free; it is this request's now.
    Reserved,
    /// The first request with it is still running.
    Running,
    /// It has been answered.
    Done {
        /// What that request was, to compare.
        fingerprint: String,
        /// What the answer was.
        response: StoredResponse,
    },
}

/// Takes a key for a request that is about to begin.
#[derive(Debug, Clone)]
pub struct ReserveKey {
    /// The account.
    pub user_id: UserId,
    /// The path that was posted to.
    pub path: String,
    /// The key.
    pub key: String,
    /// The present.
    pub now: DateTime<Utc>,
    /// When others may take over, should this process be gone by then.
    pub until: DateTime<Utc>,
}

row! {
    struct KeyRow {
        fingerprint: Option<String>,
        status: Option<i32>,
        headers: Option<Value>,
        body: Option<String>,
    }
}

impl Transaction for ReserveKey {
    const NAME: &'static str = "idempotency.reserve";
    const MODE: Mode = Mode::Write;
    type Output = Reservation;

    async fn perform(&self, tx: &mut Tx) -> Result<Reservation, Stop> {
        let taken = tx
            .execute(
                "INSERT INTO idempotency_keys (user_id, path, idempotency_key, expires_at)
                 VALUES ($1, $2, $3, $5)
                 ON CONFLICT (user_id, path, idempotency_key) DO UPDATE
                 SET expires_at = excluded.expires_at,
                     fingerprint = NULL, status = NULL, headers = NULL, body = NULL
                 WHERE idempotency_keys.expires_at <= $4",
                binds![self.user_id, &self.path, &self.key, self.now, self.until],
            )
            .await
            .map_err(|stop| stop.or_missing("account"))?;
        if taken > 0 {
            return Ok(Reservation::Reserved);
        }
        let row: Option<KeyRow> = tx
            .fetch_optional(
                "SELECT fingerprint, status, headers, body FROM idempotency_keys
                 WHERE user_id = $1 AND path = $2 AND idempotency_key = $3",
                binds![self.user_id, &self.path, &self.key],
            )
            .await?;
        // Released between the two statements: whoever asks again shortly will have it.
        let Some(row) = row else { return Ok(Reservation::Running) };
        Ok(match (row.fingerprint, row.status, row.headers, row.body) {
            (Some(fingerprint), Some(status), Some(headers), Some(body)) => Reservation::Done {
                fingerprint,
                response: StoredResponse { status, headers, body },
            },
            _ => Reservation::Running,
        })
    }
}

/// Keeps the answer to the request that holds a key.
#[derive(Debug, Clone)]
pub struct StoreResponse {
    /// The account.
    pub user_id: UserId,
    /// The path that was posted to.
    pub path: String,
    /// The key.
    pub key: String,
    /// The end of the reservation, which tells it from one that took it over.
    pub until: DateTime<Utc>,
    /// What the request was.
    pub fingerprint: String,
    /// What it was answered.
    pub response: StoredResponse,
    /// When it may be forgotten.
    pub expires_at: DateTime<Utc>,
}

impl Transaction for StoreResponse {
    const NAME: &'static str = "idempotency.store";
    const MODE: Mode = Mode::Write;
    type Output = ();

    async fn perform(&self, tx: &mut Tx) -> Result<(), Stop> {
        // Should the reservation have been taken over, it is for that one to answer.
        tx.execute(
            "UPDATE idempotency_keys
             SET fingerprint = $4, status = $5, headers = $6, body = $7, expires_at = $8
             WHERE user_id = $1 AND path = $2 AND idempotency_key = $3 AND expires_at = $9
             AND fingerprint IS NULL",
            binds![
                self.user_id,
                &self.path,
                &self.key,
                &self.fingerprint,
                self.response.status,
                &self.response.headers,
                &self.response.body,
                self.expires_at,
                self.until
            ],
        )
        .await?;
        Ok(())
    }
}

/// Gives a key back: its request came to an answer that is not kept.
#[derive(Debug, Clone)]
pub struct ReleaseKey {
    /// The account.
    pub user_id: UserId,
    /// The path that was posted to.
    pub path: String,
    /// The key.
    pub key: String,
    /// The end of the reservation, which tells it from one that took it over.
    pub until: DateTime<Utc>,
}

impl Transaction for ReleaseKey {
    const NAME: &'static str = "idempotency.release";
    const MODE: Mode = Mode::Write;
    type Output = ();

    async fn perform(&self, tx: &mut Tx) -> Result<(), Stop> {
        tx.execute(
            "DELETE FROM idempotency_keys
             WHERE user_id = $1 AND path = $2 AND idempotency_key = $3 AND expires_at = $4
             AND fingerprint IS NULL",
            binds![self.user_id, &self.path, &self.key, self.until],
        )
        .await?;
        Ok(())
    }
}

/// Forgets keys past their time.
#[derive(Debug, Clone)]
pub struct PurgeKeys {
    /// The present.
    pub now: DateTime<Utc>,
}

impl Transaction for PurgeKeys {
    const NAME: &'static str = "idempotency.purge";
    const MODE: Mode = Mode::Write;
    /// How many.
    type Output = u64;

    async fn perform(&self, tx: &mut Tx) -> Result<u64, Stop> {
        tx.execute("DELETE FROM idempotency_keys WHERE expires_at <= $1", binds![self.now]).await
    }
}
