//! What is said of a picture that was made, or was not.

use serde_json::{Value, json};

use super::{inputs::Input, order::Made, problem::Problem};
use crate::imaging::Step;

/// One line for people.
pub(super) fn line(input: &Input, made: &Made) -> String {
    let Made { path, size, output, .. } = made;
    format!(
        "{input} -> {path} {}x{} {}, {size} -> {} bytes",
        output.width,
        output.height,
        output.format.as_str(),
        output.bytes.len()
    )
}

/// The steps, a line each: what was done or why not, the size after it, and how long it took.
pub(super) fn explained(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        let (width, height) = step.size;
        let size = format!("{width} × {height}");
        let time = if step.skipped { "skipped".to_owned() } else { milliseconds(step) };
        let line = format!("\n  {:<10} {size:>13} {time:>11}  {}", step.name, step.detail);
        text.push_str(line.trim_end());
    }
    text
}

fn milliseconds(step: &Step) -> String {
    format!("{:.1} ms", step.time.as_secs_f64() * 1e3)
}

/// One object for programs.
pub(super) fn json(input: &Input, result: &Result<Made, Problem>) -> Value {
    match result {
        Ok(Made { path, size, output, .. }) => json!({
            "input": input.to_string(),
            "output": path,
            "format": output.format.as_str(),
            "width": output.width,
            "height": output.height,
            "bytes_in": size,
            "bytes_out": output.bytes.len(),
            "steps": output.steps.iter().map(step).collect::<Vec<_>>(),
        }),
        Err(problem) => json!({
            "input": input.to_string(),
            "error": {"code": problem.name, "detail": problem.message},
        }),
    }
}

fn step(step: &Step) -> Value {
    json!({
        "name": step.name,
        "detail": step.detail,
        "skipped": step.skipped,
        "width": step.size.0,
        "height": step.size.1,
        "ms": (step.time.as_secs_f64() * 1e6).round() / 1e3,
    })
}
