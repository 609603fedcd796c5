//! Which deliveries are made next, and by whom.

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    super::{
        Mode, Transaction,
        error::Stop,
        tx::{Bind, Tx, binds, placeholders},
    },
    secrets,
};
use crate::domain::ids::{UserId, WebhookId};

/// Gives whoever asks deliveries that are due. They are its own for a while.
#[derive(Debug, Clone)]
pub struct LeaseWebhooks {
    /// The present.
    pub now: DateTime<Utc>,
    /// How long they are left to it.
    pub lease: TimeDelta,
    /// How many at most.
    pub limit: i64,
    /// Of these, how many are only for accounts that have nothing under way, so that slow receivers of a few accounts never have
    /// all the places.
    pub reserved: i64,
    /// How many of one account at a time, with those under way.
    pub per_account: i64,
    /// What whoever asks has under way, of each account that has any.
    pub under_way: HashMap<UserId, i64>,
}

/// A delivery to be made.
#[derive(Clone, PartialEq, Eq)]
pub struct Leased {
    /// Its identity.
    pub id: WebhookId,
    /// The account.
    pub user_id: UserId,
    /// The receiver.
    pub url: String,
    /// What is sent.
    pub body: String,
    /// Which attempt this is.
    pub attempt: i32,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// What it is signed with: the secret in force first.
    pub secrets: Vec<String>,
    /// Whether an operator has shut the account.
    pub disabled: bool,
}

impl fmt::Debug for Leased {
    /// Without what signs it, and without its URL, which may be a secret too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Leased");
        shown.field("id", &self.id).field("user_id", &self.user_id).field("attempt", &self.attempt);
        shown.finish_non_exhaustive()
    }
}

row! {
    struct LeasedRow {
        id: Uuid,
        user_id: Uuid,
        url: String,
        body: String,
        attempts: i32,
        created_at: DateTime<Utc>,
    }
}

impl Transaction for LeaseWebhooks {
    const NAME: &'static str = "webhooks.lease";
    const MODE: Mode = Mode::Write;
    type Output = Vec<Leased>;

    async fn perform(&self, tx: &mut Tx) -> Result<Vec<Leased>, Stop> {
        let rows = self.take(tx).await?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let users: HashSet<Uuid> = rows.iter().map(|row| row.user_id).collect();
        let users: Vec<Uuid> = users.into_iter().collect();
        let secrets = secrets::of(tx, &users, self.now).await?;
        let disabled = disabled(tx, &users).await?;
        let leased = rows.into_iter().map(|row| Leased {
            id: WebhookId(row.id),
            user_id: UserId(row.user_id),
            url: row.url,
            body: row.body,
            attempt: row.attempts,
            created_at: row.created_at,
            secrets: secrets.get(&row.user_id).cloned().unwrap_or_default(),
            disabled: disabled.contains(&row.user_id),
        });
        Ok(leased.collect())
    }
}

impl LeaseWebhooks {
    /// One for each account that has nothing under way; what is left but for the reserve, for those that have least.
    async fn take(&self, tx: &mut Tx) -> Result<Vec<LeasedRow>, Stop> {
        let mut rows = Vec::new();
        let mut accounts: Vec<(i64, Uuid)> = self
            .accounts(tx)
            .await?
            .into_iter()
            .map(|id| (self.under_way.get(&UserId(id)).copied().unwrap_or(0), id))
            .collect();
        let mut room = self.limit;
        for (count, id) in accounts.iter_mut().filter(|(count, _)| *count == 0) {
            *count += take_of(self, tx, *id, 1.min(room), &mut rows).await?;
            room -= *count;
        }
        room -= self.reserved;
        accounts.sort_by_key(|(count, _)| *count);
        for (count, id) in accounts {
            let most = (self.per_account - count).min(room);
            room -= take_of(self, tx, id, most, &mut rows).await?;
        }
        Ok(rows)
    }

    /// Accounts of which something is due, and enough of them: what has waited longest first. They are found one from the other,
    /// each by one step into the index, however much of one is due.
    async fn accounts(&self, tx: &mut Tx) -> Result<Vec<Uuid>, Stop> {
        let under_way = i64::try_from(self.under_way.len()).unwrap_or(i64::MAX);
        let enough = self.limit.saturating_add(under_way);
        let rows: Vec<(Uuid,)> = tx
            .fetch_all(
                "WITH RECURSIVE accounts (user_id) AS (
                     SELECT (SELECT user_id FROM webhook_deliveries WHERE status = 'pending'
                         ORDER BY user_id LIMIT 1)
                     UNION ALL
                     SELECT (SELECT d.user_id FROM webhook_deliveries d
                         WHERE d.status = 'pending' AND d.user_id > accounts.user_id
                         ORDER BY d.user_id LIMIT 1)
                     FROM accounts WHERE accounts.user_id IS NOT NULL
                 )
                 SELECT user_id FROM (
                     SELECT user_id, (SELECT d.due_at FROM webhook_deliveries d
                         WHERE d.status = 'pending' AND d.user_id = accounts.user_id
                         ORDER BY d.due_at LIMIT 1) AS due_at
                     FROM accounts WHERE user_id IS NOT NULL
                 ) AS waiting
                 WHERE due_at <= $1 ORDER BY due_at, user_id LIMIT $2",
                binds![self.now, enough],
            )
            .await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }
}

/// Takes at most `most` of one account; how many.
async fn take_of(
    lease: &LeaseWebhooks,
    tx: &mut Tx,
    user_id: Uuid,
    most: i64,
    rows: &mut Vec<LeasedRow>,
) -> Result<i64, Stop> {
    if most <= 0 {
        return Ok(0);
    }
    // Two that ask at once may mean the same rows: the outer predicate gives each to one.
    let sql = format!(
        "WITH due AS MATERIALIZED (
             SELECT id FROM webhook_deliveries
             WHERE status = 'pending' AND user_id = $3 AND due_at <= $1
             ORDER BY due_at, id LIMIT $4 {}
         )
         UPDATE webhook_deliveries SET due_at = $2, attempts = attempts + 1
         WHERE status = 'pending' AND due_at <= $1 AND id IN (SELECT id FROM due)
         RETURNING id, user_id, url, body, attempts, created_at",
        tx.dialect().skip_locked
    );
    let binds = binds![lease.now, lease.now + lease.lease, user_id, most];
    let taken: Vec<LeasedRow> = tx.fetch_all(AssertSqlSafe(sql), binds).await?;
    let count = i64::try_from(taken.len()).unwrap_or(i64::MAX);
    rows.extend(taken);
    Ok(count)
}

async fn disabled(tx: &mut Tx, users: &[Uuid]) -> Result<HashSet<Uuid>, Stop> {
    let sql =
        format!("SELECT id FROM users WHERE disabled AND id IN ({})", placeholders(1, users.len()));
    let values: Vec<_> = users.iter().copied().map(Bind::from).collect();
    let rows: Vec<(Uuid,)> = tx.fetch_all(AssertSqlSafe(sql), values).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
