//! Pictures in memory: bounded by bytes. What does not fit is what is asked for least (W-TinyLFU), be it new or old.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use moka::sync::Cache;

use super::{Key, LARGEST, Picture};
use crate::domain::ids::ImageId;

/// What a picture takes beside its bytes.
const OVERHEAD: u64 = 300;
/// Seconds after which the disk is told again that a picture is in use.
const TOLD_EVERY: i64 = 60;

/// How often each picture was put and has not gone again, in an order that has the pictures of an image beside each other.
type Counts = BTreeMap<Key, u32>;

pub(super) struct Memory {
    kept: Cache<Key, Kept>,
    /// Never locked while the cache is asked: it tells of what goes while it is at work.
    counts: Arc<Mutex<Counts>>,
    /// Bytes of the largest picture that is kept.
    largest: u64,
}

/// A picture, and when the disk was last told of its use.
#[derive(Clone)]
struct Kept {
    picture: Arc<Picture>,
    told: Arc<AtomicI64>,
}

impl Memory {
    pub(super) fn new(capacity: u64) -> Self {
        let counts = Arc::new(Mutex::new(Counts::new()));
        let gone = counts.clone();
        let kept = Cache::builder()
            .max_capacity(capacity)
            .weigher(|_, kept: &Kept| u32::try_from(weight(&kept.picture)).unwrap_or(u32::MAX))
            .eviction_listener(move |key: Arc<Key>, _, _| {
                let mut counts = lock(&gone);
                if let Some(count) = counts.get_mut(&key) {
                    *count -= 1;
                    if *count == 0 {
                        counts.remove(&key);
                    }
                }
            })
            .build();
        Self { kept, counts, largest: capacity / LARGEST }
    }

    /// The picture, and whether the disk is to be told that it is in use.
    pub(super) fn get(&self, key: &Key) -> Option<(Arc<Picture>, bool)> {
        let Kept { picture, told } = self.kept.get(key)?;
        let now = now();
        let is_due = now.saturating_sub(told.load(Ordering::Relaxed)) >= TOLD_EVERY;
        if is_due {
            told.store(now, Ordering::Relaxed);
        }
        Some((picture, is_due))
    }

    pub(super) fn put(&self, key: Key, picture: Arc<Picture>) {
        if weight(&picture) > self.largest {
            // What was there before is not what was put last.
            self.kept.invalidate(&key);
            return;
        }
        *lock(&self.counts).entry(key).or_insert(0) += 1;
        self.kept.insert(key, Kept { picture, told: Arc::new(AtomicI64::new(now())) });
    }

    pub(super) fn forget(&self, image: ImageId) {
        let (first, last) = (Key { image, spec: [0; 32] }, Key { image, spec: [u8::MAX; 32] });
        let keys: Vec<Key> = lock(&self.counts).range(first..=last).map(|(key, _)| *key).collect();
        self.drop_all(&keys);
    }

    pub(super) fn forget_all(&self) {
        let keys: Vec<Key> = lock(&self.counts).keys().copied().collect();
        self.drop_all(&keys);
    }

    fn drop_all(&self, keys: &[Key]) {
        for key in keys {
            self.kept.invalidate(key);
        }
        // Not to be had any more; now the bytes are let go as well.
        self.kept.run_pending_tasks();
    }

    /// What is kept, in bytes, and of how many pictures the count says that they are.
    #[cfg(test)]
    pub(super) fn held(&self) -> (u64, usize, usize) {
        self.kept.run_pending_tasks();
        let entries = usize::try_from(self.kept.entry_count()).unwrap_or(usize::MAX);
        (self.kept.weighted_size(), entries, lock(&self.counts).len())
    }
}

fn weight(picture: &Picture) -> u64 {
    picture.bytes.len() as u64 + OVERHEAD
}

fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Seconds.
fn now() -> i64 {
    chrono::Utc::now().timestamp()
}
