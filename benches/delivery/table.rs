//! The tables, printed line by line as it is measured: Markdown, for docs/PERFORMANCE.md.

use std::{fmt::Display, fs, io::Write, time::Duration};

use crate::{
    cases::{Case, HOT, MEMORY, TARGETED, Tool, target},
    cold, herd, hot,
    look::Looks,
    statistics::{median, quantile, spread},
};

/// Begins a table: its headings, those that are to the left marked by a colon before them.
pub fn begin(headings: &[&str]) {
    say(format_args!(""));
    line(headings.iter().map(|heading| heading.trim_start_matches(':')));
    line(headings.iter().map(|heading| if heading.starts_with(':') { ":--" } else { "--:" }));
}

/// How busy the machine is.
pub fn load_average(when: &str) {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split(' ').take(3).collect();
    say(format_args!("\nLoad average {when}: {}.", load.join(", ")));
}

pub const LOOKS: [&str; 6] = [":case", ":by", "bytes", "score", "/ ipx", "/ oximg"];

/// How results look.
pub fn looks(case: &Case, all: &[(Tool, Looks)]) {
    for (tool, looks) in all {
        let against = |peer| match all.iter().find(|(other, _)| *other == peer) {
            Some((_, other)) if *tool != peer && other.is_exact && looks.is_exact => {
                format!("{:.2}", looks.bytes as f64 / other.bytes as f64)
            }
            _ => String::new(),
        };
        let score = match looks.is_exact {
            true => format!("{:.2} / {:.2}", looks.linear, looks.gamma),
            false => "–".to_owned(),
        };
        let asked = match case.quality(*tool) {
            80 => tool.name().to_owned(),
            quality => format!("{} q{quality}", tool.name()),
        };
        let bytes = looks.bytes.to_string();
        let (ipx, oximg) = (against(Tool::Ipx), against(Tool::Oximg));
        line([case.name.to_owned(), asked, bytes, score, ipx, oximg]);
    }
}

pub const COLD: [&str; 14] = [
    ":case",
    "at once",
    ":by",
    "a second",
    "/ ipx",
    "/ oximg",
    "p50 ms",
    "p99 ms",
    "CPU ms",
    "MB",
    "refused",
    "p99 ms of that",
    "failed",
    ":target",
];

/// Pictures that are made.
pub fn cold(
    case: &Case,
    connections: usize,
    all: &[cold::Measured],
    looks: &[(Tool, Looks)],
) -> bool {
    let of = |tool| all.iter().find(|measured: &&cold::Measured| measured.tool == tool);
    let mut is_met = true;
    for measured in all {
        let against = |peer| match of(peer) {
            Some(other) if other.tool != measured.tool => {
                format!("{:.2}", ratio(&measured.per_second, &other.per_second))
            }
            _ => String::new(),
        };
        let wanted = target(measured.tool, case).filter(|_| connections == TARGETED);
        let verdict = match wanted.map(|(peer, times)| (of(peer), peer, times)) {
            None => String::new(),
            Some((None, ..)) => "not compared".to_owned(),
            Some((Some(other), peer, times)) => {
                let mut missed = worse(looks, measured.tool, peer);
                if ratio(&measured.per_second, &other.per_second) < times {
                    missed.push("pictures a second".to_owned());
                }
                is_met &= missed.is_empty();
                verdict(&format!("{times:.2} × {}", peer.name()), &missed)
            }
        };
        line([
            case.name.to_owned(),
            connections.to_string(),
            measured.tool.name().to_owned(),
            format!("{:.1} ± {:.1}", median(&measured.per_second), spread(&measured.per_second)),
            against(Tool::Ipx),
            against(Tool::Oximg),
            milliseconds(&measured.latencies, 0.5),
            milliseconds(&measured.latencies, 0.99),
            format!("{:.1} ± {:.1}", median(&measured.cpu), spread(&measured.cpu)),
            format!("{:.0}", measured.memory),
            measured.refusals.len().to_string(),
            milliseconds(&measured.refusals, 0.99),
            measured.failed.to_string(),
            verdict,
        ]);
    }
    is_met
}

/// In what the results of `ours` are worse than those of `peer`.
fn worse(looks: &[(Tool, Looks)], ours: Tool, peer: Tool) -> Vec<String> {
    let of = |tool| looks.iter().find(|(other, _)| *other == tool).map(|(_, looks)| looks);
    let is_in_gamma_light = peer == Tool::Ipx;
    let (Some(ours), Some(peer)) = (of(ours), of(peer)) else { return Vec::new() };
    let mut missed = Vec::new();
    let (linear, gamma) = (peer.linear - ours.linear, peer.gamma - ours.gamma);
    // As in `make bench-engine`: oximg mixes in linear light, as we do; sharp in gamma light, which scores the best in gamma light and the worst
    // in linear light whatever else it does.
    let short = if is_in_gamma_light { f64::midpoint(linear, gamma) } else { linear.max(gamma) };
    // What the scores of one picture differ by when nobody sees it.
    if short > 0.1 {
        missed.push(format!("{short:.2} points"));
    }
    if ours.bytes > peer.bytes {
        let more = (ours.bytes as f64 / peer.bytes as f64 - 1.0) * 100.0;
        missed.push(format!("{more:.1} % of bytes"));
    }
    missed
}

pub const HOT_HEADINGS: [&str; 11] = [
    ":picture", "bytes", "at once", ":by", "a second", "/ nginx", "p50 ms", "p99 ms", "CPU µs",
    "MB", ":target",
];

/// Pictures that are there.
pub fn hot(picture: hot::Picture, bytes: usize, connections: usize, all: &[hot::Measured]) -> bool {
    let nginx = all.iter().find(|measured| measured.tool == Tool::Nginx);
    let mut is_met = true;
    for measured in all {
        let part = nginx
            .filter(|nginx| nginx.tool != measured.tool)
            .map(|nginx| ratio(&measured.per_second, &nginx.per_second));
        let mut missed = Vec::new();
        if part.is_some_and(|part| part < HOT) {
            missed.push("answers a second".to_owned());
        }
        if measured.failed > 0 {
            missed.push(format!("{} failures", measured.failed));
        }
        is_met &= missed.is_empty();
        line([
            picture.name.to_owned(),
            bytes.to_string(),
            connections.to_string(),
            measured.tool.name().to_owned(),
            format!("{:.0} ± {:.0}", median(&measured.per_second), spread(&measured.per_second)),
            part.map_or_else(String::new, |part| format!("{part:.2}")),
            format!("{:.2}", median(&measured.p50)),
            format!("{:.2}", median(&measured.p99)),
            format!("{:.1}", median(&measured.cpu)),
            format!("{:.0}", measured.memory),
            part.map_or_else(String::new, |_| verdict(&format!("{HOT:.2} × nginx"), &missed)),
        ]);
    }
    is_met
}

pub const MEMORY_HEADINGS: [&str; 5] = [":case", ":by", "MB", "not made", ":target"];

/// What servers take that have just been started.
pub fn memory(case: &Case, tool: Tool, (memory, not_made): (f64, usize)) -> bool {
    let is_ours = matches!(tool, Tool::Ours(_));
    let mut missed = Vec::new();
    if memory > MEMORY {
        missed.push("memory".to_owned());
    }
    if not_made > 0 {
        missed.push(format!("{not_made} pictures"));
    }
    let said = if is_ours { verdict(&format!("{MEMORY:.0} MB"), &missed) } else { String::new() };
    let (memory, not_made) = (format!("{memory:.0}"), not_made.to_string());
    line([case.name.to_owned(), tool.name().to_owned(), memory, not_made, said]);
    !is_ours || missed.is_empty()
}

pub const HERD: [&str; 8] =
    ["at once", "answered", "made", "p50 ms", "p99 ms", "CPU ms in all", "MB", ":target"];

/// A crowd.
pub fn herd(crowd: usize, herd: &herd::Herd) -> bool {
    let answered = herd.turn.latencies.len();
    let made = herd.turn.works.len();
    let mut missed = Vec::new();
    if made != 1 {
        missed.push(format!("{made} made"));
    }
    if answered != crowd {
        missed.push(format!("{} refused, {} failed", herd.turn.refusals.len(), herd.turn.failed));
    }
    line([
        crowd.to_string(),
        answered.to_string(),
        made.to_string(),
        milliseconds(&herd.turn.latencies, 0.5),
        milliseconds(&herd.turn.latencies, 0.99),
        format!("{:.0}", herd.cpu),
        format!("{:.0}", herd.memory),
        verdict("1 made", &missed),
    ]);
    missed.is_empty()
}

fn verdict(target: &str, missed: &[String]) -> String {
    match missed {
        [] => format!("{target}: met"),
        missed => format!("{target}: **missed** by {}", missed.join(", ")),
    }
}

/// How `ours` stands to `theirs`: the median of the rounds, each by itself.
fn ratio(ours: &[f64], theirs: &[f64]) -> f64 {
    let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
    median(&ratios)
}

fn milliseconds(latencies: &[Duration], part: f64) -> String {
    if latencies.is_empty() {
        return "–".to_owned();
    }
    let values: Vec<f64> = latencies.iter().map(|it| it.as_secs_f64() * 1000.0).collect();
    format!("{:.0}", quantile(&values, part))
}

fn line<T: Display>(cells: impl IntoIterator<Item = T>) {
    let cells: Vec<String> = cells.into_iter().map(|cell| format!(" {cell} ")).collect();
    say(format_args!("|{}|", cells.join("|")));
}

fn say(line: impl Display) {
    // Nobody listening is nobody to tell.
    let _ = writeln!(std::io::stdout(), "{line}");
}
