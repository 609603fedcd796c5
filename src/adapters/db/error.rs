//! What the drivers report, and what becomes of it.

use crate::domain::error::Error;

/// Why a transaction was given up.
#[derive(Debug)]
pub enum Stop {
    /// The driver said so.
    Sql(sqlx::Error),
    /// The rows said so: this is for the caller.
    Told(Error),
}

impl Stop {
    /// A row that this program can't have written.
    pub(super) fn corrupt(what: impl std::fmt::Display) -> Self {
        Stop::Told(Error::internal(format!("a row can't be read: {what}")))
    }

    /// Whether the same transaction may succeed now, because only another one was in its way.
    pub(super) fn is_conflict(&self) -> bool {
        match self {
            Stop::Sql(sqlx::Error::Database(error)) => match Kind::of(error.as_ref()) {
                Kind::Postgres(code) => matches!(code.as_str(), "40001" | "40P01"),
                Kind::Sqlite(code) => is_busy(code),
            },
            _ => false,
        }
    }

    /// Whether the row that a new one refers to is gone.
    fn is_missing_parent(&self) -> bool {
        match self {
            Stop::Sql(sqlx::Error::Database(error)) => error.is_foreign_key_violation(),
            _ => false,
        }
    }

    /// `not_found` if the `what` that a new row refers to is gone: deleted at the same time, say.
    pub(super) fn or_missing(self, what: &str) -> Self {
        if self.is_missing_parent() { Error::not_found(what).into() } else { self }
    }

    /// Whether the table asked for does not exist.
    pub(super) fn is_missing_table(&self) -> bool {
        match self {
            Stop::Sql(sqlx::Error::Database(error)) => match Kind::of(error.as_ref()) {
                Kind::Postgres(code) => code == "42P01",
                Kind::Sqlite(_) => error.message().starts_with("no such table"),
            },
            _ => false,
        }
    }
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Stop::Sql(error)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Told(error)
    }
}

impl From<Stop> for Error {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Told(error) => error,
            Stop::Sql(error) if is_outage(&error) => Error::unavailable("the database", error),
            Stop::Sql(error) => Error::internal(error),
        }
    }
}

/// The code of a database's own error: five characters, or a number.
enum Kind {
    Postgres(String),
    Sqlite(u32),
}

impl Kind {
    fn of(error: &dyn sqlx::error::DatabaseError) -> Self {
        let code = error.code().unwrap_or_default().into_owned();
        if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
            Kind::Sqlite(code.parse().unwrap_or_default())
        } else {
            Kind::Postgres(code)
        }
    }
}

/// `SQLITE_BUSY` and `SQLITE_LOCKED`, in the low byte of their extended codes.
fn is_busy(code: u32) -> bool {
    matches!(code & 0xff, 5 | 6)
}

/// Whether the database is to blame, not the query.
fn is_outage(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => match Kind::of(error.as_ref()) {
            // Class 08 is the connection, 53 is want of resources, 57P is a server that stops or starts.
            Kind::Postgres(code) => {
                code.starts_with("08") || code.starts_with("53") || code.starts_with("57P")
            }
            // SQLITE_CANTOPEN beside those that pass.
            Kind::Sqlite(code) => is_busy(code) || code & 0xff == 14,
        },
        _ => false,
    }
}
