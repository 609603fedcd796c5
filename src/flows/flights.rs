//! One piece of work per key at a time, however many want its result.

use std::{
    collections::HashMap,
    future::Future,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};

use crate::domain::error::{Error, Result};

/// The work under way.
pub struct Flights<K, T>(Mutex<HashMap<K, Shared<BoxFuture<'static, Result<T>>>>>);

impl<K, T> Default for Flights<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K, T> Flights<K, T>
where
    K: Eq + Hash + Clone + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// The result of the work under way for `key`, if there is any.
    pub fn under_way(&self, key: &K) -> Option<impl Future<Output = Result<T>> + Send + use<K, T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// The result of the work under way for `key`; begins it with `start` if there is none. The work
    /// runs in a task of its own, so it is finished even if everyone who waits leaves.
    ///
    /// # Errors
    /// `internal` if the work panicked.
    pub async fn join<F>(self: &Arc<Self>, key: K, start: impl FnOnce() -> F) -> Result<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let flight = {
            let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match flights.get(&key) {
                Some(flight) => flight.clone(),
                None => {
                    let landing = Landing { flights: self.clone(), key: key.clone() };
                    let work = start();
                    let task = tokio::spawn(async move {
                        let _landing = landing;
                        work.await
                    });
                    let flight = task.map(|done| done.map_err(Error::internal)).boxed().shared();
                    flights.insert(key, flight.clone());
                    flight
                }
            }
        };
        flight.await
    }
}

/// Takes the flight off the board when the work ends, also by a panic.
struct Landing<K: Eq + Hash, T> {
    flights: Arc<Flights<K, T>>,
    key: K,
}

impl<K: Eq + Hash, T> Drop for Landing<K, T> {
    fn drop(&mut self) {
        self.flights.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Barrier;

    use super::*;

    #[tokio::test]
    async fn work_for_one_key_is_done_once_at_a_time() {
        let flights = Arc::new(Flights::default());
        let (begun, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Barrier::new(2)));
        let joins: Vec<_> = (0..8)
            .map(|_| {
                let (flights, begun, gate) = (flights.clone(), begun.clone(), gate.clone());
                async move {
                    let work = || async move {
                        gate.wait().await;
                        begun.fetch_add(1, Ordering::SeqCst)
                    };
                    flights.join("key", work).await
                }
            })
            .collect();
        let (results, _) = tokio::join!(futures_util::future::join_all(joins), gate.wait());
        assert!(results.into_iter().all(|result| result.is_ok_and(|value| value == 0)));
        let later = flights.join("key", || async { 7 }).await;
        assert_eq!(later.ok(), Some(7), "a finished flight is not joined");
    }

    #[tokio::test]
    async fn what_is_under_way_can_be_waited_for_and_is_not_begun() {
        let flights = Arc::new(Flights::default());
        assert!(flights.under_way(&"key").is_none());
        let gate = Arc::new(Barrier::new(2));
        let waits = gate.clone();
        let work = || async move {
            waits.wait().await;
            7
        };
        let mut first = Box::pin(flights.join("key", work));
        assert!(first.as_mut().now_or_never().is_none());
        let second = flights.under_way(&"key").unwrap();
        let (first, second, _) = tokio::join!(first, second, gate.wait());
        assert_eq!((first.ok(), second.ok()), (Some(7), Some(7)));
        assert!(flights.under_way(&"key").is_none());
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_the_key_is_free_again() {
        let flights = Arc::new(Flights::<_, u8>::default());
        assert!(flights.join("key", || async { panic!("on purpose") }).await.is_err());
        assert_eq!(flights.join("key", || async { 1 }).await.ok(), Some(1));
    }
}
