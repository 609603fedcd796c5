//! Signing keys and signed URLs.

use darkroom::adapters::signature::{Signature, Signed};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::sandbox::{Account, ROCKET, Sandbox, expect, problem, text};

const KEYS: &str = "/api/v1/signing-keys";
const SIGN: &str = "/api/v1/sign";

async fn new_key(account: &Account<'_>) -> Value {
    account.post(KEYS, &json!({}), StatusCode::CREATED).await
}

async fn sign(account: &Account<'_>, image: &str, body: &Value) -> Value {
    account.post(&format!("/api/v1/images/{image}/sign"), body, StatusCode::OK).await
}

/// Where a request is at fault.
async fn faults(account: &Account<'_>, path: &str, body: &Value) -> Vec<String> {
    let answer = account.request(Method::POST, path).json(body).send().await;
    let told = problem(answer, 400, "validation_failed").await;
    told["errors"].as_array().unwrap().iter().map(|fault| text(fault, "pointer")).collect()
}

/// The parts of a signed URL: its signature, the transformation, the file, `exp`.
fn parts(url: &str) -> (&str, &str, &str, &str) {
    let (path, exp) = url.split_once("?exp=").unwrap_or((url, ""));
    let (signature, rest) = path.strip_prefix("/i/s--").unwrap().split_once("--/").unwrap();
    let (transformation, file) = rest.rsplit_once('/').unwrap_or(("", rest));
    (signature, transformation, file, exp)
}

/// Whether `url` is signed with `key`.
fn is_signed(url: &str, key: &Value) -> bool {
    let (signature, transformation, file, exp) = parts(url);
    let signature = Signature::read(signature).unwrap();
    signature.key_id == text(key, "id")
        && signature.is_of(&text(key, "secret"), &Signed { transformation, file, exp })
}

#[tokio::test]
async fn a_key_is_shown_once_and_taken_back() {
    let sandbox = Sandbox::start().await;
    let (ada, eve) = (sandbox.register("ada").await, sandbox.register("eve").await);
    let request = ada.request(Method::POST, KEYS).json(&json!({ "name": "website" }));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let website = expect(Ok(answer), StatusCode::CREATED).await;
    let unnamed = new_key(&ada).await;
    assert_eq!((&website["name"], &unnamed["name"]), (&json!("website"), &json!("default")));
    assert_eq!((text(&website, "id").len(), text(&website, "secret").len()), (8, 43));
    let listed = ada.get(KEYS).await;
    let without = |key: &Value| json!({ "id": key["id"], "name": key["name"], "created_at": key["created_at"] });
    assert_eq!(listed, json!({ "signing_keys": [without(&unnamed), without(&website)] }));
    assert_eq!(eve.get(KEYS).await, json!({ "signing_keys": [] }));

    let path = format!("{KEYS}/{}", text(&website, "id"));
    problem(eve.request(Method::DELETE, &path).send().await, 404, "not_found").await;
    let delete = || ada.request(Method::DELETE, &path).send();
    assert_eq!(delete().await.unwrap().status(), StatusCode::NO_CONTENT);
    problem(delete().await, 404, "not_found").await;
    assert_eq!(ada.get(KEYS).await, json!({ "signing_keys": [without(&unnamed)] }));

    let long = "x".repeat(101);
    for name in [json!(""), json!(long), json!("a\nb"), json!(7)] {
        assert_eq!(faults(&ada, KEYS, &json!({ "name": name })).await, ["/name"], "{name}");
    }
    for _ in 1..10 {
        new_key(&ada).await;
    }
    let more = ada.request(Method::POST, KEYS).send().await;
    let told = problem(more, 429, "quota_exceeded").await;
    assert!(text(&told, "detail").contains("at most 10"), "{told}");
}

#[tokio::test]
async fn an_api_key_signs_and_makes_no_keys() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let key = ada.post("/api/v1/api-keys", &json!({ "name": "a" }), StatusCode::CREATED).await;
    let program = Account::of(&sandbox, &text(&key, "key"));
    for (method, path) in [
        (Method::POST, KEYS.to_owned()),
        (Method::GET, KEYS.to_owned()),
        (Method::DELETE, format!("{KEYS}/4fZ0aB9x")),
    ] {
        problem(program.request(method, &path).send().await, 401, "unauthenticated").await;
    }
    // With the first signature there is a key.
    let signed = sign(&program, &image, &json!({ "transformation": "w_300" })).await;
    let keys = ada.get(KEYS).await["signing_keys"].clone();
    assert_eq!((keys.as_array().unwrap().len(), &keys[0]["name"]), (1, &json!("default")));
    assert!(parts(&text(&signed, "url")).0.starts_with(&text(&keys[0], "id")));
}

#[tokio::test]
async fn what_is_signed_is_what_stands_in_the_path() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let old = new_key(&ada).await;
    let key = new_key(&ada).await;
    for (body, path) in [
        (
            json!({ "transformation": "c_fill,w_300/q_auto", "ext": "jpg" }),
            "c_fill,w_300/q_auto/{}.jpg",
        ),
        (json!({ "transformation": "w_300" }), "w_300/{}"),
        (json!({ "ext": "webp" }), "{}.webp"),
        (json!({ "transformation": "" }), "{}"),
        (
            json!({ "transformation": "l_text:Arial_40:Ünï c?%2520/fl_layer_apply", "ext": "png" }),
            "l_text:Arial_40:%C3%9Cn%C3%AF%20c%3F%2520/fl_layer_apply/{}.png",
        ),
    ] {
        let signed = sign(&ada, &image, &body).await;
        let url = text(&signed, "url");
        assert!(url.ends_with(&format!("--/{}", path.replace("{}", &image))), "{url}");
        assert_eq!(signed["expires_at"], Value::Null);
        assert!(is_signed(&url, &key), "the newest signs: {url}");
        assert!(!is_signed(&url, &old));
    }
    let path = format!("{KEYS}/{}", text(&key, "id"));
    ada.request(Method::DELETE, &path).send().await.unwrap();
    let signed = sign(&ada, &image, &json!({ "transformation": "w_300" })).await;
    assert!(is_signed(&text(&signed, "url"), &old));
}

#[tokio::test]
async fn urls_that_end_within_a_window_are_the_same() {
    let sandbox = Sandbox::with(&[("PUBLIC_URL", "https://pictures.example")]).await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let key = new_key(&ada).await;
    // A window so long that this test is within one, but for two days in ten years.
    let body = json!({ "transformation": "w_300", "expires_in": 60, "window": 157_680_000 });
    let signed = sign(&ada, &image, &body).await;
    assert_eq!(sign(&ada, &image, &body).await, signed);
    let url = text(&signed, "url");
    let path = url.strip_prefix("https://pictures.example").unwrap();
    assert!(is_signed(path, &key), "{url}");
    let exp: i64 = parts(path).3.parse().unwrap();
    assert_eq!(exp % 157_680_000, 0);
    let end: chrono::DateTime<chrono::Utc> = text(&signed, "expires_at").parse().unwrap();
    assert_eq!(end.timestamp(), exp);

    let before = chrono::Utc::now().timestamp();
    let signed =
        sign(&ada, &image, &json!({ "transformation": "w_300", "expires_in": 3600 })).await;
    let end: chrono::DateTime<chrono::Utc> = text(&signed, "expires_at").parse().unwrap();
    assert_eq!(end.timestamp() % 900, 0, "a quarter of an hour of an hour");
    let left = end.timestamp() - before;
    assert!((3600..3600 + 900 + 60).contains(&left), "{left}");
}

#[tokio::test]
async fn many_urls_are_signed_in_order() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let images = [ada.upload(ROCKET).await, ada.upload(ROCKET).await];
    let key = new_key(&ada).await;
    let preset = ada.request(Method::PUT, "/api/v1/presets/card").json(&json!({ "flip": true }));
    expect(preset.send().await, StatusCode::CREATED).await;
    let items: Vec<Value> = (0..1000)
        .map(|n| {
            let transformation = format!("t_card/w_{}", n + 1);
            json!({ "image_id": images[n % 2], "transformation": transformation, "ext": "jpg" })
        })
        .collect();
    let signed = ada.post(SIGN, &json!({ "items": items }), StatusCode::OK).await;
    let signed = signed["items"].as_array().unwrap();
    assert_eq!(signed.len(), 1000);
    for (n, signed) in signed.iter().enumerate() {
        let url = text(signed, "url");
        let (_, transformation, file, _) = parts(&url);
        assert_eq!(transformation, format!("t_card/w_{}", n + 1));
        assert_eq!(file, format!("{}.jpg", images[n % 2]));
        assert!(is_signed(&url, &key));
    }
    assert_eq!(
        ada.post(SIGN, &json!({ "items": [] }), StatusCode::OK).await,
        json!({ "items": [] })
    );
    let mut more = items;
    more.push(json!({}));
    assert_eq!(faults(&ada, SIGN, &json!({ "items": more })).await, ["/items"]);
    assert_eq!(faults(&ada, SIGN, &json!({})).await, ["/items"]);
}

#[tokio::test]
async fn all_faults_are_told_at_once_and_nothing_is_signed() {
    let sandbox = Sandbox::start().await;
    let (ada, eve) = (sandbox.register("ada").await, sandbox.register("eve").await);
    let (own, theirs) = (ada.upload(ROCKET).await, eve.upload(ROCKET).await);
    let items = json!([
        { "image_id": own, "transformation": "w_300" },
        { "image_id": own, "transformation": "w_x", "ext": "svg", "expires_in": 0 },
        { "image_id": theirs, "transformation": "t_none" },
        { "transformation": "w_300" },
        { "image_id": "x", "window": 5 },
        7,
        { "image_id": own, "transformation": format!("l_{theirs}/fl_layer_apply"), "x": 1 },
        { "image_id": own, "expires_in": 1.5, "window": 400_000_000 },
    ]);
    let mut found = faults(&ada, SIGN, &json!({ "items": items })).await;
    found.sort();
    let expected = [
        "/items/1/expires_in",
        "/items/1/ext",
        "/items/1/transformation",
        "/items/2/image_id",
        "/items/2/transformation",
        "/items/3/image_id",
        "/items/4/image_id",
        "/items/4/window",
        "/items/5",
        "/items/6/transformation",
        "/items/6/x",
        "/items/7/expires_in",
        "/items/7/window",
        "/items/7/window",
    ];
    assert_eq!(found, expected);
    let one = format!("/api/v1/images/{own}/sign");
    let bad = json!({ "transformation": "w_x", "ext": "jpgg", "image_id": own });
    assert_eq!(faults(&ada, &one, &bad).await, ["/ext", "/image_id", "/transformation"]);
    assert_eq!(ada.get(KEYS).await, json!({ "signing_keys": [] }), "for nothing there is no key");
    for id in [theirs.as_str(), "0198c0de-0000-7000-8000-000000000000", "x"] {
        let path = format!("/api/v1/images/{id}/sign");
        let answer = ada.request(Method::POST, &path).json(&json!({ "transformation": "w_1" }));
        problem(answer.send().await, 404, "not_found").await;
    }
}

#[tokio::test]
async fn a_retry_with_its_key_gets_the_first_answer() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let path = format!("/api/v1/images/{image}/sign");
    let ask = |transformation: &str| {
        let request = ada.request(Method::POST, &path).header("idempotency-key", "once");
        request.json(&json!({ "transformation": transformation })).send()
    };
    let first = expect(ask("w_300").await, StatusCode::OK).await;
    new_key(&ada).await;
    let again = ask("w_300").await.unwrap();
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert_eq!(expect(Ok(again), StatusCode::OK).await, first);
    problem(ask("w_301").await, 409, "idempotency_conflict").await;
}
