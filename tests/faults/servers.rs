//! Servers of the tests' own, on ports of their own: started, killed, stopped, and started again on the same port and data.

pub mod postgres;
pub mod rabbitmq;
mod redis;
pub mod tls;

use std::{
    fs::File,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::OnceCell,
};

use self::{
    postgres::Postgres,
    rabbitmq::RabbitMq,
    redis::Redis,
    tls::{Authority, HOST, Identity},
};
use crate::{
    process::{dying_with_us, signal},
    world::{PATIENCE, eventually},
};

/// What lets in whom it should, where a password is asked for: one that has to be escaped in a URL.
pub const PASSWORD: &str = "swordfish/7+%40";
/// The same, as part of a URL.
pub const ESCAPED: &str = "swordfish%2F7+%2540";

/// The servers of one round, each started when it is first asked for.
#[derive(Default)]
pub struct Servers {
    /// With an authority they speak TLS only, and ask for a password: like managed ones.
    authority: Option<Authority>,
    postgres: OnceCell<Server<Postgres>>,
    rabbitmq: OnceCell<Server<RabbitMq>>,
    redis: OnceCell<Server<Redis>>,
}

impl Servers {
    /// Like managed ones.
    pub fn managed() -> Self {
        Self { authority: Some(Authority::new()), ..Self::default() }
    }

    /// Who vouches for managed servers.
    pub fn authority(&self) -> &Authority {
        self.authority.as_ref().expect("the servers are managed ones")
    }

    pub async fn postgres(&self) -> &Server<Postgres> {
        self.postgres.get_or_init(|| self.launch()).await
    }

    pub async fn rabbitmq(&self) -> &Server<RabbitMq> {
        self.rabbitmq.get_or_init(|| self.launch()).await
    }

    pub async fn redis(&self) -> &Server<Redis> {
        self.redis.get_or_init(|| self.launch()).await
    }

    async fn launch<K: Kind>(&self) -> Server<K> {
        let identity = self.authority.as_ref().map(|authority| authority.identity(HOST));
        Server::launch(identity.as_ref()).await
    }
}

/// What one server has that others have not.
pub trait Kind: Sized {
    const NAME: &'static str;
    /// What ends it in order.
    const STOP: &'static str = "TERM";

    /// Prepares `directory` for a server on `port`, which speaks TLS only if it has an identity.
    async fn prepare(directory: &Path, port: u16, identity: Option<&Identity>) -> Self;

    /// What starts it.
    fn command(&self, directory: &Path, port: u16) -> Command;

    /// Whether it is there for clients.
    async fn answers(&self, port: u16) -> bool;
}

/// A server; killed when it goes out of scope.
pub struct Server<K: Kind> {
    kind: K,
    pub port: u16,
    child: Mutex<Option<Child>>,
    directory: TempDir,
}

impl<K: Kind> Server<K> {
    async fn launch(identity: Option<&Identity>) -> Self {
        let directory = TempDir::with_prefix(format!("darkroom-{}-", K::NAME)).unwrap();
        let port = free_port();
        let kind = K::prepare(directory.path(), port, identity).await;
        let server = Self { kind, port, child: Mutex::default(), directory };
        server.start().await;
        server
    }

    /// Starts it, and waits until it answers.
    pub async fn start(&self) {
        let starting = async {
            while !self.begin().await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, starting).await.is_err() {
            let log = std::fs::read_to_string(self.log()).unwrap_or_default();
            panic!("{} does not start: {log}", K::NAME);
        }
    }

    /// Sees to it that its process runs; whether it answers.
    async fn begin(&self) -> bool {
        {
            let mut child = self.child.lock().unwrap();
            let runs = child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none());
            // One that was killed may have left something behind that holds up the next for a moment.
            if !runs {
                let log = File::options().create(true).append(true).open(self.log()).unwrap();
                let mut command = self.kind.command(self.directory.path(), self.port);
                command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
                *child = Some(command.spawn().unwrap());
            }
        }
        let answers = self.kind.answers(self.port);
        tokio::time::timeout(Duration::from_secs(2), answers).await.unwrap_or(false)
    }

    /// `kill -9`.
    pub fn kill(&self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Has it end in order, and waits until it has.
    pub async fn stop(&self) {
        let Some(mut child) = self.child.lock().unwrap().take() else { return };
        signal(K::STOP, child.id());
        eventually(async || child.try_wait().unwrap()).await;
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("output")
    }
}

impl<K: Kind> Drop for Server<K> {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that nobody has, and that the system gives to no outgoing connection while a server is away from it.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 15_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// Whether who listens on `port` answers `question` with something that begins with `answer`.
async fn greets(port: u16, question: &[u8], answer: &[u8]) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.write_all(question).await?;
        let mut heard = vec![0; answer.len()];
        stream.read_exact(&mut heard).await?;
        std::io::Result::Ok(heard == answer)
    };
    ask.await.unwrap_or(false)
}

/// Whether anybody listens on `port`.
async fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok()
}

/// The program of that name in one of `directories`, or else on the PATH.
fn program(name: &str, directories: &[PathBuf]) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path);
    let mut places = directories.iter().cloned().chain(on_path).chain(["/usr/sbin".into()]);
    let found = places.find_map(|place| Some(place.join(name)).filter(|path| path.is_file()));
    found.unwrap_or_else(|| panic!("there is no {name}: `scripts/test-setup programs` installs it"))
}
