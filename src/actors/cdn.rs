//! Tells the CDN of pictures that must not be shown any more.
//!
//! Every process that knows of it does. What is to be told stands in the database (`adapters/db/cdn.rs`), so whoever dies between a
//! deletion and the CDN's answer leaves it to another, or to itself after its next start.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{address::Address, rounds::Chore};
use crate::{
    adapters::{
        cdn::{Cdn, TIMEOUT},
        db::{
            Db,
            cdn::{LeaseCdnPurges, SettleCdnPurges},
            now,
        },
        jittered,
    },
    domain::{error::Result, job::Cancel},
};

/// Pictures told of at once: what Cloudflare takes in one request.
const TOGETHER: i64 = 30;
/// What a lease has beside the time that telling may take.
const MARGIN: Duration = Duration::from_secs(20);
/// The pause after the first attempt; each is twice the last, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// What the CDN is told with.
#[derive(Clone)]
pub struct TellCdn {
    /// Knows what is due.
    pub database: Address<Db>,
    /// Is told.
    pub cdn: Cdn,
}

impl Chore for TellCdn {
    const NAME: &'static str = "cdn";
    const EVERY: Duration = Duration::from_secs(1);

    /// Until nothing is due, or the CDN does not listen.
    async fn round(&self, _: &Cancel) -> Result<()> {
        let lease = TimeDelta::from_std(TIMEOUT + MARGIN).unwrap_or_default();
        loop {
            let query = LeaseCdnPurges { now: now(), lease, limit: TOGETHER };
            let purges = self.database.ask(query).await?;
            if purges.is_empty() {
                return Ok(());
            }
            let images: Vec<_> = purges.iter().map(|purge| purge.image_id).collect();
            let again = match self.cdn.forget(&images).await {
                Ok(()) => None,
                Err(cause) => {
                    tracing::warn!(
                        images = images.len(),
                        cause,
                        "the CDN was not told; will be tried again"
                    );
                    let attempts = purges.iter().map(|purge| purge.attempts).min();
                    Some(next_attempt(attempts.unwrap_or(1), now()))
                }
            };
            self.database.ask(SettleCdnPurges { purges, again }).await?;
            if again.is_some() {
                return Ok(());
            }
        }
    }
}

/// When something is told again after its `attempt`th failure at `now`.
fn next_attempt(attempt: i32, now: DateTime<Utc>) -> DateTime<Utc> {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(10);
    let pause = jittered((FIRST_PAUSE * 2u32.pow(doublings)).min(LONGEST_PAUSE));
    now + TimeDelta::from_std(pause).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest() {
        let at = now();
        let pause = |attempt| (next_attempt(attempt, at) - at).num_milliseconds();
        assert!((2_000..=3_000).contains(&pause(1)), "{}", pause(1));
        assert!((4_000..=6_000).contains(&pause(2)), "{}", pause(2));
        for attempt in [9, 100, i32::MAX] {
            assert!((300_000..=450_000).contains(&pause(attempt)), "{attempt}");
        }
        assert!((2_000..=3_000).contains(&pause(0)), "{}", pause(0));
    }
}
