//! What the queue can do: accepts, jobs and rows per second, and how long each takes. `make bench-jobs` runs it at full size;
//! the table belongs into docs/PERFORMANCE.md.
//!
//! Real processes, an API and a worker, over the Postgres of `TEST_DATABASE_URL` and the RabbitMQ of `TEST_AMQP_URL` (or those of
//! this machine). Each line has a database and a queue of its own, which are removed afterwards.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod load;
mod measures;
mod service;
mod table;

use clap::Parser;

use crate::{measures::Picture, table::Table};

/// Measures the queue.
#[derive(Debug, Parser)]
#[command(name = "jobs")]
struct Args {
    /// Everything a hundredth as large: to see that it works, not to learn anything.
    #[arg(long)]
    small: bool,
    /// Jobs to have accepted at full speed.
    #[arg(long, default_value_t = 20_000)]
    accepts: usize,
    /// Connections to have them accepted over.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Lengths of the queue to measure at.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 100, 10_000])]
    queued: Vec<usize>,
    /// Rows in `jobs` to accept beside.
    #[arg(long, default_value_t = 1_000_000)]
    rows: usize,
    /// Rows to be brought to the broker.
    #[arg(long, default_value_t = 10_000)]
    relayed: usize,
    /// Only lines that have this in their name.
    #[arg(long, default_value = "")]
    only: String,
    /// Keep the queue in the database: without RabbitMQ.
    #[arg(long)]
    no_broker: bool,
    /// What cargo says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Args {
    fn scaled(mut self) -> Self {
        if self.small {
            let scale = |n: usize| (n / 100).max(1);
            self.accepts = scale(self.accepts);
            self.rows = scale(self.rows);
            self.relayed = scale(self.relayed);
            self.queued = self.queued.into_iter().map(scale).collect();
            self.queued.dedup();
        }
        self
    }
}

fn main() {
    let args = Args::parse().scaled();
    // The clients share the machine with what they measure; one thread is enough for them.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(measure(&args));
}

async fn measure(args: &Args) {
    let broker = !args.no_broker;
    let mut table = Table::begin(&args.only);
    let (accepts, connections) = (args.accepts, args.connections);
    table
        .line(&format!("accepts, {connections} connections"), async || {
            measures::accepts(broker, accepts, connections).await
        })
        .await;
    for rows in [0, args.rows] {
        table
            .line(&format!("accepts, 4 connections, beside {rows} rows"), async || {
                measures::accepts_beside(broker, rows, accepts / 10).await
            })
            .await;
    }
    for picture in [Picture::Tiny, Picture::Rocket] {
        for &queued in &args.queued {
            table
                .line(&format!("jobs, {picture}, {queued} queued"), async || {
                    measures::jobs(broker, picture, queued).await
                })
                .await;
        }
    }
    if broker {
        table
            .line(&format!("rows relayed, {} waiting", args.relayed), async || {
                measures::relayed(args.relayed).await
            })
            .await;
    }
}
