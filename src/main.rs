//! The program: everything it does is in the library.

mod allocators;

use std::process::ExitCode;

fn main() -> ExitCode {
    allocators::give_back();
    // One provider of cryptography for every connection; a second call would only confirm it.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    darkroom::cli::run()
}
