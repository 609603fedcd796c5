//! A Redis of the test's own, to be killed and started again.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tempfile::TempDir;

/// Answers on a port of its own for as long as it is kept.
pub struct Server {
    port: u16,
    process: Option<Child>,
    directory: TempDir,
}

impl Server {
    /// One that has yet to be started.
    pub fn absent() -> Self {
        // Not one of those that the system hands out: while this one is absent, another test would be given it.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let port = loop {
            let n = std::process::id()
                .wrapping_mul(97)
                .wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
            let port = u16::try_from(20_000 + n % 10_000).expect("a port");
            if TcpListener::bind(("127.0.0.1", port)).is_ok() {
                break port;
            }
        };
        Self { port, process: None, directory: tempfile::tempdir().expect("a directory") }
    }

    /// One that runs.
    pub async fn running() -> Self {
        let mut server = Self::absent();
        server.start().await;
        server
    }

    /// `redis://127.0.0.1:…`
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Starts it, empty, and waits until it answers.
    pub async fn start(&mut self) {
        let arguments = ["--save", "", "--appendonly", "no", "--daemonize", "no"];
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string()])
            .args(arguments)
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.process = Some(process.expect("redis-server: see `make test`"));
        let answering = async {
            while self.ask::<String>(&["PING"]).await.is_none() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), answering).await.expect("a Redis");
    }

    /// Ends it without a word, as a machine that loses its power.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("our own process");
            process.wait().expect("our own process");
        }
    }

    /// What it answers to a command, if it answers.
    pub async fn ask<T: redis::FromRedisValue>(&self, command: &[&str]) -> Option<T> {
        let client = redis::Client::open(self.url()).expect("a URL");
        let mut connection = client.get_multiplexed_async_connection().await.ok()?;
        let (verb, arguments) = command.split_first().expect("a command");
        redis::cmd(verb).arg(arguments).query_async(&mut connection).await.ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
