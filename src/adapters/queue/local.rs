//! The queue of one process: what its relay has leased for its own worker.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::{Delivery, Message};
use crate::domain::ids::JobId;

/// A queue in memory. Its jobs are rows of the outbox: what dies with the process is leased again by another.
#[derive(Clone)]
pub struct LocalQueue(Arc<Inner>);

struct Inner {
    waiting: Mutex<VecDeque<(JobId, OwnedSemaphorePermit)>>,
    came: Notify,
    room: Arc<Semaphore>,
}

impl LocalQueue {
    /// A queue that holds `prefetch` jobs, those that were brought and are not settled included.
    pub fn new(prefetch: u16) -> Self {
        Self(Arc::new(Inner {
            waiting: Mutex::default(),
            came: Notify::new(),
            room: Arc::new(Semaphore::new(usize::from(prefetch))),
        }))
    }

    pub(super) fn room(&self) -> i64 {
        i64::try_from(self.0.room.available_permits()).unwrap_or(i64::MAX)
    }

    /// Takes as many of `jobs` as there is room for.
    pub(super) fn publish(&self, jobs: &[(JobId, DateTime<Utc>)]) -> Vec<JobId> {
        let mut taken = Vec::with_capacity(jobs.len());
        for (job_id, _) in jobs {
            let Ok(place) = self.0.room.clone().try_acquire_owned() else { break };
            self.waiting().push_back((*job_id, place));
            self.0.came.notify_one();
            taken.push(*job_id);
        }
        taken
    }

    pub(super) async fn next(&self) -> Delivery {
        loop {
            let came = self.0.came.notified();
            if let Some((job_id, place)) = self.waiting().pop_front() {
                let held = Some((job_id, place));
                let receipt = super::Receipt::Local(Receipt { held, queue: self.clone() });
                return Delivery { body: Message::of(job_id), receipt };
            }
            came.await;
        }
    }

    pub(super) fn left(&self) -> Vec<JobId> {
        self.waiting().drain(..).map(|(job_id, _)| job_id).collect()
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<(JobId, OwnedSemaphorePermit)>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A job that was brought, and its place.
pub(super) struct Receipt {
    held: Option<(JobId, OwnedSemaphorePermit)>,
    queue: LocalQueue,
}

impl Receipt {
    pub(super) fn ack(mut self) {
        self.held = None;
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            self.queue.waiting().push_front(held);
            self.queue.0.came.notify_one();
        }
    }
}
