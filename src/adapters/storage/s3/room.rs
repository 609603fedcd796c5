//! Room in memory for what is on its way to the bucket, shared by all who store something: however many come, it is bounded.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::error::{Error, Result};

/// Bytes that may be in memory.
const ROOM: u32 = 64 << 20;

/// Whoever takes some waits for nothing but its sending while holding it; so it always comes back.
#[derive(Clone)]
pub(super) struct Room(Arc<Semaphore>);

impl Room {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(usize::try_from(ROOM).unwrap_or(usize::MAX))))
    }

    /// Waits for room for so many bytes, in turn; it is given back when what is returned is dropped. What is larger than all of
    /// it goes alone.
    pub(super) async fn take(&self, bytes: u64) -> Result<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes).unwrap_or(ROOM).min(ROOM);
        self.0.clone().acquire_many_owned(bytes).await.map_err(Error::internal)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn there_is_only_so_much_room_and_it_comes_back() {
        let (room, all) = (Room::new(), u64::from(ROOM));
        let held = room.take(all - 1).await.unwrap();
        assert!(room.take(2).now_or_never().is_none());
        drop(held);
        // Larger than all of it, and than any number of permits.
        for bytes in [all + 1, u64::MAX] {
            let held = room.take(bytes).await.unwrap();
            assert!(room.take(1).now_or_never().is_none());
            drop(room.take(0).now_or_never().unwrap().unwrap());
            drop(held);
        }
    }
}
