//! How often clients may do what costs something, and how they are told.

use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder, Response, StatusCode, header::HeaderMap};
use serde_json::json;

use crate::{
    redis::{Redis, becomes, readiness},
    redis_server::Server,
    sandbox::{Account, PASSWORD, ROCKET, Sandbox, eventually, expect, problem, text},
};

const IMAGES: &str = "/api/v1/images";
const LOGIN: &str = "/api/v1/auth/login";

fn upload(account: &Account<'_>) -> RequestBuilder {
    account.request(Method::POST, IMAGES).header("content-type", "image/jpeg").body(ROCKET)
}

fn login(sandbox: &Sandbox, username: &str, password: &str) -> RequestBuilder {
    let body = json!({ "username": username, "password": password });
    sandbox.request(Method::POST, LOGIN).json(&body)
}

/// The headers of an answer with this status.
async fn headers(request: RequestBuilder, status: u16) -> HeaderMap {
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), status);
    answer.headers().clone()
}

/// The headers of a refusal, after checking that it is one.
async fn refused(request: RequestBuilder) -> HeaderMap {
    let answer: Response = request.send().await.unwrap();
    let headers = answer.headers().clone();
    problem(Ok(answer), 429, "rate_limited").await;
    let seconds = |value: &str| value.parse::<u64>().unwrap();
    let retry_after = seconds(headers["retry-after"].to_str().unwrap());
    let state = headers["ratelimit"].to_str().unwrap();
    let (_, window) = state.rsplit_once(";t=").unwrap();
    assert!(retry_after >= 1 && retry_after >= seconds(window), "{retry_after}: {state}");
    headers
}

#[tokio::test]
async fn uploads_are_counted_by_account_and_every_answer_tells() {
    let sandbox = Sandbox::with(&[("RATE_LIMIT_UPLOADS", "2")]).await;
    let (ada, grace) = (sandbox.register("ada").await, sandbox.register("grace").await);
    let first = headers(upload(&ada), 201).await;
    assert_eq!(first["ratelimit-policy"], "\"uploads\";q=2;w=60");
    assert_eq!(first["ratelimit"], "\"uploads\";r=1;t=30");
    // What is wrong with an upload does not make it none.
    let second = headers(upload(&ada).body("no picture"), 415).await;
    assert!(second["ratelimit"].to_str().unwrap().starts_with("\"uploads\";r=0;t="));
    let third = refused(upload(&ada)).await;
    assert_eq!(third["ratelimit-policy"], "\"uploads\";q=2;w=60");
    assert!(third["ratelimit"].to_str().unwrap().starts_with("\"uploads\";r=0;t="));
    headers(upload(&grace), 201).await;

    // Reading is not counted.
    for path in [IMAGES, "/api/v1/jobs", "/api/v1/me"] {
        for _ in 0..5 {
            let read = headers(ada.request(Method::GET, path), 200).await;
            assert!(!read.contains_key("ratelimit"), "{path}: {read:?}");
        }
    }
    assert_eq!(ada.get(IMAGES).await["total"], 1);
}

#[tokio::test]
async fn transformations_are_counted_at_once_as_jobs_and_beside_an_upload() {
    let limits = [("RATE_LIMIT_TRANSFORMS", "3"), ("RATE_LIMIT_WINDOW", "1h")];
    let sandbox = Sandbox::with(&limits).await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let transform = |query: &str, width: u32| {
        let path = format!("{IMAGES}/{image}/transform{query}");
        ada.request(Method::POST, &path).json(&json!({ "resize": { "width": width } }))
    };
    let at_once = headers(transform("?sync=true", 20), 200).await;
    assert_eq!(at_once["ratelimit-policy"], "\"transforms\";q=3;w=3600");
    assert_eq!(at_once["ratelimit"], "\"transforms\";r=2;t=1200");
    let eager = |specs: usize| {
        let eager =
            serde_json::to_string(&vec![json!({ "resize": { "width": 9 } }); specs]).unwrap();
        let escaped =
            percent_encoding::utf8_percent_encode(&eager, percent_encoding::NON_ALPHANUMERIC);
        let path = format!("{IMAGES}?eager={escaped}");
        ada.request(Method::POST, &path).header("content-type", "image/jpeg").body(ROCKET)
    };
    let told = refused(eager(3)).await;
    assert!(
        told["ratelimit-policy"].to_str().unwrap().ends_with(", \"transforms\";q=3;w=3600"),
        "{told:?}"
    );
    assert_eq!(ada.get(IMAGES).await["total"], 1, "what was refused is not there");
    headers(eager(1), 201).await;
    let accepted = expect(transform("", 30).send().await, StatusCode::ACCEPTED).await;
    refused(transform("", 40)).await;
    refused(transform("?sync=true", 20)).await;
    ada.finished(&text(&accepted, "job_id")).await;
    for job in ada.get("/api/v1/jobs").await["jobs"].as_array().unwrap() {
        ada.finished(&text(job, "id")).await;
    }
}

#[tokio::test]
async fn what_is_put_for_delivery_and_purged_counts_as_transformations() {
    let limits = [("RATE_LIMIT_TRANSFORMS", "5"), ("RATE_LIMIT_WINDOW", "1h")];
    let sandbox = Sandbox::with(&limits).await;
    let (ada, grace) = (sandbox.register("ada").await, sandbox.register("grace").await);
    let image = ada.upload(ROCKET).await;
    let ask = |method: Method, path: &str| ada.request(method, &format!("/api/v1/{path}"));
    let preset = || ask(Method::PUT, "presets/card").json(&json!({ "flip": true }));
    let settings = || ask(Method::PUT, "me/delivery").json(&json!({ "allowed": ["w_1"] }));
    let key = || ask(Method::POST, "signing-keys").json(&json!({ "name": "one" }));
    let purge = || ask(Method::POST, &format!("images/{image}/purge"));
    let tagged = || ask(Method::POST, "purge").json(&json!({ "tag": "none" }));
    for (left, request, status) in [
        (4, preset(), 201),
        (3, settings(), 200),
        (2, key(), 201),
        (1, purge(), 204),
        (0, tagged(), 200),
    ] {
        let told = headers(request, status).await;
        assert_eq!(told["ratelimit-policy"], "\"transforms\";q=5;w=3600");
        let state = told["ratelimit"].to_str().unwrap();
        assert!(state.starts_with(&format!("\"transforms\";r={left};")), "{state}");
    }
    for request in [preset(), settings(), key(), purge(), tagged()] {
        refused(request).await;
    }

    // A label counts the pictures that have it; on more than there may ever be, all that may.
    let mut images = Vec::new();
    for _ in 0..6 {
        images.push(grace.upload(ROCKET).await);
    }
    let tag = async |images: &[String], tag: &str| {
        for image in images {
            let patch = grace.request(Method::PATCH, &format!("{IMAGES}/{image}"));
            expect(patch.json(&json!({ "tags": [tag] })).send().await, StatusCode::OK).await;
        }
    };
    let purge =
        |tag: &str| grace.request(Method::POST, "/api/v1/purge").json(&json!({ "tag": tag }));
    tag(&images[..3], "some").await;
    let told = headers(purge("some"), 200).await;
    assert!(told["ratelimit"].to_str().unwrap().starts_with("\"transforms\";r=2;"), "{told:?}");
    refused(purge("some")).await;
    tag(&images, "all").await;
    refused(purge("all")).await;
    let edsger = sandbox.register("edsger").await;
    for _ in 0..6 {
        let path = format!("{IMAGES}?tags=all");
        let upload = edsger.request(Method::POST, &path).header("content-type", "image/jpeg");
        headers(upload.body(ROCKET), 201).await;
    }
    let purge = edsger.request(Method::POST, "/api/v1/purge").json(&json!({ "tag": "all" }));
    let told = headers(purge, 200).await;
    assert!(told["ratelimit"].to_str().unwrap().starts_with("\"transforms\";r=0;"), "{told:?}");
}

#[tokio::test]
async fn accounts_are_opened_so_often_from_one_address() {
    let sandbox =
        Sandbox::with(&[("RATE_LIMIT_REGISTER", "2"), ("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let register = |username: &str, address: &str| {
        let body = json!({ "username": username, "password": PASSWORD });
        sandbox
            .request(Method::POST, "/api/v1/auth/register")
            .header("x-forwarded-for", address)
            .json(&body)
    };
    let first = headers(register("ada", "192.0.2.1"), 201).await;
    assert_eq!(first["ratelimit-policy"], "\"register\";q=2;w=60");
    headers(register("grace", "192.0.2.1"), 201).await;
    refused(register("edsger", "192.0.2.1")).await;
    // What a client claims to stand behind is not believed.
    refused(register("edsger", "192.0.2.9, 192.0.2.1")).await;
    headers(register("edsger", "192.0.2.2"), 201).await;
    // Of IPv6 the half that one customer has counts as one.
    headers(register("barbara", "2001:db8::1"), 201).await;
    headers(register("donald", "2001:db8::2"), 201).await;
    refused(register("tony", "2001:db8::3")).await;
    headers(register("tony", "2001:db8:0:1::1"), 201).await;
}

#[tokio::test]
async fn failed_logins_are_counted_and_no_others() {
    let limits = [
        ("RATE_LIMIT_LOGIN", "6"),
        ("RATE_LIMIT_LOGIN_USERNAME", "3"),
        ("RATE_LIMIT_WINDOW", "1h"),
    ];
    let sandbox = Sandbox::with(&limits).await;
    sandbox.register("ada").await;
    sandbox.register("grace").await;
    for _ in 0..8 {
        let told = headers(login(&sandbox, "ada", PASSWORD), 200).await;
        let policy = "\"login-username\";q=3;w=3600, \"login\";q=6;w=3600";
        assert_eq!(told["ratelimit-policy"], policy);
        assert_eq!(told["ratelimit"], "\"login-username\";r=3;t=0, \"login\";r=6;t=0");
    }
    // A body that is none is no attempt.
    let none = sandbox.request(Method::POST, LOGIN).json(&json!({ "username": "ada" }));
    problem(none.send().await, 400, "validation_failed").await;
    for name in ["ada", "ADA", "Ada"] {
        problem(login(&sandbox, name, "wrong").send().await, 401, "invalid_credentials").await;
    }
    // Also with the right password: whoever guesses is not told that it was right.
    refused(login(&sandbox, "aDa", PASSWORD)).await;
    headers(login(&sandbox, "grace", PASSWORD), 200).await;
    for name in ["nobody", "no one", "x"] {
        problem(login(&sandbox, name, "wrong").send().await, 401, "invalid_credentials").await;
    }
    // Now the address has used up all of its own.
    refused(login(&sandbox, "grace", PASSWORD)).await;
}

#[tokio::test]
async fn a_username_alone_is_slowed_and_never_locked() {
    let limits = [("RATE_LIMIT_LOGIN_USERNAME", "2"), ("TRUSTED_PROXIES", "127.0.0.1")];
    let sandbox = Sandbox::with(&limits).await;
    sandbox.register("ada").await;
    let from = |address: &str, password: &str| {
        login(&sandbox, "ada", password).header("x-forwarded-for", address)
    };
    for address in ["192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.3"] {
        problem(from(address, "wrong").send().await, 401, "invalid_credentials").await;
    }
    let began = Instant::now();
    headers(from("192.0.2.4", PASSWORD), 200).await;
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn zero_is_no_limit() {
    let off = ["UPLOADS", "TRANSFORMS", "REGISTER", "LOGIN", "LOGIN_USERNAME"];
    let off: Vec<_> = off.iter().map(|name| format!("RATE_LIMIT_{name}")).collect();
    let off: Vec<_> = off.iter().map(|name| (name.as_str(), "0")).collect();
    let sandbox = Sandbox::with(&off).await;
    let ada = sandbox.register("ada").await;
    for _ in 0..12 {
        problem(login(&sandbox, "ada", "wrong").send().await, 401, "invalid_credentials").await;
    }
    let told = headers(upload(&ada), 201).await;
    assert!(!told.contains_key("ratelimit") && !told.contains_key("ratelimit-policy"));
}

#[tokio::test]
async fn a_refusal_is_not_the_answer_to_an_idempotency_key() {
    let limits = [("RATE_LIMIT_UPLOADS", "1"), ("RATE_LIMIT_WINDOW", "2s")];
    let sandbox = Sandbox::with(&limits).await;
    let ada = sandbox.register("ada").await;
    let mut round = 0;
    // A machine that stands still between the two has both let in.
    let (key, told) = eventually(async || {
        round += 1;
        let key = format!("k{round}");
        headers(upload(&ada), 201).await;
        let answer = upload(&ada).header("idempotency-key", &key).send().await.unwrap();
        let told = answer.headers().clone();
        (answer.status() == StatusCode::TOO_MANY_REQUESTS).then_some((key, told))
    })
    .await;
    assert_eq!(told["ratelimit-policy"], "\"uploads\";q=1;w=2");
    let with_key = || upload(&ada).header("idempotency-key", &key);
    let image = eventually(async || {
        let answer = with_key().send().await.unwrap();
        match answer.status() {
            StatusCode::TOO_MANY_REQUESTS => None,
            _ => Some(expect(Ok(answer), StatusCode::CREATED).await),
        }
    });
    let image = image.await;
    let again = eventually(async || {
        let answer = with_key().send().await.unwrap();
        (answer.status() != StatusCode::TOO_MANY_REQUESTS).then_some(answer)
    });
    let again = again.await;
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert_eq!(expect(Ok(again), StatusCode::CREATED).await, image);
}

#[tokio::test]
async fn pages_of_other_origins_see_the_headers() {
    let sandbox = Sandbox::with(&[("ALLOWED_ORIGINS", "https://app.example.com")]).await;
    let ada = sandbox.register("ada").await;
    let told = headers(upload(&ada).header("origin", "https://app.example.com"), 201).await;
    let exposed = told["access-control-expose-headers"].to_str().unwrap();
    for name in ["ratelimit", "ratelimit-policy", "retry-after"] {
        assert!(exposed.split(',').any(|exposed| exposed.trim() == name), "{name}: {exposed}");
    }
}

#[tokio::test]
async fn processes_that_share_redis_share_their_limits() {
    let redis = Redis::shared();
    let one = Sandbox::on_postgres_with(
        &redis.and(&[("RATE_LIMIT_UPLOADS", "3"), ("RATE_LIMIT_WINDOW", "1h")]),
    )
    .await;
    let two = one.beside(&[]).await;
    assert_eq!(readiness(&one).await, "ready");
    let ada = one.register("ada").await;
    let elsewhere = Account::of(&two, &ada.token);
    for (account, left) in [(&ada, 2), (&elsewhere, 1), (&ada, 0)] {
        let told = headers(upload(account), 201).await;
        let state = told["ratelimit"].to_str().unwrap();
        assert!(state.starts_with(&format!("\"uploads\";r={left};")), "{state}");
    }
    refused(upload(&elsewhere)).await;
    refused(upload(&ada)).await;
}

#[tokio::test]
async fn each_process_counts_for_itself_while_redis_is_away() {
    let mut server = Server::absent();
    let redis = Redis::at(server.url());
    let limits = [("RATE_LIMIT_UPLOADS", "2"), ("RATE_LIMIT_WINDOW", "1h")];
    let one = Sandbox::on_postgres_with(&redis.and(&limits)).await;
    let two = one.beside(&[]).await;
    let ada = one.register("ada").await;
    let elsewhere = Account::of(&two, &ada.token);
    for account in [&ada, &elsewhere] {
        headers(upload(account), 201).await;
        headers(upload(account), 201).await;
        refused(upload(account)).await;
    }
    server.start().await;
    becomes(&one, "ready").await;
    becomes(&two, "ready").await;
    headers(upload(&ada), 201).await;
    headers(upload(&elsewhere), 201).await;
    refused(upload(&ada)).await;
    server.kill();
    // What this process counted before is still to come back.
    refused(upload(&ada)).await;
}
