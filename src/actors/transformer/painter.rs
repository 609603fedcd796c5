//! The workers: each brings one piece of work at a time to the threads.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::Ordering,
    time::Instant,
};

use ractor::{
    ActorProcessingErr, ActorRef,
    factory::{Job, Worker, WorkerBuilder, WorkerId},
};
use tokio::sync::oneshot;

use super::{Entrance, Key, Made, Task, Transformer, WAITED, Work};
use crate::{
    actors::budget::Share,
    domain::{
        error::{Code, Error, Result},
        limits::Limits,
    },
    imaging::{self, Control, Failure, Threads},
};

/// Makes the workers.
pub(super) struct Painters(pub(super) Transformer);

impl WorkerBuilder<Painter, ()> for Painters {
    fn build(&mut self, _: WorkerId) -> (Painter, ()) {
        (Painter(self.0.clone()), ())
    }
}

/// A worker: brings one picture at a time to the pool.
pub(super) struct Painter(Transformer);

impl Painter {
    /// Reserves what the work may take. Here, and not before it is queued: so it is the lanes that say who is next, and what
    /// waits for a thread holds nothing back from the others. `None` when it is not wanted any more, or was answered.
    async fn room(&self, work: &mut Work) -> Option<Share> {
        let room = self.0.memory.reserve(work.memory);
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
                let _ = reply.send(Err(self.0.ledger.overloaded(WAITED).into()));
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
        let Some(room) = self.room(&mut work).await else { return Ok(()) };
        let (finished, finish) = oneshot::channel();
        let Transformer { pool, limits, threads, painted, .. } = self.0.clone();
        pool.spawn(move || {
            let _room = room;
            if let Some(reply) = work.reply.take()
                && !reply.is_closed()
            {
                work.begun.store(true, Ordering::Relaxed);
                work.place.piece.begin();
                if matches!(work.task, Task::Transform { .. }) {
                    painted.fetch_add(1, Ordering::Relaxed);
                }
                let made = paint(&work, &limits, threads);
                // Before the answer: whoever has it may come again at once.
                work.place.piece.finish(made.is_ok());
                drop(work.expected.take());
                // Whoever asked may leave while the work is done.
                let _ = reply.send(made);
            }
            let _ = finished.send(());
        });
        // Being told, or losing the thread: either way it is free again.
        let _ = finish.await;
        Ok(())
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
pub(super) fn contained<T>(engine: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
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
