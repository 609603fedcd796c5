//! Clients of a bucket, made of what is set and of nothing else: of the environment they take at most who we are.

use std::time::Duration;

use object_store::{
    BackoffConfig, ClientOptions, HeaderValue, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey},
};
use secrecy::ExposeSecret;
use url::Url;

use crate::{
    config::S3,
    domain::error::{Error, Result},
};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(1);
/// How long a reader waits for the next bytes.
const SILENCE: Duration = Duration::from_secs(10);
/// How long a writer waits for an answer: what it sends meanwhile counts as silence. A part then needs 1.2 Mbit/s.
const SILENCE_OF_WRITER: Duration = Duration::from_secs(60);
/// How often something is tried again that may pass, and how long.
const RETRY: (usize, Duration) = (3, Duration::from_secs(10));
/// The pause before the first time again, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// What of the environment says who we are: a key, a web identity, a container's role, the machine's.
const IDENTITY: &[AmazonS3ConfigKey] = &[
    AmazonS3ConfigKey::AccessKeyId,
    AmazonS3ConfigKey::SecretAccessKey,
    AmazonS3ConfigKey::Token,
    AmazonS3ConfigKey::WebIdentityTokenFile,
    AmazonS3ConfigKey::RoleArn,
    AmazonS3ConfigKey::RoleSessionName,
    AmazonS3ConfigKey::StsEndpoint,
    AmazonS3ConfigKey::ContainerCredentialsRelativeUri,
    AmazonS3ConfigKey::ContainerCredentialsFullUri,
    AmazonS3ConfigKey::ContainerAuthorizationTokenFile,
    AmazonS3ConfigKey::MetadataEndpoint,
    AmazonS3ConfigKey::ImdsV1Fallback,
];

/// One client for each manner of waiting.
pub(super) struct Clients {
    pub(super) reader: AmazonS3,
    pub(super) writer: AmazonS3,
    /// Asks once, and waits for nothing.
    pub(super) pinger: AmazonS3,
}

impl Clients {
    pub(super) fn new(settings: &S3) -> Result<Self> {
        let builder = builder(settings)?;
        let writer = build(builder.clone(), settings, SILENCE_OF_WRITER, retry(RETRY))?;
        // Who we are is found out once for all of them.
        let builder = builder.with_credentials(writer.credentials().clone());
        let reader = build(builder.clone(), settings, SILENCE, retry(RETRY))?;
        let pinger = build(builder, settings, CONNECT, retry((0, CONNECT)))?;
        Ok(Self { reader, writer, pinger })
    }
}

fn builder(settings: &S3) -> Result<AmazonS3Builder> {
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&settings.bucket)
        .with_region(&settings.region)
        .with_virtual_hosted_style_request(!settings.path_style)
        // Objects are removed one by one, which everything that speaks S3 understands.
        .with_disable_bulk_delete(true);
    if let Some(endpoint) = endpoint(settings)? {
        builder = builder.with_endpoint(endpoint);
    }
    Ok(match &settings.keys {
        Some((id, secret)) => {
            builder.with_access_key_id(id).with_secret_access_key(secret.expose_secret())
        }
        None => identified(builder, &AmazonS3Builder::from_env()),
    })
}

/// With the identity of `environment`, and none of its places and manners.
fn identified(builder: AmazonS3Builder, environment: &AmazonS3Builder) -> AmazonS3Builder {
    IDENTITY.iter().fold(builder, |builder, key| match environment.get_config_value(key) {
        Some(value) if !value.is_empty() => builder.with_config(*key, value),
        _ => builder,
    })
}

/// Where the bucket is asked for, with its name in the host's unless it stands in the path.
fn endpoint(settings: &S3) -> Result<Option<String>> {
    let Some(said) = &settings.endpoint else { return Ok(None) };
    if settings.path_style {
        return Ok(Some(said.clone()));
    }
    let mut url = Url::parse(said).map_err(Error::internal)?;
    let (own, host) = (format!("{}.", settings.bucket), url.host_str().unwrap_or_default());
    if !host.starts_with(&own) {
        let host = format!("{own}{host}");
        url.set_host(Some(&host)).map_err(Error::internal)?;
    }
    Ok(Some(url.as_str().trim_end_matches('/').to_owned()))
}

fn retry((max_retries, retry_timeout): (usize, Duration)) -> RetryConfig {
    let (init_backoff, max_backoff) = PAUSES;
    let backoff = BackoffConfig { init_backoff, max_backoff, base: 2.0 };
    RetryConfig { backoff, max_retries, retry_timeout }
}

fn build(
    builder: AmazonS3Builder,
    settings: &S3,
    silence: Duration,
    retry: RetryConfig,
) -> Result<AmazonS3> {
    let is_plain = settings.endpoint.as_ref().is_some_and(|url| url.starts_with("http://"));
    let agent = HeaderValue::from_static(concat!("darkroom/", env!("CARGO_PKG_VERSION")));
    let options = ClientOptions::new()
        .with_user_agent(agent)
        .with_allow_http(is_plain)
        .with_connect_timeout(CONNECT)
        // A large body takes as long as it takes; one that stands still does not.
        .with_timeout_disabled()
        .with_read_timeout(silence);
    builder.with_client_options(options).with_retry(retry).build().map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(endpoint: Option<&str>, path_style: bool) -> S3 {
        S3 {
            bucket: "pictures".to_owned(),
            region: "auto".to_owned(),
            endpoint: endpoint.map(str::to_owned),
            keys: Some(("id".to_owned(), "secret".into())),
            path_style,
            prefix: String::new(),
        }
    }

    #[test]
    fn the_bucket_stands_in_the_path_or_in_the_host() {
        let asked =
            |said, path_style| endpoint(&settings(Some(said), path_style)).unwrap().unwrap();
        let r2 = "https://0123.r2.cloudflarestorage.com";
        assert_eq!(asked(r2, true), r2);
        assert_eq!(asked(r2, false), "https://pictures.0123.r2.cloudflarestorage.com");
        let own = "https://pictures.fly.storage.tigris.dev";
        assert_eq!(asked(own, false), own);
        assert_eq!(endpoint(&settings(None, false)).unwrap(), None);
        Clients::new(&settings(None, false)).unwrap();
    }

    #[test]
    fn the_environment_says_who_we_are_and_nothing_else() {
        let environment = AmazonS3Builder::new()
            .with_bucket_name("another")
            .with_region("elsewhere")
            .with_endpoint("https://elsewhere.example.com")
            .with_skip_signature(true)
            .with_access_key_id("who")
            .with_secret_access_key("we are");
        let mut said = settings(None, false);
        said.keys = None;
        let builder = identified(builder(&said).unwrap(), &environment);
        let value = |key| builder.get_config_value(&key);
        assert_eq!(value(AmazonS3ConfigKey::AccessKeyId).as_deref(), Some("who"));
        assert_eq!(value(AmazonS3ConfigKey::Bucket).as_deref(), Some("pictures"));
        assert_eq!(value(AmazonS3ConfigKey::Region).as_deref(), Some("auto"));
        assert_eq!(value(AmazonS3ConfigKey::Endpoint), None);
        assert_eq!(value(AmazonS3ConfigKey::SkipSignature).as_deref(), Some("false"));
    }
}
