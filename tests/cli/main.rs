//! The program as it is run from a shell: what it prints, what it exits with, what it listens on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod admin;
mod config;
mod docs;
mod doctor;
#[allow(dead_code)] // Each suite asks something else of it.
#[path = "../storage/cloudinary/mod.rs"]
mod fake_cloudinary;
mod fetch;
mod process;
#[path = "../storage/s3_server.rs"]
#[allow(dead_code)] // Each suite asks something else of it.
mod s3_server;
mod serve;
mod storage;
#[allow(dead_code)] // Only its certificates are used.
#[path = "../faults/servers/tls.rs"]
mod tls;
mod transform;
mod version;
