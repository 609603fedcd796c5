//! A service of processes that share servers, a client of it, and the accusation.

use std::{
    ffi::OsStr,
    panic::Location,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::{StreamExt, stream};
use image::GenericImageView;
use reqwest::{Method, StatusCode};
use tempfile::TempDir;

use crate::{
    client::{AT_ONCE, Accepted, Client, text},
    guide,
    ledger::Ledger,
    process::{Log, Process, dying_with_us},
    round::Trial,
    servers::{Servers, free_port, postgres, rabbitmq},
};

/// How long anything may take that must happen: a lease of 20 s that has to run out, and its job, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(200);

/// The service and its client.
pub struct World {
    pub client: Client,
    pub ledger: Ledger,
    /// Where the processes keep their files.
    pub data: PathBuf,
    servers: Arc<Servers>,
    /// The queue's name, when there is a broker.
    queue: Option<String>,
    variables: Vec<(&'static str, String)>,
    logs: Mutex<Vec<(String, Log)>>,
    started: AtomicUsize,
    _directory: TempDir,
}

/// Where each server is reached.
pub struct Ports {
    pub postgres: u16,
    pub rabbitmq: Option<u16>,
    pub redis: u16,
}

impl Ports {
    /// Managed servers themselves.
    pub async fn over(servers: &Servers) -> Self {
        Self {
            postgres: servers.postgres().await.port,
            rabbitmq: Some(servers.rabbitmq().await.port),
            redis: servers.redis().await.port,
        }
    }

    /// The servers themselves.
    pub async fn of(trial: &Trial) -> Self {
        let servers = &trial.servers;
        let rabbitmq = match trial.has_broker {
            true => Some(servers.rabbitmq().await.port),
            false => None,
        };
        Self {
            postgres: servers.postgres().await.port,
            rabbitmq,
            redis: servers.redis().await.port,
        }
    }
}

impl World {
    /// Over the servers of the round: a database, a queue and keys of its own.
    pub async fn new(trial: &Trial) -> Self {
        let ports = Ports::of(trial).await;
        Self::over(trial, ports).await
    }

    /// Over what `ports` lead to.
    pub async fn over(trial: &Trial, ports: Ports) -> Self {
        let name = format!("faults_{}", uuid::Uuid::now_v7().simple());
        let server = trial.servers.postgres().await;
        server.create_database(&name).await;
        let ledger = Ledger::Postgres(postgres::url(server.port, &name));
        let mut variables = vec![
            ("SUPABASE_DB_URL", postgres::url(ports.postgres, &name)),
            ("DB_MAX_CONNS", "5".to_owned()),
            ("DB_MIN_CONNS", "0".to_owned()),
            ("JWT_SECRET", "2f6b1c9d84e05a7733bd90c1f4a8e6d25b7c0e91".to_owned()),
            ("REDIS_URL", format!("redis://127.0.0.1:{}", ports.redis)),
            ("REDIS_PREFIX", format!("{name}:")),
        ];
        let queue = ports.rabbitmq.map(|port| {
            variables.push(("CLOUDAMQP_URL", rabbitmq::url(port)));
            variables.push(("QUEUE_NAME", name.clone()));
            name.clone()
        });
        let directory = TempDir::with_prefix("darkroom-faults-").unwrap();
        let data = directory.path().to_owned();
        let world = Self::with(trial, ledger, data, directory, queue, variables);
        let mut migrate = world.command("migrate");
        // Past any proxy, which may be made to fail.
        migrate.env("SUPABASE_DB_URL", postgres::url(server.port, &name));
        world.migrated(migrate).await;
        world
    }

    /// Over managed servers, or what `ports` lead to, told what the guide names.
    pub async fn managed(trial: &Trial, ports: Ports) -> Self {
        let name = format!("deployment_{}", uuid::Uuid::now_v7().simple());
        let server = trial.managed.postgres().await;
        server.create_database(&name).await;
        let ledger = Ledger::Postgres(server.url(&name));
        let authority = trial.managed.authority().path();
        let variables = guide::variables(&ports, &name, authority);
        let directory = TempDir::with_prefix("darkroom-faults-").unwrap();
        let data = directory.path().to_owned();
        let queue = Some("image-transform-jobs".to_owned());
        let mut world = Self::with(trial, ledger, data, directory, queue, variables);
        world.servers = trial.managed.clone();
        world.migrated(world.command("migrate")).await;
        world
    }

    /// Waits for it without holding up what else goes on on this thread.
    async fn migrated(&self, command: Command) {
        let mut migrate = Process::begin("migrate".to_owned(), command);
        let migrated = eventually(async || migrate.has_ended()).await;
        assert!(migrated.success(), "{}", migrate.said());
    }

    /// With nothing configured: SQLite, and files.
    pub fn embedded(trial: &Trial) -> Self {
        let directory = TempDir::with_prefix("darkroom-faults-").unwrap();
        let data = directory.path().join("data");
        let ledger = Ledger::Sqlite(data.join("darkroom.db"));
        Self::with(trial, ledger, data, directory, None, Vec::new())
    }

    fn with(
        trial: &Trial,
        ledger: Ledger,
        data: PathBuf,
        directory: TempDir,
        queue: Option<String>,
        mut variables: Vec<(&'static str, String)>,
    ) -> Self {
        let path = data.to_str().unwrap().to_owned();
        let common =
            [("DATA_DIR", path.as_str()), ("HOST", "127.0.0.1"), ("TRANSFORM_THREADS", "2")];
        variables.extend(common.map(|(name, value)| (name, value.to_owned())));
        Self {
            client: Client::new(),
            ledger,
            data,
            servers: trial.servers.clone(),
            queue,
            variables,
            logs: Mutex::default(),
            started: AtomicUsize::default(),
            _directory: directory,
        }
    }

    /// Has all processes started from now on be told this, too.
    pub fn tell(&mut self, name: &'static str, value: &str) {
        self.variables.push((name, value.to_owned()));
    }

    /// The program, told what all processes of this world are told.
    pub fn command(&self, command: impl AsRef<OsStr>) -> Command {
        self.command_in(dying_with_us(), command)
    }

    /// The same, run by `runner`.
    pub fn command_in(&self, mut runner: Command, command: impl AsRef<OsStr>) -> Command {
        let variables = self.variables.iter().map(|(name, value)| (*name, value));
        runner.arg("--").arg(env!("CARGO_BIN_EXE_darkroom")).arg(command);
        runner.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").envs(variables);
        runner.current_dir(Path::new("/"));
        runner
    }

    /// Starts an API, of which the client hears.
    pub async fn api(&self) -> Api<'_> {
        self.serve("api", &[]).await
    }

    /// Starts a process that listens, told `variables` as well.
    pub async fn serve(&self, role: &str, variables: &[(&str, &str)]) -> Api<'_> {
        let mut command = self.command("serve");
        command.envs(variables.iter().copied());
        self.serve_by(role, command).await
    }

    /// Starts a process that listens, by `command`.
    pub async fn serve_by(&self, role: &str, mut command: Command) -> Api<'_> {
        let port = free_port();
        command.env("ROLE", role).env("PORT", port.to_string());
        let process = self.start(role, command).await;
        let url = format!("http://127.0.0.1:{port}");
        self.client.knows(url.clone());
        Api { process: Some(process), url, world: self }
    }

    /// Starts a worker.
    pub async fn worker(&self) -> Process {
        let mut command = self.command("serve");
        command.env("ROLE", "worker");
        self.start("worker", command).await
    }

    async fn start(&self, role: &str, command: Command) -> Process {
        let name = format!("{role} {}", self.started.fetch_add(1, Relaxed));
        let process = Process::start(name.clone(), command).await;
        self.logs.lock().unwrap().push((name, process.log.clone()));
        process
    }

    /// How many lines of all processes' logs hold `text`.
    pub fn lines(&self, text: &str) -> usize {
        let logs = self.logs.lock().unwrap();
        let lines = |log: &Log| log.lock().unwrap().iter().filter(|it| it.contains(text)).count();
        logs.iter().map(|(_, log)| lines(log)).sum()
    }

    /// Jobs that have not come to an end.
    pub async fn unfinished(&self) -> i64 {
        let sql = "SELECT count(*) FROM jobs WHERE status IN ('queued', 'running')";
        self.ledger.count(sql).await
    }

    /// When the last job was begun.
    pub async fn last_begun(&self) -> Option<String> {
        self.ledger.text("SELECT CAST(max(started_at) AS TEXT) FROM jobs").await
    }

    /// Waits until one more job was begun since then.
    pub async fn something_begins(&self, since: Option<String>) {
        eventually(async || (self.last_begun().await != since).then_some(())).await;
    }

    /// What `/ready` says, and with which status.
    pub async fn readiness(&self, api: &Api<'_>) -> (u16, String) {
        let answer = self.client.http.get(format!("{}/ready", api.url)).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, text(&answer.json().await.unwrap(), "status"))
    }

    /// Waits until `/ready` says so.
    pub async fn becomes(&self, api: &Api<'_>, status: u16, word: &str) {
        eventually(async || (self.readiness(api).await == (status, word.to_owned())).then_some(()))
            .await;
    }

    /// Waits until nothing is left to do, and accuses.
    pub async fn accuse(&self) {
        let accepted = self.client.accepted();
        assert!(!accepted.is_empty(), "nothing was accepted: nothing was tried");
        eventually(async || (self.unfinished().await == 0).then_some(())).await;
        stream::iter(&accepted).for_each_concurrent(AT_ONCE, |job| self.check(job)).await;

        let expected = i64::try_from(accepted.len()).unwrap();
        for (what, sql) in ONCE {
            assert_eq!(self.ledger.count(sql).await, expected, "{what}");
        }
        assert_eq!(self.ledger.count("SELECT count(*) FROM outbox").await, 0, "left in the outbox");
        if let Some(queue) = &self.queue {
            let broker = self.servers.rabbitmq().await;
            eventually(async || {
                let queues = broker.messages(queue);
                assert!(queues.iter().any(|(name, _)| name == queue), "no queue: {queues:?}");
                // What is held back for later is about jobs that are done, and harmless.
                let mut now = queues.iter().filter(|(name, _)| !name.contains(".delay."));
                now.all(|(_, messages)| *messages == 0).then_some(())
            })
            .await;
        }
        for (name, log) in &*self.logs.lock().unwrap() {
            let log = log.lock().unwrap();
            let panicked = log.iter().find(|line| line.contains("panicked at"));
            assert!(panicked.is_none(), "{name}: {panicked:?}");
        }
    }

    /// What was accepted is done, and there is a picture.
    async fn check(&self, Accepted { job_id, variant_id }: &Accepted) {
        let job = format!("/api/v1/jobs/{job_id}");
        let job = || self.client.request(Method::GET, &job);
        let job = self.client.answered(job, StatusCode::OK).await;
        assert_eq!(job["status"], "succeeded", "{job}");
        assert_eq!(job["variant_id"], variant_id.as_str());
        let variant = format!("/api/v1/variants/{variant_id}");
        let get = || self.client.request(Method::GET, &variant);
        let variant = self.client.answered(get, StatusCode::OK).await;
        let content = text(&variant, "url");
        // Where clients reach the service, by `PUBLIC_URL`, nobody is.
        let (_, content) = content.split_once("/api/").unwrap();
        let content =
            self.client.request(Method::GET, &format!("/api/{content}")).send().await.unwrap();
        assert_eq!(content.status(), StatusCode::OK, "{variant}");
        let bytes = content.bytes().await.unwrap();
        let (width, height) = image::load_from_memory(&bytes).unwrap().dimensions();
        assert_eq!(
            (variant["width"].as_u64(), variant["height"].as_u64(), variant["size"].as_u64()),
            (Some(width.into()), Some(height.into()), u64::try_from(bytes.len()).ok())
        );
    }
}

/// What there must be exactly once for each job that was accepted. (Variants that were asked for at once have no job.)
const ONCE: [(&str, &str); 6] = [
    ("jobs", "SELECT count(*) FROM jobs"),
    ("jobs that succeeded", "SELECT count(*) FROM jobs WHERE status = 'succeeded'"),
    ("successes told", "SELECT count(*) FROM job_events WHERE status = 'succeeded'"),
    ("variants", "SELECT count(*) FROM variants WHERE id IN (SELECT variant_id FROM jobs)"),
    (
        "variants that are ready",
        "SELECT count(*) FROM variants
         WHERE status = 'ready' AND id IN (SELECT variant_id FROM jobs)",
    ),
    (
        "specs of an image",
        "SELECT count(*) FROM (
             SELECT DISTINCT image_id, spec_hash FROM variants
             WHERE id IN (SELECT variant_id FROM jobs)
         ) AS specs",
    ),
];

/// A process that listens. When it goes, the client hears of it.
pub struct Api<'a> {
    process: Option<Process>,
    pub url: String,
    world: &'a World,
}

impl Api<'_> {
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().unwrap()
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.process.take().unwrap().kill();
    }

    /// Sends SIGTERM and waits; it has 25 s to end, with code 0.
    pub async fn terminate(mut self) {
        self.process.take().unwrap().terminate().await;
    }
}

impl Drop for Api<'_> {
    fn drop(&mut self) {
        self.world.client.forgets(&self.url);
    }
}

/// Asks again and again until there is an answer. The pause is only to be polite: what is waited for is the answer.
#[track_caller]
pub fn eventually<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> impl Future<Output = T> {
    let wanted = Location::caller();
    async move {
        let asking = async {
            loop {
                if let Some(answer) = ask().await {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let answer = tokio::time::timeout(PATIENCE, asking).await;
        answer.unwrap_or_else(|_| panic!("it never happened: {wanted}"))
    }
}
