//! Delivers webhooks: leases what is due, sends it, and records what became of it.
//!
//! Every process does this. What is to be sent stands in the database, so whoever dies between a job's end and the answer of
//! the receiver leaves it to another, or to itself after its next start (`adapters/db/webhooks.rs`).

use std::{collections::HashMap, time::Duration};

use chrono::TimeDelta;
use tokio::{
    task::{Id, JoinSet},
    time::Instant,
};

use super::{address::Address, doorbell::Doorbell, rounds::Chore};
use crate::{
    adapters::{
        db::{
            Db, now,
            webhooks::{LeaseWebhooks, Leased, Next, SettleWebhook},
        },
        fetch::Fetcher,
        webhook::{Answer, Message, next_attempt, send},
    },
    domain::{
        error::{Error, Result},
        ids::UserId,
        job::Cancel,
        webhook::Attempt,
    },
    failpoint,
};

/// Deliveries under way at a time.
const UNDER_WAY: usize = 32;
/// Of those, the places that only accounts get that have nothing under way: a few whose receivers are slow never have them all.
const RESERVED: i64 = 8;
/// Deliveries of one account at a time.
const OF_ACCOUNT: i64 = 4;
/// What a lease has beside the time that sending may take.
const MARGIN: TimeDelta = TimeDelta::seconds(30);

/// What deliveries are made with.
#[derive(Clone)]
pub struct Webhooks {
    /// Knows what is due.
    pub database: Address<Db>,
    /// Sends.
    pub fetcher: Fetcher,
    /// Rung when a job has ended.
    pub doorbell: Doorbell,
}

impl Chore for Webhooks {
    const NAME: &'static str = "webhooks";
    const EVERY: Duration = Duration::from_secs(1);

    fn doorbell(&self) -> Doorbell {
        self.doorbell.clone()
    }

    /// Until nothing is due and nothing under way. What becomes due meanwhile does not wait for slow receivers; and when the
    /// database fails, what is under way is finished all the same.
    async fn round(&self, _: &Cancel) -> Result<()> {
        // Tasks of their own: what is under way goes on while the database is waited for, and should one panic, the others do.
        let mut deliveries = JoinSet::new();
        let mut under_way: HashMap<Id, UserId> = HashMap::new();
        let mut clock = tokio::time::interval(Self::EVERY);
        let mut failure = None;
        loop {
            let room = UNDER_WAY.saturating_sub(deliveries.len());
            if room > 0 && failure.is_none() {
                match self.lease(room, &under_way).await {
                    Ok(all) => {
                        for leased in all {
                            let user_id = leased.user_id;
                            let delivery = self.clone().deliver(leased);
                            under_way.insert(deliveries.spawn(delivery).id(), user_id);
                        }
                    }
                    Err(error) => failure = Some(error),
                }
            }
            if deliveries.is_empty() {
                return failure.map_or(Ok(()), Err);
            }
            tokio::select! {
                Some(delivered) = deliveries.join_next_with_id() => {
                    let (id, delivered) = match delivered {
                        Ok((id, delivered)) => (id, delivered),
                        Err(error) => {
                            tracing::error!(%error, "a webhook is left until its lease runs out");
                            (error.id(), Ok(()))
                        }
                    };
                    under_way.remove(&id);
                    failure = failure.or(delivered.err());
                }
                () = self.doorbell.rung() => {}
                _ = clock.tick() => {}
            }
        }
    }
}

impl Webhooks {
    async fn lease(&self, room: usize, under_way: &HashMap<Id, UserId>) -> Result<Vec<Leased>> {
        let mut of_accounts = HashMap::new();
        for user_id in under_way.values() {
            *of_accounts.entry(*user_id).or_default() += 1;
        }
        let lease = TimeDelta::from_std(self.fetcher.timeout()).map_err(Error::internal)?;
        let query = LeaseWebhooks {
            now: now(),
            lease: lease + MARGIN,
            limit: i64::try_from(room).unwrap_or(i64::MAX),
            reserved: RESERVED,
            per_account: OF_ACCOUNT,
            under_way: of_accounts,
        };
        self.database.ask(query).await
    }

    /// Makes one attempt; whether that could be recorded.
    async fn deliver(self, leased: Leased) -> Result<()> {
        failpoint::reached("webhooks.before_send");
        let (at, began) = (now(), Instant::now());
        let message = Message { id: leased.id, body: &leased.body, secrets: &leased.secrets };
        let answer = if leased.disabled {
            Answer::None("the account is disabled".to_owned())
        } else {
            send(&self.fetcher, &leased.url, &message, at).await
        };
        let taken = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
        let ended = now();
        let again = next_attempt(leased.attempt, leased.created_at, ended);
        let (status_code, error, next) = match answer {
            Answer::Taken(status) => (Some(status), None, Next::Delivered),
            Answer::Gone => {
                let error = "it was answered 410: nothing more is wanted there";
                (Some(410), Some(error.to_owned()), Next::GivenUp)
            }
            Answer::Otherwise(status) => {
                (Some(status), Some(refused(status)), again.map_or(Next::GivenUp, Next::Again))
            }
            Answer::None(error) if leased.disabled => (None, Some(error), Next::GivenUp),
            Answer::None(error) => (None, Some(error), again.map_or(Next::GivenUp, Next::Again)),
        };
        tracing::debug!(webhook = %leased.id, attempt = leased.attempt, status_code, error, "sent");
        let attempt = Attempt { at, duration_ms: taken, status_code, error };
        let settle =
            SettleWebhook { id: leased.id, number: leased.attempt, attempt, next, now: ended };
        self.database.ask(settle).await.map(drop)
    }
}

fn refused(status: u16) -> String {
    match status {
        300..=399 => format!("it was answered {status}: redirects are not followed"),
        _ => format!("it was answered {status}"),
    }
}
