//! Pictures by URL, beside others who do that: how many a second, how long each takes, CPU, memory, looks. `make bench-delivery` runs
//! it; the tables belong into docs/PERFORMANCE.md, which says how they are taken. [`cases`] says what is measured.
//!
//! Real processes, each on a port of its own: ours without any server beside it, ipx, oximg's server, thumbor, and nginx for what is
//! finished. They share the machine with whoever asks.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]

mod cases;
mod cold;
mod herd;
mod hot;
mod load;
mod look;
mod ours;
mod place;
#[allow(dead_code)] // Nothing is cut here.
#[path = "../engine/reference.rs"]
mod reference;
#[path = "../engine/score.rs"]
mod score;
mod server;
#[path = "../engine/statistics.rs"]
mod statistics;
mod table;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::Parser;

use crate::{
    cases::{AT_ONCE, CASES, Case, Tool},
    cold::{Contenders, Effort},
    place::Place,
};

/// Measures delivery beside ipx, oximg, thumbor and nginx.
#[derive(Debug, Parser)]
#[command(name = "delivery")]
struct Args {
    /// Only these parts: cold, hot, memory, herd.
    #[arg(long, value_delimiter = ',', default_value = "cold,hot,memory,herd")]
    parts: Vec<String>,
    /// Only these cases: jpeg, webp, avif, png.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only these tools: ipx, oximg, thumbor, best, fast.
    #[arg(long, value_delimiter = ',')]
    tools: Vec<String>,
    /// Numbers of requests at a time.
    #[arg(long, value_delimiter = ',', default_values_t = AT_ONCE)]
    at_once: Vec<usize>,
    /// How often every server has its turn.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// The most seconds that a turn lasts.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// How many ask at once for the same picture.
    #[arg(long, default_value_t = 1000)]
    crowd: usize,
    /// Where the peers and the pictures are: what `scripts/bench-setup delivery` prints.
    #[arg(long, env = "BENCH_ENGINE")]
    place: PathBuf,
    /// The program to measure instead of this build's.
    #[arg(long, default_value = env!("CARGO_BIN_EXE_darkroom"))]
    darkroom: PathBuf,
    /// What cargo says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Args {
    fn has(&self, part: &str) -> bool {
        self.parts.iter().any(|wanted| wanted == part)
    }

    fn cases(&self) -> impl Iterator<Item = &'static Case> {
        let is_wanted =
            |case: &&Case| self.only.is_empty() || self.only.iter().any(|name| name == case.name);
        CASES.iter().filter(is_wanted)
    }

    fn makers(&self) -> Vec<Tool> {
        let is_wanted = |tool: &Tool| {
            self.tools.is_empty() || self.tools.iter().any(|name| name == tool.name())
        };
        Tool::MAKERS.into_iter().filter(is_wanted).collect()
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    // The clients share the machine with what they measure; one thread is enough for them.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if runtime.block_on(measure(&args)) { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

/// Whether everything came to what it has to.
async fn measure(args: &Args) -> bool {
    let place = Place::new(args.place.clone(), args.darkroom.clone());
    let effort = Effort { rounds: args.rounds.into(), turn: Duration::from_secs(args.seconds) };
    let mut is_met = true;
    table::load_average("before");
    if args.has("cold") {
        for case in args.cases() {
            let contenders = Contenders::start(case, &args.makers(), &place);
            let looks = contenders.looks().await;
            table::begin(&table::LOOKS);
            table::looks(case, &looks);
            table::begin(&table::COLD);
            for &connections in &args.at_once {
                let measured = contenders.measure(connections, effort).await;
                is_met &= table::cold(case, connections, &measured, &looks);
            }
        }
    }
    if args.has("hot") {
        let contenders = hot::Contenders::start(&place).await;
        table::begin(&table::HOT_HEADINGS);
        for picture in hot::PICTURES {
            for &connections in &args.at_once {
                let (bytes, measured) = contenders.measure(picture, connections, effort).await;
                is_met &= table::hot(picture, bytes, connections, &measured);
            }
        }
    }
    if args.has("memory") {
        table::begin(&table::MEMORY_HEADINGS);
        for case in args.cases() {
            for tool in args.makers().into_iter().filter(|tool| tool.suits(case)) {
                is_met &= table::memory(case, tool, cold::memory(case, tool, &place, 64).await);
            }
        }
    }
    if args.has("herd") {
        table::begin(&table::HERD);
        is_met &= table::herd(args.crowd, &herd::measure(&place, args.crowd).await);
    }
    table::load_average("after");
    is_met
}
