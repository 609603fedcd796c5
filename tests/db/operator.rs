//! Jobs in the hands of an operator.

use darkroom::{
    adapters::db::{jobs::CancelJob, operator::*, variants::VariantById},
    domain::{error::Code, ids::JobId, job::JobStatus},
};
use uuid::Uuid;

use crate::sandbox::{Sandbox, now, seconds};

pub async fn an_operator_sees_all_and_retries_any(sandbox: &Sandbox) {
    let (ada, bob) = (sandbox.user("ada").await, sandbox.user("bob").await);
    let first = sandbox.job(&sandbox.image(&ada).await, 1).await;
    let second = sandbox.job(&sandbox.image(&bob).await, 1).await;
    let at = now();
    let all = |status| AllJobs { status, limit: 9 };
    let ids = |jobs: Vec<darkroom::domain::job::Job>| {
        jobs.into_iter().map(|job| job.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(sandbox.get(all(None)).await), [second.id, first.id]);
    sandbox.get(CancelJob { user_id: bob.id, id: second.id, now: at }).await;
    assert_eq!(ids(sandbox.get(all(Some(JobStatus::Cancelled))).await), [second.id]);
    let again = sandbox.get(RetryAnyJob { id: second.id, now: at }).await;
    assert_eq!((again.id, again.status), (second.id, JobStatus::Queued));
    assert_eq!(sandbox.lease(Uuid::now_v7(), 9, at).await.len(), 2, "it is in the queue again");
    assert_eq!(sandbox.refusal(RetryAnyJob { id: JobId::new(), now: at }).await, Code::NotFound);
}

pub async fn a_purge_forgets_what_ended_and_nothing_else(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let image = sandbox.image(&user).await;
    let (ended, waiting) = (sandbox.job(&image, 1).await, sandbox.job(&image, 2).await);
    let at = now();
    sandbox.get(CancelJob { user_id: user.id, id: ended.id, now: at }).await;
    let purge = |status, before| PurgeJobs { status, before, limit: 10 };
    assert_eq!(sandbox.get(purge(JobStatus::Cancelled, at)).await, 0, "not before its time");
    let later = at + seconds(1);
    assert_eq!(sandbox.get(purge(JobStatus::Succeeded, later)).await, 0);
    assert_eq!(sandbox.get(purge(JobStatus::Queued, later)).await, 0, "what has not ended stays");
    assert_eq!(sandbox.get(purge(JobStatus::Cancelled, later)).await, 1);
    let left = sandbox.get(AllJobs { status: None, limit: 9 }).await;
    assert_eq!(left.into_iter().map(|job| job.id).collect::<Vec<_>>(), [waiting.id]);
    let variant = VariantById { user_id: user.id, id: ended.variant_id };
    assert_eq!(sandbox.get(variant).await.id, ended.variant_id, "what it was for stays");
}
