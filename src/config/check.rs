//! From what was said to what is meant: each value by itself, then the rules between them.

use std::{collections::BTreeMap, path::PathBuf, thread, time::Duration};

use secrecy::SecretString;

use super::{
    Auth, Config, Database, DatabaseLocation, Engine, Environment, Http, Log, LogFormat, Queue,
    RateLimits, Redis, cache, cdn, fetch,
    kind::{Value, time},
    machine, redis,
    report::{Fault, Faults, Warning},
    secrets, services,
    settings::{Said, Settings},
    storage::{self, Storage, StorageKind},
    table::{self, Preset, TABLE, Variable},
};
use crate::{
    domain::{limits::Limits, transform::Profile},
    roles::Roles,
};

/// The names of the database, the stronger first.
pub(super) const DATABASE_NAMES: &[&str] = &["SUPABASE_DB_URL", "DATABASE_URL"];

/// The names of the broker, the stronger first.
pub(super) const BROKER_NAMES: &[&str] = &["CLOUDAMQP_URL", "AMQP_URL", "RABBITMQ_URL"];

/// Longest name of a queue: AMQP's names have 255 bytes, and ours are made longer.
const QUEUE_NAME: usize = 200;

/// The file under `DATA_DIR` of the embedded database.
const SQLITE_FILE: &str = "darkroom.db";

impl Settings {
    /// What is meant, or everything that is wrong with it.
    pub fn check(&self) -> Result<(Config, Vec<Warning>), Faults> {
        let mut faults = self.unreadable().to_vec();
        let mut warnings = self.warnings.clone();
        let values = self.values(&mut faults);

        services::check(self, &mut faults);
        check_auth(self, &values, &mut faults, &mut warnings);
        check_database(self, &values, &mut faults, &mut warnings);
        check_queue(self, &values, &mut faults, &mut warnings);
        check_times(&values, &mut faults, &mut warnings);

        let database = self.said_first(DATABASE_NAMES).and_then(|said| values.secret(said.name));
        let broker = self.said_first(BROKER_NAMES).and_then(|said| values.secret(said.name));
        let redis = redis::meant(self, &mut faults, &mut warnings);
        let storage = storage::meant(self, &values, &mut faults, &mut warnings);
        let kind = storage.as_ref().map(|storage| storage.kind);
        check_roles(self, &values, kind, &mut warnings);
        settle(config(&values, database, broker, redis, storage), faults, warnings)
    }

    /// The database alone, for a migration: a job of its own, which is given no other secret.
    pub fn check_database(&self) -> Result<Database, Faults> {
        let mut faults = Vec::new();
        let values = self.values(&mut faults);
        check_database(self, &values, &mut faults, &mut Vec::new());
        faults.retain(|fault| is_of_database(&fault.name));
        faults.extend_from_slice(self.unreadable());
        // Who names only where to migrate means that database, not the embedded one.
        let url = self.said_first(DATABASE_NAMES).or_else(|| self.said("MIGRATE_DB_URL"));
        let url = url.and_then(|said| values.secret(said.name));
        settle(database_of(&values, url), faults, Vec::new()).map(|(database, _)| database)
    }

    /// What the engine is told, for a command that starts nothing else: what is wrong with the rest doesn't matter to it.
    pub fn check_engine(&self) -> Result<(Engine, Vec<Warning>), Faults> {
        let mut faults = Vec::new();
        let values = self.values(&mut faults);
        faults.retain(|fault| is_of_engine(&fault.name));
        faults.extend_from_slice(self.unreadable());
        let mut warnings = self.warnings.clone();
        warnings.retain(|warning| {
            ["MAX_", "TRANSFORM_"].iter().any(|family| warning.name.starts_with(family))
        });
        let is_timed = self.said("TRANSFORM_TIMEOUT").is_some();
        settle(engine_of(&values, is_timed), faults, warnings)
    }

    /// Every value in force that can be understood; the others become faults.
    pub(super) fn values(&self, faults: &mut Vec<Fault>) -> Values {
        let mut values = BTreeMap::new();
        for variable in TABLE {
            let said = self.said(variable.name);
            let Some(text) =
                said.as_ref().map(|said| said.text.clone()).or_else(|| self.preset(variable))
            else {
                continue;
            };
            match variable.kind.parse(&text) {
                Ok(value) => {
                    values.insert(variable.name, value);
                }
                Err(detail) => {
                    faults.push(Fault::new(variable.name, told(variable, said, &detail)))
                }
            }
        }
        Values(values)
    }

    /// What is in force for a variable of which nothing was said.
    pub(super) fn preset(&self, variable: &Variable) -> Option<String> {
        match (variable.default, variable.name) {
            (Preset::Text(text), _) => Some(text.to_owned()),
            (Preset::Computed(_), "ENVIRONMENT") => {
                let release = self
                    .said("GIN_MODE")
                    .is_some_and(|said| said.text.trim().eq_ignore_ascii_case("release"));
                Some(if release { "production" } else { "development" }.to_owned())
            }
            (Preset::Computed(_), "LOG_FORMAT") => {
                Some(if self.is_production() { "json" } else { "text" }.to_owned())
            }
            (Preset::Computed(_), "TRANSFORM_THREADS") => {
                let cores = thread::available_parallelism().map_or(1, usize::from);
                Some(cores.min(1_024).to_string())
            }
            (Preset::Computed(_), "TRANSFORM_MEMORY") => {
                Some((machine::memory() / 2).max(64 * table::MIB).to_string())
            }
            (Preset::Computed(_), "DB_MIN_CONNS") => {
                let max = self.said("DB_MAX_CONNS").and_then(|said| said.text.trim().parse().ok());
                Some(max.unwrap_or(5_u32).min(5).to_string())
            }
            (Preset::Computed(_) | Preset::Unset, _) => None,
        }
    }

    /// Whether `ENVIRONMENT`, or `GIN_MODE` in its place, says production.
    pub(super) fn is_production(&self) -> bool {
        let said = self.said("ENVIRONMENT").map(|said| said.text);
        let said = said.or_else(|| self.preset(table::find("ENVIRONMENT")?));
        said.is_some_and(|text| text.trim().eq_ignore_ascii_case("production"))
    }
}

/// What was understood, if nothing is wrong with it.
pub(super) fn settle<T>(
    understood: Result<T, Fault>,
    faults: Vec<Fault>,
    warnings: Vec<Warning>,
) -> Result<(T, Vec<Warning>), Faults> {
    match understood {
        Ok(meant) if faults.is_empty() => Ok((meant, warnings)),
        Err(fault) if faults.is_empty() => Err(Faults { faults: vec![fault], warnings }),
        _ => Err(Faults { faults, warnings }),
    }
}

pub(super) fn is_of_database(name: &str) -> bool {
    DATABASE_NAMES.contains(&name)
        || matches!(name, "MIGRATE_DB_URL" | "DATA_DIR")
        || name.starts_with("DB_")
}

/// Whether `darkroom transform` goes by it.
fn is_of_engine(name: &str) -> bool {
    matches!(
        name,
        "MAX_UPLOAD_SIZE"
            | "MAX_IMAGE_WIDTH"
            | "MAX_IMAGE_HEIGHT"
            | "MAX_PIXELS"
            | "MAX_ANIMATION_PIXELS"
            | "MAX_FRAMES"
            | "TRANSFORM_TIMEOUT"
            | "TRANSFORM_PROFILE"
    )
}

/// A complaint about a value, with where it was said and, if that is no secret, the value.
fn told(variable: &Variable, said: Option<Said>, detail: &str) -> String {
    match said {
        Some(said) if variable.kind.is_secret() => format!("(from {}) {detail}", said.source),
        Some(said) => format!("= {:?} (from {}) {detail}", said.text, said.source),
        None => detail.to_owned(),
    }
}

/// The values in force, by name.
pub(super) struct Values(BTreeMap<&'static str, Value>);

impl Values {
    fn optional(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    fn required(&self, name: &str) -> Result<&Value, Fault> {
        self.optional(name).ok_or_else(|| mismatch(name))
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.optional(name).and_then(Value::as_text)
    }

    pub(super) fn secret(&self, name: &str) -> Option<SecretString> {
        self.text(name).map(SecretString::from)
    }

    pub(super) fn list<T: Clone>(&self, name: &str, pick: fn(&Value) -> Option<&Vec<T>>) -> Vec<T> {
        self.optional(name).and_then(pick).cloned().unwrap_or_default()
    }

    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        match self.optional(name)? {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        }
    }

    pub(super) fn number<T: TryFrom<u64>>(&self, name: &str) -> Result<T, Fault> {
        match self.required(name)? {
            Value::Number(number) => T::try_from(*number).map_err(|_| mismatch(name)),
            _ => Err(mismatch(name)),
        }
    }

    pub(super) fn time(&self, name: &str) -> Result<Duration, Fault> {
        match self.required(name)? {
            Value::Time(time) => Ok(*time),
            _ => Err(mismatch(name)),
        }
    }
}

/// A value that is missing, or does not fit the place it is meant for.
pub(super) fn mismatch(name: &str) -> Fault {
    match table::find(name) {
        Some(variable) => Fault::new(name, format!("must be {}", variable.kind)),
        None => Fault::new(name, "is not in the table"),
    }
}

fn config(
    values: &Values,
    database: Option<SecretString>,
    broker: Option<SecretString>,
    redis: Option<Redis>,
    storage: Option<Storage>,
) -> Result<Config, Fault> {
    let required_text = |name| values.text(name).ok_or_else(|| mismatch(name));

    let environment = match required_text("ENVIRONMENT")? {
        "production" => Environment::Production,
        _ => Environment::Development,
    };
    Ok(Config {
        environment,
        fetch: fetch::meant(values, environment)?,
        cdn: cdn::meant(values),
        roles: match values.required("ROLE")? {
            Value::Roles(roles) => *roles,
            _ => return Err(mismatch("ROLE")),
        },
        http: Http {
            host: match values.optional("HOST") {
                Some(Value::Address(address)) => Some(*address),
                _ => None,
            },
            port: values.number("PORT")?,
            public_url: values.text("PUBLIC_URL").map(str::to_owned),
            trusted_proxies: values.list("TRUSTED_PROXIES", |value| match value {
                Value::Networks(networks) => Some(networks),
                _ => None,
            }),
            allowed_origins: values.list("ALLOWED_ORIGINS", |value| match value {
                Value::List(origins) => Some(origins),
                _ => None,
            }),
            max_body_size: values.number("MAX_BODY_SIZE")?,
            rate_limits: RateLimits {
                window: values.time("RATE_LIMIT_WINDOW")?,
                uploads: values.number("RATE_LIMIT_UPLOADS")?,
                transforms: values.number("RATE_LIMIT_TRANSFORMS")?,
                register: values.number("RATE_LIMIT_REGISTER")?,
                login: values.number("RATE_LIMIT_LOGIN")?,
                login_username: values.number("RATE_LIMIT_LOGIN_USERNAME")?,
            },
        },
        database: database_of(values, database)?,
        redis,
        storage: storage.ok_or_else(|| mismatch("STORAGE"))?,
        auth: Auth {
            jwt_secret: values.secret("JWT_SECRET"),
            jwt_expiry: values.time("JWT_EXPIRY")?,
            jwt_issuer: required_text("JWT_ISSUER")?.to_owned(),
            refresh_expiry: values.time("REFRESH_EXPIRY")?,
        },
        limits: limits_of(values)?,
        transform_threads: values.number("TRANSFORM_THREADS")?,
        transform_memory: values.number("TRANSFORM_MEMORY")?,
        transform_profile: profile_of(values)?,
        cache: cache::meant(values)?,
        queue: queue_of(values, broker)?,
        startup_timeout: values.time("STARTUP_TIMEOUT")?,
        drain_timeout: values.time("DRAIN_TIMEOUT")?,
        log: Log {
            level: required_text("LOG_LEVEL")?.to_owned(),
            format: match required_text("LOG_FORMAT")? {
                "json" => LogFormat::Json,
                _ => LogFormat::Text,
            },
        },
        data_dir: PathBuf::from(required_text("DATA_DIR")?),
    })
}

pub(super) fn queue_of(values: &Values, broker: Option<SecretString>) -> Result<Queue, Fault> {
    let name = values.text("QUEUE_NAME").ok_or_else(|| mismatch("QUEUE_NAME"))?.to_owned();
    Ok(Queue { amqp: broker, name, prefetch: values.number("QUEUE_PREFETCH_COUNT")? })
}

fn engine_of(values: &Values, is_timed: bool) -> Result<Engine, Fault> {
    let limits = limits_of(values)?;
    let timeout = is_timed.then_some(limits.timeout);
    Ok(Engine { limits, profile: profile_of(values)?, timeout })
}

fn limits_of(values: &Values) -> Result<Limits, Fault> {
    Ok(Limits {
        upload_size: values.number("MAX_UPLOAD_SIZE")?,
        width: values.number("MAX_IMAGE_WIDTH")?,
        height: values.number("MAX_IMAGE_HEIGHT")?,
        pixels: values.number("MAX_PIXELS")?,
        animation_pixels: values.number("MAX_ANIMATION_PIXELS")?,
        frames: values.number("MAX_FRAMES")?,
        timeout: values.time("TRANSFORM_TIMEOUT")?,
    })
}

fn profile_of(values: &Values) -> Result<Profile, Fault> {
    match values.text("TRANSFORM_PROFILE").ok_or_else(|| mismatch("TRANSFORM_PROFILE"))? {
        "fast" => Ok(Profile::Fast),
        _ => Ok(Profile::Best),
    }
}

pub(super) fn database_of(values: &Values, url: Option<SecretString>) -> Result<Database, Fault> {
    let location = match url {
        Some(url) => DatabaseLocation::Postgres(url),
        None => {
            let data_dir = values.text("DATA_DIR").ok_or_else(|| mismatch("DATA_DIR"))?;
            DatabaseLocation::Sqlite(PathBuf::from(data_dir).join(SQLITE_FILE))
        }
    };
    Ok(Database {
        location,
        max_conns: values.number("DB_MAX_CONNS")?,
        min_conns: values.number("DB_MIN_CONNS")?,
        max_lifetime: values.time("DB_MAX_CONN_LIFETIME")?,
        max_idle: values.time("DB_MAX_CONN_IDLE_TIME")?,
        migrate_url: values.secret("MIGRATE_DB_URL"),
    })
}

fn check_auth(
    settings: &Settings,
    values: &Values,
    faults: &mut Vec<Fault>,
    warnings: &mut Vec<Warning>,
) {
    const NAME: &str = "JWT_SECRET";
    const ADVICE: &str = "make one with `openssl rand -hex 32`";
    match settings.said(NAME) {
        None if settings.said_first(DATABASE_NAMES).is_some() => faults.push(Fault::new(
            NAME,
            format!("is required with a Postgres database: at least 32 characters; {ADVICE}"),
        )),
        Some(said) if values.text(NAME).is_some() && secrets::is_well_known(&said.text) => {
            let detail = format!("(from {}) is easily guessed; {ADVICE}", said.source);
            if settings.is_production() {
                faults.push(Fault::new(NAME, detail));
            } else {
                warnings.push(Warning::new(NAME, format!("{detail}; production refuses it")));
            }
        }
        _ => {}
    }
}

fn check_database(
    settings: &Settings,
    values: &Values,
    faults: &mut Vec<Fault>,
    warnings: &mut Vec<Warning>,
) {
    if let (Ok(min), Ok(max)) =
        (values.number::<u32>("DB_MIN_CONNS"), values.number("DB_MAX_CONNS"))
        && min > max
    {
        faults.push(Fault::new(
            "DB_MIN_CONNS",
            format!("= {min} must be at most DB_MAX_CONNS, which is {max}"),
        ));
    }
    if let (Some(first), Some(second)) =
        (settings.said("SUPABASE_DB_URL"), settings.said("DATABASE_URL"))
        && first.text != second.text
        && let Some(used) = settings.said_first(DATABASE_NAMES)
    {
        let other = if used.name == first.name { second } else { first };
        warnings.push(Warning::new(
            other.name,
            format!("(from {}) is ignored for {} (from {})", other.source, used.name, used.source),
        ));
    }
    if settings.said("MIGRATE_DB_URL").is_some() && settings.said_first(DATABASE_NAMES).is_none() {
        warnings.push(Warning::new(
            "MIGRATE_DB_URL",
            "has no effect without SUPABASE_DB_URL: the embedded database migrates by itself",
        ));
    }
}

fn check_queue(
    settings: &Settings,
    values: &Values,
    faults: &mut Vec<Fault>,
    warnings: &mut Vec<Warning>,
) {
    if matches!(values.optional("QUEUE_DURABLE"), Some(Value::Flag(false))) {
        let detail = "= false: jobs are promised never to be lost, and a queue that is not durable \
                      would lose them with the broker";
        faults.push(Fault::new("QUEUE_DURABLE", detail));
    }
    if let Some(name) = values.text("QUEUE_NAME")
        && (name.len() > QUEUE_NAME || name.starts_with("amq."))
    {
        let detail = format!("must be of at most {QUEUE_NAME} bytes, and not begin with amq.");
        faults.push(Fault::new("QUEUE_NAME", detail));
    }
    let said: Vec<_> = BROKER_NAMES.iter().filter_map(|name| settings.said(name)).collect();
    if let Some(used) = settings.said_first(BROKER_NAMES) {
        for other in said.iter().filter(|said| said.text != used.text) {
            let (source, name) = (other.source, used.name);
            let detail = format!("(from {source}) is ignored for {name} (from {})", used.source);
            warnings.push(Warning::new(other.name, detail));
        }
    }
}

/// What parts of the service that are apart must have in common.
fn check_roles(
    settings: &Settings,
    values: &Values,
    kind: Option<StorageKind>,
    warnings: &mut Vec<Warning>,
) {
    let roles = match values.optional("ROLE") {
        Some(Value::Roles(roles)) if *roles != Roles::BOTH => *roles,
        _ => return,
    };
    if settings.said_first(DATABASE_NAMES).is_none() {
        let detail = format!(
            "= {roles}: the embedded database is one process's alone, so that no other can serve beside \
             this one; set SUPABASE_DB_URL, or ROLE=both"
        );
        warnings.push(Warning::new("ROLE", detail));
    } else if kind == Some(StorageKind::Fs)
        && let Some(directory) = values.text("DATA_DIR")
    {
        let detail = format!(
            "= {directory} holds the pictures, and this process is only the {roles}: every process of \
             the service must see the same files there"
        );
        warnings.push(Warning::new("DATA_DIR", detail));
    }
}

fn check_times(values: &Values, faults: &mut Vec<Fault>, warnings: &mut Vec<Warning>) {
    if let (Ok(transform), Ok(drain)) =
        (values.time("TRANSFORM_TIMEOUT"), values.time("DRAIN_TIMEOUT"))
        && transform >= drain
    {
        faults.push(Fault::new(
            "TRANSFORM_TIMEOUT",
            format!("= {} must be below DRAIN_TIMEOUT, which is {}", time(transform), time(drain)),
        ));
    }
    if let (Ok(access), Ok(refresh)) = (values.time("JWT_EXPIRY"), values.time("REFRESH_EXPIRY"))
        && refresh < access
    {
        warnings.push(Warning::new(
            "REFRESH_EXPIRY",
            format!("= {} is below JWT_EXPIRY, which is {}", time(refresh), time(access)),
        ));
    }
}
