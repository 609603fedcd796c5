//! Where a Postgres is, and what stands before it.

use secrecy::{ExposeSecret, SecretString};
use sqlx::{ConnectOptions, PgConnection, postgres::PgConnectOptions};
use url::Url;

use super::error::Stop;
use crate::domain::error::{Error, Result};

/// Where Supabase's transaction pooler listens, and where the same host takes sessions.
const POOLER_PORT: u16 = 6543;
const SESSION_PORT: u16 = 5432;

/// The URL parameters that the driver knows; others are written for other drivers.
const KNOWN: &[&str] = &[
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// A Postgres server, or a pooler.
pub(super) struct Server {
    /// How to connect to it.
    pub(super) options: PgConnectOptions,
    /// It gives out server connections by the transaction.
    pub(super) pooled: bool,
}

impl Server {
    /// Reads the URL.
    pub(super) fn parse(location: &SecretString) -> Result<Self> {
        let mut url = parse(location)?;
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let asks_for_pooling = pairs.iter().any(|(name, value)| match name.as_str() {
            "default_query_exec_mode" => matches!(value.as_str(), "simple_protocol" | "exec"),
            "pgbouncer" => value == "true",
            _ => false,
        });
        let known = |name: &str| KNOWN.contains(&name) || name.starts_with("options[");
        url.set_query(None);
        for (name, value) in pairs.iter().filter(|(name, _)| known(name)) {
            url.query_pairs_mut().append_pair(name, value);
        }
        // PgBouncer refuses start-up parameters that it does not know, like this one; values travel in
        // binary form anyway.
        let options = PgConnectOptions::from_url(&url)
            .map_err(|error| Error::internal(format!("the database URL: {error}")))?
            .extra_float_digits(None);
        let pooled = asks_for_pooling || options.get_port() == POOLER_PORT;
        Ok(Self { options, pooled })
    }

    /// One connection outside any pool.
    pub(super) async fn connect(&self) -> Result<PgConnection> {
        Ok(self.options.connect().await.map_err(Stop::from)?)
    }
}

/// The URL of the same host for sessions, if `location` is that of its transaction pooler.
pub(super) fn session_url(location: &SecretString) -> Result<Option<SecretString>> {
    let mut url = parse(location)?;
    if url.port() != Some(POOLER_PORT) || url.set_port(Some(SESSION_PORT)).is_err() {
        return Ok(None);
    }
    Ok(Some(String::from(url).into()))
}

fn parse(location: &SecretString) -> Result<Url> {
    Url::parse(location.expose_secret())
        .map_err(|error| Error::internal(format!("the database URL: {error}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn server(url: &str) -> Server {
        Server::parse(&url.into()).unwrap()
    }

    #[test]
    fn a_pooler_is_known_by_its_port_or_by_what_the_url_says() {
        assert!(server("postgres://u:p@db.example:6543/postgres").pooled);
        assert!(server("postgres://u:p@h/d?default_query_exec_mode=simple_protocol").pooled);
        assert!(server("postgres://u:p@h/d?pgbouncer=true&connection_limit=1").pooled);
        assert!(!server("postgres://u:p@h:5432/d?sslmode=require").pooled);
        assert!(!server("postgres://u:p@h/d?default_query_exec_mode=cache_statement").pooled);
    }

    #[test]
    fn parameters_of_other_drivers_are_dropped_and_ours_kept() {
        let server = server("postgres://u:p@h/d?sslmode=require&pgbouncer=true&schema=public");
        let url = server.options.to_url_lossy();
        let names: Vec<String> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
        assert!(names.contains(&"sslmode".to_owned()), "{names:?}");
        assert!(!names.iter().any(|name| name == "pgbouncer" || name == "schema"), "{names:?}");
    }

    #[test]
    fn sessions_are_on_the_usual_port_of_the_same_host() {
        let pooler = "postgres://u:p%40ss@db.example:6543/d?sslmode=require".into();
        let session = session_url(&pooler).unwrap().unwrap();
        assert_eq!(
            session.expose_secret(),
            "postgres://u:p%40ss@db.example:5432/d?sslmode=require"
        );
        assert!(session_url(&"postgres://u@h:5433/d".into()).unwrap().is_none());
    }

    #[test]
    fn a_url_that_cannot_be_read_is_not_repeated() {
        let error = Server::parse(&"postgres://u:hunter2@h:port/d".into()).err().unwrap();
        assert!(error.cause.is_some());
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}
