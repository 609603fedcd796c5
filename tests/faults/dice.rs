//! Chance that can be had again.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    ops::Range,
    sync::Mutex,
    time::Duration,
};

/// A row of numbers that a seed and a name decide: a scenario that is run by itself has the same luck as in its round.
pub struct Dice(Mutex<u64>);

impl Dice {
    pub fn new(seed: u64, name: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        (seed, name).hash(&mut hasher);
        Self(Mutex::new(hasher.finish()))
    }

    /// SplitMix64.
    fn next(&self) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn number(&self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    pub fn coin(&self) -> bool {
        self.number(0..2) == 1
    }

    /// Lets a random time pass: what it falls into is what is tried out.
    pub async fn pause(&self, millis: Range<u64>) {
        tokio::time::sleep(Duration::from_millis(self.number(millis))).await;
    }
}
