//! Workers that are killed as they work.

use std::time::Duration;

use crate::{round::Trial, world::World};

/// One is killed, another takes its place, and is killed.
pub async fn again_and_again(trial: Trial) {
    let world = World::new(&trial).await;
    let _api = world.api().await;
    world.client.sign_up().await;
    world.client.enqueue_all(0..trial.jobs(), Duration::ZERO).await;
    let mut worker = world.worker().await;
    for _ in 0..trial.either(10, 3) {
        world.something_begins().await;
        trial.dice.pause(0..100).await;
        worker.kill();
        worker = world.worker().await;
    }
    world.accuse().await;
}
