//! Threads that pictures share. Each picture has one, and while there is nothing else to do a large one is lent another: small
//! pictures that come are not made to wait for it.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use rayon::{ThreadPool, ThreadPoolBuilder};

/// A picture of as many pixels is worth a second thread, if there is one. Small ones do for tests.
pub(super) const LARGE: usize = if cfg!(test) { 10_000 } else { 2_000_000 };

/// For so long nothing is lent after a picture has come that left no thread idle: the next one is likely to come at once, and a
/// picture that has to give its second thread back waits until the system has that one run again.
const CALM: Duration = if cfg!(test) { Duration::ZERO } else { Duration::from_millis(200) };

/// How many threads there are for pictures, and what they are at. Cheap to clone; without threads, as by default, none is lent.
#[derive(Debug, Clone, Default)]
pub struct Threads(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    threads: usize,
    /// Pictures that are worked on, and those that wait.
    pictures: AtomicUsize,
    /// Threads that were lent.
    lent: AtomicUsize,
    /// When a picture came last that left no thread idle.
    full: Mutex<Option<Instant>>,
    calm: Duration,
    /// The threads that are lent: a pool beside that of the pictures, started when the first is. A thread that waits for others of its own
    /// pool does other work meanwhile, and a picture would be held up by all of another one.
    helpers: OnceLock<Option<ThreadPool>>,
}

impl Counts {
    /// Threads with something to do.
    fn busy(&self) -> usize {
        self.pictures.load(Ordering::Relaxed) + self.lent.load(Ordering::Relaxed)
    }

    /// Whether it is a while since.
    fn is_calm(&self) -> bool {
        let full = *self.full.lock().unwrap_or_else(PoisonError::into_inner);
        full.is_none_or(|full| full.elapsed() >= self.calm)
    }

    /// The pool; none where the system has no threads left.
    fn helpers(&self) -> Option<&ThreadPool> {
        let start = || {
            let named = |index| format!("helper-{index}");
            ThreadPoolBuilder::new().num_threads(self.threads).thread_name(named).build().ok()
        };
        self.helpers.get_or_init(start).as_ref()
    }
}

impl Threads {
    /// So many.
    pub fn new(threads: usize) -> Self {
        Self::calm_after(threads, CALM)
    }

    fn calm_after(threads: usize, calm: Duration) -> Self {
        Self(Arc::new(Counts { threads, calm, ..Counts::default() }))
    }

    /// Counts a picture from now on, waiting or worked on, until what is returned is dropped.
    #[must_use]
    pub fn expect(&self) -> Expected {
        let Counts { threads, pictures, full, .. } = &*self.0;
        pictures.fetch_add(1, Ordering::Relaxed);
        if self.0.busy() >= *threads {
            *full.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        Expected(self.clone())
    }

    /// How many have nothing to do.
    pub fn idle(&self) -> usize {
        self.0.threads.saturating_sub(self.0.busy())
    }

    /// A thread more, if one has nothing to do.
    pub(super) fn lend(&self) -> Option<Lent<'_>> {
        let Counts { threads, pictures, lent, .. } = &*self.0;
        let one_more = |lent| {
            let busy = pictures.load(Ordering::Relaxed) + lent;
            (busy < *threads).then_some(lent + 1)
        };
        one_more(lent.load(Ordering::Relaxed)).filter(|_| self.0.is_calm())?;
        let pool = self.0.helpers()?;
        lent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        Some(Lent { counts: &self.0, pool })
    }
}

/// A picture that is waiting or worked on.
#[derive(Debug)]
pub struct Expected(Threads);

impl Drop for Expected {
    fn drop(&mut self) {
        self.0.0.pictures.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A thread that was lent to a picture, which gives it back by dropping this.
pub(super) struct Lent<'t> {
    counts: &'t Counts,
    pool: &'t ThreadPool,
}

impl<'t> Lent<'t> {
    /// The threads that are lent: as many work as were.
    pub(super) fn pool(&self) -> &'t ThreadPool {
        self.pool
    }

    /// Whether there is a picture that needs it. To be asked often.
    pub(super) fn is_wanted(&self) -> bool {
        self.counts.busy() > self.counts.threads
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.counts.lent.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_no_picture_needs_is_lent_until_one_does() {
        let threads = Threads::new(3);
        let _first = threads.expect();
        let (one, other) = (threads.lend().unwrap(), threads.lend().unwrap());
        assert!(threads.lend().is_none(), "each thread is lent once");
        assert!(!one.is_wanted() && !other.is_wanted());
        let second = threads.expect();
        assert!(one.is_wanted(), "as soon as a picture waits");
        drop(one);
        assert!(!other.is_wanted(), "one is enough");
        assert!(threads.lend().is_none());
        drop(second);
        assert!(threads.lend().is_some());
    }

    #[test]
    fn nothing_is_lent_a_while_after_the_last_was_taken() {
        let threads = Threads::calm_after(2, Duration::MAX);
        let first = threads.expect();
        assert!(threads.lend().is_some(), "a picture alone leaves one idle");
        let second = threads.expect();
        drop(first);
        assert_eq!(threads.idle(), 1);
        assert!(threads.lend().is_none(), "more of them will come");
        drop(second);
    }

    #[test]
    fn without_threads_none_is_lent() {
        assert!(Threads::default().lend().is_none());
        let threads = Threads::new(1);
        let _only = threads.expect();
        assert!(threads.lend().is_none());
    }
}
