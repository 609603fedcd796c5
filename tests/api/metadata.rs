//! What is remembered of pictures and variants is never what they no longer are, whoever changed them.

use darkroom::{adapters::db::images::PatchImage, domain::image::ImagePatch};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    redis::{Redis, becomes},
    redis_server::Server,
    sandbox::{Account, ROCKET, Sandbox, eventually, expect, problem, text},
};

/// Uploads a picture and waits until it was looked at, from when on it may be remembered; its path.
async fn settled(account: &Account<'_>) -> String {
    let path = format!("/api/v1/images/{}", account.upload(ROCKET).await);
    eventually(async || account.get(&path).await["thumbhash"].is_string().then_some(())).await;
    path
}

async fn patch(account: &Account<'_>, path: &str, tag: &str) -> Value {
    let request = account.request(Method::PATCH, path).json(&json!({ "tags": [tag] }));
    expect(request.send().await, StatusCode::OK).await
}

/// Changes labels as nobody is told of.
async fn patch_in_secret(sandbox: &Sandbox, image: &Value, user: &Value, tag: &str) {
    let patch = ImagePatch { tags: Some(vec![tag.to_owned()]), ..ImagePatch::default() };
    let (id, user_id) = (text(image, "id").parse().unwrap(), text(user, "id").parse().unwrap());
    sandbox.services().database.ask(PatchImage { user_id, id, patch }).await.unwrap();
}

async fn delete(account: &Account<'_>, path: &str) {
    let answer = account.request(Method::DELETE, path).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
}

async fn is_gone(account: &Account<'_>, path: &str) {
    problem(account.request(Method::GET, path).send().await, 404, "not_found").await;
}

#[tokio::test]
async fn what_one_process_changes_another_sees_at_once() {
    let redis = Redis::shared();
    let one = Sandbox::on_postgres_with(&redis.and(&[])).await;
    let two = one.beside(&[]).await;
    let here = one.register("ada").await;
    let there = Account::of(&two, &here.token);
    let path = settled(&here).await;
    for round in 0..20 {
        let (writer, reader) = if round % 2 == 0 { (&here, &there) } else { (&there, &here) };
        reader.get(&path).await;
        patch(writer, &path, &format!("tag {round}")).await;
        for account in [reader, writer] {
            assert_eq!(account.get(&path).await["tags"], json!([format!("tag {round}")]));
        }
    }

    // A focus decides what is cut out, also when the picture was remembered.
    let other = settled(&here).await;
    there.get(&other).await;
    let focus = json!({ "focus": { "x": 1, "y": 1 } });
    expect(here.request(Method::PATCH, &other).json(&focus).send().await, StatusCode::OK).await;
    assert_eq!(there.get(&other).await["focus"], json!({ "x": 1.0, "y": 1.0 }));
}

#[tokio::test]
async fn what_one_process_deletes_is_gone_everywhere_at_once() {
    let redis = Redis::shared();
    let one = Sandbox::on_postgres_with(&redis.and(&[])).await;
    let two = one.beside(&[]).await;
    let here = one.register("ada").await;
    let there = Account::of(&two, &here.token);
    let path = settled(&here).await;
    let spec = json!({ "resize": { "width": 40 } });
    let transform = |account: &Account<'_>| {
        account.request(Method::POST, &format!("{path}/transform?sync=true")).json(&spec)
    };
    let made = expect(transform(&here).send().await, StatusCode::OK).await;
    let variant = format!("/api/v1/variants/{}", text(&made, "id"));
    for account in [&here, &there] {
        for _ in 0..2 {
            assert_eq!(account.get(&variant).await, made);
            assert_eq!(transform(account).send().await.unwrap().headers()["x-cache"], "hit");
        }
    }

    delete(&here, &variant).await;
    is_gone(&there, &variant).await;
    is_gone(&there, &format!("{variant}/content")).await;
    let again = transform(&there).send().await.unwrap();
    assert_eq!(again.headers()["x-cache"], "miss");
    let again = expect(Ok(again), StatusCode::OK).await;
    assert_ne!(again["id"], made["id"]);
    let variant = format!("/api/v1/variants/{}", text(&again, "id"));
    here.bytes(&format!("{variant}/content")).await;

    delete(&there, &path).await;
    for gone in
        [path.clone(), format!("{path}/content"), variant.clone(), format!("{variant}/content")]
    {
        is_gone(&here, &gone).await;
        is_gone(&there, &gone).await;
    }
    problem(transform(&here).send().await, 404, "not_found").await;

    let path = settled(&here).await;
    there.get(&path).await;
    let password = json!({ "password": crate::sandbox::PASSWORD });
    let closed = here.request(Method::DELETE, "/api/v1/me").json(&password).send().await;
    expect(closed, StatusCode::ACCEPTED).await;
    // The token may be believed for some seconds more; it opens nothing.
    let answer = there.request(Method::GET, &path).send().await.unwrap();
    assert!([401, 404].contains(&answer.status().as_u16()), "{}", answer.status());
}

#[tokio::test]
async fn a_job_that_has_succeeded_has_its_variant_everywhere() {
    let redis = Redis::shared();
    let one = Sandbox::on_postgres_with(&redis.and(&[])).await;
    let two = one.beside(&[("ROLE", "api")]).await;
    let here = one.register("ada").await;
    let there = Account::of(&two, &here.token);
    let image = here.upload(ROCKET).await;
    for width in 20..30 {
        let accepted = there.enqueue(&image, &json!({ "resize": { "width": width } })).await;
        let variant = format!("/api/v1/variants/{}", text(&accepted, "variant_id"));
        there.get(&variant).await;
        here.get(&variant).await;
        there.finished(&text(&accepted, "job_id")).await;
        there.bytes(&format!("{variant}/content")).await;
        assert_eq!(here.get(&variant).await["status"], "ready");
    }
}

#[tokio::test]
async fn nobody_sees_what_was_remembered_for_another() {
    let redis = Redis::shared();
    let sandbox = Sandbox::on_postgres_with(&redis.and(&[])).await;
    let (ada, eve) = (sandbox.register("ada").await, sandbox.register("eve").await);
    let path = settled(&ada).await;
    let id = path.rsplit('/').next().unwrap();
    let made = ada.transform(id, &json!({ "resize": { "width": 40 } })).await;
    let variant = format!("/api/v1/variants/{}", text(&made, "id"));
    for path in [&path, &variant] {
        ada.get(path).await;
        is_gone(&eve, path).await;
        is_gone(&eve, &format!("{path}/content")).await;
    }
    let transform = eve.request(Method::POST, &format!("{path}/transform?sync=true"));
    problem(transform.json(&json!({})).send().await, 404, "not_found").await;
    for path in [&path, &variant] {
        problem(eve.request(Method::DELETE, path).send().await, 404, "not_found").await;
        ada.get(path).await;
    }
}

/// Where a change could not be told of, what was looked up before it is seen for ten seconds and no longer; what writes
/// looks for itself.
#[tokio::test]
async fn what_was_missed_is_forgotten_by_itself() {
    let redis = Redis::shared();
    let one = Sandbox::on_postgres_with(&redis.and(&[])).await;
    let two = one.beside(&[]).await;
    let here = one.register("ada").await;
    let there = Account::of(&two, &here.token);
    let path = settled(&here).await;
    let image = here.get(&path).await;
    patch_in_secret(&two, &image, &here.issued["user"], "secret").await;
    assert_eq!(there.get(&path).await["tags"], json!([]), "it was remembered");
    eventually(async || (there.get(&path).await["tags"] == json!(["secret"])).then_some(())).await;
    assert_eq!(patch(&there, &path, "open").await["tags"], json!(["open"]));
}

#[tokio::test]
async fn without_redis_the_database_is_asked_every_time() {
    let alone = Sandbox::on_postgres_with(&[]).await;
    let mut server = Server::running().await;
    let redis = Redis::at(server.url());
    let bereft = Sandbox::on_postgres_with(&redis.and(&[])).await;
    becomes(&bereft, "ready").await;
    server.kill();
    becomes(&bereft, "degraded").await;
    for sandbox in [&alone, &bereft] {
        let two = sandbox.beside(&[]).await;
        let ada = sandbox.register("ada").await;
        let there = Account::of(&two, &ada.token);
        let path = settled(&ada).await;
        let image = ada.get(&path).await;
        there.get(&path).await;
        for tag in ["one", "two"] {
            patch_in_secret(sandbox, &image, &ada.issued["user"], tag).await;
            assert_eq!(ada.get(&path).await["tags"], json!([tag]));
            assert_eq!(there.get(&path).await["tags"], json!([tag]));
        }
    }
}
