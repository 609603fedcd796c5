//! The directory that everything is kept in: whether it can be written, has room, and is served.

use std::path::Path;

use indicatif::HumanBytes;

use super::{Finding, exit};
use crate::{
    adapters::storage::{Probe, probe},
    app::is_served,
    config::{Database, DatabaseLocation},
};

/// Less room than this is little.
const LITTLE: u64 = 1 << 30;

pub(super) async fn check(data_dir: &Path, database: Option<&Database>) -> Vec<Finding> {
    let place = data_dir.display().to_string();
    let mut findings = vec![match probe(data_dir.to_owned()).await {
        Ok(probe) => of_probe(probe, &place),
        Err(error) => {
            let mend = "see that the directory is there, mounted, and the service's user may write it; \
                        or set DATA_DIR right";
            Finding::failure("storage", &place, &error, mend)
        }
    }];
    let is_embedded = database.is_some_and(|it| matches!(it.location, DatabaseLocation::Sqlite(_)));
    if is_embedded {
        findings.push(match is_served(data_dir) {
            Ok(true) => Finding::ok("server", format!("a process serves from {place}")),
            Ok(false) => Finding::ok("server", format!("no process serves from {place}")),
            Err(error) => {
                let found = format!("whether a process serves from {place} can't be told: {error}");
                let mend = "see that the user of the service may write the directory";
                Finding::fault("server", exit::UNAVAILABLE, found, mend)
            }
        });
    }
    findings
}

fn of_probe(Probe { is_new, free }: Probe, place: &str) -> Finding {
    let state = if is_new { "is made at the first start" } else { "writes, reads and removes" };
    let found = format!("{place} {state}, {} free", HumanBytes(free));
    if free < LITTLE {
        let mend = "make room: without it uploads and results are refused";
        return Finding::warning("storage", found, mend.to_owned());
    }
    Finding::ok("storage", found)
}

#[cfg(test)]
mod tests {
    use super::{super::State, *};

    #[test]
    fn little_room_is_warned_of() {
        let state = |free| of_probe(Probe { is_new: false, free }, "./data").state;
        assert_eq!((state(LITTLE), state(LITTLE - 1)), (State::Ok, State::Warning));
    }
}
