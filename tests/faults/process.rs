//! The real program, as a process that can be killed.

use std::{
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use crate::world::eventually;

/// A command that the kernel kills when this process is gone, however it went; its arguments up to `--` are setpriv's.
pub fn dying_with_us() -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    command
}

/// Sends a signal to a process that was started here.
pub fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill").args(["-s", name, &pid.to_string()]).status().unwrap();
    assert!(sent.success());
}

/// What a process has said, shared with the thread that listens to it.
pub type Log = Arc<Mutex<Vec<String>>>;

/// A running `darkroom serve`; killed when it goes out of scope.
pub struct Process {
    pub name: String,
    pub log: Log,
    child: Child,
}

impl Process {
    /// Starts it, and waits until it serves.
    pub async fn start(name: String, command: Command) -> Self {
        let mut process = Self::begin(name, command);
        let ready = eventually(async || {
            let ready = process.has_said("serving on") || process.has_said("running jobs");
            (ready || process.has_ended().is_some()).then_some(ready)
        });
        assert!(ready.await, "{} did not start", process.name);
        process
    }

    /// Starts it.
    pub fn begin(name: String, mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Log::default();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let heard = log.clone();
        std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| heard.lock().unwrap().push(line));
        });
        Self { name, log, child }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn has_said(&self, text: &str) -> bool {
        self.log.lock().unwrap().iter().any(|line| line.contains(text))
    }

    /// Everything that it has said.
    pub fn said(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for it to die by its own hand.
    pub async fn aborted(&mut self) {
        let status = eventually(async || self.has_ended()).await;
        assert_eq!(status.signal(), Some(6), "{} ended otherwise: {status}", self.name);
    }

    /// Sends SIGTERM and waits; it has 25 s to end, with code 0.
    pub async fn terminate(mut self) {
        let began = Instant::now();
        signal("TERM", self.pid());
        let status = eventually(async || self.has_ended()).await;
        let took = began.elapsed();
        assert_eq!(status.code(), Some(0), "{}: {status}", self.name);
        assert!(took < Duration::from_secs(25), "{} took {took:?} to stop", self.name);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log.lock().unwrap();
            // Who waits for it to be ready asks that all the time.
            let log: Vec<_> = log.iter().filter(|line| !line.contains("/ready")).collect();
            let last = log.len().saturating_sub(25);
            eprintln!("── the end of what {} said:", self.name);
            log[last..].iter().for_each(|line| eprintln!("{line}"));
        }
    }
}
