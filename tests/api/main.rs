//! The service through its public door: HTTP, by a real client, against a whole app.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod accounts;
mod bad_input;
mod bodies;
mod cdn;
mod delivery;
mod elsewhere;
mod errors;
mod events;
mod explain;
#[path = "../storage/cloudinary/mod.rs"]
#[allow(dead_code)] // What the storage's own suite asks of it beside.
mod fake_cloudinary;
mod idempotency;
mod images;
mod imports;
mod info;
mod jobs;
mod limits;
mod main_job;
mod metadata;
mod objects;
mod openapi;
mod overload;
mod pictures;
mod presets;
mod purge;
mod redis;
#[path = "../cache/server.rs"]
mod redis_server;
#[path = "../storage/s3_server.rs"]
#[allow(dead_code)] // Each suite asks something else of it.
mod s3_server;
mod sandbox;
mod signing;
mod storage;
mod supervision;
mod transforms;
mod watermarks;
mod webhooks;
