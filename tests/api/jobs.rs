//! Work in the background: its states, its retries, and the processes that share it.

use std::collections::HashSet;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    pictures::truncated,
    sandbox::{Account, ROCKET, Sandbox, eventually, expect, problem, text},
};

const API: &[(&str, &str)] = &[("ROLE", "api")];
const WORKER: &[(&str, &str)] = &[("ROLE", "worker")];

fn width(width: u32) -> Value {
    json!({ "resize": { "width": width } })
}

fn job_path(job: &Value) -> String {
    format!("/api/v1/jobs/{}", text(job, if job["job_id"].is_string() { "job_id" } else { "id" }))
}

async fn cancel(account: &Account<'_>, job: &Value) -> Value {
    let request = account.request(Method::DELETE, &job_path(job));
    expect(request.send().await, StatusCode::ACCEPTED).await
}

async fn retry(account: &Account<'_>, job: &Value) -> Value {
    account.post(&format!("{}/retry", job_path(job)), &json!({}), StatusCode::ACCEPTED).await
}

/// The ids of a list of jobs.
async fn ids(account: &Account<'_>, query: &str) -> Vec<String> {
    let list = account.get(&format!("/api/v1/jobs?{query}")).await;
    list["jobs"].as_array().unwrap().iter().map(|job| text(job, "id")).collect()
}

async fn upload_truncated(account: &Account<'_>) -> String {
    let request = account.request(Method::POST, "/api/v1/images");
    let request = request.header("content-type", "image/jpeg").body(truncated());
    text(&expect(request.send().await, StatusCode::CREATED).await, "id")
}

#[tokio::test]
async fn an_accepted_job_waits_for_a_worker_and_is_run_by_one() {
    let api = Sandbox::on_postgres_with(API).await;
    let ada = api.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let path = format!("/api/v1/images/{image}/transform");
    let answer = ada.request(Method::POST, &path).json(&width(30)).send().await.unwrap();
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let accepted = expect(Ok(answer), StatusCode::ACCEPTED).await;
    let (job_id, variant_id) = (text(&accepted, "job_id"), text(&accepted, "variant_id"));
    let status_url = format!("/api/v1/jobs/{job_id}");
    assert_eq!(location, status_url);
    let expected = json!({ "message": "Transformation accepted", "job_id": job_id,
                           "variant_id": variant_id, "status_url": status_url });
    assert_eq!(accepted, expected);

    let job = ada.get(&status_url).await;
    let expected = json!({
        "id": job_id, "kind": "transform", "status": "queued", "attempts": 0, "max_attempts": 5,
        "image_id": image, "variant_id": variant_id, "spec": job["spec"], "error": null,
        "created_at": job["created_at"], "started_at": null, "finished_at": null,
    });
    assert_eq!(job, expected);
    assert_eq!(job["spec"]["resize"]["width"], 30);

    assert!(!api.app().actors().await.contains(&"consumer"));
    let worker = api.beside(WORKER).await;
    assert_eq!(worker.app().address(), None, "a worker listens on no port");
    assert!(worker.app().actors().await.contains(&"consumer"));
    let done = ada.finished(&job_id).await;
    assert_eq!((&done["status"], &done["attempts"]), (&json!("succeeded"), &json!(1)));
    let times = ["created_at", "started_at", "finished_at"].map(|name| text(&done, name));
    assert!(times.is_sorted(), "{times:?}");
    let variant = ada.get(&format!("/api/v1/variants/{variant_id}")).await;
    assert_eq!((&variant["status"], &variant["width"]), (&json!("ready"), &json!(30)));
    // One process has written what the other one reads.
    assert_eq!(ada.bytes(&text(&variant, "url")).await.len(), variant["size"]);
}

#[tokio::test]
async fn a_cancelled_job_never_runs_until_it_is_retried() {
    let api = Sandbox::on_postgres_with(API).await;
    let ada = api.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let (unwanted, wanted) =
        (ada.enqueue(&image, &width(31)).await, ada.enqueue(&image, &width(32)).await);
    let cancelled = cancel(&ada, &unwanted).await;
    assert_eq!(cancelled["status"], "cancelled");
    assert!(cancelled["finished_at"].is_string());
    let again = ada.request(Method::DELETE, &job_path(&unwanted)).send().await;
    problem(again, 409, "job_not_cancellable").await;

    let _worker = api.beside(WORKER).await;
    // The later one is done, so the earlier one has had its turn.
    assert_eq!(ada.finished(&text(&wanted, "job_id")).await["status"], "succeeded");
    let job = ada.get(&job_path(&unwanted)).await;
    assert_eq!((&job["status"], &job["attempts"]), (&json!("cancelled"), &json!(0)));
    let answer = ada.request(Method::DELETE, &job_path(&wanted)).send().await;
    problem(answer, 409, "job_not_cancellable").await;

    let retried = retry(&ada, &unwanted).await;
    assert_eq!(retried["id"], unwanted["job_id"]);
    let job = ada.finished(&text(&unwanted, "job_id")).await;
    assert_eq!((&job["status"], &job["attempts"]), (&json!("succeeded"), &json!(1)));
}

#[tokio::test]
async fn an_equal_spec_gets_the_job_that_has_the_work() {
    let mut api = Sandbox::with(API).await;
    api.leaves_jobs();
    let ada = api.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let first = ada.enqueue(&image, &width(33)).await;
    let same = json!({ "resize": { "width": 33, "fit": "cover" }, "rotate": 0 });
    assert_eq!(ada.enqueue(&image, &same).await, first, "unfinished: the same job");
    cancel(&ada, &first).await;
    let second = ada.enqueue(&image, &same).await;
    assert_ne!(second["job_id"], first["job_id"], "cancelled: a new one");
    assert_eq!(second["variant_id"], first["variant_id"]);
    // To retry the first now would be to do the same work twice.
    assert_eq!(retry(&ada, &first).await["id"], second["job_id"]);

    let variant = ada.transform(&image, &same).await;
    assert_eq!(variant["id"], first["variant_id"]);
    let third = ada.enqueue(&image, &same).await;
    let job = ada.get(&text(&third, "status_url")).await;
    assert_eq!(job["status"], "succeeded", "ready: a job that has succeeded");
    assert_eq!(ada.enqueue(&image, &same).await, third);
}

#[tokio::test]
async fn a_job_that_can_not_succeed_fails_at_once() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let image = upload_truncated(&ada).await;
    let accepted = ada.enqueue(&image, &width(9)).await;
    let job = ada.finished(&text(&accepted, "job_id")).await;
    assert_eq!((&job["status"], &job["attempts"]), (&json!("failed"), &json!(1)));
    assert_eq!(job["error"]["code"], "image_corrupt");
    let variant = ada.get(&format!("/api/v1/variants/{}", text(&job, "variant_id"))).await;
    assert_eq!(variant["status"], "failed");
    problem(ada.request(Method::GET, &text(&variant, "url")).send().await, 422, "image_corrupt")
        .await;

    let answer = ada.request(Method::DELETE, &job_path(&job)).send().await;
    problem(answer, 409, "job_not_cancellable").await;
    let retried = retry(&ada, &job).await;
    assert_eq!((&retried["id"], &retried["error"]), (&job["id"], &Value::Null));
    let job = ada.finished(&text(&job, "id")).await;
    assert_eq!((&job["status"], &job["attempts"]), (&json!("failed"), &json!(1)));
    let other = ada.enqueue(&image, &width(9)).await;
    assert_ne!(other["job_id"], job["id"], "failed: a new one");
    assert_eq!(ada.finished(&text(&other, "job_id")).await["status"], "failed");

    let whole = ada.upload(ROCKET).await;
    let outside = json!({ "crop": { "x": 9999, "y": 0, "width": 1, "height": 1 } });
    let accepted = ada.enqueue(&whole, &outside).await;
    let job = ada.finished(&text(&accepted, "job_id")).await;
    assert_eq!(job["error"]["code"], "transform_impossible");
}

#[tokio::test]
async fn a_job_whose_storage_is_away_is_tried_again() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let (objects, away) = (sandbox.data_dir().join("objects"), sandbox.data_dir().join("away"));
    std::fs::rename(&objects, &away).unwrap();
    let accepted = ada.enqueue(&image, &width(34)).await;
    let tried = eventually(async || {
        let job = ada.get(&job_path(&accepted)).await;
        (job["status"] == "queued" && job["attempts"].as_i64() >= Some(1)).then_some(job)
    });
    assert_eq!(tried.await["error"]["code"], "dependency_unavailable");
    std::fs::rename(&away, &objects).unwrap();
    let job = ada.finished(&text(&accepted, "job_id")).await;
    assert_eq!((&job["status"], &job["error"]), (&json!("succeeded"), &Value::Null));
    assert!(job["attempts"].as_i64().unwrap() > 1, "{job}");
}

#[tokio::test]
async fn a_running_job_stops_when_it_is_cancelled() {
    let sandbox = Sandbox::with(&[("TRANSFORM_THREADS", "1")]).await;
    a_cancelled_run_stops(&sandbox).await;
}

#[tokio::test]
async fn a_running_job_stops_in_whichever_process_it_runs() {
    let api = Sandbox::on_postgres_with(API).await;
    let _worker = api.beside(&[("ROLE", "worker"), ("TRANSFORM_THREADS", "1")]).await;
    a_cancelled_run_stops(&api).await;
}

async fn a_cancelled_run_stops(sandbox: &Sandbox) {
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let slow = json!({ "resize": { "width": 5000, "height": 5000, "fit": "fill" },
                       "filters": { "blur": 60 }, "format": "webp" });
    let accepted = ada.enqueue(&image, &slow).await;
    let path = job_path(&accepted);
    eventually(async || (ada.get(&path).await["status"] == "running").then_some(())).await;
    assert_eq!(cancel(&ada, &accepted).await["status"], "running");
    let job = ada.finished(&text(&accepted, "job_id")).await;
    assert_eq!(job["status"], "cancelled");
    // The thread is free again.
    let next = ada.enqueue(&image, &width(35)).await;
    assert_eq!(ada.finished(&text(&next, "job_id")).await["status"], "succeeded");
}

#[tokio::test]
async fn jobs_are_listed_by_what_is_asked_for() {
    let mut api = Sandbox::with(API).await;
    api.leaves_jobs();
    let (ada, grace) = (api.register("ada").await, api.register("grace").await);
    let (one, two) = (ada.upload(ROCKET).await, ada.upload(ROCKET).await);
    let mut all = Vec::new();
    for n in 0..5 {
        let image = if n < 3 { &one } else { &two };
        all.insert(0, text(&ada.enqueue(image, &width(40 + n)).await, "job_id"));
    }
    cancel(&ada, &json!({ "id": all[0] })).await;
    assert_eq!(ids(&ada, "").await, all, "newest first");
    assert_eq!(ids(&ada, "status=cancelled").await, all[..1]);
    assert_eq!(ids(&ada, "status=queued").await, all[1..]);
    assert_eq!(ids(&ada, &format!("image_id={one}")).await, all[2..]);
    assert_eq!(ids(&ada, &format!("image_id={two}&status=queued")).await, all[1..2]);
    assert_eq!(ids(&grace, "").await, Vec::<String>::new());
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = ada.get(&format!("/api/v1/jobs?limit=2{cursor}")).await;
        seen.extend(page["jobs"].as_array().unwrap().iter().map(|job| text(job, "id")));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, all);
    for query in ["status=done", "image_id=1", "limit=0", "limit=1000", "cursor=x", "offset=1"] {
        let answer = ada.request(Method::GET, &format!("/api/v1/jobs?{query}")).send().await;
        let fault = problem(answer, 400, "validation_failed").await;
        assert_eq!(fault["errors"][0]["pointer"], format!("/{}", query.split('=').next().unwrap()));
    }
    for (method, path) in [
        (Method::GET, format!("/api/v1/jobs/{}", all[0])),
        (Method::DELETE, format!("/api/v1/jobs/{}", all[0])),
        (Method::POST, format!("/api/v1/jobs/{}/retry", all[0])),
        (Method::GET, "/api/v1/jobs/1".to_owned()),
    ] {
        problem(grace.request(method, &path).send().await, 404, "not_found").await;
    }
}

#[tokio::test]
async fn two_workers_share_the_work() {
    let api = Sandbox::on_postgres_with(API).await;
    let ada = api.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let mut accepted = HashSet::new();
    for n in 1..=20 {
        accepted.insert(text(&ada.enqueue(&image, &width(n)).await, "job_id"));
    }
    assert_eq!(accepted.len(), 20);
    let _workers = (api.beside(WORKER).await, api.beside(WORKER).await);
    for job in accepted {
        let job = ada.finished(&job).await;
        assert_eq!((&job["status"], &job["attempts"]), (&json!("succeeded"), &json!(1)));
    }
    assert_eq!(api.stored_objects(), 21);
}
