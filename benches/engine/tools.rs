//! The tools that are compared, by the commands that run them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    cases::{Case, Peer},
    reference::Size,
    score::Picture,
};

/// Who transforms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// Our engine, in one of its profiles.
    Ours(&'static str),
    Peer(Peer),
}

impl Tool {
    pub const ALL: [Self; 4] =
        [Self::Peer(Peer::Sharp), Self::Peer(Peer::Oximg), Self::Ours("best"), Self::Ours("fast")];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Peer(Peer::Sharp) => "sharp",
            Self::Peer(Peer::Oximg) => "oximg",
            Self::Ours(profile) => profile,
        }
    }
}

/// Where everything is: the directory that `scripts/bench-setup` fills.
pub struct Place {
    directory: PathBuf,
    /// What is written while it is measured; gone with this.
    scratch: tempfile::TempDir,
    /// The command of ours whose memory is measured.
    darkroom: PathBuf,
}

impl Place {
    pub fn new(directory: PathBuf, darkroom: PathBuf) -> Self {
        let scratch = tempfile::tempdir().expect("there is room for results");
        Self { directory, scratch, darkroom }
    }

    pub fn picture(&self, case: &Case) -> PathBuf {
        self.directory.join("pictures").join(case.picture)
    }

    /// A file of that name that is gone when this is.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// Starts `tool` as a process that is asked: see [`crate::worker`].
    pub fn asked(&self, tool: Tool, case: &Case, quality: u8) -> Command {
        match tool {
            Tool::Ours(profile) => {
                let mut command = Command::new(std::env::current_exe().expect("it has a path"));
                command.arg("ours").arg(self.picture(case));
                command.arg(case.spec(profile, quality).to_string());
                command
            }
            Tool::Peer(Peer::Sharp) => {
                let mut command = self.sharp("loop");
                command.arg(self.picture(case)).args(arguments(case, quality));
                command
            }
            Tool::Peer(Peer::Oximg) => {
                let mut command = self.oximg();
                command.arg("loop").arg(self.picture(case)).args(fitted(case, quality));
                command
            }
        }
    }

    /// Transforms once, from file to file, as a command does.
    pub fn once(&self, tool: Tool, case: &Case) -> Command {
        let out = self.scratch(&format!("once.{}", case.format.name()));
        let quality = case.quality();
        match tool {
            Tool::Ours(profile) => {
                let mut command = Command::new(&self.darkroom);
                command.arg("transform").arg(self.picture(case)).arg("--out").arg(out);
                command.arg("--spec").arg(case.spec(profile, quality).to_string());
                command
            }
            Tool::Peer(Peer::Sharp) => {
                let mut command = self.sharp("once");
                command.arg(self.picture(case)).args(arguments(case, quality)).arg(out);
                command
            }
            Tool::Peer(Peer::Oximg) => {
                let mut command = self.oximg();
                command.arg("once").arg(self.picture(case)).args(fitted(case, quality)).arg(out);
                command
            }
        }
    }

    /// libvips' own command, whose memory is that of sharp without Node.
    pub fn vipsthumbnail(&self, case: &Case) -> Command {
        let mut out = self.scratch(&format!("vips.{}", case.format.name())).into_os_string();
        if case.format != crate::cases::Format::Png {
            out.push(format!("[Q={}]", case.quality()));
        }
        let mut command = Command::new("vipsthumbnail");
        command.env("VIPS_CONCURRENCY", "1").arg(self.picture(case)).arg("-o").arg(out);
        match case.size {
            Size::Width(width) => command.args(["--size", &format!("{width}x")]),
            Size::Cover(width, height) => {
                command.args(["--size", &format!("{width}x{height}"), "--smartcrop", "centre"])
            }
        };
        command
    }

    /// The pixels of a file, by sharp: whose file it is makes no difference to how it is read.
    pub fn pixels(&self, file: &Path) -> Picture {
        let raw = self.scratch("pixels");
        let output = self.sharp("pixels").arg(file).arg(&raw).output().expect("node runs");
        let size = String::from_utf8_lossy(&output.stdout).into_owned();
        let (width, height) = size.trim().split_once(' ').unwrap_or_else(|| {
            panic!("{}: {}", file.display(), String::from_utf8_lossy(&output.stderr))
        });
        let [width, height] = [width, height].map(|side| side.parse().expect("a number"));
        Picture { width, height, rgba: fs::read(raw).expect("sharp has written it") }
    }

    fn sharp(&self, subcommand: &str) -> Command {
        let mut command = Command::new(self.directory.join("node"));
        command.arg(self.directory.join("sharp/sharp.mjs")).arg(subcommand);
        command
    }

    /// On one thread: what it hands to a second one would cost it a little more altogether.
    fn oximg(&self) -> Command {
        let mut command = Command::new(self.directory.join("bench-oximg"));
        command.env("OXIMG_OVERLAP", "0").env("OXIMG_WEBP_DECODE_THREADS", "0");
        command
    }
}

fn arguments(case: &Case, quality: u8) -> [String; 4] {
    let (width, height) = match case.size {
        Size::Width(width) => (width, 0),
        Size::Cover(width, height) => (width, height),
    };
    [width.to_string(), height.to_string(), case.format.name().to_owned(), quality.to_string()]
}

/// As [`arguments`], for a tool that only fits pictures into boxes: instead of covering one it is as high, and cuts nothing off.
fn fitted(case: &Case, quality: u8) -> [String; 4] {
    let [width, height, format, quality] = arguments(case, quality);
    match case.size {
        Size::Width(_) => [width, height, format, quality],
        Size::Cover(..) => ["0".to_owned(), height, format, quality],
    }
}

/// The most memory that `command` had in use at a time, in MB.
pub fn memory(command: &Command) -> Option<f64> {
    let mut time = Command::new("time");
    time.args(["-f", "%M"]).arg(command.get_program()).args(command.get_args());
    time.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = time.output().ok()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let kilobytes: f64 = said.lines().last()?.trim().parse().ok()?;
    output.status.success().then_some(kilobytes / 1024.0)
}
