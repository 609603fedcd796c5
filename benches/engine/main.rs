//! The whole engine beside its peers, sharp and oximg: CPU, bytes, looks and memory. `make bench-engine` runs it; the table belongs
//! into docs/PERFORMANCE.md, which says how it is taken. [`cases`] says what is measured.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]

mod cases;
mod measure;
mod ours;
mod reference;
mod score;
mod statistics;
mod table;
mod tools;
mod worker;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;

use crate::{
    cases::CASES,
    measure::{Effort, measure},
    tools::{Place, Tool, memory},
};

/// As in the product, whose numbers these are.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the engine beside sharp and oximg.
#[derive(Debug, Parser)]
#[command(name = "engine")]
struct Args {
    /// Only cases that have one of these in their name.
    #[arg(long, value_delimiter = ',', default_value = "")]
    only: Vec<String>,
    /// Only these tools: sharp, oximg, best, fast.
    #[arg(long, value_delimiter = ',')]
    tools: Vec<String>,
    /// How often every tool has its turn.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Keep every processor busy: as many copies of each tool at a time as there are processors.
    #[arg(long)]
    busy: bool,
    /// Leave out the memory of the commands.
    #[arg(long)]
    no_memory: bool,
    /// Where the peers and the pictures are: what scripts/bench-setup prints.
    #[arg(long, env = "BENCH_ENGINE")]
    place: PathBuf,
    /// What cargo says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    if let (Some("ours"), Some(file), Some(spec)) =
        (words.next().as_deref(), words.next(), words.next())
    {
        ours::answer(Path::new(&file), &spec);
        return ExitCode::SUCCESS;
    }
    let args = Args::parse();
    let place = Place::new(args.place, env!("CARGO_BIN_EXE_darkroom").into());
    let copies =
        if args.busy { std::thread::available_parallelism().map_or(1, usize::from) } else { 1 };
    let effort = Effort { rounds: args.rounds.into(), copies, memory: !args.no_memory };
    let mut is_met = true;
    table::begin();
    for case in CASES.iter().filter(|case| args.only.iter().any(|part| case.name.contains(part))) {
        let is_wanted = |tool: Tool| {
            (args.tools.is_empty() || args.tools.iter().any(|name| name == tool.name()))
                && (tool.name() != "oximg" || case.suits_oximg())
        };
        let tools: Vec<Tool> = Tool::ALL.into_iter().filter(|tool| is_wanted(*tool)).collect();
        is_met &= table::print(case, &measure(case, &tools, &place, effort));
        if let Some(memory) = effort.memory.then(|| memory(&place.vipsthumbnail(case))).flatten() {
            table::print_memory(case, "vipsthumbnail", memory);
        }
    }
    if is_met { ExitCode::SUCCESS } else { ExitCode::from(1) }
}
