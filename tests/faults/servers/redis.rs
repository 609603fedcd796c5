//! A Redis that keeps nothing: what dies with it must not matter.

use std::{path::Path, process::Command};

use super::{
    Kind, PASSWORD, dying_with_us, greets, listens, program,
    tls::{Files, Identity},
};

pub struct Redis {
    tls: Option<Files>,
}

impl Kind for Redis {
    const NAME: &'static str = "redis";

    async fn prepare(directory: &Path, _: u16, identity: Option<&Identity>) -> Self {
        Self { tls: identity.map(|identity| identity.write(directory)) }
    }

    fn command(&self, directory: &Path, port: u16) -> Command {
        let mut command = dying_with_us();
        command.arg("--").arg(program("redis-server", &[]));
        let port = port.to_string();
        match &self.tls {
            None => command.args(["--port", &port]),
            Some(Files { certificate, key, .. }) => {
                command.args(["--port", "0", "--tls-port", &port, "--requirepass", PASSWORD]);
                command.args(["--tls-auth-clients", "no"]);
                command.arg("--tls-cert-file").arg(certificate).arg("--tls-key-file").arg(key)
            }
        };
        command.args(["--bind", "127.0.0.1"]);
        command.args(["--save", "", "--appendonly", "no"]).current_dir(directory);
        command
    }

    async fn answers(&self, port: u16) -> bool {
        match self.tls {
            None => greets(port, b"PING\r\n", b"+PONG\r\n").await,
            Some(_) => listens(port).await,
        }
    }
}
