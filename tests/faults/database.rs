//! Postgres, without which nothing can be accepted.

use std::time::Duration;

use futures_util::join;

use crate::{round::Trial, world::World};

/// Once in order, which breaks every connection, and once by `kill -9`. Clients may be told 503 meanwhile.
pub async fn restarted_under_load(trial: Trial) {
    let world = World::new(&trial).await;
    let api = world.api().await;
    let _worker = world.worker().await;
    world.client.sign_up().await;
    let postgres = trial.servers.postgres().await;
    let killed_first = trial.dice.coin();
    let restarts = async {
        for kill in [killed_first, !killed_first] {
            trial.dice.pause(300..1000).await;
            if kill {
                postgres.kill();
            } else {
                postgres.stop().await;
            }
            world.becomes(&api, 503, "unready").await;
            trial.dice.pause(0..1000).await;
            postgres.start().await;
            world.becomes(&api, 200, "ready").await;
        }
    };
    let pace = Duration::from_secs(6) / u32::try_from(trial.jobs()).unwrap();
    join!(world.client.enqueue_all(0..trial.jobs(), pace), restarts);
    world.accuse().await;
}
