//! What this machine has for pictures: codecs and memory.

use indicatif::HumanBytes;

use super::Finding;
use crate::{config, imaging};

/// What a process takes beside the pixels.
const REST: u64 = 200 << 20;

pub(super) fn codecs() -> Vec<Finding> {
    const CHECK: &str = "codecs";
    let count = imaging::codecs().len();
    let mut findings = vec![Finding::ok(CHECK, format!("{count} are there"))];
    let mend = "install what is missing; `darkroom --version --verbose` shows what is there";
    let slow = imaging::slow().into_iter();
    findings.extend(slow.map(|problem| Finding::warning(CHECK, problem, mend.to_owned())));
    findings
}

pub(super) fn memory((threads, memory): (usize, u64)) -> Finding {
    of_memory(threads, memory, config::memory())
}

fn of_memory(threads: usize, memory: u64, limit: u64) -> Finding {
    const CHECK: &str = "memory";
    let (share, all) = (HumanBytes(memory), HumanBytes(limit));
    let found = format!("{share} of {all} for the pixels of {threads} threads");
    if memory.saturating_add(REST) > limit {
        let mend = "lower TRANSFORM_MEMORY: a process that takes more than there is, is killed";
        return Finding::warning(CHECK, found, mend.to_owned());
    }
    Finding::ok(CHECK, found)
}

#[cfg(test)]
mod tests {
    use super::{super::State, *};

    #[test]
    fn more_memory_than_there_is_is_warned_of() {
        assert_eq!(of_memory(2, 1 << 30, 2 << 30).state, State::Ok);
        assert_eq!(of_memory(2, 2 << 30, 2 << 30).state, State::Warning);
    }
}
