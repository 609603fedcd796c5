//! A Postgres that keeps its word: `fsync` is on.

use std::{
    net::Ipv4Addr,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
};

use sqlx::{Connection, Executor, PgConnection};

use super::{
    ESCAPED, Kind, PASSWORD, Server, dying_with_us, program,
    tls::{Files, HOST, Identity},
};

/// Where its programs are, and whose it is.
pub struct Postgres {
    programs: Vec<PathBuf>,
    owner: Option<Owner>,
    tls: Option<Files>,
}

/// Somebody who is not root, as whom Postgres refuses to run.
struct Owner {
    name: &'static str,
    uid: u32,
    gid: u32,
}

impl Owner {
    fn needed() -> Option<Self> {
        let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
        let find = |name| {
            let ask = |what| {
                let said = Command::new("id").args([what, name]).output().unwrap();
                String::from_utf8(said.stdout).unwrap().trim().parse().ok()
            };
            Some(Self { name, uid: ask("-u")?, gid: ask("-g")? })
        };
        if is_root { Some(find("postgres").or_else(|| find("nobody")).unwrap()) } else { None }
    }
}

impl Kind for Postgres {
    const NAME: &'static str = "postgres";
    /// Fast: it breaks the connections, and loses nothing.
    const STOP: &'static str = "INT";

    async fn prepare(directory: &Path, _: u16, identity: Option<&Identity>) -> Self {
        let tls = identity.map(|identity| identity.write(directory));
        let postgres = Self { programs: versions(), owner: Owner::needed(), tls };
        let password = directory.join("password");
        std::fs::write(&password, PASSWORD).unwrap();
        if let Some(Owner { uid, gid, .. }) = postgres.owner {
            let keys = postgres.tls.iter().flat_map(|tls| [&*tls.certificate, &*tls.key]);
            for path in [directory, &*password].into_iter().chain(keys) {
                std::os::unix::fs::chown(path, Some(uid), Some(gid)).unwrap();
            }
        }
        let made = postgres
            .as_owner("initdb")
            .arg(format!("--pgdata={}", data(directory).display()))
            .arg(format!("--pwfile={}", password.display()))
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"])
            .current_dir(directory)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        if postgres.tls.is_some() {
            let access = "hostssl all all 127.0.0.1/32 scram-sha-256\n";
            std::fs::write(data(directory).join("pg_hba.conf"), access).unwrap();
        }
        postgres
    }

    fn command(&self, directory: &Path, port: u16) -> Command {
        let mut command = self.as_owner("postgres");
        command.arg("-D").arg(data(directory)).args(["-p", &port.to_string()]);
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=200",
            "fsync=on",
        ] {
            command.args(["-c", setting]);
        }
        if let Some(Files { certificate, key, .. }) = &self.tls {
            command.args(["-c", "ssl=on"]);
            command.arg("-c").arg(format!("ssl_cert_file={}", certificate.display()));
            command.arg("-c").arg(format!("ssl_key_file={}", key.display()));
        }
        command.current_dir(directory);
        command
    }

    async fn answers(&self, port: u16) -> bool {
        PgConnection::connect(&self.url(port, "postgres")).await.is_ok()
    }
}

impl Postgres {
    fn url(&self, port: u16, database: &str) -> String {
        let Some(Files { authority, .. }) = &self.tls else { return url(port, database) };
        let mut url = url::Url::parse(&format!("postgres://postgres@{HOST}/{database}")).unwrap();
        url.set_port(Some(port)).unwrap();
        url.set_password(Some(ESCAPED)).unwrap();
        url.query_pairs_mut()
            .append_pair("sslmode", "verify-full")
            .append_pair("sslrootcert", authority.to_str().unwrap());
        url.into()
    }

    fn as_owner(&self, name: &str) -> Command {
        let mut command = dying_with_us();
        if let Some(Owner { name, gid, .. }) = self.owner {
            command.args([&format!("--reuid={name}"), &format!("--regid={gid}"), "--clear-groups"]);
        }
        command.arg("--").arg(program(name, &self.programs));
        command
    }
}

impl Server<Postgres> {
    pub async fn create_database(&self, name: &str) {
        let mut connection = PgConnection::connect(&self.url("postgres")).await.unwrap();
        let sql = format!("CREATE DATABASE {name}");
        connection.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
    }

    /// A database, as whoever may see everything reaches it.
    pub fn url(&self, database: &str) -> String {
        self.kind.url(self.port, database)
    }
}

/// A database, on whatever leads there from `port`.
pub fn url(port: u16, database: &str) -> String {
    format!("postgres://postgres@{}:{port}/{database}?sslmode=disable", Ipv4Addr::LOCALHOST)
}

fn data(directory: &Path) -> PathBuf {
    directory.join("data")
}

/// Where Debian keeps its programs, the newest version first.
fn versions() -> Vec<PathBuf> {
    let entries = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |path: PathBuf| {
        let number = path.file_name()?.to_str()?.parse::<u32>().ok()?;
        Some((number, path.join("bin")))
    };
    let mut versions: Vec<_> = entries.filter_map(|entry| version(entry.path())).collect();
    versions.sort();
    versions.into_iter().rev().map(|(_, path)| path).collect()
}
