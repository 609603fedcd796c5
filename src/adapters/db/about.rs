//! What a database is, for those who look for what is wrong with it.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use sqlx::{ConnectOptions, Connection, postgres::PgSslMode};

use super::{Mode, Transaction, error::Stop, tx::Tx, url::Server};
use crate::{
    config::{Database, DatabaseLocation},
    domain::error::Result as DomainResult,
};

/// What a database says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What it is, and which version.
    pub product: String,
    /// Its clock.
    pub now: DateTime<Utc>,
    /// It takes no changes: a copy of another one, say, or its disk is full.
    pub read_only: bool,
}

/// Asks a database what it is. As if something were to be changed: a file that can't be written is refused.
#[derive(Debug, Clone)]
pub struct About;

impl Transaction for About {
    const NAME: &'static str = "database.about";
    const MODE: Mode = Mode::Write;
    type Output = Told;

    async fn perform(&self, tx: &mut Tx) -> Result<Told, Stop> {
        let about = tx.dialect().about;
        let (version, now, read_only): (String, DateTime<Utc>, bool) =
            tx.fetch_one(about, []).await?;
        // Postgres goes on with what it was compiled for, and by what.
        let product = version.split(" on ").next().unwrap_or_default().to_owned();
        Ok(Told { product, now, read_only })
    }
}

/// Who can read what is said to a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Nobody else: it doesn't leave this machine.
    Local,
    /// Whoever is in between.
    Clear,
    /// Whoever pretends to be the server: its certificate is not checked, or not its name.
    Encrypted,
    /// Nobody else.
    Verified,
}

/// How connections are made with `settings`. What is only preferred is tried.
///
/// # Errors
/// `dependency_unavailable` when the server does not answer.
pub async fn protection(settings: &Database) -> DomainResult<Protection> {
    let DatabaseLocation::Postgres(location) = &settings.location else {
        return Ok(Protection::Local);
    };
    let options = Server::parse(location)?.options;
    let host = options.get_host();
    let is_local = options.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    let encrypted = match options.get_ssl_mode() {
        PgSslMode::VerifyFull => return Ok(Protection::Verified),
        PgSslMode::VerifyCa | PgSslMode::Require => true,
        _ if is_local => return Ok(Protection::Local),
        PgSslMode::Prefer => match options.ssl_mode(PgSslMode::Require).connect().await {
            Ok(connection) => {
                connection.close().await.ok();
                true
            }
            Err(sqlx::Error::Tls(_)) => false,
            Err(error) => return Err(Stop::from(error).into()),
        },
        PgSslMode::Allow | PgSslMode::Disable => false,
    };
    Ok(if encrypted { Protection::Encrypted } else { Protection::Clear })
}
