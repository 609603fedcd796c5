//! Jobs, as workers get them.

use std::{collections::HashSet, time::Duration};

use chrono::{DateTime, Utc};
use darkroom::{
    adapters::db::{
        deletions::PendingDeletions,
        images::DeleteImage,
        jobs::{CancelJob, JobById, RetryJob},
        objects::ReserveObject,
        outbox::{LeaseOutbox, Room},
        queue::*,
        variants::{CompleteVariant, VariantById},
    },
    domain::{
        error::{Code, Error},
        ids::{DeletionId, JobId},
        job::{Job, JobStatus, MAX_ATTEMPTS, Outcome},
        user::User,
        variant::{Variant, VariantStatus},
    },
};
use uuid::Uuid;

use crate::sandbox::{ENGINE, LEASE, Sandbox, made, now, seconds};

fn finish(worker: Uuid, job: &Job, outcome: Outcome, now: DateTime<Utc>) -> FinishJob {
    let (user_id, variant_id) = (job.user_id, job.variant_id);
    FinishJob { worker, user_id, job_id: job.id, variant_id, outcome, now }
}

fn outage() -> Error {
    Error::unavailable("the storage", "connection refused")
}

/// An account with one job, and a worker that has leased it.
struct Leased {
    user: User,
    worker: Uuid,
    job: Job,
    at: DateTime<Utc>,
}

impl Leased {
    async fn new(sandbox: &Sandbox) -> Self {
        let user = sandbox.user("ada").await;
        sandbox.job(&sandbox.image(&user).await, 1).await;
        let (worker, at) = (Uuid::now_v7(), now());
        let job = sandbox.lease(worker, 1, at).await.pop().unwrap();
        Self { user, worker, job, at }
    }

    async fn job(&self, sandbox: &Sandbox) -> Job {
        sandbox.get(JobById { user_id: self.user.id, id: self.job.id }).await
    }

    async fn variant(&self, sandbox: &Sandbox) -> Variant {
        sandbox.get(VariantById { user_id: self.user.id, id: self.job.variant_id }).await
    }

    async fn cancel(&self, sandbox: &Sandbox) {
        sandbox.get(CancelJob { user_id: self.user.id, id: self.job.id, now: self.at }).await;
    }

    fn finish(&self, outcome: Outcome) -> FinishJob {
        finish(self.worker, &self.job, outcome, self.at)
    }
}

pub async fn due_jobs_are_leased_oldest_first(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let image = sandbox.image(&user).await;
    let mut queued = Vec::new();
    for number in 0..5 {
        queued.push(sandbox.job(&image, number).await);
    }
    let (worker, at) = (Uuid::now_v7(), now());
    let first = sandbox.lease(worker, 3, at).await;
    let ids = |jobs: &[Job]| jobs.iter().map(|job| job.id).collect::<Vec<_>>();
    assert_eq!(ids(&first), ids(&queued[..3]));
    for job in &first {
        assert_eq!((job.status, job.attempts), (JobStatus::Running, 1));
        assert_eq!(job.started_at, Some(at));
    }
    assert_eq!(ids(&sandbox.lease(worker, 3, at).await), ids(&queued[3..]));
    assert_eq!(sandbox.lease(worker, 3, at).await, []);
}

pub async fn no_two_workers_get_one_job(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let image = sandbox.image(&user).await;
    for number in 0..60 {
        sandbox.job(&image, number).await;
    }
    let at = now();
    let mut leased: Vec<JobId> = Vec::new();
    loop {
        let relays = (0..12).map(|_| LeaseOutbox { room: Room::Here(2), now: at }).collect();
        let before = leased.len();
        for answer in sandbox.together(relays).await {
            let handed = answer.unwrap();
            assert!(handed.len() <= 2, "more than asked for");
            leased.extend(handed.into_iter().map(|handed| handed.job_id));
        }
        if leased.len() == before {
            break;
        }
    }
    assert_eq!(leased.len(), 60);
    assert_eq!(leased.iter().collect::<HashSet<_>>().len(), 60, "one was handed over twice");
    // A message that comes to many workers makes one of them run the job.
    let job_id = leased[0];
    let take = |_| TakeJob {
        worker: Uuid::now_v7(),
        job_id,
        alone: false,
        now: at,
        lease_until: at + seconds(LEASE),
    };
    let taken = sandbox.together((0..12).map(take).collect()).await;
    let runs = taken.into_iter().filter(|taken| matches!(taken, Ok(Taken::Job(_)))).count();
    assert_eq!(runs, 1);
}

pub async fn a_lease_that_ran_out_is_given_to_another(sandbox: &Sandbox) {
    let leased = Leased::new(sandbox).await;
    let other = Uuid::now_v7();
    let ended = leased.at + seconds(LEASE);
    assert_eq!(sandbox.lease(other, 1, ended - seconds(1)).await, []);
    let rescues = (0..12).map(|_| RescueJobs { now: ended, ended }).collect();
    let rescued: Vec<_> =
        sandbox.together(rescues).await.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(rescued, [(leased.user.id, leased.job.id)], "once");
    let jobs = sandbox.lease(other, 12, ended).await;
    assert_eq!(jobs.len(), 1);
    assert_eq!((jobs[0].id, jobs[0].attempts), (leased.job.id, 1), "a lost run counts for nothing");
    assert_eq!(jobs[0].error.as_ref().unwrap().code, "worker_lost", "why it was put back");
}

pub async fn three_workers_lost_alone_are_a_failure(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let job = sandbox.job(&sandbox.image(&user).await, 1).await;
    let mut at = now();
    let take = |alone, at| TakeJob {
        worker: Uuid::now_v7(),
        job_id: job.id,
        alone,
        now: at,
        lease_until: at + seconds(LEASE),
    };
    // Beside others it may be lost as often as it likes: after the first time it is only run alone.
    assert!(matches!(sandbox.get(take(false, at)).await, Taken::Job(_)));
    at += seconds(LEASE);
    sandbox.get(RescueJobs { now: at, ended: at }).await;
    for _ in 0..3 {
        assert_eq!(sandbox.get(take(false, at)).await, Taken::OnlyAlone);
        let Taken::Job(alone) = sandbox.get(take(true, at)).await else { panic!("it is queued") };
        assert_eq!((alone.status, alone.attempts), (JobStatus::Running, 1));
        at += seconds(LEASE);
        sandbox.get(RescueJobs { now: at, ended: at }).await;
    }
    assert_eq!(sandbox.get(take(true, at)).await, Taken::Nothing);
    let lost = sandbox.get(JobById { user_id: user.id, id: job.id }).await;
    assert_eq!((lost.status, lost.finished_at), (JobStatus::Failed, Some(at)));
    let failure = lost.error.unwrap();
    assert_eq!(failure.code, "worker_lost");
    let variant = sandbox.get(VariantById { user_id: user.id, id: job.variant_id }).await;
    assert_eq!((variant.status, variant.error), (VariantStatus::Failed, Some(failure)));
    // Asked for again, it begins afresh.
    sandbox.get(RetryJob { user_id: user.id, id: job.id, now: at }).await;
    assert!(matches!(sandbox.get(take(false, at)).await, Taken::Job(_)));
}

pub async fn a_survivor_is_forgiven(sandbox: &Sandbox) {
    let leased = Leased::new(sandbox).await;
    let at = leased.at + seconds(LEASE);
    let job = sandbox.lease(leased.worker, 1, at).await.pop().unwrap();
    let retry = Outcome::Retry(outage(), Duration::ZERO);
    sandbox.get(finish(leased.worker, &job, retry, at)).await;
    let take = TakeJob {
        worker: leased.worker,
        job_id: job.id,
        alone: false,
        now: at,
        lease_until: at + seconds(LEASE),
    };
    assert!(matches!(sandbox.get(take).await, Taken::Job(_)), "it need not run alone any more");
}

pub async fn a_cancelled_job_of_a_lost_worker_is_cancelled(sandbox: &Sandbox) {
    let leased = Leased::new(sandbox).await;
    leased.cancel(sandbox).await;
    let ended = leased.at + seconds(LEASE);
    assert_eq!(sandbox.lease(Uuid::now_v7(), 1, ended).await, []);
    let job = leased.job(sandbox).await;
    assert_eq!((job.status, job.error), (JobStatus::Cancelled, None));
}

pub async fn renewal_keeps_a_lease_and_tells_of_a_cancellation(sandbox: &Sandbox) {
    let leased = Leased::new(sandbox).await;
    let (id, ended) = (leased.job.id, leased.at + seconds(LEASE));
    let lease_until = ended + seconds(LEASE);
    let jobs = vec![id, JobId::new()];
    let renew = RenewLeases { worker: leased.worker, jobs, lease_until };
    assert_eq!(sandbox.get(renew.clone()).await, [(id, false)]);
    assert_eq!(sandbox.lease(Uuid::now_v7(), 1, ended).await, []);
    leased.cancel(sandbox).await;
    assert_eq!(sandbox.get(renew.clone()).await, [(id, true)]);
    let strangers = RenewLeases { worker: Uuid::now_v7(), ..renew.clone() };
    assert_eq!(sandbox.get(strangers).await, []);
    let nothing = RenewLeases { jobs: Vec::new(), ..renew };
    assert_eq!(sandbox.get(nothing).await, []);
}

pub async fn a_finished_job_and_its_variant_agree(sandbox: &Sandbox) {
    let leased = Leased::new(sandbox).await;
    let done = leased.finish(Outcome::Done(made("key")));
    assert_eq!(sandbox.get(done.clone()).await, Some((JobStatus::Succeeded, false)));
    let (job, variant) = (leased.job(sandbox).await, leased.variant(sandbox).await);
    assert_eq!((job.status, job.finished_at), (JobStatus::Succeeded, Some(leased.at)));
    assert_eq!(job.error, None);
    assert_eq!((variant.status, variant.made), (VariantStatus::Ready, Some(made("key"))));
    assert_eq!(variant.engine, ENGINE);
    assert_eq!(sandbox.get(done).await, None, "once");
    assert_eq!(sandbox.get(CountUnfinished {}).await, 0);
}

pub async fn a_retry_waits_its_time_and_gives_up_at_last(sandbox: &Sandbox) {
    let leased = Leased::new(sandbox).await;
    let after = Duration::from_secs(30);
    let (mut at, mut job) = (leased.at, leased.job.clone());
    for attempt in 1..MAX_ATTEMPTS {
        assert_eq!(job.attempts, attempt);
        let retry = finish(leased.worker, &job, Outcome::Retry(outage(), after), at);
        assert_eq!(sandbox.get(retry).await, Some((JobStatus::Queued, false)));
        let waiting = leased.job(sandbox).await;
        assert_eq!(waiting.error.unwrap().code, "dependency_unavailable");
        assert_eq!(leased.variant(sandbox).await.status, VariantStatus::Pending);
        at += seconds(30);
        let early = at - chrono::TimeDelta::microseconds(1);
        assert_eq!(sandbox.lease(leased.worker, 1, early).await, []);
        job = sandbox.lease(leased.worker, 1, at).await.pop().unwrap();
    }
    let last = finish(leased.worker, &job, Outcome::Retry(outage(), after), at);
    assert_eq!(sandbox.get(last).await, Some((JobStatus::Failed, false)));
    let (job, variant) = (leased.job(sandbox).await, leased.variant(sandbox).await);
    assert_eq!((job.status, job.attempts), (JobStatus::Failed, MAX_ATTEMPTS));
    assert_eq!((variant.status, variant.error), (VariantStatus::Failed, job.error));
}

pub async fn a_failure_does_not_undo_a_ready_variant(sandbox: &Sandbox) {
    let leased = Leased::new(sandbox).await;
    let id = leased.job.variant_id;
    let complete = CompleteVariant { id, made: made("key"), engine: ENGINE, now: now() };
    let ready = sandbox.get(complete).await;
    let fail = leased.finish(Outcome::Fail(Error::new(Code::TransformImpossible, "no")));
    assert_eq!(sandbox.get(fail).await, Some((JobStatus::Failed, false)));
    assert_eq!(leased.job(sandbox).await.error.unwrap().code, "transform_impossible");
    assert_eq!(leased.variant(sandbox).await, ready);
}

pub async fn a_stopped_run_is_cancelled(sandbox: &Sandbox) {
    let leased = Leased::new(sandbox).await;
    leased.cancel(sandbox).await;
    // A failing run that is not wanted any more is not tried again either.
    let retry = leased.finish(Outcome::Retry(outage(), Duration::ZERO));
    assert_eq!(sandbox.get(retry).await, Some((JobStatus::Cancelled, false)));
    assert_eq!(leased.job(sandbox).await.finished_at, Some(leased.at));
    assert_eq!(leased.variant(sandbox).await.status, VariantStatus::Pending);

    let user = &leased.user;
    sandbox.job(&sandbox.image(user).await, 2).await;
    let job = sandbox.lease(leased.worker, 1, now()).await.pop().unwrap();
    sandbox.get(CancelJob { user_id: user.id, id: job.id, now: now() }).await;
    let stopped = finish(leased.worker, &job, Outcome::Cancelled, now());
    assert_eq!(sandbox.get(stopped).await, Some((JobStatus::Cancelled, false)));
}

pub async fn a_lost_lease_finishes_nothing(sandbox: &Sandbox) {
    let leased = Leased::new(sandbox).await;
    let other = Uuid::now_v7();
    let ended = leased.at + seconds(LEASE);
    let job = sandbox.lease(other, 1, ended).await.pop().unwrap();
    let late = leased.finish(Outcome::Done(made("late")));
    assert_eq!(sandbox.get(late).await, None);
    assert_eq!(leased.variant(sandbox).await.status, VariantStatus::Pending);
    let gone = finish(other, &job, Outcome::Gone, ended);
    assert_eq!(sandbox.get(gone).await, None);

    let (user_id, id) = (leased.user.id, job.image_id);
    let delete = DeleteImage { user_id, id, deletion_id: DeletionId::new(), now: ended };
    sandbox.get(delete).await;
    let (object, may_share) = (made("key").object(), false);
    sandbox.get(ReserveObject { user_id, object, may_share, now: ended }).await;
    let done = finish(other, &job, Outcome::Done(made("key")), ended);
    assert_eq!(sandbox.get(done).await, None, "the image is gone, and the job with it");
    let pending = sandbox.get(PendingDeletions { after: None, limit: 100 }).await;
    assert!(pending.iter().any(|(_, key)| key == "key"), "and what was made of it is to go");
}

pub async fn a_draining_worker_gives_back_what_it_holds(sandbox: &Sandbox) {
    let leased = Leased::new(sandbox).await;
    let image = sandbox.image(&leased.user).await;
    let second = sandbox.job(&image, 2).await;
    sandbox.lease(leased.worker, 1, now()).await;
    let user_id = leased.user.id;
    sandbox.get(CancelJob { user_id, id: second.id, now: now() }).await;
    sandbox.job(&image, 3).await;
    let other = Uuid::now_v7();
    let theirs = sandbox.lease(other, 1, now()).await;

    let released = sandbox.get(ReleaseJobs { worker: leased.worker, now: now() }).await;
    assert_eq!(released.len(), 2);
    let job = leased.job(sandbox).await;
    assert_eq!((job.status, job.attempts), (JobStatus::Queued, 0));
    let second = sandbox.get(JobById { user_id, id: second.id }).await;
    assert_eq!(second.status, JobStatus::Cancelled);
    assert!(second.finished_at.is_some());
    let theirs = sandbox.get(JobById { user_id, id: theirs[0].id }).await;
    assert_eq!(theirs.status, JobStatus::Running);
    let again = sandbox.lease(other, 1, leased.at).await;
    assert_eq!((again[0].id, again[0].attempts), (leased.job.id, 1));
}

pub async fn a_retry_is_due_to_the_microsecond(sandbox: &Sandbox) {
    let leased = Leased::new(sandbox).await;
    let retry = Outcome::Retry(outage(), Duration::from_micros(1_500_001));
    sandbox.get(leased.finish(retry)).await;
    let due = leased.at + chrono::TimeDelta::microseconds(1_500_001);
    let early = due - chrono::TimeDelta::microseconds(1);
    assert_eq!(sandbox.lease(leased.worker, 1, early).await.len(), 0);
    assert_eq!(sandbox.lease(leased.worker, 1, due).await.len(), 1);
}
