//! What was looked up lately. Nothing rests on it: a cache that is empty only makes things slower.

use std::time::Duration;

use bytes::Bytes;

use super::{Query, Resource};
use crate::domain::error::Result;

mod memory;

/// Where lately seen values are kept.
pub enum Cache {
    /// In this process.
    Memory(memory::MemoryCache),
}

impl Cache {
    /// A cache in this process, of at most `capacity` bytes.
    pub fn memory(capacity: u64) -> Self {
        Cache::Memory(memory::MemoryCache::new(capacity))
    }
}

impl Resource for Cache {
    const WHAT: &'static str = "the cache";

    async fn close(&self) {}
}

/// The value under `key`, if there is one.
pub struct CacheGet {
    /// The key.
    pub key: String,
}

impl Query<Cache> for CacheGet {
    const NAME: &'static str = "cache.get";
    type Output = Option<Bytes>;

    async fn run(self, cache: &Cache) -> Result<Option<Bytes>> {
        match cache {
            Cache::Memory(memory) => Ok(memory.get(&self.key).await),
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
        match cache {
            Cache::Memory(memory) => memory.put(self.key, self.value, self.ttl).await,
        }
        Ok(())
    }
}
