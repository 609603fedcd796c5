//! Pictures by URL through what stands before them and beside them: a caching nginx, and a second process over the same database.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod account;
mod caching;
mod herd;
mod nginx;
#[allow(dead_code)] // Each suite asks something else of it.
#[path = "../cli/process.rs"]
mod process;
mod processes;
#[allow(dead_code)] // Each suite asks something else of it.
#[path = "../cache/server.rs"]
mod redis_server;
