//! Whether the storage is in reach: found out once for all, and soon, so that nobody waits for one that is not.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{sync::Mutex, time::timeout};

use super::{Backend, Storage};
use crate::{
    adapters::{
        Resource,
        breaker::{Breaker, Change},
    },
    domain::error::{Code, Error, Result},
};

/// How long nothing may be heard of a question before it is asked whether anybody is there. With [`PING`] it is less than the two
/// seconds in which whoever needs the storage learns that it is gone.
const PATIENCE: Duration = Duration::from_millis(800);
/// How long the answer to that may take.
const PING: Duration = Duration::from_secs(1);
/// How often it is looked whether something moved: what was sent in the first moment shall not double the patience.
const TICK: Duration = Duration::from_millis(50);

/// How long until it is asked a second time: one lost packet is no outage.
const HEDGE: Duration = Duration::from_millis(500);

/// Stands before a backend.
#[derive(Default)]
pub(super) struct Guard {
    breaker: Breaker,
    /// When the last ping ended, and how. Held while one is under way.
    pinged: Mutex<Option<(Instant, Result<()>)>>,
}

impl Guard {
    /// Asks `question` of `backend`, unless it is known to be out of reach. Given up if nothing moves, by what `progress` counts,
    /// and a ping isn't answered either.
    pub(super) async fn ask<T>(
        &self,
        backend: &dyn Backend,
        progress: Option<Arc<AtomicU64>>,
        question: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        if !self.breaker.admits(Instant::now()) {
            return Err(Error::unavailable(
                Storage::WHAT,
                format_args!("{} was out of reach a moment ago", backend.name()),
            ));
        }
        if self.breaker.is_open() {
            self.ping(backend).await?;
        }
        let mut question = std::pin::pin!(question);
        let (mut seen, mut heard) = (0, Instant::now());
        loop {
            match timeout(TICK, &mut question).await {
                Ok(Err(error)) if error.code == Code::DependencyUnavailable => {
                    // Of one object, or of all?
                    self.ping(backend).await?;
                    return Err(error);
                }
                Ok(answer) => return answer,
                Err(_) => {
                    let now = progress.as_ref().map_or(0, |read| read.load(Ordering::Relaxed));
                    if std::mem::replace(&mut seen, now) != now {
                        heard = Instant::now();
                    } else if heard.elapsed() >= PATIENCE {
                        self.ping(backend).await?;
                        heard = Instant::now();
                    }
                }
            }
        }
    }

    /// Whether `backend` answers; remembered. Whoever asks while somebody else does gets the same answer.
    pub(super) async fn ping(&self, backend: &dyn Backend) -> Result<()> {
        let asked = Instant::now();
        let mut pinged = self.pinged.lock().await;
        if let Some((ended, answer)) = &*pinged
            && *ended >= asked
        {
            return answer.clone();
        }
        let twice = async {
            let mut first = backend.ping();
            match timeout(HEDGE, &mut first).await {
                Ok(answer) => answer,
                Err(_) => tokio::select! {
                    answer = first => answer,
                    answer = backend.ping() => answer,
                },
            }
        };
        let answer = timeout(PING, twice).await.unwrap_or_else(|_| {
            let cause = format_args!("{} did not answer within a second", backend.name());
            Err(Error::unavailable(Storage::WHAT, cause))
        });
        *pinged = Some((Instant::now(), answer.clone()));
        match self.breaker.record(answer.is_ok(), Instant::now()) {
            Some(Change::Lost) => {
                let cause = answer.as_ref().err().and_then(|error| error.cause.as_deref());
                tracing::warn!(backend = backend.name(), cause, "the storage is out of reach");
            }
            Some(Change::Regained) => {
                tracing::info!(backend = backend.name(), "the storage is in reach again");
            }
            None => {}
        }
        answer
    }
}
