//! What happened to jobs.

use chrono::TimeDelta;
use darkroom::{
    adapters::db::{
        events::*,
        jobs::{CancelJob, RetryJob},
        queue::*,
    },
    domain::{
        error::{Code, Error},
        ids::{EventId, JobId},
        job::{Event, JobStatus, Outcome},
    },
};
use uuid::Uuid;

use crate::sandbox::{LEASE, Sandbox, made, now, seconds};

fn statuses(events: &[Event]) -> Vec<JobStatus> {
    events.iter().map(|event| event.job.status).collect()
}

pub async fn every_change_of_state_is_written_down(sandbox: &Sandbox) {
    use JobStatus::{Cancelled, Failed, Queued, Running, Succeeded};
    let user = sandbox.user("ada").await;
    let image = sandbox.image(&user).await;
    let job = sandbox.job(&image, 1).await;
    let (user_id, worker, mut at) = (user.id, Uuid::now_v7(), now());
    let finish = |outcome, now| FinishJob {
        worker,
        user_id,
        job_id: job.id,
        variant_id: job.variant_id,
        outcome,
        now,
    };
    let of_job = |after| EventsOfJob { user_id, job_id: job.id, after };

    sandbox.lease(worker, 1, at).await;
    at += seconds(LEASE);
    sandbox.lease(worker, 1, at).await;
    let outage = Error::unavailable("the storage", "gone");
    sandbox.get(finish(Outcome::Retry(outage, std::time::Duration::ZERO), at)).await;
    sandbox.get(CancelJob { user_id, id: job.id, now: at }).await;
    sandbox.get(RetryJob { user_id, id: job.id, now: at }).await;
    sandbox.lease(worker, 1, at).await;
    sandbox.get(ReleaseJobs { worker, now: at }).await;
    sandbox.lease(worker, 1, at).await;
    sandbox.get(finish(Outcome::Fail(Error::new(Code::ImageCorrupt, "torn")), at)).await;
    sandbox.get(RetryJob { user_id, id: job.id, now: at }).await;
    sandbox.lease(worker, 1, at).await;
    sandbox.get(finish(Outcome::Done(made("key")), at)).await;

    let events = sandbox.get(of_job(None)).await;
    let expected = [
        Queued, Running, Queued, Running, Queued, Cancelled, Queued, Running, Queued, Running,
        Failed, Queued, Running, Succeeded,
    ];
    assert_eq!(statuses(&events), expected);
    assert_eq!(events[2].job.error.as_ref().unwrap().code, "worker_lost");
    assert_eq!(events[4].job.error.as_ref().unwrap().code, "dependency_unavailable");
    assert_eq!(events[10].job.error.as_ref().unwrap().code, "image_corrupt");
    assert_eq!(events[13].job.error, None);
    assert_eq!((events[13].job.id, &events[13].job.spec), (job.id, &job.spec));
    for (index, event) in events.iter().enumerate() {
        let after = sandbox.get(of_job(Some(event.id))).await;
        assert_eq!(statuses(&after), expected[index + 1..], "after the {index}th");
    }
    let unknown = sandbox.get(of_job(Some(EventId::new()))).await;
    assert_eq!(unknown.len(), events.len(), "who names no event of the job gets them all");

    let all = EventsOfUser { user_id, after: EventId::first_of(job.created_at), limit: 5 };
    assert_eq!(statuses(&sandbox.get(all.clone()).await), expected[..5]);
    let rest = EventsOfUser { after: events[4].id, limit: 100, ..all };
    assert_eq!(statuses(&sandbox.get(rest).await), expected[5..]);
    let changed = sandbox.get(ChangedSince { after: events[12].id }).await;
    assert_eq!(changed, [(events[13].id, user_id, job.id)]);
}

pub async fn events_are_their_accounts_own(sandbox: &Sandbox) {
    let (ada, bob) = (sandbox.user("ada").await, sandbox.user("bob").await);
    let job = sandbox.job(&sandbox.image(&ada).await, 1).await;
    let of_job = |user_id, job_id| EventsOfJob { user_id, job_id, after: None };
    assert_eq!(sandbox.get(of_job(ada.id, job.id)).await.len(), 1);
    assert_eq!(sandbox.refusal(of_job(bob.id, job.id)).await, Code::NotFound);
    assert_eq!(sandbox.refusal(of_job(ada.id, JobId::new())).await, Code::NotFound);
    let after = EventId::first_of(job.created_at - TimeDelta::days(1));
    assert_eq!(sandbox.get(EventsOfUser { user_id: bob.id, after, limit: 9 }).await, []);
}

pub async fn old_events_are_forgotten(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let job = sandbox.job(&sandbox.image(&user).await, 1).await;
    assert_eq!(sandbox.get(PurgeEvents { before: job.created_at - seconds(1) }).await, 0);
    assert_eq!(sandbox.get(PurgeEvents { before: now() + seconds(1) }).await, 1);
    let of_job = EventsOfJob { user_id: user.id, job_id: job.id, after: None };
    assert_eq!(sandbox.get(of_job).await, []);
}
