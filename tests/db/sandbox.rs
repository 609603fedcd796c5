//! A database of one's own, gone when the test is over, however it ends.

use std::{
    io::{BufRead, BufReader},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Weak},
    time::Duration,
};

use chrono::{DateTime, Utc};
use darkroom::{
    adapters::{
        Query,
        db::{
            self, Db,
            outbox::{LeaseOutbox, Room},
            queue::{RescueJobs, TakeJob, Taken},
            tokens::InsertRefreshToken,
        },
    },
    config::{Database, DatabaseLocation},
    domain::{
        error::{Code, Result},
        format::Format,
        ids::{FamilyId, ImageId, JobId, TokenId, UserId, VariantId},
        image::{Facts, Image},
        job::{Job, JobKind, JobStatus, MAX_ATTEMPTS},
        user::{RefreshToken, User},
        variant::{Made, Variant, VariantStatus},
    },
};
use serde_json::json;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, postgres::PgConnectOptions};
use tokio::sync::Mutex;
use url::Url;
use uuid::Uuid;

/// The engine that test variants are for.
pub const ENGINE: i32 = 3;

/// Seconds that a lease lasts.
pub const LEASE: i64 = 60;

/// What the password of every test account is checked against.
pub const PASSWORD_HASH: &str = "$argon2id$old";

/// The login that `token` is the first of.
pub fn first_of(token: RefreshToken) -> InsertRefreshToken {
    InsertRefreshToken { token, password_hash: PASSWORD_HASH.to_owned() }
}

/// A migrated database.
pub struct Sandbox {
    pub db: Db,
    pub settings: Database,
    resource: Resource,
}

/// What there is to clean up. Fields are dropped in order: the pooler before the database.
enum Resource {
    File { _directory: tempfile::TempDir },
    Server { pooler: Option<Box<Pooler>>, schema: Schema },
}

impl Sandbox {
    pub async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // A directory that is yet to be made.
        let path = directory.path().join("data").join("darkroom.db");
        let settings = settings(DatabaseLocation::Sqlite(path), None);
        Self::open(settings, Resource::File { _directory: directory }).await
    }

    pub async fn postgres() -> Self {
        let schema = Schema::create().await;
        let settings =
            settings(DatabaseLocation::Postgres(String::from(schema.url.clone()).into()), None);
        Self::open(settings, Resource::Server { pooler: None, schema }).await
    }

    pub async fn pooled() -> Self {
        let schema = Schema::create().await;
        let pooler = Pooler::start(&schema);
        let location = DatabaseLocation::Postgres(String::from(pooler.url.clone()).into());
        let settings = settings(location, Some(schema.url.clone()));
        Self::open(settings, Resource::Server { pooler: Some(Box::new(pooler)), schema }).await
    }

    async fn open(settings: Database, resource: Resource) -> Self {
        db::migrate(&settings).await.expect("migrate");
        let db = Db::connect(&settings).await.expect("connect");
        Self { db, settings, resource }
    }

    /// Puts a question, as the actor does.
    pub async fn ask<Q: Query<Db>>(&self, query: Q) -> Result<Q::Output> {
        query.run(&self.db).await
    }

    /// Puts a question that must be answered.
    pub async fn get<Q: Query<Db>>(&self, query: Q) -> Q::Output {
        query.run(&self.db).await.expect(Q::NAME)
    }

    /// Puts a question that must be refused; with what.
    pub async fn refusal<Q: Query<Db>>(&self, query: Q) -> Code {
        match query.run(&self.db).await {
            Ok(_) => panic!("{} was answered", Q::NAME),
            Err(error) => error.code,
        }
    }

    /// Puts all these questions at once; the answers in the same order.
    pub async fn together<Q: Query<Db>>(&self, queries: Vec<Q>) -> Vec<Result<Q::Output>> {
        let tasks: Vec<_> = queries
            .into_iter()
            .map(|query| {
                let db = self.db.clone();
                tokio::spawn(async move { query.run(&db).await })
            })
            .collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.unwrap());
        }
        answers
    }

    /// A second database of the same kind, without its schema.
    pub async fn another_empty(&self) -> Sandbox {
        let (location, migrate_url, resource) = match &self.resource {
            Resource::File { .. } => {
                let directory = tempfile::tempdir().unwrap();
                let path = directory.path().join("darkroom.db");
                (DatabaseLocation::Sqlite(path), None, Resource::File { _directory: directory })
            }
            Resource::Server { pooler, .. } => {
                let schema = Schema::create().await;
                let pooler = pooler.as_ref().map(|_| Box::new(Pooler::start(&schema)));
                let url = pooler.as_ref().map_or(&schema.url, |pooler| &pooler.url).clone();
                let direct = pooler.is_some().then(|| schema.url.clone());
                let resource = Resource::Server { pooler, schema };
                (DatabaseLocation::Postgres(String::from(url).into()), direct, resource)
            }
        };
        let settings = settings(location, migrate_url);
        let db = Db::connect(&settings).await.expect("connect");
        Sandbox { db, settings, resource }
    }

    /// Runs a statement that the service has no query for, past the service.
    pub async fn meddle(&self, sql: &str) {
        match &self.settings.location {
            DatabaseLocation::Sqlite(path) => {
                let options = sqlx::sqlite::SqliteConnectOptions::new()
                    .filename(path)
                    .busy_timeout(Duration::from_secs(5));
                let mut connection = options.connect().await.unwrap();
                connection.execute(AssertSqlSafe(sql)).await.unwrap();
                connection.close().await.unwrap();
            }
            DatabaseLocation::Postgres(_) => {
                let Resource::Server { schema, .. } = &self.resource else { unreachable!() };
                execute(&schema.url, sql).await;
            }
        }
    }
}

fn settings(location: DatabaseLocation, migrate_url: Option<Url>) -> Database {
    Database {
        location,
        max_conns: 16,
        min_conns: 0,
        max_lifetime: Duration::from_secs(3600),
        max_idle: Duration::from_secs(1800),
        migrate_url: migrate_url.map(|url| String::from(url).into()),
    }
}

/// A database on the server of `TEST_DATABASE_URL`, for all tests that run at a time: making one takes
/// longer than most tests. The last of them takes it away.
struct Server {
    admin: Url,
    name: String,
}

static SERVER: Mutex<Weak<Server>> = Mutex::const_new(Weak::new());

impl Server {
    async fn shared() -> Arc<Self> {
        let mut shared = SERVER.lock().await;
        if let Some(server) = shared.upgrade() {
            return server;
        }
        let admin = std::env::var("TEST_DATABASE_URL")
            // Without TLS, which costs an unoptimised build a tenth of a second each time.
            .unwrap_or_else(|_| {
                "postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable".to_owned()
            });
        let admin = Url::parse(&admin).expect("TEST_DATABASE_URL is no URL");
        let name = format!("darkroom_test_{}", uuid::Uuid::now_v7().simple());
        let server = Arc::new(Self { admin, name });
        execute(&server.admin, &format!("CREATE DATABASE {}", server.name)).await;
        *shared = Arc::downgrade(&server);
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A thread with a runtime of its own: this one may be unwinding.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
                runtime.unwrap().block_on(execute(&self.admin, &sql));
            });
        });
    }
}

async fn execute(url: &Url, sql: &str) {
    let options = PgConnectOptions::from_url(url).unwrap();
    let connection = options.connect().await;
    let mut connection = connection
        .expect("the database tests need a Postgres: start one, or set TEST_DATABASE_URL");
    connection.execute(AssertSqlSafe(sql)).await.unwrap();
    connection.close().await.unwrap();
}

/// A schema of one's own in that database: as good as a database.
struct Schema {
    url: Url,
    name: String,
    _server: Arc<Server>,
}

impl Schema {
    async fn create() -> Self {
        let server = Server::shared().await;
        let name = format!("sandbox_{}", uuid::Uuid::now_v7().simple());
        let mut url = server.admin.clone();
        url.set_path(&server.name);
        execute(&url, &format!("CREATE SCHEMA {name}")).await;
        url.query_pairs_mut().append_pair("options", &format!("-csearch_path={name}"));
        Self { url, name, _server: server }
    }
}

/// A PgBouncer in transaction mode.
struct Pooler {
    url: Url,
    process: Child,
    _directory: tempfile::TempDir,
}

impl Pooler {
    fn start(schema: &Schema) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = PgConnectOptions::from_url(&schema.url).unwrap();
        let password =
            schema.url.password().map(|word| format!(" password={word}")).unwrap_or_default();
        let config = format!(
            "[databases]\n* = host={} port={} user={}{password} connect_query='SET search_path TO {}'\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = transaction\ndefault_pool_size = 4\n\
             max_client_conn = 200\nlog_connections = 0\nlog_disconnections = 0\nlog_stats = 0\n",
            server.get_host(),
            server.get_port(),
            server.get_username(),
            schema.name,
        );
        let path: PathBuf = directory.path().join("pgbouncer.ini");
        std::fs::write(&path, config).unwrap();
        // It refuses to be root, and reads its file as whom it becomes.
        let mode = |mode| std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(directory.path(), mode(0o755)).unwrap();
        std::fs::set_permissions(&path, mode(0o644)).unwrap();
        let mut command = Command::new("pgbouncer");
        if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
            command.args(["-u", "nobody"]);
        }
        let search = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        let mut process = command
            .arg(&path)
            .env("PATH", search)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("these tests need pgbouncer on the PATH (apt-get install pgbouncer)");
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let mut seen = Vec::new();
        while !seen.last().is_some_and(|line: &String| line.contains("process up")) {
            match log.next() {
                Some(line) => seen.push(line.unwrap()),
                None => panic!("pgbouncer did not start: {seen:#?}"),
            }
        }
        // It must never wait for somebody to read its log.
        std::thread::spawn(move || log.map_while(std::io::Result::ok).for_each(drop));
        let mut url = schema.url.clone();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(port)).unwrap();
        url.set_query(Some("sslmode=disable&default_query_exec_mode=simple_protocol"));
        Self { url, process, _directory: directory }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

// ── things to keep ──────────────────────────────────────────────────────────────────────────────────

/// The present.
pub fn now() -> DateTime<Utc> {
    db::now()
}

/// That many seconds from `now`.
pub fn seconds(seconds: i64) -> chrono::TimeDelta {
    chrono::TimeDelta::seconds(seconds)
}

/// The first token of a login.
pub fn token(user_id: UserId, token_hash: &str) -> RefreshToken {
    RefreshToken {
        id: TokenId::new(),
        user_id,
        family_id: FamilyId::new(),
        token_hash: token_hash.to_owned(),
        created_at: now(),
        expires_at: now() + seconds(3600),
    }
}

/// An image of that account.
pub fn image(user_id: UserId) -> Image {
    let id = ImageId::new();
    Image {
        id,
        user_id,
        filename: "Müller's \"cat\".jpg".to_owned(),
        format: Format::Jpeg,
        size: 1000,
        width: 640,
        height: 480,
        frames: 1,
        has_alpha: false,
        sha256: format!("{:064x}", id.0.as_u128()),
        public: false,
        tags: Vec::new(),
        focus: None,
        facts: Facts::default(),
        object_key: format!("images/{id}"),
        created_at: now(),
    }
}

/// A variant of that image; of equal numbers, an equal one.
pub fn variant(image: &Image, number: u32) -> Variant {
    Variant {
        id: VariantId::new(),
        image_id: image.id,
        user_id: image.user_id,
        spec: json!({"resize": {"width": number}, "quality": 0.5}),
        spec_hash: format!("hash{number}"),
        engine: ENGINE,
        status: VariantStatus::Pending,
        made: None,
        error: None,
        created_at: now(),
    }
}

/// A job for that variant.
pub fn job(variant: &Variant) -> Job {
    Job {
        id: JobId::new(),
        user_id: variant.user_id,
        kind: JobKind::Transform,
        status: JobStatus::Queued,
        attempts: 0,
        max_attempts: MAX_ATTEMPTS,
        image_id: variant.image_id,
        variant_id: variant.id,
        spec: variant.spec.clone(),
        error: None,
        created_at: now(),
        started_at: None,
        finished_at: None,
    }
}

/// What a transformation made.
pub fn made(object_key: &str) -> Made {
    Made {
        format: Format::Webp,
        size: 50,
        width: 64,
        height: 48,
        sha256: format!("{object_key:0>64}"),
        object_key: object_key.to_owned(),
    }
}

impl Sandbox {
    /// What a process does that hands over to its own worker, and what that worker then does: puts back what was lost, leases
    /// rows of the outbox, and takes the jobs.
    pub async fn lease(&self, worker: Uuid, limit: i64, now: DateTime<Utc>) -> Vec<Job> {
        self.get(RescueJobs { now, ended: now }).await;
        let mut jobs = Vec::new();
        for handed in self.get(LeaseOutbox { room: Room::Here(limit), now }).await {
            let take = TakeJob {
                worker,
                job_id: handed.job_id,
                alone: true,
                now,
                lease_until: now + seconds(LEASE),
            };
            match self.get(take).await {
                Taken::Job(job) => jobs.push(*job),
                other => panic!("{other:?} was handed over"),
            }
        }
        jobs
    }

    /// A registered account.
    pub async fn user(&self, username: &str) -> User {
        let user = User { id: UserId::new(), username: username.to_owned(), created_at: now() };
        let token = token(user.id, &format!("token of {username}"));
        let password_hash = PASSWORD_HASH.to_owned();
        self.get(db::users::CreateUser { user: user.clone(), password_hash, token }).await;
        user
    }

    /// An uploaded image.
    pub async fn image(&self, user: &User) -> Image {
        let image = image(user.id);
        self.get(db::images::InsertImage {
            image: image.clone(),
            is_stored: false,
            jobs: Vec::new(),
        })
        .await;
        image
    }

    /// An accepted job.
    pub async fn job(&self, image: &Image, number: u32) -> Job {
        let variant = variant(image, number);
        let job = job(&variant);
        self.get(db::jobs::EnqueueTransform { variant, job, webhook_url: None }).await.1
    }
}
