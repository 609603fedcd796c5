//! What serving keeps at hand: pictures in memory, and below it on the disk of this machine. Both are bounded, and both may lose
//! anything at any time; what they are told to forget they never give again.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::{
    config,
    domain::{format::Format, ids::ImageId},
};

mod disk;
mod memory;
#[cfg(test)]
mod tests;

use self::{disk::Disk, memory::Memory};

/// A picture as it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// The file.
    pub bytes: Bytes,
    /// What the bytes are.
    pub format: Format,
    /// SHA-256 of the bytes, hex: the strong `ETag`.
    pub sha256: String,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Version of the engine that made it.
    pub engine: i32,
    /// When it was made.
    pub made_at: DateTime<Utc>,
}

/// Which picture: what it is made from, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// What it is made from.
    pub image: ImageId,
    /// SHA-256 of the canonical spec.
    pub spec: [u8; 32],
}

impl Key {
    /// The picture of `image` whose spec has this hash in hexadecimal; `None` if it is no hash.
    pub fn new(image: ImageId, spec_hash: &str) -> Option<Self> {
        let mut spec = [0; 32];
        let digits = spec_hash.as_bytes();
        if digits.len() != 2 * spec.len() {
            return None;
        }
        for (byte, pair) in spec.iter_mut().zip(digits.chunks_exact(2)) {
            for digit in pair {
                let digit = char::from(*digit).to_digit(16)?;
                *byte = (*byte << 4) | u8::try_from(digit).ok()?;
            }
        }
        Some(Self { image, spec })
    }
}

fn end(epoch: &RwLock<u64>) -> RwLockWriteGuard<'_, u64> {
    let mut epoch = epoch.write().unwrap_or_else(PoisonError::into_inner);
    *epoch += 1;
    epoch
}

/// Where a picture was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// In memory.
    Memory,
    /// On the disk of this machine.
    Disk,
}

/// A point in the time of one image: nothing of it was forgotten between two that are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch(u64);

/// The share of a bound that one picture may take: one that is larger would drive out too many others.
const LARGEST: u64 = 8;

/// Pictures at hand.
pub struct Pictures {
    memory: Option<Memory>,
    disk: Option<Arc<Disk>>,
    epochs: Epochs,
}

/// Read while a picture is put, written while one is forgotten: so nothing is put that was looked up before the forgetting. Several
/// images share one, by chance; then something is not kept that could have been.
struct Epochs([RwLock<u64>; STRIPES]);

const STRIPES: usize = 64;

impl Epochs {
    fn of(&self, image: ImageId) -> &RwLock<u64> {
        let [.., last] = image.0.into_bytes();
        // A remainder lies within.
        #[allow(clippy::indexing_slicing)]
        &self.0[usize::from(last) % STRIPES]
    }

    /// Whether it is still `epoch` for `image`, and stays so as long as what is returned is held.
    fn hold(&self, image: ImageId, epoch: Epoch) -> Option<RwLockReadGuard<'_, u64>> {
        let now = self.of(image).read().unwrap_or_else(PoisonError::into_inner);
        (Epoch(*now) == epoch).then_some(now)
    }

    /// Begins another epoch for `image`, once what is returned is dropped.
    fn end(&self, image: ImageId) -> RwLockWriteGuard<'_, u64> {
        end(self.of(image))
    }

    /// The same for all images.
    fn end_all(&self) -> Vec<RwLockWriteGuard<'_, u64>> {
        self.0.iter().map(end).collect()
    }
}

impl Pictures {
    /// Opens what the settings allow. What a process before left on the disk becomes known little by little. Within a runtime.
    pub fn open(settings: &config::Cache) -> Self {
        let disk = (settings.disk > 0)
            .then(|| Disk::open(&settings.directory, settings.disk, disk::PATIENCE));
        let memory = (settings.memory > 0).then(|| Memory::new(settings.memory));
        Self { memory, disk, epochs: Epochs(std::array::from_fn(|_| RwLock::new(0))) }
    }

    /// The time before something of `image` is looked up that is to be [`put`](Self::put).
    pub fn epoch(&self, image: ImageId) -> Epoch {
        Epoch(*self.epochs.of(image).read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The picture, if it is in memory. Never waits.
    pub fn get_hot(&self, key: &Key) -> Option<Arc<Picture>> {
        let (picture, is_due) = self.memory.as_ref()?.get(key)?;
        // What is used here is not used there; it is not to be the first to go for it.
        if is_due && let Some(disk) = &self.disk {
            disk.touch(key);
        }
        Some(picture)
    }

    /// The picture, from where it is found first. What is found on the disk is in memory afterwards.
    pub async fn get(&self, key: &Key) -> Option<(Arc<Picture>, Tier)> {
        if let Some(picture) = self.get_hot(key) {
            return Some((picture, Tier::Memory));
        }
        let epoch = self.epoch(key.image);
        let picture = self.disk.as_ref()?.get(key).await?;
        if let Some(_held) = self.epochs.hold(key.image, epoch)
            && let Some(memory) = &self.memory
        {
            memory.put(*key, picture.clone());
        }
        Some((picture, Tier::Disk))
    }

    /// Keeps a picture that was looked up or made since `epoch`, unless something of its image was forgotten since. Never
    /// waits; the disk is written afterwards, or not at all where it is too slow.
    pub fn put(&self, key: Key, picture: Arc<Picture>, epoch: Epoch) {
        let Some(_held) = self.epochs.hold(key.image, epoch) else { return };
        if let Some(memory) = &self.memory {
            memory.put(key, picture.clone());
        }
        if let Some(disk) = &self.disk {
            disk.put(key, picture);
        }
    }

    /// Forgets all pictures of an image. Once it returns none of them is given any more; their files are removed soon after.
    pub fn forget(&self, image: ImageId) {
        let _ended = self.epochs.end(image);
        if let Some(memory) = &self.memory {
            memory.forget(image);
        }
        if let Some(disk) = &self.disk {
            disk.forget(image);
        }
    }

    /// Forgets what is in memory. What is on the disk stays, for whoever knows what should be there before he asks.
    pub fn forget_memory(&self) {
        let _ended = self.epochs.end_all();
        if let Some(memory) = &self.memory {
            memory.forget_all();
        }
    }

    /// The images that have pictures on the disk, once all that a process before left there is known. Some of them may have gone
    /// while nobody was there to be told.
    pub async fn images(&self) -> Vec<ImageId> {
        match &self.disk {
            Some(disk) => disk.images().await,
            None => Vec::new(),
        }
    }

    /// Waits until the disk is as everything so far wants it.
    pub async fn settled(&self) {
        if let Some(disk) = &self.disk {
            disk.settled().await;
        }
    }
}
