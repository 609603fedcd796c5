//! The page about transformations says what is so: its commands run, and its pictures are what they make.

use std::path::{Path, PathBuf};

use crate::process::Shell;

fn repository() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

/// The arguments of every command on the page.
fn commands() -> Vec<Vec<String>> {
    let page = std::fs::read_to_string(repository().join("docs/TRANSFORMS.md")).unwrap();
    let commands = page.lines().filter_map(|line| {
        let rest = line.strip_prefix("darkroom transform ")?.strip_suffix('\'')?;
        let (words, spec) = rest.split_once(" '").unwrap();
        let mut arguments = vec!["transform".to_owned()];
        arguments.extend(words.split(' ').map(str::to_owned));
        arguments.push(spec.to_owned());
        Some(arguments)
    });
    commands.collect()
}

/// The first command that is shown with what it says, and that; the command's line may be broken by `\`.
fn shown(page: &str) -> (Vec<String>, Vec<String>) {
    let (_, rest) = page.split_once("$ darkroom ").unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    let block = block.replace(" \\\n", " ");
    let mut lines = block.lines();
    let (words, spec) = lines.next().unwrap().split_once(" '").unwrap();
    let mut arguments: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    arguments.push(spec.strip_suffix('\'').unwrap().to_owned());
    (arguments, lines.map(str::to_owned).collect())
}

/// Whether two lines say the same. Times are their machine's own; other processors may round otherwise, which a file's size and
/// score show a little of.
fn is_same(one: &str, other: &str) -> bool {
    let words = |line: &str| {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        let is_time = |index: usize| words.get(index + 1).is_some_and(|unit| unit == "ms");
        let kept = (0..words.len()).filter(|index| !is_time(*index));
        kept.map(|index| words[index].clone()).collect::<Vec<_>>()
    };
    let near = |(one, other): (&String, &String)| match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(one), Ok(other)) => (one - other).abs() <= 0.01 * one,
        _ => one == other,
    };
    let (one, other) = (words(one), words(other));
    one.len() == other.len() && one.iter().zip(&other).all(near)
}

#[test]
fn the_page_shows_what_explain_says() {
    let shell = Shell::new();
    let page = std::fs::read_to_string(repository().join("docs/TRANSFORMS.md")).unwrap();
    let (arguments, shown) = shown(&page);
    let to = shell.directory().join(&arguments[1]);
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    std::fs::copy(repository().join(&arguments[1]), to).unwrap();
    let run = shell.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let said: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(said.len(), shown.len(), "{}", run.stdout);
    assert!(shown.len() > 4, "{shown:?}");
    for (said, shown) in said.iter().zip(&shown) {
        assert!(is_same(said, shown), "the page says\n{shown}\nand the program\n{said}");
    }
    assert!(!is_same(&shown[3], &shown[4]) && !is_same("in 4 steps", "in 5 steps"));
    assert!(is_same("x  1.5 ms  sigma", "x 12.0 ms sigma") && !is_same("x 1.5 ms a", "x 1.5 ms b"));
}

/// The mean difference of two pictures' channels.
fn difference(one: &Path, other: &Path) -> f64 {
    let read =
        |path: &Path| image::load_from_memory(&std::fs::read(path).unwrap()).unwrap().into_rgba8();
    let (one, other) = (read(one), read(other));
    assert_eq!(one.dimensions(), other.dimensions());
    let sum: f64 = one.iter().zip(other.iter()).map(|(a, b)| f64::from(a.abs_diff(*b))).sum();
    sum / f64::from(u32::try_from(one.len()).unwrap())
}

#[test]
fn the_pictures_of_the_page_are_what_its_commands_make() {
    let shell = Shell::new();
    let copy = |path: &str| {
        let to = shell.directory().join(path);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(repository().join(path), to).unwrap();
    };
    let commands = commands();
    assert!(commands.len() > 30, "{} commands", commands.len());
    for arguments in &commands {
        copy(&arguments[1]);
    }
    std::fs::create_dir_all(shell.directory().join("docs/transforms")).unwrap();
    let page = std::fs::read_to_string(repository().join("docs/TRANSFORMS.md")).unwrap();
    // Two at a time: each is a process of its own.
    std::thread::scope(|scope| {
        let half = commands.len().div_ceil(2);
        for commands in commands.chunks(half) {
            let (shell, page) = (&shell, &page);
            scope.spawn(move || {
                for arguments in commands {
                    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
                    let run = shell.run(&words);
                    assert_eq!(run.code, 0, "{words:?}: {}", run.stderr);
                    let made = words[3];
                    let shown = made.strip_prefix("docs/").unwrap();
                    assert!(page.contains(&format!("]({shown})")), "{shown} is not on the page");
                    let off = difference(&shell.directory().join(made), &repository().join(made));
                    // Other machines may round otherwise; another picture would be far off.
                    assert!(off < 1.0, "{made} is {off:.2} levels off; `make docs` makes it again");
                }
            });
        }
    });
}
