//! Room in memory for the files that pictures are made of. Whoever waits for a picture goes before jobs, and accounts take turns.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use super::turns::Turns;
use crate::domain::{
    error::{Code, Error, Result},
    ids::UserId,
};

/// Bytes of originals that may be in memory. Cheap to clone.
#[derive(Clone)]
pub(super) struct Originals {
    room: Arc<Mutex<Places>>,
    /// What one file takes at most.
    largest: u64,
    /// All there is.
    most: u64,
}

struct Places {
    free: u64,
    interactive: Turns<Waiter>,
    background: VecDeque<Waiter>,
}

struct Waiter {
    bytes: u64,
    given: oneshot::Sender<Room>,
}

/// Room for some files, until it is dropped.
pub struct Room {
    of: Originals,
    bytes: u64,
}

impl Originals {
    /// Room for so many of `largest` bytes.
    pub(super) fn new(largest: u64, count: u64) -> Self {
        let (interactive, background) = (Turns::default(), VecDeque::new());
        let most = largest.saturating_mul(count);
        let places = Places { free: most, interactive, background };
        Self { room: Arc::new(Mutex::new(places)), largest, most }
    }

    /// Waits for room for files of these sizes: in turns with other accounts by the `time` that the work will take, or, as nobody's,
    /// behind all of them. A file that was taken in under another limit counts as the largest.
    ///
    /// # Errors
    /// `image_too_large` where there never is room for all of them.
    pub(super) async fn take(&self, sizes: &[u64], turn: Option<(UserId, u64)>) -> Result<Room> {
        let sizes = sizes.iter().map(|size| size.min(&self.largest));
        let bytes = sizes.fold(0, |sum: u64, size| sum.saturating_add(*size));
        if bytes > self.most {
            let detail = format!(
                "the picture and those laid over it are files of {bytes} bytes together; at most {} (MAX_UPLOAD_SIZE, TRANSFORM_THREADS)",
                self.most
            );
            return Err(Error::new(Code::ImageTooLarge, detail));
        }
        let (given, room) = oneshot::channel();
        let waiter = Waiter { bytes, given };
        {
            let mut places = self.places();
            match turn {
                Some((account, time)) => places.interactive.push(account, time, waiter),
                None => places.background.push_back(waiter),
            }
        }
        self.give();
        room.await.map_err(Error::internal)
    }

    /// Gives what is free to who is next, as long as it is enough: what needs much is not passed by all that need little.
    fn give(&self) {
        let mut unwanted = Vec::new();
        let mut places = self.places();
        while let Some(waiter) = places.next() {
            places.free -= waiter.bytes;
            let room = Room { of: self.clone(), bytes: waiter.bytes };
            unwanted.extend(waiter.given.send(room).err());
        }
        // What comes back is for the next, once nothing is locked.
        drop(places);
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    /// Who is next, if there is room enough.
    fn next(&mut self) -> Option<Waiter> {
        loop {
            let next = self.interactive.peek().or_else(|| self.background.front())?;
            let is_gone = next.given.is_closed();
            if !is_gone && next.bytes > self.free {
                return None;
            }
            let next = self.interactive.pop().or_else(|| self.background.pop_front());
            if !is_gone {
                return next;
            }
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.of.places().free += self.bytes;
        self.of.give();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn files_count_together_and_what_never_has_room_is_refused() {
        let originals = Originals::new(10, 3);
        let room = originals.take(&[10, 4, 6], None).await.unwrap();
        assert_eq!(originals.places().free, 10);
        let mut next = Box::pin(originals.take(&[4, 7], None));
        assert!(next.as_mut().now_or_never().is_none());
        drop(room);
        let next = next.now_or_never().unwrap().unwrap();
        assert_eq!(originals.places().free, 19);
        // Each was taken in under another limit.
        let all = originals.take(&[1000, u64::MAX, 11], None);
        drop(next);
        drop(all.await.unwrap());
        let refused = originals.take(&[10, 10, 10, 1], None).await.err().unwrap();
        assert_eq!(refused.code, Code::ImageTooLarge);
        assert!(refused.detail.contains("31 bytes together; at most 30"), "{}", refused.detail);
        assert_eq!(originals.places().free, 30);
    }

    #[tokio::test]
    async fn accounts_take_turns_and_jobs_wait_for_all_of_them() {
        let originals = Originals::new(10, 1);
        let [flood, other] = [1_u128, 2].map(|id| UserId(uuid::Uuid::from_u128(id)));
        let room = originals.take(&[4], None).await.unwrap();
        let mut job = Box::pin(originals.take(&[10], None));
        assert!(job.as_mut().now_or_never().is_none());
        let mut first = Box::pin(originals.take(&[1000], Some((flood, 10))));
        let mut second = Box::pin(originals.take(&[10], Some((flood, 10))));
        let mut third = Box::pin(originals.take(&[3], Some((other, 10))));
        for waiting in [&mut first, &mut second, &mut third] {
            assert!(waiting.as_mut().now_or_never().is_none(), "nor is the large one passed");
        }
        drop(room);
        let large = first.now_or_never().unwrap().unwrap();
        assert!(second.as_mut().now_or_never().is_none());
        drop(large);
        let small = third.now_or_never().unwrap().unwrap();
        assert!(second.as_mut().now_or_never().is_none());
        assert!(job.as_mut().now_or_never().is_none());
        // Whoever has left is passed by.
        drop(second);
        drop(small);
        let job = job.now_or_never().unwrap().unwrap();
        assert_eq!(originals.places().free, 0);
        drop(job);
        assert_eq!(originals.places().free, 10);
    }

    #[tokio::test]
    async fn what_was_given_to_nobody_comes_back() {
        let originals = Originals::new(10, 2);
        let rooms = [originals.take(&[10], None).await, originals.take(&[10], None).await];
        let mut left = Box::pin(originals.take(&[10], None));
        assert!(left.as_mut().now_or_never().is_none());
        drop(rooms);
        // It has its room, and does not look any more.
        drop(left);
        assert_eq!(originals.places().free, 20);
    }
}
