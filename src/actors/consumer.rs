//! Takes jobs from the queue, which is the table of jobs, and has them run.
//!
//! A job is leased: the row says who has it and until when. The lease is renewed while the job runs;
//! one that runs out means that its worker is gone, and somebody else leases the job again.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_util::FutureExt;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::{address::Address, doorbell::Doorbell, supervisor::Child};
use crate::{
    adapters::db::{
        Db, now,
        queue::{FinishJob, LeaseJobs, ReleaseJobs, RenewLeases},
    },
    domain::{
        error::Error,
        ids::JobId,
        job::{Cancel, Job, Outcome, Runner},
    },
};

/// How long a lease lasts if it is not renewed.
pub const LEASE: Duration = Duration::from_secs(20);
/// How often leases are renewed, which is also when a running job learns that it was cancelled by
/// another process.
const RENEWAL: Duration = Duration::from_secs(5);
/// How often the queue is looked at when nobody rings: retries fall due, other processes enqueue.
const POLL: Duration = Duration::from_secs(1);
/// What is kept back of the time to drain, to put unfinished jobs back into the queue.
const RELEASE: Duration = Duration::from_secs(3);

/// What the consumer works with.
#[derive(Clone)]
pub struct Consumer {
    /// The queue.
    pub database: Address<Db>,
    /// Does the work.
    pub runner: Arc<dyn Runner>,
    /// Rung when a job was put into the queue, or taken back.
    pub doorbell: Doorbell,
    /// Jobs to hold at a time.
    pub prefetch: usize,
    /// When draining must be over, once it has begun.
    pub drain_until: Arc<OnceLock<Instant>>,
}

impl Consumer {
    /// The child that runs it.
    pub fn child(self) -> Child {
        Child::actor("consumer", move || self.clone())
    }
}

/// What the consumer is told.
pub enum Message {
    /// Look at the queue.
    Look,
    /// Renew what is held.
    Renew,
    /// These were leased.
    Leased(Vec<Job>),
    /// These are still held; those marked were cancelled.
    Renewed(Vec<(JobId, bool)>),
    /// This one has come to its end.
    Finished(JobId),
}

/// Who this is, and what it has under way.
pub struct State {
    worker: Uuid,
    running: HashMap<JobId, Cancel>,
    leasing: bool,
    look_again: bool,
    tasks: TaskTracker,
    clock: CancellationToken,
}

impl Actor for Consumer {
    type Msg = Message;
    type State = State;
    type Arguments = ();

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        (): (),
    ) -> Result<State, ActorProcessingErr> {
        let clock = CancellationToken::new();
        let ticking = clock.clone().run_until_cancelled_owned(tick(myself, self.doorbell.clone()));
        tokio::spawn(ticking);
        Ok(State {
            worker: Uuid::now_v7(),
            running: HashMap::new(),
            leasing: false,
            look_again: false,
            tasks: TaskTracker::new(),
            clock,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Look => self.lease(myself, state),
            Message::Renew => self.renew(myself, state),
            Message::Leased(jobs) => {
                state.leasing = false;
                // A full hand may mean that there is more.
                let again = state.look_again || !jobs.is_empty();
                state.look_again = false;
                for job in jobs {
                    self.begin(&myself, job, state);
                }
                if again {
                    self.lease(myself, state);
                }
            }
            Message::Renewed(held) => {
                for (id, cancelled) in held {
                    if let (true, Some(cancel)) = (cancelled, state.running.get(&id)) {
                        cancel.cancel();
                    }
                }
            }
            Message::Finished(id) => {
                state.running.remove(&id);
                self.lease(myself, state);
            }
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        _: ActorRef<Message>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        state.clock.cancel();
        state.tasks.close();
        let until = self.drain_until.get().and_then(|until| until.checked_sub(RELEASE));
        let until = until.unwrap_or_else(Instant::now);
        if tokio::time::timeout_at(until, self.finish(state)).await.is_err() {
            tracing::warn!(jobs = state.running.len(), "not done in time; put back into the queue");
        }
        // What was leased and not begun, or not finished, is somebody else's now.
        let release = ReleaseJobs { worker: state.worker, now: now() };
        self.database.ask(release).await?;
        // Nobody waits for them here any more, and the transformer is next to stop.
        state.running.values().for_each(Cancel::cancel);
        Ok(())
    }
}

impl Consumer {
    /// Waits for what is under way, and keeps its leases meanwhile.
    async fn finish(&self, state: &State) {
        let renewing = async {
            let mut renewal = tokio::time::interval(RENEWAL);
            loop {
                renewal.tick().await;
                if let Err(error) = self.database.ask(renewal_of(state)).await {
                    tracing::warn!(%error, cause = error.cause, "could not renew leases");
                }
            }
        };
        tokio::select! {
            () = state.tasks.wait() => {}
            () = renewing => {}
        }
    }

    /// Leases as many jobs as there is room for.
    fn lease(&self, myself: ActorRef<Message>, state: &mut State) {
        if state.leasing {
            state.look_again = true;
            return;
        }
        let room = self.prefetch.saturating_sub(state.running.len());
        if room == 0 {
            return;
        }
        state.leasing = true;
        let query = LeaseJobs {
            worker: state.worker,
            limit: i64::try_from(room).unwrap_or(i64::MAX),
            now: now(),
            lease_until: now() + LEASE,
        };
        let database = self.database.clone();
        state.tasks.spawn(async move {
            let jobs = database.ask(query).await.unwrap_or_else(|error| {
                tracing::warn!(%error, cause = error.cause, "could not lease jobs");
                Vec::new()
            });
            // An actor that has stopped puts its jobs back.
            let _ = myself.send_message(Message::Leased(jobs));
        });
    }

    /// Keeps what is held, and learns what was cancelled.
    fn renew(&self, myself: ActorRef<Message>, state: &State) {
        if state.running.is_empty() {
            return;
        }
        let query = renewal_of(state);
        let database = self.database.clone();
        state.tasks.spawn(async move {
            match database.ask(query).await {
                // An actor that has stopped has no use for it.
                Ok(held) => drop(myself.send_message(Message::Renewed(held))),
                Err(error) => {
                    tracing::warn!(%error, cause = error.cause, "could not renew leases");
                }
            }
        });
    }

    /// Runs a job in a task of its own and records what became of it.
    fn begin(&self, myself: &ActorRef<Message>, job: Job, state: &mut State) {
        let cancel = Cancel::default();
        state.running.insert(job.id, cancel.clone());
        let (myself, worker) = (myself.clone(), state.worker);
        let (database, runner) = (self.database.clone(), self.runner.clone());
        state.tasks.spawn(async move {
            let (id, user_id, variant_id) = (job.id, job.user_id, job.variant_id);
            let attempt = job.attempts;
            let run = AssertUnwindSafe(runner.run(job, cancel)).catch_unwind();
            let outcome = run.await.unwrap_or_else(|_| {
                Outcome::Retry(Error::internal("the job panicked"), backoff(attempt))
            });
            tracing::info!(job = %id, attempt, outcome = outcome.name(), "job run");
            let finish = FinishJob { worker, user_id, job_id: id, variant_id, outcome, now: now() };
            if let Err(error) = database.ask(finish).await {
                // The lease will run out, and the job run again.
                tracing::error!(job = %id, %error, cause = error.cause, "could not record a job");
            }
            // An actor that has stopped counts no more.
            let _ = myself.send_message(Message::Finished(id));
        });
    }
}

fn renewal_of(state: &State) -> RenewLeases {
    RenewLeases {
        worker: state.worker,
        jobs: state.running.keys().copied().collect(),
        lease_until: now() + LEASE,
    }
}

/// Pause before the attempt after the `attempt`th: a second, doubled each time, and up to half of
/// that again at random so that jobs that failed together don't come back together.
pub fn backoff(attempt: i32) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(8);
    let base = Duration::from_secs(1) * 2u32.pow(doublings);
    let random = f64::from(Uuid::now_v7().as_bytes()[15]) / 255.0;
    base.mul_f64(1.0 + random / 2.0)
}

/// Rings, and the clock, as messages.
async fn tick(consumer: ActorRef<Message>, doorbell: Doorbell) {
    let mut poll = tokio::time::interval(POLL);
    let mut renewal = tokio::time::interval(RENEWAL);
    loop {
        let sent = tokio::select! {
            () = doorbell.rung() => consumer
                .send_message(Message::Look)
                .and_then(|()| consumer.send_message(Message::Renew)),
            _ = poll.tick() => consumer.send_message(Message::Look),
            _ = renewal.tick() => consumer.send_message(Message::Renew),
        };
        if sent.is_err() {
            return;
        }
    }
}
