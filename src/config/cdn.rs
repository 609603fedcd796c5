//! `CDN_…`: who is told of pictures that must not be shown any more.

use secrecy::SecretString;

use super::check::Values;

/// A CDN that has pictures of the service.
#[derive(Debug, Clone)]
pub struct Cdn {
    /// `CDN_PURGE_URL`.
    pub purge_url: String,
    /// `CDN_PURGE_TOKEN`.
    pub purge_token: Option<SecretString>,
}

/// What is in force; `None`: nobody is told.
pub(super) fn meant(values: &Values) -> Option<Cdn> {
    let purge_url = values.text("CDN_PURGE_URL")?.to_owned();
    Some(Cdn { purge_url, purge_token: values.secret("CDN_PURGE_TOKEN") })
}
