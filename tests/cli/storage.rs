//! `darkroom storage`: pictures move from the disk to where they are kept from then on, whatever happens on the way.

use std::{collections::BTreeMap, path::PathBuf, process::Command, time::Duration};

use reqwest::{Client, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::Connection;

use crate::{
    fake_cloudinary::{self, FakeCloudinary},
    process::{Running, Serving, Shell, eventually},
    s3_server::S3Server,
};

const PASSWORD: &str = "correct horse battery";

/// A shell in which pictures are kept on the disk, and could be kept in the bucket of `server`.
fn shell(server: &S3Server) -> Shell {
    let s3 = server.settings();
    let (id, secret) = s3.keys.unwrap();
    Shell::new()
        .with("PORT", "0")
        .with("STORAGE", "fs")
        .with("S3_BUCKET", &s3.bucket)
        .with("S3_ENDPOINT", &s3.endpoint.unwrap())
        .with("S3_ACCESS_KEY_ID", &id)
        .with("S3_SECRET_ACCESS_KEY", secret.expose_secret())
        .with("S3_PREFIX", &s3.prefix)
}

/// An account, and how it gets in.
struct Account {
    token: String,
}

impl Account {
    async fn register(serving: &Serving) -> Self {
        let body = json!({ "username": "ada", "password": PASSWORD });
        let url = format!("{}/api/v1/auth/register", serving.url);
        let answer: Value =
            client().post(url).json(&body).send().await.unwrap().json().await.unwrap();
        Self { token: answer["token"].as_str().unwrap().to_owned() }
    }

    /// Uploads a picture; its id.
    async fn upload(&self, serving: &Serving, bytes: Vec<u8>) -> String {
        let request = client().post(format!("{}/api/v1/images", serving.url));
        let request = request.bearer_auth(&self.token).header("content-type", "image/png");
        let response = request.body(bytes).send().await.unwrap();
        let status = response.status();
        let image: Value = response.json().await.unwrap();
        assert_eq!(status, StatusCode::CREATED, "{image}");
        image["id"].as_str().unwrap().to_owned()
    }

    /// What is served of it.
    async fn content(&self, serving: &Serving, id: &str) -> (StatusCode, Vec<u8>) {
        let request = client().get(format!("{}/api/v1/images/{id}/content", serving.url));
        let response = request.bearer_auth(&self.token).send().await.unwrap();
        (response.status(), response.bytes().await.unwrap().to_vec())
    }

    async fn delete(&self, serving: &Serving, id: &str) {
        let request = client().delete(format!("{}/api/v1/images/{id}", serving.url));
        let response = request.bearer_auth(&self.token).send().await.unwrap();
        assert!(response.status().is_success(), "{}", response.status());
    }
}

fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// A picture like no other.
fn picture(n: u8) -> Vec<u8> {
    let picture = image::RgbImage::from_fn(9, 9, |x, y| {
        let [x, y] = [x, y].map(|it| u8::try_from(it).unwrap());
        image::Rgb([n, 20 * x, 20 * y])
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// Where the disk keeps an object.
fn file(shell: &Shell, key: &str) -> PathBuf {
    let hash: String = Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect();
    let (fan, rest) = hash.split_at(2);
    shell.directory().join("data/objects").join(fan).join(rest)
}

const COPY: &[&str] = &["storage", "copy", "--from", "fs", "--to", "s3"];

/// Runs a command with `--json`: what it ends with, and what it came to.
fn told(shell: &Shell, arguments: &[&str]) -> (i32, Value) {
    let run = shell.run(&[arguments, &["--json"]].concat());
    let report = serde_json::from_str(&run.stdout);
    (run.code, report.unwrap_or_else(|_| panic!("{} {}", run.stdout, run.stderr)))
}

/// The keys in the bucket.
fn keys(server: &S3Server) -> Vec<String> {
    let names = server.objects();
    names.iter().map(|name| name.strip_prefix("of-the-tests/").unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_copied_is_served_from_there() {
    let server = S3Server::start();
    let shell = shell(&server);
    let serving = shell.serve(&[]);
    let ada = Account::register(&serving).await;
    let mut images = Vec::new();
    for n in 0..3 {
        images.push((ada.upload(&serving, picture(n)).await, picture(n)));
    }
    let (code, report) = told(&shell, COPY);
    assert_eq!((code, &report["copied"], &report["there"]), (0, &json!(3), &json!(0)), "{report}");

    // Meanwhile one arrives and one goes.
    images.push((ada.upload(&serving, picture(3)).await, picture(3)));
    let (gone, _) = images.remove(0);
    ada.delete(&serving, &gone).await;
    let run = shell.run(COPY);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let said = "copied to s3 and read back; 2 were there already; 1 that were deleted since";
    assert!(run.stdout.starts_with("1 pictures (") && run.stdout.contains(said), "{}", run.stdout);
    assert_eq!(keys(&server).len(), 3, "what is gone here is gone there");
    let puts = server.puts();
    let (code, report) = told(&shell, COPY);
    assert_eq!((code, &report["copied"], &report["there"]), (0, &json!(0), &json!(3)), "{report}");
    assert_eq!(server.puts(), puts);
    assert_eq!(serving.terminate(), 0);

    let shell = shell.with("STORAGE", "s3");
    std::fs::rename(shell.directory().join("data/objects"), shell.directory().join("away"))
        .unwrap();
    let serving = shell.serve(&[]);
    for (id, bytes) in &images {
        let (status, served) = ada.content(&serving, id).await;
        assert_eq!((status, &served), (StatusCode::OK, bytes));
    }
    let id = ada.upload(&serving, picture(4)).await;
    assert_eq!(ada.content(&serving, &id).await, (StatusCode::OK, picture(4)));
    assert_eq!(keys(&server).len(), 4);
    let (code, report) = told(&shell, &["storage", "check"]);
    assert_eq!((code, &report["storage"], &report["whole"]), (0, &json!("s3"), &json!(4)));
    // What never was on the disk is not missing there; and it can come back to it.
    let (code, report) = told(&shell, COPY);
    assert_eq!((code, &report["copied"], &report["there"]), (0, &json!(0), &json!(4)), "{report}");
    let (code, report) = told(&shell, &["storage", "copy", "--from", "s3", "--to", "fs"]);
    assert_eq!((code, &report["copied"]), (0, &json!(4)), "{report}");
    assert_eq!(told(&shell, &["storage", "check", "--from", "fs"]).1["whole"], 4);
    assert_eq!(serving.terminate(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_killed_goes_on_where_it_was() {
    const PICTURES: u8 = 20;
    let server = S3Server::start();
    let shell = shell(&server);
    let serving = shell.serve(&[]);
    let ada = Account::register(&serving).await;
    for n in 0..PICTURES {
        ada.upload(&serving, picture(n)).await;
    }
    server.slow_down(Duration::from_millis(150));
    let jobs = [COPY, &["--jobs", "2"]].concat();
    for (signal, puts) in [("KILL", 5), ("TERM", 10)] {
        let mut copying = shell.command(&jobs).spawn().unwrap();
        eventually(|| (server.puts() >= puts).then_some(()));
        let held = server.hold().await;
        let pid = copying.id().to_string();
        Command::new("kill").args(["-s", signal, &pid]).status().unwrap();
        assert!(!copying.wait().unwrap().success());
        drop(held);
    }
    let before = server.puts();
    server.slow_down(Duration::ZERO);
    let (code, report) = told(&shell, &jobs);
    let (copied, there) = (report["copied"].as_u64().unwrap(), report["there"].as_u64().unwrap());
    assert_eq!((code, copied + there), (0, u64::from(PICTURES)), "{report}");
    assert_eq!(server.puts() - before, usize::try_from(copied).unwrap());
    // Those under way when it was killed, twice two, may have been copied twice.
    assert!(server.puts() <= usize::from(PICTURES) + 4, "{} puts", server.puts());
    assert!(there >= 6, "{report}");
    assert_eq!(keys(&server).len(), usize::from(PICTURES));
    assert_eq!(told(&shell, &["storage", "check", "--from", "s3"]).1["whole"], PICTURES);

    // What is not known any more is found out, and nothing is stored twice.
    let puts = server.puts();
    std::fs::remove_file(shell.directory().join("data/storage-copy-fs-to-s3")).unwrap();
    let (code, report) = told(&shell, &[COPY, &["--verify"]].concat());
    assert_eq!((code, &report["copied"], &report["there"]), (0, &json!(0), &json!(PICTURES)));
    assert_eq!(server.puts(), puts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_right_is_named_and_not_copied() {
    let server = S3Server::start();
    let shell = shell(&server);
    let serving = shell.serve(&[]);
    let ada = Account::register(&serving).await;
    for n in 0..4 {
        ada.upload(&serving, picture(n)).await;
    }
    assert_eq!(serving.terminate(), 0);
    // Which keys there are is known of a copy.
    assert_eq!(shell.run(COPY).code, 0);
    let all = keys(&server);
    let (code, report) = told(&shell, &["storage", "check"]);
    assert_eq!((code, &report["storage"], &report["whole"]), (0, &json!("fs"), &json!(4)));

    // One changes in the bucket, one goes from it; what is known of them is in doubt.
    let bucket = server.bucket().join("of-the-tests");
    std::fs::write(bucket.join(&all[0]), "something else").unwrap();
    std::fs::remove_file(bucket.join(&all[1])).unwrap();
    let (code, report) = told(&shell, &["storage", "check", "--from", "s3"]);
    assert_eq!(
        (code, &report["whole"], &report["missing"]),
        (65, &json!(2), &json!(1)),
        "{report}"
    );
    let mut named: Vec<_> =
        report["faults"].as_array().unwrap().iter().map(|it| it["key"].as_str().unwrap()).collect();
    named.sort_unstable();
    assert_eq!(named, all[..2]);
    let (code, report) = told(&shell, &[COPY, &["--verify"]].concat());
    assert_eq!((code, &report["copied"], &report["there"]), (0, &json!(2), &json!(2)), "{report}");
    assert_eq!(told(&shell, &["storage", "check", "--from", "s3"]).0, 0);

    // The source itself is not right: one is damaged, one is lost.
    for key in &all[..2] {
        std::fs::remove_file(bucket.join(key)).unwrap();
    }
    let damaged = file(&shell, &all[0]);
    let mut bytes = std::fs::read(&damaged).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&damaged, bytes).unwrap();
    std::fs::remove_file(file(&shell, &all[1])).unwrap();
    let run = shell.run(&[COPY, &["--verify"]].concat());
    assert_eq!(run.code, 65, "{}", run.stderr);
    assert!(run.stdout.contains(&format!("not right {}: at the source", all[0])), "{}", run.stdout);
    assert!(run.stdout.contains(&format!("missing {}: at the source", all[1])), "{}", run.stdout);
    assert!(run.stdout.contains("2 could not be copied"), "{}", run.stdout);
    assert_eq!(keys(&server), all[2..]);
    let run = shell.run(&["storage", "check"]);
    assert_eq!(run.code, 65);
    assert!(run.stdout.contains("1 missing, 1 not right"), "{}", run.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_begun_is_told() {
    let mut server = S3Server::start();
    let shell = shell(&server);
    let serving = shell.serve(&[]);
    let ada = Account::register(&serving).await;
    ada.upload(&serving, picture(0)).await;

    let same = shell.run(&["storage", "copy", "--from", "s3", "--to", "s3"]);
    assert_eq!(same.code, 64, "{}", same.stderr);
    let unset = shell.run(&["storage", "copy", "--from", "fs", "--to", "cloudinary"]);
    assert_eq!(unset.code, 78, "{}", unset.stderr);
    assert!(unset.stderr.contains("CLOUDINARY_URL"), "{}", unset.stderr);
    let nothing = Shell::new().run(COPY);
    assert_eq!(nothing.code, 78, "{}", nothing.stderr);
    assert!(nothing.stderr.contains("S3_BUCKET"), "{}", nothing.stderr);

    server.stop();
    let (code, report) = told(&shell, COPY);
    assert_eq!((code, &report["copied"]), (69, &json!(0)), "{report}");
    assert!(report["stopped"].as_str().unwrap().contains("storage"), "{report}");
    server.resume();
    let copying = Running::new(shell.command(COPY).spawn().unwrap());
    assert_eq!(copying.end().code, 0);
    assert_eq!(keys(&server).len(), 1);

    let doctor = shell.with("STORAGE", "s3");
    let (_, report) = told(&doctor, &["doctor"]);
    let storage = |report: &Value| {
        let checks = report["checks"].as_array().unwrap().clone();
        checks.into_iter().find(|it| it["check"] == "storage").unwrap()
    };
    let found = storage(&report);
    assert_eq!(found["state"], "ok", "{found}");
    assert!(found["found"].as_str().unwrap().contains("stores, reads and removes"), "{found}");
    assert_eq!(keys(&server).len(), 1, "what it wrote is gone");
    let doctor = doctor.with("S3_SECRET_ACCESS_KEY", "another");
    let (code, report) = told(&doctor, &["doctor"]);
    let found = storage(&report);
    assert_eq!((code, &found["state"]), (69, &json!("fault")), "{found}");
    assert!(found["found"].as_str().unwrap().contains("SignatureDoesNotMatch"), "{found}");
    assert!(!found.to_string().contains("another"), "{found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_deleted_while_it_is_copied_is_nowhere() {
    let server = S3Server::start();
    let shell = shell(&server);
    let serving = shell.serve(&[]);
    let ada = Account::register(&serving).await;
    let (gone, lost) =
        (ada.upload(&serving, picture(0)).await, ada.upload(&serving, picture(1)).await);
    let held = server.hold().await;
    let copying = Running::new(shell.command(&[COPY, &["--json"]].concat()).spawn().unwrap());
    eventually(|| (server.puts() == 2).then_some(()));
    ada.delete(&serving, &gone).await;
    drop(held);
    let run = copying.end();
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.code, &report["copied"], &report["gone"]), (0, &json!(1), &json!(1)));
    assert_eq!(keys(&server).len(), 1);

    // Killed when it was stored there and that was not yet written down.
    let state = shell.directory().join("data/storage-copy-fs-to-s3");
    let text = std::fs::read_to_string(&state).unwrap();
    let kept = text.lines().filter(|line| !line.starts_with('+')).collect::<Vec<_>>().join("\n");
    std::fs::write(&state, kept + "\n").unwrap();
    ada.delete(&serving, &lost).await;
    let (code, report) = told(&shell, COPY);
    assert_eq!((code, &report["removed"]), (0, &json!(1)), "{report}");
    assert_eq!(keys(&server).len(), 0);
}

/// Adds an object to those that rows name, without a picture; the disk has zeros of it.
async fn add_zeros(shell: &Shell, size: u64) {
    let key = "0199e0a0-0000-7000-8000-000000000000/zeros.png";
    let path = file(shell, key);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::File::create(&path).unwrap().set_len(size).unwrap();
    let mut hash = Sha256::new();
    (0..size >> 20).for_each(|_| hash.update([0; 1 << 20]));
    let sha256: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    sqlx::query(
        "INSERT INTO objects (key, user_id, sha256, size, refs, shared, created_at)
         SELECT $1, id, $2, $3, 1, FALSE, created_at FROM users LIMIT 1",
    )
    .bind(key)
    .bind(sha256)
    .bind(i64::try_from(size).unwrap())
    .execute(&mut database(shell).await)
    .await
    .unwrap();
}

async fn database(shell: &Shell) -> sqlx::SqliteConnection {
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(shell.directory().join("data/darkroom.db"));
    sqlx::SqliteConnection::connect_with(&options).await.unwrap()
}

/// What the disk keeps, by where.
fn kept(shell: &Shell) -> BTreeMap<PathBuf, Vec<u8>> {
    let fans = shell.directory().join("data/objects").read_dir().unwrap();
    let fans = fans.map(|fan| fan.unwrap().path()).filter(|path| path.is_dir());
    let files = fans.flat_map(|fan| fan.read_dir().unwrap().map(|file| file.unwrap().path()));
    files.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// The asset ids that rows have.
async fn asset_ids(shell: &Shell) -> Vec<String> {
    let query = "SELECT asset_id FROM objects WHERE name LIKE 'pictures/of tests/%'";
    sqlx::query_scalar(query).fetch_all(&mut database(shell).await).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_copied_to_cloudinary_comes_back() {
    let cloud = FakeCloudinary::start();
    let settings = cloud.settings();
    let shell = Shell::new()
        .with("PORT", "0")
        .with("STORAGE", "fs")
        .with("CLOUDINARY_CLOUD_NAME", &settings.cloud_name)
        .with("CLOUDINARY_API_KEY", &settings.api_key)
        .with("CLOUDINARY_API_SECRET", fake_cloudinary::SECRET)
        .with("CLOUDINARY_FOLDER", &settings.folder)
        .with("CLOUDINARY_UPLOAD_PREFIX", &settings.upload_prefix)
        .with("CLOUDINARY_DELIVERY_PREFIX", &settings.delivery_prefix);
    let serving = shell.serve(&[]);
    let ada = Account::register(&serving).await;
    let svg = r#"<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>"#;
    for bytes in [include_bytes!("../pictures/rocket.jpg").to_vec(), picture(0), svg.into()] {
        ada.upload(&serving, bytes).await;
    }
    assert_eq!(serving.terminate(), 0);
    // Called a picture, and none that Cloudinary could open.
    add_zeros(&shell, 1 << 20).await;
    let before = kept(&shell);
    assert_eq!(before.len(), 4);

    let there = ["storage", "copy", "--from", "fs", "--to", "cloudinary"];
    let (code, report) = told(&shell, &there);
    assert_eq!((code, &report["copied"], &report["there"]), (0, &json!(4), &json!(0)), "{report}");
    let mut kinds: Vec<_> = cloud.assets().into_iter().map(|(kind, ..)| kind).collect();
    kinds.sort();
    assert_eq!(kinds, ["image", "image", "raw", "raw"]);
    assert_eq!(asset_ids(&shell).await.len(), 4);
    let (code, report) = told(&shell, &["storage", "check", "--from", "cloudinary"]);
    assert_eq!((code, &report["whole"], &report["missing"]), (0, &json!(4), &json!(0)), "{report}");
    let (code, report) = told(&shell, &[&there[..], &["--verify"]].concat());
    assert_eq!((code, &report["copied"], &report["there"]), (0, &json!(0), &json!(4)), "{report}");

    std::fs::rename(shell.directory().join("data/objects"), shell.directory().join("away"))
        .unwrap();
    let (code, report) = told(&shell, &["storage", "copy", "--from", "cloudinary", "--to", "fs"]);
    assert_eq!((code, &report["copied"]), (0, &json!(4)), "{report}");
    assert!(kept(&shell) == before, "byte for byte");
    // The assets are there as before, and so are their names.
    assert_eq!((cloud.assets().len(), asset_ids(&shell).await.len()), (4, 4));
    let shell = shell.with("STORAGE", "cloudinary");
    let (code, report) = told(&shell, &["storage", "check"]);
    assert_eq!((code, &report["storage"]), (0, &json!("cloudinary")), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_object_takes_little_memory() {
    const SIZE: u64 = 300 << 20;
    let server = S3Server::start();
    let shell = shell(&server);
    let serving = shell.serve(&[]);
    Account::register(&serving).await;
    assert_eq!(serving.terminate(), 0);
    add_zeros(&shell, SIZE).await;
    let mut copying = shell.command(COPY).spawn().unwrap();
    let status = format!("/proc/{}/status", copying.id());
    let mut most = 0;
    // The kernel keeps the highest; what is read last before the end is near enough.
    while copying.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        most = number.map_or(most, |number| number.parse::<u64>().unwrap());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(copying.wait().unwrap().success());
    assert_eq!(server.puts(), 38, "parts of 8 MiB, and the rest");
    assert!(most > 0 && most < 160 << 10, "{most} KiB");
}

/// What names in the bucket start with can change: the bucket copies by itself.
#[tokio::test]
async fn pictures_move_within_their_bucket() {
    let server = S3Server::start();
    let shell = shell(&server).with("STORAGE", "s3");
    let serving = shell.serve(&[]);
    let ada = Account::register(&serving).await;
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(ada.upload(&serving, picture(n)).await);
    }
    let sent = server.puts();
    let copy = ["storage", "copy", "--from", "s3", "--to", "s3"];
    for (more, why) in [
        (&[][..], "name the same storage"),
        (&["--to-prefix", &server.settings().prefix], "is what S3_PREFIX is already"),
    ] {
        let run = shell.run(&[&copy[..], more].concat());
        assert_eq!(run.code, 64, "{}", run.stderr);
        assert!(run.stderr.contains(why), "{}", run.stderr);
    }
    let elsewhere = ["storage", "copy", "--from", "fs", "--to", "s3", "--to-prefix", "x/"];
    assert_eq!(shell.run(&elsewhere).code, 64);

    let moved = shell.run(&[&copy[..], &["--to-prefix", "moved/", "--json"]].concat());
    assert_eq!(moved.code, 0, "{}{}", moved.stdout, moved.stderr);
    let told: Value = serde_json::from_str(&moved.stdout).unwrap();
    assert_eq!((&told["copied"], &told["failed"]), (&json!(3), &json!([])));
    assert_eq!(server.puts(), sent, "nothing was sent to it again");
    assert_eq!(serving.terminate(), 0);

    let shell = shell.with("S3_PREFIX", "moved/");
    let serving = shell.serve(&[]);
    for (n, id) in (0..).zip(&ids) {
        assert_eq!(ada.content(&serving, id).await, (StatusCode::OK, picture(n)));
    }
    assert_eq!(shell.run(&["storage", "check"]).code, 0);
    assert_eq!(serving.terminate(), 0);
}
