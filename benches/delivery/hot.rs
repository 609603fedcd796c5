//! Pictures that were made before, from memory, beside a server of finished files.

use std::{fs, process::Command, time::Duration};

use serde::Deserialize;

use crate::{
    cases::{CASES, Tool},
    cold::Effort,
    load::fetch,
    ours,
    place::Place,
    server::Server,
};

/// What is asked for, over and over.
#[derive(Debug, Clone, Copy)]
pub struct Picture {
    pub name: &'static str,
    /// How wide it is made.
    width: u32,
    /// Whether the client has it already, and asks if it is still the same.
    is_known: bool,
}

pub const PICTURES: [Picture; 3] = [
    Picture { name: "small", width: 480, is_known: false },
    Picture { name: "large", width: 1480, is_known: false },
    Picture { name: "not modified", width: 480, is_known: true },
];

/// What one server came to with so many requests at a time.
pub struct Measured {
    pub tool: Tool,
    /// Of each round.
    pub per_second: Vec<f64>,
    /// CPU microseconds an answer, of each round.
    pub cpu: Vec<f64>,
    /// Of each round, in milliseconds.
    pub p50: Vec<f64>,
    pub p99: Vec<f64>,
    /// The most of any round, in MB.
    pub memory: f64,
    pub failed: u64,
}

/// The servers, with what they are asked for.
pub struct Contenders {
    servers: [(Tool, Server); 2],
    script: String,
    image: String,
}

/// What `wrk.lua` says.
#[derive(Deserialize)]
struct Said {
    requests: u64,
    microseconds: f64,
    p50: f64,
    p99: f64,
    failed: u64,
}

impl Contenders {
    pub async fn start(place: &Place) -> Self {
        let servers = [Tool::Nginx, Tool::Ours("best")].map(|tool| (tool, place.start(tool)));
        let image = ours::publish(servers[1].1.port, place.picture(&CASES[0])).await;
        let script = place.write("wrk.lua", include_bytes!("wrk.lua")).display().to_string();
        let contenders = Self { servers, script, image };
        for picture in PICTURES {
            // The same file to both.
            let bytes =
                fetch(contenders.servers[1].1.port, &contenders.path(picture, Tool::Ours("best")))
                    .await
                    .body;
            fs::write(place.files().join(format!("{}.jpg", picture.width)), bytes).expect("room");
        }
        contenders
    }

    fn path(&self, picture: Picture, tool: Tool) -> String {
        match tool {
            Tool::Nginx => format!("/{}.jpg", picture.width),
            _ => format!("/i/c_scale,w_{}/{}.jpg", picture.width, self.image),
        }
    }

    /// Measures both at so many requests at a time; and how large the answer is.
    pub async fn measure(
        &self,
        picture: Picture,
        connections: usize,
        effort: Effort,
    ) -> (usize, Vec<Measured>) {
        let mut bytes = 0;
        let mut all = Vec::new();
        for (tool, server) in &self.servers {
            let path = self.path(picture, *tool);
            let answer = fetch(server.port, &path).await;
            bytes = answer.body.len();
            let etag = answer.header("etag").expect("a file has an ETag").to_owned();
            let measured = Measured {
                tool: *tool,
                per_second: Vec::new(),
                cpu: Vec::new(),
                p50: Vec::new(),
                p99: Vec::new(),
                memory: 0.0,
                failed: 0,
            };
            let tag = picture.is_known.then_some(etag);
            all.push((server, path, tag, measured));
        }
        for round in 0..effort.rounds {
            for turn in 0..all.len() {
                let index = (round + turn) % all.len();
                let (server, path, tag, measured) = &mut all[index];
                server.settle();
                server.forget_memory();
                let before = server.cpu();
                let said = self.wrk(server.port, path, tag.as_deref(), connections, effort.turn);
                let cpu = server.cpu() - before;
                let answers = said.requests.max(1) as f64;
                measured.per_second.push(answers * 1_000_000.0 / said.microseconds);
                measured.cpu.push(cpu.as_secs_f64() * 1_000_000.0 / answers);
                measured.p50.push(said.p50 / 1000.0);
                measured.p99.push(said.p99 / 1000.0);
                measured.memory = measured.memory.max(server.memory());
                measured.failed += said.failed;
            }
        }
        (bytes, all.into_iter().map(|(.., measured)| measured).collect())
    }

    fn wrk(
        &self,
        port: u16,
        path: &str,
        tag: Option<&str>,
        connections: usize,
        turn: Duration,
    ) -> Said {
        let mut wrk = Command::new("wrk");
        // One thread is enough for it, and it is to take no more of the machine than it must.
        wrk.args(["-t", "1", "-c", &connections.to_string(), "-s", &self.script]);
        wrk.args(["-d", &format!("{}s", turn.as_secs().max(1)), "--timeout", "30s"]);
        if let Some(tag) = tag {
            wrk.args(["-H", &format!("If-None-Match: {tag}")]);
        }
        let output = wrk.arg(format!("http://127.0.0.1:{port}{path}")).output().expect("wrk runs");
        let said = String::from_utf8_lossy(&output.stdout);
        let line = said.lines().find(|line| line.starts_with('{'));
        let line = line.unwrap_or_else(|| {
            panic!("wrk: {said}{}", String::from_utf8_lossy(&output.stderr));
        });
        serde_json::from_str(line).expect("wrk.lua writes JSON")
    }
}
