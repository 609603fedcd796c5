//! Jobs, as their owners see them.

use darkroom::{
    adapters::db::{
        jobs::*,
        queue::{CountUnfinished, FinishJob},
        variants::{CompleteVariant, ReserveVariant, VariantById},
    },
    domain::{
        error::{Code, Error},
        ids::{JobId, UserId},
        job::{Job, JobStatus, Outcome},
        variant::VariantStatus,
    },
};
use uuid::Uuid;

use crate::sandbox::{ENGINE, Sandbox, job, made, now, variant};

/// Leases every job that is due, and ends each with that outcome.
async fn work_off(sandbox: &Sandbox, outcome: Outcome) {
    let worker = Uuid::now_v7();
    let now = now();
    for job in sandbox.lease(worker, 100, now).await {
        let (job_id, variant_id, outcome) = (job.id, job.variant_id, outcome.clone());
        let user_id = job.user_id;
        let finish = FinishJob { worker, user_id, job_id, variant_id, outcome, now };
        sandbox.get(finish).await.unwrap();
    }
}

fn corrupt() -> Outcome {
    Outcome::Fail(Error::new(Code::ImageCorrupt, "it ends early"))
}

pub async fn an_accepted_job_is_queued(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let image = sandbox.image(&user).await;
    let variant = variant(&image, 1);
    let asked = job(&variant);
    let enqueue =
        EnqueueTransform { variant: variant.clone(), job: asked.clone(), webhook_url: None };
    assert_eq!(sandbox.get(enqueue).await, (variant, asked.clone()));
    assert_eq!(sandbox.get(JobById { user_id: user.id, id: asked.id }).await, asked);
    assert_eq!(sandbox.get(CountUnfinished {}).await, 1);
    assert_eq!(sandbox.job(&image, 1).await, asked, "an equal request, the same job");
}

pub async fn sixteen_equal_requests_make_one_job(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let image = sandbox.image(&user).await;
    let queries = (0..16).map(|_| {
        let variant = variant(&image, 1);
        EnqueueTransform { job: job(&variant), variant, webhook_url: None }
    });
    let answers = sandbox.together(queries.collect()).await;
    let ids: Vec<JobId> = answers.into_iter().map(|answer| answer.unwrap().1.id).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(sandbox.get(CountUnfinished {}).await, 1);
}

pub async fn a_ready_variant_comes_with_a_job_that_succeeded(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let image = sandbox.image(&user).await;
    // Made without a job.
    let reserved = sandbox.get(ReserveVariant { variant: variant(&image, 1) }).await;
    let (id, engine) = (reserved.id, ENGINE);
    sandbox.get(CompleteVariant { id, made: made("key"), engine, now: now() }).await;
    let first = sandbox.job(&image, 1).await;
    assert_eq!((first.status, first.variant_id), (JobStatus::Succeeded, id));
    assert!(first.finished_at.is_some());
    assert_eq!(sandbox.job(&image, 1).await, first, "and that one is kept");
    assert_eq!(sandbox.get(JobById { user_id: user.id, id: first.id }).await, first);
    // Made by a job.
    let second = sandbox.job(&image, 2).await;
    work_off(sandbox, Outcome::Done(made("key 2"))).await;
    let again = sandbox.job(&image, 2).await;
    assert_eq!((again.id, again.status), (second.id, JobStatus::Succeeded));
    assert_eq!(sandbox.get(CountUnfinished {}).await, 0);
}

pub async fn a_new_job_follows_a_failed_one(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let image = sandbox.image(&user).await;
    let failed = sandbox.job(&image, 1).await;
    work_off(sandbox, corrupt()).await;
    let next = sandbox.job(&image, 1).await;
    assert_ne!(next.id, failed.id);
    assert_eq!((next.status, next.variant_id), (JobStatus::Queued, failed.variant_id));
    let variant = sandbox.get(VariantById { user_id: user.id, id: next.variant_id }).await;
    assert_eq!((variant.status, variant.error), (VariantStatus::Pending, None));
    sandbox.get(CancelJob { user_id: user.id, id: next.id, now: now() }).await;
    let third = sandbox.job(&image, 1).await;
    assert!(third.id != next.id && third.id != failed.id);
}

pub async fn lists_filter_and_page(sandbox: &Sandbox) {
    let (user, other) = (sandbox.user("ada").await, sandbox.user("other").await);
    let (first, second) = (sandbox.image(&user).await, sandbox.image(&user).await);
    let theirs = sandbox.image(&other).await;
    sandbox.job(&theirs, 1).await;
    let mut jobs = Vec::new();
    for number in 0..3 {
        jobs.insert(0, sandbox.job(&first, number).await);
        jobs.insert(0, sandbox.job(&second, number).await);
    }
    let list = ListJobs { user_id: user.id, status: None, image_id: None, limit: 100, after: None };
    assert_eq!(sandbox.get(list.clone()).await, jobs);
    let page = ListJobs { limit: 2, after: Some(jobs[1].id), ..list.clone() };
    assert_eq!(sandbox.get(page).await, jobs[2..4]);
    let of_image = ListJobs { image_id: Some(first.id), ..list.clone() };
    let of_first: Vec<Job> = jobs.iter().filter(|job| job.image_id == first.id).cloned().collect();
    assert_eq!(sandbox.get(of_image.clone()).await, of_first);

    let cancelled = CancelJob { user_id: user.id, id: jobs[1].id, now: now() };
    let cancelled = sandbox.get(cancelled).await;
    assert_eq!(cancelled.image_id, first.id);
    let status = Some(JobStatus::Cancelled);
    let by_status = ListJobs { status, ..list.clone() };
    assert_eq!(sandbox.get(by_status).await, std::slice::from_ref(&cancelled));
    assert_eq!(sandbox.get(ListJobs { status, ..of_image }).await, [cancelled]);
    let of_second = ListJobs { status, image_id: Some(second.id), ..list.clone() };
    assert_eq!(sandbox.get(of_second).await, []);
    let strangers = ListJobs { user_id: other.id, image_id: Some(first.id), ..list };
    assert_eq!(sandbox.get(strangers).await, []);
}

pub async fn a_queued_job_is_cancelled_at_once(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let queued = sandbox.job(&sandbox.image(&user).await, 1).await;
    let at = now();
    let cancelled = sandbox.get(CancelJob { user_id: user.id, id: queued.id, now: at }).await;
    assert_eq!((cancelled.status, cancelled.finished_at), (JobStatus::Cancelled, Some(at)));
    assert_eq!(sandbox.lease(Uuid::now_v7(), 10, at).await, [], "it never runs");
}

pub async fn a_running_job_is_asked_to_stop(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let queued = sandbox.job(&sandbox.image(&user).await, 1).await;
    let at = now();
    assert_eq!(sandbox.lease(Uuid::now_v7(), 10, at).await.len(), 1);
    for _ in 0..2 {
        let asked = sandbox.get(CancelJob { user_id: user.id, id: queued.id, now: at }).await;
        assert_eq!((asked.status, asked.finished_at), (JobStatus::Running, None));
    }
}

pub async fn a_finished_job_cannot_be_cancelled(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let job = sandbox.job(&sandbox.image(&user).await, 1).await;
    work_off(sandbox, Outcome::Done(made("key"))).await;
    let cancel = CancelJob { user_id: user.id, id: job.id, now: now() };
    assert_eq!(sandbox.refusal(cancel).await, Code::JobNotCancellable);
}

pub async fn a_retried_job_starts_afresh(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let image = sandbox.image(&user).await;
    let job = sandbox.job(&image, 1).await;
    let retry = RetryJob { user_id: user.id, id: job.id, now: now() };
    assert_eq!(sandbox.get(retry.clone()).await, job, "one that waits is left as it is");
    work_off(sandbox, corrupt()).await;
    let failed = sandbox.get(JobById { user_id: user.id, id: job.id }).await;
    assert_eq!((failed.status, failed.attempts), (JobStatus::Failed, 1));
    assert_eq!(failed.error.unwrap().code, "image_corrupt");

    assert_eq!(sandbox.get(retry.clone()).await, job, "as it was when it was accepted");
    let variant = sandbox.get(VariantById { user_id: user.id, id: job.variant_id }).await;
    assert_eq!((variant.status, variant.error), (VariantStatus::Pending, None));

    sandbox.get(CancelJob { user_id: user.id, id: job.id, now: now() }).await;
    assert_eq!(sandbox.get(retry.clone()).await.status, JobStatus::Queued);
    work_off(sandbox, Outcome::Done(made("key"))).await;
    let succeeded = sandbox.get(retry).await;
    assert_eq!(succeeded.status, JobStatus::Succeeded, "one that succeeded is left as it is");
}

pub async fn a_retry_never_makes_a_second_job(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let image = sandbox.image(&user).await;
    let failed = sandbox.job(&image, 1).await;
    work_off(sandbox, corrupt()).await;
    let next = sandbox.job(&image, 1).await;
    let retry = RetryJob { user_id: user.id, id: failed.id, now: now() };
    assert_eq!(sandbox.get(retry.clone()).await, next, "the job that has the work");

    work_off(sandbox, corrupt()).await;
    let retries: Vec<RetryJob> = (0..16)
        .map(|n| RetryJob { id: if n % 2 == 0 { failed.id } else { next.id }, ..retry.clone() })
        .collect();
    let answers = sandbox.together(retries).await;
    let ids: Vec<JobId> = answers.into_iter().map(|answer| answer.unwrap().id).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(sandbox.get(CountUnfinished {}).await, 1);
}

pub async fn another_accounts_job_is_not_found(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let image = sandbox.image(&user).await;
    let id = sandbox.job(&image, 1).await.id;
    for user_id in [sandbox.user("eve").await.id, UserId::new()] {
        assert_eq!(sandbox.refusal(JobById { user_id, id }).await, Code::NotFound);
        let cancel = CancelJob { user_id, id, now: now() };
        assert_eq!(sandbox.refusal(cancel).await, Code::NotFound);
        let retry = RetryJob { user_id, id, now: now() };
        assert_eq!(sandbox.refusal(retry).await, Code::NotFound);
    }
    let absent = variant(&crate::sandbox::image(user.id), 1);
    let enqueue = EnqueueTransform { job: job(&absent), variant: absent, webhook_url: None };
    assert_eq!(sandbox.refusal(enqueue).await, Code::NotFound);
    let read = sandbox.get(JobById { user_id: user.id, id }).await;
    assert_eq!(read.status, JobStatus::Queued);
}
