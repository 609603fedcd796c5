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
