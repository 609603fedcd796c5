//! The table, printed case by case as it is measured: Markdown, for docs/PERFORMANCE.md.

use std::{fmt::Display, io::Write};

use crate::{
    cases::{Case, Format, Looks, MEMORY, Peer, Target},
    measure::Measured,
    statistics::{median, spread},
    tools::Tool,
};

const HEADINGS: [&str; 9] =
    ["case", "by", "CPU ms", "/ sharp", "/ oximg", "bytes", "score", "MB", "target"];

pub fn begin() {
    line(HEADINGS);
    line([":--", ":--", "--:", "--:", "--:", "--:", "--:", "--:", ":--"]);
}

/// Prints what was measured of a case; whether ours came to what it has to.
pub fn print(case: &Case, all: &[Measured]) -> bool {
    let of = |peer| all.iter().find(|measured| measured.tool == Tool::Peer(peer));
    let mut is_met = true;
    for measured in all {
        let target = match measured.tool {
            Tool::Ours("best") => case.best,
            Tool::Ours(_) => case.fast,
            Tool::Peer(_) => None,
        };
        let verdict = match target {
            None => String::new(),
            Some(target) => match of(target.peer) {
                None => "not compared".to_owned(),
                Some(peer) => {
                    let missed = missed(case, target, measured, peer);
                    is_met &= missed.is_empty();
                    let Target { cpu, .. } = target;
                    if missed.is_empty() {
                        format!("{cpu:.2}: met")
                    } else {
                        format!("{cpu:.2}: **missed** by {}", missed.join(", "))
                    }
                }
            },
        };
        let against = |peer| match of(peer) {
            Some(other) if other.tool != measured.tool => format!("{:.2}", ratio(measured, other)),
            _ => String::new(),
        };
        let asked =
            if case.seeks_quality() { format!(" q{}", measured.quality) } else { String::new() };
        let bytes = if measured.is_exact { measured.bytes.to_string() } else { "–".to_owned() };
        let (cpu, spread) = (median(&measured.cpu), spread(&measured.cpu));
        line([
            case.name.to_owned(),
            format!("{}{asked}", measured.tool.name()),
            format!("{cpu:.2} ± {spread:.2}"),
            against(Peer::Sharp),
            against(Peer::Oximg),
            bytes,
            format!("{:.2} / {:.2}", measured.score.linear, measured.score.gamma),
            measured.memory.map_or_else(String::new, |memory| format!("{memory:.1}")),
            verdict,
        ]);
    }
    is_met
}

/// A line of a tool of which nothing but its memory is known.
pub fn print_memory(case: &Case, by: &str, memory: f64) {
    line([case.name, by, "", "", "", "", "", &format!("{memory:.1}"), ""]);
}

/// By what `ours` misses its target.
fn missed(case: &Case, target: Target, ours: &Measured, peer: &Measured) -> Vec<String> {
    let mut missed = Vec::new();
    if ratio(ours, peer) > target.cpu {
        missed.push("CPU".to_owned());
    }
    let linear = ours.score.linear - peer.score.linear;
    let gamma = ours.score.gamma - peer.score.gamma;
    let short = match target.looks {
        Looks::NoWorse(by) => -by - linear.min(gamma),
        Looks::Better(by) => by - f64::midpoint(linear, gamma),
    };
    if short > 0.0 {
        missed.push(format!("{short:.2} points"));
    }
    if peer.is_exact && ours.bytes > peer.bytes {
        let more = (ours.bytes as f64 / peer.bytes as f64 - 1.0) * 100.0;
        missed.push(format!("{more:.1} % of bytes"));
    }
    let is_jpeg = case.format == Format::Jpeg && case.picture.ends_with(".jpg");
    if is_jpeg && ours.memory.is_some_and(|memory| memory > MEMORY) {
        missed.push("memory".to_owned());
    }
    missed
}

/// How much CPU `ours` takes of what `peer` does: the median of the rounds, each by itself.
fn ratio(ours: &Measured, peer: &Measured) -> f64 {
    let ratios: Vec<f64> = ours.cpu.iter().zip(&peer.cpu).map(|(ours, peer)| ours / peer).collect();
    median(&ratios)
}

fn line<T: Display>(cells: [T; HEADINGS.len()]) {
    let cells = cells.map(|cell| format!(" {cell} ")).join("|");
    // Nobody listening is nobody to tell.
    let _ = writeln!(std::io::stdout(), "|{cells}|");
}
