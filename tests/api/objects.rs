//! Equal bytes are stored once, and go with the last that names them.

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};

use crate::sandbox::{Account, ROCKET, Sandbox, eventually, expect, text};

const IMAGES: &str = "/api/v1/images";

fn content(id: &str) -> String {
    format!("{IMAGES}/{id}/content")
}

/// Deletes an image; of how many objects it takes with it, and whether they have gone.
async fn delete(account: &Account<'_>, id: &str) -> i64 {
    let request = account.request(Method::DELETE, &format!("{IMAGES}/{id}"));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    let receipt = answer.headers()["deletion-receipt"].to_str().unwrap().to_owned();
    let deletion = eventually(async || {
        let deletion = account.get(&format!("/api/v1/deletions/{receipt}")).await;
        (deletion["status"] == "finished").then_some(deletion)
    })
    .await;
    assert_eq!(deletion["remaining"], 0);
    deletion["objects"].as_i64().unwrap()
}

async fn shared(sandbox: Sandbox) {
    let (ada, bob) = (sandbox.register("ada").await, sandbox.register("bob").await);
    let (first, second) = (ada.upload(ROCKET).await, ada.upload(ROCKET).await);
    assert_ne!(first, second, "two pictures");
    assert_eq!(sandbox.stored_objects(), 1, "of the same bytes");
    let others = bob.upload(ROCKET).await;
    assert_eq!(sandbox.stored_objects(), 2, "accounts share nothing");

    assert_eq!(delete(&ada, &first).await, 0);
    assert_eq!(ada.bytes(&content(&second)).await, ROCKET);
    assert_eq!(delete(&ada, &second).await, 1);
    assert_eq!(sandbox.stored_objects(), 1);
    assert_eq!(bob.bytes(&content(&others)).await, ROCKET);
    // It can come back.
    let third = ada.upload(ROCKET).await;
    assert_eq!(ada.bytes(&content(&third)).await, ROCKET);
}

#[tokio::test]
async fn equal_bytes_are_stored_once_and_go_with_the_last() {
    shared(Sandbox::start().await).await;
}

#[tokio::test]
async fn equal_bytes_are_stored_once_and_go_with_the_last_on_postgres() {
    shared(Sandbox::on_postgres().await).await;
}

/// Uploads and deletes the same bytes, all at once, again and again.
async fn at_once(sandbox: Sandbox) {
    let ada = sandbox.register("ada").await;
    let mut kept = Vec::new();
    for _ in 0..6 {
        let uploads = join_all((0..8).map(|_| ada.upload(ROCKET)));
        let deletes = join_all(kept.drain(..).map(async |id: String| delete(&ada, &id).await));
        let (uploaded, _) = tokio::join!(uploads, deletes);
        kept = uploaded;
        // Whatever was deleted meanwhile: what is named is there.
        for id in &kept {
            assert_eq!(ada.bytes(&content(id)).await, ROCKET);
        }
    }
    eventually(async || (sandbox.stored_objects() == 1).then_some(())).await;
    let mut objects = 0;
    for id in &kept {
        objects += delete(&ada, id).await;
    }
    assert_eq!(objects, 1);
    eventually(async || (sandbox.stored_objects() == 0).then_some(())).await;
}

#[tokio::test]
async fn uploads_and_deletions_at_once_lose_and_leave_nothing() {
    at_once(Sandbox::start().await).await;
}

#[tokio::test]
async fn uploads_and_deletions_at_once_lose_and_leave_nothing_on_postgres() {
    at_once(Sandbox::on_postgres().await).await;
}

/// Variants with the same bytes as each other are one object as well.
#[tokio::test]
async fn variants_of_the_same_bytes_are_one_object() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let spec = |width| {
        serde_json::json!({ "operations": [
        { "resize": { "width": width } }, { "resize": { "width": 40, "height": 30, "fit": "fill" } },
        { "filters": { "saturation": -100, "brightness": -100 } },
    ], "format": "png" })
    };
    let (one, two) =
        (ada.transform(&image, &spec(100)).await, ada.transform(&image, &spec(200)).await);
    assert_ne!(text(&one, "id"), text(&two, "id"));
    let (first, second) =
        (ada.bytes(&text(&one, "url")).await, ada.bytes(&text(&two, "url")).await);
    assert_eq!(first, second, "all of it is black");
    eventually(async || (sandbox.stored_objects() == 2).then_some(())).await;
    let request = ada.request(Method::DELETE, &format!("/api/v1/variants/{}", text(&one, "id")));
    assert_eq!(request.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(ada.bytes(&text(&two, "url")).await, second);
    assert_eq!(delete(&ada, &image).await, 2);
}

/// What was stored when the database had gone is no more than an orphan, and a row never names what is not there.
#[tokio::test]
async fn an_upload_that_can_not_be_recorded_is_answered_so() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let request = || {
        let request = ada.request(Method::POST, &format!("{IMAGES}?filename=x"));
        request.header("content-type", "image/jpeg").body(ROCKET)
    };
    let crash = async {
        for _ in 0..4 {
            sandbox.services().database.crash();
            tokio::task::yield_now().await;
        }
    };
    let (answers, ()) = tokio::join!(join_all((0..8).map(|_| request().send())), crash);
    for answer in answers {
        let answer = answer.unwrap();
        let status = answer.status();
        assert!(
            matches!(status, StatusCode::CREATED | StatusCode::SERVICE_UNAVAILABLE),
            "{status}: {}",
            answer.text().await.unwrap()
        );
    }
    let again = expect(request().send().await, StatusCode::CREATED).await;
    assert_eq!(ada.bytes(&content(&text(&again, "id"))).await, ROCKET);
    for image in ada.get(IMAGES).await["images"].as_array().unwrap() {
        assert_eq!(ada.bytes(&text(image, "original_url")).await, ROCKET);
    }
}
