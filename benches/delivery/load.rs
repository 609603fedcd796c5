//! Clients that ask for pictures over connections that stay, and ask for nothing twice.
//!
//! Not wrk: it ends in the middle of what is under way, of which there is much when a picture takes its time, and what
//! it did not wait for is still made while the next one is measured.

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::join_all;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, Response, StatusCode, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// What became of the requests of a turn.
#[derive(Debug, Default)]
pub struct Turn {
    /// How long each picture took, from when it was first asked for.
    pub latencies: Vec<Duration>,
    /// How long each answer took that was to come again later.
    pub refusals: Vec<Duration>,
    /// Everything else that was no such picture.
    pub failed: usize,
    /// Pictures that were there before they were asked for.
    pub there: usize,
    /// Pieces of work that it tells of: all that waited for one are told the same of it.
    pub works: HashSet<String>,
    /// From the first request to the last answer.
    pub took: Duration,
}

impl Turn {
    /// Counts an answer, if there was one, so long after the picture was asked for, and after it was first. If it was to come again
    /// later, after how long.
    fn take(
        &mut self,
        answer: Option<&Answer>,
        [last, after]: [Duration; 2],
        mime_type: &str,
        is_new: bool,
    ) -> Option<Duration> {
        match answer {
            Some(answer) if answer.is_picture(mime_type) => {
                self.latencies.push(after);
                let is_hit = answer.header("x-cache") == Some("hit");
                self.there += usize::from(is_new && is_hit);
                self.works.extend(answer.header("server-timing").map(str::to_owned));
            }
            Some(answer) if answer.head.status() == StatusCode::SERVICE_UNAVAILABLE => {
                self.refusals.push(last);
                return Some(answer.retry_after());
            }
            _ => self.failed += 1,
        }
        None
    }
}

/// How it is asked.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub connections: usize,
    /// No request is begun later; those under way are waited for.
    pub most: Duration,
}

impl Load {
    /// Asks the server on `port` for `paths`, in this order.
    pub async fn run(self, port: u16, paths: &[String], mime_type: &str) -> Turn {
        let next = Cell::new(0);
        let turn = RefCell::new(Turn::default());
        let began = Instant::now();
        let client = async || {
            let mut connection = None;
            while let Some(path) = paths.get(next.get()).filter(|_| began.elapsed() < self.most) {
                next.set(next.get() + 1);
                let asked = Instant::now();
                let mut is_new = true;
                loop {
                    let again = Instant::now();
                    let answer = ask(&mut connection, port, path).await;
                    let after = [again.elapsed(), asked.elapsed()];
                    let again = {
                        let mut turn = turn.borrow_mut();
                        turn.take(answer.as_ref().ok(), after, mime_type, is_new)
                    };
                    if answer.is_err() {
                        connection = None;
                    }
                    match again.filter(|_| began.elapsed() < self.most) {
                        // Work that was begun may have come to its end by the next time.
                        Some(pause) => tokio::time::sleep(pause).await,
                        None => break,
                    }
                    is_new = false;
                }
            }
        };
        join_all((0..self.connections.min(paths.len())).map(|_| client())).await;
        Turn { took: began.elapsed(), ..turn.into_inner() }
    }
}

/// One picture.
pub async fn fetch(port: u16, path: &str) -> Answer {
    let answer = ask(&mut None, port, path).await.unwrap_or_else(|error| panic!("{path}: {error}"));
    let said = || String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.head.status(), StatusCode::OK, "{path}: {}", said());
    answer
}

/// An answer, read to its end.
pub struct Answer {
    head: Response<()>,
    pub body: Bytes,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers().get(name)?.to_str().ok()
    }

    fn is_picture(&self, mime_type: &str) -> bool {
        self.head.status() == StatusCode::OK && self.header("content-type") == Some(mime_type)
    }

    /// How long it says to wait.
    fn retry_after(&self) -> Duration {
        let seconds = self.header("retry-after").and_then(|value| value.parse().ok());
        Duration::from_secs(seconds.unwrap_or(1))
    }
}

type Connection = http1::SendRequest<Empty<Bytes>>;

/// Asks over `connection`, which is opened if there is none.
async fn ask(
    connection: &mut Option<Connection>,
    port: u16,
    path: &str,
) -> Result<Answer, Box<dyn std::error::Error>> {
    if connection.as_ref().is_none_or(Connection::is_closed) {
        *connection = Some(connect(port).await?);
    }
    let sender = connection.as_mut().ok_or("there is a connection")?;
    sender.ready().await?;
    let request = Request::get(path).header("host", "localhost").body(Empty::new())?;
    let answer: Response<Incoming> = sender.send_request(request).await?;
    let (head, body) = answer.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Answer { head: Response::from_parts(head, ()), body })
}

async fn connect(port: u16) -> Result<Connection, Box<dyn std::error::Error>> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends when its sender is gone.
    tokio::spawn(connection);
    Ok(sender)
}
