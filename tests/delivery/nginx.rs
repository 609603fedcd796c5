//! A caching nginx of the test's own.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, TcpListener},
    process::{Child, Command, Stdio},
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
        loop {
            // Somebody may be given the same port before nginx has it.
            if let Some(nginx) = Self::on(free_port(), service) {
                return nginx;
            }
        }
    }

    fn on(port: u16, service: &str) -> Option<Self> {
        let directory = TempDir::with_prefix("darkroom-nginx-").unwrap();
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
        let listens = eventually(|| {
            if nginx.process.try_wait().unwrap().is_some() {
                return Some(false);
            }
            // Written when it has its port.
            nginx.directory.path().join("nginx.pid").exists().then_some(true)
        });
        if !listens {
            let log = nginx.log();
            assert!(
                log.contains("Address already in use"),
                "nginx, which `scripts/test-setup programs` installs: {log}"
            );
        }
        listens.then_some(nginx)
    }

    /// What it has complained of.
    fn log(&self) -> String {
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

/// A port that nobody has.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}
