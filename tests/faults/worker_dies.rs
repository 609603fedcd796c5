//! Workers that are killed as they work.

use std::time::Duration;

use crate::{round::Trial, world::World};

/// One is killed, another takes its place, and is killed.
pub async fn again_and_again(trial: Trial) {
    let world = World::new(&trial).await;
    let _api = world.api().await;
    world.client.sign_up().await;
    let jobs = trial.either(200, 40);
    world.client.enqueue_all(0..jobs, Duration::ZERO).await;
    let mut before = world.last_begun().await;
    let mut worker = world.worker().await;
    for _ in 0..trial.either(10, 3) {
        world.something_begins(before).await;
        trial.dice.pause(0..100).await;
        worker.kill();
        before = world.last_begun().await;
        worker = world.worker().await;
    }
    world.accuse().await;
    let runs = "SELECT count(*) FROM job_events WHERE status = 'running'";
    let runs = world.ledger.count(runs).await;
    assert!(runs > i64::try_from(jobs).unwrap(), "no job was struck");
}
