//! Runs the jobs that the queue brings, one task each.
//!
//! A job is leased: the row says who has it and until when. The lease is renewed while the job runs; one that runs out means
//! that its worker is gone, and the job is put back (`RescueLost` in `janitor.rs`). A message is settled only after the
//! commit that records what became of its job.

use std::{
    collections::{HashMap, VecDeque},
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_util::FutureExt;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::{
    address::Address,
    doorbell::Doorbell,
    notifier::{News, Notifier},
    supervisor::Child,
};
use crate::{
    adapters::{
        Query,
        db::{
            Db, now,
            outbox::SettleOutbox,
            queue::{FinishJob, Heartbeat, ReleaseJobs, RenewLeases, TakeJob, Taken},
        },
        jittered,
        queue::{Delivery, Source},
    },
    domain::{
        error::{Code, Error, Result},
        ids::JobId,
        job::{Cancel, Job, Outcome, Runner},
    },
};

/// How long a lease lasts if it is not renewed.
pub const LEASE: Duration = Duration::from_secs(20);
/// How often leases are renewed, which is also when a running job learns that it was cancelled, if nobody told before.
const RENEWAL: Duration = Duration::from_secs(5);
/// What is kept back of the time to drain, to put unfinished jobs back into the queue.
const RELEASE: Duration = Duration::from_secs(3);
/// Pause before the second attempt to reach the queue or the database; doubled for each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// What the consumer works with.
#[derive(Clone)]
pub struct Consumer {
    /// Says which jobs are to be run.
    pub database: Address<Db>,
    /// Brings them.
    pub source: Source,
    /// Does the work.
    pub runner: Arc<dyn Runner>,
    /// To be rung when there is room for another job.
    pub doorbell: Doorbell,
    /// To be rung when somebody may be to be told of a job's end.
    pub webhooks: Doorbell,
    /// Hears of jobs that were taken back, and tells of what became of jobs.
    pub notifier: Notifier,
    /// Jobs to hold at a time.
    pub prefetch: u16,
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
    /// The queue has brought this.
    Brought(Delivery),
    /// Renew what is held.
    Renew,
    /// This job has changed: perhaps it was taken back.
    Changed(JobId),
    /// These are still held; those marked were cancelled.
    Renewed(Vec<(JobId, bool)>),
    /// This one may only be run alone.
    OnlyAlone(JobId, Delivery),
    /// This one has come to its end here.
    Finished(JobId),
}

/// Who this is, and what it has under way.
pub struct State {
    worker: Uuid,
    running: HashMap<JobId, Cancel>,
    /// Brought while one waits that must be run alone, or runs.
    waiting: VecDeque<(JobId, Delivery)>,
    /// To be run alone.
    solos: VecDeque<(JobId, Delivery)>,
    /// What runs, runs alone.
    solo: bool,
    tasks: TaskTracker,
    receiving: CancellationToken,
    stopping: CancellationToken,
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
        let receiving = CancellationToken::new();
        let ears = [
            tokio::spawn(receiving.clone().run_until_cancelled_owned(receive(
                myself.clone(),
                self.source.clone(),
                self.prefetch,
            ))),
            tokio::spawn(
                receiving.clone().run_until_cancelled_owned(listen(myself, self.notifier.clone())),
            ),
        ];
        // They end with the token.
        drop(ears);
        Ok(State {
            worker: Uuid::now_v7(),
            running: HashMap::new(),
            waiting: VecDeque::new(),
            solos: VecDeque::new(),
            solo: false,
            tasks: TaskTracker::new(),
            receiving,
            stopping: CancellationToken::new(),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Brought(delivery) => match delivery.job_id() {
                Ok(job_id) => {
                    state.waiting.push_back((job_id, delivery));
                    self.begin(&myself, state);
                }
                Err(reason) => {
                    state.tasks.spawn(async move { delivery.refuse(&reason).await });
                }
            },
            Message::OnlyAlone(job_id, delivery) => {
                state.running.remove(&job_id);
                state.solos.push_back((job_id, delivery));
                self.begin(&myself, state);
            }
            Message::Renew => self.renew(myself, state),
            Message::Changed(job_id) if state.running.contains_key(&job_id) => {
                self.renew(myself, state);
            }
            Message::Changed(_) => {}
            Message::Renewed(held) => {
                for (id, cancelled) in held {
                    if let (true, Some(cancel)) = (cancelled, state.running.get(&id)) {
                        cancel.cancel();
                    }
                }
            }
            Message::Finished(job_id) => {
                state.running.remove(&job_id);
                self.begin(&myself, state);
                self.doorbell.ring();
            }
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        _: ActorRef<Message>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        state.receiving.cancel();
        // Those that were not begun are somebody else's.
        let unsent: Vec<JobId> = state
            .waiting
            .drain(..)
            .chain(state.solos.drain(..))
            .map(|(job_id, _)| job_id)
            .collect();
        state.tasks.close();
        let until = self.drain_until.get().and_then(|until| until.checked_sub(RELEASE));
        let until = until.unwrap_or_else(Instant::now);
        if tokio::time::timeout_at(until, self.finish(state)).await.is_err() {
            tracing::warn!(jobs = state.running.len(), "not done in time; put back into the queue");
        }
        state.stopping.cancel();
        let release = ReleaseJobs { worker: state.worker, now: now() };
        let released = self.database.ask(release).await?;
        for (user_id, job_id) in released {
            self.notifier.tell(News { user_id, job_id });
        }
        let unsent = unsent.into_iter().chain(self.source.left()).collect();
        self.database.ask(SettleOutbox { unsent, now: now(), ..SettleOutbox::default() }).await?;
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

    /// Begins what may be begun: everything that waits, or, when one must be run alone, that one, as soon as nothing runs.
    fn begin(&self, myself: &ActorRef<Message>, state: &mut State) {
        if state.running.is_empty() {
            state.solo = false;
        }
        if state.solo {
            return;
        }
        if state.solos.is_empty() {
            while let Some((job_id, delivery)) = state.waiting.pop_front() {
                self.run(myself, state, job_id, delivery);
            }
        } else if state.running.is_empty()
            && let Some((job_id, delivery)) = state.solos.pop_front()
        {
            state.solo = true;
            self.run(myself, state, job_id, delivery);
        }
    }

    /// Keeps what is held, and learns what was cancelled.
    fn renew(&self, myself: ActorRef<Message>, state: &State) {
        let alive =
            Heartbeat { worker: state.worker, prefetch: i64::from(self.prefetch), now: now() };
        let query = renewal_of(state);
        let database = self.database.clone();
        state.tasks.spawn(async move {
            if let Err(error) = database.ask(alive).await {
                tracing::debug!(%error, cause = error.cause, "could not say that this worker lives");
            }
            match database.ask(query).await {
                // An actor that has stopped has no use for it.
                Ok(held) => drop(myself.send_message(Message::Renewed(held))),
                Err(error) => {
                    tracing::warn!(%error, cause = error.cause, "could not renew leases");
                }
            }
        });
    }

    /// Takes a job and runs it, in a task of its own.
    fn run(
        &self,
        myself: &ActorRef<Message>,
        state: &mut State,
        job_id: JobId,
        delivery: Delivery,
    ) {
        if state.running.contains_key(&job_id) {
            // Brought twice; the first is at work.
            state.tasks.spawn(delivery.ack());
            return;
        }
        let cancel = Cancel::default();
        state.running.insert(job_id, cancel.clone());
        let errand = Errand {
            consumer: self.clone(),
            worker: state.worker,
            job_id,
            alone: state.solo,
            cancel,
            stopping: state.stopping.clone(),
        };
        let myself = myself.clone();
        state.tasks.spawn(async move {
            let done = AssertUnwindSafe(errand.go()).catch_unwind().await;
            let message = match done {
                Ok(Some(Ended::OnlyAlone)) => Message::OnlyAlone(job_id, delivery),
                Ok(Some(Ended::Settled)) => {
                    delivery.ack().await;
                    Message::Finished(job_id)
                }
                // The process stops: the message is brought to another.
                Ok(None) => Message::Finished(job_id),
                // The database has the job still, and will see that nobody works at it.
                Err(_) => {
                    delivery.ack().await;
                    Message::Finished(job_id)
                }
            };
            // An actor that has stopped counts no more.
            let _ = myself.send_message(message);
        });
    }
}

/// One job, from its message to its end.
struct Errand {
    consumer: Consumer,
    worker: Uuid,
    job_id: JobId,
    alone: bool,
    cancel: Cancel,
    stopping: CancellationToken,
}

/// How an errand ends.
enum Ended {
    /// What became of the job stands in the database.
    Settled,
    /// The job may only be run alone, and others run.
    OnlyAlone,
}

impl Errand {
    /// `None` when the process stops before the end is recorded.
    async fn go(&self) -> Option<Ended> {
        let take = || TakeJob {
            worker: self.worker,
            job_id: self.job_id,
            alone: self.alone,
            now: now(),
            lease_until: now() + LEASE,
        };
        let job = match self.insist(take).await? {
            Ok(Taken::Job(job)) => *job,
            Ok(Taken::OnlyAlone) => return Some(Ended::OnlyAlone),
            // What could not be taken is handed over again after a while.
            Ok(Taken::Nothing) | Err(_) => return Some(Ended::Settled),
        };
        self.tell(&job);
        let (user_id, variant_id, attempt) = (job.user_id, job.variant_id, job.attempts);
        let runner = self.consumer.runner.clone();
        let run = AssertUnwindSafe(runner.run(job.clone(), self.cancel.clone())).catch_unwind();
        let outcome = run.await.unwrap_or_else(|_| {
            Outcome::Retry(Error::internal("the job panicked"), backoff(attempt))
        });
        tracing::info!(job = %self.job_id, attempt, outcome = outcome.name(), "job run");
        let finish = || FinishJob {
            worker: self.worker,
            user_id,
            job_id: self.job_id,
            variant_id,
            outcome: outcome.clone(),
            now: now(),
        };
        // Where that fails the lease will run out, and the job run again.
        let finished = self.insist(finish).await?;
        self.tell(&job);
        if let Ok(Some((_, true))) = finished {
            self.consumer.webhooks.ring();
        }
        Some(Ended::Settled)
    }

    /// Asks the database until it answers: a job that was begun or done is not given up because it is away for a while.
    /// `None` when the process stops.
    async fn insist<Q: Query<Db>>(
        &self,
        query: impl Fn() -> Q + Send + Sync,
    ) -> Option<Result<Q::Output>> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.consumer.database.ask(query()).await {
                Ok(answer) => return Some(Ok(answer)),
                Err(error)
                    if matches!(error.code, Code::DependencyUnavailable | Code::Overloaded) =>
                {
                    tracing::warn!(job = %self.job_id, %error, cause = error.cause, "waiting");
                }
                Err(error) => {
                    tracing::error!(job = %self.job_id, %error, cause = error.cause, "given up");
                    return Some(Err(error));
                }
            }
            let waited =
                self.stopping.run_until_cancelled(tokio::time::sleep(jittered(pause))).await;
            waited?;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    fn tell(&self, job: &Job) {
        self.consumer.notifier.tell(News { user_id: job.user_id, job_id: job.id });
    }
}

fn renewal_of(state: &State) -> RenewLeases {
    RenewLeases {
        worker: state.worker,
        jobs: state.running.keys().copied().collect(),
        lease_until: now() + LEASE,
    }
}

/// What the queue brings, as messages; subscribes again whenever the connection is lost.
async fn receive(consumer: ActorRef<Message>, source: Source, prefetch: u16) {
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match source.subscribe(prefetch).await {
            Ok(mut subscription) => {
                tracing::info!("receiving jobs");
                pause = FIRST_PAUSE;
                loop {
                    match subscription.next().await {
                        Ok(delivery) => {
                            if consumer.send_message(Message::Brought(delivery)).is_err() {
                                return;
                            }
                        }
                        Err(error) => break error,
                    }
                }
            }
            Err(error) => error,
        };
        tracing::warn!(%error, cause = error.cause, "no jobs can be received; trying again");
        tokio::time::sleep(jittered(pause)).await;
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

/// The clock, and news of jobs, as messages.
async fn listen(consumer: ActorRef<Message>, notifier: Notifier) {
    let mut renewal = tokio::time::interval(RENEWAL);
    let mut news = notifier.listen();
    loop {
        let message = tokio::select! {
            _ = renewal.tick() => Message::Renew,
            told = news.recv() => match told {
                Ok(news) => Message::Changed(news.job_id),
                // Some was missed.
                Err(_) => Message::Renew,
            },
        };
        if consumer.send_message(message).is_err() {
            return;
        }
    }
}

/// Pause before the attempt after the `attempt`th: two seconds, then four times the last, with jitter. Five attempts so bear
/// an outage of nearly three minutes.
pub fn backoff(attempt: i32) -> Duration {
    let quadruplings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(6);
    jittered(Duration::from_secs(2) * 4u32.pow(quadruplings))
}
