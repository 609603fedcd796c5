//! Accounts of ours, each with one picture that anybody may have transformed.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::load::fetch;

/// Opens an account on the server at `port` and puts `picture` into it; the picture's id.
///
/// Each account has objects of its own, so that what another one has made is of no use to it.
pub async fn publish(port: u16, picture: Bytes) -> String {
    let http = Client::builder().no_proxy().build().expect("a client");
    let url = |path: &str| format!("http://127.0.0.1:{port}/api/v1{path}");
    let username = format!("bench-{}", uuid::Uuid::now_v7().simple());
    let account = json!({ "username": username, "password": "correct horse battery" });
    let opened = http.post(url("/auth/register")).json(&account);
    let token = text(&answer(opened, StatusCode::CREATED).await, "token");

    let upload = http.post(url("/images?filename=picture")).header("content-type", "image/jpeg");
    let upload = upload.bearer_auth(&token).body(picture);
    let image = text(&answer(upload, StatusCode::CREATED).await, "id");

    let settings = json!({ "allowed": [], "strict": false, "fallback_image_id": null });
    let allow = http.put(url("/me/delivery")).bearer_auth(&token).json(&settings);
    answer(allow, StatusCode::OK).await;
    let path = url(&format!("/images/{image}"));
    let publish = http.patch(&path).bearer_auth(&token).json(&json!({ "public": true }));
    answer(publish, StatusCode::OK).await;

    // It looks at new pictures by itself; that is no part of what is measured.
    let mut clock = tokio::time::interval(Duration::from_millis(10));
    while answer(http.get(&path).bearer_auth(&token), StatusCode::OK).await["thumbhash"].is_null() {
        clock.tick().await;
    }
    // With its first picture all is heard of that was said of the account.
    fetch(port, &format!("/i/w_100/{image}")).await;
    image
}

async fn answer(request: RequestBuilder, status: StatusCode) -> Value {
    let answer = request.send().await.expect("it answers");
    let actual = answer.status();
    let body = answer.text().await.expect("an answer");
    assert_eq!(actual, status, "{body}");
    serde_json::from_str(&body).expect("JSON")
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("no `{field}` in {value}")).to_owned()
}
