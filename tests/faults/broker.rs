//! RabbitMQ, without which jobs are accepted and wait.

use std::time::Duration;

use futures_util::join;

use crate::{
    proxy::{Link, Proxy},
    round::Trial,
    world::{Ports, World},
};

/// Nobody listens where it should be, and then it is there.
pub async fn absent_at_start(trial: Trial) {
    let servers = Ports::of(&trial).await;
    let proxy = Proxy::before(servers.rabbitmq.unwrap(), Link::Cut);
    let world = World::over(&trial, Ports { rabbitmq: Some(proxy.port), ..servers }).await;
    let api = world.api().await;
    let _worker = world.worker().await;
    world.client.sign_up().await;
    world.becomes(&api, 200, "degraded").await;
    world.client.enqueue_all(0..trial.jobs() / 2, Duration::ZERO).await;
    assert_eq!(world.readiness(&api).await, (200, "degraded".to_owned()));
    proxy.set(Link::Open);
    world.becomes(&api, 200, "ready").await;
    world.accuse().await;
}

/// It stops, or dies, with messages on their way to it and from it, and is away for a while.
pub async fn stopped_under_load(trial: Trial) {
    let world = World::new(&trial).await;
    let api = world.api().await;
    let _worker = world.worker().await;
    world.client.sign_up().await;
    let broker = trial.servers.rabbitmq().await;
    let away = Duration::from_secs(trial.either(20, 2));
    let outage = async {
        world.something_begins(world.last_begun().await).await;
        trial.dice.pause(100..700).await;
        if trial.dice.coin() {
            broker.kill();
        } else {
            broker.stop().await;
        }
        world.becomes(&api, 200, "degraded").await;
        // One more is accepted while it is away, whatever has become of the others by then.
        world.client.enqueue(trial.jobs(), "").await;
        tokio::time::sleep(away).await;
        broker.start().await;
        world.becomes(&api, 200, "ready").await;
    };
    let pace = (away + Duration::from_secs(5)) / u32::try_from(trial.jobs()).unwrap();
    join!(world.client.enqueue_all(0..trial.jobs(), pace), outage);
    world.accuse().await;
}
