//! The CDN in front is told of what must not be shown any more.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    elsewhere::{Elsewhere, Say, answer},
    sandbox::{Account, ROCKET, Sandbox, eventually, expect},
};

/// The tags that it was told, over and over again.
fn tags(there: &Elsewhere) -> Vec<String> {
    let told = there.asked().into_iter().flat_map(|asked| {
        let body: Value = serde_json::from_slice(&asked.body).unwrap();
        body["tags"].as_array().unwrap().clone()
    });
    told.map(|tag| tag.as_str().unwrap().to_owned()).collect()
}

async fn publish(account: &Account<'_>, image: &str, public: bool) {
    let patch = account.request(Method::PATCH, &format!("/api/v1/images/{image}"));
    expect(patch.json(&json!({ "public": public })).send().await, StatusCode::OK).await;
}

async fn ask(account: &Account<'_>, method: Method, path: &str) {
    let answer = account.request(method, path).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_cdn_is_told_what_it_has_to_forget() {
    let there = Elsewhere::serve(|_| Say::Bytes(answer(200, &[], b"{}"))).await;
    let url = there.url("/zones/z/purge_cache");
    let settings = [("CDN_PURGE_URL", url.as_str()), ("CDN_PURGE_TOKEN", "a token")];
    let sandbox = Sandbox::with(&settings).await;
    let ada = sandbox.register("ada").await;
    let mut images = Vec::new();
    for _ in 0..4 {
        images.push(ada.upload(ROCKET).await);
    }
    publish(&ada, &images[0], true).await;
    publish(&ada, &images[1], false).await;
    ask(&ada, Method::POST, &format!("/api/v1/images/{}/purge", images[2])).await;
    ask(&ada, Method::DELETE, &format!("/api/v1/images/{}", images[3])).await;
    let expected: BTreeSet<String> = images[1..].iter().cloned().collect();
    eventually(async || {
        (tags(&there).into_iter().collect::<BTreeSet<_>>() == expected).then_some(())
    })
    .await;
    assert!(tags(&there).len() <= 6, "each once, and once more after a while");
    for asked in there.asked() {
        assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/zones/z/purge_cache"));
        assert_eq!(asked.headers["authorization"], "Bearer a token");
        assert_eq!(asked.headers["content-type"], "application/json");
    }
}

#[tokio::test]
async fn a_cdn_that_does_not_listen_is_told_again() {
    let refusals = Arc::new(AtomicUsize::new(1));
    let left = refusals.clone();
    let there = Elsewhere::serve(move |_| {
        let refused = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        Say::Bytes(answer(if refused.is_ok() { 503 } else { 204 }, &[], b""))
    })
    .await;
    let sandbox = Sandbox::with(&[("CDN_PURGE_URL", &there.url("/purge"))]).await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    ask(&ada, Method::POST, &format!("/api/v1/images/{image}/purge")).await;
    eventually(async || (tags(&there).len() >= 2).then_some(())).await;
    assert!(tags(&there).iter().all(|tag| *tag == image));
    assert!(there.asked().iter().all(|asked| !asked.headers.contains_key("authorization")));
}
