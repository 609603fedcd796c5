//! What is on the disk, as it is known in memory: which picture, how large, and when it was used last. Touches no file.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::Key;
use crate::domain::ids::ImageId;

/// Microseconds between two times that a file's own time is set, so that a hit mostly writes nothing.
const SAVED_EVERY: u64 = 3_600_000_000;

/// Of how many bytes the file system gives.
const BLOCK: u64 = 4096;

/// The pictures on the disk, least recently used first to go.
pub(super) struct Index {
    /// Bytes that they may take together.
    limit: u64,
    /// Bytes that they take.
    total: u64,
    /// The latest use, or the latest file; no two are the same.
    clock: u64,
    entries: BTreeMap<Key, Entry>,
    order: BTreeSet<(u64, Key)>,
    /// Images that were forgotten and whose files are still to be removed, how often.
    leaving: HashMap<ImageId, u32>,
}

struct Entry {
    /// Which file it is, of those that were ever written under this key.
    stamp: u64,
    /// Bytes that it takes.
    taken: u64,
    used: u64,
    /// The time that the file itself bears.
    saved: u64,
    /// Whether this process has compared the bytes with their hash.
    is_checked: bool,
    /// Whether another file is to take its place, or none: it takes room, and is not given any more.
    is_void: bool,
}

/// A file to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// Which file.
    pub(super) stamp: u64,
    /// Whether its hash was compared before.
    pub(super) is_checked: bool,
    /// Whether its time is to be set.
    pub(super) is_due: bool,
}

impl Index {
    pub(super) fn new(limit: u64) -> Self {
        Self {
            limit,
            total: 0,
            clock: 0,
            entries: BTreeMap::new(),
            order: BTreeSet::new(),
            leaving: HashMap::new(),
        }
    }

    /// Looks for a picture to be used now.
    pub(super) fn find(&mut self, key: &Key, now: u64) -> Option<Found> {
        let entry = self.entries.get_mut(key).filter(|entry| !entry.is_void)?;
        self.clock = now.max(self.clock + 1);
        self.order.remove(&(entry.used, *key));
        entry.used = self.clock;
        self.order.insert((entry.used, *key));
        let is_due = now.saturating_sub(entry.saved) >= SAVED_EVERY;
        if is_due {
            entry.saved = now;
        }
        Some(Found { stamp: entry.stamp, is_checked: entry.is_checked, is_due })
    }

    /// What was read is what it should be: whether it is still to be given, for it may have been forgotten.
    pub(super) fn confirm(&mut self, key: &Key, stamp: u64) -> bool {
        match self.entries.get_mut(key) {
            Some(entry) if entry.stamp == stamp && !entry.is_void => {
                entry.is_checked = true;
                true
            }
            _ => false,
        }
    }

    /// Gives up a file, or only this one: from now on it is not given any more. Whether there was one.
    pub(super) fn give_up(&mut self, key: &Key, stamp: Option<u64>) -> bool {
        match self.entries.get_mut(key) {
            Some(entry) if stamp.is_none_or(|stamp| stamp == entry.stamp) => {
                entry.is_void = true;
                true
            }
            _ => false,
        }
    }

    /// Takes out a file that was given up, to be removed; false if there is another in its place.
    pub(super) fn take(&mut self, key: &Key) -> bool {
        let is_void = self.entries.get(key).is_some_and(|entry| entry.is_void);
        if is_void {
            self.remove(key);
        }
        is_void
    }

    /// Makes room for a file of so many bytes: whose files are to be removed for it. `None` where it can't have so much.
    pub(super) fn room(&mut self, bytes: u64) -> Option<Vec<Key>> {
        let most = self.limit.checked_sub(taken(bytes))?;
        let mut evicted = Vec::new();
        while self.total > most
            && let Some((_, key)) = self.order.first().copied()
        {
            self.remove(&key);
            evicted.push(key);
        }
        Some(evicted)
    }

    /// A file of so many bytes was written now. One that was forgotten meanwhile is removed next.
    pub(super) fn insert(&mut self, key: Key, bytes: u64, now: u64) {
        if !self.is_leaving(&key.image) {
            self.clock = now.max(self.clock + 1);
            self.add(key, bytes, (self.clock, now));
        }
    }

    /// A file of a process before was found, used last at the time that it bears.
    pub(super) fn discover(&mut self, key: Key, bytes: u64, saved: u64) {
        if !self.is_leaving(&key.image) {
            self.clock = self.clock.max(saved);
            self.add(key, bytes, (saved, saved));
        }
    }

    fn add(&mut self, key: Key, bytes: u64, (used, saved): (u64, u64)) {
        self.remove(&key);
        let taken = taken(bytes);
        self.total += taken;
        self.order.insert((used, key));
        // No later file of this key bears it: a clock only goes on.
        let stamp = self.clock;
        let (is_checked, is_void) = (false, false);
        self.entries.insert(key, Entry { stamp, taken, used, saved, is_checked, is_void });
    }

    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.total -= entry.taken;
            self.order.remove(&(entry.used, *key));
        }
    }

    /// Forgets an image until [`has_left`](Self::has_left).
    pub(super) fn forget(&mut self, image: ImageId) {
        let (first, last) = (Key { image, spec: [0; 32] }, Key { image, spec: [u8::MAX; 32] });
        let keys: Vec<Key> = self.entries.range(first..=last).map(|(key, _)| *key).collect();
        for key in keys {
            self.remove(&key);
        }
        *self.leaving.entry(image).or_insert(0) += 1;
    }

    /// The files of an image were removed.
    pub(super) fn has_left(&mut self, image: ImageId) {
        if let Some(count) = self.leaving.get_mut(&image) {
            *count -= 1;
            if *count == 0 {
                self.leaving.remove(&image);
            }
        }
    }

    /// Whether what is written of an image is to be removed again.
    pub(super) fn is_leaving(&self, image: &ImageId) -> bool {
        self.leaving.contains_key(image)
    }

    /// The images that have files.
    pub(super) fn images(&self) -> Vec<ImageId> {
        let mut images: Vec<ImageId> = self.entries.keys().map(|key| key.image).collect();
        images.dedup();
        images
    }

    /// Bytes that the files take.
    #[cfg(test)]
    pub(super) fn total(&self) -> u64 {
        self.total
    }
}

/// What a file of so many bytes takes.
fn taken(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK).saturating_mul(BLOCK)
}
