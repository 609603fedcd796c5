//! Telling the CDN in front of the service which pictures it has to forget.

use std::{error::Error as _, time::Duration};

use reqwest::{Client, redirect::Policy};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::{
    config,
    domain::{
        error::{Error, Result},
        ids::ImageId,
    },
};

const CONNECT: Duration = Duration::from_secs(2);
/// How long it may take to tell it.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// The way to the CDN.
#[derive(Debug, Clone)]
pub struct Cdn {
    client: Client,
    url: String,
    token: Option<SecretString>,
}

impl Cdn {
    /// The way to the CDN that the operator has named.
    ///
    /// # Errors
    /// `internal`, when the system's certificates can't be read.
    pub fn new(settings: &config::Cdn) -> Result<Self> {
        let client = Client::builder()
            .user_agent(concat!("darkroom/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .timeout(TIMEOUT)
            .redirect(Policy::none())
            .build()
            .map_err(Error::internal)?;
        let (url, token) = (settings.purge_url.clone(), settings.purge_token.clone());
        Ok(Self { client, url, token })
    }

    /// Has these pictures forgotten; each is a tag of all that was made of it.
    ///
    /// # Errors
    /// Why the CDN may not know of it, for the log.
    pub async fn forget(&self, images: &[ImageId]) -> Result<(), String> {
        let mut request = self.client.post(&self.url).json(&json!({ "tags": images }));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_secret());
        }
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("it was answered {}", answer.status().as_u16())),
            Err(error) => {
                let error = error.without_url();
                let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
                Err(format!("{error}{cause}"))
            }
        }
    }
}
