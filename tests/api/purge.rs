//! What was made of a picture is given up, and made again for whoever asks.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    delivery,
    s3_server::S3Server,
    sandbox::{Account, ROCKET, Sandbox, eventually, expect, problem, text},
    storage::{of_s3, pairs},
};

async fn purge(account: &Account<'_>, image: &str) {
    let path = format!("/api/v1/images/{image}/purge");
    let answer = account.request(Method::POST, &path).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
}

async fn variant(account: &Account<'_>, id: &str) -> Value {
    account.get(&format!("/api/v1/variants/{id}")).await
}

async fn again(sandbox: Sandbox) {
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let at_once = ada.transform(&image, &json!({ "resize": { "width": 60 } })).await;
    let (id, url) = (text(&at_once, "id"), text(&at_once, "url"));
    let by_job = json!({ "resize": { "width": 70 }, "format": "png" });
    let job = ada.enqueue(&image, &by_job).await;
    ada.finished(&text(&job, "job_id")).await;
    let other = format!("/api/v1/variants/{}/content", text(&job, "variant_id"));
    let before = (ada.bytes(&url).await, ada.bytes(&other).await);
    eventually(async || (sandbox.stored_objects() == 3).then_some(())).await;

    purge(&ada, &image).await;
    let purged = variant(&ada, &id).await;
    assert_eq!((&purged["status"], &purged["engine"]), (&json!("pending"), &json!(0)));
    assert_eq!(purged["size"], Value::Null);
    eventually(async || (sandbox.stored_objects() == 1).then_some(())).await;
    assert_eq!(ada.get("/api/v1/me").await["usage"]["variants"], 0);

    assert_eq!((ada.bytes(&url).await, ada.bytes(&other).await), before);
    assert_eq!(variant(&ada, &id).await, at_once, "under the id that it had");
    assert_eq!(sandbox.stored_objects(), 3);
    // And by those who ask for the transformation.
    purge(&ada, &image).await;
    let accepted = ada.enqueue(&image, &by_job).await;
    assert_eq!(accepted["variant_id"], job["variant_id"]);
    assert_ne!(accepted["job_id"], job["job_id"]);
    assert_eq!(ada.finished(&text(&accepted, "job_id")).await["status"], "succeeded");
    assert_eq!(ada.transform(&image, &json!({ "resize": { "width": 60 } })).await, at_once);
    assert_eq!((ada.bytes(&url).await, ada.bytes(&other).await), before);
    eventually(async || (sandbox.stored_objects() == 3).then_some(())).await;
}

#[tokio::test]
async fn what_was_purged_is_made_again() {
    again(Sandbox::start().await).await;
}

#[tokio::test]
async fn what_was_purged_is_made_again_on_postgres() {
    again(Sandbox::on_postgres().await).await;
}

#[tokio::test]
async fn what_failed_is_tried_again_after_a_purge() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(&ROCKET[..ROCKET.len() / 2]).await;
    let job = ada.enqueue(&image, &json!({ "rotate": 90 })).await;
    assert_eq!(ada.finished(&text(&job, "job_id")).await["status"], "failed");
    let id = text(&job, "variant_id");
    let failed = variant(&ada, &id).await;
    assert_eq!(
        (&failed["status"], &failed["error"]["code"]),
        (&json!("failed"), &json!("image_corrupt"))
    );

    purge(&ada, &image).await;
    let purged = variant(&ada, &id).await;
    assert_eq!((&purged["status"], &purged["engine"]), (&json!("pending"), &json!(0)));
    assert_eq!(purged["error"], Value::Null);
    let content = format!("/api/v1/variants/{id}/content");
    problem(ada.request(Method::GET, &content).send().await, 422, "image_corrupt").await;
    assert_eq!(variant(&ada, &id).await, failed, "it was tried, and is no better");
    // By its job as well.
    purge(&ada, &image).await;
    let retry = format!("/api/v1/jobs/{}/retry", text(&job, "job_id"));
    ada.post(&retry, &json!({}), StatusCode::ACCEPTED).await;
    assert_eq!(ada.finished(&text(&job, "job_id")).await["status"], "failed");
    assert_eq!(variant(&ada, &id).await, failed);
}

#[tokio::test]
async fn a_variant_that_was_deleted_is_shown_by_url_no_more() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let settings = ada.request(Method::PUT, "/api/v1/me/delivery");
    expect(settings.json(&json!({ "strict": false })).send().await, StatusCode::OK).await;
    let image = ada.upload(ROCKET).await;
    let path = format!("/api/v1/images/{image}");
    let patch = ada.request(Method::PATCH, &path).json(&json!({ "public": true }));
    expect(patch.send().await, StatusCode::OK).await;
    let link = format!("/i/w_40/{image}.png");
    let shown = async || {
        let answer = sandbox.request(Method::GET, &link).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.headers()["x-cache"].to_str().unwrap().to_owned()
    };
    assert_eq!(shown().await, "miss");
    let id = eventually(async || {
        let variants = ada.get(&path).await["variants"].clone();
        let ready = variants.as_array()?.iter().find(|variant| variant["status"] == "ready")?;
        Some(text(ready, "id"))
    })
    .await;
    assert_eq!(shown().await, "hit");
    let delete = ada.request(Method::DELETE, &format!("/api/v1/variants/{id}"));
    assert_eq!(delete.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(shown().await, "miss", "it is made anew");
}

#[tokio::test]
async fn what_is_stored_behind_its_answer_comes_too_late_after_a_purge() {
    let server = S3Server::start();
    let variables = of_s3(&server);
    let sandbox = Sandbox::with(&pairs(&variables)).await;
    let ada = sandbox.register("ada").await;
    let image = delivery::open(&ada).await;
    let link = format!("/i/w_40/{image}.png");
    let shown = async || {
        let answer = sandbox.request(Method::GET, &link).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.headers()["x-cache"].to_str().unwrap().to_owned()
    };
    let held = server.hold().await;
    assert_eq!(shown().await, "miss");
    eventually(async || (server.puts() >= 2).then_some(())).await;
    purge(&ada, &image).await;
    drop(held);
    // It is stored, and is nobody's.
    let is_gone = || server.deletes() >= 1 && server.objects().len() == 1;
    eventually(async || is_gone().then_some(())).await;
    assert_eq!(ada.get(&format!("/api/v1/images/{image}")).await["variants"], json!([]));
    assert_eq!(shown().await, "miss");
    let is_kept = async || {
        let described = ada.get(&format!("/api/v1/images/{image}")).await;
        (described["variants"][0]["status"] == "ready").then_some(())
    };
    eventually(is_kept).await;
    eventually(async || (server.objects().len() == 2).then_some(())).await;
    assert_eq!(shown().await, "hit");
}

/// Reads and purges at once: whoever asks gets the picture.
#[tokio::test]
async fn a_picture_that_is_read_while_it_is_purged_is_whole() {
    let sandbox = Sandbox::on_postgres().await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let made = ada.transform(&image, &json!({ "resize": { "width": 30 }, "format": "png" })).await;
    let url = text(&made, "url");
    let expected = ada.bytes(&url).await;
    let reads = async {
        for _ in 0..10 {
            let all = (0..6).map(|_| ada.request(Method::GET, &url).send());
            for answer in futures_util::future::join_all(all).await {
                let answer = answer.unwrap();
                match answer.status() {
                    StatusCode::OK => assert_eq!(answer.bytes().await.unwrap(), expected),
                    // Its bytes went between the look and the reading, or a purge came between two who had waited for one making.
                    StatusCode::SERVICE_UNAVAILABLE => {}
                    other => panic!("{other}: {}", answer.text().await.unwrap()),
                }
            }
        }
    };
    let purges = async {
        for _ in 0..15 {
            purge(&ada, &image).await;
        }
    };
    tokio::join!(reads, purges);
    // Afterwards all is well.
    assert_eq!(ada.bytes(&url).await, expected);
    eventually(async || (sandbox.stored_objects() == 2).then_some(())).await;
}

#[tokio::test]
async fn pictures_of_a_label_are_purged_together() {
    let sandbox = Sandbox::start().await;
    let (ada, eve) = (sandbox.register("ada").await, sandbox.register("eve").await);
    let mut made = Vec::new();
    for (account, tags) in [
        (&ada, json!(["a", "b"])),
        (&ada, json!(["a"])),
        (&ada, json!(["b"])),
        (&eve, json!(["a"])),
    ] {
        let image = account.upload(ROCKET).await;
        let patch = account.request(Method::PATCH, &format!("/api/v1/images/{image}"));
        expect(patch.json(&json!({ "tags": tags })).send().await, StatusCode::OK).await;
        made.push((
            account,
            account.transform(&image, &json!({ "resize": { "width": 20 } })).await,
        ));
    }
    let purge = async |tag: &str| {
        ada.post("/api/v1/purge", &json!({ "tag": tag }), StatusCode::OK).await["images"].clone()
    };
    assert_eq!(purge("none").await, 0);
    assert_eq!(purge("a").await, 2);
    let mut states = Vec::new();
    for (account, made) in &made {
        states.push(variant(account, &text(made, "id")).await["status"].clone());
    }
    assert_eq!(states, ["pending", "pending", "ready", "ready"]);
    let answer =
        ada.request(Method::POST, "/api/v1/purge").json(&json!({ "tags": "a" })).send().await;
    let told = problem(answer, 400, "validation_failed").await;
    assert_eq!(told["errors"].as_array().unwrap().len(), 2, "{told}");
}

#[tokio::test]
async fn nobody_purges_what_is_not_theirs() {
    let sandbox = Sandbox::start().await;
    let (ada, eve) = (sandbox.register("ada").await, sandbox.register("eve").await);
    let image = ada.upload(ROCKET).await;
    let made = ada.transform(&image, &json!({ "resize": { "width": 20 } })).await;
    for id in [image.as_str(), "0198c0de-0000-7000-8000-000000000000", "x"] {
        let path = format!("/api/v1/images/{id}/purge");
        problem(eve.request(Method::POST, &path).send().await, 404, "not_found").await;
    }
    assert_eq!(variant(&ada, &text(&made, "id")).await, made);
}

#[tokio::test]
async fn what_no_purge_has_given_up_is_waited_for() {
    let mut sandbox = Sandbox::on_postgres_with(&[("ROLE", "api")]).await;
    sandbox.leaves_jobs();
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let job = ada.enqueue(&image, &json!({ "resize": { "width": 20 } })).await;
    purge(&ada, &image).await;
    let content = format!("/api/v1/variants/{}/content", text(&job, "variant_id"));
    let ask = || ada.request(Method::GET, &content).send();
    problem(ask().await, 409, "variant_not_ready").await;
    let cancel = ada.request(Method::DELETE, &format!("/api/v1/jobs/{}", text(&job, "job_id")));
    expect(cancel.send().await, StatusCode::ACCEPTED).await;
    problem(ask().await, 409, "variant_not_ready").await;
}
