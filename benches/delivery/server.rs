//! A server as a process: what it and its children take, and its end.

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use nix::{time::clock_getcpuclockid, unistd::Pid};

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command that the kernel kills when this process is gone, however it went.
pub fn command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program.as_ref());
    command
}

/// A port that nobody has.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there are ports");
    listener.local_addr().expect("it has a port").port()
}

/// A server with its children; killed when it goes out of scope.
pub struct Server {
    process: Child,
    pub port: u16,
}

impl Server {
    /// Starts it, what it says going to `log`, and waits until it answers.
    pub fn start(mut command: Command, port: u16, log: &Path) -> Self {
        let log_file = File::create(log).expect("a log can be written");
        command.stdin(Stdio::null()).stderr(log_file.try_clone().expect("a log")).stdout(log_file);
        let process = command.spawn().expect("setpriv is there");
        let mut server = Self { process, port };
        let until = Instant::now() + PATIENCE;
        while !server.answers() {
            let ended = server.process.try_wait().expect("it is ours");
            if ended.is_some() || Instant::now() > until {
                panic!("{command:?}: {}", fs::read_to_string(log).unwrap_or_default());
            }
            #[allow(clippy::disallowed_methods)] // Nobody else waits on this thread.
            sleep(Duration::from_millis(20));
        }
        server
    }

    /// Whether it answers at all, whatever it is.
    fn answers(&self) -> bool {
        let ask = || {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
            stream.read_exact(&mut [0; 4])
        };
        ask().is_ok()
    }

    /// The CPU time that it and its children have used.
    pub fn cpu(&self) -> Duration {
        let cpu = |pid: u32| {
            let clock = clock_getcpuclockid(Pid::from_raw(pid.try_into().ok()?)).ok()?;
            Some(Duration::from(clock.now().ok()?))
        };
        self.processes().into_iter().filter_map(cpu).sum()
    }

    /// Waits until it has nothing more to do.
    pub fn settle(&self) {
        let mut before = self.cpu();
        loop {
            #[allow(clippy::disallowed_methods)] // Nobody else waits on this thread.
            sleep(Duration::from_millis(50));
            let now = self.cpu();
            if now - before < Duration::from_millis(2) {
                return;
            }
            before = now;
        }
    }

    /// The most memory that it and its children had in use since [`Self::forget_memory`], in MB.
    pub fn memory(&self) -> f64 {
        let most = |pid: u32| -> Option<f64> {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
            line.trim().strip_suffix(" kB")?.parse().ok()
        };
        self.processes().into_iter().filter_map(most).sum::<f64>() / 1024.0
    }

    /// Has the most memory in use be what is in use now.
    pub fn forget_memory(&self) {
        for pid in self.processes() {
            // One that has ended has none.
            let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
        }
    }

    /// It and all that descend from it.
    fn processes(&self) -> Vec<u32> {
        let all: Vec<(u32, u32)> = fs::read_dir("/proc")
            .expect("Linux")
            .filter_map(|entry| {
                let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
                let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
                // The name before it may hold anything.
                let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
                Some((pid, parent))
            })
            .collect();
        let mut found = vec![self.process.id()];
        let mut next = 0;
        while let Some(&parent) = found.get(next) {
            found.extend(all.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| pid));
            next += 1;
        }
        found
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pids: Vec<String> = self.processes().iter().map(u32::to_string).collect();
        // Those that have ended are as good.
        let _ = Command::new("kill").args(["-s", "KILL"]).args(pids).stderr(Stdio::null()).status();
        let _ = self.process.wait();
    }
}
