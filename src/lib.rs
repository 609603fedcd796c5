//! Darkroom, an image-processing service.
//!
//! The code stands on floors; a file uses only floors below its own (`tests/floors.rs` checks it):
//!
//! ```text
//!   main, cli, app      arguments, composition
//!   5  http             warp: requests in, answers out
//!   4  flows            what the service does, each said once
//!   3  actors           who owns what, and supervision
//!   2  adapters         the outside world: rows, objects, cache, tokens
//!   1  imaging          pictures, bytes to bytes
//!   0  domain, config   nouns and rules
//! ```
//!
//! `domain` and `imaging` are compiled as a crate of their own, by `engine.rs`.

pub use darkroom_engine::{domain, imaging};

pub mod actors;
pub mod adapters;
pub mod app;
pub mod cli;
pub mod config;
pub mod failpoint;
pub mod flows;
pub mod http;
pub mod roles;
pub mod telemetry;
