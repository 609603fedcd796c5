//! Floor 0: the nouns of the service and their rules. No I/O, no tasks.

pub mod color;
pub mod delivery;
pub mod error;
pub mod format;
pub mod ids;
pub mod image;
pub mod job;
pub mod limits;
pub mod link;
pub mod object;
pub mod rate;
pub mod transform;
pub mod user;
pub mod variant;
pub mod webhook;
