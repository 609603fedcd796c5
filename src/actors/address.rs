//! The stable reference to an actor that owns a resource: admission, deadline, and survival of its
//! restarts.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use ractor::{ActorRef, ActorStatus, MessagingErr};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch},
    time::{Instant, timeout, timeout_at},
};

use crate::{
    adapters::{Query, Resource},
    domain::error::{Error, Result},
};

/// A question on its way: given the resource, it becomes the work of answering.
type Question<R> = Box<dyn FnOnce(Arc<R>) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// What an [`Owner`](super::owner::Owner) receives.
pub enum Message<R> {
    /// Answer this.
    Ask(Question<R>),
    /// Panic, to show that supervision holds.
    Crash,
}

/// Where to put questions to the owner of an `R`. Cheap to clone; stays valid when the actor behind
/// it is restarted.
pub struct Address<R: Resource>(Arc<Inner<R>>);

struct Inner<R: Resource> {
    owner: watch::Sender<Option<ActorRef<Message<R>>>>,
    admission: Arc<Semaphore>,
    deadline: Duration,
}

impl<R: Resource> Clone for Address<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<R: Resource> Address<R> {
    /// An address at which nobody lives yet. At most `admitted` questions are under way at a time,
    /// queued or running, and none is waited for longer than `deadline`.
    pub fn new(admitted: usize, deadline: Duration) -> Self {
        Self(Arc::new(Inner {
            owner: watch::Sender::new(None),
            admission: Arc::new(Semaphore::new(admitted)),
            deadline,
        }))
    }

    /// Puts a question and waits for its answer.
    ///
    /// # Errors
    /// What the question itself answers; `overloaded` if it is not admitted in time;
    /// `dependency_unavailable` if no answer comes in time, or the actor dies over it.
    pub async fn ask<Q: Query<R>>(&self, query: Q) -> Result<Q::Output> {
        if self.0.owner.borrow().is_none() {
            // It is not being restarted: what it owns has not been there yet.
            return Err(Error::unavailable(R::WHAT, format_args!("{}: not there yet", Q::NAME)));
        }
        let until = Instant::now() + self.0.deadline;
        let permit = timeout_at(until, self.0.admission.clone().acquire_owned())
            .await
            .map_err(|_| Error::overloaded(format_args!("{}: not admitted in time", Q::NAME)))?
            .map_err(Error::internal)?;
        let (reply, answer) = oneshot::channel();
        self.send(question(query, permit, reply, 2 * self.0.deadline), until)
            .await
            .ok_or_else(|| Error::unavailable(R::WHAT, format_args!("{}: no actor", Q::NAME)))?;
        match timeout_at(until, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Error::unavailable(
                R::WHAT,
                format_args!("{}: the actor died over it", Q::NAME),
            )),
            Err(_) => {
                Err(Error::unavailable(R::WHAT, format_args!("{}: no answer in time", Q::NAME)))
            }
        }
    }

    /// Hands the question to the actor, waiting for it to come back if it is being restarted.
    async fn send(&self, mut question: Question<R>, until: Instant) -> Option<()> {
        let mut owner = self.0.owner.subscribe();
        loop {
            let actor =
                timeout_at(until, owner.wait_for(|owner| owner.as_ref().is_some_and(is_alive)))
                    .await
                    .ok()?
                    .ok()?
                    .clone()?;
            match actor.send_message(Message::Ask(question)) {
                Ok(()) => return Some(()),
                // It died between the look and the send: take the question back and wait.
                Err(MessagingErr::SendErr(Message::Ask(returned))) => {
                    question = returned;
                    timeout_at(until, owner.changed()).await.ok()?.ok()?;
                }
                Err(_) => return None,
            }
        }
    }

    /// From now on `actor` lives here.
    pub(super) fn move_in(&self, actor: ActorRef<Message<R>>) {
        self.0.owner.send_replace(Some(actor));
    }

    /// Makes the actor behind this address panic. Supervision is a promise; this is how it is
    /// tried.
    #[doc(hidden)]
    pub fn crash(&self) {
        if let Some(actor) = self.0.owner.borrow().as_ref() {
            // One that is dead already has had its crash.
            let _ = actor.send_message(Message::Crash);
        }
    }
}

fn is_alive<R: Resource>(actor: &ActorRef<Message<R>>) -> bool {
    actor.get_status() < ActorStatus::Draining
}

/// A question ends some time after whoever asked has stopped waiting, even if the resource never
/// answers. The permit travels with the question, and so counts until the answer is there even if whoever
/// asked has left.
fn question<R: Resource, Q: Query<R>>(
    query: Q,
    permit: OwnedSemaphorePermit,
    reply: oneshot::Sender<Result<Q::Output>>,
    longest: Duration,
) -> Question<R> {
    Box::new(move |resource| {
        Box::pin(async move {
            let answer = timeout(longest, query.run(&resource)).await.unwrap_or_else(|_| {
                Err(Error::unavailable(R::WHAT, format_args!("{}: given up", Q::NAME)))
            });
            drop(permit);
            // Whoever asked may have left.
            let _ = reply.send(answer);
        })
    })
}
