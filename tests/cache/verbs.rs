//! What holds of every cache.

use std::time::Duration;

use bytes::Bytes;
use darkroom::{
    adapters::{
        Query,
        cache::{Cache, CacheGet, CachePut, CheckCache, Publish, TakeRate},
    },
    domain::rate::{Quota, Verdict},
};
use futures_util::future::join_all;

use crate::eventually;

const MINUTE: Duration = Duration::from_secs(60);

/// Fails at once where a test would otherwise find nothing.
pub async fn is_there(cache: &Cache) {
    CheckCache.run(cache).await.expect("a Redis: see `make test`");
}

pub async fn get(cache: &Cache, keys: &[&str]) -> Vec<Option<Bytes>> {
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    CacheGet { keys }.run(cache).await.unwrap()
}

pub async fn put(cache: &Cache, key: &str, value: &[u8], ttl: Duration) {
    let value = Bytes::copy_from_slice(value);
    CachePut { key: key.to_owned(), value, ttl }.run(cache).await.unwrap();
}

pub async fn take(cache: &Cache, key: &str, quota: Quota, cost: i32) -> Verdict {
    TakeRate { key: key.to_owned(), quota, cost }.run(cache).await.unwrap()
}

pub async fn values_are_found_under_their_keys(cache: &Cache) {
    assert_eq!(get(cache, &["a"]).await, [None]);
    put(cache, "a", b"first", MINUTE).await;
    put(cache, "b", &[0, 255, b'\r', b'\n'], MINUTE).await;
    put(cache, "empty", b"", MINUTE).await;
    let found = get(cache, &["b", "none", "a", "empty", "a"]).await;
    let first = Some(Bytes::from_static(b"first"));
    let b = Some(Bytes::from_static(&[0, 255, b'\r', b'\n']));
    assert_eq!(found, [b, None, first.clone(), Some(Bytes::new()), first]);
}

pub async fn a_value_is_forgotten_when_its_time_is_over(cache: &Cache) {
    put(cache, "long", b"x", MINUTE).await;
    put(cache, "short", b"x", Duration::from_millis(300)).await;
    put(cache, "no time", b"x", Duration::ZERO).await;
    eventually(async || {
        get(cache, &["short", "no time"]).await.iter().all(Option::is_none).then_some(())
    })
    .await;
    assert!(get(cache, &["long"]).await[0].is_some());
}

pub async fn a_value_put_later_takes_the_place_of_the_first(cache: &Cache) {
    put(cache, "a", b"first", MINUTE).await;
    put(cache, "a", b"second", Duration::from_millis(300)).await;
    eventually(async || get(cache, &["a"]).await[0].is_none().then_some(())).await;
    put(cache, "a", b"third", MINUTE).await;
    assert_eq!(get(cache, &["a"]).await, [Some(Bytes::from_static(b"third"))]);
}

/// Whoever keeps the account, Lua or this process: on the same times the sums are those of `domain::rate`.
pub async fn rates_are_those_of_the_domain(cache: &Cache) {
    for (limit, window) in [(1, 50), (3, 7), (7, 1_000), (600, 60_000), (1_000_000, 86_400_000)] {
        let quota = Quota::new(limit, Duration::from_millis(window)).unwrap();
        let key = format!("{limit} in {window}");
        let (mut due, mut refused) = (0, 0);
        let most = i32::try_from(limit).unwrap();
        let costs = [1, 2, 0, most, 1, -1, 1, 1, most + 1, -most, most - 1, 1, 1, 3, -2, 2];
        for round in 0..3 {
            for (turn, cost) in costs.into_iter().enumerate() {
                let actual = take(cache, &key, quota, cost).await;
                let expected = quota.take(due, actual.now, cost);
                // An account that is full again may have been forgotten, which changes nothing.
                let settled =
                    |verdict: Verdict| Verdict { due: verdict.due.max(actual.now), ..verdict };
                assert_eq!(settled(actual), settled(expected), "{key}: {round}, {turn}, {cost}");
                due = actual.due;
                refused += i32::from(!actual.admitted);
            }
        }
        assert!(refused > 0, "{key}: nothing was refused");
    }
}

pub async fn of_many_at_once_the_limit_gets_through(cache: &Cache) {
    let quota = Quota::new(10, 60 * MINUTE).unwrap();
    let takes = join_all((0..50).map(|_| take(cache, "shared", quota, 1))).await;
    assert_eq!(takes.iter().filter(|verdict| verdict.admitted).count(), 10);
}

pub async fn accounts_do_not_know_of_each_other(cache: &Cache) {
    let quota = Quota::new(1, 60 * MINUTE).unwrap();
    assert!(take(cache, "ada", quota, 1).await.admitted);
    assert!(take(cache, "grace", quota, 1).await.admitted);
    assert!(!take(cache, "ada", quota, 1).await.admitted);
    // What is given back is there again.
    assert_eq!(take(cache, "ada", quota, -1).await.remaining, 1);
    assert!(take(cache, "ada", quota, 1).await.admitted);
}

pub async fn telling_is_never_an_error(cache: &Cache) {
    let told = Publish { channel: "news".to_owned(), payload: Bytes::from_static(b"x") };
    told.run(cache).await.unwrap();
}
