//! The service through its public door: HTTP, by a real client, against a whole app.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod accounts;
mod bad_input;
mod bodies;
mod errors;
mod events;
mod idempotency;
mod images;
mod jobs;
mod main_job;
mod openapi;
mod pictures;
mod sandbox;
mod supervision;
mod transforms;
mod watermarks;
