//! Workers that are killed as they work.

use std::time::Duration;

use chrono::Utc;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    process::Process,
    round::Trial,
    world::{World, eventually},
};

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

/// How soon a job whose worker was killed is begun again, when another worker has nothing to do.
const AGAIN: i64 = 30_000;

/// The one that runs a job is killed; the other, which is idle, has the job in time.
pub async fn its_job_runs_again_in_time(trial: Trial) {
    let world = World::new(&trial).await;
    let _api = world.api().await;
    world.client.sign_up().await;
    let mut workers = vec![named(&world).await, named(&world).await];
    for number in 0..trial.either(3, 1) {
        // A second or two, unoptimised: enough to be struck in.
        let slow = json!({ "resize": { "width": 900, "height": 900 + number, "fit": "fill" },
                           "filters": { "blur": 40 }, "format": "jpeg" });
        let path = format!("/api/v1/images/{}/transform", world.client.image(number));
        let order = || world.client.request(Method::POST, &path).json(&slow);
        let answer = world.client.answered(order, StatusCode::ACCEPTED).await;
        world.client.accept(number, &answer);

        let holder = "SELECT max(CAST(lease_worker AS TEXT)) FROM jobs WHERE status = 'running'";
        let holder = eventually(async || world.ledger.text(holder).await).await;
        let at = workers.iter().position(|(id, _)| *id == holder).unwrap();
        let killed = Utc::now().timestamp_millis();
        workers.swap_remove(at).1.kill();

        let again = format!(
            "SELECT CAST(max(extract(epoch FROM started_at) * 1000) AS BIGINT) FROM job_events
             WHERE status = 'running' AND started_at >= to_timestamp({killed} / 1000.0)"
        );
        let begun = format!("SELECT CAST(({again}) AS TEXT)");
        eventually(async || world.ledger.text(&begun).await).await;
        let took = world.ledger.count(&again).await - killed;
        assert!(took <= AGAIN, "it ran again after {took} ms");
        eventually(async || (world.unfinished().await == 0).then_some(())).await;
        workers.push(named(&world).await);
    }
    world.accuse().await;
}

/// A worker, and what it calls itself.
async fn named(world: &World) -> (String, Process) {
    let newest = "SELECT max(CAST(id AS TEXT)) FROM workers";
    let before = world.ledger.text(newest).await;
    let worker = world.worker().await;
    let name = eventually(async || {
        world.ledger.text(newest).await.filter(|newest| before.as_ref() != Some(newest))
    });
    (name.await, worker)
}
