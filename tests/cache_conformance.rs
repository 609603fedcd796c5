//! Every verb of the cache on every cache: in memory, and on a real Redis. One suite; each test has a prefix of its own.
//! Then what Redis alone can do: be away, and come back.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

#[path = "cache/redis.rs"]
mod redis_alone;
#[path = "cache/server.rs"]
mod server;
#[path = "cache/verbs.rs"]
mod verbs;

use ::redis::AsyncCommands;
use darkroom::{adapters::cache::Cache, config};
use futures_util::StreamExt;
use secrecy::ExposeSecret;

/// The Redis that all tests share.
fn shared_redis() -> String {
    std::env::var("TEST_REDIS_URL").unwrap_or_else(|_| "redis://127.0.0.1:6379".to_owned())
}

/// What is said of a Redis, with a prefix that nobody else has.
fn settings(url: &str) -> config::Redis {
    let prefix = format!("darkroom-test-{}:", uuid::Uuid::now_v7().simple());
    let timeout = std::time::Duration::from_secs(10);
    config::Redis { url: url.to_owned().into(), prefix, timeout }
}

/// Removes what a test has left in a Redis that is not its own.
async fn forget(settings: &config::Redis) {
    let client = ::redis::Client::open(settings.url.expose_secret()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let pattern = format!("{}*", settings.prefix);
    let scan = connection.scan_match::<_, String>(pattern).await.unwrap();
    let keys: Vec<String> = scan.map(Result::unwrap).collect().await;
    for key in keys {
        let _: () = connection.del(key).await.unwrap();
    }
}

/// Asks again and again until there is an answer.
async fn eventually<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let patience = std::time::Duration::from_secs(240);
    tokio::time::timeout(patience, asking).await.expect("it never happened")
}

/// Lists the tests once, and makes one of each for each cache.
macro_rules! suite {
    ($($test:ident)*) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                crate::verbs::$test(&crate::Cache::memory(1024 * 1024)).await;
            })*
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                let settings = crate::settings(&crate::shared_redis());
                let cache = crate::Cache::redis(&settings).unwrap();
                crate::verbs::is_there(&cache).await;
                crate::verbs::$test(&cache).await;
                crate::forget(&settings).await;
            })*
        }
    };
}

suite! {
    values_are_found_under_their_keys
    a_value_is_forgotten_when_its_time_is_over
    a_value_put_later_takes_the_place_of_the_first
    rates_are_those_of_the_domain
    of_many_at_once_the_limit_gets_through
    accounts_do_not_know_of_each_other
    telling_is_never_an_error
}
