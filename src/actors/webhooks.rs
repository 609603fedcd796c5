//! Delivers webhooks: leases what is due, sends it, and records what became of it.
//!
//! Every process does this. What is to be sent stands in the database, so whoever dies between a job's end and the answer of
//! the receiver leaves it to another, or to itself after its next start (`adapters/db/webhooks.rs`).

use std::{collections::HashMap, time::Duration};

use chrono::TimeDelta;
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::Instant;

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
/// Of those, the ones of one account, before others are looked for.
const OF_ACCOUNT: usize = 4;
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
        let mut under_way = FuturesUnordered::new();
        let mut accounts: HashMap<UserId, usize> = HashMap::new();
        let mut clock = tokio::time::interval(Self::EVERY);
        let mut failure = None;
        loop {
            let room = UNDER_WAY.saturating_sub(under_way.len());
            if room > 0 && failure.is_none() {
                match self.lease(room, &accounts).await {
                    Ok(all) => {
                        for leased in all {
                            *accounts.entry(leased.user_id).or_default() += 1;
                            under_way.push(self.deliver(leased));
                        }
                    }
                    Err(error) => failure = Some(error),
                }
            }
            if under_way.is_empty() {
                return failure.map_or(Ok(()), Err);
            }
            tokio::select! {
                delivered = under_way.next() => {
                    if let Some((user_id, delivered)) = delivered {
                        match accounts.get_mut(&user_id) {
                            Some(count) if *count > 1 => *count -= 1,
                            _ => drop(accounts.remove(&user_id)),
                        }
                        failure = failure.or(delivered.err());
                    }
                }
                () = self.doorbell.rung() => {}
                _ = clock.tick() => {}
            }
        }
    }
}

impl Webhooks {
    async fn lease(&self, room: usize, accounts: &HashMap<UserId, usize>) -> Result<Vec<Leased>> {
        let busy = accounts.iter().filter(|(_, count)| **count >= OF_ACCOUNT);
        let lease = TimeDelta::from_std(self.fetcher.timeout()).map_err(Error::internal)?;
        let query = LeaseWebhooks {
            now: now(),
            lease: lease + MARGIN,
            limit: i64::try_from(room).unwrap_or(i64::MAX),
            per_account: i64::try_from(OF_ACCOUNT).unwrap_or(i64::MAX),
            busy: busy.map(|(user_id, _)| *user_id).collect(),
        };
        self.database.ask(query).await
    }

    /// Makes one attempt; whose it was, and whether that could be recorded.
    async fn deliver(&self, leased: Leased) -> (UserId, Result<()>) {
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
        (leased.user_id, self.database.ask(settle).await.map(drop))
    }
}

fn refused(status: u16) -> String {
    match status {
        300..=399 => format!("it was answered {status}: redirects are not followed"),
        _ => format!("it was answered {status}"),
    }
}
