//! What S3 does beside what every backend does.

use std::time::{Duration, Instant};

use bytes::Bytes;
use darkroom::{
    adapters::storage::{Body, CheckStorage, PutObject},
    config::{S3, StorageKind},
    domain::error::{Code, Error},
};
use tokio::net::TcpListener;

use crate::{
    Sandbox,
    s3_server::{KEY, S3Server, SECRET},
    settings,
    verbs::{false_body, key, noise, sha256},
};

/// In two seconds whoever needs the storage learns that it is gone; a machine that stands still is given more. Whoever waited for the
/// storage itself would wait for a minute.
const SOON: Duration = Duration::from_secs(20);

pub async fn opened(s3: S3) -> Sandbox {
    let mut settings = settings(StorageKind::S3);
    settings.s3 = Some(s3);
    Sandbox::open(settings, ()).await
}

/// What the operator reads when a storage with these settings is looked at, and used.
async fn refused(s3: S3) -> String {
    let sandbox = opened(s3).await;
    let put = sandbox.put(&key("a"), Body::bytes("x".into())).await.unwrap_err();
    assert_eq!(put.code, Code::DependencyUnavailable);
    let checked: Error = opened_again(&sandbox).await;
    checked.cause.unwrap()
}

async fn opened_again(sandbox: &Sandbox) -> Error {
    let error = sandbox.ask(CheckStorage).await.unwrap_err();
    assert_eq!(error.code, Code::DependencyUnavailable);
    error
}

#[tokio::test]
async fn a_wrong_key_is_told_of() {
    let server = S3Server::start();
    let wrong_secret = "not-the-secret-of-the-key";
    for (id, secret) in [(KEY, wrong_secret), ("AKIANOBODY", SECRET)] {
        let mut s3 = server.settings();
        s3.keys = Some((id.to_owned(), secret.into()));
        let cause = refused(s3).await;
        assert!(cause.contains("S3_SECRET_ACCESS_KEY"), "{cause}");
        assert!(!cause.contains(secret) && !cause.contains(SECRET), "{cause}");
    }
    assert!(server.objects().is_empty());
}

#[tokio::test]
async fn a_missing_bucket_is_told_of() {
    let server = S3Server::start();
    let mut s3 = server.settings();
    s3.bucket = "nowhere".to_owned();
    let cause = refused(s3.clone()).await;
    assert!(cause.contains("NoSuchBucket") && cause.contains("S3_BUCKET"), "{cause}");
    // An object in it is not gone: it can't be said what it is.
    let sandbox = opened(s3).await;
    let object = darkroom::domain::object::Object::new(&key("a"), 1, &sha256(b"x"));
    assert_eq!(sandbox.get(&object).await.unwrap_err().code, Code::DependencyUnavailable);
}

#[tokio::test]
async fn what_is_no_bucket_is_told_of() {
    // A web server that knows no such page.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            let answer =
                "HTTP/1.1 404 Not Found\r\ncontent-length: 9\r\nconnection: close\r\n\r\nnot found";
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let server = S3Server::start();
    let s3 = S3 { endpoint: Some(endpoint), ..server.settings() };
    let sandbox = opened(s3.clone()).await;
    assert!(opened_again(&sandbox).await.cause.unwrap().contains("404"));
    // Of an object it can't say anything: that it is not there, least of all.
    let object = darkroom::domain::object::Object::new(&key("a"), 1, &sha256(b"x"));
    let body = |size| Body::bytes(noise(size));
    let asked = [
        opened(s3.clone()).await.get(&object).await.map(drop),
        opened(s3.clone()).await.part(&object, 0..1).await.map(drop),
        opened(s3.clone()).await.put(&object.key, body(1)).await.map(drop),
        opened(s3.clone()).await.put(&object.key, body(9 << 20)).await.map(drop),
        opened(s3).await.delete(&object.key).await,
    ];
    for (n, answer) in asked.into_iter().enumerate() {
        assert_eq!(answer.unwrap_err().code, Code::DependencyUnavailable, "{n}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_completion_that_nobody_heard_of_is_one() {
    let server = S3Server::start();
    let sandbox = opened(server.settings()).await;
    server.lose_completions(1);
    let object = sandbox.stored(&key("large"), noise(9 << 20)).await;
    assert_eq!(sandbox.get(&object).await.unwrap(), noise(9 << 20));
    assert_eq!((server.uploads(), server.parts()), (0, 0));
}

#[tokio::test]
async fn a_server_that_is_gone_is_noticed_soon_and_found_again() {
    let mut server = S3Server::start();
    let sandbox = opened(server.settings()).await;
    let object = sandbox.stored(&key("a"), "was there").await;
    server.stop();
    for _ in 0..3 {
        let asked = Instant::now();
        let error = sandbox.get(&object).await.unwrap_err();
        assert_eq!(error.code, Code::DependencyUnavailable);
        assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    }
    let asked = Instant::now();
    let put = sandbox.put(&key("b"), Body::bytes(noise(1000))).await.unwrap_err();
    assert_eq!(put.code, Code::DependencyUnavailable);
    assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    server.resume();
    let back = Instant::now();
    while sandbox.get(&object).await.is_err() {
        assert!(back.elapsed() < Duration::from_secs(60), "it is never found again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    sandbox.ask(CheckStorage).await.unwrap();
}

#[tokio::test]
async fn a_server_that_says_nothing_is_noticed_soon() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            held.push(listener.accept().await.unwrap());
        }
    });
    let server = S3Server::start();
    let sandbox = opened(S3 { endpoint: Some(endpoint), ..server.settings() }).await;
    for size in [1000, 20 << 20] {
        let body = Body::bytes(noise(size));
        let asked = Instant::now();
        let put = sandbox.put(&key("a"), body).await.unwrap_err();
        assert_eq!(put.code, Code::DependencyUnavailable);
        assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_fails_leaves_no_parts() {
    let server = S3Server::start();
    let sandbox = opened(server.settings()).await;
    let (size, bytes) = (20 << 20, noise(20 << 20));
    let halves = || vec![Ok(bytes.slice(..9 << 20)), Ok(bytes.slice(9 << 20..))];
    let broken = || {
        let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        vec![Ok(bytes.slice(..18 << 20)), Err(broken)]
    };
    let bodies = [
        false_body(size, sha256(&bytes), broken()),
        false_body(size, sha256(b"other"), halves()),
        false_body(size + 1, sha256(&bytes), halves()),
        false_body(size - 1, sha256(&bytes), halves()),
    ];
    for body in bodies {
        sandbox.put(&key("large"), body).await.unwrap_err();
        assert_eq!((server.uploads(), server.parts(), server.objects().len()), (0, 0, 0));
    }
    assert!(server.puts() >= 4, "parts of them had been sent");
    let object = sandbox.stored(&key("large"), bytes.clone()).await;
    assert_eq!(server.uploads(), 0);
    assert_eq!(sandbox.get(&object).await.unwrap(), bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_nobody_waits_for_leaves_no_parts() {
    let server = S3Server::start();
    server.slow_down(Duration::from_millis(200));
    let sandbox = opened(server.settings()).await;
    let body = Body::bytes(noise(60 << 20));
    let put = sandbox.ask(PutObject { key: key("large"), body });
    let begun = async {
        while server.puts() == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        _ = put => panic!("it was too quick"),
        begun = tokio::time::timeout(Duration::from_secs(30), begun) => begun.unwrap(),
    }
    let since = Instant::now();
    while server.uploads() > 0 {
        assert!(since.elapsed() < Duration::from_secs(10), "{} are left", server.uploads());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // A part that was on its way may come behind it, here as at Amazon; there a lifecycle rule clears it.
    assert!(server.parts() <= 2, "{} are left", server.parts());
    assert!(server.objects().is_empty());
}

#[tokio::test]
async fn an_object_lies_under_the_prefix_and_says_what_it_is() {
    let server = S3Server::start();
    let sandbox = opened(server.settings()).await;
    sandbox.stored(&key("a"), "not really a picture").await;
    sandbox.stored(&key("b"), Bytes::from(vec![1; 9 << 20])).await;
    let names = server.objects();
    assert_eq!(names.len(), 2);
    let account = "of-the-tests/0199e0a0-0000-7000-8000-000000000000";
    assert_eq!(names, [format!("{account}/a.jpg"), format!("{account}/b.jpg")]);
    let said = server.said();
    assert_eq!(said.iter().filter(|told| told.contains("image/jpeg")).count(), 2, "{said:?}");
}
