//! Places where a test may have the process die, as `kill -9` would have it: nothing is finished, nothing is put back.
//!
//! `DARKROOM_FAILPOINT` names one of them; a process dies when it first gets there. Only debug builds look at it: in a release
//! build [`reached`] is nothing. Who writes such a place calls `failpoint::reached("…")` there and adds its name to [`NAMES`];
//! `tests/faults/api_dies.rs` and `tests/cli/fetch.rs` are what sets them.

/// Every place there is.
///
/// - `relay.before_publish`: the job is committed and its row is leased by this relay; the broker has not heard of it.
/// - `http.before_answer`: the job is committed, and the answer kept under its `Idempotency-Key`; the client has not heard of it.
/// - `webhooks.before_send`: the job has ended, and what is told of it is leased by this process; nobody has heard of it.
pub const NAMES: [&str; 3] = ["relay.before_publish", "http.before_answer", "webhooks.before_send"];

/// Ends the process if it was told to die here.
#[cfg(debug_assertions)]
pub fn reached(name: &str) {
    if std::env::var_os("DARKROOM_FAILPOINT").is_some_and(|told| told == name) {
        tracing::warn!(name, "a failpoint: dying here");
        std::process::abort();
    }
}

/// Nothing.
#[cfg(not(debug_assertions))]
pub const fn reached(_: &str) {}
