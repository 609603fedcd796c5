//! Jobs as they change, for those who watch.

use bytes::BytesMut;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::sandbox::{Account, ROCKET, Sandbox, problem, text};

const API: &[(&str, &str)] = &[("ROLE", "api")];
const WORKER: &[(&str, &str)] = &[("ROLE", "worker")];

/// One event, as it came.
#[derive(Debug, Clone)]
struct Event {
    id: String,
    job: Value,
}

/// A stream of events that is being read.
struct Events {
    answer: reqwest::Response,
    read: BytesMut,
}

impl Events {
    async fn open(account: &Account<'_>, path: &str, after: Option<&str>) -> Self {
        let mut request = account.request(Method::GET, path).header("accept", "text/event-stream");
        if let Some(id) = after {
            request = request.header("last-event-id", id);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        Self { answer, read: BytesMut::new() }
    }

    /// The next event; `None` at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.read.windows(2).position(|pair| pair == b"\n\n") {
                let block = self.read.split_to(end + 2);
                let block = std::str::from_utf8(&block).unwrap();
                let field = |name: &str| {
                    block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
                };
                let Some(data) = field("data:") else { continue };
                assert_eq!(field("event:"), Some("job"));
                let id = field("id:").unwrap().to_owned();
                return Some(Event { id, job: serde_json::from_str(data).unwrap() });
            }
            let piece =
                tokio::time::timeout(std::time::Duration::from_secs(60), self.answer.chunk());
            self.read.extend_from_slice(&piece.await.expect("something").unwrap()?);
        }
    }

    /// Everything up to the end.
    async fn rest(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

fn statuses(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.job["status"].as_str().unwrap()).collect()
}

fn path_of(accepted: &Value) -> String {
    format!("/api/v1/jobs/{}/events", text(accepted, "job_id"))
}

#[tokio::test]
async fn a_job_is_followed_to_its_end_whichever_process_runs_it() {
    let api = Sandbox::on_postgres_with(API).await;
    let ada = api.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let accepted = ada.enqueue(&image, &json!({ "resize": { "width": 20 } })).await;
    let mut events = Events::open(&ada, &path_of(&accepted), None).await;
    let first = events.next().await.unwrap();
    assert_eq!((&first.job["id"], &first.job["status"]), (&accepted["job_id"], &json!("queued")));
    // It comes to life while somebody watches, in another process, without a word between the two.
    let _worker = api.beside(WORKER).await;
    let rest = events.rest().await;
    assert_eq!(statuses(&rest), ["running", "succeeded"], "and then the stream ends");
    assert_eq!(rest[1].job, ada.get(&text(&accepted, "status_url")).await);

    // Who comes back gets what came after, and who comes late everything.
    let again = Events::open(&ada, &path_of(&accepted), Some(&first.id)).await.rest().await;
    assert_eq!(statuses(&again), ["running", "succeeded"]);
    let end = Events::open(&ada, &path_of(&accepted), Some(&rest[1].id)).await.rest().await;
    assert_eq!(statuses(&end), [""; 0]);
    let all = Events::open(&ada, &path_of(&accepted), None).await.rest().await;
    assert_eq!(statuses(&all), ["queued", "running", "succeeded"]);
}

#[tokio::test]
async fn an_account_follows_all_its_jobs_and_no_others() {
    let sandbox = Sandbox::start().await;
    let (ada, bob) = (sandbox.register("ada").await, sandbox.register("bob").await);
    let (image, other) = (ada.upload(ROCKET).await, bob.upload(ROCKET).await);
    let mut events = Events::open(&ada, "/api/v1/events", None).await;
    let spec = json!({ "resize": { "width": 20 } });
    let of_bob = bob.enqueue(&other, &spec).await;
    let first = ada.enqueue(&image, &spec).await;
    let second = ada.enqueue(&image, &json!({ "resize": { "width": 21 } })).await;
    let mut seen = Vec::new();
    while seen.len() < 6 {
        seen.push(events.next().await.unwrap());
    }
    for accepted in [&first, &second] {
        let of_job: Vec<_> =
            seen.iter().filter(|event| event.job["id"] == accepted["job_id"]).cloned().collect();
        assert_eq!(statuses(&of_job), ["queued", "running", "succeeded"]);
    }
    // A client that was away gets all that it missed; what it knows may come again.
    let mut again = Events::open(&ada, "/api/v1/events", Some(&seen[1].id)).await;
    let mut missed: Vec<_> = seen[2..].iter().map(|event| event.id.clone()).collect();
    while !missed.is_empty() {
        let event = again.next().await.unwrap();
        missed.retain(|id| *id != event.id);
    }
    bob.finished(&text(&of_bob, "job_id")).await;
}

#[tokio::test]
async fn what_a_job_went_through_is_told_to_the_letter() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let torn = ada
        .request(Method::POST, "/api/v1/images")
        .header("content-type", "image/jpeg")
        .body(&ROCKET[..20_000]);
    let image = text(&crate::sandbox::expect(torn.send().await, StatusCode::CREATED).await, "id");
    let accepted = ada.enqueue(&image, &json!({ "resize": { "width": 20 } })).await;
    let events = Events::open(&ada, &path_of(&accepted), None).await.rest().await;
    assert_eq!(statuses(&events), ["queued", "running", "failed"]);
    assert_eq!(events[2].job["error"]["code"], "image_corrupt");
    let retry = format!("/api/v1/jobs/{}/retry", text(&accepted, "job_id"));
    ada.post(&retry, &json!({}), StatusCode::ACCEPTED).await;
    let again = Events::open(&ada, &path_of(&accepted), Some(&events[2].id)).await.rest().await;
    assert_eq!(statuses(&again), ["queued", "running", "failed"]);
}

#[tokio::test]
async fn others_see_nothing_and_nonsense_is_refused() {
    let sandbox = Sandbox::start().await;
    let (ada, bob) = (sandbox.register("ada").await, sandbox.register("bob").await);
    let image = ada.upload(ROCKET).await;
    let accepted = ada.enqueue(&image, &json!({ "resize": { "width": 20 } })).await;
    let path = path_of(&accepted);
    problem(bob.request(Method::GET, &path).send().await, 404, "not_found").await;
    problem(ada.request(Method::GET, "/api/v1/jobs/x/events").send().await, 404, "not_found").await;
    for path in [path.as_str(), "/api/v1/events"] {
        let request = ada.request(Method::GET, path).header("last-event-id", "x");
        problem(request.send().await, 400, "validation_failed").await;
        problem(sandbox.request(Method::GET, path).send().await, 401, "unauthenticated").await;
    }
    ada.finished(&text(&accepted, "job_id")).await;
}

#[tokio::test]
async fn a_process_that_stops_ends_its_streams() {
    let mut sandbox = Sandbox::start().await;
    let events = {
        let ada = sandbox.register("ada").await;
        Events::open(&ada, "/api/v1/events", None).await
    };
    let started = std::time::Instant::now();
    sandbox.stop();
    assert!(events.rest().await.is_empty());
    assert!(started.elapsed().as_secs() < 15, "nobody waited for them");
}
