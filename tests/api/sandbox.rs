//! A whole service of one's own: its own port, its own database, its own data directory. When the
//! test is over it is stopped, and accuses: of actors that did not end, and of jobs left undone.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use darkroom::{adapters::db::queue::CountUnfinished, app::App, config::Settings, flows::Services};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A photograph that most tests are content with: 640 × 427.
pub const ROCKET: &[u8] = include_bytes!("../pictures/rocket.jpg");
/// The password of every test account.
pub const PASSWORD: &str = "correct horse battery";

/// A running service and a client of it.
pub struct Sandbox {
    /// `http://127.0.0.1:…`
    pub url: String,
    /// Speaks real HTTP.
    pub client: Client,
    app: Option<App>,
    runtime: Option<Runtime>,
    leaves_jobs: bool,
    variables: Vec<(String, String)>,
    data: Arc<TempDir>,
    database: Option<String>,
}

impl Sandbox {
    /// With nothing configured: SQLite, and files.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With some variables set.
    pub async fn with(variables: &[(&str, &str)]) -> Self {
        Self::launch(variables, None, None).await
    }

    /// On a real Postgres, in a database of its own.
    pub async fn on_postgres() -> Self {
        Self::on_postgres_with(&[]).await
    }

    /// On a real Postgres, with some variables set.
    pub async fn on_postgres_with(variables: &[(&str, &str)]) -> Self {
        let name = format!("darkroom_api_{}", uuid::Uuid::now_v7().simple());
        let admin = admin_url();
        administer(&admin, &format!("CREATE DATABASE {name}")).await;
        let mut url = url::Url::parse(&admin).expect("TEST_DATABASE_URL is no URL");
        url.set_path(&name);
        let url = url.to_string();
        // Connections cost a process each on the server, and tests run side by side.
        let mut all = vec![
            ("SUPABASE_DB_URL", url.as_str()),
            ("DB_MAX_CONNS", "5"),
            ("DB_MIN_CONNS", "1"),
            ("JWT_SECRET", "2f6b1c9d84e05a7733bd90c1f4a8e6d25b7c0e91"),
        ];
        all.extend(variables);
        Self::launch(&all, Some(name), None).await
    }

    /// Another process of the same service: the same database and the same files, and otherwise
    /// told the same but for `variables`. To be stopped before the one that it stands beside.
    pub async fn beside(&self, variables: &[(&str, &str)]) -> Self {
        let said = self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let all: Vec<_> = said.chain(variables.iter().copied()).collect();
        Self::launch(&all, None, Some(self.data.clone())).await
    }

    async fn launch(
        variables: &[(&str, &str)],
        database: Option<String>,
        data: Option<Arc<TempDir>>,
    ) -> Self {
        let data =
            data.unwrap_or_else(|| Arc::new(tempfile::tempdir().expect("a temporary directory")));
        let mut all: BTreeMap<&str, &str> = BTreeMap::from([
            ("HOST", "127.0.0.1"),
            ("PORT", "0"),
            ("DATA_DIR", data.path().to_str().expect("a path in UTF-8")),
            ("TRANSFORM_THREADS", "2"),
        ]);
        all.extend(variables.iter().copied());
        let variables: Vec<_> =
            all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let nowhere = Path::new("/nonexistent");
        let settings = Settings::read(variables.clone(), nowhere, nowhere);
        let (config, _) = settings.check().expect("a good configuration");
        // The service runs on threads of its own, so that it goes on while a test blocks.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let migrated = database.is_some();
        let starting = async move {
            if migrated {
                darkroom::adapters::db::migrate(&config.database).await.expect("migrations");
            }
            App::start(config).await.expect("the service starts")
        };
        let app = runtime.spawn(starting).await.expect("the service starts");
        let address = app.address().map(|address| format!("http://{address}"));
        Self {
            url: address.unwrap_or_default(),
            client: Client::builder().no_proxy().build().expect("a client"),
            app: Some(app),
            runtime: Some(runtime),
            leaves_jobs: false,
            variables,
            data,
            database,
        }
    }

    /// This test means to leave jobs undone.
    pub fn leaves_jobs(&mut self) {
        self.leaves_jobs = true;
    }

    /// The service.
    pub fn app(&self) -> &App {
        self.app.as_ref().expect("the service runs")
    }

    /// What the service works with.
    pub fn services(&self) -> Arc<Services> {
        self.app().services().clone()
    }

    /// Where the service keeps its files.
    pub fn data_dir(&self) -> &Path {
        self.data.path()
    }

    /// How many objects the service has stored.
    pub fn stored_objects(&self) -> usize {
        let files = |directory: &Path| {
            let entries = std::fs::read_dir(directory).expect("a directory of objects");
            entries.map(|entry| entry.expect("an entry").path()).collect::<Vec<_>>()
        };
        files(&self.data_dir().join("objects")).iter().map(|fan| files(fan).len()).sum()
    }

    /// A request to a path, without credentials.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// Registers an account.
    pub async fn register(&self, username: &str) -> Account<'_> {
        let body = json!({ "username": username, "password": PASSWORD });
        let request = self.request(Method::POST, "/api/v1/auth/register").json(&body);
        let answer = expect(request.send().await, StatusCode::CREATED).await;
        Account { sandbox: self, token: text(&answer, "token"), issued: answer }
    }

    /// Stops the service now, and accuses.
    pub fn stop(&mut self) {
        let (Some(app), Some(runtime)) = (self.app.take(), self.runtime.take()) else { return };
        let leaves_jobs = self.leaves_jobs;
        let database = self.database.take();
        // A test's own runtime can't be blocked on; another thread can.
        let stopping = std::thread::spawn(move || {
            let accusations = runtime.block_on(async move {
                let unfinished = app.services().database.ask(CountUnfinished {}).await;
                let still_alive = app.stop().await;
                if let Some(name) = database {
                    administer(&admin_url(), &format!("DROP DATABASE {name} WITH (FORCE)")).await;
                }
                (unfinished, still_alive)
            });
            runtime.shutdown_background();
            accusations
        });
        let (unfinished, still_alive) = stopping.join().expect("the service stops");
        // A test that has failed already has said what matters.
        if std::thread::panicking() {
            return;
        }
        assert!(still_alive.is_empty(), "actors that did not end: {still_alive:?}");
        let unfinished = unfinished.expect("the database answers to the end");
        assert!(leaves_jobs || unfinished == 0, "{unfinished} jobs were left undone");
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A logged-in account.
pub struct Account<'a> {
    sandbox: &'a Sandbox,
    /// What registering or logging in answered.
    pub issued: Value,
    /// The access token.
    pub token: String,
}

impl<'a> Account<'a> {
    /// Whoever the bearer of `token` is.
    pub fn of(sandbox: &'a Sandbox, token: &str) -> Self {
        Self { sandbox, token: token.to_owned(), issued: Value::Null }
    }

    /// A request to a path, with the account's token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.sandbox.request(method, path).bearer_auth(&self.token)
    }

    /// GETs JSON.
    pub async fn get(&self, path: &str) -> Value {
        expect(self.request(Method::GET, path).send().await, StatusCode::OK).await
    }

    /// POSTs JSON and expects `status`.
    pub async fn post(&self, path: &str, body: &Value, status: StatusCode) -> Value {
        expect(self.request(Method::POST, path).json(body).send().await, status).await
    }

    /// Uploads a picture as the body; its id.
    pub async fn upload(&self, bytes: &'static [u8]) -> String {
        let request = self
            .request(Method::POST, "/api/v1/images?filename=picture")
            .header("content-type", "image/jpeg")
            .body(bytes);
        text(&expect(request.send().await, StatusCode::CREATED).await, "id")
    }

    /// Transforms at once; the variant.
    pub async fn transform(&self, image_id: &str, spec: &Value) -> Value {
        let path = format!("/api/v1/images/{image_id}/transform?sync=true");
        self.post(&path, spec, StatusCode::OK).await
    }

    /// Has a transformation run as a job; what was accepted.
    pub async fn enqueue(&self, image_id: &str, spec: &Value) -> Value {
        let path = format!("/api/v1/images/{image_id}/transform");
        self.post(&path, spec, StatusCode::ACCEPTED).await
    }

    /// Waits for a job to finish; the job.
    pub async fn finished(&self, job_id: &str) -> Value {
        let path = format!("/api/v1/jobs/{job_id}");
        let finished = eventually(async || {
            let job = self.get(&path).await;
            let status = text(&job, "status");
            (status != "queued" && status != "running").then_some(job)
        });
        finished.await
    }

    /// The bytes of a picture.
    pub async fn bytes(&self, path: &str) -> Vec<u8> {
        let answer = self.request(Method::GET, path).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        answer.bytes().await.expect("a body").to_vec()
    }
}

/// Asks again and again until there is an answer. The pause is only to be polite: what is waited for
/// is the answer, for as long as a test may take.
pub async fn eventually<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        let mut pause = tokio::time::interval(std::time::Duration::from_millis(10));
        loop {
            pause.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    };
    let patience = std::time::Duration::from_secs(240);
    tokio::time::timeout(patience, asking).await.expect("it never happened")
}

/// The answer's JSON, if its status is `status`.
pub async fn expect(answer: reqwest::Result<Response>, status: StatusCode) -> Value {
    let answer = answer.expect("an answer");
    let actual = answer.status();
    let body = answer.text().await.expect("a body");
    assert_eq!(actual, status, "{body}");
    serde_json::from_str(&body).unwrap_or(Value::Null)
}

/// The problem an answer tells of, after checking that it is told as RFC 9457 and the contract say.
pub async fn problem(answer: reqwest::Result<Response>, status: u16, code: &str) -> Value {
    let answer = answer.expect("an answer");
    let headers = answer.headers().clone();
    let actual = answer.status().as_u16();
    let body = answer.text().await.expect("a body");
    assert_eq!(actual, status, "{body}");
    assert_eq!(headers["content-type"], "application/problem+json");
    let problem: Value = serde_json::from_str(&body).expect("a problem in JSON");
    assert_eq!(problem["code"], code, "{body}");
    assert_eq!(problem["status"], status);
    assert_eq!(problem["type"], "about:blank");
    assert!(problem["title"].is_string() && problem["detail"].is_string(), "{body}");
    assert_eq!(problem["request_id"], headers["x-request-id"].to_str().expect("text"));
    problem
}

/// The objects in the storage, and the files on their way there.
pub fn stored_files(data_dir: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    let mut directories = vec![data_dir.join("objects"), data_dir.join("spool")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// A field that is a string.
pub fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("no `{field}` in {value}")).to_owned()
}

fn admin_url() -> String {
    std::env::var("TEST_DATABASE_URL").unwrap_or_else(|_| {
        "postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable".to_owned()
    })
}

async fn administer(url: &str, statement: &str) {
    let mut connection = PgConnection::connect(url).await.expect("a Postgres: see `make test`");
    connection.execute(AssertSqlSafe(statement.to_owned())).await.expect("an administrator");
}
