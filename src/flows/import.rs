//! Taking a picture in from elsewhere: fetched as an upload is received, and stored like one.

use super::{
    Services,
    upload::{Receiving, too_large},
};
use crate::{adapters::storage::Spooled, domain::error::Result};

/// A file that was fetched.
pub struct Imported {
    /// The file, which has no key yet.
    pub spooled: Spooled,
    /// What it is called where it comes from, harmless or not.
    pub filename: Option<String>,
}

/// Fetches what is at `url`.
///
/// # Errors
/// `fetch_refused`, `fetch_failed`, `payload_too_large`.
pub async fn fetch(services: &Services, url: &str) -> Result<Imported> {
    let mut fetched = services.fetcher.get(url).await?;
    let limit = services.limits.upload_size;
    if fetched.length().is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    let filename = fetched.filename();
    let mut file = Receiving::begin(services).await?;
    while let Some(piece) = fetched.next().await? {
        file.write(&piece).await?;
    }
    Ok(Imported { spooled: file.finish().await?, filename })
}
