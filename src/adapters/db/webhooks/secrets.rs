//! What webhooks are signed with: one secret in force for each account, made when it is first needed, and those that it has
//! replaced within a day.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::super::{
    Mode, Transaction,
    error::Stop,
    tx::{Bind, Tx, binds, placeholders},
};
use crate::{
    adapters::webhook::new_secret,
    domain::{
        error::{Code, Error},
        ids::UserId,
        webhook::WebhookSecret,
    },
};

/// How long a secret signs on after it was replaced.
const OVERLAP: TimeDelta = TimeDelta::hours(24);
/// Secrets that sign on at a time beside the one in force. Whoever replaces one more waits until the first of them has had its day.
const MOST: usize = 4;

/// The secrets of these accounts, each with the one in force first; it is made where there is none.
pub(super) async fn of(
    tx: &mut Tx,
    users: &[Uuid],
    now: DateTime<Utc>,
) -> Result<BTreeMap<Uuid, Vec<String>>, Stop> {
    let sql = format!(
        "SELECT user_id, secret FROM webhook_secrets
         WHERE (expires_at IS NULL OR expires_at > $1) AND user_id IN ({}) ORDER BY id DESC",
        placeholders(2, users.len())
    );
    let mut values = binds![now].to_vec();
    values.extend(users.iter().copied().map(Bind::from));
    let rows: Vec<(Uuid, String)> = tx.fetch_all(AssertSqlSafe(sql), values).await?;
    let mut secrets: BTreeMap<Uuid, Vec<String>> = BTreeMap::new();
    for (user, secret) in rows {
        secrets.entry(user).or_default().push(secret);
    }
    for user in users {
        if !secrets.contains_key(user) {
            make(tx, UserId(*user), now).await?;
            secrets.insert(*user, vec![in_force(tx, UserId(*user), now).await?.secret]);
        }
    }
    Ok(secrets)
}

/// Makes a secret, unless there is one in force.
async fn make(tx: &mut Tx, user_id: UserId, now: DateTime<Utc>) -> Result<(), Stop> {
    tx.execute(
        "INSERT INTO webhook_secrets (id, user_id, secret, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING",
        binds![Uuid::now_v7(), user_id, new_secret()?, now],
    )
    .await
    .map_err(|stop| stop.or_missing("account"))?;
    Ok(())
}

async fn in_force(tx: &mut Tx, user_id: UserId, now: DateTime<Utc>) -> Result<WebhookSecret, Stop> {
    let (secret, created_at): (String, DateTime<Utc>) = tx
        .fetch_one(
            "SELECT secret, created_at FROM webhook_secrets
             WHERE user_id = $1 AND expires_at IS NULL",
            binds![user_id],
        )
        .await?;
    let previous: Option<(DateTime<Utc>,)> = tx
        .fetch_optional(
            "SELECT expires_at FROM webhook_secrets
             WHERE user_id = $1 AND expires_at > $2 ORDER BY expires_at DESC LIMIT 1",
            binds![user_id, now],
        )
        .await?;
    Ok(WebhookSecret { secret, created_at, previous_until: previous.map(|(until,)| until) })
}

/// What an account's webhooks are signed with.
#[derive(Debug, Clone)]
pub struct WebhookSecretOf {
    /// The account.
    pub user_id: UserId,
    /// The present.
    pub now: DateTime<Utc>,
}

impl Transaction for WebhookSecretOf {
    const NAME: &'static str = "webhooks.secret";
    const MODE: Mode = Mode::Write;
    type Output = WebhookSecret;

    async fn perform(&self, tx: &mut Tx) -> Result<WebhookSecret, Stop> {
        make(tx, self.user_id, self.now).await?;
        in_force(tx, self.user_id, self.now).await
    }
}

/// Puts another secret in force. The one before it signs on for a day. Of two who ask at once, both get the same.
#[derive(Debug, Clone)]
pub struct RotateWebhookSecret {
    /// The account.
    pub user_id: UserId,
    /// The present.
    pub now: DateTime<Utc>,
}

impl Transaction for RotateWebhookSecret {
    const NAME: &'static str = "webhooks.rotate_secret";
    const MODE: Mode = Mode::Write;
    type Output = WebhookSecret;

    async fn perform(&self, tx: &mut Tx) -> Result<WebhookSecret, Stop> {
        tx.execute(
            "UPDATE webhook_secrets SET expires_at = $2
             WHERE user_id = $1 AND expires_at IS NULL",
            binds![self.user_id, self.now + OVERLAP],
        )
        .await?;
        let signing: Vec<(DateTime<Utc>,)> = tx
            .fetch_all(
                "SELECT expires_at FROM webhook_secrets
                 WHERE user_id = $1 AND expires_at > $2 ORDER BY expires_at",
                binds![self.user_id, self.now],
            )
            .await?;
        if signing.len() > MOST {
            let detail = format!("{MOST} secrets that were replaced sign on already");
            let first = signing.first().map_or(OVERLAP, |(until,)| *until - self.now);
            let seconds = u32::try_from(first.num_seconds().saturating_add(1)).unwrap_or(u32::MAX);
            return Err(Error::new(Code::RateLimited, detail).retry_after(seconds).into());
        }
        make(tx, self.user_id, self.now).await?;
        in_force(tx, self.user_id, self.now).await
    }
}
