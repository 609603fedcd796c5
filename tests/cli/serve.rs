//! Serving: the start, the end, and what is refused at the start.

use std::{collections::HashSet, net::TcpListener, os::unix::fs::PermissionsExt, time::Instant};

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::process::{Database, SECRET, Shell};

fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

async fn health(url: &str) -> StatusCode {
    client().get(format!("{url}/health")).send().await.unwrap().status()
}

#[tokio::test]
async fn with_nothing_configured_it_keeps_everything_in_its_directory() {
    let shell = Shell::new().with("PORT", "0");
    let serving = shell.serve(&[]);
    let body = json!({ "username": "ada", "password": "correct horse battery" });
    let register = client().post(format!("{}/api/v1/auth/register", serving.url)).json(&body);
    let answer: Value = register.send().await.unwrap().json().await.unwrap();
    let token = answer["token"].as_str().unwrap();
    assert_eq!(serving.terminate(), 0);

    let secret = shell.directory().join("data/jwt-secret");
    let mode = std::fs::metadata(&secret).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "nobody else's to read");
    let bytes = std::fs::read(&secret).unwrap();

    // The token outlives the process: the secret was kept.
    let serving = shell.serve(&["serve", "--port", "0"]);
    let me = client().get(format!("{}/api/v1/me", serving.url)).bearer_auth(token).send().await;
    let me: Value = me.unwrap().json().await.unwrap();
    assert_eq!(me["username"], "ada");
    assert_eq!(std::fs::read(&secret).unwrap(), bytes);
    assert_eq!(serving.terminate(), 0);
}

#[tokio::test]
async fn a_port_that_is_taken_is_71() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let run = Shell::new().with("HOST", "127.0.0.1").run(&["serve", "--port", &port]);
    assert_eq!(run.code, 71);
    assert!(run.stderr.contains(&port), "{}", run.stderr);
}

#[tokio::test]
async fn a_worker_listens_on_no_port() {
    let database = Database::new().await;
    let shell = database.shell();
    assert_eq!(shell.run(&["migrate"]).code, 0);
    let worker = shell.serve(&["serve", "--role", "worker"]);
    assert_eq!(worker.url, "");
    assert_eq!(listening(worker.pid()), 0);
    let api = shell.serve(&["serve", "--role", "api"]);
    assert_eq!(listening(api.pid()), 1, "as an API does: the count counts");
    assert_eq!(health(&api.url).await, StatusCode::OK);
    assert_eq!((api.terminate(), worker.terminate()), (0, 0));
}

#[tokio::test]
async fn one_directory_is_served_by_one_process() {
    let shell = Shell::new().with("PORT", "0");
    let first = shell.serve(&[]);
    let second = shell.run(&["serve"]);
    assert_eq!(second.code, 78, "{}", second.stderr);
    assert!(second.stderr.contains("another darkroom serves from ./data"), "{}", second.stderr);
    // What is no server runs beside it.
    for command in [&["migrate"][..], &["jobs", "list"], &["admin", "users"], &["doctor"]] {
        let run = shell.run(command);
        assert_eq!(run.code, 0, "{command:?}: {}{}", run.stdout, run.stderr);
    }
    // The lock dies with its process.
    drop(first);
    let third = shell.serve(&[]);
    assert_eq!(third.terminate(), 0);
}

#[tokio::test]
async fn an_operator_lists_retries_and_purges_jobs() {
    let shell = Shell::new().with("PORT", "0");
    let serving = shell.serve(&[]);
    let body = json!({ "username": "ada", "password": "correct horse battery" });
    let register = client().post(format!("{}/api/v1/auth/register", serving.url)).json(&body);
    let token: Value = register.send().await.unwrap().json().await.unwrap();
    let token = token["token"].as_str().unwrap();
    let torn = &include_bytes!("../pictures/rocket.jpg")[..20_000];
    let upload = client().post(format!("{}/api/v1/images", serving.url)).bearer_auth(token);
    let upload = upload.header("content-type", "image/jpeg").body(torn).send().await.unwrap();
    let image: Value = upload.json().await.unwrap();
    let path = format!("{}/api/v1/images/{}/transform", serving.url, image["id"].as_str().unwrap());
    let spec = json!({ "resize": { "width": 20 } });
    let accepted = client().post(path).bearer_auth(token).json(&spec).send().await.unwrap();
    let accepted: Value = accepted.json().await.unwrap();
    let id = accepted["job_id"].as_str().unwrap();

    let listed = |status: &str| {
        let run = shell.run(&["jobs", "list", "--json", "--status", status]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let failed = crate::process::eventually(|| listed("failed").pop());
    assert_eq!((&failed["id"], &failed["error"]["code"]), (&json!(id), &json!("image_corrupt")));
    let text = shell.run(&["jobs", "list"]).stdout;
    assert!(text.contains(id) && text.contains("image_corrupt"), "{text}");

    let retried = shell.run(&["jobs", "retry", id]);
    assert_eq!((retried.code, retried.stdout.contains("queued")), (0, true), "{}", retried.stderr);
    crate::process::eventually(|| listed("failed").pop());
    assert_eq!(shell.run(&["jobs", "retry", &uuid::Uuid::now_v7().to_string()]).code, 66);
    assert_eq!(shell.run(&["jobs", "purge", "--status", "queued"]).code, 64);
    let kept = shell.run(&["jobs", "purge", "--status", "failed"]).stdout;
    assert!(kept.contains("0 failed jobs"), "those of today are kept: {kept}");
    let purged = shell.run(&["jobs", "purge", "--status", "failed", "--older-than", "0s"]).stdout;
    assert!(purged.contains("1 failed jobs"), "{purged}");
    assert!(listed("failed").is_empty());
    assert_eq!(serving.terminate(), 0);
}

/// How many sockets a process listens on.
fn listening(pid: u32) -> usize {
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let own: HashSet<String> = descriptors
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|target| {
            Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect();
    let tables = ["tcp", "tcp6"].map(|table| format!("/proc/{pid}/net/{table}"));
    let tables = tables.iter().filter_map(|table| std::fs::read_to_string(table).ok());
    let is_own = |line: &&str| {
        let columns: Vec<_> = line.split_whitespace().collect();
        columns.get(3) == Some(&"0A") && columns.get(9).is_some_and(|inode| own.contains(*inode))
    };
    tables.map(|table| table.lines().filter(is_own).count()).sum()
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_69_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    for url in [
        "postgres://postgres@127.0.0.1:1/none".to_owned(),
        format!("postgres://postgres:lovelace1815@127.0.0.1:{port}/none"),
    ] {
        let shell = Shell::new()
            .with("SUPABASE_DB_URL", &url)
            .with("JWT_SECRET", SECRET)
            .with("STARTUP_TIMEOUT", "1s");
        let began = Instant::now();
        let run = shell.run(&["serve", "--port", "0"]);
        assert_eq!(run.code, 69, "{}", run.stderr);
        assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
        assert!(run.stderr.contains("database") && !run.stderr.contains("lovelace1815"));
    }
}

#[tokio::test]
async fn a_database_is_migrated_before_it_is_served() {
    let database = Database::new().await;
    let shell = database.shell();
    let run = shell.run(&["serve"]);
    assert_eq!(run.code, 78, "{}", run.stderr);
    assert!(run.stderr.contains("darkroom migrate"), "{}", run.stderr);

    // A migration is a job of its own: it needs to know of the database, and of nothing else.
    let alone = Shell::new().with("MIGRATE_DB_URL", &database.url).with("PORT", "eighty");
    let runs = [&shell, &shell, &alone].map(|shell| shell.begin(&["migrate"]));
    let runs = runs.map(|run| run.end());
    for run in &runs {
        assert_eq!(run.code, 0, "{}", run.stderr);
    }
    let idle = |run: &&crate::process::Run| run.stdout.contains("nothing to do");
    assert_eq!(runs.iter().filter(idle).count(), 2, "one did the work: {runs:?}");

    let serving = shell.serve(&[]);
    assert_eq!(health(&serving.url).await, StatusCode::OK);
    let ready = client().get(format!("{}/ready", serving.url)).send().await.unwrap();
    assert_eq!(ready.status(), StatusCode::OK);
    assert_eq!(serving.terminate(), 0);
}

#[tokio::test]
async fn healthcheck_asks_the_server_or_a_worker_s_database() {
    let shell = Shell::new().with("PORT", "0");
    let serving = shell.serve(&[]);
    let port = serving.url.rsplit(':').next().unwrap();
    let probe = Shell::new().with("PORT", port);
    assert_eq!(probe.run(&["healthcheck"]).code, 0);
    let here = Shell::new().with("PORT", port).with("HOST", "127.0.0.1");
    assert_eq!(here.run(&["healthcheck"]).code, 0);
    assert_eq!(serving.terminate(), 0);
    let run = probe.run(&["healthcheck"]);
    assert_eq!(run.code, 69);
    assert!(!run.stderr.is_empty());

    let database = Database::new().await;
    assert_eq!(database.shell().with("ROLE", "worker").run(&["healthcheck"]).code, 0);
    let nowhere = Shell::new()
        .with("ROLE", "worker")
        .with("JWT_SECRET", SECRET)
        .with("SUPABASE_DB_URL", "postgres://postgres@127.0.0.1:1/none");
    assert_eq!(nowhere.run(&["healthcheck"]).code, 69);
}

/// What an earlier version only recognised does not take the place of the disk unasked: nothing of it would be there.
#[test]
fn pictures_on_the_disk_are_not_left_behind_unnoticed() {
    let shell = || {
        let shell = Shell::new().with("S3_BUCKET", "b").with("S3_ENDPOINT", "http://127.0.0.1:9");
        let shell = shell.with("S3_ACCESS_KEY_ID", "k").with("S3_SECRET_ACCESS_KEY", "s");
        std::fs::create_dir_all(shell.directory().join("data/objects/ab")).unwrap();
        shell
    };
    let run = shell().run(&["serve"]);
    assert_eq!(run.code, 78, "{}", run.stderr);
    assert!(
        run.stderr.contains("STORAGE=fs") && run.stderr.contains("STORAGE=s3"),
        "{}",
        run.stderr
    );
    for said in ["fs", "s3"] {
        let serving = shell().with("STORAGE", said).with("PORT", "0").serve(&[]);
        assert_eq!(serving.terminate(), 0, "{said}");
    }
}
