//! Answers that say no, and the headers that all answers have.

use std::{collections::BTreeMap, fs};

use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};

use crate::sandbox::{Account, ROCKET, Sandbox, eventually, expect, problem, stored_files, text};

/// Everything that an account can have, by what stands before `{id}` or `{name}` in a path.
async fn belongings(account: &Account<'_>) -> BTreeMap<&'static str, String> {
    let image = account.upload(ROCKET).await;
    let spec = json!({ "resize": { "width": 20 } });
    let accepted = account.enqueue(&image, &spec).await;
    let job = text(&accepted, "job_id");
    account.finished(&job).await;
    let key = json!({ "name": "x" });
    let key = account.post("/api/v1/api-keys", &key, StatusCode::CREATED).await;
    let signing = json!({ "name": "x" });
    let signing = account.post("/api/v1/signing-keys", &signing, StatusCode::CREATED).await;
    let preset = account.request(Method::PUT, "/api/v1/presets/small");
    expect(preset.json(&spec).send().await, StatusCode::CREATED).await;
    let doomed = account.upload(ROCKET).await;
    let deleted = account.request(Method::DELETE, &format!("/api/v1/images/{doomed}"));
    let receipt = deleted.send().await.unwrap().headers()["deletion-receipt"].clone();
    BTreeMap::from([
        ("images", image),
        ("variants", text(&accepted, "variant_id")),
        ("jobs", job),
        ("api-keys", text(&key, "id")),
        ("signing-keys", text(&signing, "id")),
        ("presets", "small".to_owned()),
        ("deletions", receipt.to_str().unwrap().to_owned()),
    ])
}

/// Path and method of everything that the service does, but the files of Swagger UI.
async fn operations(sandbox: &Sandbox) -> Vec<(String, Method)> {
    let document = sandbox.request(Method::GET, "/openapi.json").send().await;
    let document = expect(document, StatusCode::OK).await;
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .filter(|(path, _)| !path.contains("{file}"))
        .flat_map(|(path, item)| {
            item.as_object()
                .unwrap()
                .keys()
                .map(|method| (path.clone(), method.to_uppercase().parse().unwrap()))
        })
        .collect()
}

/// What a path with an id is about.
fn noun(path: &str) -> &str {
    path.split('/').nth(3).unwrap()
}

#[tokio::test]
async fn paths_come_before_methods() {
    let sandbox = Sandbox::start().await;
    for path in [
        "/nowhere",
        "/api",
        "/api/v1",
        "/api/v2/images",
        "/api/v1/images/",
        "/api/v1/images/x/y/z",
        "//api/v1/images",
        "/api/v1/Images",
        "/health/",
        "/swagger",
        "/%00",
        "/../etc/passwd",
    ] {
        for method in [Method::GET, Method::POST, Method::DELETE, Method::OPTIONS] {
            let answer = sandbox.request(method, path).send().await;
            problem(answer, 404, "not_found").await;
        }
    }
    for (method, path, allow) in [
        (Method::PUT, "/api/v1/images", "GET, POST, HEAD"),
        (Method::POST, "/api/v1/images/x", "GET, PATCH, DELETE, HEAD"),
        (Method::GET, "/api/v1/auth/login", "POST"),
        (Method::HEAD, "/api/v1/auth/login", "POST"),
        (Method::POST, "/health", "GET, HEAD"),
        (Method::OPTIONS, "/api/v1/jobs", "GET, HEAD"),
        (Method::from_bytes(b"BREW").unwrap(), "/api/v1/me", "GET, DELETE, HEAD"),
    ] {
        let answer = sandbox.request(method.clone(), path).send().await.unwrap();
        assert_eq!(answer.headers()["allow"], allow, "{method} {path}");
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
        if method != Method::HEAD {
            let told = problem(Ok(answer), 405, "method_not_allowed").await;
            assert!(text(&told, "detail").contains(allow), "{told}");
        }
    }
}

#[tokio::test]
async fn what_is_another_accounts_does_not_exist() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let ids = belongings(&ada).await;
    let grace = sandbox.register("grace").await;
    let mut tried = 0;
    for (path, method) in operations(&sandbox).await {
        // A receipt is all that is needed to ask after a deletion.
        if !path.contains("{id}") || noun(&path) == "deletions" {
            continue;
        }
        let theirs = path.replace("{id}", &ids[noun(&path)]);
        let unknown = path.replace("{id}", &uuid::Uuid::now_v7().to_string());
        let mut told = Vec::new();
        for path in [theirs, unknown] {
            let answer = grace.request(method.clone(), &path).json(&json!({})).send().await;
            let mut problem = problem(answer, 404, "not_found").await;
            problem.as_object_mut().unwrap().remove("request_id");
            told.push(problem);
        }
        assert_eq!(told[0], told[1], "{method} {path}: existence shows");
        tried += 1;
    }
    assert!(tried >= 12, "{tried}");
    // And nothing of it was touched.
    assert_eq!(ada.get("/api/v1/images").await["images"][0]["id"], ids["images"]);
    assert_eq!(ada.get("/api/v1/images").await["images"][0]["variants"][0]["id"], ids["variants"]);
    assert_eq!(ada.get(&format!("/api/v1/jobs/{}", ids["jobs"])).await["status"], "succeeded");
    assert_eq!(ada.get("/api/v1/api-keys").await["api_keys"][0]["id"], ids["api-keys"]);
    assert_eq!(grace.get("/api/v1/images").await["total"], 0);
    assert_eq!(grace.get("/api/v1/jobs").await["jobs"], json!([]));
}

#[tokio::test]
async fn an_id_that_is_none_is_not_found() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let id = uuid::Uuid::now_v7();
    let long = "x".repeat(5_000);
    let simple = id.simple().to_string();
    for (path, method) in operations(&sandbox).await {
        if !path.contains("{id}") {
            continue;
        }
        for id in ["x", "1", "%00", "%ff", "..%2f..", "%7B%7D", long.as_str(), simple.as_str()] {
            let path = path.replace("{id}", id);
            let answer = ada.request(method.clone(), &path).json(&json!({})).send().await;
            problem(answer, 404, "not_found").await;
        }
    }
}

#[tokio::test]
async fn every_answer_bears_the_requests_id() {
    let sandbox = Sandbox::start().await;
    let request_id = async |path: &str, id: Option<&str>| {
        let request = sandbox.request(Method::GET, path);
        let request =
            id.into_iter().fold(request, |request, id| request.header("x-request-id", id));
        let answer = request.send().await.unwrap();
        answer.headers()["x-request-id"].to_str().unwrap().to_owned()
    };
    for path in ["/health", "/ready", "/", "/openapi.json", "/swagger/", "/nowhere", "/api/v1/me"] {
        assert_eq!(request_id(path, Some("018f-A_b.c")).await, "018f-A_b.c", "{path}");
        let long = "x".repeat(129);
        for insane in [None, Some(""), Some("a b"), Some("<script>"), Some(long.as_str())] {
            let id = request_id(path, insane).await;
            assert!(uuid::Uuid::try_parse(&id).is_ok(), "{path}: {id}");
        }
    }
    assert_ne!(request_id("/health", None).await, request_id("/health", None).await);
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let ids = belongings(&ada).await;
    let told = |headers: &HeaderMap| {
        let names = ["content-type", "content-length", "etag", "cache-control", "accept-ranges"];
        names.map(|name| headers.get(name).cloned())
    };
    let mut tried = 0;
    for (path, method) in operations(&sandbox).await {
        // Pictures by URL need no token, and are asked for in tests of their own.
        if method != Method::GET || path.starts_with("/i/") {
            continue;
        }
        let path = match path.contains("{id}") || path.contains("{name}") {
            true => path.replace("{id}", &ids[noun(&path)]).replace("{name}", &ids[noun(&path)]),
            false => path,
        };
        let ask = async |method| ada.request(method, &path).send().await.unwrap();
        // What workers still change is not compared with what it was before.
        let (got, head) = eventually(async || {
            let got = ask(Method::GET).await;
            let head = ask(Method::HEAD).await;
            let again = ask(Method::GET).await;
            (told(got.headers()) == told(again.headers())).then_some((got, head))
        })
        .await;
        assert_eq!((got.status(), head.status()), (StatusCode::OK, StatusCode::OK), "{path}");
        assert_eq!(told(head.headers()), told(got.headers()), "{path}");
        // A stream of events has no end, and so no length.
        let streams = head.headers()["content-type"] == "text/event-stream";
        assert!(streams || head.headers().contains_key("content-length"), "{path}");
        assert!(head.bytes().await.unwrap().is_empty(), "{path}");
        tried += 1;
    }
    assert!(tried >= 17, "{tried}");
    let head = sandbox.request(Method::HEAD, "/api/v1/me").send().await.unwrap();
    assert_eq!(head.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(head.headers()["content-type"], "application/problem+json");
}

const ORIGIN: &str = "https://app.example.com";

async fn preflight(sandbox: &Sandbox, origin: &str) -> HeaderMap {
    let request = sandbox
        .request(Method::OPTIONS, "/api/v1/images")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type,idempotency-key");
    request.send().await.unwrap().headers().clone()
}

/// A header's items, in lower case.
fn items(headers: &HeaderMap, name: &str) -> Vec<String> {
    let text = headers[name].to_str().unwrap().to_ascii_lowercase();
    text.split(',').map(|item| item.trim().to_owned()).collect()
}

#[tokio::test]
async fn no_page_of_another_origin_may_call_unless_it_is_listed() {
    let is_cors = |headers: &HeaderMap| {
        headers.keys().any(|name| name.as_str().starts_with("access-control-"))
    };
    let sandbox = Sandbox::start().await;
    assert!(!is_cors(&preflight(&sandbox, ORIGIN).await));
    let health = sandbox.request(Method::GET, "/health").header("origin", ORIGIN);
    assert!(!is_cors(health.send().await.unwrap().headers()));

    let listed = format!("{ORIGIN},http://localhost:3000");
    let sandbox = Sandbox::with(&[("ALLOWED_ORIGINS", listed.as_str())]).await;
    let allowed = preflight(&sandbox, ORIGIN).await;
    assert_eq!(allowed["access-control-allow-origin"], ORIGIN);
    assert!(!allowed.contains_key("access-control-allow-credentials"));
    assert!(allowed.contains_key("x-request-id"));
    assert!(items(&allowed, "vary").contains(&"origin".to_owned()));
    let methods = items(&allowed, "access-control-allow-methods");
    assert!(["post", "patch", "delete"].iter().all(|method| methods.contains(&(*method).into())));
    let sent = items(&allowed, "access-control-allow-headers");
    for name in ["authorization", "content-type", "idempotency-key"] {
        assert!(sent.contains(&name.to_owned()), "{sent:?}");
    }
    let other = preflight(&sandbox, "https://evil.example.com").await;
    assert!(!other.contains_key("access-control-allow-origin"));

    // Errors can be read, too, and so can the headers that the contract names.
    let me = sandbox.request(Method::GET, "/api/v1/me").header("origin", "http://localhost:3000");
    let answer = me.send().await.unwrap();
    assert_eq!(answer.headers()["access-control-allow-origin"], "http://localhost:3000");
    let seen = items(answer.headers(), "access-control-expose-headers");
    for name in ["location", "etag", "deletion-receipt", "x-cache", "x-request-id", "retry-after"] {
        assert!(seen.contains(&name.to_owned()), "{seen:?}");
    }
    problem(Ok(answer), 401, "unauthenticated").await;
}

async fn urls(account: &Account<'_>) -> Vec<String> {
    let upload = account
        .request(Method::POST, "/api/v1/images")
        .header("host", "evil.example.com")
        .header("x-forwarded-host", "evil.example.com")
        .header("content-type", "image/jpeg")
        .body(ROCKET);
    let answer = upload.send().await.unwrap();
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let image = expect(Ok(answer), StatusCode::CREATED).await;
    let id = text(&image, "id");
    let spec = json!({ "resize": { "width": 20 } });
    let variant = account.transform(&id, &spec).await;
    let accepted = account.enqueue(&id, &spec).await;
    let shown = account.get(&format!("/api/v1/images/{id}")).await;
    assert_eq!(shown["variants"][0]["url"], variant["url"]);
    vec![
        location.replace(&id, "ID"),
        text(&image, "original_url").replace(&id, "ID"),
        text(&variant, "url").replace(&text(&variant, "id"), "ID"),
        text(&accepted, "status_url").replace(&text(&accepted, "job_id"), "ID"),
    ]
}

#[tokio::test]
async fn urls_are_built_from_what_is_configured_and_nothing_else() {
    let paths = [
        "/api/v1/images/ID",
        "/api/v1/images/ID/content",
        "/api/v1/variants/ID/content",
        "/api/v1/jobs/ID",
    ];
    let sandbox = Sandbox::start().await;
    assert_eq!(urls(&sandbox.register("ada").await).await, paths);
    for public in ["https://pictures.example.com", "https://example.com/darkroom/"] {
        let sandbox = Sandbox::with(&[("PUBLIC_URL", public)]).await;
        let base = public.trim_end_matches('/');
        let expected = paths.map(|path| format!("{base}{path}"));
        assert_eq!(urls(&sandbox.register("ada").await).await, expected);
    }
}

#[tokio::test]
async fn a_failing_storage_is_told_without_its_innards() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let content = format!("/api/v1/images/{image}/content");
    let secrets = [sandbox.data_dir().to_str().unwrap().to_owned(), "os error".to_owned()];
    let discreet = |told: &Value| {
        let told = told.to_string();
        assert!(!secrets.iter().any(|secret| told.contains(secret)), "{told}");
    };
    let spool = sandbox.data_dir().join("spool");
    fs::remove_dir_all(&spool).unwrap();
    fs::write(&spool, "in the way").unwrap();
    let upload = || {
        ada.request(Method::POST, "/api/v1/images")
            .header("content-type", "image/jpeg")
            .body(ROCKET)
            .send()
    };
    let answer = upload().await.unwrap();
    assert!(answer.headers().contains_key("retry-after"));
    discreet(&problem(Ok(answer), 503, "dependency_unavailable").await);
    let ready = sandbox.request(Method::GET, "/ready").send().await;
    let unready = expect(ready, StatusCode::SERVICE_UNAVAILABLE).await;
    assert_eq!(unready, json!({ "status": "unready" }));
    let health = sandbox.request(Method::GET, "/health").send().await;
    assert_eq!(expect(health, StatusCode::OK).await["status"], "ok");

    fs::remove_file(&spool).unwrap();
    fs::create_dir(&spool).unwrap();
    expect(upload().await, StatusCode::CREATED).await;
    let ready = sandbox.request(Method::GET, "/ready").send().await;
    assert_eq!(expect(ready, StatusCode::OK).await, json!({ "status": "ready" }));

    for file in stored_files(sandbox.data_dir()) {
        fs::remove_file(file).unwrap();
    }
    let answer = ada.request(Method::GET, &content).send().await.unwrap();
    assert!(!answer.status().is_success());
    discreet(&answer.json().await.unwrap());
}

#[tokio::test]
async fn an_actor_that_dies_is_back_before_anybody_minds() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let services = sandbox.services();
    let crashes: [&dyn Fn(); 3] =
        [&|| services.database.crash(), &|| services.storage.crash(), &|| services.cache.crash()];
    for crash in crashes {
        crash();
        let asked = (0..16).map(|_| ada.request(Method::GET, "/api/v1/me").send());
        for answer in futures_util::future::join_all(asked).await {
            let answer = answer.unwrap();
            if answer.status() != StatusCode::OK {
                assert!(answer.headers().contains_key("retry-after"));
                problem(Ok(answer), 503, "dependency_unavailable").await;
            }
        }
        eventually(async || {
            let ready = sandbox.request(Method::GET, "/ready").send().await.unwrap();
            (ready.status() == StatusCode::OK).then_some(())
        })
        .await;
        assert_eq!(ada.bytes(&format!("/api/v1/images/{image}/content")).await, ROCKET);
    }
}
