//! The queue in front of the threads: what somebody waits for, in turns of the accounts; behind it the jobs.

use std::{collections::VecDeque, sync::Arc};

use ractor::factory::{DiscardHandler, DiscardReason, Job, queues::Queue};

use super::{Key, Work, turns::Turns};

#[derive(Default)]
pub(super) struct Lanes {
    interactive: Turns<Job<Key, Work>>,
    background: VecDeque<Job<Key, Work>>,
}

impl Queue<Key, Work> for Lanes {
    fn len(&self) -> usize {
        self.interactive.len() + self.background.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn pop_front(&mut self) -> Option<Job<Key, Work>> {
        self.interactive.pop().or_else(|| self.background.pop_front())
    }

    fn discard_oldest(&mut self) -> Option<Job<Key, Work>> {
        self.background.pop_front().or_else(|| self.interactive.pop())
    }

    fn peek(&self) -> Option<&Job<Key, Work>> {
        self.interactive.peek().or_else(|| self.background.front())
    }

    fn push_back(&mut self, job: Job<Key, Work>) {
        match job.msg.place.turn() {
            Some((account, time)) => self.interactive.push(account, time, job),
            None => self.background.push_back(job),
        }
    }

    fn remove_expired_items(
        &mut self,
        discard_handler: &Option<Arc<dyn DiscardHandler<Key, Work>>>,
    ) -> usize {
        let before = self.len();
        let mut stays = |job: &mut Job<Key, Work>| {
            let is_expired = job.is_expired();
            if is_expired && let Some(handler) = discard_handler {
                handler.discard(DiscardReason::TtlExpired, job);
            }
            !is_expired
        };
        self.interactive.retain(&mut stays);
        self.background.retain_mut(&mut stays);
        before - self.len()
    }
}
