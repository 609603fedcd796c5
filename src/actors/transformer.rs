//! The pool that touches pixels: a factory of workers, each of which keeps one thread of a rayon
//! pool busy.
//!
//! The queue in front of it is bounded and has two lanes: somebody waits for what is `Interactive`,
//! so it goes first. Work beyond the bound is refused as `overloaded`, and so is work that waited past
//! its deadline; work whose caller has left is not begun.
//!
//! What all threads together take is bounded by `TRANSFORM_MEMORY`: before a thread begins, what its
//! work will take at most is predicted and reserved. What could never have that much is refused.
//!
//! A thread that nothing waits for is lent to a large picture, see [`Threads`].

use std::{
    io::Cursor,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use ractor::{
    Actor, ActorCell, ActorProcessingErr, ActorRef,
    factory::{
        DiscardHandler, DiscardMode, DiscardReason, DiscardSettings, Factory, FactoryArguments,
        FactoryMessage, Job, JobOptions, Worker, WorkerBuilder, WorkerId,
        queues::{Priority as Lane, PriorityManager, PriorityQueue},
        routing::QueuerRouting,
    },
};
use rayon::ThreadPool;
use tokio::sync::{oneshot, watch};

use super::{
    budget::{Budget, Need, Share},
    supervisor::Child,
};
use crate::{
    domain::{
        error::{Code, Error, Result},
        image::Facts,
        job::Cancel,
        limits::Limits,
        transform::Spec,
    },
    imaging::{self, Control, Cost, Expected, Failure, Output, Overlays, Threads},
};

/// Work that waits for a thread, per thread of the pool; beyond it, work is refused.
const QUEUE_PER_THREAD: usize = 64;

/// Who waits for the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Priority {
    /// Somebody, right now.
    #[default]
    Interactive,
    /// A job.
    Background,
}

impl From<usize> for Priority {
    fn from(index: usize) -> Self {
        if index == 0 { Priority::Interactive } else { Priority::Background }
    }
}

impl Lane for Priority {
    fn get_index(&self) -> usize {
        match self {
            Priority::Interactive => 0,
            Priority::Background => 1,
        }
    }
}

/// One transformation.
pub struct Work {
    task: Task,
    input: Bytes,
    /// For somebody who waits: from when it was asked. A job's time begins with its thread, so that
    /// waiting behind others costs it no attempt.
    deadline: Option<Instant>,
    cancel: Cancel,
    /// The memory that it may take.
    memory: Need,
    /// While it waits or is worked on, no thread that it needs is lent to others.
    _expected: Expected,
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

type Key = Priority;
type Entrance = FactoryMessage<Key, Work>;
type Queue = PriorityQueue<Key, Work, Priority, Lanes, 2>;
type Pool = Factory<Key, Work, (), Painter, QueuerRouting<Key, Work>, Queue>;

/// Where to bring pictures to be transformed. Cheap to clone; survives restarts of the factory.
#[derive(Clone)]
pub struct Transformer {
    entrance: watch::Sender<Option<ActorRef<Entrance>>>,
    pool: Arc<ThreadPool>,
    threads: Threads,
    memory: Budget,
    limits: Arc<Limits>,
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
            .build()
            .map_err(Error::internal)?;
        Ok(Self {
            entrance: watch::Sender::new(None),
            pool: Arc::new(pool),
            threads: Threads::new(threads),
            memory: Budget::new(memory),
            limits: Arc::new(limits),
        })
    }

    /// Every picture has one thread, however large it is.
    #[must_use]
    pub fn without_lending(self) -> Self {
        Self { threads: Threads::default(), ..self }
    }

    /// Transforms `input` by `spec`.
    ///
    /// # Errors
    /// What the engine refuses; `image_too_large` when it might take more than all of the memory; `overloaded` when too much
    /// waits already, or when it waited past its deadline; `transform_timeout`; `image_corrupt` when a codec panicked.
    /// [`Failure::Cancelled`] after `cancel`.
    pub async fn transform(
        &self,
        input: Bytes,
        overlays: Overlays,
        spec: Arc<Spec>,
        priority: Priority,
        cancel: Cancel,
    ) -> Result<Output, Failure> {
        match self.ask(Task::Transform { overlays, spec }, input, priority, cancel).await? {
            Made::Output(output) => Ok(output),
            Made::Facts(_) => Err(Failure::Refused(Error::internal("facts for a picture"))),
        }
    }

    /// Looks at `input`: a background pass that nobody waits for.
    ///
    /// # Errors
    /// As [`Transformer::transform`].
    pub async fn describe(&self, input: Bytes, cancel: Cancel) -> Result<Facts, Failure> {
        match self.ask(Task::Describe, input, Priority::Background, cancel).await? {
            Made::Facts(facts) => Ok(*facts),
            Made::Output(_) => Err(Failure::Refused(Error::internal("a picture for facts"))),
        }
    }

    async fn ask(
        &self,
        task: Task,
        input: Bytes,
        priority: Priority,
        cancel: Cancel,
    ) -> Result<Made, Failure> {
        let timeout = self.limits.timeout;
        let deadline = (priority == Priority::Interactive).then(|| Instant::now() + timeout);
        let (task, cost) = self.foresee(task, input.clone()).await?;
        let memory = self.memory.admit(cost.memory)?;
        let (reply, answer) = oneshot::channel();
        let begun = Arc::new(AtomicBool::new(false));
        let work = Work {
            task,
            input,
            deadline,
            cancel,
            memory,
            _expected: self.threads.expect(),
            begun: begun.clone(),
            reply: Some(reply),
        };
        let job = Job::with_options(priority, work, JobOptions::new(deadline.map(|_| timeout)));
        let refused = |cause| Failure::Refused(Error::overloaded(cause));

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
            Some(_) => tokio::time::timeout(timeout + Duration::from_secs(1), answer).await,
            None => Ok(answer.await),
        };
        match answered {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(refused("the transformer died over it")),
            Err(_) if begun.load(Ordering::Relaxed) => Err(timed_out(timeout).into()),
            Err(_) => Err(waited(timeout).into()),
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
                let threads = this.pool.current_num_threads();
                let arguments = FactoryArguments::builder()
                    .worker_builder(Box::new(Painters(this.clone())))
                    .num_initial_workers(threads)
                    .router(QueuerRouting::default())
                    .queue(PriorityQueue::new(Lanes))
                    .discard_handler(Arc::new(Refuse { timeout: this.limits.timeout }))
                    .discard_settings(DiscardSettings::Static {
                        limit: threads * QUEUE_PER_THREAD,
                        mode: DiscardMode::Newest,
                    })
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

fn timed_out(timeout: Duration) -> Error {
    let detail = format!("the transformation took longer than {} s", timeout.as_secs_f32());
    Error::new(Code::TransformTimeout, detail)
}

/// For work that was not begun in its time.
fn waited(timeout: Duration) -> Error {
    Error::overloaded(format!("the transformation waited for {} s", timeout.as_secs_f32()))
}

/// Which lane a piece of work waits in; all of it can be refused.
struct Lanes;

impl PriorityManager<Key, Priority> for Lanes {
    fn is_discardable(&self, _: &Key) -> bool {
        true
    }

    fn get_priority(&self, key: &Key) -> Option<Priority> {
        Some(*key)
    }
}

/// Answers for work that never begins.
struct Refuse {
    timeout: Duration,
}

impl DiscardHandler<Key, Work> for Refuse {
    fn discard(&self, reason: DiscardReason, job: &mut Job<Key, Work>) {
        if let Some(reply) = job.msg.reply.take() {
            let error = match reason {
                DiscardReason::TtlExpired => waited(self.timeout),
                _ => Error::overloaded("the transformer's queue is full"),
            };
            // Whoever asked may have left.
            let _ = reply.send(Err(Failure::Refused(error)));
        }
    }
}

/// Makes the workers.
struct Painters(Transformer);

impl WorkerBuilder<Painter, ()> for Painters {
    fn build(&mut self, _: WorkerId) -> (Painter, ()) {
        let Transformer { pool, threads, memory, limits, .. } = self.0.clone();
        (Painter { pool, threads, memory, limits }, ())
    }
}

/// A worker: brings one picture at a time to the pool.
struct Painter {
    pool: Arc<ThreadPool>,
    threads: Threads,
    memory: Budget,
    limits: Arc<Limits>,
}

impl Painter {
    /// Reserves what the work may take. Here, and not before it is queued: so it is the lanes that say who is next, and what
    /// waits for a thread holds nothing back from the others. `None` when it is not wanted any more, or was answered.
    async fn room(&self, work: &mut Work) -> Option<Share> {
        let room = self.memory.reserve(work.memory);
        let deadline = work.deadline;
        let too_late = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        let left = work.reply.as_mut()?.closed();
        tokio::select! {
            room = room => return room,
            () = left => {}
            () = too_late => {
                let reply = work.reply.take()?;
                // Whoever asked may have left.
                let _ = reply.send(Err(waited(self.limits.timeout).into()));
            }
        }
        None
    }
}

impl Worker for Painter {
    type Key = Key;
    type Message = Work;
    type Arguments = ();
    type State = ();

    async fn pre_start(
        &self,
        _: WorkerId,
        _: &ActorRef<Entrance>,
        (): (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: WorkerId,
        _: &ActorRef<Entrance>,
        job: Job<Key, Work>,
        (): &mut (),
    ) -> Result<Key, ActorProcessingErr> {
        let mut work = job.msg;
        let Some(room) = self.room(&mut work).await else { return Ok(job.key) };
        let (finished, finish) = oneshot::channel();
        let (limits, threads) = (self.limits.clone(), self.threads.clone());
        self.pool.spawn(move || {
            let _room = room;
            if let Some(reply) = work.reply.take()
                && !reply.is_closed()
            {
                work.begun.store(true, Ordering::Relaxed);
                // Whoever asked may leave while the work is done.
                let _ = reply.send(paint(&work, &limits, threads));
            }
            let _ = finished.send(());
        });
        // Being told, or losing the thread: either way it is free again.
        let _ = finish.await;
        Ok(job.key)
    }
}

/// The work itself.
fn paint(work: &Work, limits: &Limits, threads: Threads) -> Result<Made, Failure> {
    let deadline = work.deadline.unwrap_or_else(|| Instant::now() + limits.timeout);
    let control = Control { deadline: Some(deadline), cancel: work.cancel.clone(), threads };
    contained(|| match &work.task {
        Task::Transform { overlays, spec } => {
            imaging::transform(&work.input, overlays, spec, limits, &control).map(Made::Output)
        }
        Task::Describe => {
            imaging::describe(&work.input, limits, &control).map(Box::new).map(Made::Facts)
        }
    })
}

/// A codec that panics costs this one picture.
fn contained<T>(engine: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(engine)).unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        tracing::error!(message, "the engine panicked");
        let detail = "the picture could not be processed";
        Err(Failure::Refused(Error::new(Code::ImageCorrupt, detail).caused_by(message)))
    })
}

#[cfg(test)]
mod tests;
