//! The schema: how far it is, and bringing it forward.

use std::{fmt, sync::LazyLock};

use secrecy::SecretString;
use sqlx::{
    ConnectOptions, Connection, SqlSafeStr,
    migrate::{Migrate, Migration, MigrationType, Migrator},
};

use super::{Db, Mode, error::Stop, sqlite_options, tx::Tx, url};
use crate::{
    config::{Database, DatabaseLocation},
    domain::error::{Error, Result},
};

/// The files of `migrations/`: version, description, and what they do. Named one by one: what sqlx has for it would compile both
/// drivers a second time, for the compiler's own use.
const MIGRATIONS: [(i64, &str, &str); 7] = [
    (1, "foundation", include_str!("../../../migrations/0001_foundation.sql")),
    (2, "facts", include_str!("../../../migrations/0002_facts.sql")),
    (3, "queue", include_str!("../../../migrations/0003_queue.sql")),
    (4, "objects", include_str!("../../../migrations/0004_objects.sql")),
    (5, "webhooks", include_str!("../../../migrations/0005_webhooks.sql")),
    (6, "delivery", include_str!("../../../migrations/0006_delivery.sql")),
    (7, "purges", include_str!("../../../migrations/0007_purges.sql")),
];

static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let migration = |(version, description, sql): (i64, &'static str, &'static str)| {
        let kind = MigrationType::Simple;
        Migration::new(version, description.into(), kind, sql.into_sql_str(), false)
    };
    let mut migrator = Migrator::with_migrations(MIGRATIONS.map(migration).to_vec());
    // A program that was rolled back finds migrations that it doesn't know: since 0004 they only add.
    migrator.set_ignore_missing(true);
    migrator
});

/// How the schema in the database compares with the one that this program was written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaState {
    /// The same.
    Current,
    /// Migrations are missing: `darkroom migrate` has to run first.
    Behind {
        /// The last migration applied; 0 is none.
        applied: i64,
        /// The last one there is.
        expected: i64,
    },
    /// A newer program has been here. Migrations since 0004 only add, so this one can go on.
    Ahead,
}

/// Where migrations were run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// At `MIGRATE_DB_URL`.
    Configured,
    /// At port 5432 of the database's host: the one configured, 6543, is a transaction pooler's, through
    /// which they can't be run.
    Session,
    /// At the database that is configured.
    Same,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Target::Configured => "the database of MIGRATE_DB_URL",
            Target::Session => {
                "port 5432 of the database's host (port 6543 is a transaction pooler's; set \
                 MIGRATE_DB_URL to use another address)"
            }
            Target::Same => "the configured database",
        })
    }
}

/// What `migrate` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Where.
    pub target: Target,
    /// How many migrations it applied; 0 when all had been.
    pub applied: usize,
    /// The schema's version now.
    pub version: i64,
}

/// Brings the schema up to date. Safe to run from many machines at once: they take turns.
///
/// # Errors
/// `dependency_unavailable` when the database does not answer; `internal` when a migration fails, or
/// when one that was applied has since been changed.
pub async fn migrate(settings: &Database) -> Result<Report> {
    match &settings.location {
        DatabaseLocation::Sqlite(path) => {
            let mut connection = sqlite_options(path).await?.connect().await.map_err(Stop::from)?;
            // SQLite's own lock is the one that makes processes take turns; what the migrator begins
            // inside becomes savepoints.
            let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.map_err(Stop::from)?;
            let applied = bring_forward(&mut *tx).await?;
            tx.commit().await.map_err(Stop::from)?;
            connection.close().await.map_err(Stop::from)?;
            Ok(Report { target: Target::Same, applied, version: expected() })
        }
        DatabaseLocation::Postgres(location) => {
            let (target, location) = target(location, settings.migrate_url.as_ref())?;
            let mut connection = url::Server::parse(&location)?.connect().await?;
            // An advisory lock of this session: it ends with the connection, whatever happens.
            connection.lock().await.map_err(failed)?;
            let applied = bring_forward(&mut connection).await?;
            connection.close().await.map_err(Stop::from)?;
            Ok(Report { target, applied, version: expected() })
        }
    }
}

fn target(
    location: &SecretString,
    configured: Option<&SecretString>,
) -> Result<(Target, SecretString)> {
    if let Some(configured) = configured {
        return Ok((Target::Configured, configured.clone()));
    }
    Ok(match url::session_url(location)? {
        Some(session) => (Target::Session, session),
        None => (Target::Same, location.clone()),
    })
}

/// Applies what is missing; how many migrations that were.
async fn bring_forward<C: Migrate>(connection: &mut C) -> Result<usize> {
    connection.ensure_migrations_table(&MIGRATOR.table_name).await.map_err(failed)?;
    let before = connection.list_applied_migrations(&MIGRATOR.table_name).await.map_err(failed)?;
    MIGRATOR.run_direct(None, connection, false).await.map_err(failed)?;
    Ok(MIGRATOR.iter().filter(|known| before.iter().all(|it| it.version != known.version)).count())
}

fn failed(error: sqlx::migrate::MigrateError) -> Error {
    match error {
        sqlx::migrate::MigrateError::Execute(error) => Stop::from(error).into(),
        error => Error::internal(error),
    }
}

fn expected() -> i64 {
    MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// See [`Db::schema`].
pub(super) async fn schema(db: &Db) -> Result<SchemaState> {
    let mut tx = Tx::begin(db, Mode::Read).await?;
    let applied =
        tx.fetch_all::<(i64,)>("SELECT version FROM _sqlx_migrations WHERE success", []).await;
    tx.rollback().await;
    let applied: Vec<i64> = match applied {
        Ok(rows) => rows.into_iter().map(|(version,)| version).collect(),
        Err(stop) if stop.is_missing_table() => Vec::new(),
        Err(stop) => return Err(stop.into()),
    };
    let last = applied.iter().copied().max().unwrap_or_default();
    Ok(if MIGRATOR.iter().any(|known| !applied.contains(&known.version)) {
        SchemaState::Behind { applied: last, expected: expected() }
    } else if last > expected() {
        SchemaState::Ahead
    } else {
        SchemaState::Current
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::*;

    #[tokio::test]
    async fn every_file_is_named() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let files = Migrator::new(directory).await.unwrap();
        let told = |migrator: &Migrator| {
            let migrations = migrator.iter();
            migrations.map(|it| (it.version, it.description.clone(), it.checksum.clone())).collect()
        };
        let (files, named): (Vec<_>, Vec<_>) = (told(&files), told(&MIGRATOR));
        assert_eq!(files, named);
    }
}
