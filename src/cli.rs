//! The command line.

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, Subcommand};
use tokio::{
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
};

use crate::{
    adapters::db::{Db, SchemaState},
    app::{App, StartError},
    config::{Config, Settings, Warning},
    domain::error::{Code, Error, Result as DomainResult},
    imaging::{self, Codec},
    telemetry,
};

mod admin;
mod doctor;
mod healthcheck;
mod jobs;
mod storage;
mod transform;

/// Exit codes, as sysexits.h has them.
pub mod exit {
    /// The command line is wrong.
    pub const USAGE: u8 = 64;
    /// An input is wrong.
    pub const DATA: u8 = 65;
    /// An input is not there.
    pub const NO_INPUT: u8 = 66;
    /// Something that is needed does not answer.
    pub const UNAVAILABLE: u8 = 69;
    /// Something failed that should not.
    pub const SOFTWARE: u8 = 70;
    /// The system refused.
    pub const OS: u8 = 71;
    /// An output could not be written.
    pub const CANT_CREATE: u8 = 73;
    /// The configuration is wrong.
    pub const CONFIG: u8 = 78;
}

/// An image-processing service: upload pictures, have them transformed, fetch the results.
///
/// Without a command it serves, API and worker in one process, on http://localhost:8080. With nothing
/// configured it keeps everything under ./data. `darkroom config` shows what can be set, and what is.
#[derive(Debug, Parser)]
#[command(name = "darkroom", disable_version_flag = true, max_term_width = 100)]
#[command(after_help = "\
Examples:
  darkroom                                     serve on port 8080
  darkroom serve --role worker                 run jobs only; listens on no port
  darkroom transform cat.png --out cat.webp --spec '{\"resize\":{\"width\":400}}'
  darkroom transform *.jpg --out small/ --t c_limit,w_800/f_webp,q_auto
  darkroom transform - --out - --t w_400 --explain < cat.jpg > small.jpg
  darkroom doctor && darkroom serve            serve if nothing is in the way

Exit codes: 0 all is well, 64 wrong usage, 65 a picture could not be transformed, 66 an input is
missing, 69 a service does not answer, 70 a fault of ours, 71 the system refused (port taken),
73 an output could not be written, 78 wrong configuration.")]
pub struct Cli {
    /// Print the version.
    #[arg(long, short = 'V')]
    version: bool,
    /// With --version: every codec, its version, and its use of vector instructions.
    #[arg(long, requires = "version")]
    verbose: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve: the API, the worker, or both.
    Serve {
        /// What this process is: api, worker or both. Stronger than ROLE.
        #[arg(long)]
        role: Option<String>,
        /// The port to listen on; 0 takes a free one. Stronger than PORT.
        #[arg(long)]
        port: Option<String>,
    },
    /// Bring the database's schema up to date; safe from many machines at once.
    ///
    /// Connects to MIGRATE_DB_URL if it is set; else, where the database's URL names a transaction
    /// pooler's port 6543, to port 5432 of the same host, and says so.
    Migrate,
    /// Print what is in force and where each value came from; secrets are not shown.
    Config {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the OpenAPI document of the HTTP API.
    Openapi,
    /// Transform pictures without a server.
    Transform(transform::Args),
    /// List, retry and purge background jobs, of all accounts.
    #[command(subcommand)]
    Jobs(jobs::Command),
    /// List, disable and enable accounts, reset passwords, end sessions.
    ///
    /// Runs beside servers, and without one. USER is a username or an id. Of several either all are there, or nothing is done.
    #[command(subcommand)]
    Admin(admin::Command),
    /// Copy pictures from one storage to another, and see whether all of them are there.
    ///
    /// Runs beside servers. Storages are fs, s3 and cloudinary; each is told where it is by the variables of the service, and may
    /// be configured without being in use.
    #[command(subcommand)]
    Storage(storage::Command),
    /// Check everything that a server would need, and say how to mend what is wrong.
    ///
    /// Changes nothing, and runs beside servers. Run it as the user that serves. Each check takes five seconds at most.
    #[command(after_help = doctor::HELP)]
    Doctor {
        /// As one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Ask a server on this machine whether it lives; for container health checks.
    Healthcheck,
}

/// Does what the command line says.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors.
            let code = if error.use_stderr() { exit::USAGE } else { 0 };
            // Nobody listening is nobody to tell.
            let _ = error.print();
            return code.into();
        }
    };
    if cli.version {
        return version(cli.verbose);
    }
    match cli.command.unwrap_or(Command::Serve { role: None, port: None }) {
        Command::Serve { role, port } => serve(role, port),
        Command::Migrate => migrate(),
        Command::Config { json } => config(json),
        Command::Openapi => match crate::http::openapi::OPENAPI.to_pretty_json() {
            Ok(document) => print(&document),
            Err(error) => fail(exit::SOFTWARE, error),
        },
        Command::Transform(args) => transform::run(&args),
        Command::Jobs(command) => jobs::run(&command),
        Command::Admin(command) => admin::run(&command),
        Command::Storage(command) => storage::run(&command),
        Command::Doctor { json } => doctor::run(json),
        Command::Healthcheck => healthcheck::run(),
    }
}

fn version(verbose: bool) -> ExitCode {
    let mut text = format!("darkroom {}", env!("CARGO_PKG_VERSION"));
    if verbose {
        text += &format!(", engine {}\n\n", imaging::ENGINE);
        for Codec { format, library, simd } in imaging::codecs() {
            text += &format!("{format:<39} {library}; SIMD: {simd}\n");
        }
        let (has, compiled) = (imaging::processor(), imaging::compiled());
        text += &format!("\nthis processor has {}\n", list(&has));
        text += &format!("slow: portable code, which was compiled for {}\n", list(&compiled));
        for problem in imaging::slow() {
            text += &format!("{problem}\n");
        }
    }
    print(&text)
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "no vector instructions".to_owned() } else { names.join(", ") }
}

/// Says `message` on standard error; the code, to be returned.
fn fail(code: u8, message: impl std::fmt::Display) -> ExitCode {
    // Nobody listening is nobody to tell.
    let _ = writeln!(io::stderr(), "darkroom: {message}");
    code.into()
}

/// Says `text` on standard output. A reader that has left, as `head` does, is no failure.
fn print(text: &str) -> ExitCode {
    match writeln!(io::stdout(), "{}", text.trim_end()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => fail(exit::CANT_CREATE, error),
        _ => ExitCode::SUCCESS,
    }
}

/// The configuration, or every fault in it.
fn load(settings: &Settings) -> Result<(Config, Vec<Warning>), ExitCode> {
    settings.check().map_err(|faults| fail(exit::CONFIG, faults))
}

fn runtime() -> Result<Runtime, ExitCode> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| fail(exit::OS, error))
}

fn config(json: bool) -> ExitCode {
    let settings = Settings::load();
    let text = if json { format!("{:#}", settings.describe_json()) } else { settings.describe() };
    print(&text)
}

fn serve(role: Option<String>, port: Option<String>) -> ExitCode {
    let mut settings = Settings::load();
    if let Some(role) = role {
        settings = settings.with("ROLE", role);
    }
    if let Some(port) = port {
        settings = settings.with("PORT", port);
    }
    let (config, warnings) = match load(&settings) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    telemetry::start(&config.log);
    for warning in warnings {
        tracing::warn!(variable = warning.name, "{}", warning.detail);
    }
    for problem in imaging::slow() {
        tracing::warn!("{problem}");
    }
    match runtime() {
        Ok(runtime) => runtime.block_on(serve_until_told(config)),
        Err(code) => code,
    }
}

async fn serve_until_told(config: Config) -> ExitCode {
    // Asked for before the start, so that a signal during it is not lost.
    let (mut terminate, mut interrupt) =
        match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
            (Ok(terminate), Ok(interrupt)) => (terminate, interrupt),
            (Err(error), _) | (_, Err(error)) => return fail(exit::OS, error),
        };
    let roles = config.roles;
    let embedded = config.is_embedded();
    let data_dir = config.data_dir.clone();
    let starting = App::start(config);
    let app = tokio::select! {
        started = starting => match started {
            Ok(app) => app,
            Err(error) => return fail(start_code(&error), error),
        },
        _ = terminate.recv() => return ExitCode::SUCCESS,
        _ = interrupt.recv() => return ExitCode::SUCCESS,
    };
    match app.address() {
        Some(address) => {
            let data = embedded.then(|| data_dir.display().to_string());
            tracing::info!(%roles, %address, data, "serving on http://localhost:{}", address.port());
        }
        None => tracing::info!(%roles, "running jobs"),
    }
    let code = tokio::select! {
        _ = terminate.recv() => ExitCode::SUCCESS,
        _ = interrupt.recv() => ExitCode::SUCCESS,
        why = app.failed() => fail(exit::SOFTWARE, why),
    };
    tracing::info!("stopping");
    let stopping = app.stop();
    let cut_off = tokio::select! {
        cut_off = stopping => cut_off,
        // Asked twice is meant.
        _ = interrupt.recv() => return fail(exit::SOFTWARE, "stopped at once"),
    };
    if !cut_off.is_empty() {
        tracing::warn!(actors = ?cut_off, "did not finish in time");
    }
    tracing::info!("stopped");
    code
}

fn start_code(error: &StartError) -> u8 {
    match error {
        StartError::Database { .. } => exit::UNAVAILABLE,
        StartError::SchemaBehind { .. }
        | StartError::InUse { .. }
        | StartError::WhichStorage { .. } => exit::CONFIG,
        StartError::Listen { .. } => exit::OS,
        StartError::Other(error) => error_code(error),
    }
}

/// What an error means for the exit code.
fn error_code(error: &Error) -> u8 {
    match error.code {
        Code::DependencyUnavailable => exit::UNAVAILABLE,
        Code::NotFound => exit::NO_INPUT,
        Code::ValidationFailed => exit::USAGE,
        _ => exit::SOFTWARE,
    }
}

/// Does an operator's work with the database that is configured, and prints what it comes to.
fn on_database(work: impl AsyncFnOnce(&Db) -> DomainResult<String>) -> ExitCode {
    match with_database(work) {
        Ok(text) if text.is_empty() => ExitCode::SUCCESS,
        Ok(text) => print(&text),
        Err(code) => code,
    }
}

/// What an operator's work with the database that is configured comes to, unless it failed; then that was said.
fn with_database<T>(work: impl AsyncFnOnce(&Db) -> DomainResult<T>) -> Result<T, ExitCode> {
    let settings =
        Settings::load().check_database().map_err(|faults| fail(exit::CONFIG, faults))?;
    let runtime = runtime()?;
    let done = runtime.block_on(async {
        let database = Db::connect(&settings).await?;
        let done = match database.schema().await {
            Ok(SchemaState::Behind { applied, expected }) => {
                Err(StartError::SchemaBehind { applied, expected })
            }
            Ok(_) => work(&database).await.map_err(StartError::from),
            Err(error) => Err(error.into()),
        };
        database.close().await;
        done
    });
    done.map_err(|error| match error {
        StartError::Other(error) => fail(error_code(&error), in_full(&error)),
        error => fail(start_code(&error), error),
    })
}

fn migrate() -> ExitCode {
    let database = match Settings::load().check_database() {
        Ok(database) => database,
        Err(faults) => return fail(exit::CONFIG, faults),
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    // A timer can be made only inside the runtime.
    let migrating =
        async { tokio::time::timeout(MIGRATION, crate::adapters::db::migrate(&database)).await };
    match runtime.block_on(migrating) {
        Ok(Ok(report)) => {
            let done = match report.applied {
                0 => "nothing to do".to_owned(),
                n => format!("applied {n}"),
            };
            print(&format!(
                "migrated {}: {done}; the schema is at {}",
                report.target, report.version
            ))
        }
        Ok(Err(error)) => fail(error_code(&error), in_full(&error)),
        Err(_) => fail(exit::UNAVAILABLE, "the migrations took too long"),
    }
}

/// Long enough for a migration of millions of rows, and for waiting on another machine's.
const MIGRATION: Duration = Duration::from_secs(30 * 60);

/// For the operator: also what clients are not told.
fn in_full(error: &Error) -> String {
    match &error.cause {
        Some(cause) => format!("{}: {cause}", error.detail),
        None => error.detail.clone(),
    }
}
