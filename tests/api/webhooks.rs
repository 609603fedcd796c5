//! Webhooks: somebody else's server is told of a job's end.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{ConnectOptions, Connection, Executor, sqlite::SqliteConnectOptions};
use standardwebhooks::Webhook;

use crate::{
    elsewhere::{Asked, Elsewhere, Say, allowed, answer, redirect},
    pictures::truncated,
    sandbox::{Account, ROCKET, Sandbox, eventually, expect, problem, text},
};

const SECRET: &str = "/api/v1/webhook-secret";

/// A server that answers everything with `status`.
async fn receiver(status: u16) -> Elsewhere {
    Elsewhere::serve(move |_| Say::Bytes(answer(status, &[], b""))).await
}

async fn sandbox_for(there: &Elsewhere) -> Sandbox {
    Sandbox::with(&[("FETCH_ALLOW", &there.allowed())]).await
}

fn spec(width: u32, url: &str) -> Value {
    json!({ "resize": { "width": width }, "webhook_url": url })
}

/// What it was asked, once it was asked `count` times.
async fn told(there: &Elsewhere, count: usize) -> Vec<Asked> {
    eventually(async || Some(there.asked()).filter(|asked| asked.len() >= count)).await
}

async fn deliveries(account: &Account<'_>, job_id: &str) -> Vec<Value> {
    let all = account.get(&format!("/api/v1/jobs/{job_id}/deliveries")).await;
    all["deliveries"].as_array().unwrap().clone()
}

/// The job's only delivery, once `is_so` of it.
async fn delivery(account: &Account<'_>, job_id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    eventually(async || {
        let all = deliveries(account, job_id).await;
        assert!(all.len() < 2, "{all:?}");
        all.into_iter().next().filter(|delivery| is_so(delivery))
    })
    .await
}

fn has_status(status: &'static str) -> impl Fn(&Value) -> bool {
    move |delivery| delivery["status"] == status
}

fn was_tried(delivery: &Value) -> bool {
    delivery["attempts"][0].is_object()
}

/// Lets the time pass until everything is due.
async fn time_passes(sandbox: &Sandbox) {
    let path = sandbox.data_dir().join("darkroom.db");
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(30));
    let mut database = options.connect().await.unwrap();
    let sql = "UPDATE webhook_deliveries SET due_at = created_at WHERE status = 'pending'";
    database.execute(sql).await.unwrap();
    database.close().await.unwrap();
}

/// Checks what was sent, as its receiver would; what it says.
fn verified(asked: &Asked, secret: &str) -> Value {
    assert_eq!(asked.method, "POST");
    assert_eq!(asked.headers["content-type"], "application/json");
    Webhook::new(secret).unwrap().verify(&asked.body, &asked.headers).unwrap();
    serde_json::from_slice(&asked.body).unwrap()
}

fn header<'a>(asked: &'a Asked, name: &str) -> &'a str {
    asked.headers[name].to_str().unwrap()
}

#[tokio::test]
async fn the_end_of_a_job_is_told_and_signed() {
    let there = receiver(204).await;
    let sandbox = sandbox_for(&there).await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let accepted = ada.enqueue(&image, &spec(20, &there.url("/hook?a=b"))).await;
    let job_id = text(&accepted, "job_id");
    let asked = told(&there, 1).await.remove(0);
    assert_eq!(asked.path, "/hook?a=b");

    let secret = text(&ada.get(SECRET).await, "secret");
    let said = verified(&asked, &secret);
    assert_eq!(said["type"], "job.succeeded");
    let job = ada.get(&format!("/api/v1/jobs/{job_id}")).await;
    assert_eq!(said["data"], job, "as the job is shown");
    assert_eq!(said["timestamp"], job["finished_at"]);
    assert_eq!(said.as_object().unwrap().len(), 3);

    let shown = delivery(&ada, &job_id, has_status("delivered")).await;
    assert_eq!(shown["id"], header(&asked, "webhook-id"));
    assert_eq!((&shown["type"], &shown["url"]), (&said["type"], &json!(there.url("/hook?a=b"))));
    assert_eq!(shown["attempts"].as_array().unwrap().len(), 1);
    let attempt = &shown["attempts"][0];
    assert_eq!((&attempt["status_code"], &attempt["error"]), (&json!(204), &Value::Null));
    assert!(attempt["duration_ms"].is_u64() && attempt["at"].is_string());
    assert_eq!(shown["next_attempt_at"], Value::Null);
    assert!(shown["finished_at"].is_string());

    // One that is ready is told at once, as often as somebody asks.
    let again = ada.enqueue(&image, &spec(20, &there.url("/again"))).await;
    assert_eq!(again["job_id"], job_id.as_str());
    let asked = told(&there, 2).await.remove(1);
    assert_eq!(asked.path, "/again");
    assert_eq!(verified(&asked, &secret)["data"], job);
    assert_eq!(deliveries(&ada, &job_id).await.len(), 2);
}

#[tokio::test]
async fn a_failure_is_told_and_a_cancellation_is_not() {
    let there = receiver(200).await;
    let sandbox = sandbox_for(&there).await;
    let ada = sandbox.register("ada").await;
    let body = reqwest::multipart::Part::bytes(truncated()).file_name("cut.jpg");
    let form = reqwest::multipart::Form::new().part("file", body);
    let upload = ada.request(Method::POST, "/api/v1/images").multipart(form).send().await;
    let image = text(&expect(upload, StatusCode::CREATED).await, "id");
    let accepted = ada.enqueue(&image, &spec(20, &there.url("/"))).await;
    let job_id = text(&accepted, "job_id");
    let asked = told(&there, 1).await.remove(0);
    let said = verified(&asked, &text(&ada.get(SECRET).await, "secret"));
    assert_eq!(said["type"], "job.failed");
    assert_eq!(said["data"]["error"]["code"], "image_corrupt");
    assert_eq!(said["data"], ada.get(&format!("/api/v1/jobs/{job_id}")).await);
}

/// An API without a worker: jobs stay as they are.
#[tokio::test]
async fn all_who_asked_are_told_by_whichever_process() {
    let there = receiver(200).await;
    let allow = there.allowed();
    let sandbox = Sandbox::on_postgres_with(&[("FETCH_ALLOW", &allow), ("ROLE", "api")]).await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let first = ada.enqueue(&image, &spec(20, &there.url("/a"))).await;
    for path in ["/b", "/a"] {
        let joined = ada.enqueue(&image, &spec(20, &there.url(path))).await;
        assert_eq!(joined["job_id"], first["job_id"]);
    }
    let cancelled = ada.enqueue(&image, &spec(21, &there.url("/cancelled"))).await;
    let cancelled = text(&cancelled, "job_id");
    let cancel = ada.request(Method::DELETE, &format!("/api/v1/jobs/{cancelled}")).send().await;
    expect(cancel, StatusCode::ACCEPTED).await;
    let job_id = text(&first, "job_id");
    assert_eq!(deliveries(&ada, &job_id).await, [] as [Value; 0]);

    let mut worker = sandbox.beside(&[("ROLE", "worker")]).await;
    let asked = told(&there, 2).await;
    let mut paths: Vec<_> = asked.iter().map(|asked| asked.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["/a", "/b"]);
    assert_ne!(header(&asked[0], "webhook-id"), header(&asked[1], "webhook-id"));
    eventually(async || {
        let all = deliveries(&ada, &job_id).await;
        all.iter().all(has_status("delivered")).then_some(())
    })
    .await;
    assert_eq!(deliveries(&ada, &cancelled).await, [] as [Value; 0]);
    assert_eq!(there.asked().len(), 2, "each once");
    worker.stop();
}

#[tokio::test]
async fn a_rotated_secret_signs_on_beside_the_new_one() {
    let there = receiver(200).await;
    let sandbox = sandbox_for(&there).await;
    let ada = sandbox.register("ada").await;
    let first = ada.get(SECRET).await;
    assert_eq!(ada.get(SECRET).await, first, "it stays");
    assert_eq!(first["previous_until"], Value::Null);
    let rotated = ada.post(&format!("{SECRET}/rotate"), &json!({}), StatusCode::OK).await;
    assert_ne!(rotated["secret"], first["secret"]);
    assert!(rotated["previous_until"].is_string());
    assert_eq!(ada.get(SECRET).await, rotated);

    let image = ada.upload(ROCKET).await;
    ada.enqueue(&image, &spec(20, &there.url("/"))).await;
    let asked = told(&there, 1).await.remove(0);
    assert_eq!(header(&asked, "webhook-signature").split(' ').count(), 2);
    verified(&asked, &text(&first, "secret"));
    verified(&asked, &text(&rotated, "secret"));

    // Each account has its own, and an API key is not enough.
    let grace = sandbox.register("grace").await;
    let theirs = text(&grace.get(SECRET).await, "secret");
    assert!(Webhook::new(&theirs).unwrap().verify(&asked.body, &asked.headers).is_err());
    let key = ada.post("/api/v1/api-keys", &json!({ "name": "script" }), StatusCode::CREATED).await;
    let script = Account::of(&sandbox, &text(&key, "key"));
    for (method, path) in [(Method::GET, SECRET), (Method::POST, &format!("{SECRET}/rotate"))] {
        let answer = script.request(method, path).send().await;
        problem(answer, 401, "unauthenticated").await;
    }
    let answer = ada.request(Method::GET, SECRET).send().await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store");
}

#[tokio::test]
async fn what_was_not_taken_is_sent_again_the_same() {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let there = Elsewhere::serve(move |_| {
        let nth = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Say::Bytes(answer(if nth == 0 { 500 } else { 200 }, &[], b""))
    })
    .await;
    let sandbox = sandbox_for(&there).await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let accepted = ada.enqueue(&image, &spec(20, &there.url("/"))).await;
    let job_id = text(&accepted, "job_id");
    let pending = delivery(&ada, &job_id, was_tried).await;
    assert_eq!(pending["status"], "pending");
    assert_eq!(pending["attempts"][0]["status_code"], 500);
    assert!(pending["next_attempt_at"].as_str() > pending["attempts"][0]["at"].as_str());

    time_passes(&sandbox).await;
    let asked = told(&there, 2).await;
    let secret = text(&ada.get(SECRET).await, "secret");
    assert_eq!(verified(&asked[0], &secret), verified(&asked[1], &secret));
    assert_eq!(asked[0].body, asked[1].body);
    assert_eq!(header(&asked[0], "webhook-id"), header(&asked[1], "webhook-id"));
    let shown = delivery(&ada, &job_id, has_status("delivered")).await;
    let codes: Vec<_> = shown["attempts"].as_array().unwrap().iter().collect();
    assert_eq!((&codes[0]["status_code"], &codes[1]["status_code"]), (&json!(500), &json!(200)));
}

#[tokio::test]
async fn gone_is_gone_and_a_redirect_is_no_answer() {
    let there = Elsewhere::serve(|asked| match asked.path.as_str() {
        "/gone" => Say::Bytes(answer(410, &[], b"")),
        _ => redirect("/elsewhere"),
    })
    .await;
    let sandbox = sandbox_for(&there).await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let gone = text(&ada.enqueue(&image, &spec(20, &there.url("/gone"))).await, "job_id");
    let gone = delivery(&ada, &gone, has_status("failed")).await;
    assert_eq!(gone["attempts"][0]["status_code"], 410);
    assert_eq!(gone["attempts"].as_array().unwrap().len(), 1, "it is not tried again");
    assert_eq!(gone["next_attempt_at"], Value::Null);

    let moved = text(&ada.enqueue(&image, &spec(21, &there.url("/moved"))).await, "job_id");
    let moved = delivery(&ada, &moved, was_tried).await;
    assert_eq!(moved["status"], "pending");
    assert_eq!(moved["attempts"][0]["status_code"], 302);
    assert!(text(&moved["attempts"][0], "error").contains("not followed"), "{moved}");
    assert!(there.asked().iter().all(|asked| asked.path != "/elsewhere"));
}

#[tokio::test]
async fn a_receiver_that_is_silent_holds_up_nobody() {
    let there = Elsewhere::serve(|asked| match asked.path.as_str() {
        "/silent" => Say::Pause(Vec::new()),
        _ => Say::Bytes(answer(200, &[], b"")),
    })
    .await;
    let allow = there.allowed();
    let sandbox = Sandbox::with(&[("FETCH_ALLOW", &allow), ("FETCH_TIMEOUT", "4m")]).await;
    let (ada, grace) = (sandbox.register("ada").await, sandbox.register("grace").await);
    let (first, second) = (ada.upload(ROCKET).await, grace.upload(ROCKET).await);
    for width in 20..26 {
        ada.enqueue(&first, &spec(width, &there.url("/silent"))).await;
    }
    told(&there, 1).await;
    let job_id = text(&grace.enqueue(&second, &spec(20, &there.url("/"))).await, "job_id");
    delivery(&grace, &job_id, has_status("delivered")).await;
    for job in ada.get("/api/v1/jobs").await["jobs"].as_array().unwrap() {
        ada.finished(&text(job, "id")).await;
    }
}

#[tokio::test]
async fn a_receiver_that_takes_too_long_is_asked_again() {
    let there = Elsewhere::serve(|_| Say::Pause(Vec::new())).await;
    let allow = there.allowed();
    let sandbox = Sandbox::with(&[("FETCH_ALLOW", &allow), ("FETCH_TIMEOUT", "300ms")]).await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let job_id = text(&ada.enqueue(&image, &spec(20, &there.url("/"))).await, "job_id");
    let silent = delivery(&ada, &job_id, was_tried).await;
    assert_eq!(silent["status"], "pending");
    assert_eq!(silent["attempts"][0]["status_code"], Value::Null);
    assert!(text(&silent["attempts"][0], "error").contains("too long"), "{silent}");
}

#[tokio::test]
async fn what_a_process_leaves_is_sent_by_the_next() {
    let nowhere = Elsewhere::nowhere();
    let port = nowhere.port();
    let mut first = Sandbox::with(&[("FETCH_ALLOW", &allowed(port))]).await;
    let (token, job_id) = {
        let ada = first.register("ada").await;
        let image = ada.upload(ROCKET).await;
        let url = format!("http://127.0.0.1:{port}/");
        let job_id = text(&ada.enqueue(&image, &spec(20, &url)).await, "job_id");
        let shown = delivery(&ada, &job_id, was_tried).await;
        assert!(text(&shown["attempts"][0], "error").contains("could not be reached"), "{shown}");
        (ada.token.clone(), job_id)
    };
    first.stop();
    time_passes(&first).await;
    // Nothing may be reached there any more: what was accepted is looked at again each time.
    let mut second = first.beside(&[("FETCH_ALLOW", "")]).await;
    {
        let ada = Account::of(&second, &token);
        let tried =
            |delivery: &Value| delivery["attempts"].as_array().is_some_and(|all| all.len() == 2);
        let shown = delivery(&ada, &job_id, tried).await;
        assert!(text(&shown["attempts"][1], "error").contains("not fetched"), "{shown}");
        assert_eq!(shown["status"], "pending");
    }
    second.stop();
    time_passes(&first).await;
    let there = nowhere.serve(|_| Say::Bytes(answer(200, &[], b"")));
    let third = first.beside(&[]).await;
    let ada = Account::of(&third, &token);
    let asked = told(&there, 1).await.remove(0);
    verified(&asked, &text(&ada.get(SECRET).await, "secret"));
    let shown = delivery(&ada, &job_id, has_status("delivered")).await;
    assert_eq!(shown["id"], header(&asked, "webhook-id"));
}

#[tokio::test]
async fn a_url_that_may_not_be_told_is_refused_at_once() {
    let there = receiver(200).await;
    let sandbox = sandbox_for(&there).await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let path = format!("/api/v1/images/{image}/transform");
    let long = format!("{}?{}", there.url("/"), "x".repeat(2048));
    for url in [
        json!("ftp://example.com/"),
        json!("https://user:pass@example.com/"),
        json!("https://example.com:8443/"),
        json!("http://127.0.0.1/"),
        json!("http://2130706433/"),
        json!("http://[::1]/"),
        json!("http://10.0.0.1/"),
        json!("http://169.254.169.254/"),
        json!("http://metadata.google.internal/"),
        json!("https://localhost/"),
        json!("nonsense"),
        json!(""),
        json!("https://example.com/\u{0}"),
        json!(long),
        json!(3),
        json!({}),
    ] {
        let body = json!({ "webhook_url": url });
        let answer = ada.request(Method::POST, &path).json(&body).send().await;
        let told = problem(answer, 400, "validation_failed").await;
        assert_eq!(told["errors"][0]["pointer"], "/webhook_url", "{url}: {told}");
    }
    let body = spec(20, &there.url("/"));
    let sync = ada.request(Method::POST, &format!("{path}?sync=true")).json(&body).send().await;
    let told = problem(sync, 400, "validation_failed").await;
    assert_eq!(told["errors"][0]["pointer"], "/webhook_url");
    assert_eq!(ada.get("/api/v1/jobs").await["jobs"], json!([]));
    // None is as good as null.
    let body = json!({ "resize": { "width": 9 }, "webhook_url": null });
    let job_id = text(&ada.enqueue(&image, &body).await, "job_id");
    ada.finished(&job_id).await;
    assert_eq!(deliveries(&ada, &job_id).await, [] as [Value; 0]);

    let grace = sandbox.register("grace").await;
    for id in [job_id.as_str(), "nonsense"] {
        let path = format!("/api/v1/jobs/{id}/deliveries");
        problem(grace.request(Method::GET, &path).send().await, 404, "not_found").await;
    }
    assert_eq!(there.asked().len(), 0);
}

#[tokio::test]
async fn whom_to_tell_is_part_of_what_was_asked() {
    let there = receiver(200).await;
    let sandbox = sandbox_for(&there).await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let path = format!("/api/v1/images/{image}/transform");
    let send = async |body: Value| {
        ada.request(Method::POST, &path).header("idempotency-key", "k").json(&body).send().await
    };
    let first = expect(send(spec(20, &there.url("/"))).await, StatusCode::ACCEPTED).await;
    let again = expect(send(spec(20, &there.url("/"))).await, StatusCode::ACCEPTED).await;
    assert_eq!(first, again);
    problem(send(spec(20, &there.url("/b"))).await, 409, "idempotency_conflict").await;
    let without = json!({ "resize": { "width": 20 } });
    problem(send(without).await, 409, "idempotency_conflict").await;
    let job_id = text(&first, "job_id");
    delivery(&ada, &job_id, has_status("delivered")).await;
    assert_eq!(there.asked().len(), 1, "told once");
}
