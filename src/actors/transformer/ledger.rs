//! What waits and what is worked on, in predicted time: how long whoever comes next would wait, and whether there is a point in it.
//!
//! A piece is worth one thread's time. One that takes more of the memory than a thread's share keeps others from their threads, and is
//! worth as much more. Jobs are never refused; nor do they count before they are begun, for they wait behind everybody else.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    domain::{
        error::{Error, Result},
        ids::UserId,
    },
    imaging::Cost,
};

/// Pieces that wait, per thread: small ones cost little time, but their callers wait as well.
const PIECES: usize = 64;
/// Predictions are of some machine; this one is at most so many times as slow, or as quick.
const FACTOR: f64 = 4.0;
/// Seconds of work after which what was measured before counts little any more.
const WINDOW: f64 = 5.0;

/// The account of the transformer's time. Cheap to clone.
#[derive(Clone)]
pub(super) struct Ledger(Arc<Mutex<Entries>>);

struct Entries {
    threads: u32,
    memory: u64,
    timeout: Duration,
    /// By account, what of it somebody waits for and is not begun.
    waiting: HashMap<UserId, Held>,
    /// By account, what of it is begun.
    begun: HashMap<UserId, Held>,
    /// What threads are at, of jobs as well: when each was begun, and what it is worth.
    running: HashMap<u64, (Instant, Duration)>,
    next: u64,
    pace: Pace,
}

/// Some pieces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Held {
    count: usize,
    time: Duration,
}

/// How long pieces took, and were predicted to take; what was measured long ago counts less.
struct Pace {
    taken: f64,
    predicted: f64,
}

impl Pace {
    fn measure(&mut self, taken: Duration, predicted: Duration) {
        // By time, not by number: of small pieces there are many, and what they take beside their pixels says nothing of large ones.
        let (taken, predicted) = (taken.as_secs_f64(), predicted.as_secs_f64());
        let kept = (-taken / WINDOW).exp();
        self.taken = self.taken * kept + taken;
        self.predicted = self.predicted * kept + predicted;
    }

    fn factor(&self) -> f64 {
        (self.taken / self.predicted).clamp(1.0 / FACTOR, FACTOR)
    }
}

impl Ledger {
    pub(super) fn new(threads: usize, memory: u64, timeout: Duration) -> Self {
        Self(Arc::new(Mutex::new(Entries {
            threads: u32::try_from(threads.max(1)).unwrap_or(u32::MAX),
            memory: memory.max(1),
            timeout,
            waiting: HashMap::new(),
            begun: HashMap::new(),
            running: HashMap::new(),
            next: 0,
            // Until something is measured, predictions are as good as seconds that were.
            pace: Pace { taken: 1.0, predicted: 1.0 },
        })))
    }

    /// Enters a piece that somebody of `account` waits for.
    ///
    /// # Errors
    /// `overloaded` when it could not be answered in time, or others wait and the account has its share.
    pub(super) fn admit(&self, account: UserId, cost: Cost) -> Result<Piece> {
        let mut entries = self.entries();
        let worth = entries.worth(cost);
        entries.check(account, worth)?;
        entries.waiting.entry(account).or_default().add(worth);
        drop(entries);
        Ok(Piece { ledger: self.clone(), account: Some(account), cost, worth, id: None })
    }

    /// A piece that nobody waits for.
    pub(super) fn job(&self) -> Piece {
        let (cost, worth) = (Cost::default(), Duration::ZERO);
        Piece { ledger: self.clone(), account: None, cost, worth, id: None }
    }

    /// `overloaded`, until what waits now is done.
    pub(super) fn overloaded(&self, cause: impl std::fmt::Display) -> Error {
        Error::overloaded(cause).retry_after(seconds(self.load().1))
    }

    /// How many pieces somebody waits for that are not begun, and how long one more would wait if it were the last of them.
    pub(super) fn load(&self) -> (usize, Duration) {
        let entries = self.entries();
        let waiting = entries.all_waiting();
        (waiting.count, entries.per_thread(entries.left() + waiting.time))
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    /// What a piece is worth of one thread's time, as predicted.
    fn worth(&self, cost: Cost) -> Duration {
        #[allow(clippy::cast_precision_loss)] // Of what is a guess.
        let share = cost.memory as f64 * f64::from(self.threads) / self.memory as f64;
        cost.time.mul_f64(share.clamp(1.0, f64::from(self.threads)))
    }

    fn check(&self, account: UserId, worth: Duration) -> Result<()> {
        let waiting = self.all_waiting();
        if waiting.count == 0 && self.running.len() < self.threads as usize {
            return Ok(());
        }
        let own = self.waiting.get(&account).copied().unwrap_or_default();
        // In turns, no other is served more than this one until it is this piece's turn.
        let in_front = own.time + worth;
        let others = self.waiting.iter().filter(|(other, _)| **other != account);
        let others: Duration = others.map(|(_, held)| held.time.min(in_front)).sum();
        let wait = self.per_thread(self.left() + own.time + others);
        let refuse = |cause: &str| Err(Error::overloaded(cause).retry_after(seconds(wait)));
        if wait + self.per_thread(worth) > self.timeout {
            return refuse("it would wait too long");
        }
        let begun = self.begun.get(&account).copied().unwrap_or_default();
        // The first of an account has its turn soon, whatever waits of others.
        if own.count + begun.count == 0 {
            return Ok(());
        }
        let all = self.per_thread(self.all_begun().time + waiting.time + worth);
        let most = PIECES * self.threads as usize;
        if all > self.timeout || waiting.count >= most {
            return refuse("the queue is full");
        }
        let is_other = |held: &&UserId| **held != account;
        if self.waiting.keys().chain(self.begun.keys()).find(is_other).is_some()
            && (self.per_thread(own.time + begun.time + worth) > self.timeout / 2
                || own.count >= most / 2)
        {
            return refuse("the account has its share of the queue");
        }
        Ok(())
    }

    /// So much predicted work, as the time that it takes all threads together.
    fn per_thread(&self, time: Duration) -> Duration {
        time.mul_f64(self.pace.factor()) / self.threads
    }

    /// What is left of what threads are at.
    fn left(&self) -> Duration {
        let factor = self.pace.factor();
        let left = |(begun, worth): &(Instant, Duration)| {
            worth.saturating_sub(begun.elapsed().div_f64(factor))
        };
        self.running.values().map(left).sum()
    }

    fn all_waiting(&self) -> Held {
        sum(&self.waiting)
    }

    fn all_begun(&self) -> Held {
        sum(&self.begun)
    }
}

/// Whole seconds, at least one.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // It saturates.
fn seconds(time: Duration) -> u32 {
    time.as_secs_f64().ceil().max(1.0) as u32
}

fn sum(held: &HashMap<UserId, Held>) -> Held {
    held.values().fold(Held::default(), |sum, held| Held {
        count: sum.count + held.count,
        time: sum.time + held.time,
    })
}

impl Held {
    fn add(&mut self, time: Duration) {
        self.count += 1;
        self.time += time;
    }
}

/// Takes a piece of `account` out.
fn remove(held: &mut HashMap<UserId, Held>, account: UserId, time: Duration) {
    if let Some(left) = held.get_mut(&account) {
        left.count -= 1;
        left.time = left.time.saturating_sub(time);
        if left.count == 0 {
            held.remove(&account);
        }
    }
}

/// A piece of work in the ledger, until it is dropped.
pub(super) struct Piece {
    ledger: Ledger,
    /// Whose it is, if somebody waits for it.
    account: Option<UserId>,
    cost: Cost,
    worth: Duration,
    /// Once a thread is at it.
    id: Option<u64>,
}

impl Piece {
    /// What it is worth, in microseconds.
    pub(super) fn worth(&self) -> u64 {
        u64::try_from(self.worth.as_micros()).unwrap_or(u64::MAX)
    }

    /// It is known better now what it takes.
    pub(super) fn revise(&mut self, cost: Cost) {
        let mut entries = self.ledger.entries();
        let worth = entries.worth(cost);
        if let Some(account) = self.account
            && let Some(held) = entries.waiting.get_mut(&account)
        {
            held.time = held.time.saturating_sub(self.worth) + worth;
        }
        (self.cost, self.worth) = (cost, worth);
    }

    /// A thread is at it.
    pub(super) fn begin(&mut self) {
        let mut entries = self.ledger.entries();
        if let Some(account) = self.account {
            remove(&mut entries.waiting, account, self.worth);
            entries.begun.entry(account).or_default().add(self.worth);
        }
        let id = entries.next;
        entries.next += 1;
        entries.running.insert(id, (Instant::now(), self.worth));
        self.id = Some(id);
    }

    /// No thread is at it any more. What it took, if it was done, is what others like it will take.
    pub(super) fn finish(&mut self, is_done: bool) {
        let mut entries = self.ledger.entries();
        let Some((begun, _)) = self.id.take().and_then(|id| entries.running.remove(&id)) else {
            return;
        };
        if let Some(account) = self.account.take() {
            remove(&mut entries.begun, account, self.worth);
        }
        if is_done {
            entries.pace.measure(begun.elapsed(), self.cost.time);
        }
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.finish(false);
        if let Some(account) = self.account {
            remove(&mut self.ledger.entries().waiting, account, self.worth);
        }
    }
}

#[cfg(test)]
mod tests;
