//! Memory that is reserved before work begins.

use std::{future::Future, sync::Arc};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::error::{Code, Error, Result};

/// Memory is reserved in so many bytes.
const UNIT: u64 = 1024;

/// What all work together may take. Whoever asks first is served first: what needs much is not passed by all that need little.
#[derive(Clone)]
pub(super) struct Budget {
    /// What nobody has reserved, in [`UNIT`]s.
    free: Arc<Semaphore>,
    /// All there is, in bytes.
    bytes: u64,
}

/// Some of it, reserved until it is dropped.
pub(super) type Share = OwnedSemaphorePermit;

/// How much somebody will reserve; never more than there is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Need(u32);

impl Budget {
    pub(super) fn new(bytes: u64) -> Self {
        Self { free: Arc::new(Semaphore::new(units(bytes) as usize)), bytes }
    }

    /// So many bytes, as what will be reserved.
    ///
    /// # Errors
    /// `image_too_large` where there never is so much.
    pub(super) fn admit(&self, bytes: u64) -> Result<Need> {
        if bytes > self.bytes {
            let mib = |bytes: u64| bytes.div_ceil(1 << 20);
            let (needed, most) = (mib(bytes), mib(self.bytes));
            return Err(Error::new(
                Code::ImageTooLarge,
                format!(
                    "the transformation may take {needed} MiB of memory; at most {most} (TRANSFORM_MEMORY)"
                ),
            ));
        }
        Ok(Need(units(bytes)))
    }

    /// Waits for a share. `None` only if there is no budget any more.
    pub(super) fn reserve(&self, need: Need) -> impl Future<Output = Option<Share>> + use<> {
        let share = self.free.clone().acquire_many_owned(need.0);
        async { share.await.ok() }
    }
}

/// Bytes as units. What passes half a TiB is not told apart: of more a semaphore has no number on every machine.
fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).min(u32::MAX >> 3)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn what_is_reserved_is_for_nobody_else_and_the_first_is_the_first() {
        let budget = Budget::new(10 << 20);
        let share = |mib: u64| budget.reserve(budget.admit(mib << 20).unwrap());
        let first = share(6).now_or_never().flatten().unwrap();
        let mut large = Box::pin(share(9));
        assert!(large.as_mut().now_or_never().is_none(), "it waits");
        assert!(share(1).now_or_never().is_none(), "and is not passed");
        drop(first);
        let large = large.now_or_never().flatten().unwrap();
        let _small = share(1).now_or_never().flatten().unwrap();
        assert!(share(1).now_or_never().is_none());
        drop(large);
        assert_eq!(budget.admit((10 << 20) + 1).unwrap_err().code, Code::ImageTooLarge);
    }
}
