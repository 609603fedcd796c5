//! What was looked up lately, what was counted lately, and what other processes are told. Nothing rests on it: without it
//! things are slower, and each process counts for itself.

use std::time::Duration;

use bytes::Bytes;

use super::{Query, Resource};
use crate::{
    config,
    domain::{
        error::Result,
        rate::{Quota, Verdict},
    },
};

mod about;
mod memory;
mod rates;
mod redis;

pub use self::{
    about::{AboutCache, Told},
    redis::{Payloads, subscribe},
};

/// Where lately seen values are kept.
pub struct Cache {
    store: Store,
    /// Counts as long as nobody else does.
    rates: rates::Rates,
}

enum Store {
    /// In this process.
    Memory(memory::MemoryCache),
    /// For all processes.
    Redis(redis::Redis),
}

impl Cache {
    /// A cache in this process, of at most `capacity` bytes.
    pub fn memory(capacity: u64) -> Self {
        let store = Store::Memory(memory::MemoryCache::new(capacity));
        Self { store, rates: rates::Rates::default() }
    }

    /// A cache that all processes share. Redis need not be there yet, nor stay.
    ///
    /// # Errors
    /// When the URL is none.
    pub fn redis(settings: &config::Redis) -> Result<Self> {
        let store = Store::Redis(redis::Redis::new(settings)?);
        Ok(Self { store, rates: rates::Rates::default() })
    }
}

impl Resource for Cache {
    const WHAT: &'static str = "the cache";

    async fn close(&self) {}
}

/// The values under `keys`, in their order.
pub struct CacheGet {
    /// The keys.
    pub keys: Vec<String>,
}

impl Query<Cache> for CacheGet {
    const NAME: &'static str = "cache.get";
    type Output = Vec<Option<Bytes>>;

    async fn run(self, cache: &Cache) -> Result<Self::Output> {
        match &cache.store {
            Store::Memory(memory) => Ok(memory.get(&self.keys).await),
            Store::Redis(redis) => redis.get(&self.keys).await,
        }
    }
}

/// Keeps `value` under `key` for `ttl`.
pub struct CachePut {
    /// The key.
    pub key: String,
    /// The value.
    pub value: Bytes,
    /// How long.
    pub ttl: Duration,
}

impl Query<Cache> for CachePut {
    const NAME: &'static str = "cache.put";
    type Output = ();

    async fn run(self, cache: &Cache) -> Result<()> {
        match &cache.store {
            Store::Memory(memory) => {
                memory.put(self.key, self.value, self.ttl).await;
                Ok(())
            }
            Store::Redis(redis) => redis.put(&self.key, &self.value, self.ttl).await,
        }
    }
}

/// Takes units from the account under `key`; without Redis from that of this process.
pub struct TakeRate {
    /// Whose account, and of what.
    pub key: String,
    /// How many there are.
    pub quota: Quota,
    /// How many to take; fewer than none are given back.
    pub cost: i32,
}

impl Query<Cache> for TakeRate {
    const NAME: &'static str = "rate.take";
    type Output = Verdict;

    async fn run(self, cache: &Cache) -> Result<Verdict> {
        let Self { key, quota, cost } = self;
        if let Store::Redis(redis) = &cache.store
            && let Ok(verdict) = redis.take(&key, quota, cost).await
        {
            return Ok(verdict);
        }
        Ok(cache.rates.take(key, quota, cost).await)
    }
}

/// Tells every process that listens to `channel`. In a cache of one process there is nobody else to tell.
pub struct Publish {
    /// The channel.
    pub channel: String,
    /// What to tell.
    pub payload: Bytes,
}

impl Query<Cache> for Publish {
    const NAME: &'static str = "cache.publish";
    type Output = ();

    async fn run(self, cache: &Cache) -> Result<()> {
        match &cache.store {
            Store::Memory(_) => Ok(()),
            Store::Redis(redis) => redis.publish(&self.channel, &self.payload).await,
        }
    }
}

/// Whether it can be reached.
pub struct CheckCache;

impl Query<Cache> for CheckCache {
    const NAME: &'static str = "cache.check";
    type Output = ();

    async fn run(self, cache: &Cache) -> Result<()> {
        match &cache.store {
            Store::Memory(_) => Ok(()),
            Store::Redis(redis) => redis.ping().await,
        }
    }
}
