//! What people come for: an account, a picture, and pictures made of it.

use reqwest::StatusCode;
use serde_json::json;

use crate::{
    fake_cloudinary::FakeCloudinary,
    s3_server::S3Server,
    sandbox::{ROCKET, Sandbox, eventually, text},
    storage::{of_cloudinary, of_s3, pairs},
};

async fn the_main_job(sandbox: &Sandbox) {
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let described = ada.get(&format!("/api/v1/images/{image}")).await;
    let original = format!("/api/v1/images/{image}/content");
    assert_eq!(described["original_url"], original, "ours, wherever the bytes are");
    assert_eq!(ada.bytes(&format!("/api/v1/images/{image}/content")).await, ROCKET);

    let spec = json!({ "resize": { "width": 200, "height": 200 }, "format": "webp" });
    let variant = ada.transform(&image, &spec).await;
    assert_eq!(
        (&variant["width"], &variant["height"], &variant["mime_type"], &variant["status"]),
        (&json!(200), &json!(200), &json!("image/webp"), &json!("ready"))
    );
    let id = text(&variant, "id");
    assert_eq!(variant["url"], format!("/api/v1/variants/{id}/content"));
    let bytes = ada.bytes(&text(&variant, "url")).await;
    let picture = image::load_from_memory(&bytes).unwrap();
    assert_eq!((picture.width(), picture.height()), (200, 200));

    let spec = json!({ "resize": { "width": 100 }, "filters": { "grayscale": true } });
    let accepted = ada.enqueue(&image, &spec).await;
    let job = ada.finished(&text(&accepted, "job_id")).await;
    assert_eq!((&job["status"], &job["attempts"]), (&json!("succeeded"), &json!(1)));
    assert_eq!(job["variant_id"], accepted["variant_id"]);
    let content = format!("/api/v1/variants/{}/content", text(&job, "variant_id"));
    let picture = image::load_from_memory(&ada.bytes(&content).await).unwrap();
    assert_eq!((picture.width(), picture.height()), (100, 67));

    let again = ada.enqueue(&image, &spec).await;
    assert_eq!(again["variant_id"], accepted["variant_id"]);
    let job = ada.get(&text(&again, "status_url")).await;
    assert_eq!(job["status"], "succeeded");

    let me = ada.get("/api/v1/me").await;
    assert_eq!((&me["usage"]["images"], &me["usage"]["variants"]), (&json!(1), &json!(2)));
    let listed = ada.get("/api/v1/images").await;
    assert_eq!(listed["images"][0]["variants"].as_array().unwrap().len(), 2);
    let deleted = ada
        .request(reqwest::Method::DELETE, &format!("/api/v1/images/{image}"))
        .send()
        .await
        .unwrap();
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    let receipt = deleted.headers()["deletion-receipt"].to_str().unwrap().to_owned();
    eventually(async || {
        let deletion = ada.get(&format!("/api/v1/deletions/{receipt}")).await;
        (deletion["status"] == "finished" && deletion["objects"] == 3).then_some(())
    })
    .await;
    assert_eq!(ada.get("/api/v1/me").await["usage"]["bytes"], 0);
}

#[tokio::test]
async fn with_nothing_installed() {
    the_main_job(&Sandbox::start().await).await;
}

#[tokio::test]
async fn on_a_real_postgres() {
    the_main_job(&Sandbox::on_postgres().await).await;
}

#[tokio::test]
async fn with_pictures_in_a_bucket() {
    let server = S3Server::start();
    let variables = of_s3(&server);
    let sandbox = Sandbox::with(&pairs(&variables)).await;
    the_main_job(&sandbox).await;
    assert!(!sandbox.data_dir().join("objects").exists(), "nothing of them is here");
    assert!(server.puts() >= 3);
    assert_eq!(server.objects(), Vec::<String>::new(), "and nothing is left there");
}

#[tokio::test]
async fn with_pictures_at_cloudinary() {
    let cloud = FakeCloudinary::start();
    let variables = of_cloudinary(&cloud);
    let sandbox = Sandbox::with(&pairs(&variables)).await;
    the_main_job(&sandbox).await;
    assert!(!sandbox.data_dir().join("objects").exists(), "nothing of them is here");
    assert_eq!(cloud.assets(), Vec::new(), "and nothing is left there");
}

/// API and worker on machines that have nothing in common but the network.
#[tokio::test]
async fn by_roles_that_share_no_disk() {
    let server = S3Server::start();
    let mut variables = of_s3(&server);
    variables.push(("ROLE".to_owned(), "api".to_owned()));
    let api = Sandbox::on_postgres_with(&pairs(&variables)).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let disk = elsewhere.path().to_str().unwrap();
    let worker = api.beside(&[("ROLE", "worker"), ("DATA_DIR", disk)]).await;
    the_main_job(&api).await;
    drop(worker);
}
