//! Hands queued jobs over to the queue: leases rows of the outbox, publishes them, and marks what the queue has.
//!
//! Every process that can reach the queue does this. The database sees to it that no row is handed over by two at once, in
//! which order, and how many (`adapters/db/outbox.rs`).

use std::{collections::HashSet, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

use super::{address::Address, doorbell::Doorbell, rounds::Chore};
use crate::{
    adapters::{
        db::{
            Db, now,
            outbox::{Handed, LeaseOutbox, Room, SettleOutbox},
        },
        queue::{Publish, Publisher, QueueRoom},
    },
    domain::{
        error::{Code, Result},
        ids::JobId,
        job::Cancel,
    },
    failpoint,
};

/// When a job that no worker has taken is handed over again, the first time; doubled each time after.
const LOST: TimeDelta = TimeDelta::seconds(60);

/// What the relay works with.
#[derive(Clone)]
pub struct Relay {
    /// Has the rows.
    pub database: Address<Db>,
    /// Has the queue.
    pub publisher: Address<Publisher>,
    /// Jobs that one worker holds at a time.
    pub prefetch: u16,
    /// Rung when a job was put into the outbox, and when there is room for one.
    pub doorbell: Doorbell,
}

impl Chore for Relay {
    const NAME: &'static str = "relay";
    const EVERY: Duration = Duration::from_secs(1);

    fn doorbell(&self) -> Doorbell {
        self.doorbell.clone()
    }

    /// Until nothing is left, or the queue is full.
    async fn round(&self, _: &Cancel) -> Result<()> {
        loop {
            let room = match self.publisher.ask(QueueRoom).await {
                Ok(None) => Room::Broker { prefetch: i64::from(self.prefetch) },
                Ok(Some(0)) => return Ok(()),
                Ok(Some(room)) => Room::Here(room),
                // It says so itself, once; the clock comes round.
                Err(error) if error.code == Code::DependencyUnavailable => return Ok(()),
                Err(error) => return Err(error),
            };
            let handed = self.database.ask(LeaseOutbox { room, now: now() }).await?;
            if handed.is_empty() {
                return Ok(());
            }
            if !self.hand_over(&handed).await? {
                return Ok(());
            }
        }
    }
}

impl Relay {
    /// Whether the queue has them all.
    async fn hand_over(&self, handed: &[Handed]) -> Result<bool> {
        failpoint::reached("relay.before_publish");
        let jobs = handed.iter().map(|handed| (handed.job_id, handed.run_at)).collect();
        let published = self.publisher.ask(Publish { jobs, now: now() }).await;
        let had: HashSet<JobId> = published.unwrap_or_default().into_iter().collect();
        let now = now();
        let mut settle = SettleOutbox { now, ..SettleOutbox::default() };
        for handed in handed {
            if had.contains(&handed.job_id) {
                settle.sent.push((handed.job_id, lost_at(handed, now)));
            } else {
                settle.unsent.push(handed.job_id);
            }
        }
        let all = settle.unsent.is_empty();
        self.database.ask(settle).await?;
        Ok(all)
    }
}

/// Messages are lost when a broker is wiped, seldom else; while all workers are busy or gone they merely wait. So each
/// time is twice the last, up to an hour.
fn lost_at(handed: &Handed, now: DateTime<Utc>) -> DateTime<Utc> {
    let doublings = u32::try_from(handed.sends.saturating_sub(1)).unwrap_or(0).min(6);
    handed.run_at.max(now) + LOST * 2_i32.pow(doublings)
}
