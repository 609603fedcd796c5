//! A Cloudinary of the test's own: the parts of its protocol that are published and that storing takes. It checks signatures by code
//! of its own, and fails on command.

mod api;
mod delivery;
mod signature;

use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Instant,
};

use bytes::Bytes;
use darkroom::config::{self, SignatureAlgorithm};
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    HeaderMap, Response,
    body::{Frame, Incoming},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::watch, task::AbortHandle};

pub const SECRET: &str = "a-secret-that-nobody-may-see";

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    Upload,
    Destroy,
    /// The destroying of what never was.
    Ping,
    Delivery,
}

/// How a request fails.
#[derive(Debug, Clone, Copy)]
pub enum Failure {
    /// It is answered with this status and message.
    Status(u16, &'static str),
    /// It is answered with this status, and that it should come again in so many seconds.
    Later(u16, u32),
    /// So it is answered before it was read, and the connection ends. Of an upload.
    Early(u16, &'static str),
    /// The connection ends before the request does.
    Drop,
    /// The file ends half-way. Of a delivery.
    Truncate,
    /// The file is another one of that length. Of a delivery.
    Change,
}

/// How the way there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    Open,
    /// Connections end.
    Cut,
    /// Nothing is ever answered.
    Silent,
}

/// How the cloud is set up.
#[derive(Debug, Clone)]
pub struct Options {
    pub algorithm: SignatureAlgorithm,
    /// The plan's limit.
    pub max_bytes: u64,
    /// Whether any bytes pass for a picture of the format that their name says.
    pub opens_anything: bool,
    /// Whether an upload preset changes pictures.
    pub changes_images: bool,
    /// Whether its CDN knows parts of files.
    pub knows_ranges: bool,
}

/// A request that came.
#[derive(Debug, Clone)]
pub struct Request {
    pub endpoint: Endpoint,
    /// Path and query.
    pub target: String,
    pub headers: HeaderMap,
    /// What a form had but the file.
    pub fields: Vec<(String, String)>,
    pub at: Instant,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

struct Asset {
    format: Option<String>,
    bytes: Bytes,
    version: u64,
    id: String,
}

/// What of a file in chunks has come.
#[derive(Default)]
struct Partial {
    public_id: String,
    total: u64,
    last_start: usize,
    bytes: Vec<u8>,
}

struct World {
    address: SocketAddr,
    options: Options,
    /// By resource type, type and public id.
    assets: HashMap<(String, String, String), Asset>,
    partials: HashMap<String, Partial>,
    failures: Vec<(Endpoint, Failure)>,
    requests: Vec<Request>,
    uploads: u64,
}

type Answer = Response<UnsyncBoxBody<Bytes, std::io::Error>>;

/// Answers as long as it is kept.
pub struct FakeCloudinary {
    world: Arc<Mutex<World>>,
    link: watch::Sender<Link>,
    task: AbortHandle,
}

impl FakeCloudinary {
    /// One that runs.
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let world = Arc::new(Mutex::new(World {
            address: listener.local_addr().unwrap(),
            options: Options {
                algorithm: SignatureAlgorithm::Sha1,
                max_bytes: u64::MAX,
                opens_anything: false,
                changes_images: false,
                knows_ranges: true,
            },
            assets: HashMap::new(),
            partials: HashMap::new(),
            failures: Vec::new(),
            requests: Vec::new(),
            uploads: 0,
        }));
        let (link, watched) = watch::channel(Link::Open);
        let listener = TcpListener::from_std(listener).unwrap();
        let task = tokio::spawn(listen(listener, world.clone(), watched)).abort_handle();
        Self { world, link, task }
    }

    /// One that takes any bytes for a picture.
    pub fn credulous() -> Self {
        let fake = Self::start();
        fake.set(|options| options.opens_anything = true);
        fake
    }

    /// What makes a storage of it.
    pub fn settings(&self) -> config::Cloudinary {
        let world = self.world();
        config::Cloudinary {
            cloud_name: "demo".to_owned(),
            api_key: "1234567890".to_owned(),
            api_secret: SECRET.into(),
            folder: "pictures/of tests".to_owned(),
            upload_prefix: format!("http://{}", world.address),
            delivery_prefix: format!("http://{}/demo", world.address),
            algorithm: world.options.algorithm,
        }
    }

    pub fn set(&self, change: impl FnOnce(&mut Options)) {
        change(&mut self.world().options);
    }

    pub fn set_link(&self, link: Link) {
        self.link.send_replace(link);
    }

    /// The next `times` requests of this kind fail like this, after those that were ordered before.
    pub fn fail_next(&self, endpoint: Endpoint, times: usize, failure: Failure) {
        self.world().failures.extend(std::iter::repeat_n((endpoint, failure), times));
    }

    /// What came of this kind.
    pub fn requests(&self, endpoint: Endpoint) -> Vec<Request> {
        let world = self.world();
        world.requests.iter().filter(|request| request.endpoint == endpoint).cloned().collect()
    }

    /// What is kept: resource type, type and public id.
    pub fn assets(&self) -> Vec<(String, String, String)> {
        let mut names: Vec<_> = self.world().assets.keys().cloned().collect();
        names.sort();
        names
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }
}

impl Drop for FakeCloudinary {
    fn drop(&mut self) {
        self.set_link(Link::Cut);
        self.task.abort();
    }
}

async fn listen(listener: TcpListener, world: Arc<Mutex<World>>, link: watch::Receiver<Link>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (world, mut cut, mut link) = (world.clone(), link.clone(), link.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| answer(world.clone(), link.clone(), request));
            let server = hyper::server::conn::http1::Builder::new();
            let connection = server.serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                // A connection that breaks is what was ordered, or what its client wants.
                _ = connection => {}
                _ = cut.wait_for(|link| *link == Link::Cut) => {}
            }
            link.mark_unchanged();
        });
    }
}

async fn answer(
    world: Arc<Mutex<World>>,
    mut link: watch::Receiver<Link>,
    request: hyper::Request<Incoming>,
) -> std::io::Result<Answer> {
    let at = Instant::now();
    link.wait_for(|link| *link != Link::Silent).await.map_err(std::io::Error::other)?;
    let (head, mut body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let target = head.uri.to_string();
    let is_call = path.starts_with("/v1_1/");
    // Of what is to fail before it is read, it is only known where it went.
    let likely = match () {
        () if !is_call => Endpoint::Delivery,
        () if path.ends_with("/upload") => Endpoint::Upload,
        () => Endpoint::Destroy,
    };
    let is_early = |failure| matches!(failure, Failure::Drop | Failure::Early(..));
    if let Some(failure) = next_failure(&world, likely, is_early) {
        let _ = body.frame().await;
        let (headers, fields) = (head.headers, Vec::new());
        let request = Request { endpoint: likely, target, headers, fields, at };
        world.lock().unwrap().requests.push(request);
        return match failure {
            Failure::Early(status, message) => Ok(refusal(status, message)),
            _ => Err(std::io::Error::other("dropped, as ordered")),
        };
    }
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let form = api::Form::read(&head.headers, body).await;
    let is_ping = form.field("public_id").is_some_and(|id| id.ends_with("/ping"));
    let endpoint = if is_ping { Endpoint::Ping } else { likely };
    let (headers, fields) = (head.headers.clone(), form.fields.clone());
    world.lock().unwrap().requests.push(Request { endpoint, target, headers, fields, at });
    let failure = next_failure(&world, endpoint, |_| true);
    match failure {
        Some(Failure::Status(status, message)) => return Ok(refusal(status, message)),
        Some(Failure::Later(status, seconds)) => {
            let mut answer = refusal(status, "Rate Limit Exceeded");
            answer.headers_mut().insert("retry-after", seconds.into());
            return Ok(answer);
        }
        _ => {}
    }
    let mut world = world.lock().unwrap();
    if is_call {
        return Ok(world.call(&path, &head.headers, &form));
    }
    let answer = world.deliver(&path, &head.headers);
    Ok(answer.map(|bytes| spoiled(bytes, failure)))
}

fn next_failure(
    world: &Mutex<World>,
    endpoint: Endpoint,
    is_meant: impl Fn(Failure) -> bool,
) -> Option<Failure> {
    let failures = &mut world.lock().unwrap().failures;
    let first = failures.iter().position(|(of, _)| *of == endpoint)?;
    is_meant(failures[first].1).then(|| failures.remove(first).1)
}

/// A file on its way, as it was ordered.
fn spoiled(bytes: Bytes, failure: Option<Failure>) -> UnsyncBoxBody<Bytes, std::io::Error> {
    let half = bytes.slice(..bytes.len() / 2);
    match failure {
        Some(Failure::Truncate) => {
            let broken = async {
                // What came before is sent first.
                tokio::task::yield_now().await;
                Err(std::io::Error::other("truncated, as ordered"))
            };
            let pieces = stream::iter([Ok(Frame::data(half))]).chain(stream::once(broken));
            StreamBody::new(pieces).boxed_unsync()
        }
        Some(Failure::Change) => {
            let changed: Vec<u8> = bytes.iter().map(|byte| !byte).collect();
            full(changed.into())
        }
        _ => full(bytes),
    }
}

fn full(bytes: Bytes) -> UnsyncBoxBody<Bytes, std::io::Error> {
    Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync()
}

fn json(status: u16, value: &serde_json::Value) -> Answer {
    let answer = Response::builder().status(status).header("content-type", "application/json");
    answer.body(full(value.to_string().into())).unwrap()
}

fn refusal(status: u16, message: &str) -> Answer {
    let mut answer = json(status, &serde_json::json!({ "error": { "message": message } }));
    answer.headers_mut().insert("x-cld-error", message.parse().unwrap());
    answer
}
