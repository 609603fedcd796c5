//! One case: every tool in turn, round by round, so that whatever else the machine does falls on all alike.

use std::time::Duration;

use crate::{
    cases::Case,
    reference::{Light, dimensions, reference},
    score::{Float, Picture, score},
    tools::{Place, Tool, memory},
    worker::Worker,
};

/// How a case is measured.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    pub rounds: usize,
    /// Processes that do the same at the same time.
    pub copies: usize,
    /// Whether memory is measured as well.
    pub memory: bool,
}

/// What one tool made of a case.
pub struct Measured {
    pub tool: Tool,
    pub quality: u8,
    pub bytes: usize,
    /// Whether the file is as large as was asked for, so that its bytes can be compared.
    pub is_exact: bool,
    pub score: Score,
    /// CPU milliseconds a picture, of each round.
    pub cpu: Vec<f64>,
    /// Of the command, in MB.
    pub memory: Option<f64>,
}

/// SSIMULACRA2 against the reference in each light.
#[derive(Debug, Clone, Copy)]
pub struct Score {
    pub linear: f64,
    pub gamma: f64,
}

/// CPU that a tool is to use in a round, for its clock to tell something.
const ROUND: Duration = Duration::from_millis(60);

pub fn measure(case: &Case, tools: &[Tool], place: &Place, effort: Effort) -> Vec<Measured> {
    let judge = Judge::new(case, place);
    let mut contenders: Vec<Contender> = Vec::new();
    for &tool in tools {
        let sharp = contenders.iter().find(|contender| contender.tool == Tool::ALL[0]);
        let quality = match (tool, sharp) {
            (Tool::Ours(_), Some(sharp)) if case.seeks_quality() => {
                seek(tool, sharp.made.score, &judge)
            }
            _ => case.quality(),
        };
        contenders.push(Contender::new(tool, quality, &judge, effort.copies));
    }
    for round in 0..effort.rounds {
        // Another one first each time.
        let count = contenders.len();
        for turn in 0..count {
            contenders[(round + turn) % count].run();
        }
    }
    let measured = contenders.into_iter().map(|contender| Measured {
        tool: contender.tool,
        quality: contender.quality,
        bytes: contender.made.bytes,
        is_exact: contender.made.is_exact,
        score: contender.made.score,
        cpu: contender.cpu,
        memory: effort.memory.then(|| memory(&place.once(contender.tool, case))).flatten(),
    });
    measured.collect()
}

/// The lowest quality at which `tool` scores as well as `goal` in both lights.
fn seek(tool: Tool, goal: Score, judge: &Judge<'_>) -> u8 {
    let (mut low, mut high) = (1, 100);
    while low < high {
        let quality = u8::midpoint(low, high);
        let Score { linear, gamma } = judge.first(tool, quality).1.score;
        if linear >= goal.linear && gamma >= goal.gamma {
            high = quality;
        } else {
            low = quality + 1;
        }
    }
    low
}

/// A tool with its processes, ready to be asked.
struct Contender {
    tool: Tool,
    quality: u8,
    made: Made,
    workers: Vec<Worker>,
    /// Pictures a round.
    times: u32,
    cpu: Vec<f64>,
}

impl Contender {
    fn new(tool: Tool, quality: u8, judge: &Judge<'_>, copies: usize) -> Self {
        let (worker, made) = judge.first(tool, quality);
        let start = || Worker::start(&mut judge.place.asked(tool, judge.case, quality));
        let workers = std::iter::once(worker).chain((1..copies).map(|_| start())).collect();
        let mut contender = Self { tool, quality, made, workers, times: 2, cpu: Vec::new() };
        // Warm by now, it says how often a round needs it.
        contender.run();
        contender.run();
        let taken = contender.cpu.pop().expect("it has just run");
        contender.times = (ROUND.as_secs_f64() * 1000.0 / taken).ceil().clamp(1.0, 100.0) as u32;
        contender.cpu.clear();
        contender
    }

    fn run(&mut self) {
        let before: Duration = self.workers.iter().map(Worker::cpu).sum();
        for worker in &mut self.workers {
            worker.ask(self.times);
        }
        for worker in &mut self.workers {
            worker.answer();
        }
        let after: Duration = self.workers.iter().map(Worker::cpu).sum();
        let pictures = f64::from(self.times) * self.workers.len() as f64;
        self.cpu.push((after - before).as_secs_f64() * 1000.0 / pictures);
    }
}

/// A result as a file.
struct Made {
    bytes: usize,
    is_exact: bool,
    score: Score,
}

/// What results of a case are held against.
struct Judge<'a> {
    case: &'a Case,
    place: &'a Place,
    size: (u32, u32),
    linear: Float,
    gamma: Float,
}

impl<'a> Judge<'a> {
    fn new(case: &'a Case, place: &'a Place) -> Self {
        let source: Picture = place.pixels(&place.picture(case));
        let [linear, gamma] =
            [Light::Linear, Light::Gamma].map(|light| reference(&source, case.size, light));
        Self { case, place, size: dimensions(&source, case.size), linear, gamma }
    }

    /// Starts `tool`, and judges the first picture that it makes.
    fn first(&self, tool: Tool, quality: u8) -> (Worker, Made) {
        let mut worker = Worker::start(&mut self.place.asked(tool, self.case, quality));
        worker.ask(1);
        let bytes = worker.answer();
        let file = self.place.scratch(&format!("made.{}", self.case.format.name()));
        worker.write(&file);
        let picture = self.place.pixels(&file);
        let (width, height) = self.size;
        let is_exact = (picture.width, picture.height) == self.size;
        let shown = picture.shown(width, height);
        let score =
            Score { linear: score(&self.linear, &shown), gamma: score(&self.gamma, &shown) };
        (worker, Made { bytes, is_exact, score })
    }
}
