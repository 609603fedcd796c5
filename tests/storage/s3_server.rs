//! A server that speaks S3, with a bucket in a directory of its own; it checks signatures, and counts what it is asked.

use std::{
    convert::Infallible,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use bytes::Bytes;
use darkroom::config::S3;
use hyper::{Method, Request, Response, StatusCode, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{
    auth::SimpleAuth,
    service::{S3Service, S3ServiceBuilder},
};
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    sync::{OwnedRwLockWriteGuard, RwLock, oneshot},
};

/// The bucket that is there.
pub const BUCKET: &str = "pictures";
pub const KEY: &str = "AKIAOFTHETESTS";
pub const SECRET: &str = "0cb1d9a15a2c4e6f8091a2b3c4d5e6f708192a3b";

/// What it was asked, and how fast it is.
#[derive(Default)]
pub struct Asked {
    /// Objects, and parts of objects.
    puts: AtomicUsize,
    gets: AtomicUsize,
    deletes: AtomicUsize,
    /// Milliseconds before anything is stored.
    pause: AtomicU64,
    /// Held for an update while nothing is to be stored.
    gate: Arc<RwLock<()>>,
    /// Uploads in parts of whose completion nobody shall hear.
    lost: AtomicUsize,
}

/// The server; gone when it goes out of scope.
pub struct S3Server {
    root: Arc<TempDir>,
    asked: Arc<Asked>,
    address: SocketAddr,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl S3Server {
    /// Starts one with nothing in it.
    pub fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join(BUCKET)).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server =
            Self { root: Arc::new(root), asked: Arc::default(), address, running: None };
        server.resume();
        server
    }

    /// Serves again, where it did before.
    pub fn resume(&mut self) {
        let (stop, stopped) = oneshot::channel::<()>();
        let (root, asked, address) = (self.root.clone(), self.asked.clone(), self.address);
        let (tell, told) = std::sync::mpsc::channel();
        // On a thread of its own: some tests block theirs.
        let thread = std::thread::spawn(move || {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            let runtime = builder.worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind(address).await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                tokio::select! {
                    () = serve(listener, root, asked) => {}
                    _ = stopped => {}
                }
            });
            // Whoever is connected is cut off.
            runtime.shutdown_timeout(Duration::from_secs(1));
        });
        self.address = told.recv().unwrap();
        self.running = Some((stop, thread));
    }

    /// Serves no more; what is stored stays.
    pub fn stop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            let _ = stop.send(());
            let _ = thread.join();
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Settings with which it lets in.
    pub fn settings(&self) -> S3 {
        S3 {
            bucket: BUCKET.to_owned(),
            region: "us-east-1".to_owned(),
            endpoint: Some(self.url()),
            keys: Some((KEY.to_owned(), SECRET.into())),
            path_style: true,
            prefix: "of-the-tests/".to_owned(),
        }
    }

    /// The bucket, as a directory.
    pub fn bucket(&self) -> std::path::PathBuf {
        self.root.path().join(BUCKET)
    }

    /// How many objects, and parts of objects, were sent to it.
    pub fn puts(&self) -> usize {
        self.asked.puts.load(Ordering::SeqCst)
    }

    /// How often it was asked for an object.
    pub fn gets(&self) -> usize {
        self.asked.gets.load(Ordering::SeqCst)
    }

    /// How often it was told to delete an object.
    pub fn deletes(&self) -> usize {
        self.asked.deletes.load(Ordering::SeqCst)
    }

    /// Has it wait before it stores anything.
    pub fn slow_down(&self, pause: Duration) {
        self.asked.pause.store(u64::try_from(pause.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// Has it store nothing as long as what is returned lives.
    pub async fn hold(&self) -> OwnedRwLockWriteGuard<()> {
        self.asked.gate.clone().write_owned().await
    }

    /// Loses the answers to the next so many completions of uploads in parts.
    pub fn lose_completions(&self, times: usize) {
        self.asked.lost.store(times, Ordering::SeqCst);
    }

    /// Uploads in parts that were neither completed nor aborted.
    pub fn uploads(&self) -> usize {
        self.named(".upload-")
    }

    /// Parts that are no object yet.
    pub fn parts(&self) -> usize {
        self.named(".upload_id-")
    }

    fn named(&self, start: &str) -> usize {
        let entries = self.root.path().read_dir().unwrap().map(Result::unwrap);
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        names.filter(|name| name.starts_with(start)).count()
    }

    /// What it was told of its objects beside their bytes.
    pub fn said(&self) -> Vec<String> {
        let entries = self.root.path().read_dir().unwrap().map(|entry| entry.unwrap().path());
        let told = entries.filter(|path| path.display().to_string().ends_with(".metadata.json"));
        told.map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }

    /// What is in the bucket.
    pub fn objects(&self) -> Vec<String> {
        fn walk(root: &Path, directory: &Path, found: &mut Vec<String>) {
            for entry in directory.read_dir().unwrap().map(Result::unwrap) {
                let path = entry.path();
                if path.is_dir() {
                    walk(root, &path, found);
                } else {
                    found.push(path.strip_prefix(root).unwrap().display().to_string());
                }
            }
        }
        let (bucket, mut found) = (self.bucket(), Vec::new());
        walk(&bucket, &bucket, &mut found);
        found.sort();
        found
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn serve(listener: TcpListener, root: Arc<TempDir>, asked: Arc<Asked>) {
    let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root.path()).unwrap());
    builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
    let service = builder.build();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (root, asked, service) = (root.clone(), asked.clone(), service.clone());
        tokio::spawn(async move {
            let answer =
                service_fn(|request| answer(request, service.clone(), root.clone(), asked.clone()));
            // A client that leaves is no fault here.
            let _ = Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    service: S3Service,
    root: Arc<TempDir>,
    asked: Arc<Asked>,
) -> Result<Response<s3s::Body>, Infallible> {
    let bucket = request.uri().path().split('/').nth(1).unwrap_or_default();
    // s3s-fs says of every object of a bucket that is not there that there is no such key; S3 says what is missing.
    if !root.path().join(bucket).is_dir() {
        return Ok(missing("NoSuchBucket"));
    }
    let upload = request.uri().query().and_then(|query| query.strip_prefix("uploadId="));
    let completed = upload.filter(|_| request.method() == Method::POST);
    let is_completion = completed.is_some();
    // s3s-fs says of an upload that it does not know that it may not be touched.
    if completed.is_some_and(|id| !root.path().join(format!(".upload-{id}.json")).is_file()) {
        return Ok(missing("NoSuchUpload"));
    }
    match *request.method() {
        // What it has already it need not be sent.
        Method::PUT if !request.headers().contains_key("x-amz-copy-source") => {
            asked.puts.fetch_add(1, Ordering::SeqCst);
            let pause = Duration::from_millis(asked.pause.load(Ordering::SeqCst));
            tokio::time::sleep(pause).await;
            drop(asked.gate.read().await);
        }
        Method::GET => {
            asked.gets.fetch_add(1, Ordering::SeqCst);
        }
        Method::DELETE => {
            asked.deletes.fetch_add(1, Ordering::SeqCst);
        }
        _ => {}
    }
    let answered = service.call(request.map(s3s::Body::from)).await;
    let lose = |left: usize| left.checked_sub(1);
    if is_completion && asked.lost.fetch_update(Ordering::SeqCst, Ordering::SeqCst, lose).is_ok() {
        return Ok(said(StatusCode::BAD_GATEWAY, ""));
    }
    Ok(answered.unwrap_or_else(|error| panic!("{error:?}")))
}

fn missing(what: &str) -> Response<s3s::Body> {
    said(
        StatusCode::NOT_FOUND,
        &format!("<Error><Code>{what}</Code><Message>None</Message></Error>"),
    )
}

fn said(status: StatusCode, body: &str) -> Response<s3s::Body> {
    let body = s3s::Body::from(Bytes::copy_from_slice(body.as_bytes()));
    Response::builder().status(status).body(body).unwrap()
}
