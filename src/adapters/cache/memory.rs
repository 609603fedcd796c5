//! The cache of one process.

use std::time::{Duration, Instant};

use bytes::Bytes;
use moka::{Expiry, future, policy::EvictionPolicy};

/// Bounded by bytes; each value has a time of its own.
pub struct MemoryCache(future::Cache<String, Entry>);

#[derive(Clone)]
struct Entry {
    value: Bytes,
    ttl: Duration,
}

struct Ttl;

impl Expiry<String, Entry> for Ttl {
    fn expire_after_create(&self, _: &String, entry: &Entry, _: Instant) -> Option<Duration> {
        Some(entry.ttl)
    }

    fn expire_after_update(
        &self,
        _: &String,
        entry: &Entry,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.ttl)
    }
}

impl MemoryCache {
    pub(super) fn new(capacity: u64) -> Self {
        let weight = |key: &String, entry: &Entry| {
            u32::try_from(key.len() + entry.value.len()).unwrap_or(u32::MAX)
        };
        Self(
            future::Cache::builder()
                .max_capacity(capacity)
                .weigher(weight)
                // What was put last must be found: a mark that something has changed is looked for more than it is read.
                .eviction_policy(EvictionPolicy::lru())
                .expire_after(Ttl)
                .build(),
        )
    }

    pub(super) async fn get(&self, keys: &[String]) -> Vec<Option<Bytes>> {
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            values.push(self.0.get(key).await.map(|entry| entry.value));
        }
        values
    }

    pub(super) async fn put(&self, key: String, value: Bytes, ttl: Duration) {
        self.0.insert(key, Entry { value, ttl }).await;
    }
}
