//! One process, with a SQLite database and files of its own.

use std::time::Duration;

use futures_util::join;
use reqwest::{Method, Response, StatusCode};

use crate::{
    client::PICTURE,
    disk::Disk,
    process::Process,
    round::Trial,
    world::{World, eventually},
};

/// Killed as it writes, and started again on the same directory.
pub async fn killed_while_it_writes(trial: Trial) {
    let world = World::embedded(&trial);
    let mut server = world.serve("both", &[]).await;
    world.client.sign_up().await;
    let killing = async {
        // A job that ran alone when its worker vanished three times is given up on: killed more often, one might be.
        for _ in 0..trial.either(3, 2) {
            trial.dice.pause(50..500).await;
            server.kill();
            server = world.serve("both", &[]).await;
        }
        server
    };
    let load = world.client.enqueue_all(0..trial.jobs(), Duration::from_millis(15));
    let ((), _server) = join!(load, killing);
    world.accuse().await;
}

/// The directory is the server's alone while it lives, and no longer.
pub async fn a_second_server_is_refused(trial: Trial) {
    let world = World::embedded(&trial);
    let first = world.serve("both", &[]).await;
    let mut command = world.command("serve");
    command.env("PORT", "0");
    let mut second = Process::begin("a second server".to_owned(), command);
    let status = eventually(async || {
        assert!(!second.has_said("serving on"), "two serve on one directory");
        second.has_ended()
    })
    .await;
    assert!(matches!(status.code(), Some(71 | 78)), "{status}: {}", second.said());
    let directory = world.data.to_str().unwrap();
    assert!(second.said().contains(directory), "not said where: {}", second.said());

    world.client.sign_up().await;
    world.client.enqueue(0, "").await;
    first.kill();
    let _third = world.serve("both", &[]).await;
    world.accuse().await;
}

/// Nothing can be written any more; then there is room again.
pub async fn the_disk_is_full(trial: Trial) {
    let world = World::embedded(&trial);
    let disk = Disk::at(&world.data);
    let command = world.command_in(disk.runner(), "serve");
    let mut server = world.serve_by("both", command).await;
    let pid = server.process().pid();
    let client = &world.client;
    client.sign_up().await;
    client.enqueue_all(0..10, Duration::ZERO).await;
    world.accuse().await;

    // Some are under way when it happens.
    client.enqueue_all(10..20, Duration::ZERO).await;
    disk.fill(pid);
    for number in 20..40 {
        let upload = client.request(Method::POST, "/api/v1/images?filename=cat.png");
        let upload = upload.header("content-type", "image/png").body(PICTURE).send().await;
        let uploaded = unless_refused(upload.unwrap(), StatusCode::CREATED).await;
        assert_eq!(uploaded, None, "there was room");
        let order = client.order(number, &format!("job-{number}-")).send().await.unwrap();
        // The database may have a page or two left.
        if let Some(answer) = unless_refused(order, StatusCode::ACCEPTED).await {
            client.accept(number, &serde_json::from_str(&answer).unwrap());
        }
    }
    let health = client.http.get(format!("{}/health", server.url)).send().await.unwrap();
    assert_eq!(health.status(), StatusCode::OK);
    let content = format!("/api/v1/images/{}/content", client.image(0));
    let content = client.request(Method::GET, &content).send().await.unwrap();
    assert_eq!(content.status(), StatusCode::OK, "what is there can be had");
    assert_eq!(content.bytes().await.unwrap(), PICTURE);

    disk.clear(pid);
    client.enqueue_all(20..40, Duration::ZERO).await;
    world.accuse().await;
    world.becomes(&server, 200, "ready").await;
}

/// The body of the answer that was hoped for; none if it says clearly that it was not possible.
async fn unless_refused(answer: Response, hoped: StatusCode) -> Option<String> {
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = answer.text().await.unwrap();
    if status == hoped {
        return Some(body);
    }
    assert!(status.is_server_error(), "{status}: {body}");
    assert_eq!(headers["content-type"], "application/problem+json", "{body}");
    None
}
