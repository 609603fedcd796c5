//! The program as a process of its own, in a directory of its own, with nothing in its environment but
//! what a test says.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tempfile::TempDir;

/// How long a process may take for what it is asked; on a busy machine too.
pub const PATIENCE: Duration = Duration::from_secs(240);
/// A secret that any configuration accepts.
pub const SECRET: &str = "2f6b1c9d84e05a7733bd90c1f4a8e6d25b7c0e91";

/// A directory to run the program in, and the environment to give it.
pub struct Shell {
    directory: TempDir,
    variables: Vec<(String, String)>,
}

impl Shell {
    /// With nothing configured.
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// With one more variable.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The program, not yet run.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_darkroom"));
        let variables = self.variables.iter().map(|(name, value)| (name, value));
        command.args(arguments).current_dir(self.directory()).env_clear().envs(variables);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Begins to run the program.
    pub fn begin(&self, arguments: &[&str]) -> Running {
        Running::new(self.command(arguments).spawn().unwrap())
    }

    /// Runs the program to its end.
    pub fn run(&self, arguments: &[&str]) -> Run {
        self.begin(arguments).end()
    }

    /// Runs the program with names that may be no UTF-8.
    pub fn run_os(&self, arguments: &[&OsStr]) -> Run {
        Running::new(self.command(arguments).spawn().unwrap()).end()
    }

    /// Runs the program with `input` on its standard input: the exit code, the bytes on its standard output, and what it
    /// said on its standard error.
    pub fn pipe(&self, arguments: &[&str], input: &[u8]) -> (i32, Vec<u8>, String) {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        // One that doesn't read to the end is no fault here.
        std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code().expect("an exit code"), output.stdout, said)
    }

    /// Runs the program until it serves.
    pub fn serve(&self, arguments: &[&str]) -> Serving {
        self.serve_as(self.command(arguments))
    }

    /// The same, of a command of one's own.
    pub fn serve_as(&self, mut command: Command) -> Serving {
        let mut child = command.env("HOST", "127.0.0.1").spawn().unwrap();
        let (line, lines) = mpsc::channel();
        let reader = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for text in reader.lines().map_while(Result::ok) {
                // A test that is over reads no more.
                let _ = line.send(text);
            }
        });
        let mut serving = Serving { child, lines, url: String::new() };
        let said = serving.hears(&["serving on http://", "running jobs"]);
        if let Some((_, port)) = said.split_once("localhost:") {
            let port = port.split(|c: char| !c.is_ascii_digit()).next().unwrap();
            serving.url = format!("http://127.0.0.1:{port}");
        }
        serving
    }
}

/// What a run came to.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// A run that goes on; killed when it goes out of scope.
pub struct Running {
    pid: u32,
    ended: mpsc::Receiver<Output>,
    is_over: bool,
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.pid
    }

    pub fn new(child: Child) -> Self {
        let (end, ended) = mpsc::channel();
        let pid = child.id();
        std::thread::spawn(move || end.send(child.wait_with_output().unwrap()));
        Self { pid, ended, is_over: false }
    }

    /// Waits for its end.
    pub fn end(mut self) -> Run {
        let output = self.ended.recv_timeout(PATIENCE).expect("it does not end");
        self.is_over = true;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Run {
            code: output.status.code().expect("an exit code"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.is_over && self.ended.try_recv().is_err() {
            // One that ends right now is as good.
            let _ = Command::new("kill").args(["-s", "KILL", &self.pid.to_string()]).status();
        }
    }
}

/// A server, killed when it goes out of scope.
pub struct Serving {
    child: Child,
    lines: mpsc::Receiver<String>,
    /// Where it listens; empty for a worker.
    pub url: String,
}

impl Serving {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it says one of `texts` in its log; the line.
    fn hears(&mut self, texts: &[&str]) -> String {
        let mut heard = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            if texts.iter().any(|text| line.contains(text)) {
                return line;
            }
            heard.push(line);
        }
        panic!("it never said {texts:?}, only {heard:#?}");
    }

    /// Waits until it dies, by itself and not by its own will.
    pub fn dies(mut self) {
        assert_eq!(self.child.wait().unwrap().code(), None, "a signal, not an exit code");
    }

    /// Sends SIGTERM and waits; the exit code.
    pub fn terminate(mut self) -> i32 {
        signal("TERM", self.pid());
        self.hears(&["stopped"]);
        self.child.wait().unwrap().code().expect("an exit code, not a signal")
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // One that has ended is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again and again, for as long as a process may take, until there is an answer.
pub fn eventually<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < until, "it never happened");
    }
}

fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill").args(["-s", name, &pid.to_string()]).status().unwrap();
    assert!(sent.success());
}

/// A Postgres database, empty, dropped when it goes out of scope.
pub struct Database {
    name: String,
    pub url: String,
}

impl Database {
    pub async fn new() -> Self {
        let name = format!("darkroom_cli_{}", uuid::Uuid::now_v7().simple());
        administer(&format!("CREATE DATABASE {name}")).await;
        let mut url = url::Url::parse(&admin_url()).expect("TEST_DATABASE_URL is no URL");
        url.set_path(&name);
        Self { name, url: url.to_string() }
    }

    /// A shell in which the program uses this database.
    pub fn shell(&self) -> Shell {
        Shell::new()
            .with("SUPABASE_DB_URL", &self.url)
            .with("JWT_SECRET", SECRET)
            .with("DB_MAX_CONNS", "3")
            .with("DB_MIN_CONNS", "0")
            .with("PORT", "0")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        // A test's own runtime can't be blocked on; another thread can.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(administer(&statement));
        });
        let dropped = dropping.join();
        assert!(dropped.is_ok() || std::thread::panicking(), "a database was left behind");
    }
}

fn admin_url() -> String {
    std::env::var("TEST_DATABASE_URL").unwrap_or_else(|_| {
        "postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable".to_owned()
    })
}

async fn administer(statement: &str) {
    let mut connection =
        PgConnection::connect(&admin_url()).await.expect("a Postgres: see `make test`");
    connection.execute(AssertSqlSafe(statement.to_owned())).await.expect("an administrator");
}
