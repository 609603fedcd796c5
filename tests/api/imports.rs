//! `POST /images/import`.

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::{
    elsewhere::{Elsewhere, Say, allowed, answer, redirect},
    pictures::truncated,
    sandbox::{Account, ROCKET, Sandbox, eventually, expect, problem, stored_files, text},
};

const IMPORT: &str = "/api/v1/images/import";

async fn import(account: &Account<'_>, body: &Value) -> reqwest::Result<Response> {
    account.request(Method::POST, IMPORT).json(body).send().await
}

async fn import_url(account: &Account<'_>, url: &str) -> reqwest::Result<Response> {
    import(account, &json!({ "url": url })).await
}

/// A server that has a rocket wherever it is asked, and a service that may go there.
async fn rocket_and_sandbox(variables: &[(&str, &str)]) -> (Elsewhere, Sandbox) {
    let there = Elsewhere::serve(|_| Say::Bytes(answer(200, &[], ROCKET))).await;
    let sandbox = sandbox_for(&there, variables).await;
    (there, sandbox)
}

async fn sandbox_for(there: &Elsewhere, variables: &[(&str, &str)]) -> Sandbox {
    let allowed = there.allowed();
    let mut all = vec![("FETCH_ALLOW", allowed.as_str())];
    all.extend(variables);
    Sandbox::with(&all).await
}

#[tokio::test]
async fn a_picture_is_fetched_and_kept_like_an_upload() {
    let (there, sandbox) = rocket_and_sandbox(&[]).await;
    let ada = sandbox.register("ada").await;
    let spec = json!({ "resize": { "width": 20 } });
    let body = json!({
        "url": there.url("/pictures/my%20rocket.jpg?size=3#top"), "tags": ["space", " space "],
        "eager": [spec],
    });
    let made = import(&ada, &body).await.unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
    let location = made.headers()["location"].to_str().unwrap().to_owned();
    let image: Value = made.json().await.unwrap();
    assert_eq!(location, format!("/api/v1/images/{}", text(&image, "id")));
    assert_eq!(image["filename"], "my rocket.jpg");
    assert_eq!(image["mime_type"], "image/jpeg");
    assert_eq!((&image["width"], &image["size"]), (&json!(640), &json!(ROCKET.len())));
    assert_eq!(image["tags"], json!(["space"]));
    assert_eq!(ada.bytes(&text(&image, "original_url")).await, ROCKET);

    let jobs = ada.get("/api/v1/jobs").await;
    assert_eq!(jobs["jobs"][0]["spec"], spec);
    assert_eq!(ada.finished(&text(&jobs["jobs"][0], "id")).await["status"], "succeeded");

    let asked = there.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!((&*asked[0].method, &*asked[0].path), ("GET", "/pictures/my%20rocket.jpg?size=3"));
    assert!(asked[0].headers["user-agent"].to_str().unwrap().starts_with("Darkroom/"));
    for secret in ["authorization", "cookie", "referer"] {
        assert!(!asked[0].headers.contains_key(secret), "{secret}");
    }
}

#[tokio::test]
async fn its_name_is_what_is_said_of_it_and_harmless() {
    let there = Elsewhere::serve(|asked| {
        let disposition = match asked.path.as_str() {
            "/plain" => "attachment; filename=\"../../etc/pass\\\"wd\"",
            "/star" => "attachment; filename=x.jpg; filename*=UTF-8''n%C3%A4me%00.jpg",
            _ => "inline",
        };
        Say::Bytes(answer(200, &[("content-disposition", disposition)], ROCKET))
    })
    .await;
    let sandbox = sandbox_for(&there, &[]).await;
    let ada = sandbox.register("ada").await;
    let named = async |path: &str, filename: Value| {
        let body = json!({ "url": there.url(path), "filename": filename });
        text(&expect(import(&ada, &body).await, StatusCode::CREATED).await, "filename")
    };
    assert_eq!(named("/plain", Value::Null).await, "pass\"wd");
    assert_eq!(named("/star", Value::Null).await, "näme.jpg");
    assert_eq!(named("/a/b%2Fc.jpg", Value::Null).await, "c.jpg");
    assert_eq!(named("/", Value::Null).await, "image");
    assert_eq!(named("/star", json!("../mine\u{0}.jpg")).await, "mine.jpg");
}

#[tokio::test]
async fn redirects_are_followed_as_far_as_they_may_lead() {
    let there = Elsewhere::serve(|asked| match asked.path.split_once('?') {
        None if asked.path == "/rocket.jpg" => Say::Bytes(answer(200, &[], ROCKET)),
        None if asked.path == "/loop" => redirect("/loop"),
        None if asked.path == "/nowhere" => Say::Bytes(answer(302, &[], b"")),
        None => match asked.path.trim_start_matches('/').parse::<u32>() {
            Ok(0) => redirect("rocket.jpg"),
            Ok(left) => redirect(&format!("./{}", left - 1)),
            Err(_) => Say::Bytes(answer(404, &[], b"")),
        },
        Some((_, target)) => redirect(target),
    })
    .await;
    let sandbox = sandbox_for(&there, &[]).await;
    let ada = sandbox.register("ada").await;
    let image = expect(import_url(&ada, &there.url("/4")).await, StatusCode::CREATED).await;
    assert_eq!(image["filename"], "rocket.jpg", "the last URL names it");
    for path in ["/5", "/loop"] {
        let told = problem(import_url(&ada, &there.url(path)).await, 422, "fetch_failed").await;
        assert!(text(&told, "detail").contains("more than 5 times"), "{told}");
    }
    problem(import_url(&ada, &there.url("/nowhere")).await, 422, "fetch_failed").await;
    let before = there.asked().len();
    let targets = [
        "http://10.0.0.1/",
        "http://127.0.0.1/",
        "http://[::1]/",
        "//169.254.169.254/latest/meta-data/",
        "http://metadata.google.internal/",
        "http://user:pass@example.com/",
        "http://example.com:22/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "http://localhost/",
        "http://2130706433/",
    ];
    for target in targets {
        let url = there.url(&format!("/?{target}"));
        let told = problem(import_url(&ada, &url).await, 422, "fetch_refused").await;
        assert!(text(&told, "detail").contains("leads to"), "{target}: {told}");
    }
    assert_eq!(there.asked().len() - before, targets.len(), "one request each");
    assert_eq!(ada.get("/api/v1/images").await["total"], 1);
}

#[tokio::test]
async fn what_is_not_public_is_refused() {
    let there = Elsewhere::serve(|_| Say::Bytes(answer(200, &[], ROCKET))).await;
    let variables = [("FETCH_DENY", "denied.example, 8.8.4.0/24")];
    let sandbox = Sandbox::with(&variables).await;
    let ada = sandbox.register("ada").await;
    let port = there.port();
    for url in [
        there.url("/rocket.jpg"),
        format!("http://localhost:{port}/"),
        format!("http://127.1:{port}/"),
        "http://localhost/".to_owned(),
        "http://127.0.0.1/".to_owned(),
        "http://0x7f.1/".to_owned(),
        "http://[::ffff:127.0.0.1]/".to_owned(),
        "http://[64:ff9b::7f00:1]/".to_owned(),
        "http://192.168.0.1/".to_owned(),
        "http://100.64.0.1/".to_owned(),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://metadata.google.internal/".to_owned(),
        "https://a.denied.example/".to_owned(),
        "https://8.8.4.4/".to_owned(),
        "https://user@example.com/".to_owned(),
        "https://example.com:8443/".to_owned(),
        "ftp://example.com/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "nonsense".to_owned(),
        String::new(),
    ] {
        let told = problem(import_url(&ada, &url).await, 422, "fetch_refused").await;
        assert!(text(&told, "detail").starts_with("the URL is not fetched: "), "{url}: {told}");
    }
    assert_eq!(there.asked().len(), 0);
    // Another port than the one that was opened.
    let other = Elsewhere::serve(|_| Say::Bytes(answer(200, &[], ROCKET))).await;
    let sandbox = sandbox_for(&other, &[]).await;
    let ada = sandbox.register("ada").await;
    problem(import_url(&ada, &there.url("/")).await, 422, "fetch_refused").await;
    let url = format!("http://localhost:{}/", other.port());
    expect(import_url(&ada, &url).await, StatusCode::CREATED).await;
}

#[tokio::test]
async fn production_refuses_http() {
    let (there, sandbox) = rocket_and_sandbox(&[("ENVIRONMENT", "production")]).await;
    let ada = sandbox.register("ada").await;
    let told = problem(import_url(&ada, &there.url("/a.jpg")).await, 422, "fetch_refused").await;
    assert!(text(&told, "detail").contains("only https"), "{told}");
    // It speaks no TLS; that it was asked shows that https goes there.
    let url = there.url("/a.jpg").replace("http:", "https:");
    let told = problem(import_url(&ada, &url).await, 422, "fetch_failed").await;
    assert!(text(&told, "detail").contains("TLS"), "{told}");
    assert_eq!(there.asked().len(), 0);
}

#[tokio::test]
async fn what_is_too_large_is_left() {
    let there = Elsewhere::serve(|asked| match asked.path.as_str() {
        "/says" => Say::Pause(b"HTTP/1.1 200 X\r\ncontent-length: 200001\r\n\r\n".to_vec()),
        "/chunks" => Say::Endless(b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n".to_vec()),
        _ => Say::Bytes(answer(200, &[], ROCKET)),
    })
    .await;
    let sandbox = sandbox_for(&there, &[("MAX_UPLOAD_SIZE", "200000")]).await;
    let ada = sandbox.register("ada").await;
    for path in ["/says", "/chunks"] {
        let told = problem(import_url(&ada, &there.url(path)).await, 413, "payload_too_large");
        assert!(text(&told.await, "detail").contains("200000"));
    }
    assert_eq!(stored_files(sandbox.data_dir()), [] as [std::path::PathBuf; 0]);
    expect(import_url(&ada, &there.url("/rocket.jpg")).await, StatusCode::CREATED).await;
}

#[tokio::test]
async fn a_server_that_takes_too_long_is_given_up_on() {
    let there = Elsewhere::serve(|asked| match asked.path.as_str() {
        "/silent" => Say::Pause(Vec::new()),
        _ => Say::Pause(answer(200, &[], ROCKET)[..1000].to_vec()),
    })
    .await;
    let sandbox = sandbox_for(&there, &[("FETCH_TIMEOUT", "300ms")]).await;
    let ada = sandbox.register("ada").await;
    for path in ["/silent", "/stops"] {
        let told = problem(import_url(&ada, &there.url(path)).await, 422, "fetch_failed").await;
        assert!(text(&told, "detail").contains("too long"), "{told}");
    }
    assert_eq!(stored_files(sandbox.data_dir()), [] as [std::path::PathBuf; 0]);
}

#[tokio::test]
async fn what_is_no_picture_or_not_all_of_it_is_not_kept() {
    let there = Elsewhere::serve(|asked| {
        Say::Bytes(match asked.path.as_str() {
            "/text" => answer(200, &[("content-type", "image/jpeg")], b"not a picture"),
            "/empty" => answer(200, &[], b""),
            "/head" => answer(200, &[], &truncated()[..3]),
            "/cut" => {
                let whole = answer(200, &[], ROCKET);
                whole[..whole.len() - 1].to_vec()
            }
            "/cut-chunks" => {
                b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n".to_vec()
            }
            "/gone" => answer(404, &[], ROCKET),
            "/part" => answer(206, &[], ROCKET),
            "/nothing" => answer(204, &[], b""),
            "/broken" => answer(500, &[], b""),
            _ => b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
        })
    })
    .await;
    let nowhere = Elsewhere::nowhere();
    let closed = nowhere.port();
    let both = format!("{},{}", there.allowed(), allowed(closed));
    let sandbox = Sandbox::with(&[("FETCH_ALLOW", &both)]).await;
    let ada = sandbox.register("ada").await;
    for (path, status, code) in [
        ("/text", 415, "unsupported_media_type"),
        ("/empty", 415, "unsupported_media_type"),
        ("/head", 422, "image_corrupt"),
    ] {
        problem(import_url(&ada, &there.url(path)).await, status, code).await;
    }
    for (path, said) in [
        ("/cut", "broke off"),
        ("/cut-chunks", "broke off"),
        ("/gone", "404"),
        ("/part", "206"),
        ("/nothing", "204"),
        ("/broken", "500"),
        ("/ssh", "HTTP"),
    ] {
        let told = problem(import_url(&ada, &there.url(path)).await, 422, "fetch_failed").await;
        assert!(text(&told, "detail").contains(said), "{path}: {told}");
    }
    let url = format!("http://127.0.0.1:{closed}/");
    let told = problem(import_url(&ada, &url).await, 422, "fetch_failed").await;
    assert!(text(&told, "detail").contains("could not be reached"), "{told}");
    assert_eq!(ada.get("/api/v1/images").await["total"], 0);
    assert_eq!(stored_files(sandbox.data_dir()), [] as [std::path::PathBuf; 0]);
}

#[tokio::test]
async fn a_request_that_is_wrong_says_where() {
    let (there, sandbox) = rocket_and_sandbox(&[]).await;
    let ada = sandbox.register("ada").await;
    let url = there.url("/a.jpg");
    for (body, pointers) in [
        (json!({}), &["/url"][..]),
        (json!({ "url": 3 }), &["/url"]),
        (json!({ "url": format!("{url}?{}", "x".repeat(3000)) }), &["/url"]),
        (json!({ "url": url, "filename": 3, "tags": "a" }), &["/filename", "/tags"]),
        (json!({ "url": url, "tags": ["", "a\nb"] }), &["/tags/0", "/tags/1"]),
        (json!({ "url": url, "eager": {} }), &["/eager"]),
        (json!({ "url": url, "eager": [{ "rotate": 361 }] }), &["/eager/0/rotate"]),
        (json!({ "url": url, "eager": vec![json!({}); 21] }), &["/eager"]),
        (json!({ "url": url, "urll": url }), &["/urll"]),
        (json!([]), &[""]),
    ] {
        let told = problem(import(&ada, &body).await, 400, "validation_failed").await;
        let faults = told["errors"].as_array().unwrap();
        let found: Vec<_> = faults.iter().map(|fault| text(fault, "pointer")).collect();
        assert_eq!(found, pointers, "{told}");
    }
    let query = format!("{IMPORT}?url=x");
    let answer = ada.request(Method::POST, &query).json(&json!({ "url": url })).send().await;
    problem(answer, 400, "validation_failed").await;
    let nobody = sandbox.request(Method::POST, IMPORT).json(&json!({ "url": url })).send().await;
    problem(nobody, 401, "unauthenticated").await;
    assert_eq!(there.asked().len(), 0);
}

#[tokio::test]
async fn an_import_sent_again_gets_the_first_answer() {
    let there = Elsewhere::serve(|asked| match asked.path.as_str() {
        "/gone" => Say::Bytes(answer(404, &[], b"")),
        _ => Say::Bytes(answer(200, &[], ROCKET)),
    })
    .await;
    let sandbox = sandbox_for(&there, &[]).await;
    let ada = sandbox.register("ada").await;
    let send = async |key: &str, body: Value| {
        ada.request(Method::POST, IMPORT).header("idempotency-key", key).json(&body).send().await
    };
    let body = json!({ "url": there.url("/a.jpg"), "eager": [{ "rotate": 0, "flip": true }] });
    let same = json!({ "url": there.url("/a.jpg"), "eager": [{ "flip": true }], "tags": [] });
    let first = expect(send("one", body).await, StatusCode::CREATED).await;
    let again = send("one", same).await.unwrap();
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert_eq!(expect(Ok(again), StatusCode::CREATED).await, first);
    assert_eq!(there.asked().len(), 1, "fetched once");
    let other = json!({ "url": there.url("/b.jpg"), "eager": [{ "flip": true }] });
    problem(send("one", other).await, 409, "idempotency_conflict").await;

    for replayed in [false, true] {
        let answer = send("two", json!({ "url": there.url("/gone") })).await.unwrap();
        assert_eq!(answer.headers().contains_key("idempotent-replayed"), replayed);
        problem(Ok(answer), 422, "fetch_failed").await;
    }
    assert_eq!(there.asked().len(), 2);
    let job = ada.get("/api/v1/jobs").await["jobs"][0].clone();
    ada.finished(&text(&job, "id")).await;
}

#[tokio::test]
async fn imports_count_as_uploads() {
    let (there, sandbox) =
        rocket_and_sandbox(&[("RATE_LIMIT_UPLOADS", "2"), ("RATE_LIMIT_TRANSFORMS", "1")]).await;
    let ada = sandbox.register("ada").await;
    let url = there.url("/a.jpg");
    let eager = json!({ "url": url, "eager": [{ "flip": true }, { "mirror": true }] });
    problem(import(&ada, &eager).await, 429, "rate_limited").await;
    let answer = import_url(&ada, &url).await.unwrap();
    assert!(answer.headers().contains_key("ratelimit-policy"));
    expect(Ok(answer), StatusCode::CREATED).await;
    problem(import_url(&ada, &url).await, 429, "rate_limited").await;
    assert_eq!(there.asked().len(), 1);
}

#[tokio::test]
async fn few_imports_of_an_account_are_under_way_at_a_time() {
    let there = Elsewhere::serve(|asked| match asked.path.as_str() {
        "/silent" => Say::Pause(Vec::new()),
        _ => Say::Bytes(answer(200, &[], ROCKET)),
    })
    .await;
    let sandbox = sandbox_for(&there, &[("FETCH_TIMEOUT", "10s")]).await;
    let (ada, grace) = (sandbox.register("ada").await, sandbox.register("grace").await);
    let (silent, url) = (there.url("/silent"), there.url("/"));
    let slow = futures_util::future::join_all((0..8).map(|_| import_url(&ada, &silent)));
    let meanwhile = async {
        eventually(async || (there.asked().len() == 8).then_some(())).await;
        let refused = import_url(&ada, &url).await.unwrap();
        assert_eq!(refused.headers()["retry-after"], "2");
        problem(Ok(refused), 429, "rate_limited").await;
        expect(import_url(&grace, &url).await, StatusCode::CREATED).await;
    };
    let (slow, ()) = tokio::join!(slow, meanwhile);
    for answer in slow {
        problem(answer, 422, "fetch_failed").await;
    }
    expect(import_url(&ada, &url).await, StatusCode::CREATED).await;
}
