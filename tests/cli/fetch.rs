//! What the program fetches, and tells others, as a process: past proxies, over TLS, and across its own death.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use reqwest::{Client, Response, StatusCode};
use rustls::{
    ServerConfig, crypto,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use serde_json::{Value, json};
use sqlx::{ConnectOptions, Connection, Executor, sqlite::SqliteConnectOptions};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    task::AbortHandle,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    process::{Shell, eventually},
    tls::{Authority, HOST, Identity},
};

const ROCKET: &[u8] = include_bytes!("../pictures/rocket.jpg");

/// A server that gives a rocket to all who ask; gone when it goes out of scope.
struct There {
    port: u16,
    /// The first line of every request.
    asked: Arc<Mutex<Vec<String>>>,
    serving: AbortHandle,
}

impl Drop for There {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl There {
    async fn new(identity: Option<Identity>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (heard, acceptor) = (asked.clone(), identity.map(|identity| acceptor(&identity)));
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (heard, acceptor) = (heard.clone(), acceptor.clone());
                tokio::spawn(async move {
                    // Who does not believe the certificate leaves, and was nobody.
                    match acceptor {
                        None => converse(client, &heard).await,
                        Some(acceptor) => match acceptor.accept(client).await {
                            Ok(client) => converse(client, &heard).await,
                            Err(error) => Err(error),
                        },
                    }
                });
            }
        });
        Self { port, asked, serving: serving.abort_handle() }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn allowed(&self) -> String {
        format!("127.0.0.0/8:{},[::1]:{}", self.port, self.port)
    }
}

fn acceptor(identity: &Identity) -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    // It would rather speak what the client must not.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

async fn converse(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    heard: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    client.read_exact(&mut body).await?;
    heard.lock().unwrap().push(head.lines().next().unwrap().to_owned());
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", ROCKET.len());
    client.write_all(&[head.as_bytes(), ROCKET].concat()).await?;
    client.shutdown().await
}

/// Somebody with an account.
struct Caller {
    client: Client,
    api: String,
    token: String,
}

impl Caller {
    async fn register(url: &str) -> Self {
        let client = Client::builder().no_proxy().build().unwrap();
        let mut caller = Self { client, api: format!("{url}/api/v1"), token: String::new() };
        let body = json!({ "username": "ada", "password": "correct horse battery" });
        let account: Value = caller.post("/auth/register", body).await.json().await.unwrap();
        caller.token = account["token"].as_str().unwrap().to_owned();
        caller
    }

    async fn post(&self, path: &str, body: Value) -> Response {
        let request = self.client.post(format!("{}{path}", self.api));
        request.bearer_auth(&self.token).json(&body).send().await.unwrap()
    }

    /// Imports a picture; its id.
    async fn import(&self, url: &str) -> String {
        let image = self.post("/images/import", json!({ "url": url })).await;
        assert_eq!(image.status(), StatusCode::CREATED);
        image.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned()
    }

    async fn enqueue(&self, image: &str, webhook_url: &str) {
        let path = format!("/images/{image}/transform");
        let accepted = self.post(&path, json!({ "webhook_url": webhook_url })).await;
        assert_eq!(accepted.status(), StatusCode::ACCEPTED);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxies_of_the_environment_are_not_asked() {
    let (there, proxy) = (There::new(None).await, There::new(None).await);
    let url = format!("http://127.0.0.1:{}", proxy.port);
    let mut shell = Shell::new().with("PORT", "0").with("FETCH_ALLOW", &there.allowed());
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        shell = shell.with(name, &url).with(&name.to_lowercase(), &url);
    }
    let serving = shell.serve(&[]);
    let ada = Caller::register(&serving.url).await;
    let url = format!("http://127.0.0.1:{}", there.port);
    let image = ada.import(&format!("{url}/a.jpg")).await;
    ada.enqueue(&image, &format!("{url}/hook")).await;
    eventually(|| (there.asked().len() == 2).then_some(()));
    assert_eq!(there.asked(), ["GET /a.jpg HTTP/1.1", "POST /hook HTTP/1.1"]);
    assert_eq!(proxy.asked(), [] as [&str; 0]);
    assert_eq!(serving.terminate(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_production_only_a_certificate_that_holds_is_believed() {
    let authority = Authority::new();
    let there = There::new(Some(authority.identity(HOST))).await;
    let other_name = There::new(Some(authority.identity("elsewhere.example"))).await;
    let stranger = There::new(Some(Authority::new().identity(HOST))).await;
    let allowed = [&there, &other_name, &stranger].map(There::allowed).join(",");
    let shell = Shell::new()
        .with("PORT", "0")
        .with("ENVIRONMENT", "production")
        .with("SSL_CERT_FILE", authority.path().to_str().unwrap())
        .with("FETCH_ALLOW", &allowed);
    let serving = shell.serve(&[]);
    let ada = Caller::register(&serving.url).await;
    let url = |there: &There| format!("https://{HOST}:{}", there.port);
    let image = ada.import(&format!("{}/a.jpg", url(&there))).await;
    ada.enqueue(&image, &format!("{}/hook", url(&there))).await;
    eventually(|| (there.asked().len() == 2).then_some(()));
    for impostor in [&other_name, &stranger] {
        let refused = ada.post("/images/import", json!({ "url": url(impostor) })).await;
        assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let problem: Value = refused.json().await.unwrap();
        assert_eq!(problem["code"], "fetch_failed");
        assert!(problem["detail"].as_str().unwrap().contains("certificate"), "{problem}");
        assert_eq!(impostor.asked(), [] as [&str; 0]);
    }
    assert_eq!(serving.terminate(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_dies_before_it_tells_leaves_it_to_the_next() {
    let there = There::new(None).await;
    let url = format!("http://127.0.0.1:{}", there.port);
    let shell = Shell::new().with("PORT", "0").with("FETCH_ALLOW", &there.allowed());
    let mut doomed = shell.command(&["serve"]);
    doomed.env("DARKROOM_FAILPOINT", "webhooks.before_send");
    let serving = shell.serve_as(doomed);
    let ada = Caller::register(&serving.url).await;
    let image = ada.import(&format!("{url}/a.jpg")).await;
    // It may die before it has answered.
    let transform = format!("{}/images/{image}/transform", ada.api);
    let body = json!({ "webhook_url": format!("{url}/hook") });
    let _ = ada.client.post(transform).bearer_auth(&ada.token).json(&body).send().await;
    serving.dies();
    assert_eq!(there.asked(), ["GET /a.jpg HTTP/1.1"], "it has told nobody");

    // Its lease runs out.
    let path = shell.directory().join("data/darkroom.db");
    let mut database = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    let ended = "UPDATE webhook_deliveries SET due_at = created_at WHERE status = 'pending'";
    assert_eq!(database.execute(ended).await.unwrap().rows_affected(), 1);
    database.close().await.unwrap();

    let serving = shell.serve(&[]);
    eventually(|| (there.asked().len() == 2).then_some(()));
    assert_eq!(there.asked()[1], "POST /hook HTTP/1.1");
    assert_eq!(serving.terminate(), 0);
    assert_eq!(there.asked().len(), 2, "once");
}
