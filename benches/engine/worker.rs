//! Whoever transforms pictures, as a process that is asked on its standard input: how much CPU it takes is what its clock says
//! before and after, on all its threads, so that every tool is measured the same way.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use nix::{time::ClockId, unistd::Pid};

/// A process that transforms one picture one way, as often as it is asked. It ends when it is dropped.
pub struct Worker {
    process: Child,
    clock: ClockId,
    /// None once it has been told to end.
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    pub fn start(command: &mut Command) -> Self {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", command.get_program().display()));
        let id = Pid::from_raw(process.id().try_into().expect("process ids are positive"));
        let clock = ClockId::pid_cpu_clock_id(id).expect("a process has a clock");
        let questions = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().expect("standard output is piped"));
        Self { process, clock, questions, answers }
    }

    /// Asks for `times` transformations, and does not wait.
    pub fn ask(&mut self, times: u32) {
        self.say(&times.to_string());
    }

    /// Waits for what was asked; the length of the file that was made.
    pub fn answer(&mut self) -> usize {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("an answer");
        line.trim().parse().expect("a worker answers with a number, or has failed and said why")
    }

    /// Writes the last result to `path`.
    pub fn write(&mut self, path: &Path) {
        self.say(&format!("write {}", path.display()));
        self.answer();
    }

    /// The CPU time that the process has used so far.
    pub fn cpu(&self) -> Duration {
        self.clock.now().expect("it runs").into()
    }

    fn say(&mut self, line: &str) {
        let questions = self.questions.as_mut().expect("it runs");
        writeln!(questions, "{line}").expect("it listens");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.questions = None;
        let _ = self.process.wait();
    }
}
