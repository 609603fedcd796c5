//! Chromium, driven by ChromeDriver: both of Debian's packages `chromium` and `chromium-driver`.

use std::{
    io::{BufRead, BufReader},
    ops::Deref,
    panic::{AssertUnwindSafe, resume_unwind},
    process::{Child, Command, Stdio},
    time::Duration,
};

use fantoccini::{Client, ClientBuilder};
use futures_util::FutureExt;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use tempfile::TempDir;

/// How long the page may take for anything.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A driver on a port of its own; killed when it goes out of scope.
pub struct Browser {
    driver: Child,
    port: u16,
    profile: TempDir,
}

/// What the browser shows.
pub struct Page(Client);

impl Deref for Page {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.0
    }
}

impl Browser {
    /// Starts the driver.
    pub async fn start() -> Self {
        let program = std::env::var("CHROMEDRIVER").unwrap_or_else(|_| "chromedriver".to_owned());
        let started = Command::new(&program)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut driver = started.unwrap_or_else(|error| {
            panic!(
                "{program} can't be started ({error}); the console is tested in a browser: \
                 `apt-get install chromium chromium-driver`, or set CHROMEDRIVER"
            )
        });
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines.find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse().ok()
        });
        let port = port.expect("ChromeDriver says its port");
        // It goes on talking, and must not be stopped by nobody listening.
        std::thread::spawn(move || lines.count());
        Self { driver, port, profile: tempfile::tempdir().unwrap() }
    }

    /// Has `visit` look at a page, and closes the browser whatever comes of it.
    pub async fn visit(self, visit: impl AsyncFnOnce(&Page)) {
        let profile = format!("--user-data-dir={}", self.profile.path().display());
        let options = json!({ "args": [
            "--headless",
            "--no-sandbox",
            "--window-size=1280,1600",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-proxy-server",
            profile,
        ] });
        let capabilities = json!({ "goog:chromeOptions": options }).as_object().unwrap().clone();
        let page = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{}", self.port))
            .await
            .expect("Chromium starts");
        let page = Page(page);
        let visited = AssertUnwindSafe(visit(&page)).catch_unwind().await;
        let closed = page.0.close().await;
        if let Err(panic) = visited {
            resume_unwind(panic);
        }
        closed.expect("Chromium closes");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // One that has ended is as good.
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
