//! Remembers that something is out of reach, so that not every request finds it out for itself.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long nobody tries after a failure. Then one does, for all.
const PAUSE: Duration = Duration::from_secs(1);

/// Closed while all is well.
#[derive(Default)]
pub struct Breaker {
    /// When to try next, once it is open.
    retry_at: Mutex<Option<Instant>>,
}

/// What changed by an outcome.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// It was in reach and is no longer.
    Lost,
    /// It is back.
    Regained,
}

impl Breaker {
    /// Whether to try. When the pause is over the first to ask is let through, and the others wait for what it finds: a
    /// pause more at most, should it never come back.
    pub fn admits(&self, now: Instant) -> bool {
        let mut retry_at = self.retry_at.lock().unwrap_or_else(PoisonError::into_inner);
        match *retry_at {
            None => true,
            Some(at) if now < at => false,
            Some(_) => {
                *retry_at = Some(now + PAUSE);
                true
            }
        }
    }

    /// Whether the last try failed.
    pub fn is_open(&self) -> bool {
        self.retry_at.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Says how a try ended.
    pub fn record(&self, reached: bool, now: Instant) -> Option<Change> {
        let mut retry_at = self.retry_at.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *retry_at, (!reached).then(|| now + PAUSE));
        match (before, reached) {
            (None, false) => Some(Change::Lost),
            (Some(_), true) => Some(Change::Regained),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_failure_one_tries_at_a_time() {
        let breaker = Breaker::default();
        let start = Instant::now();
        assert!(breaker.admits(start) && breaker.admits(start));
        assert_eq!(breaker.record(true, start), None);
        assert_eq!(breaker.record(false, start), Some(Change::Lost));
        assert_eq!(breaker.record(false, start), None, "of several under way");
        assert!(!breaker.admits(start + PAUSE / 2));
        assert!(breaker.admits(start + PAUSE), "the probe");
        assert!(!breaker.admits(start + PAUSE), "beside it");
        assert!(breaker.admits(start + 2 * PAUSE), "a probe that never came back");
        assert_eq!(breaker.record(false, start + 2 * PAUSE), None);
        assert!(!breaker.admits(start + 2 * PAUSE));
        assert!(breaker.admits(start + 3 * PAUSE));
        assert_eq!(breaker.record(true, start + 3 * PAUSE), Some(Change::Regained));
        assert!(breaker.admits(start + 3 * PAUSE) && breaker.admits(start + 3 * PAUSE));
    }
}
