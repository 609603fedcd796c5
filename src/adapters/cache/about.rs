//! What a cache is, for those who look for what is wrong with it.

use super::{Cache, Query, Store};
use crate::domain::error::Result;

/// What a Redis says of itself. Some say less than others.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// What it is, and which version.
    pub product: Option<String>,
    /// What becomes of the old when there is no room for the new.
    pub eviction: Option<String>,
    /// Bytes that are used, and that may be, if there is a limit.
    pub memory: Option<(u64, u64)>,
}

impl Told {
    fn read(info: &str) -> Self {
        let value = |name: &str| {
            let mut lines = info.lines();
            lines.find_map(|line| line.split_once(':').filter(|it| it.0 == name)).map(|it| it.1)
        };
        let number = |name| value(name)?.trim().parse().ok().filter(|number| *number > 0);
        // Valkey also says which version of Redis it takes the place of.
        let product = [("valkey_version", "Valkey"), ("redis_version", "Redis")];
        Self {
            product: product
                .into_iter()
                .find_map(|(key, name)| Some(format!("{name} {}", value(key)?.trim()))),
            eviction: value("maxmemory_policy").map(|policy| policy.trim().to_owned()),
            memory: number("used_memory").zip(number("maxmemory")),
        }
    }

    /// Whether it takes nothing more.
    pub fn is_full(&self) -> bool {
        self.eviction.as_deref() == Some("noeviction")
            && self.memory.is_some_and(|(used, limit)| used >= limit)
    }
}

/// Asks the shared cache what it is; that of a process is nothing to tell of.
pub struct AboutCache;

impl Query<Cache> for AboutCache {
    const NAME: &'static str = "cache.about";
    type Output = Option<Told>;

    async fn run(self, cache: &Cache) -> Result<Option<Told>> {
        match &cache.store {
            Store::Memory(_) => Ok(None),
            Store::Redis(redis) => redis.info().await.map(|info| Some(Told::read(&info))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read_and_what_is_not_is_no_fault() {
        let info = "# Server\r\nredis_version:7.2.4\r\nvalkey_version:8.0.1\r\n# Memory\r\n\
                    used_memory:100\r\nmaxmemory:90\r\nmaxmemory_policy:noeviction\r\n";
        let told = Told::read(info);
        assert_eq!(told.product.as_deref(), Some("Valkey 8.0.1"));
        assert!(told.is_full());
        assert!(!Told::read(&info.replace("noeviction", "allkeys-lru")).is_full());
        assert!(!Told::read(&info.replace("maxmemory:90", "maxmemory:0")).is_full());
        assert_eq!(Told::read("redis_version:6.0\n").product.as_deref(), Some("Redis 6.0"));
        assert_eq!(Told::read("nothing"), Told::default());
    }
}
