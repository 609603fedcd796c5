//! How one part of the process tells another that there is work, without knowing it.

use std::sync::Arc;

use tokio::sync::Notify;

/// Rung when there is work; whoever does the work also looks by itself from time to time, so a ring
/// that nobody hears loses nothing.
#[derive(Debug, Clone, Default)]
pub struct Doorbell(Arc<Notify>);

impl Doorbell {
    /// There is work. Rings that come before anyone looks count as one.
    pub fn ring(&self) {
        self.0.notify_one();
    }

    /// Waits for a ring.
    pub async fn rung(&self) {
        self.0.notified().await;
    }
}
