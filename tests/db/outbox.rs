//! Jobs on their way to workers.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use darkroom::{
    adapters::db::{
        jobs::{CancelJob, JobById},
        outbox::*,
        queue::*,
    },
    domain::{
        error::Error,
        ids::{JobId, UserId},
        job::{Job, JobStatus, Outcome},
    },
};
use uuid::Uuid;

use crate::sandbox::{LEASE, Sandbox, now, seconds};

fn here(limit: i64, now: DateTime<Utc>) -> LeaseOutbox {
    LeaseOutbox { room: Room::Here(limit), now }
}

fn broker(prefetch: i64, now: DateTime<Utc>) -> LeaseOutbox {
    LeaseOutbox { room: Room::Broker { prefetch }, now }
}

fn take(job_id: JobId, now: DateTime<Utc>) -> TakeJob {
    let worker = Uuid::now_v7();
    TakeJob { worker, job_id, alone: false, now, lease_until: now + seconds(LEASE) }
}

fn ids(handed: &[Handed]) -> Vec<JobId> {
    handed.iter().map(|handed| handed.job_id).collect()
}

/// An account with that many jobs.
async fn account(sandbox: &Sandbox, name: &str, jobs: u32) -> (UserId, Vec<JobId>) {
    let user = sandbox.user(name).await;
    let image = sandbox.image(&user).await;
    let mut all = Vec::new();
    for number in 0..jobs {
        all.push(sandbox.job(&image, number).await.id);
    }
    (user.id, all)
}

pub async fn accounts_take_turns(sandbox: &Sandbox) {
    let mut accounts = Vec::new();
    for (name, jobs) in [("ada", 40), ("bob", 3), ("cyd", 1)] {
        accounts.push(account(sandbox, name, jobs).await);
    }
    let owner = |id: &JobId| {
        accounts.iter().position(|(_, jobs)| jobs.contains(id)).expect("somebody's job")
    };
    let at = now();
    let first = ids(&sandbox.get(here(6, at)).await);
    let mut owners: Vec<_> = first.iter().map(owner).collect();
    assert_eq!(
        owners[..3].iter().collect::<HashSet<_>>().len(),
        3,
        "each has its turn: {owners:?}"
    );
    owners.sort_unstable();
    assert!(owners.iter().filter(|owner| **owner == 2).count() == 1, "{owners:?}");
    // The rest, in small rounds: an account that waits is never passed over twice in a row.
    let mut rest = Vec::new();
    loop {
        let handed = ids(&sandbox.get(here(2, at)).await);
        if handed.is_empty() {
            break;
        }
        rest.extend(handed);
    }
    let all: Vec<_> = first.into_iter().chain(rest).collect();
    assert_eq!(all.len(), 44);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 44, "each once");
    let last_of_bob = all.iter().rposition(|id| owner(id) == 1).expect("bob's");
    assert!(last_of_bob < 10, "bob's three don't wait for ada's forty: {last_of_bob}");
    for (_, jobs) in &accounts {
        let order: Vec<_> = all.iter().filter(|id| jobs.contains(id)).collect();
        assert_eq!(order, jobs.iter().collect::<Vec<_>>(), "an account's own order is kept");
    }
}

pub async fn a_turn_goes_on_where_the_last_ended(sandbox: &Sandbox) {
    let mut accounts = Vec::new();
    for name in ["ada", "bob", "cyd", "dan"] {
        accounts.push(account(sandbox, name, 5).await);
    }
    let at = now();
    let mut owners = Vec::new();
    for _ in 0..20 {
        let handed = ids(&sandbox.get(here(1, at)).await);
        let owner = accounts.iter().position(|(_, jobs)| jobs.contains(&handed[0]));
        owners.push(owner.expect("somebody's job"));
    }
    for round in owners.chunks(4) {
        assert_eq!(round.iter().collect::<HashSet<_>>().len(), 4, "{owners:?}");
    }
}

pub async fn the_broker_gets_eight_times_what_workers_hold(sandbox: &Sandbox) {
    let (_, jobs) = account(sandbox, "ada", 60).await;
    let at = now();
    // Nobody was heard of: as if there was one.
    assert_eq!(ids(&sandbox.get(broker(2, at)).await), jobs[..16]);
    assert_eq!(sandbox.get(broker(2, at)).await, []);
    for _ in 0..3 {
        let worker = Uuid::now_v7();
        sandbox.get(Heartbeat { worker, prefetch: 2, now: at }).await;
        sandbox.get(Heartbeat { worker, prefetch: 2, now: at }).await;
    }
    let relays = (0..12).map(|_| broker(2, at)).collect();
    let handed: Vec<_> =
        sandbox.together(relays).await.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(ids(&handed), jobs[16..48], "8 × 3 × 2 in all, however many relays ask");
    // What is taken, or taken back, makes room.
    assert!(matches!(sandbox.get(take(jobs[0], at)).await, Taken::Job(_)));
    assert_eq!(ids(&sandbox.get(broker(2, at)).await), [jobs[48]]);
    // Workers that were not heard of any more hold nothing.
    assert_eq!(sandbox.get(broker(2, at + HEARD_OF)).await, []);
}

pub async fn what_was_not_sent_is_handed_over_again(sandbox: &Sandbox) {
    let (_, jobs) = account(sandbox, "ada", 2).await;
    let at = now();
    let handed = sandbox.get(here(2, at)).await;
    assert_eq!(handed.iter().map(|handed| handed.sends).collect::<Vec<_>>(), [1, 1]);
    let settle =
        SettleOutbox { sent: vec![(jobs[0], at + seconds(60))], unsent: vec![jobs[1]], now: at };
    sandbox.get(settle).await;
    let again = sandbox.get(here(2, at)).await;
    assert_eq!((ids(&again), again[0].sends), (vec![jobs[1]], 2));
    // Its relay is never heard of again, and the message of the first is lost.
    let later = at + seconds(60);
    assert_eq!(sandbox.get(here(2, later - seconds(31))).await, []);
    assert_eq!(ids(&sandbox.get(here(2, later - seconds(30))).await), [jobs[1]]);
    assert_eq!(ids(&sandbox.get(here(2, later)).await)[0], jobs[0]);
}

pub async fn a_job_is_queued_as_long_as_it_is_in_the_outbox(sandbox: &Sandbox) {
    let (user_id, jobs) = account(sandbox, "ada", 3).await;
    let at = now();
    assert!(matches!(sandbox.get(take(jobs[0], at)).await, Taken::Job(_)));
    assert_eq!(sandbox.get(take(jobs[0], at)).await, Taken::Nothing, "somebody has it");
    sandbox.get(CancelJob { user_id, id: jobs[1], now: at }).await;
    assert_eq!(sandbox.get(take(jobs[1], at)).await, Taken::Nothing, "a cancelled job never runs");
    assert_eq!(ids(&sandbox.get(here(9, at)).await), [jobs[2]]);
    assert_eq!(sandbox.get(take(JobId::new(), at)).await, Taken::Nothing, "nobody's job");
}

pub async fn a_broker_holds_what_is_due_later(sandbox: &Sandbox) {
    let (user_id, jobs) = account(sandbox, "ada", 2).await;
    let at = now();
    let Taken::Job(job) = sandbox.get(take(jobs[0], at)).await else { panic!("it is queued") };
    let after = std::time::Duration::from_secs(8);
    let error = Error::unavailable("the storage", "gone");
    let finish = |job: &Job, worker| FinishJob {
        worker,
        user_id,
        job_id: job.id,
        variant_id: job.variant_id,
        outcome: Outcome::Retry(error.clone(), after),
        now: at,
    };
    // Only who has the job can put it back.
    assert_eq!(sandbox.get(finish(&job, Uuid::now_v7())).await, None);
    let worker = Uuid::now_v7();
    let mine = TakeJob { worker, ..take(jobs[1], at) };
    let Taken::Job(job) = sandbox.get(mine).await else { panic!("it is queued") };
    assert_eq!(sandbox.get(finish(&job, worker)).await, Some((JobStatus::Queued, false)));
    assert_eq!(sandbox.get(here(9, at)).await, [], "a queue in memory gets it when it is due");
    let handed = sandbox.get(broker(1, at)).await;
    assert_eq!((handed[0].job_id, handed[0].run_at), (job.id, at + seconds(8)));
    // Brought too early, it goes round once more; a second is nothing.
    assert_eq!(sandbox.get(take(job.id, at + seconds(6))).await, Taken::Nothing);
    assert_eq!(ids(&sandbox.get(broker(1, at + seconds(6))).await), [job.id]);
    assert!(matches!(sandbox.get(take(job.id, at + seconds(7))).await, Taken::Job(_)));
    let job = sandbox.get(JobById { user_id, id: job.id }).await;
    assert_eq!(job.status, JobStatus::Running);
}

pub async fn what_a_dead_process_had_is_handed_over_at_once(sandbox: &Sandbox) {
    let (_, jobs) = account(sandbox, "ada", 2).await;
    let at = now();
    sandbox.get(here(2, at)).await;
    let sent = vec![(jobs[0], at + seconds(60))];
    sandbox.get(SettleOutbox { sent, now: at, ..SettleOutbox::default() }).await;
    assert_eq!(sandbox.get(here(2, at)).await, []);
    sandbox.get(ResetOutbox { now: at }).await;
    assert_eq!(ids(&sandbox.get(here(2, at)).await), jobs);
}

pub async fn what_waits_is_counted_and_who_works(sandbox: &Sandbox) {
    let at = now();
    let backlog = |now| Backlog { now };
    assert_eq!(sandbox.get(backlog(at)).await, (0, 0));
    account(sandbox, "ada", 2).await;
    sandbox.get(Heartbeat { worker: Uuid::now_v7(), prefetch: 5, now: at }).await;
    assert_eq!(sandbox.get(backlog(at)).await, (2, 1));
    sandbox.lease(Uuid::now_v7(), 1, now()).await;
    let later = now() + HEARD_OF;
    assert_eq!(sandbox.get(backlog(later)).await, (1, 0), "one is run, the worker was silent");
}
