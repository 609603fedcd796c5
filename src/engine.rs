//! Darkroom's nouns and its engine: no I/O, no tasks. A crate of their own, so that no pixel waits for the compilation of what
//! speaks to databases, and the other way round.

pub mod domain;
pub mod imaging;
