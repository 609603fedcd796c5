//! What holds of Redis: it is shared, and it may be away.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use bytes::Bytes;
use darkroom::{
    adapters::{
        Query,
        cache::{Cache, CacheGet, CheckCache, Publish, subscribe},
    },
    config,
    domain::{error::Code, rate::Quota},
};
use futures_util::StreamExt;

use crate::{
    eventually,
    server::Server,
    settings, shared_redis,
    verbs::{get, put, take},
};

const MINUTE: Duration = Duration::from_secs(60);

async fn tell(cache: &Cache, channel: &str, payload: &'static [u8]) {
    let payload = Bytes::from_static(payload);
    Publish { channel: channel.to_owned(), payload }.run(cache).await.unwrap();
}

async fn check(cache: &Cache) -> Option<()> {
    CheckCache.run(cache).await.ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_share_values_and_rates_within_a_prefix() {
    let settings = settings(&shared_redis());
    let [one, two] = [(); 2].map(|()| Cache::redis(&settings).unwrap());
    let other = Cache::redis(&crate::settings(&shared_redis())).unwrap();
    put(&one, "a", b"x", MINUTE).await;
    assert_eq!(get(&two, &["a"]).await, [Some(Bytes::from_static(b"x"))]);
    assert_eq!(get(&other, &["a"]).await, [None]);
    let quota = Quota::new(1, MINUTE).unwrap();
    assert!(take(&one, "r", quota, 1).await.admitted);
    assert!(!take(&two, "r", quota, 1).await.admitted);
    assert!(take(&other, "r", quota, 1).await.admitted);
    crate::forget(&settings).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_is_heard_in_order_and_by_all_who_listen_there() {
    let settings = settings(&shared_redis());
    let cache = Cache::redis(&settings).unwrap();
    let other = Cache::redis(&crate::settings(&shared_redis())).unwrap();
    let [one, two] = [subscribe(&settings, "jobs").await, subscribe(&settings, "jobs").await];
    tell(&other, "jobs", b"of another prefix").await;
    tell(&cache, "news", b"on another channel").await;
    tell(&cache, "jobs", b"first").await;
    tell(&cache, "jobs", b"\0\xff").await;
    for listener in [one, two] {
        let heard: Vec<Bytes> = listener.unwrap().take(2).collect().await;
        assert_eq!(heard, [&b"first"[..], b"\0\xff"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_ends_with_its_connection() {
    let mut server = Server::running().await;
    let settings = settings(&server.url());
    let mut listener = subscribe(&settings, "jobs").await.unwrap();
    let cache = Cache::redis(&settings).unwrap();
    tell(&cache, "jobs", b"first").await;
    assert_eq!(listener.next().await.unwrap(), "first");
    server.kill();
    assert_eq!(listener.next().await, None);
    let error = subscribe(&settings, "jobs").await.map(drop).unwrap_err();
    assert_eq!(error.code, Code::DependencyUnavailable);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_may_be_absent_at_the_start_and_die_and_come_back() {
    let mut server = Server::absent();
    let settings = settings(&server.url());
    let cache = Cache::redis(&settings).unwrap();
    let quota = Quota::new(3, 60 * MINUTE).unwrap();
    for left in [2, 1, 0] {
        assert_eq!(take(&cache, "r", quota, 1).await.remaining, left, "counted by itself");
    }
    for _ in 0..3 {
        assert!(!take(&cache, "r", quota, 1).await.admitted);
        server.start().await;
        eventually(async || check(&cache).await).await;
        // By Redis now, which knows of nothing.
        assert_eq!(take(&cache, "r", quota, 1).await.remaining, 2);
        put(&cache, "a", b"x", MINUTE).await;
        // Several connections, all of which are about to break.
        let gets = (0..40).map(|_| get(&cache, &["a"]));
        assert!(futures_util::future::join_all(gets).await.iter().all(|found| found[0].is_some()));
        server.kill();
        assert!(check(&cache).await.is_none());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_that_was_forgotten_is_sent_again() {
    let server = Server::running().await;
    let cache = Cache::redis(&settings(&server.url())).unwrap();
    let quota = Quota::new(3, 60 * MINUTE).unwrap();
    assert_eq!(take(&cache, "r", quota, 1).await.remaining, 2);
    assert_eq!(server.ask::<String>(&["SCRIPT", "FLUSH"]).await.unwrap(), "OK");
    assert_eq!(take(&cache, "r", quota, 1).await.remaining, 1, "and not counted elsewhere");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_leave_nothing_behind() {
    let server = Server::running().await;
    let cache = Cache::redis(&settings(&server.url())).unwrap();
    let quota = Quota::new(4, Duration::from_secs(20)).unwrap();
    take(&cache, "given back", Quota::new(4, MINUTE).unwrap(), 4).await;
    take(&cache, "r", quota, 1).await;
    let size = async || server.ask::<i64>(&["DBSIZE"]).await.unwrap();
    assert_eq!(size().await, 2);
    take(&cache, "given back", Quota::new(4, MINUTE).unwrap(), -4).await;
    eventually(async || (size().await == 0).then_some(())).await;
}

/// An error of one command says nothing about the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_redis_refuses_is_an_answer() {
    let server = Server::running().await;
    let settings = settings(&server.url());
    let cache = Cache::redis(&settings).unwrap();
    put(&cache, "a", b"x", MINUTE).await;
    let quota = Quota::new(3, MINUTE).unwrap();
    server.ask::<i64>(&["LPUSH", &format!("{}r", settings.prefix), "no account"]).await.unwrap();
    for left in [2, 1] {
        assert_eq!(take(&cache, "r", quota, 1).await.remaining, left, "counted by itself");
        assert!(get(&cache, &["a"]).await[0].is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_it_is_silent_nobody_waits_for_it_but_one_a_second() {
    // Takes connections and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let hasty = config::Redis { timeout: Duration::from_millis(500), ..settings(&url) };
    let cache = Cache::redis(&hasty).unwrap();
    assert!(check(&cache).await.is_none());
    let began = Instant::now();
    for _ in 0..2_000 {
        assert!(CacheGet { keys: vec!["a".to_owned()] }.run(&cache).await.is_err());
    }
    // 2,000 deadlines would be a quarter of an hour.
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_an_outage_and_is_told_nobody() {
    let server = Server::running().await;
    server.ask::<String>(&["CONFIG", "SET", "requirepass", "right"]).await.unwrap();
    let with = |password: &str| {
        let url = server.url().replace("//", &format!("//default:{password}@"));
        Cache::redis(&settings(&url)).unwrap()
    };
    check(&with("right")).await.unwrap();
    let error = CheckCache.run(&with("swordfish")).await.unwrap_err();
    assert_eq!(error.code, Code::DependencyUnavailable);
    assert!(!format!("{error:?}").contains("swordfish"), "{error:?}");
}
