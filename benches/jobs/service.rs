//! A service to be measured: an API, and a worker when it is asked for, over a database and a queue of its own.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use lapin::{Connection, ConnectionProperties, options::QueueDeleteOptions};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor, PgConnection};
use tempfile::TempDir;
use url::Url;

/// The service; it and all its traces are removed by [`Service::end`].
pub struct Service {
    /// `127.0.0.1:…`
    pub api: String,
    pub token: String,
    pub image: String,
    pub database: PgConnection,
    name: String,
    broker: bool,
    processes: Vec<Killed>,
    data: TempDir,
}

impl Service {
    /// Starts an API with one account, and in it one picture.
    pub async fn start(broker: bool, picture: &'static [u8]) -> Self {
        let name = format!("darkroom_bench_{}", uuid::Uuid::now_v7().simple());
        administer(&format!("CREATE DATABASE {name}")).await;
        let database = PgConnection::connect(&database_url(&name)).await.unwrap();
        let mut service = Self {
            api: String::new(),
            token: String::new(),
            image: String::new(),
            database,
            name,
            broker,
            processes: Vec::new(),
            data: TempDir::new().unwrap(),
        };
        let migrated = service.command(&["migrate"]).output().unwrap();
        assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        let said = service.serve("api");
        let port = said.rsplit_once("localhost:").unwrap().1;
        let port: String = port.chars().take_while(char::is_ascii_digit).collect();
        service.api = format!("127.0.0.1:{port}");
        service.sign_up(picture).await;
        service
    }

    /// Starts the worker.
    pub fn work(&mut self) {
        self.serve("worker");
    }

    async fn sign_up(&mut self, picture: &'static [u8]) {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = |path: &str| format!("http://{}/api/v1{path}", self.api);
        let body = json!({ "username": "ada", "password": "correct horse battery" });
        let answer = http.post(url("/auth/register")).json(&body).send().await.unwrap();
        let account: Value = answer.json().await.unwrap();
        let token = account["token"].as_str().unwrap().to_owned();
        let upload = http.post(url("/images?filename=picture")).bearer_auth(&token);
        let upload = upload.header("content-type", "image/png").body(picture).send();
        let answer = upload.await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        let image: Value = answer.json().await.unwrap();
        self.image = image["id"].as_str().unwrap().to_owned();
        self.token = token;
    }

    /// The one number that `sql` asks for.
    pub async fn number(&mut self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&mut self.database).await.unwrap()
    }

    /// Waits until `sql` asks for nought.
    pub async fn until_none(&mut self, sql: &'static str) {
        let mut clock = tokio::time::interval(std::time::Duration::from_millis(5));
        while self.number(sql).await > 0 {
            clock.tick().await;
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        // Killed by the kernel when this process is gone, however it went.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", env!("CARGO_BIN_EXE_darkroom")]).args(arguments);
        let database = database_url(&self.name);
        command.env_clear().env("PATH", "/usr/bin:/bin").envs([
            ("SUPABASE_DB_URL", database.as_str()),
            ("JWT_SECRET", "2f6b1c9d84e05a7733bd90c1f4a8e6d25b7c0e91"),
            ("JWT_EXPIRY", "1d"),
            ("DATA_DIR", self.data.path().to_str().unwrap()),
            ("HOST", "127.0.0.1"),
            ("PORT", "0"),
            ("QUEUE_NAME", &self.name),
            ("RATE_LIMIT_UPLOADS", "0"),
            ("RATE_LIMIT_TRANSFORMS", "0"),
        ]);
        if self.broker {
            command.env("CLOUDAMQP_URL", amqp_url());
        }
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// Starts a process; what it says when it is ready.
    fn serve(&mut self, role: &str) -> String {
        let mut child = self.command(&["serve", "--role", role]).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        self.processes.push(Killed(child));
        let is_ready = |line: &String| line.contains("serving on") || line.contains("running jobs");
        let said = log.find(is_ready).expect("it starts");
        // A log that nobody reads would stop it.
        std::thread::spawn(move || log.for_each(drop));
        said
    }

    /// Ends it and removes what it has made.
    pub async fn end(self) {
        let Self { database, name, broker, processes, data, .. } = self;
        drop((processes, data));
        database.close().await.unwrap();
        administer(&format!("DROP DATABASE {name} WITH (FORCE)")).await;
        if broker {
            remove_queues(&name).await;
        }
    }
}

/// Removes what `adapters/queue/amqp.rs` declares.
async fn remove_queues(name: &str) {
    let connection =
        Connection::connect(&amqp_url(), ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let delays = (0..9).map(|power| format!("{name}.delay.{}s", 1 << power));
    for queue in [name.to_owned(), format!("{name}.dead")].into_iter().chain(delays) {
        // One that was never made is as good.
        channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
    }
    channel.exchange_delete(format!("{name}.dead").into(), Default::default()).await.unwrap();
    connection.close(200, "done".into()).await.unwrap();
}

fn amqp_url() -> String {
    let local = || "amqp://guest:guest@127.0.0.1:5672/%2f".to_owned();
    std::env::var("TEST_AMQP_URL").unwrap_or_else(|_| local())
}

fn admin_url() -> Url {
    let local = || "postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable".to_owned();
    let url = std::env::var("TEST_DATABASE_URL").unwrap_or_else(|_| local());
    Url::parse(&url).expect("TEST_DATABASE_URL is no URL")
}

fn database_url(name: &str) -> String {
    let mut url = admin_url();
    url.set_path(name);
    url.to_string()
}

async fn administer(statement: &str) {
    let mut connection = PgConnection::connect(admin_url().as_str()).await.expect("a Postgres");
    connection.execute(AssertSqlSafe(statement.to_owned())).await.expect("an administrator");
}

/// A process, killed when it goes out of scope.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // One that has ended is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
