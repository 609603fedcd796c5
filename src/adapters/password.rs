//! Passwords: Argon2id (RFC 9106), off the threads that serve requests, a few at a time.

use std::sync::{Arc, LazyLock};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::Semaphore;

use crate::domain::error::{Error, Result};

/// Stands in for the hash of a user that doesn't exist, so that looking for one takes as long.
static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| hash_now("nobody's password").ok());

/// Hashes and checks passwords, at most as many at a time as there are processors: each takes
/// 19 MiB and some tens of milliseconds.
#[derive(Debug, Clone)]
pub struct Passwords(Arc<Semaphore>);

impl Default for Passwords {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Semaphore::new(processors)))
    }
}

impl Passwords {
    /// The hash to keep, in PHC string form.
    ///
    /// # Errors
    /// `internal`, when the machine refuses.
    pub async fn hash(&self, password: String) -> Result<String> {
        self.off_thread(move || hash_now(&password)).await
    }

    /// Whether `password` is the one behind `hash`. With no hash it takes as long, and is `false`.
    ///
    /// # Errors
    /// `internal`, when the machine refuses.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool> {
        self.off_thread(move || {
            let exists = hash.is_some();
            let Some(hash) = hash.as_ref().or(NOBODY.as_ref()) else { return Ok(false) };
            let hash = PasswordHash::new(hash).map_err(Error::internal)?;
            Ok(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok() && exists)
        })
        .await
    }

    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let permit = self.0.clone().acquire_owned().await.map_err(Error::internal)?;
        tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        })
        .await
        .map_err(Error::internal)?
    }
}

fn hash_now(password: &str) -> Result<String> {
    let hash = Argon2::default().hash_password(password.as_bytes()).map_err(Error::internal)?;
    Ok(hash.to_string())
}
