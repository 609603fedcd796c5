//! Clients that enqueue as fast as they are answered, over connections that stay.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::join_all;
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::service::Service;

/// Has the jobs with these specs accepted over so many connections; how long each took to be.
pub async fn enqueue(
    service: &Service,
    connections: usize,
    count: usize,
    spec: impl Fn(usize) -> Value,
) -> Vec<Duration> {
    let next = Cell::new(0);
    let client = async || {
        let mut latencies = Vec::new();
        let stream = TcpStream::connect(&service.api).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        let asking = async {
            while next.get() < count {
                let number = next.replace(next.get() + 1);
                let request = order(service, &spec(number));
                let asked = Instant::now();
                let answer = sender.send_request(request).await.unwrap();
                let status = answer.status();
                let body = answer.into_body().collect().await.unwrap().to_bytes();
                latencies.push(asked.elapsed());
                assert_eq!(status, StatusCode::ACCEPTED, "{}", String::from_utf8_lossy(&body));
            }
            drop(sender);
        };
        let (_, connection) = tokio::join!(asking, connection);
        connection.unwrap();
        latencies
    };
    join_all((0..connections).map(|_| client())).await.concat()
}

fn order(service: &Service, spec: &Value) -> Request<Full<Bytes>> {
    Request::post(format!("/api/v1/images/{}/transform", service.image))
        .header("host", &service.api)
        .header("authorization", format!("Bearer {}", service.token))
        .header("content-type", "application/json")
        .body(Full::from(spec.to_string()))
        .unwrap()
}
