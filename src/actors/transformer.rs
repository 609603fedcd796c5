//! The pool that touches pixels: a factory of workers, each of which keeps one thread of a rayon
//! pool busy.
//!
//! Somebody waits for what is interactive: it is refused as `overloaded` before its original is read where what is in front of it
//! would take longer than it may wait ([`ledger`]), accounts take turns ([`turns`]), and it goes before jobs. Jobs wait. What waited
//! past its deadline is `overloaded` as well, and work whose caller has left is not begun.
//!
//! What all threads together take is bounded by `TRANSFORM_MEMORY`: before a thread begins, what its
//! work will take at most is predicted and reserved. What could never have that much is refused. The files that wait have a bound of
//! their own ([`originals`]).
//!
//! A thread that nothing waits for is lent to a large picture, see [`Threads`].

use std::{
    future::Future,
    io::Cursor,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use ractor::{
    Actor, ActorCell, ActorRef,
    factory::{
        DiscardHandler, DiscardReason, Factory, FactoryArguments, FactoryMessage, Job, JobOptions,
        routing::QueuerRouting,
    },
};
use rayon::ThreadPool;
use tokio::sync::{oneshot, watch};

pub use self::originals::Room;
use self::{
    lanes::Lanes,
    ledger::{Ledger, Piece},
    originals::Originals,
    painter::{Painter, Painters},
};
use super::{
    budget::{Budget, Need},
    supervisor::Child,
};
use crate::{
    domain::{
        error::{Code, Error, Result},
        ids::UserId,
        image::Facts,
        job::Cancel,
        limits::Limits,
        transform::Spec,
    },
    imaging::{self, Cost, Expected, Failure, Output, Overlays, Threads},
};

mod lanes;
mod ledger;
mod originals;
mod painter;
#[cfg(test)]
mod tests;
mod turns;

/// Originals of the largest size that may be in memory for each thread: one that is worked on, and one that follows it.
const ORIGINALS: u64 = 2;

/// How long past its deadline work is waited for that may be about to say so itself.
const GRACE: Duration = Duration::from_secs(1);

/// Who waits for the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Priority {
    /// Somebody, right now.
    #[default]
    Interactive,
    /// A job.
    Background,
}

/// Work that was admitted, with room for what it is made of, until it is dropped.
pub struct Place {
    piece: Piece,
    /// Whose turn it takes; jobs take none.
    account: Option<UserId>,
    _room: Room,
}

impl Place {
    /// Whose turn it takes, and how many microseconds of it.
    fn turn(&self) -> Option<(UserId, u64)> {
        Some((self.account?, self.piece.worth()))
    }
}

/// One transformation.
struct Work {
    task: Task,
    input: Bytes,
    place: Place,
    /// For somebody who waits: from when it was asked. A job's time begins with its thread, so that
    /// waiting behind others costs it no attempt.
    deadline: Option<Instant>,
    cancel: Cancel,
    /// The memory that it may take.
    memory: Need,
    /// While it waits or is worked on, no thread that it needs is lent to others.
    expected: Option<Expected>,
    /// Set when a thread begins.
    begun: Arc<AtomicBool>,
    /// Taken by whoever answers: the thread that did the work, or the queue that refused it.
    reply: Option<oneshot::Sender<Result<Made, Failure>>>,
}

/// What is to be done.
enum Task {
    /// A picture of a picture.
    Transform { overlays: Overlays, spec: Arc<Spec> },
    /// What can be said of it.
    Describe,
}

/// What came of it.
enum Made {
    Output(Output),
    Facts(Box<Facts>),
}

/// Any thread does any work.
type Key = ();
type Entrance = FactoryMessage<Key, Work>;
type Pool = Factory<Key, Work, (), Painter, QueuerRouting<Key, Work>, Lanes>;

/// Where to bring pictures to be transformed. Cheap to clone; survives restarts of the factory.
#[derive(Clone)]
pub struct Transformer {
    entrance: watch::Sender<Option<ActorRef<Entrance>>>,
    pool: Arc<ThreadPool>,
    threads: Threads,
    memory: Budget,
    ledger: Ledger,
    originals: Originals,
    limits: Arc<Limits>,
    painted: Arc<AtomicU64>,
}

impl Transformer {
    /// A pool of `threads` threads that together take no more than `memory` bytes and that refuses what passes `limits`.
    ///
    /// # Errors
    /// When the threads can't be started.
    pub fn new(threads: usize, memory: u64, limits: Limits) -> Result<Self> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|n| format!("transform-{n}"))
            .start_handler(|_| stand_back())
            .build()
            .map_err(Error::internal)?;
        Ok(Self {
            entrance: watch::Sender::new(None),
            pool: Arc::new(pool),
            threads: Threads::new(threads),
            memory: Budget::new(memory),
            ledger: Ledger::new(threads, memory, limits.timeout),
            originals: Originals::new(limits.upload_size, ORIGINALS * threads as u64),
            limits: Arc::new(limits),
            painted: Arc::default(),
        })
    }

    /// Every picture has one thread, however large it is.
    #[must_use]
    pub fn without_lending(self) -> Self {
        Self { threads: Threads::default(), ..self }
    }

    /// How many pictures this process has begun to make.
    pub fn painted(&self) -> u64 {
        self.painted.load(Ordering::Relaxed)
    }

    /// How many pictures somebody waits for that are not begun, and how long one more would wait behind them, as predicted.
    pub fn load(&self) -> (usize, Duration) {
        self.ledger.load()
    }

    /// Admits a picture that somebody of `account` waits for, before its files, of these `sizes` in bytes, are read; `cost` is what can
    /// be predicted without them. Waits until there is room for them.
    ///
    /// # Errors
    /// `overloaded`, at once, when the picture could not be made in time, or when others wait and the account has its share already;
    /// later, when there was no room in time. `image_too_large` when there never is room for all of the files.
    pub async fn admit(&self, account: UserId, sizes: &[u64], cost: Cost) -> Result<Place> {
        let piece = self.ledger.admit(account, cost)?;
        let _room = self.room(account, sizes, piece.worth()).await?;
        Ok(Place { piece, account: Some(account), _room })
    }

    /// Waits for room for a file of `size` bytes, which somebody of `account` only has looked at.
    ///
    /// # Errors
    /// `overloaded` when there was no room in time.
    pub async fn look(&self, account: UserId, size: u64) -> Result<Room> {
        self.room(account, &[size], 0).await
    }

    async fn room(&self, account: UserId, sizes: &[u64], time: u64) -> Result<Room> {
        let room = self.originals.take(sizes, Some((account, time)));
        let room = tokio::time::timeout(self.limits.timeout, room).await;
        room.unwrap_or_else(|_| Err(self.ledger.overloaded("no memory for another original")))
    }

    /// Waits for room for the files that a job is made of. Jobs are not refused because others wait.
    ///
    /// # Errors
    /// `image_too_large` when there never is room for all of them.
    pub async fn admit_job(&self, sizes: &[u64]) -> Result<Place> {
        let _room = self.originals.take(sizes, None).await?;
        Ok(Place { piece: self.ledger.job(), account: None, _room })
    }

    /// Waits for `work` as long as anybody waits for a picture, whatever it waits for itself.
    ///
    /// # Errors
    /// `transform_timeout`.
    pub async fn in_time<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let timeout = self.limits.timeout;
        let done = tokio::time::timeout(timeout + GRACE, work).await;
        done.unwrap_or_else(|_| Err(timed_out(timeout)))
    }

    /// Transforms `input` by `spec`.
    ///
    /// # Errors
    /// What the engine refuses; `image_too_large` when it might take more than all of the memory; `overloaded` when it waited
    /// past its deadline; `transform_timeout`; `image_corrupt` when a codec panicked. [`Failure::Cancelled`] after `cancel`.
    pub async fn transform(
        &self,
        place: Place,
        input: Bytes,
        overlays: Overlays,
        spec: Arc<Spec>,
        cancel: Cancel,
    ) -> Result<Output, Failure> {
        match self.ask(place, Task::Transform { overlays, spec }, input, cancel).await? {
            Made::Output(output) => Ok(output),
            Made::Facts(_) => Err(Failure::Refused(Error::internal("facts for a picture"))),
        }
    }

    /// Looks at `input`: a background pass that nobody waits for.
    ///
    /// # Errors
    /// As [`Transformer::transform`].
    pub async fn describe(
        &self,
        place: Place,
        input: Bytes,
        cancel: Cancel,
    ) -> Result<Facts, Failure> {
        match self.ask(place, Task::Describe, input, cancel).await? {
            Made::Facts(facts) => Ok(*facts),
            Made::Output(_) => Err(Failure::Refused(Error::internal("a picture for facts"))),
        }
    }

    async fn ask(
        &self,
        mut place: Place,
        task: Task,
        input: Bytes,
        cancel: Cancel,
    ) -> Result<Made, Failure> {
        let timeout = self.limits.timeout;
        let deadline = place.account.map(|_| Instant::now() + timeout);
        let (task, cost) = self.foresee(task, input.clone()).await?;
        let memory = self.memory.admit(cost.memory)?;
        place.piece.revise(cost);
        let (reply, answer) = oneshot::channel();
        let begun = Arc::new(AtomicBool::new(false));
        let work = Work {
            task,
            input,
            place,
            deadline,
            cancel,
            memory,
            expected: Some(self.threads.expect()),
            begun: begun.clone(),
            reply: Some(reply),
        };
        let job = Job::with_options((), work, JobOptions::new(deadline.map(|_| timeout)));
        let refused = |cause| Failure::Refused(self.ledger.overloaded(cause));

        let mut entrance = self.entrance.subscribe();
        let factory = tokio::time::timeout(timeout, entrance.wait_for(Option::is_some))
            .await
            .ok()
            .and_then(|entrance| entrance.ok()?.clone())
            .ok_or_else(|| refused("the transformer is not there"))?;
        factory
            .send_message(FactoryMessage::Dispatch(job))
            .map_err(|_| refused("the transformer is being restarted"))?;
        // A thread that is at work looks at its deadline between steps; one that doesn't get there
        // is not waited for.
        let answered = match deadline {
            Some(_) => tokio::time::timeout(timeout + GRACE, answer).await,
            None => Ok(answer.await),
        };
        match answered {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(refused("the transformer died over it")),
            Err(_) if begun.load(Ordering::Relaxed) => Err(timed_out(timeout).into()),
            Err(_) => Err(refused(WAITED)),
        }
    }

    /// What the task will take. The headers alone are looked at, but those of an animation are spread over the file: so not
    /// on a thread that serves requests, and not behind the pictures of the pool.
    async fn foresee(&self, task: Task, input: Bytes) -> Result<(Task, Cost)> {
        let limits = self.limits.clone();
        let foreseen = tokio::task::spawn_blocking(move || {
            let probe = |file: &Bytes| imaging::probe(Cursor::new(file), &limits);
            let cost = match &task {
                Task::Transform { overlays, spec } => {
                    let marks = overlays.iter().map(|(id, file)| Ok((*id, probe(file)?)));
                    let marks = marks.collect::<Result<_>>()?;
                    imaging::predict(spec, &probe(&input)?, &marks, &limits)?
                }
                Task::Describe => imaging::predict_description(&probe(&input)?, &limits),
            };
            Ok((task, cost))
        });
        foreseen.await.map_err(Error::internal)?
    }

    /// The child that runs the factory.
    pub fn child(&self) -> Child {
        let this = self.clone();
        Child::new("transformer", move |supervisor| {
            let this = this.clone();
            async move {
                let arguments = FactoryArguments::builder()
                    .worker_builder(Box::new(Painters(this.clone())))
                    .num_initial_workers(this.pool.current_num_threads())
                    .router(QueuerRouting::default())
                    .queue(Lanes::default())
                    .discard_handler(Arc::new(Refuse(this.ledger.clone())))
                    .build();
                let (factory, _) =
                    Actor::spawn_linked(None, Pool::default(), arguments, supervisor).await?;
                this.entrance.send_replace(Some(factory.clone()));
                Ok(factory.get_cell())
            }
        })
        .drained_by(|cell: &ActorCell| {
            // One that is gone has nothing left to finish.
            let _ = cell.send_message(Entrance::DrainRequests);
        })
    }
}

/// Has this thread stand back behind those that answer: what is there, or is refused, need not wait for pixels. Where the system knows
/// no such thing for a thread, all are alike.
fn stand_back() {
    /// A third of the time of a thread that wants as much: nice(2).
    #[cfg(target_os = "linux")]
    const NICE: i32 = 5;
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(NICE);
}

fn timed_out(timeout: Duration) -> Error {
    let detail = format!("the transformation took longer than {} s", timeout.as_secs_f32());
    Error::new(Code::TransformTimeout, detail)
}

/// Of work that was not begun in its time.
const WAITED: &str = "the transformation waited past its deadline";

/// Answers for work that never begins.
struct Refuse(Ledger);

impl DiscardHandler<Key, Work> for Refuse {
    fn discard(&self, reason: DiscardReason, job: &mut Job<Key, Work>) {
        if let Some(reply) = job.msg.reply.take() {
            let cause = match reason {
                DiscardReason::TtlExpired => WAITED,
                _ => "the transformer is stopping",
            };
            // Whoever asked may have left.
            let _ = reply.send(Err(self.0.overloaded(cause).into()));
        }
    }
}
