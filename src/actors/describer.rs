//! Looks at pictures that nobody has looked at yet, one at a time and behind all other work: placeholders, colours, what EXIF
//! says. What is to be done stands in the database, so that nothing is lost with a process.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{address::Address, doorbell::Doorbell, supervisor::Child, transformer::Transformer};
use crate::{
    adapters::{
        Resource,
        db::{
            Db,
            facts::{Describe, TakeUndescribed, Undescribed},
            now,
        },
        storage::{GetObject, Storage},
    },
    domain::{
        error::{Code, Error, Result},
        image::Facts,
        job::Cancel,
    },
    imaging::Failure,
};

/// How often the database is asked, should nobody ring.
const ROUND: Duration = Duration::from_secs(10);
/// How long a picture that was taken is left to whoever took it: longer than any picture takes.
const TAKEN: TimeDelta = TimeDelta::seconds(120);
/// How often a picture is tried before it is left alone.
const MAX_ATTEMPTS: i32 = 5;

/// What the describer works with.
#[derive(Clone)]
pub struct Describer {
    /// Knows which pictures.
    pub database: Address<Db>,
    /// Has their bytes.
    pub storage: Address<Storage>,
    /// Has the threads.
    pub transformer: Transformer,
    /// KiB of originals that may be in memory.
    pub originals: Arc<Semaphore>,
    /// Rung when a picture was uploaded.
    pub doorbell: Doorbell,
}

impl Describer {
    /// The child that runs it.
    pub fn child(self) -> Child {
        Child::actor("describer", move || self.clone())
    }

    /// Looks at pictures until there is none left to look at.
    async fn round(&self, cancel: &Cancel) -> Result<()> {
        loop {
            let taking = TakeUndescribed { limit: 1, now: now(), until: now() + TAKEN };
            let taken = self.database.ask(taking).await?;
            if taken.is_empty() {
                return Ok(());
            }
            for image in taken {
                let id = image.id;
                let facts = match self.look_at(&image, cancel).await {
                    Ok(facts) => facts,
                    // It will be tried again, once it is free.
                    Err(error) if error.is_passing() && image.attempts < MAX_ATTEMPTS => {
                        return Err(error);
                    }
                    Err(error) => {
                        tracing::debug!(%id, %error, "a picture can't be described");
                        Facts::default()
                    }
                };
                self.database.ask(Describe { id, facts }).await?;
            }
        }
    }

    async fn look_at(&self, image: &Undescribed, cancel: &Cancel) -> Result<Facts> {
        let size = u32::try_from(image.size / 1024 + 1).unwrap_or(u32::MAX);
        let room = self.originals.clone().acquire_many_owned(size).await;
        let _room = room.map_err(Error::internal)?;
        let key = image.object_key.clone();
        let input =
            self.storage.ask(GetObject { key }).await.map_err(|error| match error.code {
                // The row is there and its object is not: being deleted in this moment, or out of reach.
                Code::NotFound => Error::unavailable(Storage::WHAT, error),
                _ => error,
            })?;
        self.transformer.describe(input, cancel.clone()).await.map_err(|failure| match failure {
            Failure::Refused(error) => error,
            Failure::Cancelled => Error::overloaded("the process is stopping"),
        })
    }
}

/// There may be something to do.
#[derive(Clone, Copy)]
pub enum Message {
    /// Look whether there is.
    Look,
    /// A round is over.
    Done,
}

/// The round under way.
pub struct State {
    busy: bool,
    again: bool,
    rounds: TaskTracker,
    clock: CancellationToken,
    cancel: Cancel,
}

impl Actor for Describer {
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
        let (rounds, cancel) = (TaskTracker::new(), Cancel::default());
        Ok(State { busy: false, again: false, rounds, clock, cancel })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Look if state.busy => state.again = true,
            Message::Look => {
                state.busy = true;
                let (describer, cancel) = (self.clone(), state.cancel.clone());
                let round = async move {
                    if let Err(error) = describer.round(&cancel).await {
                        let cause = error.cause.as_deref();
                        tracing::warn!(%error, cause, "describing pictures failed; will be tried again");
                    }
                };
                // What is left is done after the next start.
                let round = state.clock.clone().run_until_cancelled_owned(round);
                state.rounds.spawn(async move {
                    round.await;
                    // One that has stopped begins no further round.
                    let _ = myself.send_message(Message::Done);
                });
            }
            Message::Done => {
                state.busy = false;
                if std::mem::take(&mut state.again) {
                    myself.send_message(Message::Look)?;
                }
            }
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        _: ActorRef<Message>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        state.cancel.cancel();
        state.clock.cancel();
        state.rounds.close();
        state.rounds.wait().await;
        Ok(())
    }
}

/// Rings, and the clock, as messages.
async fn tick(describer: ActorRef<Message>, doorbell: Doorbell) {
    let mut clock = tokio::time::interval(ROUND);
    loop {
        tokio::select! {
            () = doorbell.rung() => {}
            _ = clock.tick() => {}
        }
        if describer.send_message(Message::Look).is_err() {
            return;
        }
    }
}
