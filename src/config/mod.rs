//! What the service is told: as it was said ([`Settings`]), then as it is meant ([`Config`]).
//!
//! One table ([`TABLE`]) names every variable, with its default and what it accepts; parsing, `darkroom
//! config`, warnings of misspelt names and the reference in README.md all follow it.

mod cache;
mod cdn;
mod check;
mod describe;
mod fetch;
mod kind;
mod machine;
mod parts;
mod redis;
mod report;
mod secrets;
mod services;
mod settings;
mod spelling;
mod storage;
mod table;
#[cfg(test)]
mod tests;

pub use self::{
    cache::Cache,
    cdn::Cdn,
    describe::reference_markdown,
    fetch::{Closure, Fetch, Opening},
    kind::{Kind, Value},
    machine::memory,
    parts::Parts,
    redis::Redis,
    report::{Fault, Faults, Warning},
    secrets::redact_url,
    settings::{Said, Settings, Source},
    storage::{Cloudinary, S3, SignatureAlgorithm, Storage, StorageKind},
    table::{Preset, TABLE, Variable, find},
};

use std::{path::PathBuf, time::Duration};

use ipnet::IpNet;
use secrecy::SecretString;

use crate::{
    domain::{limits::Limits, transform::Profile},
    roles::Roles,
};

/// Everything that is in force, checked. Secrets are wrapped: they print as `[REDACTED]`.
#[derive(Debug, Clone)]
pub struct Config {
    /// `ENVIRONMENT`.
    pub environment: Environment,
    /// `ROLE`.
    pub roles: Roles,
    /// `DATA_DIR`.
    pub data_dir: PathBuf,
    /// The listener.
    pub http: Http,
    /// Where rows live.
    pub database: Database,
    /// Where pictures live.
    pub storage: Storage,
    /// What all processes share and none needs; `None`: each keeps its own.
    pub redis: Option<Redis>,
    /// Tokens.
    pub auth: Auth,
    /// What may be fetched from elsewhere.
    pub fetch: Fetch,
    /// The CDN that is told what to forget, if there is one.
    pub cdn: Option<Cdn>,
    /// What is refused.
    pub limits: Limits,
    /// `TRANSFORM_THREADS`: threads of the transform pool.
    pub transform_threads: usize,
    /// `TRANSFORM_MEMORY`: bytes that the transform pool may take.
    pub transform_memory: u64,
    /// `TRANSFORM_PROFILE`: what a spec means that names no profile.
    pub transform_profile: Profile,
    /// Where pictures are at hand that are served by URL.
    pub cache: Cache,
    /// How jobs come to workers.
    pub queue: Queue,
    /// `STARTUP_TIMEOUT`: how long the database may take to answer at start.
    pub startup_timeout: Duration,
    /// `DRAIN_TIMEOUT`: how long stopping may take.
    pub drain_timeout: Duration,
    /// Logging.
    pub log: Log,
}

/// What the engine is told.
#[derive(Debug, Clone)]
pub struct Engine {
    /// What is refused.
    pub limits: Limits,
    /// `TRANSFORM_PROFILE`.
    pub profile: Profile,
    /// `TRANSFORM_TIMEOUT`, where somebody has said it: the default is made for servers.
    pub timeout: Option<Duration>,
}

/// `ENVIRONMENT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// A laptop.
    Development,
    /// The real thing: weak secrets refuse to start.
    Production,
}

/// The listener and what it accepts.
#[derive(Debug, Clone)]
pub struct Http {
    /// `HOST`; `None` is `::`, and `0.0.0.0` where there is no IPv6.
    pub host: Option<std::net::IpAddr>,
    /// `PORT`; 0 takes a free one.
    pub port: u16,
    /// `PUBLIC_URL`, without a slash at its end.
    pub public_url: Option<String>,
    /// `TRUSTED_PROXIES`.
    pub trusted_proxies: Vec<IpNet>,
    /// `ALLOWED_ORIGINS`.
    pub allowed_origins: Vec<String>,
    /// `MAX_BODY_SIZE`: bytes of any body that is no upload.
    pub max_body_size: u64,
    /// How often clients may do what costs something.
    pub rate_limits: RateLimits,
}

/// `RATE_LIMIT_…`: how often something may happen within the window; 0 is without limit.
#[derive(Debug, Clone)]
pub struct RateLimits {
    /// `RATE_LIMIT_WINDOW`.
    pub window: Duration,
    /// `RATE_LIMIT_UPLOADS`, of an account.
    pub uploads: u32,
    /// `RATE_LIMIT_TRANSFORMS`, of an account.
    pub transforms: u32,
    /// `RATE_LIMIT_REGISTER`, of an address.
    pub register: u32,
    /// `RATE_LIMIT_LOGIN`: failures, of an address.
    pub login: u32,
    /// `RATE_LIMIT_LOGIN_USERNAME`: failures, of a username at an address.
    pub login_username: u32,
}

/// Where rows live.
#[derive(Debug, Clone)]
pub struct Database {
    /// Postgres or SQLite.
    pub location: DatabaseLocation,
    /// `DB_MAX_CONNS`.
    pub max_conns: u32,
    /// `DB_MIN_CONNS`.
    pub min_conns: u32,
    /// `DB_MAX_CONN_LIFETIME`.
    pub max_lifetime: Duration,
    /// `DB_MAX_CONN_IDLE_TIME`.
    pub max_idle: Duration,
    /// `MIGRATE_DB_URL`: where `darkroom migrate` connects instead.
    pub migrate_url: Option<SecretString>,
}

/// Which database.
#[derive(Debug, Clone)]
pub enum DatabaseLocation {
    /// The embedded mode: a file under `DATA_DIR`.
    Sqlite(PathBuf),
    /// `SUPABASE_DB_URL`.
    Postgres(SecretString),
}

/// How jobs come to workers.
#[derive(Debug, Clone)]
pub struct Queue {
    /// `CLOUDAMQP_URL`: the broker; without one the database is the queue.
    pub amqp: Option<SecretString>,
    /// `QUEUE_NAME`.
    pub name: String,
    /// `QUEUE_PREFETCH_COUNT`: jobs that one worker holds at a time.
    pub prefetch: u16,
}

/// Tokens.
#[derive(Debug, Clone)]
pub struct Auth {
    /// `JWT_SECRET`; `None` (embedded mode only): made once and kept in `DATA_DIR`.
    pub jwt_secret: Option<SecretString>,
    /// `JWT_EXPIRY`.
    pub jwt_expiry: Duration,
    /// `JWT_ISSUER`.
    pub jwt_issuer: String,
    /// `REFRESH_EXPIRY`.
    pub refresh_expiry: Duration,
}

/// Logging.
#[derive(Debug, Clone)]
pub struct Log {
    /// `LOG_LEVEL`: a level, or `tracing` directives.
    pub level: String,
    /// `LOG_FORMAT`.
    pub format: LogFormat,
}

/// `LOG_FORMAT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one object a line.
    Json,
}

impl Config {
    /// What this process is told, by its environment and the files of its working directory.
    pub fn load() -> Result<(Self, Vec<Warning>), Faults> {
        Settings::load().check()
    }

    /// Whether nothing but this machine is needed: SQLite, and files under `DATA_DIR`.
    pub const fn is_embedded(&self) -> bool {
        matches!(self.database.location, DatabaseLocation::Sqlite(_))
    }
}
