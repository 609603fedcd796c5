//! Pictures that nobody has asked for before: every server in turn, round by round, so that whatever else the machine does falls on
//! all alike.

use std::time::Duration;

use crate::{
    cases::{Case, Tool, WIDTHS},
    load::{Load, Turn, fetch},
    look::{Look, Looks},
    ours,
    place::{COPIES, Place},
    server::Server,
};

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    pub rounds: usize,
    /// The most that a turn may last, but for what is under way then.
    pub turn: Duration,
}

/// What one server came to with so many requests at a time.
pub struct Measured {
    pub tool: Tool,
    /// Of each round.
    pub per_second: Vec<f64>,
    /// CPU milliseconds a picture, of each round.
    pub cpu: Vec<f64>,
    /// How long pictures took, of all rounds.
    pub latencies: Vec<Duration>,
    /// The most of any round, in MB.
    pub memory: f64,
    /// How long it took to be told to come again later, of all rounds.
    pub refusals: Vec<Duration>,
    pub failed: usize,
}

/// The servers, each started for one case.
pub struct Contenders<'a> {
    case: &'static Case,
    place: &'a Place,
    servers: Vec<(Tool, Server)>,
}

impl<'a> Contenders<'a> {
    pub fn start(case: &'static Case, tools: &[Tool], place: &'a Place) -> Self {
        let tools = tools.iter().filter(|tool| tool.suits(case));
        let servers = tools.map(|&tool| (tool, place.start(tool))).collect();
        Self { case, place, servers }
    }

    /// How the result of each looks; they are warm afterwards.
    pub async fn looks(&self) -> Vec<(Tool, Looks)> {
        let look = Look::new(self.case, self.place);
        let mut found = Vec::new();
        for (tool, server) in &self.servers {
            let source = self.source(*tool, server, 0).await;
            let mut made = Vec::new();
            for width in self.case.exact {
                made.push(fetch(server.port, &self.case.path(*tool, &source, width)).await.body);
            }
            found.push((*tool, look.at(&made)));
        }
        found
    }

    /// Measures them at so many requests at a time.
    pub async fn measure(&self, connections: usize, effort: Effort) -> Vec<Measured> {
        let new = |(tool, _): &(Tool, _)| Measured {
            tool: *tool,
            per_second: Vec::new(),
            cpu: Vec::new(),
            latencies: Vec::new(),
            memory: 0.0,
            refusals: Vec::new(),
            failed: 0,
        };
        let mut measured: Vec<Measured> = self.servers.iter().map(new).collect();
        let count = self.servers.len();
        for round in 0..effort.rounds {
            // Another one first each time.
            for turn in 0..count {
                let index = (round + turn) % count;
                let (tool, server) = &self.servers[index];
                self.turn(*tool, server, connections, effort.turn, &mut measured[index]).await;
            }
        }
        measured
    }

    async fn turn(
        &self,
        tool: Tool,
        server: &Server,
        connections: usize,
        most: Duration,
        measured: &mut Measured,
    ) {
        let wanted = connections.max(WIDTHS.count());
        let mut paths = Vec::new();
        for copy in 0..wanted.div_ceil(WIDTHS.count()) {
            let source = self.source(tool, server, copy).await;
            paths.extend(self.paths(tool, &source));
        }
        paths.truncate(wanted);
        server.settle();
        server.forget_memory();
        let before = server.cpu();
        let load = Load { connections, most };
        let mime_type = format!("image/{}", self.case.format.name());
        let turn = load.run(server.port, &paths, &mime_type).await;
        server.settle();
        let cpu = server.cpu() - before;
        let Turn { latencies, refusals, failed, there, took, .. } = turn;
        assert_eq!(there, 0, "{} had pictures that nobody had asked for", tool.name());
        let made = latencies.len().max(1) as f64;
        measured.per_second.push(latencies.len() as f64 / took.as_secs_f64());
        measured.cpu.push(cpu.as_secs_f64() * 1000.0 / made);
        measured.memory = measured.memory.max(server.memory());
        measured.latencies.extend(latencies);
        measured.refusals.extend(refusals);
        measured.failed += failed;
    }

    /// What the server knows a copy of the picture by. Nothing was made of it so far, or nothing that is kept: ours is the picture of
    /// a new account, and peers keep nothing.
    async fn source(&self, tool: Tool, server: &Server, copy: usize) -> String {
        match tool {
            Tool::Ours(_) => ours::publish(server.port, self.place.picture(self.case)).await,
            _ => {
                assert!(copy < COPIES, "there are {COPIES} copies of each picture");
                self.case.file(copy)
            }
        }
    }

    /// Where that copy is in every width.
    fn paths(&self, tool: Tool, source: &str) -> impl Iterator<Item = String> {
        WIDTHS.map(move |width| self.case.path(tool, source, mixed(width)))
    }
}

/// All widths in another order, so that no turn has only small ones.
fn mixed(width: u32) -> u32 {
    let (first, count) = (*WIDTHS.start(), WIDTHS.count() as u32);
    first + (width - first) * 89 % count
}

/// The most memory that `tool` has in use when it is just started and then asked for so many pictures at once, in MB; and how many
/// of them it did not make.
pub async fn memory(
    case: &'static Case,
    tool: Tool,
    place: &Place,
    at_once: usize,
) -> (f64, usize) {
    let contenders = Contenders::start(case, &[tool], place);
    let (_, server) = &contenders.servers[0];
    let source = contenders.source(tool, server, 0).await;
    let paths: Vec<String> = contenders.paths(tool, &source).take(at_once).collect();
    server.settle();
    server.forget_memory();
    let load = Load { connections: at_once, most: Duration::from_secs(60) };
    let mime_type = format!("image/{}", case.format.name());
    let turn = load.run(server.port, &paths, &mime_type).await;
    (server.memory(), at_once - turn.latencies.len())
}
