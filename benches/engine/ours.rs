//! Our engine as a process that is asked, as the peers are: see [`crate::worker`].

use std::{
    io::{BufRead, Write},
    path::Path,
};

use darkroom_engine::{
    domain::{limits::Limits, transform::Spec},
    imaging::{Control, Overlays, transform},
};

/// Transforms `file` by `spec`, as often as each line of standard input says; answers with how long the result is.
pub fn answer(file: &Path, spec: &str) {
    let source = std::fs::read(file).expect("the picture is there");
    let spec = serde_json::from_str(spec).expect("the spec is JSON");
    let spec = Spec::parse(&spec).expect("the spec is right");
    let (overlays, limits, control) = (Overlays::new(), Limits::default(), Control::default());
    let mut made = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("standard input is text");
        if let Some(path) = line.strip_prefix("write ") {
            std::fs::write(path, &made).expect("the result can be written");
        } else {
            for _ in 0..line.parse().expect("a number of times") {
                let output = transform(&source, &overlays, &spec, &limits, &control);
                made = output.expect("the picture can be transformed").bytes;
            }
        }
        writeln!(std::io::stdout(), "{}", made.len()).expect("somebody listens");
    }
}
