//! A service with Redis, and one whose Redis dies and comes back.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    delivery,
    redis_server::Server,
    sandbox::{Account, ROCKET, Sandbox, eventually, expect, problem, text},
};

/// What is said of a Redis: its URL, a prefix that nobody else has, and how long it may take.
pub struct Redis([(&'static str, String); 3]);

impl Redis {
    /// The Redis that all tests share.
    pub fn shared() -> Self {
        let url = std::env::var("TEST_REDIS_URL");
        let Self([url, prefix, _]) =
            Self::at(url.unwrap_or_else(|_| "redis://127.0.0.1:6379".to_owned()));
        // It is there, however slow everything is.
        Self([url, prefix, ("REDIS_TIMEOUT", "2s".to_owned())])
    }

    /// The Redis at `url`.
    pub fn at(url: String) -> Self {
        let prefix = format!("darkroom-test-{}:", uuid::Uuid::now_v7().simple());
        Self([("REDIS_URL", url), ("REDIS_PREFIX", prefix), ("REDIS_TIMEOUT", "500ms".to_owned())])
    }

    /// As variables, with others.
    pub fn and<'a>(&'a self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let own = self.0.iter().map(|(name, value)| (*name, value.as_str()));
        own.chain(more.iter().copied()).collect()
    }
}

/// What the service says of its state, which must be that it can be asked.
pub async fn readiness(sandbox: &Sandbox) -> String {
    let answer = sandbox.request(Method::GET, "/ready").send().await;
    text(&expect(answer, StatusCode::OK).await, "status")
}

pub async fn becomes(sandbox: &Sandbox, status: &str) {
    eventually(async || (readiness(sandbox).await == status).then_some(())).await;
}

/// Everything that uses Redis, whether it is there or not.
async fn everything_works(ada: &Account<'_>) {
    let image = ada.upload(ROCKET).await;
    let path = format!("/api/v1/images/{image}");
    let tags = json!({ "tags": [image] });
    let patched = ada.request(Method::PATCH, &path).json(&tags).send().await;
    expect(patched, StatusCode::OK).await;
    assert_eq!(ada.get(&path).await["tags"], tags["tags"]);
    let variant = ada.transform(&image, &json!({ "resize": { "width": 30 } })).await;
    let picture = ada.bytes(&text(&variant, "url")).await;
    assert_eq!(ada.bytes(&text(&variant, "url")).await, picture);
    let deleted = ada.request(Method::DELETE, &path).send().await.unwrap();
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    problem(ada.request(Method::GET, &path).send().await, 404, "not_found").await;
}

#[tokio::test]
async fn without_redis_it_is_degraded_and_answers_and_recovers_by_itself() {
    let mut server = Server::absent();
    let redis = Redis::at(server.url());
    let sandbox = Sandbox::on_postgres_with(&redis.and(&[])).await;
    let ada = sandbox.register("ada").await;
    assert_eq!(readiness(&sandbox).await, "degraded");
    everything_works(&ada).await;
    for _ in 0..2 {
        server.start().await;
        becomes(&sandbox, "ready").await;
        everything_works(&ada).await;
        let keys: Vec<String> = server.ask(&["KEYS", "*"]).await.unwrap();
        let Redis([_, (_, prefix), _]) = &redis;
        assert!(!keys.is_empty() && keys.iter().all(|key| key.starts_with(prefix)), "{keys:?}");
        server.kill();
        everything_works(&ada).await;
        becomes(&sandbox, "degraded").await;
    }
}

#[tokio::test]
async fn requests_under_way_do_not_notice_that_redis_dies() {
    let mut server = Server::running().await;
    let redis = Redis::at(server.url());
    let sandbox = Sandbox::on_postgres_with(&redis.and(&[])).await;
    let ada = sandbox.register("ada").await;
    becomes(&sandbox, "ready").await;
    let image = ada.upload(ROCKET).await;
    let path = format!("/api/v1/images/{image}");
    let stop = tokio_util::sync::CancellationToken::new();
    let reading = async {
        let mut answers = 0;
        while !stop.is_cancelled() {
            let image: Value = ada.get(&path).await;
            assert_eq!(image["filename"], "picture");
            answers += 1;
        }
        answers
    };
    let dying = async {
        for _ in 0..3 {
            server.kill();
            becomes(&sandbox, "degraded").await;
            server.start().await;
            becomes(&sandbox, "ready").await;
        }
        stop.cancel();
    };
    let patience = Duration::from_secs(120);
    let both = futures_util::future::join(reading, dying);
    let (answers, ()) = tokio::time::timeout(patience, both).await.expect("it goes on");
    assert!(answers > 10, "{answers} answers");
}

/// How often that Redis was asked for anything, but for how it is.
async fn questions(server: &Server) -> u64 {
    const OF_ITSELF: [&str; 7] =
        ["info", "ping", "hello", "client|setinfo", "client|setname", "auth", "subscribe"];
    let said: String = server.ask(&["INFO", "commandstats"]).await.unwrap();
    let commands = said.lines().filter_map(|line| line.strip_prefix("cmdstat_")?.split_once(':'));
    let asked = commands.filter(|(name, _)| !OF_ITSELF.contains(name));
    let calls = asked.map(|(_, said)| {
        let calls = said.strip_prefix("calls=").and_then(|said| said.split(',').next());
        calls.and_then(|calls| calls.parse::<u64>().ok()).unwrap()
    });
    calls.sum()
}

#[tokio::test]
async fn pictures_by_url_wait_for_nothing_from_redis() {
    let server = Server::running().await;
    let redis = Redis::at(server.url());
    let sandbox = Sandbox::on_postgres_with(&redis.and(&[])).await;
    let ada = sandbox.register("ada").await;
    becomes(&sandbox, "ready").await;
    let image = delivery::open(&ada).await;
    let path = |width| format!("/i/w_{width}/{image}.jpg");
    let picture = async |width| {
        let answer = sandbox.request(Method::GET, &path(width)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.bytes().await.unwrap()
    };
    let first = picture(40).await;
    // It is counted at all.
    let before = questions(&server).await;
    ada.get(&format!("/api/v1/images/{image}")).await;
    let after = questions(&server).await;
    assert!(after > before, "{after}");
    // One that is at hand, and some that are made.
    for width in 50..60 {
        assert_eq!(picture(40).await, first);
        assert!(!picture(width).await.is_empty());
    }
    assert_eq!(questions(&server).await, after);
    // While nothing is answered: one that is at hand, and one that is made.
    let () = server.ask(&["CLIENT", "PAUSE", "600000", "ALL"]).await.unwrap();
    assert_eq!(picture(40).await, first);
    assert!(!picture(41).await.is_empty());
}
