//! Somebody else's server, on a port of its own: pictures are imported from it, webhooks are sent to it. It speaks HTTP as badly
//! as a test wants it to.

use std::sync::{Arc, Mutex};

use reqwest::header::{HeaderMap, HeaderName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinHandle,
};

/// What it was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// What it answers.
pub enum Say {
    /// These bytes, and closes.
    Bytes(Vec<u8>),
    /// These bytes, and then nothing more, without closing.
    Pause(Vec<u8>),
    /// These bytes, and then pieces of a chunked body without end.
    Endless(Vec<u8>),
}

/// A server, gone when it goes out of scope.
pub struct Elsewhere {
    port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    serving: JoinHandle<()>,
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A port that is taken, and that nobody listens on: whoever connects is turned away.
pub struct Nowhere(TcpSocket);

impl Nowhere {
    pub fn port(&self) -> u16 {
        self.0.local_addr().expect("an address").port()
    }

    /// A server there, that answers as `answer` says.
    pub fn serve(self, answer: impl Fn(&Asked) -> Say + Send + Sync + 'static) -> Elsewhere {
        Elsewhere::on(self.0.listen(1024).expect("a port to listen on"), answer)
    }
}

impl Elsewhere {
    /// One that answers as `answer` says.
    pub async fn serve(answer: impl Fn(&Asked) -> Say + Send + Sync + 'static) -> Self {
        Self::nowhere().serve(answer)
    }

    /// A port where nobody listens yet, and nobody else will.
    pub fn nowhere() -> Nowhere {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("a port");
        Nowhere(socket)
    }

    fn on(listener: TcpListener, answer: impl Fn(&Asked) -> Say + Send + Sync + 'static) -> Self {
        let port = listener.local_addr().expect("an address").port();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (answer, heard) = (Arc::new(answer), asked.clone());
        let serving = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let (answer, heard) = (answer.clone(), heard.clone());
                tokio::spawn(async move {
                    // A client that leaves is no fault of this server.
                    let _ = converse(connection, |asked| {
                        heard.lock().expect("nobody panicked").push(asked.clone());
                        answer(asked)
                    })
                    .await;
                });
            }
        });
        Self { port, asked, serving }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// What `FETCH_ALLOW` must say for it to be reached.
    pub fn allowed(&self) -> String {
        allowed(self.port)
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("nobody panicked").clone()
    }
}

/// What `FETCH_ALLOW` must say for that port of this machine to be reached.
pub fn allowed(port: u16) -> String {
    format!("127.0.0.0/8:{port}")
}

/// An answer with that status, those headers and that body.
pub fn answer(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        bytes.push_str(&format!("{name}: {value}\r\n"));
    }
    bytes.push_str("connection: close\r\n\r\n");
    [bytes.as_bytes(), body].concat()
}

/// A redirect.
pub fn redirect(location: &str) -> Say {
    Say::Bytes(answer(302, &[("location", location)], b""))
}

async fn converse(
    mut connection: TcpStream,
    answer: impl Fn(&Asked) -> Say,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await?);
        if head.first() == Some(&0x16) {
            return connection.write_all(b"HTTP/1.1 400 This is no TLS\r\n\r\n").await;
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let headers: HeaderMap = lines
        .filter_map(|line| line.split_once(": "))
        .filter_map(|(name, value)| Some((name.parse::<HeaderName>().ok()?, value.parse().ok()?)))
        .collect();
    let length = headers.get("content-length").and_then(|value| value.to_str().ok()?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    connection.read_exact(&mut body).await?;
    match answer(&Asked { method, path, headers, body }) {
        Say::Bytes(bytes) => {
            connection.write_all(&bytes).await?;
            connection.shutdown().await
        }
        Say::Pause(bytes) => {
            connection.write_all(&bytes).await?;
            // Until the client has had enough.
            connection.read_u8().await.map(drop)
        }
        Say::Endless(bytes) => {
            connection.write_all(&bytes).await?;
            let piece = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
            loop {
                connection.write_all(&piece).await?;
            }
        }
    }
}
