//! Redis, on which no correctness rests.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use futures_util::join;

use crate::{round::Trial, world::World};

/// It dies with all that it has, and comes back empty: everybody is answered all the time.
pub async fn killed_under_load(trial: Trial) {
    let world = World::new(&trial).await;
    let api = world.api().await;
    let _worker = world.worker().await;
    world.client.sign_up().await;
    let redis = trial.servers.redis().await;
    let outage = async {
        trial.dice.pause(100..500).await;
        redis.kill();
        world.becomes(&api, 200, "degraded").await;
        trial.dice.pause(500..1500).await;
        redis.start().await;
        world.becomes(&api, 200, "ready").await;
    };
    let pace = Duration::from_millis(3000) / u32::try_from(trial.jobs()).unwrap();
    join!(world.client.enqueue_all(0..trial.jobs(), pace), outage);
    world.accuse().await;
    let tally = &world.client.tally;
    let unanswered = [&tally.refused, &tally.broken, &tally.unavailable, &tally.conflicts];
    assert_eq!(unanswered.map(|count| count.load(Relaxed)), [0; 4], "it was felt");
}
