use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket},
};

use super::{lookup::Found, *};
use crate::config::{Fetch, Opening};

/// A name server that says something else each time, and then the same for ever.
#[derive(Default)]
struct Fickle {
    answers: Mutex<VecDeque<Vec<&'static str>>>,
    asked: AtomicUsize,
}

impl Fickle {
    fn saying(answers: &[&[&'static str]]) -> Arc<Self> {
        let answers = answers.iter().map(|answer| answer.to_vec()).collect();
        Arc::new(Self { answers: Mutex::new(answers), asked: AtomicUsize::new(0) })
    }
}

impl Lookup for Fickle {
    fn find(&self, _: &str) -> Found {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let answer =
            if answers.len() > 1 { answers.pop_front().unwrap() } else { answers[0].clone() };
        let addresses = answer.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect();
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

/// A server that gives the same answer to all; its port, and how many have asked.
async fn server(answer: &'static str) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut request = Vec::new();
                // Whoever speaks TLS says no such thing.
                while !request.ends_with(b"\r\n\r\n") && request.first() != Some(&0x16) {
                    request.push(connection.read_u8().await.unwrap());
                }
                connection.write_all(answer.as_bytes()).await.unwrap();
            });
        }
    });
    (port, asked)
}

fn settings(port: u16) -> Fetch {
    Fetch {
        allow: vec![Opening { network: "127.0.0.0/8".parse().unwrap(), port }],
        deny: Vec::new(),
        timeout: Duration::from_secs(30),
        https_only: false,
    }
}

const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

async fn body(fetched: Result<Fetched>) -> Result<Vec<u8>> {
    let mut fetched = fetched?;
    let mut body = Vec::new();
    while let Some(piece) = fetched.next().await? {
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

#[tokio::test]
async fn a_name_that_changes_its_mind_is_asked_once_and_checked_each_time() {
    let (port, served) = server(HELLO).await;
    let names = Fickle::saying(&[&["127.0.0.1"], &["10.0.0.1"], &["127.0.0.1"]]);
    let fetcher = Fetcher::with(settings(port), names.clone());
    let url = format!("http://rebind.example:{port}/");
    assert_eq!(body(fetcher.get(&url).await).await.unwrap(), b"hello");
    assert_eq!(names.asked.load(Ordering::SeqCst), 1, "what was checked is what was connected to");

    let error = fetcher.get(&url).await.unwrap_err();
    assert_eq!(error.code, Code::FetchRefused);
    assert!(!format!("{error}").contains("10.0.0.1"), "{error}");
    assert_eq!(names.asked.load(Ordering::SeqCst), 2, "no connection is used twice");

    assert_eq!(body(fetcher.get(&url).await).await.unwrap(), b"hello");
    assert_eq!(served.load(Ordering::SeqCst), 2, "the refused one never arrived");
}

#[tokio::test]
async fn of_several_addresses_only_those_allowed_are_tried() {
    let (port, served) = server(HELLO).await;
    let names = Fickle::saying(&[&["10.0.0.1", "::1", "169.254.169.254", "127.0.0.1"]]);
    let fetcher = Fetcher::with(settings(port), names);
    let url = format!("http://several.example:{port}/");
    assert_eq!(body(fetcher.get(&url).await).await.unwrap(), b"hello");
    assert_eq!(served.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_name_of_this_machine_is_refused_whatever_it_is() {
    let (port, served) = server(HELLO).await;
    let nothing = Fetch { allow: Vec::new(), ..settings(port) };
    for (names, url) in [
        // The machine's own, which knows `localhost`.
        (Arc::new(System::default()) as Arc<dyn Lookup>, format!("http://localhost:{port}/")),
        (Fickle::saying(&[&["127.0.0.1"]]), "http://a.example/".to_owned()),
        (Fickle::saying(&[&["::1"]]), "https://a.example/".to_owned()),
        (Fickle::saying(&[&["::ffff:127.0.0.1"]]), "https://a.example/".to_owned()),
    ] {
        let fetcher = Fetcher::with(nothing.clone(), names);
        assert_eq!(fetcher.get(&url).await.unwrap_err().code, Code::FetchRefused, "{url}");
    }
    assert_eq!(served.load(Ordering::SeqCst), 0);
    // Of the machine, too, where its port is opened.
    let fetcher = Fetcher::new(settings(port));
    let url = format!("http://localhost:{port}/");
    assert_eq!(body(fetcher.get(&url).await).await.unwrap(), b"hello");
}

#[tokio::test]
async fn each_redirect_is_looked_up_and_checked() {
    const AWAY: &str = "HTTP/1.1 302 Found\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n";
    let (port, served) = server(AWAY).await;
    let names = Fickle::saying(&[&["127.0.0.1"], &["127.0.0.1"], &["192.168.0.1"]]);
    let fetcher = Fetcher::with(settings(port), names.clone());
    let error = fetcher.get(&format!("http://a.example:{port}/")).await.unwrap_err();
    assert_eq!(error.code, Code::FetchRefused);
    assert_eq!((names.asked.load(Ordering::SeqCst), served.load(Ordering::SeqCst)), (3, 2));

    let names = Fickle::saying(&[&["127.0.0.1"]]);
    let fetcher = Fetcher::with(settings(port), names.clone());
    let error = fetcher.get(&format!("http://a.example:{port}/")).await.unwrap_err();
    assert_eq!(error.code, Code::FetchFailed);
    assert_eq!(names.asked.load(Ordering::SeqCst), 6, "the first, and five redirects");
}

#[tokio::test]
async fn what_drips_is_given_up_and_what_is_late_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(connection.read_u8().await.unwrap());
        }
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n";
        let mut written = connection.write_all(head.as_bytes()).await;
        while written.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
            written = connection.write_all(b"x").await;
        }
    });
    let hasty = |port| Fetch { timeout: Duration::from_millis(300), ..settings(port) };
    let fetcher = Fetcher::with(hasty(port), Fickle::saying(&[&["127.0.0.1"]]));
    let began = Instant::now();
    let error = body(fetcher.get(&format!("http://a.example:{port}/")).await).await.unwrap_err();
    assert!(error.detail.contains("too long"), "{}", error.detail);
    assert!(began.elapsed() < Duration::from_secs(40), "all that it drips takes 50 s");

    let (port, _) = server(HELLO).await;
    let fetcher = Fetcher::with(settings(port), Fickle::saying(&[&["127.0.0.1"]]));
    let mut fetched = fetcher.get(&format!("http://a.example:{port}/")).await.unwrap();
    fetched.deadline = Instant::now();
    assert!(
        fetched.next().await.unwrap_err().detail.contains("too long"),
        "it was there, and late"
    );
}

#[tokio::test]
async fn what_goes_wrong_is_told_without_what_was_found() {
    let (port, _) = server("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello").await;
    let (garbage, _) = server("SSH-2.0-OpenSSH_9.2\r\n\r\n").await;
    // Taken, so that nobody else listens there.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let closed = socket.local_addr().unwrap().port();
    for (port, scheme, said) in [
        (port, "http", "broke off"),
        (garbage, "http", "HTTP"),
        (garbage, "https", "TLS"),
        (closed, "http", "could not be reached"),
    ] {
        let fetcher = Fetcher::with(settings(port), Fickle::saying(&[&["127.0.0.1"]]));
        let url = format!("{scheme}://a.example:{port}/?signature=secret");
        let error = body(fetcher.get(&url).await).await.unwrap_err();
        assert_eq!(error.code, Code::FetchFailed, "{url}");
        assert!(error.detail.contains(said), "{url}: {}", error.detail);
        assert!(!error.detail.contains("127.0.0.1"), "{}", error.detail);
        let cause = error.cause.unwrap();
        assert!(!cause.contains("secret"), "{cause}");
    }
    let fetcher = Fetcher::with(settings(port), Fickle::saying(&[&[]]));
    let error = fetcher.get(&format!("http://a.example:{port}/")).await.unwrap_err();
    assert!(error.detail.contains("not found"), "{}", error.detail);
}
