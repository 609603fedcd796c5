//! `Idempotency-Key`: a POST that is sent again.

use futures_util::future::join_all;
use image::ImageFormat;
use reqwest::{
    Method, RequestBuilder, Response, StatusCode,
    header::HeaderMap,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use crate::{
    pictures::{quarters, truncated},
    sandbox::{Account, ROCKET, Sandbox, eventually, expect, problem, text},
};

const IMAGES: &str = "/api/v1/images";

fn with_key(account: &Account<'_>, path: &str, key: &str) -> RequestBuilder {
    account.request(Method::POST, path).header("idempotency-key", key)
}

/// Uploads under a key, by a form; reqwest gives each form a boundary of its own.
async fn upload(account: &Account<'_>, key: &str, bytes: Vec<u8>) -> reqwest::Result<Response> {
    let form = Form::new().part("file", Part::bytes(bytes).file_name("cat.jpg"));
    with_key(account, IMAGES, key).multipart(form).send().await
}

/// Status, headers and body.
async fn whole(answer: reqwest::Result<Response>) -> (StatusCode, HeaderMap, Value) {
    let answer = answer.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    (status, headers, answer.json().await.unwrap())
}

#[tokio::test]
async fn an_upload_sent_again_gets_the_first_answer() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let (status, first_headers, first) = whole(upload(&ada, "one", ROCKET.to_vec()).await).await;
    assert_eq!(status, StatusCode::CREATED);
    assert!(!first_headers.contains_key("idempotent-replayed"));
    let (status, headers, again) = whole(upload(&ada, "one", ROCKET.to_vec()).await).await;
    assert_eq!((status, &again), (StatusCode::CREATED, &first));
    for name in ["location", "content-type"] {
        assert_eq!(headers[name], first_headers[name]);
    }
    assert_eq!(headers["idempotent-replayed"], "true");

    // The first answer, also when it is no longer true.
    let path = format!("{IMAGES}/{}", text(&first, "id"));
    let answer = ada.request(Method::DELETE, &path).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(whole(upload(&ada, "one", ROCKET.to_vec()).await).await.2, first);

    let other = quarters(4, 4, ImageFormat::Jpeg);
    problem(upload(&ada, "one", other.clone()).await, 409, "idempotency_conflict").await;
    let tagged =
        Form::new().text("tags", "x").part("file", Part::bytes(ROCKET).file_name("cat.jpg"));
    let answer = with_key(&ada, IMAGES, "one").multipart(tagged).send().await;
    problem(answer, 409, "idempotency_conflict").await;
    expect(upload(&ada, "two", other).await, StatusCode::CREATED).await;
    assert_eq!(ada.get(IMAGES).await["total"], 1);
}

#[tokio::test]
async fn keys_are_of_an_account_and_a_path() {
    let sandbox = Sandbox::start().await;
    let (ada, grace) = (sandbox.register("ada").await, sandbox.register("grace").await);
    let first = expect(upload(&ada, "k", ROCKET.to_vec()).await, StatusCode::CREATED).await;
    let second = expect(upload(&grace, "k", ROCKET.to_vec()).await, StatusCode::CREATED).await;
    assert_ne!(first["id"], second["id"]);
    let image = text(&first, "id");
    let path = format!("{IMAGES}/{image}/transform");
    let answer = with_key(&ada, &path, "k").json(&json!({ "resize": { "width": 9 } })).send().await;
    let accepted = expect(answer, StatusCode::ACCEPTED).await;
    ada.finished(&text(&accepted, "job_id")).await;
}

#[tokio::test]
async fn a_transformation_sent_again_gets_the_first_answer() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let path = format!("{IMAGES}/{image}/transform");
    let send = async |query: &str, key: &str, spec: Value| {
        with_key(&ada, &format!("{path}{query}"), key).json(&spec).send().await
    };
    let spec = json!({ "resize": { "width": 20, "fit": "cover" } });
    let same = json!({ "resize": { "width": 20 }, "rotate": 0 });

    let (status, first_headers, first) = whole(send("", "job", spec.clone()).await).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    ada.finished(&text(&first, "job_id")).await;
    // What is compared is what it means, not how it is written.
    let (status, headers, again) = whole(send("", "job", same.clone()).await).await;
    assert_eq!((status, again), (StatusCode::ACCEPTED, first));
    assert_eq!(headers["location"], first_headers["location"]);
    assert_eq!(headers["idempotent-replayed"], "true");
    let other = send("", "job", json!({ "resize": { "width": 21 } })).await;
    problem(other, 409, "idempotency_conflict").await;
    problem(send("?sync=true", "job", same).await, 409, "idempotency_conflict").await;

    let sharp = json!({ "resize": { "width": 30 } });
    let (status, headers, made) = whole(send("?sync=true", "now", sharp.clone()).await).await;
    assert_eq!((status, headers["x-cache"].to_str().unwrap()), (StatusCode::OK, "miss"));
    let (status, headers, again) = whole(send("?sync=true", "now", sharp).await).await;
    assert_eq!((status, again), (StatusCode::OK, made));
    assert_eq!(headers["x-cache"], "miss", "the first answer");
}

/// The same upload many times at once.
async fn at_once(sandbox: Sandbox) {
    let ada = sandbox.register("ada").await;
    for round in 0..4 {
        let key = format!("round-{round}");
        let answers = join_all((0..6).map(|_| upload(&ada, &key, ROCKET.to_vec()))).await;
        let mut ids = Vec::new();
        for answer in answers {
            let (status, headers, body) = whole(answer).await;
            match status {
                StatusCode::CREATED => ids.push(text(&body, "id")),
                StatusCode::CONFLICT => {
                    assert_eq!(body["code"], "idempotency_conflict");
                    assert!(headers.contains_key("retry-after"));
                }
                other => panic!("{other}: {body}"),
            }
        }
        assert!(!ids.is_empty(), "somebody was first");
        let retried = expect(upload(&ada, &key, ROCKET.to_vec()).await, StatusCode::CREATED).await;
        assert!(ids.iter().all(|id| *id == text(&retried, "id")));
        assert_eq!(ada.get(IMAGES).await["total"], round + 1);
    }
    assert_eq!(sandbox.stored_objects(), 1, "of four pictures with the same bytes");
}

#[tokio::test]
async fn many_at_once_make_one_image() {
    at_once(Sandbox::start().await).await;
}

#[tokio::test]
async fn many_at_once_make_one_image_on_postgres() {
    at_once(Sandbox::on_postgres().await).await;
}

#[tokio::test]
async fn what_may_turn_out_otherwise_is_not_kept() {
    let sandbox = Sandbox::with(&[("MAX_UPLOAD_SIZE", "200000")]).await;
    let ada = sandbox.register("ada").await;
    // Each at once after the other: no answer is given while the key is still taken.
    for round in 0..10 {
        let key = format!("round-{round}");
        let empty = with_key(&ada, IMAGES, &key).multipart(Form::new().text("tags", "a"));
        problem(empty.send().await, 400, "validation_failed").await;
        let broken = with_key(&ada, IMAGES, &key).header("content-type", "multipart/form-data");
        problem(broken.body("x").send().await, 400, "malformed_request").await;
        problem(upload(&ada, &key, vec![0; 200_001]).await, 413, "payload_too_large").await;
        expect(upload(&ada, &key, ROCKET.to_vec()).await, StatusCode::CREATED).await;
    }
    let image = ada.upload(ROCKET).await;
    let path = format!("{IMAGES}/{image}/transform?sync=true");
    let wrong = with_key(&ada, &path, "t").json(&json!({ "resize": {} })).send().await;
    problem(wrong, 400, "validation_failed").await;

    // The storage is out of reach: 503, and then it is not.
    let (objects, away) = (sandbox.data_dir().join("objects"), sandbox.data_dir().join("away"));
    std::fs::rename(&objects, &away).unwrap();
    let spec = json!({ "resize": { "width": 9 } });
    let answer = with_key(&ada, &path, "t").json(&spec).send().await;
    problem(answer, 503, "dependency_unavailable").await;
    std::fs::rename(&away, &objects).unwrap();
    expect(with_key(&ada, &path, "t").json(&spec).send().await, StatusCode::OK).await;
}

#[tokio::test]
async fn what_will_not_turn_out_otherwise_is_kept() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let first =
        problem(upload(&ada, "u", b"text".to_vec()).await, 415, "unsupported_media_type").await;
    let answer = upload(&ada, "u", b"text".to_vec()).await.unwrap();
    assert_eq!(answer.headers()["idempotent-replayed"], "true");
    let again = problem(Ok(answer), 415, "unsupported_media_type").await;
    assert_eq!(again["detail"], first["detail"]);
    problem(upload(&ada, "u", ROCKET.to_vec()).await, 409, "idempotency_conflict").await;

    let image = expect(upload(&ada, "broken", truncated()).await, StatusCode::CREATED).await;
    let path = format!("{IMAGES}/{}/transform?sync=true", text(&image, "id"));
    for replayed in [false, true] {
        let answer = with_key(&ada, &path, "t").json(&json!({})).send().await.unwrap();
        assert_eq!(answer.headers().contains_key("idempotent-replayed"), replayed);
        problem(Ok(answer), 422, "image_corrupt").await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_gives_its_key_back() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let (piece, body) = tokio::sync::mpsc::channel::<std::io::Result<Vec<u8>>>(1);
    let body =
        futures_util::stream::unfold(body, async |mut body| Some((body.recv().await?, body)));
    let request = with_key(&ada, &format!("{IMAGES}?filename=a"), "k");
    let request =
        request.header("content-type", "image/jpeg").body(reqwest::Body::wrap_stream(body));
    let sending = tokio::spawn(request.send());
    piece.send(Ok(ROCKET[..1000].to_vec())).await.unwrap();
    let spool = sandbox.data_dir().join("spool");
    eventually(async || std::fs::read_dir(&spool).unwrap().next().map(drop)).await;
    let conflict = upload(&ada, "k", ROCKET.to_vec()).await.unwrap();
    assert!(conflict.headers().contains_key("retry-after"));
    problem(Ok(conflict), 409, "idempotency_conflict").await;

    sending.abort();
    drop(piece);
    eventually(async || {
        let answer = upload(&ada, "k", ROCKET.to_vec()).await.unwrap();
        (answer.status() == StatusCode::CREATED).then_some(())
    })
    .await;
    assert_eq!(ada.get(IMAGES).await["total"], 1);
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let long = "k".repeat(256);
    for key in ["", "two words", &long, "schlüssel"] {
        let fault =
            problem(upload(&ada, key, ROCKET.to_vec()).await, 400, "validation_failed").await;
        assert_eq!(fault["errors"][0]["pointer"], "/Idempotency-Key");
    }
    expect(upload(&ada, &"k".repeat(255), ROCKET.to_vec()).await, StatusCode::CREATED).await;
}
