//! The service through its public door: HTTP, by a real client, against a whole app.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod accounts;
mod bad_input;
mod bodies;
mod elsewhere;
mod errors;
mod events;
mod idempotency;
mod images;
mod imports;
mod jobs;
mod limits;
mod main_job;
mod metadata;
mod objects;
mod openapi;
mod pictures;
mod redis;
#[path = "../cache/server.rs"]
mod redis_server;
mod sandbox;
mod storage;
mod supervision;
mod transforms;
mod watermarks;
mod webhooks;
