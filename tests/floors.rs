//! The house stands: arrows between its floors point down, and its two lowest floors do no I/O.
//!
//! It reads the source itself, so it also sees what is compiled only for tests.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The floor of each top module. Everything that is not here stands above them all.
const FLOORS: &[(&str, u8)] = &[
    ("domain", 0),
    ("config", 0),
    ("roles", 0),
    ("failpoint", 0),
    ("imaging", 1),
    ("adapters", 2),
    ("actors", 3),
    ("flows", 4),
    ("http", 5),
    ("app", ABOVE),
    ("cli", ABOVE),
];
const ABOVE: u8 = 6;

/// Within these, and within these alone, no I/O and no tasks.
const PURE: &[&str] = &["domain", "imaging"];
const IMPURE: &[&[&str]] = &[
    &["tokio"],
    &["sqlx"],
    &["warp"],
    &["hyper"],
    &["reqwest"],
    &["std", "fs"],
    &["std", "net", "Tcp"],
];

/// Names that say nothing about what is inside.
const NAMELESS: &[&str] = &["util", "utils", "helper", "helpers", "common", "misc"];
const LONGEST: usize = 500;

/// A source file: its path under `src/`, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The modules that lead to it: `http/images.rs` is `["http", "images"]`.
    fn modules(&self) -> Vec<&str> {
        let path = self.path.trim_end_matches(".rs");
        path.split('/').filter(|name| !matches!(*name, "mod" | "lib" | "main")).collect()
    }

    /// Every path under `crate` that it names, with `super` resolved.
    fn arrows(&self) -> Vec<Vec<String>> {
        let code = code_of(&self.text);
        let mut arrows = paths(&code, "crate");
        let modules = self.modules();
        for path in paths(&code, "super") {
            let ups = 1 + path.iter().take_while(|name| *name == "super").count();
            // Inside `mod tests { … }` the first `super` is this very file: then one too many is
            // taken off, and what is left is no top module.
            let base = modules.len().saturating_sub(ups);
            let rest = path.into_iter().skip(ups - 1);
            arrows.push(
                modules.iter().take(base).map(|name| (*name).to_owned()).chain(rest).collect(),
            );
        }
        arrows
    }
}

fn floor(module: Option<&str>) -> u8 {
    FLOORS.iter().find(|(name, _)| Some(*name) == module).map_or(ABOVE, |(_, floor)| *floor)
}

/// Everything that is wrong with the house.
fn violations(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    let tops: BTreeSet<_> =
        sources.iter().filter_map(|file| file.modules().first().copied()).collect();
    for source in sources {
        let own = source.modules();
        for arrow in source.arrows() {
            let target = arrow.first().map(String::as_str);
            // Macros and items of the crate's root are named `crate::x` as well.
            let is_module = target.is_some_and(|name| tops.contains(name));
            if is_module && floor(target) > floor(own.first().copied()) {
                found.push(format!("{}: crate::{} leads up", source.path, arrow.join("::")));
            }
        }
        if own.first().is_some_and(|top| PURE.contains(top)) {
            found.extend(impurities(source));
        }
        let lines = source.text.lines().count();
        if lines > LONGEST {
            found.push(format!("{}: {lines} lines; split it by noun", source.path));
        }
        if let Some(name) = own.iter().find(|name| NAMELESS.contains(name)) {
            found.push(format!("{}: `{name}` says nothing about what is inside", source.path));
        }
    }
    found.extend(loops(sources));
    found
}

fn impurities(source: &Source) -> Vec<String> {
    let code = code_of(&source.text);
    let is_named = |banned: &&&[&str]| {
        let Some((root, rest)) = banned.split_first() else { return false };
        paths(&code, root).iter().any(|path| {
            path.len() >= rest.len()
                && path.iter().zip(rest.iter()).all(|(name, start)| name.starts_with(start))
        })
    };
    let banned = IMPURE.iter().filter(is_named);
    banned.map(|path| format!("{}: {} has no place here", source.path, path.join("::"))).collect()
}

/// Rooms of `http` that lead back to themselves across the hall.
fn loops(sources: &[Source]) -> Vec<String> {
    let mut doors: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources {
        if let ["http", room, ..] = source.modules()[..] {
            let beside = source.arrows().into_iter().filter_map(|arrow| match &arrow[..] {
                [top, other, ..] if top == "http" && other != room => Some(other.clone()),
                _ => None,
            });
            doors.entry(room.to_owned()).or_default().extend(beside);
        }
    }
    let leads_back = |room: &&String| {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&String> = doors.get(*room).into_iter().flatten().collect();
        while let Some(door) = next.pop() {
            if seen.insert(door) {
                next.extend(doors.get(door).into_iter().flatten());
            }
        }
        seen.contains(*room)
    };
    doors
        .keys()
        .filter(leads_back)
        .map(|room| format!("http/{room}: leads back to itself"))
        .collect()
}

/// The paths in `code` that start at `root`, without it; braces are opened.
fn paths(code: &str, root: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(root) {
        let before = code[..at].trim_end();
        let starts =
            !code[..at].ends_with(is_name) && (!before.ends_with("::") || before.ends_with("{::"));
        let rest = code[at + root.len()..].trim_start();
        if let (true, Some(rest)) = (starts, rest.strip_prefix("::")) {
            branch(rest, &mut Vec::new(), &mut found);
        }
    }
    found
}

/// Reads one branch of a `use` tree, or a plain path; returns what follows it.
fn branch<'a>(code: &'a str, stem: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> &'a str {
    let code = code.trim_start();
    if let Some(mut rest) = code.strip_prefix('{') {
        loop {
            rest = rest.trim_start_matches(|c: char| c == ',' || c.is_whitespace());
            if let Some(after) = rest.strip_prefix('}') {
                return after;
            }
            let after = branch(rest, &mut stem.clone(), found);
            // `as name` and a glob are nothing to follow.
            rest = after.find([',', '}']).map_or("", |end| &after[end..]);
            if rest.is_empty() {
                return rest;
            }
        }
    }
    let end = code.find(|c| !is_name(c)).unwrap_or(code.len());
    let (name, rest) = code.split_at(end);
    if !name.is_empty() {
        stem.push(name.to_owned());
    }
    match rest.trim_start().strip_prefix("::") {
        Some(deeper) if !name.is_empty() => branch(deeper, stem, found),
        _ => {
            found.push(stem.clone());
            rest
        }
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The text without its comments and string literals.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let literal = literal_length(rest, code.chars().last());
        if literal > 0 {
            code.push(' ');
            rest = &rest[literal..];
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    code
}

/// How long the comment or literal is that `rest` starts with; 0 if it starts with neither.
fn literal_length(rest: &str, before: Option<char>) -> usize {
    let until = |start: usize, end: &str| {
        rest[start..].find(end).map_or(rest.len(), |found| start + found + end.len())
    };
    if rest.starts_with("//") {
        return until(0, "\n") - usize::from(rest.contains('\n'));
    }
    if rest.starts_with("/*") {
        return until(2, "*/");
    }
    if rest.starts_with('r') && !before.is_some_and(|c| is_name(c) && c != 'b') {
        let hashes = rest[1..].bytes().take_while(|byte| *byte == b'#').count();
        if rest[1 + hashes..].starts_with('"') {
            return until(2 + hashes, &format!("\"{}", "#".repeat(hashes)));
        }
    }
    match rest.as_bytes() {
        [b'"', ..] => quoted_length(rest, '"'),
        // A lifetime has no second quote so near.
        [b'\'', b'\\', ..] => quoted_length(rest, '\''),
        [b'\'', ..] => {
            let mut chars = rest.char_indices().skip(2);
            chars.next().filter(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 1)
        }
        _ => 0,
    }
}

fn quoted_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn read(directory: &Path, root: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(directory).unwrap_or_else(|error| panic!("{directory:?}: {error}")) {
        let path: PathBuf = entry.expect("an entry").path();
        if path.is_dir() {
            read(&path, root, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("source is UTF-8");
            let path = path.strip_prefix(root).expect("it lies under src");
            sources.push(Source { path: path.to_string_lossy().replace('\\', "/"), text });
        }
    }
}

#[test]
fn the_house_stands() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    read(&root, &root, &mut sources);
    assert!(sources.len() > 10, "the source was not found");
    for source in sources.iter().filter(|source| source.modules().len() > 1) {
        let has_floor = FLOORS.iter().any(|(name, _)| Some(name) == source.modules().first());
        assert!(has_floor, "{} has no floor", source.path);
    }
    let found = violations(&sources);
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// What is wrong with a house that is right but for `text` in the file `path`.
fn house_with(path: &str, text: &str) -> Vec<String> {
    let mut sources: Vec<Source> = FLOORS
        .iter()
        .map(|(module, _)| Source { path: format!("{module}/mod.rs"), text: String::new() })
        .collect();
    sources.push(Source { path: "app.rs".to_owned(), text: String::new() });
    sources.push(Source {
        path: "http/problem.rs".to_owned(),
        text: "use crate::domain::error::Error;".to_owned(),
    });
    sources.push(Source { path: path.to_owned(), text: text.to_owned() });
    violations(&sources)
}

#[test]
fn an_upward_arrow_is_found_however_it_is_written() {
    for text in [
        "use crate::actors::Database;",
        "use crate::{domain::error::Error, actors::{Address}};",
        "use crate::{\n    // why\n    domain::{ids, error::{Error, Code}},\n    http,\n};",
        "fn f() { crate::flows::upload::run() }",
        "pub use crate :: app :: App;",
        "use super::super::flows::upload;",
        "const A: &str = r#\"\"\"#; const B: char = '\"'; use crate::http::serve; // '",
        "#[cfg(test)]\nmod tests { use crate::app::App; }",
        "fn f<'a>(x: &'a str) -> crate::http::Reply<'a> {}",
    ] {
        let found = house_with("adapters/token.rs", text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].contains("leads up"), "{found:?}");
    }
}

#[test]
fn downward_arrows_and_mere_words_are_fine() {
    for text in [
        "use crate::{config::Config, domain::error::{Code, Error}, imaging::probe};",
        "use super::db::Db;",
        "mod tests { use super::*; use super::super::db; }",
        "// crate::http::serve\n/* use crate::app; */ const A: &str = \"crate::http::x \\\" crate::app\";",
        "fn f() { other_crate::http::x(); tokio::spawn(async {}); std::fs::read(\"x\"); }",
        "macro_rules! m { () => { $crate::adapters::x!() } }",
    ] {
        assert_eq!(house_with("adapters/token.rs", text), [""; 0], "{text}");
    }
    assert_eq!(house_with("cli.rs", "use crate::{app::App, http};"), [""; 0]);
}

#[test]
fn the_lowest_floors_stay_pure() {
    for text in [
        "use tokio::sync::mpsc;",
        "fn f() { let x = sqlx::query(\"\"); }",
        "use std::{fs, path::Path};",
        "use std::{collections::{BTreeMap}, fs::File};",
        "fn f() { std::net::TcpStream::connect(\"\") }",
    ] {
        for path in ["domain/job.rs", "imaging/probe.rs"] {
            assert_eq!(house_with(path, text).len(), 1, "{path}: {text}");
        }
    }
    assert_eq!(house_with("imaging/steps/warp.rs", "use std::net::IpAddr; fn warp() {}"), [""; 0]);
}

#[test]
fn rooms_of_http_do_not_lead_back() {
    assert_eq!(
        house_with("http/images.rs", "use super::problem; use crate::http::problem::x;"),
        [""; 0]
    );
    let problem = "use crate::http::accounts::x;";
    let mut sources: Vec<Source> =
        [("http/problem.rs", problem), ("http/accounts.rs", "use super::problem;")]
            .map(|(path, text)| Source { path: path.to_owned(), text: text.to_owned() })
            .into();
    assert_eq!(violations(&sources).len(), 2, "both rooms are named");
    sources.pop();
    assert_eq!(violations(&sources), [""; 0]);
}

#[test]
fn long_files_and_names_that_say_nothing_are_found() {
    assert_eq!(house_with("domain/user.rs", &"\n".repeat(LONGEST)), [""; 0]);
    assert_eq!(house_with("domain/user.rs", &"\n".repeat(LONGEST + 1)).len(), 1);
    for path in ["domain/utils.rs", "http/common/mod.rs", "helpers.rs"] {
        assert_eq!(house_with(path, "").len(), 1, "{path}");
    }
}
