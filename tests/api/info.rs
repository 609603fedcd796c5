//! What is told of a picture that nobody has transformed.

use image::ImageFormat;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    pictures::{placed, quarters, truncated, turned},
    sandbox::{Account, ROCKET, Sandbox, eventually, expect, problem, text},
};

async fn upload(account: &Account<'_>, bytes: Vec<u8>) -> String {
    let request = account.request(Method::POST, "/api/v1/images");
    let request = request.header("content-type", "image/jpeg").body(bytes);
    text(&expect(request.send().await, StatusCode::CREATED).await, "id")
}

fn path(id: &str) -> String {
    format!("/api/v1/images/{id}/info")
}

/// What is told once a background job has looked at it.
async fn described(account: &Account<'_>, id: &str) -> Value {
    let told = async || Some(account.get(&path(id)).await);
    eventually(async || told().await.filter(|told| told["blurhash"].is_string())).await
}

#[tokio::test]
async fn a_picture_is_told_of_as_its_file_says() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let id = ada.upload(ROCKET).await;
    let told = described(&ada, &id).await;
    let image = ada.get(&format!("/api/v1/images/{id}")).await;
    let expected = json!({
        "id": id,
        "format": "jpeg",
        "mime_type": "image/jpeg",
        "size": ROCKET.len(),
        "width": 640,
        "height": 427,
        "frames": 1,
        "has_alpha": false,
        "orientation": 1,
        "bit_depth": 8,
        "color_space": "rgb",
        "icc": {"description": "Adobe RGB (1998)"},
        "exif": null,
        "metadata": {"icc": 560, "exif": null, "iptc": null, "xmp": null},
        "palette": image["palette"],
        "dominant_color": image["dominant_color"],
        "thumbhash": image["thumbhash"],
        "blurhash": told["blurhash"],
        "phash": image["phash"],
    });
    assert_eq!(told, expected);
    assert!(image["palette"].is_array() && image.get("blurhash").is_none(), "{image}");
    let hash = text(&told, "blurhash");
    assert!(hash.starts_with('L') && hash.len() == 28, "four by three: {hash}");
}

#[tokio::test]
async fn what_a_file_embeds_is_told() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let id = upload(&ada, turned(40, 20, 6)).await;
    let told = described(&ada, &id).await;
    let size = (&told["width"], &told["height"], &told["orientation"]);
    assert_eq!(size, (&json!(20), &json!(40), &json!(6)), "as displayed");
    assert!(text(&told, "blurhash").starts_with('T'), "three by four: {told}");
    assert_eq!(told["metadata"]["exif"], 26);

    let foreign = include_bytes!("../golden/foreign/sources/exif.avif");
    let id = upload(&ada, foreign.to_vec()).await;
    let told = ada.get(&path(&id)).await;
    assert_eq!((&told["format"], &told["orientation"]), (&json!("avif"), &json!(6)));
    assert_eq!(told["exif"]["copyright"], "(c) Ada");

    let id = upload(&ada, quarters(40, 20, ImageFormat::Png)).await;
    assert_eq!(ada.get(&path(&id)).await["color_space"], "rgb");
    // Headers are enough.
    let id = upload(&ada, truncated()).await;
    assert_eq!(ada.get(&path(&id)).await["blurhash"], json!(null));
}

#[tokio::test]
async fn a_place_is_told_when_it_is_asked_for_alone() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let id = upload(&ada, placed()).await;
    let told = described(&ada, &id).await;
    assert!(told.get("gps").is_none(), "{told}");
    assert!(!told.to_string().contains("52.5"), "{told}");
    assert!(ada.get(&format!("{}?gps=false", path(&id))).await.get("gps").is_none());
    let told = ada.get(&format!("{}?gps=true", path(&id))).await;
    assert_eq!(told["gps"], json!({"latitude": 52.51, "longitude": -13.405, "altitude": null}));
    let image = ada.get(&format!("/api/v1/images/{id}")).await;
    assert!(!image.to_string().contains("52.5"), "{image}");

    let id = ada.upload(ROCKET).await;
    let told = ada.get(&format!("{}?gps=true", path(&id))).await;
    assert_eq!(told.get("gps"), Some(&json!(null)));
}

#[tokio::test]
async fn pictures_of_others_are_not_told_of() {
    let sandbox = Sandbox::start().await;
    let (ada, bob) = (sandbox.register("ada").await, sandbox.register("bob").await);
    let id = ada.upload(ROCKET).await;
    let ask = |account: &Account<'_>, query: &str| {
        account.request(Method::GET, &format!("{}{query}", path(&id))).send()
    };
    problem(ask(&bob, "").await, 404, "not_found").await;
    problem(ask(&ada, "?gps=yes").await, 400, "validation_failed").await;
    problem(ask(&ada, "?place=true").await, 400, "validation_failed").await;
    problem(sandbox.request(Method::GET, &path(&id)).send().await, 401, "unauthenticated").await;
    let missing = ada.request(Method::GET, &path("nothing")).send().await;
    problem(missing, 404, "not_found").await;
}
