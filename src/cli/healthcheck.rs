//! `darkroom healthcheck`.

use std::{process::ExitCode, time::Duration};

use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{exit, fail, load, runtime};
use crate::{
    adapters::db::Db,
    config::{Config, Settings},
    roles::Role,
};

/// How long the answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn run() -> ExitCode {
    let config = match load(&Settings::load()) {
        Ok((config, _)) => config,
        Err(code) => return code,
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    match runtime.block_on(async { tokio::time::timeout(PATIENCE, check(&config)).await }) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => fail(exit::UNAVAILABLE, error),
        Err(_) => fail(exit::UNAVAILABLE, "no answer in time"),
    }
}

/// Asks `/health`. A worker listens on no port: for it, the database is asked.
async fn check(config: &Config) -> Result<(), String> {
    if !config.roles.has(Role::Api) {
        let database =
            Db::connect(&config.database).await.map_err(|error| super::in_full(&error))?;
        return database.ping().await.map_err(|error| super::in_full(&error));
    }
    let port = config.http.port;
    let host = match config.http.host {
        Some(host) if !host.is_unspecified() => host.to_string(),
        _ => "localhost".to_owned(),
    };
    let at = |error: &dyn std::fmt::Display| format!("port {port}: {error}");
    let stream = TcpStream::connect((host, port)).await.map_err(|error| at(&error))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| at(&error))?;
    tokio::spawn(connection);
    let request = hyper::Request::get("/health")
        .header("host", "localhost")
        .body(Empty::<Bytes>::new())
        .map_err(|error| at(&error))?;
    let status = sender.send_request(request).await.map_err(|error| at(&error))?.status();
    if status.is_success() {
        Ok(())
    } else {
        Err(format!("port {port}: /health answered {status}"))
    }
}
