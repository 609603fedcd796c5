//! Who gives memory: mimalloc to Rust, the C library's allocator to the codecs in C. Left alone, both keep for each thread what it
//! once needed, so that all threads together come to hold far more than `TRANSFORM_MEMORY`.
#![allow(unsafe_code)] // C functions that only take numbers.

use std::ffi::{c_int, c_long};

/// Bytes that the C library keeps for a thread at most, and of a block that it gives back by itself: mallopt(3). Left alone it raises
/// them to 64 and 32 MiB as it sees such blocks.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT: c_int = 4 << 20;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const M_TRIM_THRESHOLD: c_int = -1;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const M_MMAP_THRESHOLD: c_int = -3;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

unsafe extern "C" {
    fn mi_option_set_default(option: c_int, value: c_long);
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn mallopt(parameter: c_int, value: c_int) -> c_int;
}

/// `mi_option_purge_delay` of mimalloc 3.
const PURGE_DELAY: c_int = 15;
/// So many milliseconds what is free may wait for its next use: a second of mimalloc's own choice is many pictures. `MIMALLOC_PURGE_DELAY`
/// may say otherwise.
const DELAY: c_long = 10;

/// Bounds what is taken and kept from now on; to be called before there are other threads.
pub(crate) fn give_back() {
    // A picture goes through row by row, in some small blocks for each thread; in pages of two megabytes they take half as much again,
    // and no less time. Where they can't be switched off, it only takes more.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    // SAFETY: an option that mimalloc has, and a value that it may have.
    unsafe { mi_option_set_default(PURGE_DELAY, DELAY) }
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for parameter in [M_TRIM_THRESHOLD, M_MMAP_THRESHOLD] {
        // SAFETY: they take any number, and no other thread allocates meanwhile.
        unsafe { mallopt(parameter, KEPT) };
    }
}
