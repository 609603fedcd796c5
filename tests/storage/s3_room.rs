//! What is on its way to S3 takes so much memory and no more, however many store something.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use darkroom::{adapters::storage::Body, config::S3};
use futures_util::stream;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, StatusCode, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};
use tokio::{net::TcpListener, task::JoinSet};

use crate::{s3_alone::opened, verbs::key};

const PIECE: u64 = 64 << 10;
/// What may be in memory at once.
const ROOM: u64 = 64 << 20;

/// Bytes that were read, those of them that the server has, and the most that were between the two.
#[derive(Default)]
struct Counted {
    read: AtomicU64,
    received: AtomicU64,
    most: AtomicU64,
}

impl Counted {
    fn read(&self) {
        let read = self.read.fetch_add(PIECE, Ordering::SeqCst) + PIECE;
        let received = self.received.load(Ordering::SeqCst);
        self.most.fetch_max(read.saturating_sub(received), Ordering::SeqCst);
    }
}

/// `size` zeros, counted as they are read.
fn body(size: u64, counted: &Arc<Counted>) -> Body {
    let piece = Bytes::from(vec![0; 64 << 10]);
    let mut hash = Sha256::new();
    (0..size / PIECE).for_each(|_| hash.update(&piece));
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let counted = counted.clone();
    Body::opened(size, sha256, move |part| {
        let (piece, counted) = (piece.clone(), counted.clone());
        let pieces = (0..(part.end - part.start) / PIECE).map(move |_| {
            counted.read();
            Ok(piece.clone())
        });
        Box::pin(stream::iter(pieces))
    })
}

/// A bucket that is slow to take anything, and throws it away: nothing that takes a machine's time.
async fn answer(
    request: Request<Incoming>,
    counted: Arc<Counted>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, mut body) = request.into_parts();
    let is_begin = head.uri.query().is_some_and(|query| query.starts_with("uploads"));
    let (status, told) = match head.method {
        Method::PUT => (StatusCode::OK, ""),
        Method::POST if is_begin => (
            StatusCode::OK,
            "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>",
        ),
        Method::POST => (
            StatusCode::OK,
            "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>",
        ),
        _ => (StatusCode::NOT_FOUND, "<Error><Code>NoSuchKey</Code></Error>"),
    };
    if head.method == Method::PUT {
        tokio::time::sleep(Duration::from_millis(200)).await;
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, |data| data.len() as u64);
            counted.received.fetch_add(length, Ordering::SeqCst);
        }
    }
    let response = Response::builder().status(status).header("etag", "e");
    Ok(response.body(Full::from(told)).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_bounded_however_many_are_stored() {
    let counted = Arc::<Counted>::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let count = counted.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let count = count.clone();
            let answering = service_fn(move |request| answer(request, count.clone()));
            let server = hyper::server::conn::http1::Builder::new();
            tokio::spawn(server.serve_connection(TokioIo::new(stream), answering));
        }
    });
    let s3 = S3 {
        bucket: "pictures".to_owned(),
        region: "us-east-1".to_owned(),
        endpoint: Some(endpoint),
        keys: Some(("key".to_owned(), "secret".into())),
        path_style: true,
        prefix: String::new(),
    };
    let sandbox = Arc::new(opened(s3).await);
    // Sent by one request, and in parts, one of which is not full.
    let sizes = [4 << 20, 4 << 20, 17 << 20].repeat(5);
    let all: u64 = sizes.iter().sum();
    let mut storing = JoinSet::new();
    for (n, size) in sizes.into_iter().enumerate() {
        let (sandbox, body) = (sandbox.clone(), body(size, &counted));
        storing.spawn(async move { sandbox.put(&key(&n.to_string()), body).await });
    }
    for stored in storing.join_all().await {
        stored.unwrap();
    }
    assert_eq!(counted.received.load(Ordering::SeqCst), all);
    let most = counted.most.load(Ordering::SeqCst);
    assert!(most > ROOM / 2 && most <= ROOM, "{most} bytes at once");
}
