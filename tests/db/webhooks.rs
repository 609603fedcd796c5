//! Who is told of a job's end, and what becomes of that.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use darkroom::{
    adapters::db::{
        images::DeleteImage,
        jobs::{CancelJob, EnqueueTransform, JobById, RetryJob},
        queue::{FinishJob, RenewLeases, RescueJobs},
        webhooks::*,
    },
    domain::{
        error::{Code, Error},
        ids::{DeletionId, JobId, UserId},
        image::Image,
        job::{Job, JobStatus, Outcome},
        webhook::{Attempt, Delivery, DeliveryStatus, WebhookType},
    },
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::sandbox::{LEASE, Sandbox, job, made, now, seconds, variant};

pub const HERE: &str = "https://a.example/hook";

/// Asks for a variant, and to be told of it.
pub async fn ask(sandbox: &Sandbox, image: &Image, number: u32, url: &str) -> Job {
    let variant = variant(image, number);
    let (job, webhook_url) = (job(&variant), Some(url.to_owned()));
    sandbox.get(EnqueueTransform { variant, job, webhook_url }).await.1
}

pub async fn finish(sandbox: &Sandbox, outcome: Outcome, now: DateTime<Utc>) {
    let worker = Uuid::now_v7();
    for job in sandbox.lease(worker, 100, now).await {
        let outcome = match &outcome {
            // Each makes an object of its own.
            Outcome::Done(_) => Outcome::Done(made(&job.id.to_string())),
            other => other.clone(),
        };
        let (job_id, variant_id) = (job.id, job.variant_id);
        let finish = FinishJob { worker, user_id: job.user_id, job_id, variant_id, outcome, now };
        sandbox.get(finish).await.unwrap();
    }
}

fn corrupt() -> Outcome {
    Outcome::Fail(Error::new(Code::ImageCorrupt, "it ends early"))
}

pub async fn deliveries(sandbox: &Sandbox, job: &Job) -> Vec<Delivery> {
    sandbox.get(DeliveriesOf { user_id: job.user_id, job_id: job.id }).await
}

/// What a process asks for that has nothing under way.
pub fn lease(now: DateTime<Utc>) -> LeaseWebhooks {
    let (lease, under_way) = (seconds(LEASE), HashMap::new());
    LeaseWebhooks { now, lease, limit: 100, reserved: 0, per_account: 100, under_way }
}

pub fn settle(leased: &Leased, next: Next, now: DateTime<Utc>) -> SettleWebhook {
    let (status_code, error) = match next {
        Next::Delivered => (Some(204), None),
        _ => (Some(500), Some("it was answered 500".to_owned())),
    };
    let attempt = Attempt { at: now, duration_ms: 12, status_code, error };
    SettleWebhook { id: leased.id, number: leased.attempt, attempt, next, now }
}

fn urls(leased: &[Leased]) -> Vec<&str> {
    let mut urls: Vec<_> = leased.iter().map(|leased| leased.url.as_str()).collect();
    urls.sort_unstable();
    urls
}

pub async fn a_jobs_end_is_told_to_all_who_asked(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let image = sandbox.image(&user).await;
    let first = ask(sandbox, &image, 1, HERE).await;
    for url in ["https://b.example/", HERE] {
        assert_eq!(ask(sandbox, &image, 1, url).await, first, "it joins the job");
    }
    let unasked = sandbox.job(&image, 2).await;
    assert_eq!(deliveries(sandbox, &first).await, [], "it has not ended");
    let at = now();
    finish(sandbox, Outcome::Done(made("key")), at).await;

    let told = deliveries(sandbox, &first).await;
    assert_eq!(told.len(), 2, "each receiver once: {told:?}");
    for delivery in &told {
        assert_eq!(delivery.event, WebhookType::JobSucceeded);
        assert_eq!((delivery.status, delivery.due_at), (DeliveryStatus::Pending, at));
        assert_eq!((delivery.created_at, delivery.finished_at), (at, None));
        assert_eq!(delivery.attempts, []);
    }
    assert_eq!(deliveries(sandbox, &unasked).await, []);

    let leased = sandbox.get(lease(at)).await;
    assert_eq!(urls(&leased), [HERE, "https://b.example/"]);
    assert_eq!(leased[0].secrets, leased[1].secrets);
    let body: Value = serde_json::from_str(&leased[0].body).unwrap();
    assert_eq!(body["type"], "job.succeeded");
    assert_eq!(body["timestamp"], json!(at));
    let data = &body["data"];
    assert_eq!((&data["id"], &data["status"]), (&json!(first.id), &json!("succeeded")));
    assert_eq!(data["finished_at"], json!(at));
    assert!(data.get("user_id").is_none(), "nobody's business: {data}");
    // It can't end again, so nothing is kept of who asked: the same rows would be refused.
    sandbox.meddle("INSERT INTO webhooks SELECT job_id, url FROM webhook_deliveries").await;
}

pub async fn a_failure_is_told_and_so_is_what_follows_a_retry(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let image = sandbox.image(&user).await;
    let job = ask(sandbox, &image, 1, HERE).await;
    finish(sandbox, corrupt(), now()).await;
    let told = deliveries(sandbox, &job).await;
    assert_eq!(told.iter().map(|told| told.event).collect::<Vec<_>>(), [WebhookType::JobFailed]);
    let body: Value = serde_json::from_str(&sandbox.get(lease(now())).await[0].body).unwrap();
    assert_eq!(body["data"]["error"]["code"], "image_corrupt");

    sandbox.get(RetryJob { user_id: user.id, id: job.id, now: now() }).await;
    finish(sandbox, Outcome::Done(made("key")), now()).await;
    let told = deliveries(sandbox, &job).await;
    let events: Vec<_> = told.iter().map(|told| told.event).collect();
    assert_eq!(events, [WebhookType::JobFailed, WebhookType::JobSucceeded]);
    assert_ne!(told[0].id, told[1].id);
}

pub async fn a_retry_by_itself_and_a_cancellation_are_told_to_nobody(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let image = sandbox.image(&user).await;
    let job = ask(sandbox, &image, 1, HERE).await;
    let later = Outcome::Retry(Error::unavailable("the storage", "gone"), LATER);
    finish(sandbox, later, now()).await;
    assert_eq!(deliveries(sandbox, &job).await, []);
    sandbox.get(CancelJob { user_id: user.id, id: job.id, now: now() }).await;
    assert_eq!(deliveries(sandbox, &job).await, []);
    // Whoever asks then has another job.
    let next = ask(sandbox, &image, 1, HERE).await;
    assert_ne!(next.id, job.id);
    finish(sandbox, Outcome::Done(made("key")), now()).await;
    assert_eq!(deliveries(sandbox, &next).await.len(), 1);
}

const LATER: std::time::Duration = std::time::Duration::from_secs(3600);

pub async fn a_job_that_is_done_is_told_at_once_each_time(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let image = sandbox.image(&user).await;
    sandbox.job(&image, 1).await;
    finish(sandbox, Outcome::Done(made("key")), now()).await;
    let job = ask(sandbox, &image, 1, HERE).await;
    assert_eq!(job.status, JobStatus::Succeeded);
    assert_eq!(ask(sandbox, &image, 1, HERE).await.id, job.id);
    let told = deliveries(sandbox, &job).await;
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|told| told.event == WebhookType::JobSucceeded));
    assert!(told[0].created_at >= job.finished_at.unwrap(), "told when it was asked for");
}

pub async fn a_job_that_workers_are_lost_over_is_told_to_have_failed(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let job = ask(sandbox, &sandbox.image(&user).await, 1, HERE).await;
    let mut at = now();
    for _ in 0..3 {
        assert_eq!(deliveries(sandbox, &job).await, []);
        assert_eq!(sandbox.lease(Uuid::now_v7(), 1, at).await.len(), 1);
        at += seconds(LEASE);
        sandbox.get(RescueJobs { now: at, ended: at }).await;
    }
    let told = deliveries(sandbox, &job).await;
    assert_eq!(told.iter().map(|told| told.event).collect::<Vec<_>>(), [WebhookType::JobFailed]);
}

pub async fn whoever_asks_while_a_job_ends_is_told(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let image = sandbox.image(&user).await;
    for number in 0..6 {
        let first = ask(sandbox, &image, number, "https://first.example/").await;
        let asking = (0..4).map(|n| {
            let variant = variant(&image, number);
            let webhook_url = Some(format!("https://{n}.example/"));
            EnqueueTransform { job: job(&variant), variant, webhook_url }
        });
        let cancel = CancelJob { user_id: user.id, id: first.id, now: now() };
        let (answers, _) = tokio::join!(sandbox.together(asking.collect()), sandbox.ask(cancel));
        finish(sandbox, Outcome::Done(made("key")), now()).await;
        for (n, answer) in answers.into_iter().enumerate() {
            let (_, job) = answer.unwrap();
            let told = deliveries(sandbox, &job).await;
            let url = format!("https://{n}.example/");
            let mine = told.iter().filter(|told| told.url == url).count();
            // Its job may have been cancelled after it joined; nothing else may have become of it.
            assert!(mine == 1 || job.id == first.id && told.is_empty(), "{url}: {told:?}");
        }
    }
}

pub async fn no_two_processes_send_one_delivery(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let image = sandbox.image(&user).await;
    for number in 0..20 {
        ask(sandbox, &image, number, HERE).await;
    }
    let at = now();
    finish(sandbox, Outcome::Done(made("key")), at).await;
    let asked = (0..8).map(|_| LeaseWebhooks { limit: 5, ..lease(at) }).collect();
    let answers = sandbox.together(asked).await;
    let leased: Vec<_> = answers.into_iter().flat_map(Result::unwrap).collect();
    let ids: HashSet<_> = leased.iter().map(|leased| leased.id).collect();
    assert_eq!(ids.len(), leased.len(), "each once");
    let rest = sandbox.get(lease(at)).await;
    assert_eq!(leased.len() + rest.len(), 20, "all of them");
    assert_eq!(sandbox.get(lease(at)).await, []);
}

pub async fn a_delivery_of_a_dead_process_is_another_processes(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let job = ask(sandbox, &sandbox.image(&user).await, 1, HERE).await;
    let at = now();
    finish(sandbox, Outcome::Done(made("key")), at).await;
    let dead = sandbox.get(lease(at)).await.remove(0);
    assert_eq!(dead.attempt, 1);
    assert_eq!(sandbox.get(lease(at + seconds(LEASE - 1))).await, []);
    let at = at + seconds(LEASE);
    let alive = sandbox.get(lease(at)).await.remove(0);
    assert_eq!((alive.id, alive.attempt), (dead.id, 2), "the same, once more");
    assert_eq!((&alive.body, &alive.secrets), (&dead.body, &dead.secrets));
    // It was not dead, only slow: what it says no longer counts, unless it did deliver.
    assert!(!sandbox.get(settle(&dead, Next::Again(at + seconds(9)), at)).await);
    assert!(!sandbox.get(settle(&dead, Next::GivenUp, at)).await);
    assert_eq!(deliveries(sandbox, &job).await[0].status, DeliveryStatus::Pending);
    assert!(sandbox.get(settle(&dead, Next::Delivered, at)).await);
    assert!(!sandbox.get(settle(&alive, Next::Again(at), at)).await);
    assert_eq!(deliveries(sandbox, &job).await[0].status, DeliveryStatus::Delivered);
    assert_eq!(sandbox.get(lease(at + seconds(9999))).await, []);
}

pub async fn every_attempt_is_told(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let job = ask(sandbox, &sandbox.image(&user).await, 1, HERE).await;
    let mut at = now();
    finish(sandbox, Outcome::Done(made("key")), at).await;
    for number in 1..=2 {
        let leased = sandbox.get(lease(at)).await.remove(0);
        assert_eq!(leased.attempt, number);
        let again = at + seconds(5);
        assert!(sandbox.get(settle(&leased, Next::Again(again), at)).await);
        assert_eq!(sandbox.get(lease(again - seconds(1))).await, [], "not before then");
        at = again;
    }
    let leased = sandbox.get(lease(at)).await.remove(0);
    assert!(sandbox.get(settle(&leased, Next::Delivered, at)).await);
    let told = deliveries(sandbox, &job).await.remove(0);
    assert_eq!((told.status, told.finished_at), (DeliveryStatus::Delivered, Some(at)));
    let codes: Vec<_> = told.attempts.iter().map(|attempt| attempt.status_code).collect();
    assert_eq!(codes, [Some(500), Some(500), Some(204)]);
    assert_eq!(told.attempts[0].error.as_deref(), Some("it was answered 500"));
    assert_eq!((told.attempts[2].at, told.attempts[2].duration_ms), (at, 12));
}

pub async fn who_asks_for_a_job_that_is_to_stop_is_told_of_its_end(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let image = sandbox.image(&user).await;
    for (number, outcome) in [(1, Outcome::Done(made("key"))), (2, Outcome::Cancelled)] {
        let variant = variant(&image, number);
        sandbox.get(EnqueueTransform { job: job(&variant), variant, webhook_url: None }).await;
        let worker = Uuid::now_v7();
        let running = sandbox.lease(worker, 1, now()).await.remove(0);
        sandbox.get(CancelJob { user_id: user.id, id: running.id, now: now() }).await;
        assert_eq!(ask(sandbox, &image, number, HERE).await.id, running.id);
        let held = RenewLeases { worker, jobs: vec![running.id], lease_until: now() };
        assert_eq!(sandbox.get(held).await, [(running.id, false)], "it is wanted again");
        let (job_id, variant_id) = (running.id, running.variant_id);
        let again = matches!(outcome, Outcome::Cancelled);
        let finished =
            FinishJob { worker, user_id: user.id, job_id, variant_id, outcome, now: now() };
        let (status, is_told) = sandbox.get(finished).await.unwrap();
        assert_eq!((status == JobStatus::Queued, is_told), (again, true));
        if again {
            // It had stopped by then.
            let next = JobById { user_id: user.id, id: running.id };
            assert_eq!(
                sandbox.get(next).await,
                Job { status: JobStatus::Queued, attempts: 0, ..running.clone() }
            );
            finish(sandbox, Outcome::Done(made("key2")), now()).await;
        }
        let told = deliveries(sandbox, &running).await;
        assert_eq!(
            told.iter().map(|told| told.event).collect::<Vec<_>>(),
            [WebhookType::JobSucceeded]
        );
    }
}

pub async fn a_disabled_account_is_known(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    ask(sandbox, &sandbox.image(&user).await, 1, HERE).await;
    let at = now();
    finish(sandbox, Outcome::Done(made("key")), at).await;
    sandbox.meddle("UPDATE users SET disabled = TRUE").await;
    assert!(sandbox.get(lease(at)).await[0].disabled);
}

pub async fn deliveries_are_their_accounts_own_and_go_with_their_picture(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let image = sandbox.image(&user).await;
    let job = ask(sandbox, &image, 1, HERE).await;
    finish(sandbox, Outcome::Done(made("key")), now()).await;
    for (user_id, job_id) in
        [(sandbox.user("eve").await.id, job.id), (UserId::new(), job.id), (user.id, JobId::new())]
    {
        let theirs = DeliveriesOf { user_id, job_id };
        assert_eq!(sandbox.refusal(theirs).await, Code::NotFound);
    }
    let leased = sandbox.get(lease(now())).await.remove(0);
    let delete =
        DeleteImage { user_id: user.id, id: image.id, deletion_id: DeletionId::new(), now: now() };
    sandbox.get(delete).await;
    assert!(!sandbox.get(settle(&leased, Next::Delivered, now())).await);
    assert_eq!(sandbox.get(lease(now() + seconds(LEASE))).await, []);
}

pub async fn what_ended_long_ago_is_forgotten(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let image = sandbox.image(&user).await;
    let (first, second) =
        (ask(sandbox, &image, 1, HERE).await, ask(sandbox, &image, 2, HERE).await);
    let at = now();
    finish(sandbox, Outcome::Done(made("key")), at).await;
    for leased in sandbox.get(lease(at)).await {
        let told: Value = serde_json::from_str(&leased.body).unwrap();
        if told["data"]["id"] == json!(first.id) {
            assert!(sandbox.get(settle(&leased, Next::GivenUp, at)).await);
        }
    }
    assert_eq!(sandbox.get(PurgeWebhooks { before: at, limit: 9, now: at }).await, 0);
    assert_eq!(deliveries(sandbox, &first).await[0].status, DeliveryStatus::Failed);
    let later = |limit| PurgeWebhooks { before: at + seconds(1), limit, now: at };
    assert_eq!(sandbox.get(later(0)).await, 0);
    assert_eq!(sandbox.get(later(9)).await, 1);
    assert_eq!(deliveries(sandbox, &first).await, []);
    assert_eq!(deliveries(sandbox, &second).await.len(), 1, "it is pending still");
}
