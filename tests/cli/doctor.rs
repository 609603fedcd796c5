//! `darkroom doctor`: what it finds, what it ends with, and that it changes nothing.

use std::{net::TcpListener, time::Instant};

use lapin::{
    Channel, Connection, ConnectionProperties,
    options::{ExchangeDeleteOptions, QueueDeclareOptions, QueueDeleteOptions},
    types::FieldTable,
};
use serde_json::Value;

use crate::process::{Database, SECRET, Shell};

/// What `darkroom doctor --json` came to.
struct Report {
    code: i32,
    checks: Vec<Value>,
    text: String,
}

impl Report {
    fn of(shell: &Shell) -> Self {
        let run = shell.run(&["doctor", "--json"]);
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        let checks = report["checks"].as_array().unwrap().clone();
        let faults = checks.iter().filter(|check| check["state"] == "fault").count();
        assert_eq!(report["faults"], faults);
        assert_eq!(run.code == 0, faults == 0, "{}", run.stdout);
        Self { code: run.code, checks, text: run.stdout + &run.stderr }
    }

    /// The checks that came to `state`.
    fn which(&self, state: &str) -> Vec<&str> {
        let checks = self.checks.iter().filter(|check| check["state"] == state);
        checks.map(|check| check["check"].as_str().unwrap()).collect()
    }

    /// What the first of these checks found.
    fn found(&self, check: &str) -> &str {
        let of = self.checks.iter().find(|it| it["check"] == check);
        of.unwrap_or_else(|| panic!("no {check}: {}", self.text))["found"].as_str().unwrap()
    }

    /// How to mend what the first fault of this check found.
    fn mend(&self, check: &str) -> &str {
        let is_it = |it: &&Value| it["check"] == check && it["state"] == "fault";
        let of = self.checks.iter().find(is_it);
        of.unwrap_or_else(|| panic!("no {check}: {}", self.text))["mend"].as_str().unwrap()
    }
}

fn redis_url() -> String {
    std::env::var("TEST_REDIS_URL").unwrap_or_else(|_| "redis://127.0.0.1:6379".to_owned())
}

fn amqp_url() -> String {
    std::env::var("TEST_AMQP_URL")
        .unwrap_or_else(|_| "amqp://guest:guest@127.0.0.1:5672/%2f".to_owned())
}

/// The name of a queue of one's own; what is declared under it goes with it.
struct Queue(String);

impl Queue {
    fn new() -> Self {
        Self(format!("darkroom_cli_{}", uuid::Uuid::now_v7().simple()))
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let name = self.0.clone();
        // A test's own runtime can't be blocked on; another thread can.
        let removing = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let (connection, channel) = raw().await;
                let delays = [256, 128, 64, 32, 16, 8, 4, 2, 1].map(|n| format!(".delay.{n}s"));
                for suffix in delays.into_iter().chain([String::new(), ".dead".to_owned()]) {
                    let queue = format!("{name}{suffix}");
                    let options = QueueDeleteOptions::default();
                    channel.queue_delete(queue.as_str().into(), options).await.unwrap();
                }
                let dead = format!("{name}.dead");
                let options = ExchangeDeleteOptions::default();
                channel.exchange_delete(dead.as_str().into(), options).await.unwrap();
                connection.close(200, "bye".into()).await.unwrap();
            });
        });
        assert!(removing.join().is_ok() || std::thread::panicking(), "queues were left behind");
    }
}

async fn raw() -> (Connection, Channel) {
    let connection = Connection::connect(&amqp_url(), ConnectionProperties::default()).await;
    let connection = connection.expect("a RabbitMQ: see `make test`");
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

#[tokio::test]
async fn an_embedded_service_is_well_before_during_and_after_it_serves() {
    let shell = Shell::new().with("PORT", "0");
    let before = Report::of(&shell);
    assert_eq!(before.code, 0, "{}", before.text);
    assert!(before.found("storage").contains("made at the first start"), "{}", before.text);
    assert!(!shell.directory().join("data").exists(), "a doctor makes nothing");

    let serving = shell.serve(&[]);
    let during = crate::process::eventually(|| {
        let report = Report::of(&shell);
        report.found("jobs").contains("1 workers").then_some(report)
    });
    assert_eq!(during.code, 0, "{}", during.text);
    for check in ["configuration", "database", "schema", "clock", "jobs", "cache", "queue"] {
        assert!(during.which("ok").contains(&check), "{check}: {}", during.text);
    }
    assert!(during.found("database").contains("SQLite 3."), "{}", during.text);
    assert!(during.found("storage").contains("free"), "{}", during.text);
    assert!(during.found("server").starts_with("a process serves"), "{}", during.text);
    assert_eq!(serving.terminate(), 0);
    let objects = shell.directory().join("data/objects").read_dir().unwrap().count();
    assert_eq!(objects, 0, "what it wrote is gone");

    let run = shell.run(&["doctor"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("no process serves from ./data"), "{}", run.stdout);
    // Both columns are as wide as their longest word.
    let line = |name: &str| run.stdout.lines().find(|line| line.contains(name)).unwrap();
    assert!(
        line("  cache  ").starts_with("ok       cache          in the memory"),
        "{}",
        run.stdout
    );
    let after = shell.serve(&[]);
    assert_eq!(after.terminate(), 0);
}

#[tokio::test]
async fn a_service_of_servers_is_well_and_what_is_wrong_is_named() {
    let (database, queue) = (Database::new().await, Queue::new());
    let shell = database
        .shell()
        .with("REDIS_URL", &redis_url())
        .with("CLOUDAMQP_URL", &amqp_url())
        .with("QUEUE_NAME", &queue.0);
    let behind = Report::of(&shell);
    assert_eq!((behind.code, behind.which("fault")), (70, vec!["schema"]), "{}", behind.text);
    assert_eq!(behind.mend("schema"), "run `darkroom migrate`");
    assert!(behind.found("queue").contains("made at the first start"), "{}", behind.text);
    assert_eq!(shell.run(&["migrate"]).code, 0);
    let before = Report::of(&shell);
    assert_eq!(before.code, 0, "{}", before.text);
    assert!(before.found("queue").contains("made at the first start"), "it made none");

    let serving = shell.serve(&[]);
    let during = crate::process::eventually(|| {
        let report = Report::of(&shell);
        report.found("queue").contains("1 consumers").then_some(report)
    });
    assert_eq!(during.code, 0, "{}", during.text);
    assert!(during.found("database").contains("PostgreSQL "), "{}", during.text);
    let cache = during.found("cache");
    assert!(cache.contains("Redis ") || cache.contains("Valkey "), "{}", during.text);
    assert!(during.found("queue").contains("0 messages"), "{}", during.text);
    for secret in [SECRET, "guest:guest"] {
        assert!(!during.text.contains(secret), "{}", during.text);
    }
    assert_eq!(serving.terminate(), 0);

    // Another program was here first.
    let (connection, channel) = raw().await;
    let delay = format!("{}.delay.4s", queue.0);
    let deleted = channel.queue_delete(delay.as_str().into(), QueueDeleteOptions::default());
    deleted.await.unwrap();
    let classic = QueueDeclareOptions { durable: true, ..Default::default() };
    let declared = channel.queue_declare(delay.as_str().into(), classic, FieldTable::default());
    declared.await.unwrap();
    let other = Report::of(&shell);
    assert_eq!((other.code, other.which("fault")), (70, vec!["queue"]), "{}", other.text);
    assert!(other.text.contains(&delay) && other.mend("queue").contains("QUEUE_NAME"));
    connection.close(200, "bye".into()).await.unwrap();
}

#[test]
fn what_does_not_answer_is_69_and_the_others_are_checked() {
    for (name, url, fault) in [
        ("SUPABASE_DB_URL", "postgres://ada:lovelace1815@127.0.0.1:1/none", "database"),
        ("REDIS_URL", "redis://:lovelace1815@127.0.0.1:1", "cache"),
        ("CLOUDAMQP_URL", "amqp://ada:lovelace1815@127.0.0.1:1/none", "queue"),
    ] {
        let shell = Shell::new().with("JWT_SECRET", SECRET).with(name, url);
        let report = Report::of(&shell);
        assert_eq!((report.code, report.which("fault")), (69, vec![fault]), "{}", report.text);
        assert!(report.found(fault).contains("127.0.0.1:1"), "{}", report.text);
        assert!(report.mend(fault).contains(name), "{}", report.text);
        for check in ["database", "cache", "queue", "storage", "codecs", "memory"] {
            let is_well = report.which("ok").contains(&check);
            assert_eq!(is_well, check != fault, "{check}: {}", report.text);
        }
        let run = shell.run(&["doctor"]);
        assert_eq!(run.code, 69);
        let mut lines = run.stdout.lines();
        let line = lines.find(|line| line.starts_with("fault")).unwrap();
        assert!(line.contains(fault), "{line}");
        assert!(lines.next().unwrap().starts_with("                 "), "{}", run.stdout);
        assert!(!(run.stdout + &run.stderr + &report.text).contains("lovelace1815"));
    }
}

#[test]
fn what_is_silent_is_not_waited_for() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let shell = Shell::new()
        .with("JWT_SECRET", SECRET)
        .with("SUPABASE_DB_URL", &format!("postgres://postgres@127.0.0.1:{port}/none"))
        .with("REDIS_URL", &format!("redis://127.0.0.1:{port}"))
        .with("CLOUDAMQP_URL", &format!("amqp://127.0.0.1:{port}"));
    let began = Instant::now();
    let report = Report::of(&shell);
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    assert_eq!(report.code, 69);
    assert_eq!(report.which("fault"), ["database", "cache", "queue"], "{}", report.text);
}

#[test]
fn a_directory_that_can_not_be_written_is_a_fault() {
    let shell = Shell::new();
    // A service was here, and something has happened to its directory since.
    std::fs::create_dir_all(shell.directory().join("data/objects")).unwrap();
    std::fs::write(shell.directory().join("data/spool"), "no directory").unwrap();
    // The other one is not even root's to write in.
    for (shell, directory) in
        [(shell, "./data"), (Shell::new().with("DATA_DIR", "/proc/darkroom"), "/proc/darkroom")]
    {
        let report = Report::of(&shell);
        assert_eq!((report.code, report.which("fault")), (69, vec!["storage"]), "{}", report.text);
        assert!(report.found("storage").contains(directory), "{}", report.text);
        assert!(report.mend("storage").contains("DATA_DIR"), "{}", report.text);
        assert!(report.which("ok").contains(&"queue"), "{}", report.text);
    }
}

#[test]
fn a_wrong_configuration_is_78_and_what_can_be_checked_is() {
    let shell = Shell::new()
        .with("PORT", "eighty")
        .with("UPSTASH_REDIS_PASSWORD", "half-of-it")
        .with("JWT_SECRET", "hunter2")
        .with("MAX_PIXLES", "1")
        .with("CLOUDAMQP_URL", "amqp://ada:lovelace1815@127.0.0.1:1/none");
    let report = Report::of(&shell);
    assert_eq!(report.code, 78, "stronger than what does not answer");
    let told = |state: &str, name: &str| {
        let mut checks = report.checks.iter();
        checks.any(|it| it["state"] == state && it["found"].as_str().unwrap().contains(name))
    };
    for name in ["PORT", "UPSTASH_REDIS_HOST", "JWT_SECRET"] {
        assert!(told("fault", name), "{name}: {}", report.text);
    }
    assert!(told("warning", "MAX_PIXELS"), "{}", report.text);
    assert!(report.which("fault").contains(&"queue") && report.which("ok").contains(&"database"));
    assert!(!report.checks.iter().any(|it| it["check"] == "cache"), "{}", report.text);
    for secret in ["half-of-it", "lovelace1815", "hunter2"] {
        assert!(!report.text.contains(secret), "{}", report.text);
    }

    // In place of a database that can't be understood no other is looked at.
    let shell = Shell::new().with("DATABASE_URL", "mysql://h").with("JWT_SECRET", SECRET);
    let report = Report::of(&shell);
    assert_eq!(
        (report.code, report.which("fault")),
        (78, vec!["configuration"]),
        "{}",
        report.text
    );
    assert!(!report.checks.iter().any(|it| it["check"] == "database"), "{}", report.text);
    let unreadable = Shell::new();
    std::fs::write(unreadable.directory().join("darkroom.toml"), "port = \n").unwrap();
    let report = Report::of(&unreadable);
    assert_eq!(
        (report.code, report.which("fault")),
        (78, vec!["configuration"]),
        "{}",
        report.text
    );
}
