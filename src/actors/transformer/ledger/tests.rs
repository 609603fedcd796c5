#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;
use crate::domain::error::Code;

const TIMEOUT: Duration = Duration::from_secs(10);

fn account(number: u8) -> UserId {
    UserId(uuid::Uuid::from_u128(number.into()))
}

fn cost(seconds: f64) -> Cost {
    Cost { memory: 0, time: Duration::from_secs_f64(seconds) }
}

/// Two threads that are both at a job which takes no time, so that nothing is admitted only because a thread is free.
fn busy() -> (Ledger, [Piece; 2]) {
    let ledger = Ledger::new(2, 1 << 30, TIMEOUT);
    let mut jobs = [ledger.job(), ledger.job()];
    jobs.iter_mut().for_each(Piece::begin);
    (ledger, jobs)
}

/// As many pieces as are admitted, and what is said of the next one.
fn flood(ledger: &Ledger, account: UserId, cost: Cost) -> (Vec<Piece>, Error) {
    let mut pieces = Vec::new();
    loop {
        match ledger.admit(account, cost) {
            Ok(piece) => pieces.push(piece),
            Err(error) => return (pieces, error),
        }
    }
}

#[test]
fn what_could_not_be_answered_in_time_is_refused_with_the_time_to_wait() {
    let (ledger, _jobs) = busy();
    let (flooded, error) = flood(&ledger, account(1), cost(1.0));
    // Two threads, ten seconds.
    assert_eq!((flooded.len(), error.code), (20, Code::Overloaded));
    assert_eq!(error.retry_after, Some(10));
    assert_eq!(ledger.load(), (20, TIMEOUT));
    // What is small would wait as long.
    assert!(ledger.admit(account(1), cost(0.001)).is_err());
    drop(flooded);
    assert_eq!(ledger.load(), (0, Duration::ZERO));
}

#[test]
fn the_first_of_another_account_is_admitted_and_then_each_has_its_share() {
    let (ledger, _jobs) = busy();
    let (mut first, _) = flood(&ledger, account(1), cost(1.0));
    let second = ledger.admit(account(2), cost(1.0)).unwrap();
    // It has its place; the queue is full all the same.
    assert_eq!(ledger.admit(account(2), cost(1.0)).err().unwrap().code, Code::Overloaded);
    let third = ledger.admit(account(3), cost(1.0)).unwrap();
    first.truncate(10);
    assert!(ledger.admit(account(1), cost(0.1)).is_err(), "half of it is its share");
    let (more, error) = flood(&ledger, account(2), cost(1.0));
    // Of twenty, ten and one are others'.
    assert_eq!((more.len(), error.code), (8, Code::Overloaded));
    drop((second, third, more));
    // Alone, it may have all of it again.
    let (again, _) = flood(&ledger, account(1), cost(1.0));
    assert_eq!(again.len(), 10);
}

#[test]
fn small_pieces_are_counted_too() {
    let (ledger, _jobs) = busy();
    let (mut first, error) = flood(&ledger, account(1), cost(0.000_001));
    assert_eq!((first.len(), error.retry_after), (2 * PIECES, Some(1)));
    let _second = ledger.admit(account(2), cost(0.000_001)).unwrap();
    first.truncate(PIECES);
    assert!(ledger.admit(account(1), cost(0.000_001)).is_err());
    first.truncate(PIECES - 1);
    assert!(ledger.admit(account(1), cost(0.000_001)).is_ok());
}

#[test]
fn a_thread_that_is_free_is_for_whatever_comes() {
    let ledger = Ledger::new(1, 1 << 30, TIMEOUT);
    let mut large = ledger.admit(account(1), cost(60.0)).unwrap();
    assert!(ledger.admit(account(1), cost(1.0)).is_err());
    large.begin();
    assert!(ledger.admit(account(2), cost(1.0)).is_err(), "no turn comes before its end");
    large.finish(false);
    assert!(ledger.admit(account(1), cost(60.0)).is_ok());
}

#[test]
fn jobs_are_not_refused_and_count_once_they_are_begun() {
    let (ledger, _jobs) = busy();
    let (flooded, _) = flood(&ledger, account(1), cost(1.0));
    let mut job = ledger.job();
    job.revise(cost(4.0));
    assert_eq!(ledger.load(), (20, TIMEOUT));
    job.begin();
    assert!(ledger.load().1 > TIMEOUT + Duration::from_secs(1));
    job.finish(false);
    assert_eq!(ledger.load(), (20, TIMEOUT));
    drop(flooded);
    // It is known better what a piece takes once its file is read.
    let mut piece = ledger.admit(account(1), cost(1.0)).unwrap();
    piece.revise(cost(3.0));
    assert_eq!((ledger.load(), piece.worth()), ((1, Duration::from_millis(1500)), 3_000_000));
}

#[test]
fn what_takes_the_memory_of_other_threads_takes_their_time() {
    let (ledger, _jobs) = busy();
    let large = |share: u64| Cost { memory: (1 << 30) / share, ..cost(1.0) };
    assert_eq!(flood(&ledger, account(1), large(2)).0.len(), 20);
    assert_eq!(flood(&ledger, account(1), large(1)).0.len(), 10);
}

#[test]
fn predictions_are_scaled_by_what_was_measured() {
    let mut pace = Pace { taken: 1.0, predicted: 1.0 };
    let (second, moment) = (Duration::from_secs(1), Duration::from_micros(1));
    for _ in 0..1000 {
        pace.measure(moment * 100, moment);
    }
    assert!((1.0..1.2).contains(&pace.factor()), "what is small says little: {}", pace.factor());
    for _ in 0..10 {
        pace.measure(second * 2, second);
    }
    assert!((1.9..2.1).contains(&pace.factor()), "{}", pace.factor());
    for _ in 0..100 {
        pace.measure(second, second * 100);
    }
    assert!((pace.factor() - 0.25).abs() < 1e-9);
    for _ in 0..100 {
        pace.measure(second * 100, Duration::ZERO);
    }
    assert!((pace.factor() - 4.0).abs() < 1e-9);

    let (ledger, _jobs) = busy();
    ledger.entries().pace = Pace { taken: 2.0, predicted: 1.0 };
    assert_eq!(flood(&ledger, account(1), cost(1.0)).0.len(), 10);
}

proptest! {
    /// Whatever is entered, revised, begun and finished in whatever order: nothing is left of it.
    #[test]
    fn the_books_balance(steps in prop::collection::vec((0_u8..6, 0_u8..3, 0_u64..3_000), 0..120)) {
        let (ledger, _jobs) = busy();
        let mut pieces: Vec<Piece> = Vec::new();
        for (step, who, millis) in steps {
            let cost = cost(Duration::from_millis(millis).as_secs_f64());
            let waiting = pieces.iter().position(|piece| piece.id.is_none() && piece.account.is_some());
            let running = pieces.iter().position(|piece| piece.id.is_some());
            match (step, waiting, running) {
                (0 | 1, ..) => pieces.extend(ledger.admit(account(who), cost).ok()),
                (2, Some(place), _) => pieces[place].revise(cost),
                (3, Some(place), _) => pieces[place].begin(),
                (4, _, Some(place)) => pieces[place].finish(false),
                (5, _, Some(place)) | (5, Some(place), _) => drop(pieces.remove(place)),
                _ => {}
            }
            let count = pieces.iter().filter(|piece| piece.id.is_none() && piece.account.is_some());
            prop_assert_eq!(ledger.load().0, count.count());
        }
        drop(pieces);
        let entries = ledger.entries();
        prop_assert_eq!(entries.running.len(), 2);
        prop_assert!(entries.waiting.is_empty() && entries.begun.is_empty());
    }
}
