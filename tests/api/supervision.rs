//! Actors that die, and a process that stops, under load.

use std::sync::atomic::{AtomicBool, Ordering};

use darkroom::adapters::{cache::CacheGet, db::Ping, storage::CheckStorage};
use futures_util::future::{join, join_all};
use reqwest::{Method, Response, StatusCode};
use serde_json::json;

use crate::sandbox::{Account, ROCKET, Sandbox, eventually, expect, problem, text};

/// One of the things that clients do, the `n`th.
async fn something(account: &Account<'_>, image: &str, n: usize) -> Response {
    let request = match n % 4 {
        0 => account.request(Method::GET, &format!("/api/v1/images/{image}/content")),
        1 => account.request(Method::GET, "/api/v1/me"),
        2 => account
            .request(Method::POST, &format!("/api/v1/images/{image}/transform?sync=true"))
            .json(&json!({ "resize": { "width": 1 + n % 50 } })),
        _ => account
            .request(Method::POST, "/api/v1/images")
            .header("content-type", "image/jpeg")
            .body(ROCKET),
    };
    request.send().await.expect("an answer, whatever dies")
}

/// Crashes the owner of each resource, and returns when all three are dead or back.
async fn crash(sandbox: &Sandbox) {
    let services = sandbox.services();
    services.database.crash();
    services.storage.crash();
    services.cache.crash();
    // Questions are taken in turn: once this one is answered or lost, the crash has happened.
    let _ = tokio::join!(
        services.database.ask(Ping),
        services.storage.ask(CheckStorage),
        services.cache.ask(CacheGet { keys: Vec::new() })
    );
}

async fn crashes_under_load(sandbox: Sandbox) {
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let everyone = sandbox.app().actors().await;
    let over = AtomicBool::new(false);
    let clients = join_all((0..8).map(async |client| {
        let mut answers = 0;
        while !over.load(Ordering::Relaxed) {
            let answer = something(&ada, &image, client + answers).await;
            answers += 1;
            match answer.status().as_u16() {
                200 | 201 => {}
                500 => drop(problem(Ok(answer), 500, "internal").await),
                _ => drop(problem(Ok(answer), 503, "dependency_unavailable").await),
            }
        }
        answers
    }));
    let crashes = async {
        for _ in 0..4 {
            crash(&sandbox).await;
            let back = async || (sandbox.app().actors().await == everyone).then_some(());
            eventually(back).await;
        }
        over.store(true, Ordering::Relaxed);
    };
    let (answers, ()) = join(clients, crashes).await;
    assert!(answers.into_iter().all(|answers| answers > 0));

    // Those who come after a crash don't notice it: they wait for the actor to be back.
    crash(&sandbox).await;
    for n in 0..100 {
        let answer = something(&ada, &image, n).await;
        let status = answer.status();
        assert!(status.is_success(), "request {n}: {status} {}", answer.text().await.unwrap());
    }
    assert_eq!(sandbox.app().actors().await, everyone);
    let accepted = ada.enqueue(&image, &json!({ "resize": { "width": 200 } })).await;
    assert_eq!(ada.finished(&text(&accepted, "job_id")).await["status"], "succeeded");
}

#[tokio::test]
async fn crashes_under_load_cost_no_more_than_an_answer() {
    crashes_under_load(Sandbox::start().await).await;
}

#[tokio::test]
async fn crashes_under_load_cost_no_more_than_an_answer_on_postgres() {
    crashes_under_load(Sandbox::on_postgres().await).await;
}

#[tokio::test]
async fn stopping_finishes_requests_and_gives_jobs_back() {
    let variables =
        [("TRANSFORM_THREADS", "1"), ("TRANSFORM_TIMEOUT", "10s"), ("DRAIN_TIMEOUT", "40s")];
    let mut sandbox = Sandbox::with(&variables).await;
    sandbox.leaves_jobs();
    let ada = sandbox.register("ada").await;
    let (token, url) = (ada.token.clone(), sandbox.url.clone());
    let image = ada.upload(ROCKET).await;
    for width in 0..40 {
        let spec = json!({ "resize": { "width": 600 + width }, "format": "png" });
        ada.enqueue(&image, &spec).await;
    }
    // An upload that has begun, and that takes its time.
    let (piece, body) = tokio::sync::mpsc::channel::<std::io::Result<Vec<u8>>>(1);
    let body =
        futures_util::stream::unfold(body, async |mut body| Some((body.recv().await?, body)));
    let request = ada.request(Method::POST, "/api/v1/images").header("content-type", "image/jpeg");
    let upload = tokio::spawn(request.body(reqwest::Body::wrap_stream(body)).send());
    piece.send(Ok(ROCKET[..1000].to_vec())).await.unwrap();
    let spool = sandbox.data_dir().join("spool");
    eventually(async || std::fs::read_dir(&spool).unwrap().next().map(drop)).await;

    let client = sandbox.client.clone();
    let stopping = tokio::task::spawn_blocking(move || {
        sandbox.stop();
        sandbox
    });
    // It takes no more connections, and only then does the upload go on.
    eventually(async || client.get(format!("{url}/health")).send().await.is_err().then_some(()))
        .await;
    piece.send(Ok(ROCKET[1000..].to_vec())).await.unwrap();
    drop(piece);
    let uploaded = expect(upload.await.unwrap(), StatusCode::CREATED).await;
    let stopped = stopping.await.unwrap();

    let mut api = stopped.beside(&[("ROLE", "api")]).await;
    let get = async |path: &str| {
        let request = api.request(Method::GET, path).bearer_auth(&token);
        expect(request.send().await, StatusCode::OK).await
    };
    get(&format!("/api/v1/images/{}", text(&uploaded, "id"))).await;
    let listed = get("/api/v1/jobs?limit=100").await;
    let jobs = listed["jobs"].as_array().unwrap();
    let with = |status: &str| jobs.iter().filter(|job| job["status"] == status).collect::<Vec<_>>();
    let (queued, done) = (with("queued"), with("succeeded"));
    assert_eq!(queued.len() + done.len(), 40, "none is left running");
    assert!(!queued.is_empty() && queued.iter().all(|job| job["attempts"] == 0));
    api.leaves_jobs();
    drop(api);

    let again = stopped.beside(&[]).await;
    // The oldest first, as they are run: none is waited for that stands behind others.
    for job in jobs.iter().rev() {
        let path = format!("/api/v1/jobs/{}", text(job, "id"));
        eventually(async || {
            let request = again.request(Method::GET, &path).bearer_auth(&token);
            let job = expect(request.send().await, StatusCode::OK).await;
            (job["status"] == "succeeded").then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_service_waits_for_a_disk_that_is_not_there_at_the_start() {
    let place = tempfile::tempdir().unwrap();
    let objects = place.path().join("objects");
    std::fs::write(&objects, "in the way").unwrap();
    let disk = place.path().to_str().unwrap();
    let sandbox = Sandbox::on_postgres_with(&[("DATA_DIR", disk)]).await;
    let ready = sandbox.request(Method::GET, "/ready");
    let ready = expect(ready.send().await, StatusCode::SERVICE_UNAVAILABLE).await;
    assert_eq!(ready["status"], "unready");
    // What needs no pictures goes on.
    let ada = sandbox.register("ada").await;
    ada.get("/api/v1/me").await;
    let upload = ada.request(Method::POST, "/api/v1/images").header("content-type", "image/jpeg");
    problem(upload.body(ROCKET).send().await, 503, "dependency_unavailable").await;

    std::fs::remove_file(&objects).unwrap();
    eventually(async || {
        let answer = sandbox.request(Method::GET, "/ready").send().await.unwrap();
        (answer.status() == StatusCode::OK).then_some(())
    })
    .await;
    ada.upload(ROCKET).await;
}

#[tokio::test]
async fn a_storage_that_is_absent_at_start_is_waited_for() {
    let disk = tempfile::tempdir().unwrap();
    // As where the disk is not mounted yet: no directory can be made there.
    let mount = disk.path().join("mount");
    std::fs::write(&mount, "").unwrap();
    let directory = mount.join("data");
    let api = Sandbox::on_postgres_with(&[("DATA_DIR", directory.to_str().unwrap())]).await;
    let ready = async || api.request(Method::GET, "/ready").send().await.unwrap().status();
    let ada = api.register("ada").await;
    assert_eq!(ready().await, StatusCode::SERVICE_UNAVAILABLE);
    let upload = ada.request(Method::POST, "/api/v1/images").body(ROCKET).send().await;
    problem(upload, 503, "dependency_unavailable").await;
    std::fs::remove_file(&mount).unwrap();
    std::fs::create_dir(&mount).unwrap();
    eventually(async || (ready().await == StatusCode::OK).then_some(())).await;
    ada.upload(ROCKET).await;
}
