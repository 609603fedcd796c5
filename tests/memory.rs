//! A process of its own, watched from outside: what it takes, and whether it gives it back.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

#[path = "storage/cloudinary/mod.rs"]
#[allow(dead_code)] // What the storage's own suite asks of it beside.
mod fake_cloudinary;
#[path = "predict/sources.rs"]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Sizes of pictures.
mod pictures;
#[path = "storage/s3_server.rs"]
#[allow(dead_code)] // Each suite asks something else of it.
mod s3_server;

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Cursor},
    process::{Child, Command, Stdio},
};

use darkroom::{
    domain::{limits::Limits, transform::Spec},
    imaging,
};
use futures_util::{StreamExt, stream};
use reqwest::{Client, Method, Response, StatusCode, multipart};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

const ROCKET: &[u8] = include_bytes!("pictures/rocket.jpg");
const MIB: u64 = 1024 * 1024;

/// A server with nothing configured; killed when the test is over.
struct Server {
    process: Child,
    url: String,
    client: Client,
    token: String,
    data: tempfile::TempDir,
}

impl Server {
    async fn start(role: &str) -> Self {
        Self::start_with(role, &[]).await
    }

    async fn start_with(role: &str, settings: &[(&str, &str)]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_darkroom"))
            .args(["serve", "--port", "0"])
            .env_clear()
            .env("DATA_DIR", data.path())
            .env("HOST", "127.0.0.1")
            .env("ROLE", role)
            // What is given back is given back at once, so that what stays is what is kept.
            .env("MIMALLOC_PURGE_DELAY", "0")
            // More than anybody would be allowed.
            .env("RATE_LIMIT_UPLOADS", "0")
            .env("RATE_LIMIT_LOGIN", "0")
            .env("RATE_LIMIT_LOGIN_USERNAME", "0")
            .envs(settings.iter().copied())
            .current_dir(data.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let started = log.by_ref().map_while(Result::ok).find(|line| line.contains("serving on"));
        let started = started.expect("the server starts");
        let port = started.rsplit_once("address=127.0.0.1:").unwrap().1;
        let url = format!("http://127.0.0.1:{}", port.split(' ').next().unwrap());
        // A log that nobody reads would stop the server.
        std::thread::spawn(move || log.for_each(drop));
        let client = Client::builder().no_proxy().build().unwrap();
        let body = json!({ "username": "ada", "password": "correct horse battery" });
        let answer = client.post(format!("{url}/api/v1/auth/register")).json(&body).send().await;
        let issued: Value = answer.unwrap().json().await.unwrap();
        let token = issued["token"].as_str().unwrap().to_owned();
        Self { process, url, client, token, data }
    }

    /// Bytes of the process that are in memory, now or at most so far.
    fn memory(&self, what: &str) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(what)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    /// The peak begins anew: proc(5), clear_refs.
    fn forget_the_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.process.id()), "5").unwrap();
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    async fn upload(&self, bytes: impl Into<reqwest::Body>) -> Response {
        let request = self.request(Method::POST, "/api/v1/images");
        request.header("content-type", "image/jpeg").body(bytes).send().await.unwrap()
    }

    /// The `n`th of an endless row of requests, good and bad; what it should be answered with.
    async fn ask(&self, n: usize, image: &str) -> (StatusCode, u16) {
        let transform = format!("/api/v1/images/{image}/transform");
        let sync = format!("{transform}?sync=true");
        let post = |path: &str, body: Value| self.request(Method::POST, path).json(&body).send();
        let get = |path: String| self.request(Method::GET, &path).send();
        let (answer, expected) = match n % 16 {
            0 => (get("/health".to_owned()).await.unwrap(), 200),
            1 => (self.upload(ROCKET).await, 201),
            2 => (self.upload("no picture").await, 415),
            3 => (self.upload("").await, 415),
            4 => {
                let image: Value = self.upload(&ROCKET[..60_000]).await.json().await.unwrap();
                let path =
                    format!("/api/v1/images/{}/transform?sync=true", image["id"].as_str().unwrap());
                (post(&path, json!({ "rotate": 90 })).await.unwrap(), 422)
            }
            5 => {
                let file = || multipart::Part::bytes(ROCKET).file_name("rocket.jpg");
                let form = multipart::Form::new().part("file", file()).part("file", file());
                let request = self.request(Method::POST, "/api/v1/images").multipart(form);
                (request.send().await.unwrap(), 400)
            }
            6 => (post(&sync, json!({ "resize": { "width": 100 + n % 300 } })).await.unwrap(), 200),
            7 => {
                let spec = json!({ "filters": { "blur": 1 + n % 20 }, "format": "webp" });
                (post(&transform, spec).await.unwrap(), 202)
            }
            8 => (
                post(&sync, json!({ "resize": { "widht": 3 }, "rotate": "x" })).await.unwrap(),
                400,
            ),
            9 => {
                let crop = json!({ "crop": { "x": 9000, "y": 0, "width": 9, "height": 9 } });
                (post(&sync, crop).await.unwrap(), 422)
            }
            10 => (get("/api/v1/images?limit=0".to_owned()).await.unwrap(), 400),
            11 => (get("/api/v1/images?limit=5".to_owned()).await.unwrap(), 200),
            12 => (get(format!("/api/v1/images/{image}/content")).await.unwrap(), 200),
            13 => {
                let body = vec![b' '; 10 * 1024 * 1024];
                (self.request(Method::POST, &sync).body(body).send().await.unwrap(), 413)
            }
            14 => (get("/api/v1/nothing".to_owned()).await.unwrap(), 404),
            _ => {
                let body = json!({ "username": "ada", "password": "wrong password" });
                (post("/api/v1/auth/login", body).await.unwrap(), 401)
            }
        };
        let status = answer.status();
        answer.bytes().await.unwrap();
        (status, expected)
    }

    async fn ask_all(&self, range: std::ops::Range<usize>, image: &str) {
        let asked = stream::iter(range).map(async |n| (n, self.ask(n, image).await));
        let mut asked = std::pin::pin!(asked.buffer_unordered(16));
        while let Some((n, (status, expected))) = asked.next().await {
            assert_eq!(status.as_u16(), expected, "request {n}, of kind {}", n % 16);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Whatever it is asked, the process stays as it was.
#[tokio::test]
async fn a_thousand_requests_leave_nothing_behind() {
    let server = Server::start("both").await;
    let image: Value = server.upload(ROCKET).await.json().await.unwrap();
    let image = image["id"].as_str().unwrap();
    // So long it takes until every thread has had the largest of its work.
    server.ask_all(0..400, image).await;
    let before = server.memory("VmRSS");
    server.ask_all(400..1400, image).await;
    let after = server.memory("VmRSS");
    let grown = after.saturating_sub(before) / MIB;
    assert!(
        grown <= 30,
        "{} MiB after 400 requests, {} MiB after 1,400",
        before / MIB,
        after / MIB
    );
}

/// `SOAK` uploads and deletions, some of the same bytes, some transformed: nothing is left of them, on the disk or in memory.
#[tokio::test]
async fn uploads_and_deletions_leave_nothing() {
    let rounds = std::env::var("SOAK").map_or(1000, |said| said.parse().expect("SOAK is a number"));
    let server = Server::start("both").await;
    let come_and_go = async |n: usize| {
        // Every fourth has the bytes of three others at the same time.
        let tail = if n.is_multiple_of(4) { n / 16 * 16 } else { n };
        let image: Value =
            server.upload([ROCKET, &tail.to_le_bytes()].concat()).await.json().await.unwrap();
        let path = format!("/api/v1/images/{}", image["id"].as_str().unwrap());
        if n.is_multiple_of(10) {
            let spec = json!({ "resize": { "width": 50 + n % 50 } });
            let transform = format!("{path}/transform?sync=true");
            let made = server.request(Method::POST, &transform).json(&spec).send().await.unwrap();
            assert_eq!(made.status(), StatusCode::OK);
        }
        let content = server.request(Method::GET, &format!("{path}/content")).send().await.unwrap();
        assert_eq!(content.bytes().await.unwrap().len(), ROCKET.len() + 8);
        let deleted = server.request(Method::DELETE, &path).send().await.unwrap();
        assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    };
    let come_and_go_all = async |range: std::ops::Range<usize>| {
        stream::iter(range).for_each_concurrent(16, &come_and_go).await;
    };
    come_and_go_all(0..rounds / 2).await;
    let before = server.memory("VmRSS");
    come_and_go_all(rounds / 2..rounds).await;
    let after = server.memory("VmRSS");
    let left = || {
        let objects = server.data.path().join("objects");
        let fans = objects.read_dir().unwrap().map(|fan| fan.unwrap().path());
        let spool = server.data.path().join("spool").read_dir().unwrap().count();
        fans.map(|fan| fan.read_dir().unwrap().count()).sum::<usize>() + spool
    };
    // The janitor comes behind.
    for _ in 0..600 {
        if left() == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(left(), 0, "files of nothing");
    let rows = server.data.path().join("darkroom.db");
    let rows = sqlx::SqlitePool::connect(&format!("sqlite://{}", rows.display())).await.unwrap();
    let count = "SELECT (SELECT count(*) FROM objects) + (SELECT count(*) FROM images) \
                 + (SELECT count(*) FROM variants) + (SELECT count(*) FROM deletion_objects)";
    let count = async || sqlx::query_scalar::<_, i64>(count).fetch_one(&rows).await.unwrap();
    // A row goes after its file.
    for _ in 0..600 {
        if count().await == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(count().await, 0, "rows of nothing");
    eprintln!("{rounds} rounds: {} MiB, then {} MiB", before / MIB, after / MIB);
    // The cache of look-ups may fill, which is 32 MiB, and the database's. Were the bodies kept, it would be 55 MiB for a thousand.
    let grown = after.saturating_sub(before) / MIB;
    assert!(grown <= 32 + 16, "{} MiB, then {} MiB", before / MIB, after / MIB);
}

/// A body is never held in memory, however large it is, on its way in and on its way out. No worker is there to look at the picture
/// afterwards: what that takes is not the upload's.
async fn bodies_are_streamed(storage: &[(&str, &str)]) {
    let settings = [&[("MAX_UPLOAD_SIZE", "128MiB")][..], storage].concat();
    let server = Server::start_with("api", &settings).await;
    // A JPEG may be followed by anything.
    let there_and_back = async |mebibytes: usize| {
        let mut file = ROCKET.to_vec();
        file.resize(mebibytes * 1024 * 1024, 0);
        let answer = server.upload(file).await;
        assert_eq!(answer.status(), StatusCode::CREATED);
        let image: Value = answer.json().await.unwrap();
        let path = image["original_url"].as_str().unwrap();
        let content = server.request(Method::GET, path).send().await.unwrap();
        assert_eq!(content.status(), StatusCode::OK);
        let mut content = content.bytes_stream();
        let mut bytes = 0;
        while let Some(piece) = content.next().await {
            bytes += piece.unwrap().len();
        }
        assert_eq!(bytes, mebibytes * 1024 * 1024);
        server.memory("VmHWM")
    };
    // What the threads keep for a body on its way, they have after the first.
    let before = there_and_back(16).await;
    let grown = there_and_back(128 - 1).await.saturating_sub(before) / MIB;
    assert!(grown <= 16, "the peak rose by {grown} MiB for 127 MiB");
}

#[tokio::test]
async fn bodies_are_streamed_to_the_disk() {
    bodies_are_streamed(&[]).await;
}

#[tokio::test]
async fn bodies_are_streamed_to_a_bucket() {
    let server = s3_server::S3Server::start();
    let s3 = server.settings();
    let (endpoint, (key, secret)) = (s3.endpoint.unwrap(), s3.keys.unwrap());
    bodies_are_streamed(&[
        ("S3_BUCKET", &s3.bucket),
        ("S3_ENDPOINT", &endpoint),
        ("S3_ACCESS_KEY_ID", &key),
        ("S3_SECRET_ACCESS_KEY", secret.expose_secret()),
    ])
    .await;
}

#[tokio::test]
async fn bodies_are_streamed_to_cloudinary() {
    let cloud = fake_cloudinary::FakeCloudinary::start();
    let settings = cloud.settings();
    bodies_are_streamed(&[
        ("CLOUDINARY_CLOUD_NAME", &settings.cloud_name),
        ("CLOUDINARY_API_KEY", &settings.api_key),
        ("CLOUDINARY_API_SECRET", fake_cloudinary::SECRET),
        ("CLOUDINARY_UPLOAD_PREFIX", &settings.upload_prefix),
        ("CLOUDINARY_DELIVERY_PREFIX", &settings.delivery_prefix),
    ])
    .await;
}

/// However many pictures are asked for at once, those being made take no more than they may together; one that alone might take
/// more is refused.
#[tokio::test]
async fn all_threads_together_keep_to_the_memory_they_were_given() {
    const BUDGET: u64 = 128;
    let settings = [
        ("TRANSFORM_MEMORY", "128MiB"),
        ("TRANSFORM_THREADS", "4"),
        // Who waits for the others shall not be refused for it.
        ("TRANSFORM_TIMEOUT", "10m"),
        ("DRAIN_TIMEOUT", "11m"),
    ];
    let server = Server::start_with("api", &settings).await;
    // One takes some 50 MiB, and at most 100 as far as its headers tell.
    let noisy = |width, height| {
        image::RgbImage::from_fn(width, height, |x, y| {
            let noise = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)) >> 27;
            image::Rgb([noise, x / 16 + noise, y / 9].map(|value| value.to_le_bytes()[0]))
        })
    };
    let upload = async |width, height| {
        let mut file = std::io::Cursor::new(Vec::new());
        noisy(width, height).write_to(&mut file, image::ImageFormat::Jpeg).unwrap();
        let image: Value = server.upload(file.into_inner()).await.json().await.unwrap();
        format!("/api/v1/images/{}/transform?sync=true", image["id"].as_str().unwrap())
    };
    let (path, too_large) = (upload(3000, 2000).await, upload(5000, 3000).await);
    let ask = async |path: &str, quality: u32| {
        let spec = json!({ "quality": quality });
        server.request(Method::POST, path).json(&spec).send().await.unwrap()
    };
    // What there is for the first picture stays.
    assert_eq!(ask(&path, 50).await.status(), StatusCode::OK);

    let refused = ask(&too_large, 50).await;
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let refused: Value = refused.json().await.unwrap();
    assert_eq!(refused["code"], "image_too_large");
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("at most 128 (TRANSFORM_MEMORY)"), "{detail}");

    let before = server.memory("VmRSS");
    let asked = stream::iter(51..59).map(|quality| ask(&path, quality)).buffer_unordered(8);
    let answers: Vec<_> = asked.map(|answer| answer.status()).collect().await;
    assert_eq!(answers, [StatusCode::OK; 8]);
    let grown = server.memory("VmHWM").saturating_sub(before) / MIB;
    assert!(grown <= BUDGET, "{grown} MiB more than before, of {BUDGET}");
}

/// Pictures of all kinds at once, each of which alone takes a good part of what all may take together: nothing is refused, and
/// never is more taken.
#[tokio::test]
async fn pictures_of_all_kinds_together_keep_to_the_memory_they_were_given() {
    const BUDGET: u64 = 96;
    let settings = [
        // As the program has it where nobody asks for anything else.
        ("MIMALLOC_PURGE_DELAY", "10"),
        ("TRANSFORM_MEMORY", "96MiB"),
        ("TRANSFORM_THREADS", "4"),
        // Who waits for the others shall not be refused for it.
        ("TRANSFORM_TIMEOUT", "10m"),
        ("DRAIN_TIMEOUT", "11m"),
    ];
    let server = Server::start_with("api", &settings).await;
    let kinds = pictures::all();
    let orders = [
        ("jpeg", 1.2e6, json!({ "format": "webp" })),
        ("progressive", 4.0e6, json!({ "resize": { "width": 300 }, "format": "png" })),
        ("inks", 2.0e6, json!({ "resize": { "width": 400 } })),
        ("jpeg", 3.0e6, json!({ "rotate": 90, "profile": "fast" })),
        ("opaque png", 2.0e6, json!({ "flip": true })),
        ("interlaced png", 1.5e6, json!({ "resize": { "width": 0.2 } })),
        ("deep png", 0.5e6, json!({ "resize": { "width": 0.5 }, "profile": "fast" })),
        ("lossy webp", 3.0e6, json!({ "resize": { "width": 300 } })),
        ("webp", 0.6e6, json!({ "lossless": true, "resize": { "width": 0.5 } })),
        ("halved avif", 3.0e6, json!({ "resize": { "width": 300 }, "format": "jpeg" })),
        ("jpeg", 0.7e6, json!({ "format": "avif", "profile": "fast" })),
        ("gif", 1.0e6, json!({ "resize": { "width": 0.3 } })),
        ("deep tiff", 1.0e6, json!({ "format": "jpeg" })),
        ("jpeg", 1.5e6, json!({ "format": "jpeg", "quality": "auto" })),
    ];
    let upload = async |file: Vec<u8>| {
        let image: Value = server.upload(file).await.json().await.unwrap();
        format!("/api/v1/images/{}/transform?sync=true", image["id"].as_str().unwrap())
    };
    let ask = async |(path, spec): &(String, Value)| {
        let answer = server.request(Method::POST, path).json(spec).send().await.unwrap();
        let (status, body) = (answer.status(), answer.bytes().await.unwrap());
        assert_eq!(status, StatusCode::OK, "{spec}: {}", String::from_utf8_lossy(&body));
    };
    let (mut asked, mut files, mut predicted) = (Vec::new(), 0, 0);
    for (kind, pixels, spec) in &orders {
        // What is there for the first picture of a kind stays.
        ask(&(upload(kinds[kind](20_000.0)).await, spec.clone())).await;
        let file = kinds[kind](*pixels);
        files += file.len() as u64;
        predicted += cost(&file, spec);
        asked.push((upload(file).await, spec.clone()));
    }
    assert!(predicted / MIB > BUDGET * 3, "{} MiB are nothing to wait for", predicted / MIB);
    server.forget_the_peak();
    let before = server.memory("VmRSS");
    stream::iter(&asked).for_each_concurrent(None, &ask).await;
    let grown = server.memory("VmHWM").saturating_sub(before) / MIB;
    // The files themselves are held by whoever waits.
    let files = files / MIB;
    assert!(grown <= BUDGET + files, "{grown} MiB more than before, of {BUDGET}; {files} of files");
}

/// Bytes that the engine foresees.
fn cost(file: &[u8], spec: &Value) -> u64 {
    let limits = Limits::default();
    let probe = imaging::probe(Cursor::new(file), &limits).unwrap();
    let spec = Spec::parse(spec).unwrap().resolved(probe.source(), None);
    imaging::predict(&spec, &probe, &BTreeMap::new(), &limits).unwrap().memory
}
