//! The database, looked at past the service.

use std::path::PathBuf;

use sqlx::{
    AssertSqlSafe, Connection, PgConnection, SqliteConnection, sqlite::SqliteConnectOptions,
};

/// Where the rows are.
pub enum Ledger {
    Postgres(String),
    Sqlite(PathBuf),
}

impl Ledger {
    /// The one number that `sql` asks for.
    pub async fn count(&self, sql: &str) -> i64 {
        self.ask(sql).await
    }

    /// The one text that `sql` asks for.
    pub async fn text(&self, sql: &str) -> Option<String> {
        self.ask(sql).await
    }

    async fn ask<T>(&self, sql: &str) -> T
    where
        T: Send + Unpin,
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
        T: for<'r> sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Ledger::Postgres(url) => {
                let mut connection = PgConnection::connect(url).await.unwrap();
                let answer = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                answer
            }
            Ledger::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path);
                let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
                let answer = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                answer
            }
        }
    }
}
