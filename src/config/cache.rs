//! What is kept at hand of the pictures that are served by URL.

use std::path::PathBuf;

use super::{
    check::{Values, mismatch},
    report::Fault,
};

/// `CACHE_…`: how much of what was served is kept, and where.
#[derive(Debug, Clone)]
pub struct Cache {
    /// `CACHE_MEMORY`: bytes in memory; 0 keeps none there.
    pub memory: u64,
    /// `CACHE_DIR`.
    pub directory: PathBuf,
    /// `CACHE_DISK`: bytes under the directory, for each process; 0 keeps none there.
    pub disk: u64,
}

impl Cache {
    /// Bytes in memory of the files that pictures are made of, beside those of finished ones.
    pub fn files(&self) -> u64 {
        self.memory / 4
    }
}

pub(super) fn meant(values: &Values) -> Result<Cache, Fault> {
    let data_dir = values.text("DATA_DIR").ok_or_else(|| mismatch("DATA_DIR"))?;
    let directory = values.text("CACHE_DIR").map(PathBuf::from);
    Ok(Cache {
        memory: values.number("CACHE_MEMORY")?,
        directory: directory.unwrap_or_else(|| PathBuf::from(data_dir).join("cache")),
        disk: values.number("CACHE_DISK")?,
    })
}
