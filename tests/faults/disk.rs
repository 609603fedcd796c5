//! A small disk, to be filled.

use std::{
    io::{ErrorKind, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::process::dying_with_us;

/// Says that this process has mounts of its own.
const OWN_MOUNTS: &str = "FAULT_OWN_MOUNTS";

/// Goes on in a mount namespace of its own, where that is allowed: what is mounted there is gone when this process is.
pub fn keep_mounts_to_oneself() {
    let allowed = || {
        let tried = Command::new("unshare").args(["--mount", "true"]).output();
        tried.is_ok_and(|tried| tried.status.success())
    };
    if !has_own_mounts() && allowed() {
        let mut again = Command::new("unshare");
        again
            .arg("--mount")
            .arg(std::env::current_exe().unwrap())
            .args(std::env::args_os().skip(1));
        panic!("{}", again.env(OWN_MOUNTS, "1").exec());
    }
}

fn has_own_mounts() -> bool {
    std::env::var_os(OWN_MOUNTS).is_some()
}

/// Where a directory lies.
pub enum Disk {
    /// On a disk of its own, in memory.
    Own(PathBuf),
    /// On one that is as good as full when the process may make no file longer. That is another error than that of a full disk,
    /// and met by every write at once; where nothing may be mounted it has to do.
    Limited,
}

impl Disk {
    /// Makes `directory`, on a small disk.
    pub fn at(directory: &Path) -> Self {
        std::fs::create_dir_all(directory).unwrap();
        if !has_own_mounts() {
            return Disk::Limited;
        }
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=16m", "darkroom"]).arg(directory);
        let mounted = mount.output().unwrap();
        assert!(mounted.status.success(), "{}", String::from_utf8_lossy(&mounted.stderr));
        Disk::Own(directory.to_owned())
    }

    /// What runs the process that keeps its files here.
    pub fn runner(&self) -> Command {
        let mut command = dying_with_us();
        if let Disk::Limited = self {
            // A file that grows past the limit would otherwise be the end of the process.
            command.args(["--", "sh", "-c", "trap '' XFSZ; shift; exec \"$@\"", "sh"]);
        }
        command
    }

    /// Leaves no room.
    pub fn fill(&self, pid: u32) {
        match self {
            Disk::Own(directory) => {
                let mut ballast = std::fs::File::create(directory.join("ballast")).unwrap();
                let error = loop {
                    if let Err(error) = ballast.write_all(&[0; 4096]) {
                        break error;
                    }
                };
                assert_eq!(error.kind(), ErrorKind::StorageFull);
            }
            Disk::Limited => limit(pid, "1:"),
        }
    }

    /// Makes room.
    pub fn clear(&self, pid: u32) {
        match self {
            Disk::Own(directory) => std::fs::remove_file(directory.join("ballast")).unwrap(),
            Disk::Limited => limit(pid, "unlimited:"),
        }
    }
}

fn limit(pid: u32, size: &str) {
    let mut command = Command::new("prlimit");
    command.args(["--pid", &pid.to_string(), &format!("--fsize={size}")]);
    assert!(command.status().unwrap().success());
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Disk::Own(directory) = self {
            // Even while somebody has a file open there.
            let _ = Command::new("umount").arg("--lazy").arg(directory).status();
        }
    }
}
