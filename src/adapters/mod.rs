//! Floor 2: the outside world, without tasks of its own.

use std::{future::Future, time::Duration};

use crate::domain::error::Result;

mod breaker;
pub mod cache;
pub mod cdn;
pub mod db;
pub mod fetch;
pub mod password;
pub mod pictures;
pub mod queue;
pub mod secret;
pub mod signature;
pub mod storage;
pub mod token;
pub mod webhook;

/// One question to a resource `R` (the database, the cache, the storage). The struct is the message
/// that travels to the actor that owns the resource; its fields are the parameters.
pub trait Query<R>: Send + 'static {
    /// Its name in logs and metrics, `noun.verb`.
    const NAME: &'static str;
    /// The answer.
    type Output: Send + 'static;

    /// Puts the question. Never runs inside the request that asked, so it is not cut off half-way
    /// when a client leaves.
    fn run(self, resource: &R) -> impl Future<Output = Result<Self::Output>> + Send;
}

/// Something that an actor owns and opens again when the actor is restarted.
pub trait Resource: Send + Sync + 'static {
    /// What it is called in answers: "the database".
    const WHAT: &'static str;

    /// Lets go of connections and files; called once nothing uses it any more.
    fn close(&self) -> impl Future<Output = ()> + Send;
}

/// Between once and one and a half times `pause`, at random, so that those who failed together don't come back together.
pub fn jittered(pause: Duration) -> Duration {
    let random = f64::from(uuid::Uuid::now_v7().as_bytes()[15]) / 255.0;
    pause.mul_f64(1.0 + random / 2.0)
}
