//! A queue in which accounts take turns: each is served as much time as the others, whoever came first and however much of it
//! waits (start-time fair queueing).

use std::collections::{BTreeMap, HashMap};

use crate::domain::ids::UserId;

/// What waits, in the order in which it is served.
pub(super) struct Turns<T> {
    /// By the time at which it would begin if all accounts were served side by side; then by who came first.
    waiting: BTreeMap<(u64, u64), T>,
    /// When the last that came of an account would end.
    ends: HashMap<UserId, u64>,
    /// The time at which what was served last would have begun.
    now: u64,
    pushed: u64,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self { waiting: BTreeMap::new(), ends: HashMap::new(), now: 0, pushed: 0 }
    }
}

impl<T> Turns<T> {
    /// Lets `item` of an account wait; serving it will take so many microseconds.
    pub(super) fn push(&mut self, account: UserId, time: u64, item: T) {
        let end = self.ends.entry(account).or_insert(0);
        let begin = self.now.max(*end);
        // What takes no time takes its turn.
        *end = begin.saturating_add(time.max(1));
        self.pushed += 1;
        self.waiting.insert((begin, self.pushed), item);
    }

    /// Who is next.
    pub(super) fn peek(&self) -> Option<&T> {
        self.waiting.first_key_value().map(|(_, item)| item)
    }

    /// The one that is next.
    pub(super) fn pop(&mut self) -> Option<T> {
        let ((begin, _), item) = self.waiting.pop_first()?;
        self.now = begin;
        // Who is behind the others has nothing to make up for.
        if self.ends.len() > 2 * self.waiting.len() + 16 {
            self.ends.retain(|_, end| *end > begin);
        }
        if self.waiting.is_empty() {
            self.ends.clear();
        }
        Some(item)
    }

    /// Takes out all that `stays` says no to.
    pub(super) fn retain(&mut self, mut stays: impl FnMut(&mut T) -> bool) {
        self.waiting.retain(|_, item| stays(item));
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn account(number: u8) -> UserId {
        UserId(uuid::Uuid::from_u128(number.into()))
    }

    #[test]
    fn the_first_of_an_account_does_not_wait_for_all_of_another() {
        let mut turns = Turns::default();
        for number in 0..5 {
            turns.push(account(1), 10, (1, number));
        }
        assert_eq!(turns.pop(), Some((1, 0)));
        turns.push(account(2), 10, (2, 0));
        turns.push(account(2), 30, (2, 1));
        turns.push(account(2), 10, (2, 2));
        let order: Vec<_> = std::iter::from_fn(|| turns.pop()).collect();
        // What takes three times as long counts as much.
        assert_eq!(order, [(2, 0), (1, 1), (2, 1), (1, 2), (1, 3), (1, 4), (2, 2)]);
        assert_eq!((turns.len(), turns.ends.len()), (0, 0));
    }

    proptest! {
        /// However much each has and whenever it comes: as long as two accounts have something waiting, neither is served more
        /// than the largest piece of each beyond the other.
        #[test]
        fn accounts_that_wait_are_served_alike(
            pieces in prop::collection::vec((0_u8..3, 1_u64..50), 1..60),
            served_between in prop::collection::vec(0_usize..3, 60),
        ) {
            let mut turns = Turns::default();
            let mut waiting: HashMap<u8, Vec<u64>> = HashMap::new();
            // Of each two accounts, what each was served while both waited.
            let mut served: HashMap<(u8, u8), (u64, u64)> = HashMap::new();
            let mut serve = |turns: &mut Turns<(u8, u64)>, waiting: &mut HashMap<u8, Vec<u64>>| {
                let Some((who, time)) = turns.pop() else { return Ok(()) };
                prop_assert_eq!(waiting.get_mut(&who).unwrap().remove(0), time, "in its own order");
                for a in 0..3_u8 {
                    for b in a + 1..3 {
                        let wait = |who: u8| waiting.get(&who).is_some_and(|left| !left.is_empty());
                        let together = served.entry((a, b)).or_default();
                        if who == a { together.0 += time } else if who == b { together.1 += time }
                        if !(wait(a) && wait(b)) { *together = (0, 0) }
                        prop_assert!(together.0.abs_diff(together.1) <= 100, "{together:?}");
                    }
                }
                Ok(())
            };
            for ((who, time), between) in pieces.iter().copied().zip(served_between) {
                turns.push(account(who), time, (who, time));
                waiting.entry(who).or_default().push(time);
                for _ in 0..between { serve(&mut turns, &mut waiting)? }
            }
            while turns.len() > 0 { serve(&mut turns, &mut waiting)? }
            prop_assert!(waiting.values().all(Vec::is_empty));
        }
    }

    #[test]
    fn accounts_that_have_gone_are_not_remembered() {
        let mut turns = Turns::default();
        turns.push(account(0), 10, 0);
        for number in 1..=200 {
            turns.push(account(0), 10, 0);
            turns.push(account(number), 1, number);
            let served = [turns.pop().unwrap(), turns.pop().unwrap()];
            assert!(served.contains(&number), "its turn comes at once");
        }
        assert!(turns.ends.len() < 40, "{}", turns.ends.len());
        turns.retain(|_| false);
        assert_eq!(turns.pop(), None);
    }
}
