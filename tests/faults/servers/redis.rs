//! A Redis that keeps nothing: what dies with it must not matter.

use std::{path::Path, process::Command};

use super::{Kind, dying_with_us, greets, program};

pub struct Redis;

impl Kind for Redis {
    const NAME: &'static str = "redis";

    async fn prepare(_: &Path, _: u16) -> Self {
        Self
    }

    fn command(&self, directory: &Path, port: u16) -> Command {
        let mut command = dying_with_us();
        command.arg("--").arg(program("redis-server", &[]));
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
        command.args(["--save", "", "--appendonly", "no"]).current_dir(directory);
        command
    }

    async fn answers(port: u16) -> bool {
        greets(port, b"PING\r\n", b"+PONG\r\n").await
    }
}
