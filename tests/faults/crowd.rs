//! Many processes of each kind.

use std::time::Duration;

use futures_util::future::join_all;

use crate::{round::Trial, world::World};

/// Ten APIs and ten workers at once, each with few connections, are as right as one.
pub async fn many_are_as_right_as_one(trial: Trial) {
    let mut world = World::new(&trial).await;
    world.tell("DB_MAX_CONNS", "3");
    let count = trial.either(10, 3);
    let _apis = join_all((0..count).map(|_| world.api())).await;
    let _workers = join_all((0..count).map(|_| world.worker())).await;
    let client = &world.client;
    client.sign_up().await;
    // Everything is asked for twice, of different APIs and under different keys: it is the same job.
    let jobs = trial.jobs();
    let numbers = || (0..jobs).flat_map(|number| [(number, "a"), (number, "b")]);
    client.enqueue_under(numbers(), Duration::ZERO).await;
    world.accuse().await;
}
