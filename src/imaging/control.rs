//! How work is stopped before its end, and who helps with it.

use std::time::Instant;

use super::threads::Threads;
use crate::domain::{
    error::{Code, Error},
    job::Cancel,
};

/// What may stop a transformation, or help it; looked at between steps and inside long ones.
#[derive(Debug, Clone, Default)]
pub struct Control {
    /// When the work is too late.
    pub deadline: Option<Instant>,
    /// Whether anybody still wants it.
    pub cancel: Cancel,
    /// Whom else there is to help.
    pub threads: Threads,
}

impl Control {
    /// Whether to go on.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.cancel.is_cancelled() {
            return Err(Failure::Cancelled);
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            let detail = "the transformation took longer than is allowed";
            return Err(Error::new(Code::TransformTimeout, detail).into());
        }
        Ok(())
    }
}

/// Why no picture was made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// It can't be made, or not in time.
    #[error(transparent)]
    Refused(#[from] Error),
    /// Nobody wants it any more.
    #[error("cancelled")]
    Cancelled,
}
