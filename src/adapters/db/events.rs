//! What happened to jobs: one row for each change of a job's state, written in the transaction that changes it.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    Mode, Transaction,
    error::Stop,
    jobs::JobRow,
    tx::{Bind, Tx, binds},
    webhooks,
};
use crate::domain::{
    error::Error,
    ids::{EventId, JobId, UserId},
    job::{Event, Job},
};

/// The version of a job that was just accepted.
pub(super) const FIRST: i32 = 1;

/// Writes down the state that `job` has just reached, and tells of it whoever has asked for that.
pub(super) async fn record(tx: &mut Tx, job: &JobRow) -> Result<(), Stop> {
    insert(
        tx,
        binds![
            EventId::new(),
            job.id,
            job.user_id,
            job.version,
            &job.status,
            job.attempts,
            job.error_code.clone(),
            job.error_detail.clone(),
            job.started_at,
            job.finished_at
        ],
    )
    .await?;
    webhooks::announce(tx, job).await
}

/// Writes down how `job` begins.
pub(super) async fn begin(tx: &mut Tx, job: &Job) -> Result<(), Stop> {
    let nothing: Option<String> = None;
    insert(
        tx,
        binds![
            EventId::new(),
            job.id,
            job.user_id,
            FIRST,
            job.status.as_str(),
            job.attempts,
            nothing.clone(),
            nothing,
            job.started_at,
            job.finished_at
        ],
    )
    .await
}

async fn insert(tx: &mut Tx, values: [Bind; 10]) -> Result<(), Stop> {
    tx.execute(
        "INSERT INTO job_events (id, job_id, user_id, version, status, attempts, error_code,
             error_detail, started_at, finished_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        values,
    )
    .await?;
    Ok(())
}

row! {
    struct EventRow {
        event_id: Uuid,
        ..job: JobRow,
    }
}

impl TryFrom<EventRow> for Event {
    type Error = Stop;

    fn try_from(row: EventRow) -> Result<Self, Stop> {
        Ok(Event { id: EventId(row.event_id), job: Job::try_from(row.job)? })
    }
}

/// An event with its job as it was then: what changes comes from the event, what stays from the job.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT e.id AS event_id, j.id, j.user_id, j.kind, e.status, e.attempts,
                 j.max_attempts, j.image_id, j.variant_id, j.spec, e.error_code, e.error_detail,
                 j.created_at, e.started_at, e.finished_at, e.version, j.has_webhooks
             FROM job_events e JOIN jobs j ON j.id = e.job_id ",
            $rest
        )
    };
}

/// What happened to one job after an event, in order.
#[derive(Debug, Clone)]
pub struct EventsOfJob {
    /// The account.
    pub user_id: UserId,
    /// The job.
    pub job_id: JobId,
    /// The last event that is known; everything from the beginning if there is none, or no such.
    pub after: Option<EventId>,
}

impl Transaction for EventsOfJob {
    const NAME: &'static str = "events.of_job";
    const MODE: Mode = Mode::Read;
    type Output = Vec<Event>;

    async fn perform(&self, tx: &mut Tx) -> Result<Vec<Event>, Stop> {
        let known: Option<(Uuid,)> = tx
            .fetch_optional(
                "SELECT id FROM jobs WHERE id = $1 AND user_id = $2",
                binds![self.job_id, self.user_id],
            )
            .await?;
        known.ok_or_else(|| Error::not_found("job"))?;
        // By the job's own count, not by the ids: those are of several clocks.
        let rows: Vec<EventRow> = tx
            .fetch_all(
                select!(
                    "WHERE e.job_id = $1 AND e.version > coalesce(
                         (SELECT version FROM job_events WHERE job_id = $1 AND id = $2), 0)
                     ORDER BY e.version"
                ),
                binds![self.job_id, self.after],
            )
            .await?;
        rows.into_iter().map(Event::try_from).collect()
    }
}

/// What happened to the jobs of an account after an event, in order.
#[derive(Debug, Clone)]
pub struct EventsOfUser {
    /// The account.
    pub user_id: UserId,
    /// Only events later than this one.
    pub after: EventId,
    /// How many at most.
    pub limit: i64,
}

impl Transaction for EventsOfUser {
    const NAME: &'static str = "events.of_user";
    const MODE: Mode = Mode::Read;
    type Output = Vec<Event>;

    async fn perform(&self, tx: &mut Tx) -> Result<Vec<Event>, Stop> {
        let rows: Vec<EventRow> = tx
            .fetch_all(
                select!("WHERE e.user_id = $1 AND e.id > $2 ORDER BY e.id LIMIT $3"),
                binds![self.user_id, self.after, self.limit],
            )
            .await?;
        rows.into_iter().map(Event::try_from).collect()
    }
}

/// Whose jobs changed after an event, for a process that was not told.
#[derive(Debug, Clone)]
pub struct ChangedSince {
    /// The last event that is known.
    pub after: EventId,
}

impl Transaction for ChangedSince {
    const NAME: &'static str = "events.changed_since";
    const MODE: Mode = Mode::Read;
    type Output = Vec<(EventId, UserId, JobId)>;

    async fn perform(&self, tx: &mut Tx) -> Result<Self::Output, Stop> {
        let rows: Vec<(Uuid, Uuid, Uuid)> = tx
            .fetch_all(
                "SELECT id, user_id, job_id FROM job_events WHERE id > $1 ORDER BY id LIMIT 10000",
                binds![self.after],
            )
            .await?;
        Ok(rows
            .into_iter()
            .map(|(id, user, job)| (EventId(id), UserId(user), JobId(job)))
            .collect())
    }
}

/// Forgets events of more than a day ago: whoever comes back later reads the jobs instead.
#[derive(Debug, Clone)]
pub struct PurgeEvents {
    /// Everything before it goes.
    pub before: DateTime<Utc>,
}

impl Transaction for PurgeEvents {
    const NAME: &'static str = "events.purge";
    const MODE: Mode = Mode::Write;
    type Output = u64;

    async fn perform(&self, tx: &mut Tx) -> Result<u64, Stop> {
        let mut purged = 0;
        loop {
            // In pieces, so that nobody waits long for the locks.
            let some = tx
                .execute(
                    "DELETE FROM job_events WHERE id IN (
                         SELECT id FROM job_events WHERE id < $1 ORDER BY id LIMIT 5000)",
                    binds![EventId::first_of(self.before)],
                )
                .await?;
            purged += some;
            if some == 0 {
                return Ok(purged);
            }
        }
    }
}
