//! APIs that die between a client's question and its answer, and between their answer and the queue.

use std::time::Duration;

use futures_util::join;

use crate::{round::Trial, world::World};

/// The job is committed, and the broker has not heard of it.
pub async fn between_commit_and_publish(trial: Trial) {
    dies_at(&trial, "relay.before_publish").await;
}

/// The job is committed, and the client has not heard of it.
pub async fn between_accept_and_answer(trial: Trial) {
    dies_at(&trial, "http.before_answer").await;
}

async fn dies_at(trial: &Trial, failpoint: &str) {
    let world = World::new(trial).await;
    let mut doomed = world.serve("api", &[("DARKROOM_FAILPOINT", failpoint)]).await;
    world.client.sign_up().await;
    let dying = async {
        doomed.process().aborted().await;
        drop(doomed);
        // Nobody else was there to do what it left undone.
        (world.api().await, world.worker().await)
    };
    let load = world.client.enqueue_all(0..trial.either(50, 10), Duration::ZERO);
    let ((), _survivors) = join!(load, dying);
    world.accuse().await;
}

/// At random, under load.
pub async fn at_any_time(trial: Trial) {
    let world = World::new(&trial).await;
    let _worker = world.worker().await;
    let mut api = world.api().await;
    world.client.sign_up().await;
    let killing = async {
        for _ in 0..trial.either(5, 2) {
            trial.dice.pause(50..500).await;
            api.kill();
            api = world.api().await;
        }
        api
    };
    let load = world.client.enqueue_all(0..trial.jobs(), Duration::from_millis(15));
    let ((), _api) = join!(load, killing);
    world.accuse().await;
}
