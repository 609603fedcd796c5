//! The accounts of one process, for when there is no Redis that keeps them for all.

use std::time::{Duration, Instant};

use moka::{Expiry, future::Cache, policy::EvictionPolicy};

use crate::domain::rate::{Micros, Quota, Verdict};

/// Accounts kept at a time; past that those not used for longest are forgotten, as if nothing had been taken.
const ACCOUNTS: u64 = 100_000;

/// Each account is its last verdict, kept until all that was taken has come back.
pub struct Rates {
    accounts: Cache<String, Verdict>,
    began: Instant,
}

impl Default for Rates {
    fn default() -> Self {
        let accounts = Cache::builder()
            .max_capacity(ACCOUNTS)
            .eviction_policy(EvictionPolicy::lru())
            .expire_after(UntilDue)
            .build();
        Self { accounts, began: Instant::now() }
    }
}

impl Rates {
    /// See [`TakeRate`](super::TakeRate). Attempts on one account come one after the other.
    pub(super) async fn take(&self, key: String, quota: Quota, cost: i32) -> Verdict {
        let entry = self.accounts.entry(key).and_upsert_with(|account| {
            let due = account.map_or(0, |account| account.into_value().due);
            let now = Micros::try_from(self.began.elapsed().as_micros()).unwrap_or(Micros::MAX);
            std::future::ready(quota.take(due, now, cost))
        });
        entry.await.into_value()
    }
}

struct UntilDue;

impl UntilDue {
    fn left(account: &Verdict) -> Option<Duration> {
        Some(Duration::from_micros(account.due.saturating_sub(account.now)))
    }
}

impl Expiry<String, Verdict> for UntilDue {
    fn expire_after_create(&self, _: &String, account: &Verdict, _: Instant) -> Option<Duration> {
        Self::left(account)
    }

    fn expire_after_update(
        &self,
        _: &String,
        account: &Verdict,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Self::left(account)
    }
}
