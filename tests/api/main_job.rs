//! What people come for: an account, a picture, and pictures made of it.

use reqwest::StatusCode;
use serde_json::json;

use crate::sandbox::{ROCKET, Sandbox, text};

async fn the_main_job(sandbox: Sandbox) {
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    assert_eq!(ada.bytes(&format!("/api/v1/images/{image}/content")).await, ROCKET);

    let spec = json!({ "resize": { "width": 200, "height": 200 }, "format": "webp" });
    let variant = ada.transform(&image, &spec).await;
    assert_eq!(
        (&variant["width"], &variant["height"], &variant["mime_type"], &variant["status"]),
        (&json!(200), &json!(200), &json!("image/webp"), &json!("ready"))
    );
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
    assert_eq!(ada.get("/api/v1/me").await["usage"]["bytes"], 0);
}

#[tokio::test]
async fn with_nothing_installed() {
    the_main_job(Sandbox::start().await).await;
}

#[tokio::test]
async fn on_a_real_postgres() {
    the_main_job(Sandbox::on_postgres().await).await;
}
