//! Small pictures and large ones in the pool that paints them, beside each other: how long each waits for its result, with idle threads
//! lent to large pictures and without. `make bench-beside` runs it; the table belongs into docs/PERFORMANCE.md.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    io::Write,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use clap::Parser;
use darkroom::{
    actors::{supervisor::Tree, transformer::Transformer},
    domain::{ids::UserId, job::Cancel, limits::Limits, transform::Spec},
    imaging::{Cost, Overlays},
};
use serde_json::json;

/// As in the product, whose numbers these are.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures small pictures and large ones beside each other.
#[derive(Debug, Parser)]
struct Args {
    /// How often everything has its turn.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Small pictures in each turn.
    #[arg(long, default_value_t = 200)]
    small: usize,
    /// Where the pictures are: what scripts/bench-setup prints.
    #[arg(long, env = "BENCH_ENGINE")]
    place: PathBuf,
    /// What cargo says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// From one small picture to the next: they come whether or not the last one is done.
const EVERY: Duration = Duration::from_millis(10);

/// A picture and what becomes of it.
#[derive(Clone)]
struct Case {
    file: Bytes,
    spec: Arc<Spec>,
}

impl Case {
    fn new(args: &Args, name: &str, width: u32) -> Self {
        let path = args.place.join("pictures").join(name);
        let file = std::fs::read(path).expect("scripts/bench-setup makes the pictures").into();
        let spec = json!({"resize": {"width": width}, "format": "jpeg"});
        Self { file, spec: Arc::new(Spec::parse(&spec).unwrap()) }
    }

    /// How long it takes.
    async fn time(self, transformer: Transformer) -> Duration {
        let (account, overlays, cancel) = (UserId::new(), Overlays::new(), Cancel::default());
        let begun = Instant::now();
        let place =
            transformer.admit(account, &[self.file.len() as u64], Cost::default()).await.unwrap();
        transformer.transform(place, self.file, overlays, self.spec, cancel).await.unwrap();
        begun.elapsed()
    }
}

/// How long pictures took.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    fn percentile(&mut self, percent: usize) -> String {
        self.0.sort_unstable();
        let time = self.0.get(self.0.len() * percent / 100).copied().unwrap_or_default();
        format!("{:.1} ms", time.as_secs_f64() * 1000.0)
    }
}

/// So many small pictures, at the pace of [`EVERY`].
async fn small(transformer: &Transformer, case: &Case, count: usize, times: &mut Times) {
    let mut clock = tokio::time::interval(EVERY);
    let mut asked = Vec::new();
    for _ in 0..count {
        clock.tick().await;
        asked.push(tokio::spawn(case.clone().time(transformer.clone())));
    }
    for time in asked {
        times.0.push(time.await.unwrap());
    }
}

/// Large pictures one after the other, for as long as `meanwhile` takes.
async fn large(
    transformer: &Transformer,
    case: &Case,
    times: &mut Times,
    meanwhile: impl Future<Output = ()>,
) {
    tokio::pin!(meanwhile);
    let mut next = Box::pin(case.clone().time(transformer.clone()));
    loop {
        tokio::select! {
            time = &mut next => {
                times.0.push(time);
                next = Box::pin(case.clone().time(transformer.clone()));
            }
            () = &mut meanwhile => break,
        }
    }
    // Nothing of it is left over for what is measured next.
    next.await;
}

#[tokio::main]
async fn main() {
    let args = Args::parse();
    let (little, big) = (
        Case::new(&args, "kodim23-768x512.jpg", 256),
        Case::new(&args, "photo-6000x4000.jpg", 2000),
    );
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let new = || Transformer::new(threads, 1 << 30, Limits::default()).unwrap();
    let pools = [("lent", new()), ("not lent", new().without_lending())];
    let _tree = Tree::start(pools.iter().map(|(_, pool)| pool.child()).collect()).await.unwrap();

    let mut measured: [[Times; 4]; 2] = Default::default();
    for _ in 0..args.rounds {
        for ((_, pool), [alone, beside, large_alone, large_beside]) in
            pools.iter().zip(&mut measured)
        {
            small(pool, &little, args.small, alone).await;
            large(pool, &big, large_beside, small(pool, &little, args.small, beside)).await;
            for _ in 0..args.small.div_ceil(10) {
                large_alone.0.push(big.clone().time(pool.clone()).await);
            }
        }
    }

    let mut out = std::io::stdout().lock();
    let names =
        ["small, alone", "small, beside a large one", "large, alone", "large, beside small ones"];
    writeln!(out, "| | idle threads | p50 | p99 |\n| :-- | :-- | --: | --: |").unwrap();
    for (index, name) in names.into_iter().enumerate() {
        for ((lent, _), times) in pools.iter().zip(&mut measured) {
            let Some(times) = times.get_mut(index) else { continue };
            let (p50, p99) = (times.percentile(50), times.percentile(99));
            writeln!(out, "| {name} | {lent} | {p50} | {p99} |").unwrap();
        }
    }
}
