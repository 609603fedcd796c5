//! Rounds are made by the clock and by a ring, whatever became of the one before.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{sync::mpsc, time::Instant};

use super::*;
use crate::{actors::supervisor::Tree, domain::error::Error};

const HOUR: u64 = 3_600_000;

/// Comes round every so many milliseconds and tells of each round; the first panics, the second fails, and from the third on
/// they last until they are cancelled.
#[derive(Clone)]
struct Told<const EVERY: u64> {
    made: Arc<AtomicUsize>,
    tell: mpsc::UnboundedSender<usize>,
    doorbell: Doorbell,
}

impl<const EVERY: u64> Chore for Told<EVERY> {
    const NAME: &'static str = "told";
    const EVERY: Duration = Duration::from_millis(EVERY);

    fn doorbell(&self) -> Doorbell {
        self.doorbell.clone()
    }

    async fn round(&self, cancel: &Cancel) -> Result<()> {
        let made = self.made.fetch_add(1, Ordering::Relaxed);
        self.tell.send(made).unwrap();
        match made {
            0 => panic!("on purpose"),
            1 => Err(Error::internal("on purpose")),
            _ => {
                while !cancel.is_cancelled() {
                    tokio::task::yield_now().await;
                }
                Ok(())
            }
        }
    }
}

async fn told<const EVERY: u64>() -> (Tree, Doorbell, mpsc::UnboundedReceiver<usize>) {
    let (tell, told) = mpsc::unbounded_channel();
    let doorbell = Doorbell::default();
    let chore = Told::<EVERY> { made: Arc::default(), tell, doorbell: doorbell.clone() };
    (Tree::start(vec![child(chore)]).await.unwrap(), doorbell, told)
}

#[tokio::test]
async fn a_round_comes_after_one_that_failed() {
    let (_tree, _, mut told) = told::<1>().await;
    for round in 0..=2 {
        assert_eq!(told.recv().await, Some(round), "by the clock");
    }
}

#[tokio::test]
async fn a_ring_calls_one_and_stopping_ends_it() {
    let (tree, doorbell, mut told) = told::<HOUR>().await;
    assert_eq!(told.recv().await, Some(0), "the clock's first");
    for round in 1..=2 {
        doorbell.ring();
        assert_eq!(told.recv().await, Some(round), "by a ring");
    }
    // There is never a second one beside a round that lasts.
    doorbell.ring();
    let killed = tree.drain(Instant::now() + Duration::from_secs(60)).await;
    assert!(killed.is_empty(), "a round under way is cancelled");
    assert!(told.try_recv().is_err(), "and no other begins");
}
