//! The table, printed line by line as it is measured.

use std::{fmt::Display, io::Write, time::Duration};

/// One line's figures.
pub struct Figures {
    pub per_second: f64,
    /// How long each took; empty when that means nothing.
    pub latencies: Vec<Duration>,
}

pub struct Table {
    only: String,
}

impl Table {
    pub fn begin(only: &str) -> Self {
        say(format_args!("| {:<48} | {:>9} | {:>10} | {:>10} |", "", "a second", "p50", "p99"));
        say(format_args!("|:{:-<48}-|-{:->9}:|-{:->10}:|-{:->10}:|", "", "", "", ""));
        Self { only: only.to_owned() }
    }

    /// Measures a line, if it is wanted, and prints it.
    pub async fn line(&mut self, name: &str, measure: impl AsyncFnOnce() -> Figures) {
        if !name.contains(&self.only) {
            return;
        }
        let Figures { per_second, mut latencies } = measure().await;
        latencies.sort_unstable();
        let percentile = |percent: usize| match latencies.get(latencies.len() * percent / 100) {
            Some(latency) => format!("{:.1} ms", latency.as_secs_f64() * 1000.0),
            None => String::new(),
        };
        let (p50, p99) = (percentile(50), percentile(99));
        say(format_args!("| {name:<48} | {per_second:>9.0} | {p50:>10} | {p99:>10} |"));
    }
}

fn say(line: impl Display) {
    // Nobody listening is nobody to tell.
    let _ = writeln!(std::io::stdout(), "{line}");
}
