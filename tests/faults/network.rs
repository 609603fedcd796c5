//! The network between the processes and what they need.

use std::time::Duration;

use futures_util::join;

use crate::{
    proxy::{Link, Proxy},
    round::Trial,
    world::{Ports, World},
};

/// The way to each server is broken, swallows everything, and is slow, one after the other.
pub async fn cut_silent_and_slow(trial: Trial) {
    let servers = Ports::of(&trial).await;
    let postgres = Proxy::before(servers.postgres, Link::Open);
    let redis = Proxy::before(servers.redis, Link::Open);
    let rabbitmq = servers.rabbitmq.map(|port| Proxy::before(port, Link::Open));
    let ports = Ports {
        postgres: postgres.port,
        redis: redis.port,
        rabbitmq: rabbitmq.as_ref().map(|proxy| proxy.port),
    };
    let world = World::over(&trial, ports).await;
    let api = world.api().await;
    let _worker = world.worker().await;
    world.client.sign_up().await;

    let lasts = Duration::from_millis(trial.either(2000, 700));
    let links = [Link::Cut, Link::Silent, Link::Slow(Duration::from_millis(100))];
    let faults = async {
        for proxy in [&postgres, &redis].into_iter().chain(&rabbitmq) {
            for link in links {
                proxy.set(link);
                tokio::time::sleep(lasts).await;
                proxy.set(Link::Open);
                trial.dice.pause(100..500).await;
            }
        }
    };
    let all = (lasts + Duration::from_millis(300)) * 9;
    let pace = all / u32::try_from(trial.jobs()).unwrap();
    join!(world.client.enqueue_all(0..trial.jobs(), pace), faults);
    world.accuse().await;
    world.becomes(&api, 200, "ready").await;
}
