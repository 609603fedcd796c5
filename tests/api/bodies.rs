//! Clients that write before they read, that stop half-way, and that never stop.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::sandbox::{Account, ROCKET, Sandbox, expect, problem, stored_files};

const MIB: usize = 1024 * 1024;

/// A connection of one's own, for what no well-behaved client does.
struct Wire(TcpStream);

impl Wire {
    fn open(sandbox: &Sandbox) -> Self {
        let stream = TcpStream::connect(sandbox.url.trim_start_matches("http://")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self(stream)
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("the server goes on reading");
    }

    /// The next answer: its head, and its body by its Content-Length.
    fn answer(&mut self) -> (String, Vec<u8>) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).expect("an answer, not a reset");
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).expect("a length");
        let length = length.split("\r\n").next().unwrap().parse().unwrap();
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).expect("the whole answer");
        (head, body)
    }

    /// The next answer, which must be this problem.
    fn refusal(&mut self, status: u16, code: &str) {
        let (head, body) = self.answer();
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{head}");
        assert!(head.contains("content-type: application/problem+json"), "{head}");
        let problem: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["code"], code, "{problem}");
        assert!(
            head.contains(&format!("x-request-id: {}", problem["request_id"].as_str().unwrap()))
        );
    }
}

fn head(account: &Account<'_>, path: &str, headers: &str) -> Vec<u8> {
    let token = &account.token;
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{headers}\r\n")
        .into_bytes()
}

/// One 1 MiB chunk in HTTP's own framing.
fn chunk() -> Vec<u8> {
    let mut chunk = format!("{MIB:x}\r\n").into_bytes();
    chunk.resize(chunk.len() + MIB, b'x');
    chunk.extend_from_slice(b"\r\n");
    chunk
}

#[tokio::test]
async fn a_refusal_reaches_a_client_that_writes_before_it_reads() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let images = "/api/v1/images";
    let login = "/api/v1/auth/login";
    let stranger = Account::of(&sandbox, "nobody");
    for (account, path, kind, status, code) in [
        (&ada, images, "image/jpeg", 413, "payload_too_large"),
        (&ada, images, "multipart/form-data; boundary=b", 413, "payload_too_large"),
        (&ada, login, "application/json", 413, "payload_too_large"),
        (&ada, "/nowhere", "image/jpeg", 404, "not_found"),
        (&ada, "/health", "image/jpeg", 405, "method_not_allowed"),
        (&stranger, images, "image/jpeg", 401, "unauthenticated"),
    ] {
        let length = 24 * MIB;
        let declared = format!("Content-Type: {kind}\r\nContent-Length: {length}\r\n");
        let mut wire = Wire::open(&sandbox);
        wire.send(&head(account, path, &declared));
        wire.send(&vec![b'x'; length]);
        wire.refusal(status, code);

        let chunked = format!("Content-Type: {kind}\r\nTransfer-Encoding: chunked\r\n");
        let mut wire = Wire::open(&sandbox);
        wire.send(&head(account, path, &chunked));
        if kind.starts_with("multipart") {
            let part = "--b\r\nContent-Disposition: form-data; name=file\r\n\r\n";
            wire.send(format!("{:x}\r\n{part}\r\n", part.len()).as_bytes());
        }
        let chunk = chunk();
        for _ in 0..24 {
            wire.send(&chunk);
        }
        wire.send(b"0\r\n\r\n");
        wire.refusal(status, code);
        // It was read to its end: the connection is good for more.
        wire.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(wire.answer().0.starts_with("http/1.1 200 "));
    }
    assert!(stored_files(sandbox.data_dir()).is_empty());
}

#[tokio::test]
async fn a_client_that_asks_first_is_not_asked_for_its_body() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let length = 24 * MIB;
    let declared =
        format!("Content-Type: image/jpeg\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n");
    let mut wire = Wire::open(&sandbox);
    wire.send(&head(&ada, "/api/v1/images", &declared));
    wire.refusal(413, "payload_too_large");

    let length = ROCKET.len();
    let declared =
        format!("Content-Type: image/jpeg\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n");
    let mut wire = Wire::open(&sandbox);
    wire.send(&head(&ada, "/api/v1/images", &declared));
    let mut go_on = [0; 25];
    wire.0.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    wire.send(ROCKET);
    assert!(wire.answer().0.starts_with("http/1.1 201 "));
}

#[tokio::test]
async fn what_exceeds_every_patience_is_cut() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let mut wire = Wire::open(&sandbox);
    wire.send(&head(
        &ada,
        "/api/v1/images",
        "Content-Type: image/jpeg\r\nTransfer-Encoding: chunked\r\n",
    ));
    let chunk = chunk();
    let sent = (0..500).take_while(|_| wire.0.write_all(&chunk).is_ok()).count();
    assert!((20..500).contains(&sent), "{sent} MiB were read for nothing");
    let health = sandbox.request(Method::GET, "/health").send().await;
    expect(health, StatusCode::OK).await;
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let length = ROCKET.len();
    let declared = format!("Content-Type: image/jpeg\r\nContent-Length: {length}\r\n");
    let mut wire = Wire::open(&sandbox);
    wire.send(&head(&ada, "/api/v1/images", &declared));
    wire.send(&ROCKET[..length / 2]);
    crate::sandbox::eventually(async || {
        (!stored_files(sandbox.data_dir()).is_empty()).then_some(())
    })
    .await;
    drop(wire);
    crate::sandbox::eventually(async || stored_files(sandbox.data_dir()).is_empty().then_some(()))
        .await;
    assert_eq!(ada.get("/api/v1/images").await["total"], 0);
}

#[tokio::test]
async fn the_largest_file_is_taken_and_one_byte_more_is_not() {
    let length = ROCKET.len();
    let limit = length.to_string();
    let sandbox = Sandbox::with(&[("MAX_UPLOAD_SIZE", limit.as_str())]).await;
    let ada = sandbox.register("ada").await;
    ada.upload(ROCKET).await;
    let more: Vec<u8> = ROCKET.iter().copied().chain([0]).collect();
    let raw = ada.request(Method::POST, "/api/v1/images").header("content-type", "image/jpeg");
    let told = problem(raw.body(more.clone()).send().await, 413, "payload_too_large").await;
    assert!(told["detail"].as_str().unwrap().contains(&limit), "{told}");
    // What counts is the file, not what a form adds to it.
    for (bytes, status) in [(ROCKET.to_vec(), 201), (more, 413)] {
        let part = reqwest::multipart::Part::bytes(bytes).file_name("rocket.jpg");
        let form = reqwest::multipart::Form::new().part("file", part).text("tags", "a,b");
        let answer = ada.request(Method::POST, "/api/v1/images").multipart(form).send().await;
        assert_eq!(answer.unwrap().status().as_u16(), status);
    }
}

#[tokio::test]
async fn a_client_that_stops_half_way_does_not_keep_the_server_from_stopping() {
    let drain = [("DRAIN_TIMEOUT", "10s"), ("TRANSFORM_TIMEOUT", "5s")];
    let mut sandbox = Sandbox::with(&drain).await;
    let mut wires: Vec<_> = (0..4).map(|_| Wire::open(&sandbox)).collect();
    let ada = sandbox.register("ada").await;
    wires[0].send(b"GET /health HT");
    wires[1].send(&head(
        &ada,
        "/api/v1/images",
        "Content-Type: image/jpeg\r\nContent-Length: 100\r\n",
    ));
    wires[2].send(&head(&ada, "/api/v1/auth/login", "Content-Length: 100\r\n"));
    // The fourth says nothing at all. The service has seen the others once it has a file open.
    crate::sandbox::eventually(async || {
        (!stored_files(sandbox.data_dir()).is_empty()).then_some(())
    })
    .await;
    let ready = ada.request(Method::GET, "/ready").send().await;
    assert_eq!(expect(ready, StatusCode::OK).await, json!({ "status": "ready" }));
    let stopping = Instant::now();
    sandbox.stop();
    // Left to itself, half a head would be waited for longer.
    assert!(stopping.elapsed() < Duration::from_secs(14), "{:?}", stopping.elapsed());
    for mut wire in wires {
        // Closed or reset: only a connection that was left open keeps its reader waiting.
        let waiting = wire.0.read(&mut [0; 1]).is_err_and(|error| {
            matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
        });
        assert!(!waiting, "a connection was left open");
    }
}
