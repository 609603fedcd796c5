//! What is stored.

/// An object in the storage, as its row describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The key that it was stored under.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the bytes, hex.
    pub sha256: String,
}

impl Object {
    /// An object of a row, in which sizes have a sign.
    pub fn new(key: &str, size: i64, sha256: &str) -> Self {
        Self {
            key: key.to_owned(),
            size: u64::try_from(size).unwrap_or(0),
            sha256: sha256.to_owned(),
        }
    }
}
