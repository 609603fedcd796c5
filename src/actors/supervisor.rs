//! Starts the children in order, restarts those that die, drains them in the opposite order.
//!
//! A child that dies is restarted alone (the others hold its address, not itself) after a backoff
//! that doubles; one that dies too often within a minute takes the process down, so that the
//! platform restarts it as a whole.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    time::{Duration, Instant},
};

use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SpawnErr, SupervisionEvent};
use tokio::sync::{oneshot, watch};

use crate::domain::error::{Error, Result};

/// Deaths of one child within [`WINDOW`] that are borne.
pub const MAX_RESTARTS: usize = 8;
/// The time in which deaths are counted.
pub const WINDOW: Duration = Duration::from_secs(60);
/// Pause before the first restart; doubled for each further one within the window.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
/// The longest pause.
const LAST_BACKOFF: Duration = Duration::from_secs(5);
/// How long a child may take to stop when the start has failed.
const STOP: Duration = Duration::from_secs(5);

type Started = Pin<Box<dyn Future<Output = Result<ActorCell, SpawnErr>> + Send>>;

/// A child: how to start it, and how to tell it to finish what it has.
pub struct Child {
    name: &'static str,
    start: Box<dyn Fn(ActorCell) -> Started + Send + Sync>,
    drain: fn(&ActorCell),
    awaited: bool,
}

impl Child {
    /// A child started by `start`, which is given the supervisor to link to.
    pub fn new<F, S>(name: &'static str, start: S) -> Self
    where
        S: Fn(ActorCell) -> F + Send + Sync + 'static,
        F: Future<Output = Result<ActorCell, SpawnErr>> + Send + 'static,
    {
        let drain = |cell: &ActorCell| {
            // One that is gone has nothing left to finish.
            let _ = cell.drain();
        };
        let start = Box::new(move |supervisor| -> Started { Box::pin(start(supervisor)) });
        Self { name, start, drain, awaited: false }
    }

    /// A child that is the actor that `make` makes, each time anew.
    pub fn actor<A>(name: &'static str, make: impl Fn() -> A + Send + Sync + 'static) -> Self
    where
        A: Actor<Arguments = ()>,
    {
        Self::new(name, move |supervisor| {
            let actor = make();
            async move {
                let (actor, _) = Actor::spawn_linked(None, actor, (), supervisor).await?;
                Ok(actor.get_cell())
            }
        })
    }

    /// The same child, of something outside that may be away at the start: it is started again and again until that is there,
    /// and the others go on meanwhile.
    pub fn awaited(mut self) -> Self {
        self.awaited = true;
        self
    }

    /// The same child, told to finish by `drain` instead of by closing its mailbox.
    pub fn drained_by(mut self, drain: fn(&ActorCell)) -> Self {
        self.drain = drain;
        self
    }
}

/// A running tree of actors.
pub struct Tree {
    supervisor: ActorRef<Message>,
    gave_up: watch::Receiver<Option<&'static str>>,
}

impl Tree {
    /// Starts `children` one after the other.
    ///
    /// # Errors
    /// When one can't start; those started before it are stopped again.
    pub async fn start(children: Vec<Child>) -> Result<Self> {
        Self::start_at_pace(children, FIRST_BACKOFF).await
    }

    async fn start_at_pace(children: Vec<Child>, first_backoff: Duration) -> Result<Self> {
        let (give_up, gave_up) = watch::channel(None);
        let supervisor = Supervisor { give_up, first_backoff };
        let started = Actor::spawn(None, supervisor, children).await;
        let (supervisor, _) = started.map_err(|error| match error {
            SpawnErr::StartupFailed(cause) => match cause.downcast::<Error>() {
                Ok(error) => *error,
                Err(cause) => Error::internal(cause),
            },
            other => Error::internal(other),
        })?;
        Ok(Self { supervisor, gave_up })
    }

    /// Waits until a child has died too often; its name.
    pub async fn gave_up(&self) -> &'static str {
        let mut gave_up = self.gave_up.clone();
        match gave_up.wait_for(Option::is_some).await {
            Ok(name) => name.unwrap_or("supervisor"),
            Err(_) => "supervisor",
        }
    }

    /// Drains the children, the last started first, each until it has finished what it had; those
    /// that are not done by `deadline` are killed. Returns the names of the killed.
    pub async fn drain(&self, deadline: tokio::time::Instant) -> Vec<&'static str> {
        let mut killed = Vec::new();
        let (reply, children) = oneshot::channel();
        if self.supervisor.send_message(Message::Drain(reply)).is_ok() {
            for (name, cell, drain) in children.await.unwrap_or_default() {
                tracing::debug!(child = name, "draining");
                drain(&cell);
                if tokio::time::timeout_at(deadline, cell.wait(None)).await.is_err() {
                    cell.kill();
                    killed.push(name);
                }
            }
        }
        self.supervisor.stop(None);
        // It has no children left and nothing to wait for.
        let _ = self.supervisor.wait(Some(Duration::from_secs(1))).await;
        killed
    }

    /// The children that are alive, in the order they were started.
    pub async fn alive(&self) -> Vec<&'static str> {
        let (reply, alive) = oneshot::channel();
        match self.supervisor.send_message(Message::Alive(reply)) {
            Ok(()) => alive.await.unwrap_or_default(),
            Err(_) => Vec::new(),
        }
    }
}

/// A child on its way out: its name, itself, and how to tell it.
type Leaving = (&'static str, ActorCell, fn(&ActorCell));

enum Message {
    Restart(usize),
    Restarted(usize, Result<ActorCell, SpawnErr>),
    Drain(oneshot::Sender<Vec<Leaving>>),
    Alive(oneshot::Sender<Vec<&'static str>>),
}

struct Supervisor {
    give_up: watch::Sender<Option<&'static str>>,
    first_backoff: Duration,
}

struct Slot {
    child: Child,
    cell: Option<ActorCell>,
    deaths: VecDeque<Instant>,
}

struct State {
    slots: Vec<Slot>,
    draining: bool,
}

impl Actor for Supervisor {
    type Msg = Message;
    type State = State;
    type Arguments = Vec<Child>;

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        children: Vec<Child>,
    ) -> Result<State, ActorProcessingErr> {
        let mut slots: Vec<Slot> = Vec::with_capacity(children.len());
        for child in children {
            match (child.start)(myself.get_cell()).await {
                Ok(cell) => {
                    slots.push(Slot { child, cell: Some(cell), deaths: VecDeque::new() });
                }
                Err(error) if child.awaited => {
                    tracing::warn!(child = child.name, %error, "could not start; trying again");
                    let (slot, index) =
                        (Slot { child, cell: None, deaths: VecDeque::new() }, slots.len());
                    slots.push(slot);
                    myself.send_after(self.first_backoff, move || Message::Restart(index));
                }
                Err(error) => {
                    for slot in slots.iter().rev() {
                        if let Some(cell) = &slot.cell {
                            // Waited for: the supervisor's own end would cut it short.
                            let _ = cell.stop_and_wait(None, Some(STOP)).await;
                        }
                    }
                    return Err(match error {
                        SpawnErr::StartupFailed(cause) => cause,
                        other => other.into(),
                    });
                }
            }
        }
        Ok(State { slots, draining: false })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Restart(index) if !state.draining => {
                if let Some(slot) = state.slots.get(index) {
                    let starting = (slot.child.start)(myself.get_cell());
                    tokio::spawn(async move {
                        // A supervisor that is gone has taken its children along.
                        let _ = myself.send_message(Message::Restarted(index, starting.await));
                    });
                }
            }
            Message::Restart(_) => {}
            Message::Restarted(_, Ok(cell)) if state.draining => cell.stop(None),
            Message::Restarted(index, started) => {
                if let Some(slot) = state.slots.get_mut(index) {
                    match started {
                        Ok(cell) => {
                            tracing::info!(child = slot.child.name, "restarted");
                            slot.cell = Some(cell);
                        }
                        Err(error) if slot.child.awaited => {
                            tracing::warn!(child = slot.child.name, %error, "could not start; trying again");
                            myself.send_after(LAST_BACKOFF, move || Message::Restart(index));
                        }
                        Err(error) => {
                            tracing::error!(child = slot.child.name, %error, "could not restart");
                            self.died(&myself, index, slot);
                        }
                    }
                }
            }
            Message::Drain(reply) => {
                state.draining = true;
                let leaving = state.slots.iter_mut().rev().filter_map(|slot| {
                    Some((slot.child.name, slot.cell.take()?, slot.child.drain))
                });
                // Nobody waiting means the process is past draining.
                let _ = reply.send(leaving.collect());
            }
            Message::Alive(reply) => {
                let alive = state.slots.iter().filter(|slot| slot.cell.is_some());
                let _ = reply.send(alive.map(|slot| slot.child.name).collect());
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Message>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let (cell, reason) = match event {
            SupervisionEvent::ActorFailed(cell, error) => (cell, error.to_string()),
            SupervisionEvent::ActorTerminated(cell, _, reason) => {
                (cell, reason.unwrap_or_else(|| "stopped by itself".to_owned()))
            }
            _ => return Ok(()),
        };
        let dead = state.slots.iter().position(|slot| {
            slot.cell.as_ref().is_some_and(|alive| alive.get_id() == cell.get_id())
        });
        if let (false, Some(index)) = (state.draining, dead)
            && let Some(slot) = state.slots.get_mut(index)
        {
            tracing::error!(child = slot.child.name, reason, "an actor died");
            slot.cell = None;
            self.died(&myself, index, slot);
        }
        Ok(())
    }
}

impl Supervisor {
    /// Counts a death, and either arranges for the restart or gives up.
    fn died(&self, myself: &ActorRef<Message>, index: usize, slot: &mut Slot) {
        let now = Instant::now();
        slot.deaths.retain(|death| now.duration_since(*death) < WINDOW);
        slot.deaths.push_back(now);
        if slot.deaths.len() > MAX_RESTARTS {
            tracing::error!(child = slot.child.name, "died too often; giving up");
            self.give_up.send_replace(Some(slot.child.name));
            return;
        }
        let pause = backoff(self.first_backoff, slot.deaths.len());
        myself.send_after(pause, move || Message::Restart(index));
    }
}

/// Pause before the `n`th restart within the window, `n` from 1.
fn backoff(first: Duration, n: usize) -> Duration {
    let doublings = u32::try_from(n.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
    (first * 2u32.pow(doublings)).min(LAST_BACKOFF)
}

#[cfg(test)]
mod tests;
