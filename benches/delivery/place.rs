//! Where everything is, and how each server is started on it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use bytes::Bytes;

use crate::{
    cases::{CASES, Case, Tool},
    score::Picture,
    server::{Server, command, free_port},
};

/// Copies of each picture that the peers have: who is asked for the same thing twice at a time may make it once.
pub const COPIES: usize = 4;

/// The directory that `scripts/bench-setup delivery` fills, and one for what is written here.
pub struct Place {
    directory: PathBuf,
    scratch: tempfile::TempDir,
    darkroom: PathBuf,
}

impl Place {
    pub fn new(directory: PathBuf, darkroom: PathBuf) -> Self {
        let place = Self { directory, scratch: tempfile::tempdir().expect("room"), darkroom };
        fs::create_dir(place.files()).expect("there is room for pictures");
        for case in CASES {
            for copy in 0..COPIES {
                let file = place.files().join(case.file(copy));
                fs::write(file, place.picture(case)).expect("there is room for pictures");
            }
        }
        place
    }

    pub fn picture(&self, case: &Case) -> Bytes {
        let path = self.directory.join("pictures").join(case.picture);
        fs::read(path).expect("scripts/bench-setup makes the pictures").into()
    }

    /// What the peers serve.
    pub fn files(&self) -> PathBuf {
        self.scratch.path().join("files")
    }

    /// A file of that name with these bytes; gone when this is.
    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.scratch.path().join(name);
        fs::write(&path, bytes).expect("there is room for a file");
        path
    }

    /// Starts a server.
    pub fn start(&self, tool: Tool) -> Server {
        let port = free_port();
        let name = format!("{}-{port}", tool.name());
        let home = self.scratch.path().join(&name);
        fs::create_dir(&home).expect("there is room for a server");
        let mut command = self.command(tool, port, &home);
        command.current_dir(&home);
        Server::start(command, port, &self.scratch.path().join(format!("{name}.log")))
    }

    fn command(&self, tool: Tool, port: u16, home: &Path) -> Command {
        let files = self.files();
        let port = port.to_string();
        match tool {
            Tool::Ours(profile) => {
                let mut command = command(&self.darkroom);
                command.arg("serve").env_clear().env("PATH", "/usr/bin:/bin").envs([
                    ("HOST", "127.0.0.1"),
                    ("PORT", &port),
                    ("TRANSFORM_PROFILE", profile),
                    ("RATE_LIMIT_REGISTER", "0"),
                    // Like all others here: no line for each request.
                    ("LOG_LEVEL", "warn"),
                ]);
                command.env("DATA_DIR", home);
                command
            }
            Tool::Ipx => {
                let mut command = command(self.directory.join("node"));
                command.arg(self.directory.join("ipx/node_modules/ipx/bin/ipx.mjs"));
                command.args(["serve", "--host", "127.0.0.1", "--port", &port, "--dir"]).arg(files);
                command.env("NODE_ENV", "production");
                command
            }
            Tool::Oximg => {
                let mut command = command(self.directory.join("oximg-server/bin/oximg"));
                command.env("OXIMG_BIND", "127.0.0.1").env("PORT", port);
                command.env("IMAGES_DIR", files).env("OXIMG_OPTIONS_PREFIX", "/image");
                command
            }
            Tool::Thumbor => {
                let settings = home.join("thumbor.conf");
                let text = format!(
                    "LOADER = 'thumbor.loaders.file_loader'\nFILE_LOADER_ROOT_PATH = '{}'\n\
                     STORAGE = 'thumbor.storages.no_storage'\n",
                    files.display()
                );
                fs::write(&settings, text).expect("there is room for settings");
                let mut command = command(self.directory.join("thumbor/bin/thumbor"));
                // It works on one picture at a time in each process.
                let processes = std::thread::available_parallelism().map_or(1, usize::from);
                command.args(["--ip", "127.0.0.1", "--port", &port, "--log-level", "warning"]);
                command.args(["--processes", &processes.to_string(), "--conf"]).arg(settings);
                command
            }
            Tool::Nginx => {
                let settings = home.join("nginx.conf");
                let text = include_str!("nginx.conf").replace("PORT", &port);
                let text = text.replace("FILES", &files.display().to_string());
                fs::write(&settings, text).expect("there is room for settings");
                let mut command = command("nginx");
                // Where Debian has it, and not on every PATH.
                command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
                command.arg("-p").arg(home).arg("-e").arg("stderr").arg("-c").arg(settings);
                command
            }
        }
    }

    /// The pixels of a file, by sharp: whose file it is makes no difference to how it is read.
    pub fn pixels(&self, bytes: &[u8]) -> Picture {
        let (file, raw) = (self.write("picture", bytes), self.scratch.path().join("pixels"));
        let mut sharp = Command::new(self.directory.join("node"));
        sharp.arg(self.directory.join("sharp/sharp.mjs")).arg("pixels").arg(&file).arg(&raw);
        let output = sharp.output().expect("node runs");
        let size = String::from_utf8_lossy(&output.stdout).into_owned();
        let (width, height) = size.trim().split_once(' ').unwrap_or_else(|| {
            panic!("no picture: {}", String::from_utf8_lossy(&output.stderr));
        });
        let [width, height] = [width, height].map(|side| side.parse().expect("a number"));
        Picture { width, height, rgba: fs::read(raw).expect("sharp has written it") }
    }
}
