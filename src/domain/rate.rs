//! How often something may happen: the generic cell rate algorithm (GCRA), in the form that ITU-T I.371 calls virtual
//! scheduling. What is kept of a whole history is one point in time, so it is as cheap to share as a counter.
//!
//! Units are due at even distances, a window divided by the limit. `due` is when the next unit would be due if all so far
//! had come evenly; a unit taken moves it on by one distance, from now at the earliest. It may lie ahead of now by a
//! whole window, which is how far a client may run ahead of an even pace: the limit at once, or spread as it likes.
//!
//! Times are whole microseconds: below 2^53 until the year 2255, so that the same sums come out in Lua, whose numbers are
//! doubles (`adapters/cache/take_rate.lua`).

use std::time::Duration;

/// Microseconds since whenever the clock in use began.
pub type Micros = u64;

/// So many units in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Units.
    pub limit: u32,
    /// In this time.
    pub window: Duration,
}

/// What became of an attempt to take units, and how the account stands after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether they were taken.
    pub admitted: bool,
    /// When the next unit is due at an even pace.
    pub due: Micros,
    /// The time of the attempt, by the clock of whoever keeps the account.
    pub now: Micros,
    /// Units that could be taken at once.
    pub remaining: u32,
    /// Until it is one unit more.
    pub more_in: Duration,
    /// Until what was asked for can be taken; zero if it was.
    pub retry_in: Duration,
}

impl Quota {
    /// `limit` units in `window`; nothing for a limit of zero, which means that nothing is counted.
    pub fn new(limit: u32, window: Duration) -> Option<Self> {
        (limit > 0 && !window.is_zero()).then_some(Self { limit, window })
    }

    /// From one unit to the next. Rounded up: the pace may be slower than was asked for by a part of a microsecond, and is
    /// never faster.
    pub fn spacing(&self) -> Micros {
        let window = u64::try_from(self.window.as_micros()).unwrap_or(u64::MAX);
        window.div_ceil(u64::from(self.limit.max(1))).max(1)
    }

    /// How far ahead of now `due` may lie.
    fn ahead(&self) -> Micros {
        self.spacing().saturating_mul(u64::from(self.limit))
    }

    /// Takes `cost` units at `now` from an account whose next unit is due at `due`; all of them or none. A negative cost
    /// gives units back.
    pub fn take(&self, due: Micros, now: Micros, cost: i32) -> Verdict {
        let units = self.spacing().saturating_mul(u64::from(cost.unsigned_abs()));
        let from = due.max(now);
        let after = if cost < 0 { from.saturating_sub(units) } else { from.saturating_add(units) };
        let admitted = after <= now.saturating_add(self.ahead());
        self.verdict(admitted, if admitted { after } else { due }, now, cost)
    }

    /// How an account stands in which the next unit is `due`, after an attempt to take `cost` at `now`.
    pub fn verdict(&self, admitted: bool, due: Micros, now: Micros, cost: i32) -> Verdict {
        let (spacing, ahead) = (self.spacing(), self.ahead());
        let taken = due.saturating_sub(now);
        let remaining = ahead.saturating_sub(taken) / spacing;
        let until = |units: u64| {
            let room = ahead.saturating_sub(spacing.saturating_mul(units));
            Duration::from_micros(taken.saturating_sub(room))
        };
        let asked = u64::try_from(cost).unwrap_or(0);
        Verdict {
            admitted,
            due,
            now,
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
            more_in: until(remaining + 1),
            retry_in: if admitted { Duration::ZERO } else { until(asked) },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const SECOND: Micros = 1_000_000;
    /// Some day in 2026.
    const START: Micros = 1_790_000_000 * SECOND;

    #[test]
    fn the_limit_goes_at_once_and_comes_back_evenly() {
        let quota = Quota::new(6, MINUTE).unwrap();
        let mut due = 0;
        for left in (0..6).rev() {
            let verdict = quota.take(due, START, 1);
            assert_eq!((verdict.admitted, verdict.remaining), (true, left));
            assert_eq!(verdict.more_in, Duration::from_secs(10));
            due = verdict.due;
        }
        let refused = quota.take(due, START + 3 * SECOND, 1);
        assert_eq!((refused.admitted, refused.remaining, refused.due), (false, 0, due));
        assert_eq!(
            (refused.retry_in, refused.more_in),
            (Duration::from_secs(7), Duration::from_secs(7))
        );
        assert!(quota.take(due, START + 10 * SECOND, 1).admitted);
        let rested = quota.take(due, START + 60 * SECOND, 1);
        assert_eq!((rested.admitted, rested.remaining), (true, 5));
    }

    #[test]
    fn several_are_taken_together_or_not_at_all() {
        let quota = Quota::new(6, MINUTE).unwrap();
        let some = quota.take(0, START, 4);
        assert_eq!((some.admitted, some.remaining), (true, 2));
        let more = quota.take(some.due, START, 3);
        assert_eq!((more.admitted, more.remaining, more.due), (false, 2, some.due));
        assert_eq!(more.retry_in, Duration::from_secs(10));
        assert!(quota.take(some.due, START + 10 * SECOND, 3).admitted);
        assert!(!quota.take(0, START, 7).admitted, "more than ever are there");
    }

    #[test]
    fn what_is_given_back_can_be_taken_again_and_no_more() {
        let quota = Quota::new(2, MINUTE).unwrap();
        let all = quota.take(0, START, 2);
        let back = quota.take(all.due, START, -1);
        assert_eq!((back.admitted, back.remaining), (true, 1));
        let too_much = quota.take(back.due, START, -9);
        assert_eq!((too_much.remaining, too_much.more_in), (2, Duration::ZERO));
        assert_eq!(quota.take(too_much.due, START, 1).remaining, 1);
    }

    #[test]
    fn a_limit_of_zero_is_none() {
        assert_eq!(Quota::new(0, MINUTE), None);
    }

    proptest! {
        #[test]
        fn never_more_than_the_limit_and_what_time_has_brought(
            limit in 1u32..50,
            window in 1u64..100_000_000,
            steps in prop::collection::vec((0u64..5_000_000, 1i32..8), 1..80),
        ) {
            let quota = Quota::new(limit, Duration::from_micros(window)).unwrap();
            let (mut due, mut now) = (0, START);
            let mut taken: Vec<(Micros, u64)> = Vec::new();
            for (pause, cost) in steps {
                now += pause;
                let verdict = quota.take(due, now, cost);
                due = verdict.due;
                if verdict.admitted {
                    taken.push((now, cost.unsigned_abs().into()));
                } else {
                    // Not refused without need: what it says is left is there, and what it says of later holds.
                    prop_assert!(u64::from(verdict.remaining) < cost.unsigned_abs().into());
                    if cost.unsigned_abs() <= limit {
                        let later = now + u64::try_from(verdict.retry_in.as_micros()).unwrap();
                        prop_assert!(quota.take(due, later, cost).admitted);
                        prop_assert!(!quota.take(due, later - 1, cost).admitted);
                    }
                }
            }
            // Of every stretch of time, from any admitted unit to any later one.
            for (first, (from, _)) in taken.iter().enumerate() {
                let mut sum = 0;
                for (at, cost) in &taken[first..] {
                    sum += cost;
                    let brought = u128::from(at - from) * u128::from(limit) / u128::from(window);
                    prop_assert!(u128::from(sum) <= u128::from(limit) + brought);
                }
            }
        }

        #[test]
        fn what_remains_can_be_taken_and_not_one_more(limit in 1u32..50, costs in prop::collection::vec(-3i32..9, 0..20)) {
            let quota = Quota::new(limit, MINUTE).unwrap();
            let due = costs.iter().fold(0, |due, cost| quota.take(due, START, *cost).due);
            let remaining = i32::try_from(quota.take(due, START, 0).remaining).unwrap();
            prop_assert!(quota.take(due, START, remaining).admitted);
            prop_assert!(!quota.take(due, START, remaining + 1).admitted);
        }
    }
}
