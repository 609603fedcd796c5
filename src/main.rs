//! The program: everything it does is in the library.

use std::process::ExitCode;

/// Pictures are large, short-lived and made on many threads. The C library's allocator keeps what
/// each thread once needed; this one gives it back (`tests/memory.rs` watches it).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // One provider of cryptography for every connection; a second call would only confirm it.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    darkroom::cli::run()
}
