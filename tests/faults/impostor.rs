//! Somebody who sits where a server should be, and listens.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::Duration,
};

use rustls::{
    ServerConfig, crypto,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};
use tokio_rustls::TlsAcceptor;

use crate::servers::{free_port, tls::Identity};

/// Whom it plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Clients ask in the clear whether it speaks TLS.
    Postgres,
    /// Clients speak TLS from the beginning.
    Other,
}

/// How it shows itself.
pub enum Disguise {
    /// With a certificate.
    Tls(Identity),
    /// As if it knew no TLS.
    Plain,
}

/// One that listens; gone when it goes out of scope.
pub struct Impostor {
    pub port: u16,
    heard: Arc<Mutex<Vec<Heard>>>,
    task: AbortHandle,
}

/// What one client let it know.
#[derive(Debug)]
enum Heard {
    /// Nothing but how TLS begins.
    Hello,
    /// This.
    Told(Vec<u8>),
}

impl Impostor {
    pub async fn new(part: Part, disguise: &Disguise) -> Self {
        let acceptor = match disguise {
            Disguise::Tls(identity) => Some(acceptor(identity)),
            Disguise::Plain => None,
        };
        let port = free_port();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let heard: Arc<Mutex<Vec<Heard>>> = Arc::default();
        let ears = heard.clone();
        let task = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let (acceptor, ears) = (acceptor.clone(), ears.clone());
                tokio::spawn(async move {
                    // Who is gone before a word is said is nobody.
                    if let Ok(heard) = meet(client, part, acceptor).await {
                        ears.lock().unwrap().push(heard);
                    }
                });
            }
        });
        Self { port, heard, task: task.abort_handle() }
    }

    /// Whether somebody has come and left again; whoever told it anything is accused.
    pub fn was_left(&self) -> bool {
        let heard = self.heard.lock().unwrap();
        for heard in &*heard {
            if let Heard::Told(words) = heard {
                panic!("the impostor was told {:?}", String::from_utf8_lossy(words));
            }
        }
        !heard.is_empty()
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn acceptor(Identity { certificate, key, .. }: &Identity) -> TlsAcceptor {
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// `SSLRequest`, the one thing that a client of Postgres says in the clear.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

async fn meet(
    mut client: TcpStream,
    part: Part,
    acceptor: Option<TlsAcceptor>,
) -> std::io::Result<Heard> {
    if part == Part::Postgres {
        let mut question = [0; 8];
        client.read_exact(&mut question).await?;
        if question != SSL_REQUEST {
            return Ok(Heard::Told(question.into()));
        }
        client.write_all(if acceptor.is_some() { b"S" } else { b"N" }).await?;
    }
    let Some(acceptor) = acceptor else {
        if part == Part::Other {
            // Something that is no TLS, and an error to most.
            client.write_all(b"-ERR what?\r\n").await?;
        }
        let words = listen(&mut client).await;
        return Ok(if is_hello(&words) { Heard::Hello } else { Heard::Told(words) });
    };
    Ok(match acceptor.accept(client).await {
        Err(_) => Heard::Hello,
        Ok(mut client) => match listen(&mut client).await {
            words if words.is_empty() => Heard::Hello,
            words => Heard::Told(words),
        },
    })
}

/// Everything that is said until the client goes, or falls silent.
async fn listen(client: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut words = Vec::new();
    let listening = client.read_to_end(&mut words);
    // However it ends, what was said was said.
    let _ = tokio::time::timeout(Duration::from_secs(2), listening).await;
    words
}

/// Whether `words` are nothing at all, or only TLS' records of a handshake (22) and of alerts (21).
fn is_hello(mut words: &[u8]) -> bool {
    while let [kind, 3, _, high, low, rest @ ..] = words {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if !matches!(kind, 21 | 22) || rest.len() < length {
            return false;
        }
        words = &rest[length..];
    }
    words.is_empty()
}
