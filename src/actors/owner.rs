//! The actor that owns a resource and answers questions to it, side by side.

use std::{future::Future, pin::Pin, sync::Arc};

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio_util::task::TaskTracker;

use super::{
    address::{Address, Message},
    supervisor::Child,
};
use crate::{adapters::Resource, domain::error::Result};

/// A resource that is being opened.
pub type Opening<R> = Pin<Box<dyn Future<Output = Result<R>> + Send>>;

/// Opens a resource; called at the start and after each crash.
pub type Open<R> = Arc<dyn Fn() -> Opening<R> + Send + Sync>;

/// Owns an `R`. It never waits for an answer itself: each question runs in a task of its own, so one
/// that is slow, or panics, costs only whoever asked it.
pub struct Owner<R: Resource> {
    open: Open<R>,
    address: Address<R>,
}

impl<R: Resource> Owner<R> {
    /// A child that owns what `open` returns and lives at `address`.
    pub fn child(name: &'static str, address: Address<R>, open: Open<R>) -> Child {
        Child::actor(name, move || Owner { open: open.clone(), address: address.clone() })
    }
}

/// The resource and the questions being answered.
pub struct State<R> {
    resource: Arc<R>,
    questions: TaskTracker,
}

impl<R: Resource> Actor for Owner<R> {
    type Msg = Message<R>;
    type State = State<R>;
    type Arguments = ();

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        (): (),
    ) -> Result<Self::State, ActorProcessingErr> {
        let resource = Arc::new((self.open)().await?);
        self.address.move_in(myself);
        Ok(State { resource, questions: TaskTracker::new() })
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Ask(question) => {
                state.questions.spawn(question(state.resource.clone()));
                Ok(())
            }
            #[allow(clippy::panic)]
            Message::Crash => panic!("told to crash"),
        }
    }

    async fn post_stop(
        &self,
        _: ActorRef<Self::Msg>,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        state.questions.close();
        state.questions.wait().await;
        state.resource.close().await;
        Ok(())
    }
}
