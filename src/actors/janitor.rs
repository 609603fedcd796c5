//! Cleans up by the clock: what has expired, and the stored objects of what was deleted.

use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{address::Address, doorbell::Doorbell, supervisor::Child};
use crate::{
    adapters::{
        db::{
            Db,
            deletions::{ObjectsDeleted, PendingDeletions},
            idempotency::PurgeKeys,
            now,
            tokens::PurgeTokens,
        },
        storage::{DeleteObject, Storage, SweepSpool},
    },
    domain::error::Result,
};

/// How often deletions that were not finished at once are tried again.
const DELETIONS: Duration = Duration::from_secs(10);
/// How often what has expired is removed.
const EXPIRIES: Duration = Duration::from_secs(10 * 60);
/// Objects removed before the next look at the list.
const BATCH: i64 = 100;

/// What the janitor works with.
#[derive(Clone)]
pub struct Janitor {
    /// Knows what is to go.
    pub database: Address<Db>,
    /// Has what is to go.
    pub storage: Address<Storage>,
    /// Rung when something was deleted.
    pub doorbell: Doorbell,
}

impl Janitor {
    /// The child that runs it.
    pub fn child(self) -> Child {
        Child::actor("janitor", move || self.clone())
    }

    /// Removes the objects of deleted images until none is left that can be removed.
    async fn remove_objects(&self) -> Result<()> {
        loop {
            let pending = self.database.ask(PendingDeletions { limit: BATCH }).await?;
            let mut removed = 0;
            for (deletion_id, key) in pending {
                // One that can't be removed now does not hold up the others.
                if let Err(error) = self.storage.ask(DeleteObject { key: key.clone() }).await {
                    report(Err(error));
                    continue;
                }
                removed += 1;
                let done = ObjectsDeleted { deletion_id, keys: vec![key], now: now() };
                self.database.ask(done).await?;
            }
            if removed == 0 {
                return Ok(());
            }
        }
    }

    async fn remove_expired(&self) -> Result<()> {
        self.database.ask(PurgeTokens { now: now() }).await?;
        self.database.ask(PurgeKeys { now: now() }).await?;
        self.storage.ask(SweepSpool).await?;
        Ok(())
    }
}

/// What the janitor is told.
#[derive(Clone, Copy)]
pub enum Message {
    /// Remove the objects of what was deleted.
    Deletions,
    /// Remove what has expired.
    Expiries,
    /// A round is over.
    Done,
}

/// The round under way.
pub struct State {
    busy: bool,
    again: bool,
    rounds: TaskTracker,
    clock: CancellationToken,
}

impl Actor for Janitor {
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
        Ok(State { busy: false, again: false, rounds: TaskTracker::new(), clock })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Deletions if state.busy => state.again = true,
            Message::Deletions => {
                state.busy = true;
                let janitor = self.clone();
                let round = async move { report(janitor.remove_objects().await) };
                // What is left of a long one is done after the next start.
                let round = state.clock.clone().run_until_cancelled_owned(round);
                state.rounds.spawn(async move {
                    round.await;
                    // A janitor that has stopped begins no further round.
                    let _ = myself.send_message(Message::Done);
                });
            }
            Message::Done => {
                state.busy = false;
                if std::mem::take(&mut state.again) {
                    myself.send_message(Message::Deletions)?;
                }
            }
            Message::Expiries => {
                let janitor = self.clone();
                state.rounds.spawn(async move { report(janitor.remove_expired().await) });
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
        state.rounds.close();
        state.rounds.wait().await;
        Ok(())
    }
}

/// A round that failed is repeated by the clock.
fn report(round: Result<()>) {
    if let Err(error) = round {
        tracing::warn!(%error, cause = error.cause, "cleaning up failed; will be tried again");
    }
}

/// Rings, and the clock, as messages.
async fn tick(janitor: ActorRef<Message>, doorbell: Doorbell) {
    let mut deletions = tokio::time::interval(DELETIONS);
    let mut expiries = tokio::time::interval(EXPIRIES);
    loop {
        let message = tokio::select! {
            () = doorbell.rung() => Message::Deletions,
            _ = deletions.tick() => Message::Deletions,
            _ = expiries.tick() => Message::Expiries,
        };
        if janitor.send_message(message).is_err() {
            return;
        }
    }
}
