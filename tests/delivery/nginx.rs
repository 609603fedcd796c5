//! A caching nginx of the test's own.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
};

use tempfile::TempDir;

use crate::process::eventually;

/// Stands before a service for as long as it is kept.
pub struct Nginx {
    process: Child,
    directory: TempDir,
    pub url: String,
}

impl Nginx {
    /// Starts one before the service at `service`, and waits until it listens.
    pub fn before(service: &str) -> Self {
        let directory = TempDir::with_prefix("darkroom-nginx-").unwrap();
        let port = free_port();
        let settings = include_str!("nginx.conf");
        let settings = settings.replace("PORT", &port.to_string()).replace("SERVICE", service);
        fs::write(directory.path().join("nginx.conf"), settings).unwrap();
        let log = File::create(directory.path().join("log")).unwrap();
        // Told to end by the kernel when this thread is gone, however it went; then its workers end with it.
        let process = Command::new("setpriv")
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .args(["--pdeathsig", "TERM", "--", "nginx", "-e", "stderr", "-c", "nginx.conf", "-p"])
            .arg(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        let process = process.expect("setpriv is there");
        let mut nginx = Self { process, directory, url: format!("http://127.0.0.1:{port}") };
        eventually(|| {
            let ended = nginx.process.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "nginx, which `scripts/test-setup programs` installs: {}",
                nginx.log()
            );
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()
        });
        nginx
    }

    /// What it has complained of.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Not killed: its workers would stay.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

/// A port that nobody has, and that the system gives to no outgoing connection before nginx has it.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 30_000 + u16::try_from(std::process::id() % 2_000).unwrap();
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
