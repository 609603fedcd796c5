//! One transaction on either database, and the values that go in and out of it.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{
    FromRow, Postgres, SqlSafeStr, Sqlite, pool::PoolConnection, postgres::PgRow, sqlite::SqliteRow,
};
use uuid::Uuid;

use super::{Db, Mode, error::Stop};
use crate::domain::ids::{
    ApiKeyId, ChangeId, DeletionId, EventId, FamilyId, ImageId, JobId, TokenId, UserId, VariantId,
    WebhookId,
};

/// The words in which the two databases differ.
#[derive(Debug)]
pub struct Dialect {
    /// Begins a transaction that writes. SQLite must take its lock at once: one that reads first can't
    /// always get it later.
    pub begin: &'static str,
    /// Ends a `SELECT` whose rows are to be changed. Nobody else writes during a transaction of SQLite.
    pub for_update: &'static str,
    /// The same, leaving out the rows that somebody else is changing.
    pub skip_locked: &'static str,
    /// Ends a `SELECT` whose rows nobody is to change or delete before the transaction ends.
    pub for_share: &'static str,
    /// Asks for the version, the time there, and whether nothing can be changed.
    pub about: &'static str,
}

const POSTGRES: Dialect = Dialect {
    begin: "BEGIN",
    for_update: "FOR UPDATE",
    skip_locked: "FOR UPDATE SKIP LOCKED",
    for_share: "FOR SHARE",
    about: "SELECT version(), clock_timestamp(), current_setting('transaction_read_only') = 'on'",
};
const SQLITE: Dialect = Dialect {
    begin: "BEGIN IMMEDIATE",
    for_update: "",
    skip_locked: "",
    for_share: "",
    about: "SELECT 'SQLite ' || sqlite_version(), strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), FALSE",
};

/// A row that both databases give.
pub trait Record:
    for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin + 'static
{
}

impl<T> Record for T where
    T: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin + 'static
{
}

/// A transaction that is under way.
///
/// One that is dropped before its end (its future was cancelled, say) may have left its connection in the
/// middle of anything, so that connection is closed and never used again.
#[derive(Debug)]
pub struct Tx {
    connection: Connection,
    /// Statements are prepared once and kept by the connection.
    persistent: bool,
    /// `BEGIN` was sent.
    begun: bool,
    ended: bool,
}

#[derive(Debug)]
enum Connection {
    Postgres(PoolConnection<Postgres>),
    Sqlite(PoolConnection<Sqlite>),
}

/// Runs a query on either kind of connection. Both arms are the same text with other types.
macro_rules! on_either {
    ($tx:ident, $sql:expr, $binds:expr, $query:ident $(::<$record:ty>)?, $fetch:ident) => {
        match &mut $tx.connection {
            Connection::Postgres(connection) => {
                let mut query = sqlx::$query::<Postgres $(, $record)?>($sql).persistent($tx.persistent);
                for bind in $binds {
                    query = on_either!(@bind query, bind);
                }
                query.$fetch(&mut **connection).await
                    .map(|done| on_either!(@answer $fetch, done))
            }
            Connection::Sqlite(connection) => {
                let mut query = sqlx::$query::<Sqlite $(, $record)?>($sql).persistent($tx.persistent);
                for bind in $binds {
                    query = on_either!(@bind query, bind);
                }
                query.$fetch(&mut **connection).await
                    .map(|done| on_either!(@answer $fetch, done))
            }
        }
    };
    (@bind $query:ident, $bind:ident) => {
        match $bind {
            Bind::Id(value) => $query.bind(value),
            Bind::Text(value) => $query.bind(value),
            Bind::Small(value) => $query.bind(value),
            Bind::Number(value) => $query.bind(value),
            Bind::Real(value) => $query.bind(value),
            Bind::Truth(value) => $query.bind(value),
            Bind::Time(value) => $query.bind(value),
            Bind::Json(value) => $query.bind(value),
        }
    };
    (@answer execute, $done:ident) => { $done.rows_affected() };
    (@answer $fetch:ident, $done:ident) => { $done };
}

impl Tx {
    pub(super) async fn begin(db: &Db, mode: Mode) -> Result<Self, Stop> {
        let (connection, persistent, begin) = match db {
            Db::Postgres(postgres) => (
                Connection::Postgres(postgres.pool.acquire().await?),
                !postgres.pooled,
                (mode == Mode::Write || postgres.pooled).then_some(POSTGRES.begin),
            ),
            Db::Sqlite(sqlite) => match mode {
                Mode::Read => (Connection::Sqlite(sqlite.reader.acquire().await?), true, None),
                Mode::Write => {
                    (Connection::Sqlite(sqlite.writer.acquire().await?), true, Some(SQLITE.begin))
                }
            },
        };
        let mut tx = Tx { connection, persistent, begun: begin.is_some(), ended: false };
        if let Some(begin) = begin {
            tx.command(begin).await?;
        }
        Ok(tx)
    }

    pub(super) async fn commit(mut self) -> Result<(), Stop> {
        if self.begun {
            self.command("COMMIT").await?;
        }
        self.ended = true;
        Ok(())
    }

    /// Undoes everything. If even that fails, the connection is given up.
    pub(super) async fn rollback(mut self) {
        self.ended = !self.begun || self.command("ROLLBACK").await.is_ok();
    }

    /// A statement without values, by the simple protocol: every pooler understands it.
    async fn command(&mut self, sql: &'static str) -> Result<(), Stop> {
        match &mut self.connection {
            Connection::Postgres(connection) => {
                sqlx::raw_sql(sql).execute(&mut **connection).await?;
            }
            Connection::Sqlite(connection) => {
                sqlx::raw_sql(sql).execute(&mut **connection).await?;
            }
        }
        Ok(())
    }

    /// The words of the database at the other end.
    pub const fn dialect(&self) -> &'static Dialect {
        match self.connection {
            Connection::Postgres(_) => &POSTGRES,
            Connection::Sqlite(_) => &SQLITE,
        }
    }

    /// Every row.
    pub async fn fetch_all<T: Record>(
        &mut self,
        sql: impl SqlSafeStr + Send,
        binds: impl IntoIterator<Item = Bind, IntoIter: Send> + Send,
    ) -> Result<Vec<T>, Stop> {
        Ok(on_either!(self, sql, binds, query_as::<T>, fetch_all)?)
    }

    /// The row, if there is one.
    pub async fn fetch_optional<T: Record>(
        &mut self,
        sql: impl SqlSafeStr + Send,
        binds: impl IntoIterator<Item = Bind, IntoIter: Send> + Send,
    ) -> Result<Option<T>, Stop> {
        Ok(on_either!(self, sql, binds, query_as::<T>, fetch_optional)?)
    }

    /// The row that must be there.
    pub async fn fetch_one<T: Record>(
        &mut self,
        sql: impl SqlSafeStr + Send,
        binds: impl IntoIterator<Item = Bind, IntoIter: Send> + Send,
    ) -> Result<T, Stop> {
        Ok(on_either!(self, sql, binds, query_as::<T>, fetch_one)?)
    }

    /// How many rows were touched.
    pub async fn execute(
        &mut self,
        sql: impl SqlSafeStr + Send,
        binds: impl IntoIterator<Item = Bind, IntoIter: Send> + Send,
    ) -> Result<u64, Stop> {
        Ok(on_either!(self, sql, binds, query, execute)?)
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if !self.ended {
            match &mut self.connection {
                Connection::Postgres(connection) => connection.close_on_drop(),
                Connection::Sqlite(connection) => connection.close_on_drop(),
            }
        }
    }
}

/// A value for a `$n`; `None` is a `NULL` of that type.
#[derive(Debug, Clone)]
pub enum Bind {
    /// UUID.
    Id(Option<Uuid>),
    /// TEXT.
    Text(Option<String>),
    /// INTEGER.
    Small(Option<i32>),
    /// BIGINT.
    Number(Option<i64>),
    /// DOUBLE PRECISION.
    Real(Option<f64>),
    /// BOOLEAN.
    Truth(Option<bool>),
    /// TIMESTAMPTZ.
    Time(Option<DateTime<Utc>>),
    /// JSONB.
    Json(Option<Value>),
}

macro_rules! bind_from {
    ($($type:ty => |$value:ident| $kind:ident($convert:expr),)*) => {$(
        impl From<$type> for Bind {
            fn from($value: $type) -> Self {
                Bind::$kind(Some($convert))
            }
        }

        impl From<Option<$type>> for Bind {
            fn from(value: Option<$type>) -> Self {
                Bind::$kind(value.map(|$value| $convert))
            }
        }
    )*};
}

bind_from! {
    Uuid => |value| Id(value),
    ApiKeyId => |value| Id(value.0),
    ChangeId => |value| Id(value.0),
    DeletionId => |value| Id(value.0),
    EventId => |value| Id(value.0),
    FamilyId => |value| Id(value.0),
    ImageId => |value| Id(value.0),
    JobId => |value| Id(value.0),
    TokenId => |value| Id(value.0),
    UserId => |value| Id(value.0),
    VariantId => |value| Id(value.0),
    WebhookId => |value| Id(value.0),
    String => |value| Text(value),
    &String => |value| Text(value.clone()),
    &str => |value| Text(value.to_owned()),
    i32 => |value| Small(value),
    i64 => |value| Number(value),
    u32 => |value| Number(i64::from(value)),
    f64 => |value| Real(value),
    bool => |value| Truth(value),
    DateTime<Utc> => |value| Time(chrono::SubsecRound::trunc_subsecs(value, 6)),
    Value => |value| Json(value),
    &Value => |value| Json(value.clone()),
}

/// The values of `$1`, `$2` … in order.
macro_rules! binds {
    ($($value:expr),* $(,)?) => { [$(crate::adapters::db::tx::Bind::from($value)),*] };
}

pub(super) use binds;

/// `$first, $first+1 …` for `count` values, to stand between the brackets of an `IN ()`.
pub(super) fn placeholders(first: usize, count: usize) -> String {
    let names: Vec<String> = (first..first + count).map(|n| format!("${n}")).collect();
    names.join(", ")
}
