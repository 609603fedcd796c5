//! What is refused, whoever asks.

use std::time::Duration;

/// Bounds on pictures and on the work they cause; checked before pixels are allocated.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Bytes of one uploaded file.
    pub upload_size: u64,
    /// Pixels across, as displayed; also of every intermediate and of the result.
    pub width: u32,
    /// Pixels down, as displayed; also of every intermediate and of the result.
    pub height: u32,
    /// Pixels of one frame.
    pub pixels: u64,
    /// Pixels of all frames together.
    pub animation_pixels: u64,
    /// Frames of an animation.
    pub frames: u32,
    /// Time that one transformation may take.
    pub timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            upload_size: 20 * 1024 * 1024,
            width: 8000,
            height: 8000,
            pixels: 50_000_000,
            animation_pixels: 100_000_000,
            frames: 500,
            timeout: Duration::from_secs(20),
        }
    }
}
