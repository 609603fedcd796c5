//! Sending one webhook: signed as Standard Webhooks say (<https://www.standardwebhooks.com>), by the guarded client.

use std::{fmt, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use standardwebhooks::{
    HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook,
};

use super::{fetch::Fetcher, jittered};
use crate::domain::{
    error::{Error, Result},
    ids::WebhookId,
};

/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// For how long a delivery is tried.
pub const WINDOW: TimeDelta = TimeDelta::hours(24);
/// The pause after the first attempt; each is three times the last.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// A new secret: 256 random bits.
///
/// # Errors
/// `internal`, when the machine has no randomness.
pub fn new_secret() -> Result<String> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(Error::internal)?;
    Ok(format!("{PREFIX}{}", BASE64.encode(bytes)))
}

/// What is sent.
#[derive(Clone)]
pub struct Message<'a> {
    /// The same in every attempt, so that its receiver knows what it had.
    pub id: WebhookId,
    /// JSON.
    pub body: &'a str,
    /// Each signs it: the secret in force first.
    pub secrets: &'a [String],
}

impl fmt::Debug for Message<'_> {
    /// Without what signs it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What the receiver makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 2xx: it has it.
    Taken(u16),
    /// 410: it wants no more of it.
    Gone,
    /// Anything else.
    Otherwise(u16),
    /// It could not be asked, or may not be; why.
    None(String),
}

/// Sends `message` to `url`, at `now`.
pub async fn send(
    fetcher: &Fetcher,
    url: &str,
    message: &Message<'_>,
    now: DateTime<Utc>,
) -> Answer {
    let headers = match headers(message, now) {
        Ok(headers) => headers,
        Err(error) => {
            tracing::error!(%error, cause = error.cause, "a webhook can't be signed");
            return Answer::None("it could not be signed".to_owned());
        }
    };
    match fetcher.post(url, headers, message.body.to_owned()).await {
        Ok(status @ 200..=299) => Answer::Taken(status),
        Ok(410) => Answer::Gone,
        Ok(status) => Answer::Otherwise(status),
        Err(error) => {
            let (webhook, cause) = (message.id, error.cause.as_deref());
            tracing::debug!(%webhook, %error, cause, "a webhook did not arrive");
            Answer::None(error.detail)
        }
    }
}

fn headers(message: &Message<'_>, now: DateTime<Utc>) -> Result<HeaderMap> {
    let id = message.id.to_string();
    let timestamp = now.timestamp();
    let sign = |secret: &String| {
        let webhook = Webhook::new(secret).map_err(Error::internal)?;
        webhook.sign(&id, timestamp, message.body.as_bytes()).map_err(Error::internal)
    };
    let signatures: Vec<String> = message.secrets.iter().map(sign).collect::<Result<_>>()?;
    let text = |value: &str| HeaderValue::from_str(value).map_err(Error::internal);
    Ok(HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (HEADER_WEBHOOK_ID.parse().map_err(Error::internal)?, text(&id)?),
        (HEADER_WEBHOOK_TIMESTAMP.parse().map_err(Error::internal)?, text(&timestamp.to_string())?),
        (HEADER_WEBHOOK_SIGNATURE.parse().map_err(Error::internal)?, text(&signatures.join(" "))?),
    ]))
}

/// When a delivery written at `created_at` is tried after its `attempt`th failure at `now`; `None` when it is given up on. The
/// last attempt is made when the window ends.
pub fn next_attempt(
    attempt: i32,
    created_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let last = created_at + WINDOW;
    let triplings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(10);
    let pause = jittered(FIRST_PAUSE * 3u32.pow(triplings));
    let next = now + TimeDelta::from_std(pause).unwrap_or(WINDOW);
    (now < last).then(|| next.min(last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::db::now;

    #[test]
    fn a_secret_is_random_and_signs() {
        let (first, second) = (new_secret().unwrap(), new_secret().unwrap());
        assert_ne!(first, second);
        let key = BASE64.decode(first.strip_prefix("whsec_").unwrap()).unwrap();
        assert!((24..=64).contains(&key.len()), "what the specification asks for");

        let secrets = [second.clone(), first.clone()];
        let message = Message { id: WebhookId::new(), body: "{\"a\":1}", secrets: &secrets };
        let headers = headers(&message, now()).unwrap();
        for secret in [first, second] {
            let webhook = Webhook::new(&secret).unwrap();
            webhook.verify(message.body.as_bytes(), &headers).unwrap();
            assert!(webhook.verify(b"{\"a\":2}", &headers).is_err());
        }
        let other = Webhook::new(&new_secret().unwrap()).unwrap();
        assert!(other.verify(message.body.as_bytes(), &headers).is_err());
    }

    #[test]
    fn attempts_grow_apart_and_end_with_the_window() {
        let created_at = now();
        let (mut at, mut attempts) = (created_at, 1);
        let mut last_pause = TimeDelta::zero();
        while let Some(next) = next_attempt(attempts, created_at, at) {
            let pause = next - at;
            assert!(next == created_at + WINDOW || pause > last_pause, "{attempts}: {pause}");
            (at, last_pause) = (next, pause);
            attempts += 1;
        }
        assert_eq!(at, created_at + WINDOW);
        assert!((9..=12).contains(&attempts), "{attempts} attempts");
        let first = next_attempt(1, created_at, created_at).unwrap() - created_at;
        assert!((5_000..=7_500).contains(&first.num_milliseconds()), "{first}");
        // One that was not tried in all that time is tried once.
        assert_eq!(next_attempt(1, created_at, created_at + WINDOW), None);
        assert!(next_attempt(i32::MAX, created_at, created_at).is_some());
    }
}
