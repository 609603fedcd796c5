//! Rows: Postgres, or SQLite where nothing else is installed.
//!
//! Every query is a struct that implements [`Transaction`], and by that [`Query<Db>`]: one text of SQL
//! for both databases, `$1` binds, ids and times from the program (never `now()`), JSON objects and no
//! arrays. What a query needs of a transaction, a retry or a pooler in between is settled here, once.

use std::{future::Future, time::Duration};

use chrono::{DateTime, SubsecRound, Utc};
use sqlx::{
    Connection, PgPool, SqlitePool,
    postgres::PgPoolOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use self::{error::Stop, tx::Tx};
use super::{Query, Resource};
use crate::{
    config::{Database, DatabaseLocation},
    domain::error::{Error, Result},
};

#[macro_use]
mod row;

pub mod about;
pub mod admin;
pub mod cdn;
pub mod changes;
pub mod deletions;
pub mod delivery;
mod error;
pub mod events;
pub mod facts;
pub mod idempotency;
pub mod images;
pub mod jobs;
mod migrate;
pub mod objects;
pub mod operator;
pub mod outbox;
pub mod presets;
pub mod purge;
pub mod queue;
pub mod signing_keys;
pub mod tokens;
mod tx;
mod url;
pub mod users;
pub mod variants;
pub mod webhooks;

pub use self::migrate::{Report, SchemaState, Target, migrate};

/// How long a query waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long SQLite waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that lay idle for longer is tested before it is used.
const FRESH: Duration = Duration::from_secs(2);
/// How often a transaction is tried that another one was in the way of.
const ATTEMPTS: u32 = 5;

/// The database.
#[derive(Debug, Clone)]
pub enum Db {
    /// A server, for many processes.
    Postgres(Postgres),
    /// A file, for one machine.
    Sqlite(Sqlite),
}

/// Connections to a server.
#[derive(Debug, Clone)]
pub struct Postgres {
    pool: PgPool,
    /// A transaction pooler is in between: it gives each transaction another server connection, so
    /// no statement may be prepared for later, and none be sent outside a transaction.
    pooled: bool,
}

/// Connections to a file. One of them writes, so that writers stand in line here, in order, instead of
/// waking each other up inside SQLite.
#[derive(Debug, Clone)]
pub struct Sqlite {
    reader: SqlitePool,
    writer: SqlitePool,
}

/// What a transaction may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Look only.
    Read,
    /// Change rows.
    Write,
}

/// A query, as one transaction: all of it happens, or nothing. It may be run several times before it
/// succeeds, when others are in its way.
pub trait Transaction: Send + Sync + 'static {
    /// Its name in logs and metrics, `noun.verb`.
    const NAME: &'static str;
    /// What it may do.
    const MODE: Mode;
    /// The answer.
    type Output: Send + 'static;

    /// Does it; what it did is kept if it returns `Ok`.
    fn perform(&self, tx: &mut Tx) -> impl Future<Output = Result<Self::Output, Stop>> + Send;
}

impl<T: Transaction> Query<Db> for T {
    const NAME: &'static str = T::NAME;
    type Output = T::Output;

    async fn run(self, db: &Db) -> Result<T::Output> {
        let mut attempt = 1;
        loop {
            match db.attempt(&self).await {
                Err(stop) if attempt < ATTEMPTS && stop.is_conflict() => {
                    tokio::time::sleep(Duration::from_millis(5) * attempt * attempt).await;
                    attempt += 1;
                }
                outcome => return outcome.map_err(Error::from),
            }
        }
    }
}

impl Db {
    /// Connects. The file of SQLite, and its directory, are made if they are missing.
    ///
    /// # Errors
    /// `dependency_unavailable` when the database does not answer; its cause names no secret.
    pub async fn connect(settings: &Database) -> Result<Self> {
        match &settings.location {
            DatabaseLocation::Postgres(location) => {
                let server = url::Server::parse(location)?;
                // A pool would hide why a connection can't be made behind a time-out.
                let first = tokio::time::timeout(ACQUIRE_TIMEOUT, server.connect()).await;
                let first =
                    first.map_err(|_| Error::unavailable("the database", "no answer"))??;
                first.close().await.ok();
                let pool = PgPoolOptions::new()
                    .max_connections(settings.max_conns)
                    .min_connections(settings.min_conns.min(settings.max_conns))
                    .max_lifetime(settings.max_lifetime)
                    .idle_timeout(settings.max_idle)
                    .acquire_timeout(ACQUIRE_TIMEOUT)
                    .test_before_acquire(false)
                    .before_acquire(|connection, meta| {
                        Box::pin(async move {
                            Ok(meta.idle_for < FRESH || connection.ping().await.is_ok())
                        })
                    })
                    .connect_lazy_with(server.options);
                Ok(Db::Postgres(Postgres { pool, pooled: server.pooled }))
            }
            DatabaseLocation::Sqlite(path) => {
                let options = sqlite_options(path).await?;
                let pool = || {
                    SqlitePoolOptions::new()
                        .acquire_timeout(ACQUIRE_TIMEOUT)
                        .test_before_acquire(false)
                        .max_lifetime(None)
                        .idle_timeout(None)
                };
                // The writer first: it makes the file, and switches it to WAL.
                let writer = pool().max_connections(1).connect_with(options.clone()).await;
                let writer = writer.map_err(Stop::from)?;
                let reader = pool()
                    .max_connections(settings.max_conns.clamp(1, 8))
                    .connect_lazy_with(options.pragma("query_only", "ON"));
                Ok(Db::Sqlite(Sqlite { reader, writer }))
            }
        }
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// `dependency_unavailable` when it does not.
    pub async fn ping(&self) -> Result<()> {
        let mut tx = Tx::begin(self, Mode::Read).await?;
        tx.fetch_one::<(i32,)>("SELECT 1", []).await?;
        tx.commit().await?;
        Ok(())
    }

    /// How far the schema is from the one that this program was written for.
    ///
    /// # Errors
    /// `dependency_unavailable` when the database does not answer.
    pub async fn schema(&self) -> Result<SchemaState> {
        migrate::schema(self).await
    }

    /// Waits for the queries under way, and closes every connection.
    pub async fn close(&self) {
        match self {
            Db::Postgres(postgres) => postgres.pool.close().await,
            Db::Sqlite(sqlite) => {
                sqlite.reader.close().await;
                // The last connection to close folds the log into the file.
                sqlite.writer.close().await;
            }
        }
    }

    async fn attempt<T: Transaction>(&self, query: &T) -> Result<T::Output, Stop> {
        let mut tx = Tx::begin(self, T::MODE).await?;
        match query.perform(&mut tx).await {
            Ok(output) => {
                tx.commit().await?;
                Ok(output)
            }
            Err(stop) => {
                tx.rollback().await;
                Err(stop)
            }
        }
    }
}

impl Resource for Db {
    const WHAT: &'static str = "the database";

    async fn close(&self) {
        Db::close(self).await;
    }
}

/// Whether the database answers.
pub struct Ping;

impl Query<Db> for Ping {
    const NAME: &'static str = "database.ping";
    type Output = ();

    async fn run(self, db: &Db) -> Result<()> {
        db.ping().await
    }
}

/// The present, as exactly as Postgres keeps it.
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

async fn sqlite_options(path: &std::path::Path) -> Result<SqliteConnectOptions> {
    if let Some(directory) = path.parent() {
        tokio::fs::create_dir_all(directory)
            .await
            .map_err(|error| Error::unavailable("the database", error))?;
    }
    Ok(SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT))
}
