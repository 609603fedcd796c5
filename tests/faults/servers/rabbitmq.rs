//! A RabbitMQ with a directory, a name, a cookie and a port mapper of its own.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use super::{
    Kind, Server, dying_with_us, free_port, greets, listens, program,
    tls::{Files, Identity},
};
use crate::world::eventually;

/// Erlang's port mapper, without which no node starts, and where the node listens for other nodes.
pub struct RabbitMq {
    mapper: Child,
    mapper_port: u16,
    node_port: u16,
    speaks_tls: bool,
}

impl Kind for RabbitMq {
    const NAME: &'static str = "rabbitmq";

    async fn prepare(directory: &Path, port: u16, identity: Option<&Identity>) -> Self {
        let (mapper_port, node_port) = (free_port(), free_port());
        // In the foreground: one that the node started by itself would outlive it.
        let mapper = dying_with_us()
            .arg("--")
            .arg(program("epmd", &[]))
            .args(["-address", "127.0.0.1", "-port", &mapper_port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // NAMES_REQ; the answer begins with the port.
        let (question, answer) = (&[0, 1, b'n'], u32::from(mapper_port).to_be_bytes());
        eventually(async || greets(mapper_port, question, &answer).await.then_some(())).await;
        let listener = match identity.map(|identity| identity.write(directory)) {
            None => format!("listeners.tcp.1 = 127.0.0.1:{port}\n"),
            Some(Files { certificate, key, authority }) => format!(
                "listeners.tcp = none\nlisteners.ssl.1 = 127.0.0.1:{port}\n\
                 ssl_options.cacertfile = {}\nssl_options.certfile = {}\n\
                 ssl_options.keyfile = {}\nssl_options.verify = verify_none\n\
                 ssl_options.fail_if_no_peer_cert = false\n",
                authority.display(),
                certificate.display(),
                key.display(),
            ),
        };
        let settings = format!(
            "{listener}log.file = false\nlog.console = true\nlog.console.level = warning\n"
        );
        std::fs::write(directory.join("rabbitmq.conf"), settings).unwrap();
        for empty in ["plugins", "environment"] {
            std::fs::write(directory.join(empty), "").unwrap();
        }
        Self { mapper, mapper_port, node_port, speaks_tls: identity.is_some() }
    }

    fn command(&self, directory: &Path, port: u16) -> Command {
        let mut command = self.tool("rabbitmq-server", directory, port);
        let paths = [
            ("RABBITMQ_MNESIA_BASE", "mnesia"),
            ("RABBITMQ_LOG_BASE", "log"),
            ("RABBITMQ_PID_FILE", "pid"),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", "plugins"),
            ("RABBITMQ_CONFIG_FILE", "rabbitmq.conf"),
        ];
        command.envs(paths.map(|(name, path)| (name, directory.join(path))));
        // Makes the script become the node, which then is the process that is killed; it reads no input all the same.
        command.env("RABBITMQ_ALLOW_INPUT", "1").env(
            "ERL_FLAGS",
            "-noinput -start_epmd false -kernel inet_dist_use_interface {127,0,0,1}",
        );
        if !self.speaks_tls {
            command.env("RABBITMQ_NODE_PORT", port.to_string());
        }
        command.env("RABBITMQ_DIST_PORT", self.node_port.to_string());
        command
    }

    async fn answers(&self, port: u16) -> bool {
        if self.speaks_tls {
            return listens(port).await;
        }
        // A frame of the first method on channel 0: it is ready to talk.
        greets(port, b"AMQP\x00\x00\x09\x01", b"\x01\x00\x00").await
    }
}

impl RabbitMq {
    /// One of its programs, told which node is meant.
    fn tool(&self, name: &str, directory: &Path, port: u16) -> Command {
        // Debian's scripts on the PATH would change to another user, and so to another cookie.
        let debian = [PathBuf::from("/usr/lib/rabbitmq/bin")];
        let mut command = dying_with_us();
        command.arg("--").arg(program(name, &debian));
        // What a node leaves behind as it dies is removed with its directory.
        command.current_dir(directory);
        command.env("HOME", directory).env("RABBITMQ_CONF_ENV_FILE", directory.join("environment"));
        command.env("RABBITMQ_NODENAME", format!("darkroom-{port}@localhost"));
        command.env("ERL_EPMD_ADDRESS", "127.0.0.1");
        command.env("ERL_EPMD_PORT", self.mapper_port.to_string());
        command
    }
}

impl Server<RabbitMq> {
    /// How many messages wait in, or are out from, each queue whose name begins with `prefix`.
    pub fn messages(&self, prefix: &str) -> Vec<(String, u64)> {
        let mut list = self.kind.tool("rabbitmqctl", self.directory.path(), self.port);
        list.args(["--quiet", "list_queues", "--no-table-headers", "name", "messages"]);
        let listed = list.output().unwrap();
        assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
        let listed = String::from_utf8(listed.stdout).unwrap();
        let queues = listed.lines().filter_map(|line| line.split_once('\t'));
        let own = queues.filter(|(name, _)| name.starts_with(prefix));
        own.map(|(name, count)| (name.to_owned(), count.trim().parse().unwrap())).collect()
    }
}

impl Drop for RabbitMq {
    fn drop(&mut self) {
        // One that has ended is as good.
        let _ = self.mapper.kill();
        let _ = self.mapper.wait();
    }
}

/// The broker, on whatever leads there from `port`.
pub fn url(port: u16) -> String {
    format!("amqp://guest:guest@127.0.0.1:{port}/%2f")
}
