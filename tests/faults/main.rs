//! An accepted job is never lost and its effect is seen once, whatever dies: processes of the real program, over servers that are
//! started here on ports of their own, killed, stopped, cut off, slowed down and filled up. Each scenario ends in the accusation
//! of `world.rs`.
//!
//! ```text
//! cargo test --test faults                     every scenario once, short
//! cargo test --test faults -- worker           those with `worker` in their name
//! FAULT_LONG=1 FAULT_ROUNDS=10 cargo test …    at full length, ten times in a row: `make test-faults N=10`
//! FAULT_SEED=… cargo test …                    what was left to chance, as in the round that printed this seed
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod api_dies;
mod broker;
mod client;
mod crowd;
mod database;
mod deployment;
mod dice;
mod disk;
mod embedded;
mod guide;
mod impostor;
mod ledger;
mod network;
mod process;
mod proxy;
mod redis;
mod round;
mod servers;
mod stopping;
mod worker_dies;
mod world;

use std::process::ExitCode;

use round::{Scenario, scenario};

/// Those that leave the servers alone are run beside each other: mostly they wait for a lease to run out.
const TOGETHER: &[Scenario] = &[
    scenario!(embedded::killed_while_it_writes),
    scenario!(embedded::the_disk_is_full),
    scenario!(worker_dies::again_and_again),
    scenario!(worker_dies::its_job_runs_again_in_time),
    scenario!(embedded::a_second_server_is_refused),
    scenario!(api_dies::between_commit_and_publish, with a broker),
    scenario!(api_dies::between_accept_and_answer),
    scenario!(api_dies::at_any_time),
    scenario!(stopping::an_api_under_load),
    scenario!(stopping::a_worker_under_load),
    scenario!(crowd::many_are_as_right_as_one),
    scenario!(network::cut_silent_and_slow),
    scenario!(broker::absent_at_start, with a broker),
];

/// Those that end servers come after them, one after the other.
const ALONE: &[Scenario] = &[
    scenario!(redis::killed_under_load),
    scenario!(database::restarted_under_load),
    scenario!(broker::stopped_under_load, with a broker),
    scenario!(deployment::as_the_guide_says, with a broker),
    scenario!(deployment::an_impostor_is_told_nothing, with a broker),
];

fn main() -> ExitCode {
    disk::keep_mounts_to_oneself();
    round::main([TOGETHER, ALONE])
}
