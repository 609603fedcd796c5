//! SIGTERM under load: what was begun is finished, what was not is somebody else's.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt, join, stream};
use reqwest::{Body, Method, RequestBuilder, StatusCode};

use crate::{
    client::{Client, PICTURE, spec},
    round::Trial,
    world::World,
};

/// Clients that ask without a pause.
const CLIENTS: usize = 16;

/// Whoever has a connection gets an answer, and a good one.
pub async fn an_api_under_load(trial: Trial) {
    let world = World::new(&trial).await;
    let api = world.api().await;
    world.client.sign_up().await;
    let (asked, in_flight) = (AtomicUsize::default(), AtomicUsize::default());
    let clients = stream::iter(0..CLIENTS).for_each_concurrent(None, async |_| {
        while let Some(()) = {
            let number = asked.fetch_add(1, Relaxed);
            in_flight.fetch_add(1, Relaxed);
            let answered = ask(&world.client, number).await;
            in_flight.fetch_sub(1, Relaxed);
            answered
        } {}
    });
    let stopping = async {
        trial.dice.pause(700..1500).await;
        assert!(in_flight.load(Relaxed) > 0, "no request was in flight");
        api.terminate().await;
    };
    join!(clients, stopping);
    let _api = world.api().await;
    let _worker = world.worker().await;
    world.accuse().await;
}

/// Asks the `number`th question; none if nobody listens any more.
async fn ask(client: &Client, number: usize) -> Option<()> {
    let (request, expected) = question(client, number);
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) if error.is_connect() => return None,
        Err(error) => panic!("request {number} got no answer: {error:?}"),
    };
    let status = answer.status();
    let body = answer.bytes().await.unwrap_or_else(|error| panic!("half an answer: {error:?}"));
    assert_eq!(status, expected, "{}", String::from_utf8_lossy(&body));
    if status == StatusCode::ACCEPTED {
        client.accept(number, &serde_json::from_slice(&body).unwrap());
    }
    Some(())
}

fn question(client: &Client, number: usize) -> (RequestBuilder, StatusCode) {
    let upload = |body: Body| {
        let request = client.request(Method::POST, "/api/v1/images?filename=cat.png");
        (request.header("content-type", "image/png").body(body), StatusCode::CREATED)
    };
    match number % 5 {
        0 => upload(PICTURE.into()),
        1 => upload(slowly(PICTURE)),
        2 => {
            let path = format!("/api/v1/images/{}/transform?sync=true", client.image(number));
            // Not one of those that jobs are about.
            let spec = spec(number + 5000);
            (client.request(Method::POST, &path).json(&spec), StatusCode::OK)
        }
        3 => {
            let path = format!("/api/v1/images/{}/content", client.image(number));
            (client.request(Method::GET, &path), StatusCode::OK)
        }
        _ => (client.order(number, &format!("job-{number}")), StatusCode::ACCEPTED),
    }
}

/// A body that takes half a second.
fn slowly(bytes: &'static [u8]) -> Body {
    let pieces = bytes.chunks(bytes.len() / 10);
    Body::wrap_stream(stream::iter(pieces).then(async |piece| {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok::<_, Infallible>(Bytes::from_static(piece))
    }))
}

/// It finishes what it can and puts back the rest.
pub async fn a_worker_under_load(trial: Trial) {
    let world = World::new(&trial).await;
    let _api = world.api().await;
    world.client.sign_up().await;
    let (mut lot, mut jobs) = (trial.jobs(), 0);
    let mut interrupted = 0;
    while interrupted < trial.either(3, 2) {
        world.client.enqueue_all(jobs..jobs + lot, Duration::ZERO).await;
        jobs += lot;
        let before = world.last_begun().await;
        let worker = world.worker().await;
        world.something_begins(before).await;
        trial.dice.pause(0..200).await;
        worker.terminate().await;
        let held = "SELECT count(*) FROM jobs WHERE status = 'running'";
        assert_eq!(world.ledger.count(held).await, 0, "jobs were left behind");
        if world.unfinished().await > 0 {
            interrupted += 1;
        } else {
            // It was done before it was told to stop.
            lot *= 2;
        }
    }
    let _worker = world.worker().await;
    world.accuse().await;
}
