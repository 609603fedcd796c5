//! A storage that is away: what needs it is told so at once, and nothing else notices.

use std::{path::PathBuf, time::Duration};

use chrono::TimeDelta;
use darkroom::{
    adapters::{
        db::{now, objects::ReserveObject},
        storage::{Body, PutObject},
    },
    domain::{ids::UserId, object::Object},
};
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::{
    fake_cloudinary::{FakeCloudinary, Link, SECRET},
    s3_server::S3Server,
    sandbox::{Account, PASSWORD, ROCKET, Sandbox, eventually, expect, problem, text},
};

/// What makes a service keep its pictures there.
pub fn of_s3(server: &S3Server) -> Vec<(String, String)> {
    let settings = server.settings();
    let (key, secret) = settings.keys.unwrap();
    [
        ("S3_BUCKET", settings.bucket),
        ("S3_ENDPOINT", settings.endpoint.unwrap()),
        ("S3_ACCESS_KEY_ID", key),
        ("S3_SECRET_ACCESS_KEY", secret.expose_secret().to_owned()),
        ("S3_PREFIX", settings.prefix),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

/// The same of Cloudinary.
pub fn of_cloudinary(cloud: &FakeCloudinary) -> Vec<(String, String)> {
    let settings = cloud.settings();
    [
        ("CLOUDINARY_CLOUD_NAME", settings.cloud_name),
        ("CLOUDINARY_API_KEY", settings.api_key),
        ("CLOUDINARY_API_SECRET", SECRET.to_owned()),
        ("CLOUDINARY_FOLDER", settings.folder),
        ("CLOUDINARY_UPLOAD_PREFIX", settings.upload_prefix),
        ("CLOUDINARY_DELIVERY_PREFIX", settings.delivery_prefix),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

/// As the sandbox takes them.
pub fn pairs(variables: &[(String, String)]) -> Vec<(&str, &str)> {
    variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// Takes the disk away, as if it were not mounted.
struct Away {
    objects: PathBuf,
    elsewhere: PathBuf,
}

impl Away {
    fn take(sandbox: &Sandbox) -> Self {
        let (objects, elsewhere) =
            (sandbox.data_dir().join("objects"), sandbox.data_dir().join("elsewhere"));
        std::fs::rename(&objects, &elsewhere).unwrap();
        Self { objects, elsewhere }
    }

    fn bring_back(self) {
        std::fs::rename(self.elsewhere, self.objects).unwrap();
    }

    fn objects(&self) -> usize {
        let fans = std::fs::read_dir(&self.elsewhere).unwrap();
        fans.map(|fan| std::fs::read_dir(fan.unwrap().path()).unwrap().count()).sum()
    }
}

async fn deletion(sandbox: &Sandbox, receipt: &str) -> Value {
    let request = sandbox.request(Method::GET, &format!("/api/v1/deletions/{receipt}"));
    expect(request.send().await, StatusCode::OK).await
}

async fn delete(account: &Account<'_>, path: &str, body: &Value) -> String {
    let answer = account.request(Method::DELETE, path).json(body).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    answer.headers()["deletion-receipt"].to_str().unwrap().to_owned()
}

/// What is deleted while the storage is away is gone for everybody at once, and from the storage when it is back.
async fn deletions(sandbox: Sandbox) {
    let (ada, bob) = (sandbox.register("ada").await, sandbox.register("bob").await);
    let image = ada.upload(ROCKET).await;
    ada.transform(&image, &json!({ "resize": { "width": 20 } })).await;
    bob.upload(ROCKET).await;
    let away = Away::take(&sandbox);

    let of_image = delete(&ada, &format!("/api/v1/images/{image}"), &json!(null)).await;
    let of_account = delete(&bob, "/api/v1/me", &json!({ "password": PASSWORD })).await;
    let gone = ada.request(Method::GET, &format!("/api/v1/images/{image}")).send().await;
    problem(gone, 404, "not_found").await;
    for (receipt, objects) in [(&of_image, 2), (&of_account, 1)] {
        let told = deletion(&sandbox, receipt).await;
        assert_eq!((&told["status"], &told["objects"]), (&json!("running"), &json!(objects)));
        assert_eq!((&told["remaining"], &told["finished_at"]), (&json!(objects), &Value::Null));
    }

    assert_eq!(away.objects(), 3, "nothing was taken for removed");
    away.bring_back();
    // The next deletion would ring; nobody has to wait for one.
    for receipt in [&of_image, &of_account] {
        eventually(async || {
            let told = deletion(&sandbox, receipt).await;
            (told["status"] == "finished" && told["remaining"] == 0).then_some(())
        })
        .await;
    }
    assert_eq!(sandbox.stored_objects(), 0);
}

#[tokio::test]
async fn deletions_are_finished_when_the_storage_is_back() {
    deletions(Sandbox::start().await).await;
}

#[tokio::test]
async fn deletions_are_finished_when_the_storage_is_back_on_postgres() {
    deletions(Sandbox::on_postgres().await).await;
}

/// A crash between the object and its row leaves the object: it is removed after a day, not before.
#[tokio::test]
async fn what_a_crash_has_left_is_removed_after_a_day() {
    let sandbox = Sandbox::on_postgres().await;
    let ada = sandbox.register("ada").await;
    ada.upload(ROCKET).await;
    let user_id: UserId =
        serde_json::from_value(ada.get("/api/v1/me").await["id"].clone()).unwrap();
    let services = sandbox.services();
    for (key, age) in [("young.jpg", 23), ("old.jpg", 25)] {
        let body = Body::bytes(key.into());
        let object =
            Object { key: key.to_owned(), size: body.size(), sha256: body.sha256().to_owned() };
        let now = now() - TimeDelta::hours(age);
        let reserve = ReserveObject { user_id, object, may_share: true, now };
        services.database.ask(reserve).await.unwrap();
        services.storage.ask(PutObject { key: key.to_owned(), body }).await.unwrap();
    }
    assert_eq!(sandbox.stored_objects(), 3);
    // Another process looks through them as it starts.
    let other = sandbox.beside(&[]).await;
    eventually(async || (sandbox.stored_objects() == 2).then_some(())).await;
    drop(other);
    assert_eq!(sandbox.stored_objects(), 2);
}

/// What a process still serves while its storage is away.
pub async fn goes_on(account: &Account<'_>, image: &str) {
    account.get("/api/v1/me").await;
    account.get("/api/v1/images").await;
    account.get(&format!("/api/v1/images/{image}")).await;
    let accepted = account.enqueue(image, &json!({ "resize": { "width": 31 } })).await;
    let job = account.get(&text(&accepted, "status_url")).await;
    assert_ne!(job["status"], "failed");
}

/// What needs the storage is told that it is away, in two seconds, which leaves 0.15 s for the rest; a machine that stands still
/// is given more. Whoever waited for the storage itself would wait for 30 s.
pub async fn is_told(account: &Account<'_>, image: &str) {
    let begun = std::time::Instant::now();
    let upload = account
        .request(Method::POST, "/api/v1/images?filename=other")
        .header("content-type", "image/jpeg")
        .body([ROCKET, b"other"].concat());
    let content = account.request(Method::GET, &format!("/api/v1/images/{image}/content"));
    let transform = account
        .request(Method::POST, &format!("/api/v1/images/{image}/transform?sync=true"))
        .json(&json!({ "resize": { "width": 32 } }));
    let (upload, content, transform) =
        tokio::join!(upload.send(), content.send(), transform.send());
    let took = begun.elapsed();
    for answer in [upload, content, transform] {
        let problem = problem(answer, 503, "dependency_unavailable").await;
        assert_eq!(problem["detail"], "the storage is not available right now");
    }
    assert!(took < Duration::from_secs(15), "{took:?}");
}

/// An outage that `begin` begins and `end` ends.
async fn outage<T>(mut sandbox: Sandbox, begin: impl AsyncFn(&Sandbox) -> T, end: impl AsyncFn(T)) {
    sandbox.leaves_jobs();
    let ada = sandbox.register("ada").await;
    let (image, doomed) = (ada.upload(ROCKET).await, ada.upload(&ROCKET[..100_000]).await);
    let away = begin(&sandbox).await;
    for _ in 0..3 {
        is_told(&ada, &image).await;
        goes_on(&ada, &image).await;
    }
    let receipt = delete(&ada, &format!("/api/v1/images/{doomed}"), &json!(null)).await;
    assert_eq!(deletion(&sandbox, &receipt).await["status"], "running");
    let ready = sandbox.request(Method::GET, "/ready").send().await;
    assert_eq!(expect(ready, StatusCode::SERVICE_UNAVAILABLE).await["status"], "unready");
    end(away).await;
    eventually(async || {
        let path = format!("/api/v1/images/{image}/content");
        let answer = ada.request(Method::GET, &path).send().await.unwrap();
        (answer.status() == StatusCode::OK).then_some(())
    })
    .await;
    ada.upload(ROCKET).await;
    eventually(async || (deletion(&sandbox, &receipt).await["status"] == "finished").then_some(()))
        .await;
}

#[tokio::test]
async fn a_disk_that_is_away_is_told_of_at_once_and_the_rest_goes_on() {
    let begin = async |sandbox: &Sandbox| Away::take(sandbox);
    outage(Sandbox::start().await, begin, async |away: Away| away.bring_back()).await;
}

#[tokio::test]
async fn a_bucket_that_is_away_is_told_of_at_once_and_the_rest_goes_on() {
    let server = S3Server::start();
    let variables = of_s3(&server);
    let sandbox = Sandbox::on_postgres_with(&pairs(&variables)).await;
    let server = std::cell::RefCell::new(server);
    let begin = async |_: &Sandbox| server.borrow_mut().stop();
    outage(sandbox, begin, async |()| server.borrow_mut().resume()).await;
}

#[tokio::test]
async fn a_silent_cloudinary_is_told_of_at_once_and_the_rest_goes_on() {
    let cloud = FakeCloudinary::start();
    let variables = of_cloudinary(&cloud);
    let sandbox = Sandbox::with(&pairs(&variables)).await;
    let begin = async |_: &Sandbox| cloud.set_link(Link::Silent);
    outage(sandbox, begin, async |()| cloud.set_link(Link::Open)).await;
}

#[tokio::test]
async fn a_file_larger_than_the_plan_allows_is_refused_by_its_limit() {
    let cloud = FakeCloudinary::start();
    cloud.set(|options| options.max_bytes = 100_000);
    let variables = of_cloudinary(&cloud);
    let sandbox = Sandbox::with(&pairs(&variables)).await;
    let ada = sandbox.register("ada").await;
    let upload = ada.request(Method::POST, "/api/v1/images").header("content-type", "image/jpeg");
    let refused = problem(upload.body(ROCKET).send().await, 413, "payload_too_large").await;
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("Cloudinary") && detail.contains("100000"), "{detail}");
    // What is smaller is taken.
    ada.upload(&ROCKET[..90_000]).await;
}
