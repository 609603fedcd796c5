//! What comes round by itself: by the clock, and as soon as somebody rings.

use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{doorbell::Doorbell, supervisor::Child};
use crate::domain::{error::Result, job::Cancel};

/// Work whose list stands somewhere else, so that a round that was missed loses nothing.
pub trait Chore: Clone + Send + Sync + 'static {
    /// What its actor is called.
    const NAME: &'static str;
    /// From one round to the next, should nobody ring.
    const EVERY: Duration;

    /// Rung when there is something to do.
    fn doorbell(&self) -> Doorbell {
        Doorbell::default()
    }

    /// Does all there is to do. A round that fails is repeated by the clock; when the process stops it is cancelled and
    /// dropped, and what is left is done after the next start.
    fn round(&self, cancel: &Cancel) -> impl Future<Output = Result<()>> + Send;
}

/// The child that makes the rounds of `chore`, one at a time.
pub fn child<C: Chore>(chore: C) -> Child {
    Child::actor(C::NAME, move || Rounds(chore.clone()))
}

struct Rounds<C>(C);

/// The round under way.
struct State {
    stopping: CancellationToken,
    cancel: Cancel,
    rounds: TaskTracker,
}

impl<C: Chore> Actor for Rounds<C> {
    type Msg = ();
    type State = State;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<State, ActorProcessingErr> {
        let (stopping, cancel, rounds) =
            (CancellationToken::new(), Cancel::default(), TaskTracker::new());
        let going = go_round(self.0.clone(), stopping.clone(), cancel.clone(), rounds.clone());
        rounds.spawn(stopping.clone().run_until_cancelled_owned(going));
        Ok(State { stopping, cancel, rounds })
    }

    async fn post_stop(
        &self,
        _: ActorRef<()>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        state.cancel.cancel();
        state.stopping.cancel();
        state.rounds.close();
        state.rounds.wait().await;
        Ok(())
    }
}

async fn go_round<C: Chore>(
    chore: C,
    stopping: CancellationToken,
    cancel: Cancel,
    rounds: TaskTracker,
) {
    let doorbell = chore.doorbell();
    let mut clock = tokio::time::interval(C::EVERY);
    loop {
        // A ring during a round is heard after it.
        tokio::select! {
            () = doorbell.rung() => {}
            _ = clock.tick() => {}
        }
        let (chore, cancel) = (chore.clone(), cancel.clone());
        let round = async move { chore.round(&cancel).await };
        // A task of its own: should one panic, the next still comes.
        match rounds.spawn(stopping.clone().run_until_cancelled_owned(round)).await {
            Ok(Some(Err(error))) => {
                let cause = error.cause.as_deref();
                tracing::warn!(%error, cause, "{} failed; will be tried again", C::NAME);
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "{} failed; will be tried again", C::NAME),
        }
    }
}

#[cfg(test)]
mod tests;
