//! Jobs on their way to a worker. A row is there exactly as long as its job is queued; whoever deletes it has the job.
//!
//! Relays hand rows over to the queue in turns: one job of each account that waits, then the next of each, so that ten
//! thousand jobs of one account do not stand before the first of another.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    Mode, Transaction,
    error::Stop,
    tx::{Bind, Tx, binds, placeholders},
};
use crate::domain::ids::{JobId, UserId};

/// A relay that has not said within this time what became of a row is taken for dead.
const SENDING: TimeDelta = TimeDelta::seconds(30);
/// A worker that was not heard of for this long holds no place in the queue.
pub const HEARD_OF: TimeDelta = TimeDelta::seconds(20);
/// Jobs in the broker for each one that workers hold: enough that none of them waits for a relay, few enough that the
/// order is decided here.
pub const AHEAD: i64 = 8;
/// Rows handed over by one transaction.
const BATCH: i64 = 500;

/// Puts a queued job there: due at once, or `until` then.
pub(super) async fn insert(
    tx: &mut Tx,
    job_id: JobId,
    user_id: UserId,
    now: DateTime<Utc>,
    not_before: Option<DateTime<Utc>>,
) -> Result<(), Stop> {
    let state = if not_before.is_some() { "delayed" } else { "waiting" };
    tx.execute(
        "INSERT INTO outbox (job_id, user_id, state, run_at) VALUES ($1, $2, $3, $4)",
        binds![job_id, user_id, state, not_before.unwrap_or(now)],
    )
    .await?;
    Ok(())
}

/// Takes a job out: it is not queued any more.
pub(super) async fn remove(tx: &mut Tx, job_id: JobId) -> Result<(), Stop> {
    tx.execute("DELETE FROM outbox WHERE job_id = $1", binds![job_id]).await?;
    Ok(())
}

/// How many jobs the queue has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// This many: the queue is this process's own.
    Here(i64),
    /// All processes share a broker: [`AHEAD`] times what the workers hold that were heard of, or, as long as there is
    /// none, what one of them holds.
    Broker {
        /// What one worker holds.
        prefetch: i64,
    },
}

/// Gives a relay the rows whose turn it is. They are its own for a while.
#[derive(Debug, Clone)]
pub struct LeaseOutbox {
    /// How many may be on their way.
    pub room: Room,
    /// The present.
    pub now: DateTime<Utc>,
}

/// A job to be handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handed {
    /// The job.
    pub job_id: JobId,
    /// When it is due; in the future only for a broker, which holds it until then.
    pub run_at: DateTime<Utc>,
    /// How often it was handed over, this time included.
    pub sends: i32,
}

impl Transaction for LeaseOutbox {
    const NAME: &'static str = "outbox.lease";
    const MODE: Mode = Mode::Write;
    /// In the order in which they are to run.
    type Output = Vec<Handed>;

    async fn perform(&self, tx: &mut Tx) -> Result<Vec<Handed>, Stop> {
        let lock = tx.dialect().for_update;
        let sql = format!("SELECT user_id FROM turns WHERE id = 1 {lock}");
        let (last,): (Option<Uuid>,) = tx.fetch_one(AssertSqlSafe(sql), []).await?;
        tx.execute(
            "UPDATE outbox SET until = NULL,
                 state = CASE WHEN run_at <= $1 THEN 'waiting' ELSE 'delayed' END
             WHERE state IN ('sending', 'sent') AND until <= $1",
            binds![self.now],
        )
        .await?;
        tx.execute(
            "UPDATE outbox SET state = 'waiting' WHERE state = 'delayed' AND run_at <= $1",
            binds![self.now],
        )
        .await?;
        let room = self.room(tx).await?.min(BATCH);
        let mut jobs = match room {
            1.. => due(tx, last.unwrap_or(Uuid::nil()), room).await?,
            _ => Vec::new(),
        };
        if let Room::Broker { .. } = self.room {
            jobs.extend(later(tx).await?);
        }
        self.take(tx, &jobs).await
    }
}

impl LeaseOutbox {
    /// How many more may be handed over.
    async fn room(&self, tx: &mut Tx) -> Result<i64, Stop> {
        let prefetch = match self.room {
            Room::Here(room) => return Ok(room),
            Room::Broker { prefetch } => prefetch,
        };
        let (held,): (Option<i64>,) = tx
            .fetch_one(
                "SELECT CAST(sum(prefetch) AS BIGINT) FROM workers WHERE seen_at > $1",
                binds![self.now - HEARD_OF],
            )
            .await?;
        let (on_the_way,): (i64,) = tx
            .fetch_one(
                "SELECT count(*) FROM outbox WHERE state IN ('sending', 'sent') AND run_at <= $1",
                binds![self.now],
            )
            .await?;
        Ok(AHEAD * held.unwrap_or(0).max(prefetch) - on_the_way)
    }

    /// Leases `jobs`, in this order.
    async fn take(&self, tx: &mut Tx, jobs: &[Uuid]) -> Result<Vec<Handed>, Stop> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "UPDATE outbox SET state = 'sending', until = $1, sends = sends + 1
             WHERE job_id IN ({}) RETURNING job_id, run_at, sends",
            placeholders(2, jobs.len())
        );
        let mut values = binds![self.now + SENDING].to_vec();
        values.extend(jobs.iter().copied().map(Bind::from));
        let rows: Vec<(Uuid, DateTime<Utc>, i32)> =
            tx.fetch_all(AssertSqlSafe(sql), values).await?;
        let rows: HashMap<Uuid, _> =
            rows.into_iter().map(|(id, run_at, sends)| (id, (run_at, sends))).collect();
        let handed = jobs.iter().filter_map(|id| {
            let (run_at, sends) = *rows.get(id)?;
            Some(Handed { job_id: JobId(*id), run_at, sends })
        });
        Ok(handed.collect())
    }
}

/// The next `room` jobs, each account having its turn; `last` was the last to have one.
async fn due(tx: &mut Tx, last: Uuid, room: i64) -> Result<Vec<Uuid>, Stop> {
    // `turn` walks the index from account to account, once round, beginning behind the one that was last;
    // `walk` takes the oldest job of each, then the next of each. Neither looks at a row that it does not need.
    let rows: Vec<(Uuid, Uuid)> = tx
        .fetch_all(
            "WITH RECURSIVE turn (user_id, lap, place) AS (
                 SELECT $1, 0, 0
                 UNION ALL
                 SELECT coalesce(
                         (SELECT o.user_id FROM outbox o
                          WHERE o.state = 'waiting' AND o.user_id > turn.user_id
                          ORDER BY o.user_id LIMIT 1),
                         (SELECT o.user_id FROM outbox o
                          WHERE o.state = 'waiting' AND turn.lap = 0
                          ORDER BY o.user_id LIMIT 1)),
                     turn.lap + CASE WHEN EXISTS (
                         SELECT 1 FROM outbox o
                         WHERE o.state = 'waiting' AND o.user_id > turn.user_id) THEN 0 ELSE 1 END,
                     turn.place + 1
                 FROM turn
                 WHERE turn.user_id IS NOT NULL AND turn.place < $2
                     AND (turn.lap = 0 OR turn.user_id < $1)
             ),
             accounts (user_id, place) AS (
                 SELECT user_id, place FROM turn
                 WHERE place > 0 AND user_id IS NOT NULL AND (lap = 0 OR user_id <= $1)
             ),
             walk (user_id, place, job_id, step) AS (
                 SELECT user_id, place,
                     (SELECT o.job_id FROM outbox o
                      WHERE o.state = 'waiting' AND o.user_id = accounts.user_id
                      ORDER BY o.job_id LIMIT 1), 1
                 FROM accounts
                 UNION ALL
                 SELECT user_id, place,
                     (SELECT o.job_id FROM outbox o
                      WHERE o.state = 'waiting' AND o.user_id = walk.user_id
                          AND o.job_id > walk.job_id
                      ORDER BY o.job_id LIMIT 1), step + 1
                 FROM walk
                 WHERE job_id IS NOT NULL
                     AND step <= $2 / (SELECT count(*) FROM accounts)
             )
             SELECT job_id, user_id FROM walk WHERE job_id IS NOT NULL
             ORDER BY step, place LIMIT $2",
            binds![last, room],
        )
        .await?;
    let Some((_, last)) = rows.last().copied() else { return Ok(Vec::new()) };
    tx.execute("UPDATE turns SET user_id = $1 WHERE id = 1", binds![last]).await?;
    Ok(rows.into_iter().map(|(id, _)| id).collect())
}

/// Jobs that are not due yet, which a broker will hold until they are.
async fn later(tx: &mut Tx) -> Result<Vec<Uuid>, Stop> {
    let sql = "SELECT job_id FROM outbox WHERE state = 'delayed' ORDER BY run_at LIMIT $1";
    let rows: Vec<(Uuid,)> = tx.fetch_all(sql, binds![BATCH]).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Records what became of rows that were leased.
#[derive(Debug, Clone, Default)]
pub struct SettleOutbox {
    /// These the queue has; a job that no worker has taken by the time beside it was lost on the way.
    pub sent: Vec<(JobId, DateTime<Utc>)>,
    /// These it has not.
    pub unsent: Vec<JobId>,
    /// The present.
    pub now: DateTime<Utc>,
}

impl Transaction for SettleOutbox {
    const NAME: &'static str = "outbox.settle";
    const MODE: Mode = Mode::Write;
    type Output = ();

    async fn perform(&self, tx: &mut Tx) -> Result<(), Stop> {
        // Nearly always one time for all.
        let mut times: BTreeMap<DateTime<Utc>, Vec<Bind>> = BTreeMap::new();
        for (job_id, until) in &self.sent {
            times.entry(*until).or_default().push(Bind::from(*job_id));
        }
        for (until, jobs) in times {
            let sql = format!(
                "UPDATE outbox SET state = 'sent', until = $1
                 WHERE state = 'sending' AND job_id IN ({})",
                placeholders(2, jobs.len())
            );
            let values = binds![until].into_iter().chain(jobs).collect::<Vec<_>>();
            tx.execute(AssertSqlSafe(sql), values).await?;
        }
        if !self.unsent.is_empty() {
            let sql = format!(
                "UPDATE outbox SET until = NULL,
                     state = CASE WHEN run_at <= $1 THEN 'waiting' ELSE 'delayed' END
                 WHERE state IN ('sending', 'sent') AND job_id IN ({})",
                placeholders(2, self.unsent.len())
            );
            let jobs = self.unsent.iter().copied().map(Bind::from);
            let values = binds![self.now].into_iter().chain(jobs).collect::<Vec<_>>();
            tx.execute(AssertSqlSafe(sql), values).await?;
        }
        Ok(())
    }
}

/// Takes everything that is on its way for lost: of the process that was handing it over, and held it, nothing is left.
#[derive(Debug, Clone)]
pub struct ResetOutbox {
    /// The present.
    pub now: DateTime<Utc>,
}

impl Transaction for ResetOutbox {
    const NAME: &'static str = "outbox.reset";
    const MODE: Mode = Mode::Write;
    type Output = ();

    async fn perform(&self, tx: &mut Tx) -> Result<(), Stop> {
        tx.execute(
            "UPDATE outbox SET until = NULL,
                 state = CASE WHEN run_at <= $1 THEN 'waiting' ELSE 'delayed' END
             WHERE state IN ('sending', 'sent')",
            binds![self.now],
        )
        .await?;
        Ok(())
    }
}

/// How much there is to do, and who does it.
#[derive(Debug, Clone)]
pub struct Backlog {
    /// The present.
    pub now: DateTime<Utc>,
}

impl Transaction for Backlog {
    const NAME: &'static str = "outbox.backlog";
    const MODE: Mode = Mode::Read;
    /// Jobs that wait and are due, and workers that were heard of.
    type Output = (i64, i64);

    async fn perform(&self, tx: &mut Tx) -> Result<(i64, i64), Stop> {
        let (jobs,): (i64,) =
            tx.fetch_one("SELECT count(*) FROM outbox WHERE state <> 'delayed'", []).await?;
        let heard_of = binds![self.now - HEARD_OF];
        let (workers,): (i64,) =
            tx.fetch_one("SELECT count(*) FROM workers WHERE seen_at > $1", heard_of).await?;
        Ok((jobs, workers))
    }
}
