//! The way to Cloudinary: requests, answers, and what is tried again.

use std::{
    error::Error as _,
    future::Future,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use chrono::{DateTime, Utc};
use reqwest::{
    Response, StatusCode,
    header::{HeaderMap, RETRY_AFTER},
    multipart::Form,
    redirect::Policy,
};
use serde::Deserialize;
use tokio::time::{sleep, timeout};

use super::{name::Kind, signature::Signer};
use crate::{
    adapters::{Resource, jittered, storage::Storage},
    config,
    domain::error::{Error, Result},
};

const CONNECT: Duration = Duration::from_secs(1);
/// How long nothing may move. It is not the client's `read_timeout`, which would count from the first byte that is sent.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// How often something is tried.
const TRIES: u32 = 3;
/// How long is waited before the second try; twice as long before the next.
const PAUSE: Duration = Duration::from_millis(150);
/// How long is waited for Cloudinary in all, whatever it asks for. Whoever waits can come back himself.
const MAX_WAIT: Duration = Duration::from_secs(10);
/// More than this no answer of the API is.
const MAX_REPLY: usize = 256 * 1024;

/// Why Cloudinary did not do what it was asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// It said no.
    Refused {
        status: StatusCode,
        /// What it said, without our secret.
        message: String,
        retry_after: Option<Duration>,
    },
    /// It said nothing, or not all.
    Silent(String),
    /// What was to be sent can't be read, or is not what was said. It won't be next time.
    Unreadable(String),
}

impl Failure {
    /// Whether it may work the next time.
    fn is_passing(&self) -> bool {
        match self {
            // 420 is what Cloudinary says where others say 429.
            Self::Refused { status, .. } => {
                matches!(status.as_u16(), 420 | 429) || status.is_server_error()
            }
            Self::Silent(_) => true,
            Self::Unreadable(_) => false,
        }
    }

    /// Whether there were too many requests.
    pub(super) fn is_rate_limit(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if matches!(status.as_u16(), 420 | 429))
    }

    pub(super) fn is(&self, code: StatusCode) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == code)
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused { status, message, .. }
                if matches!(*status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) =>
            {
                let where_to_look = "see CLOUDINARY_CLOUD_NAME, the API key and its secret, \
                                     CLOUDINARY_SIGNATURE_ALGORITHM, and this machine's clock";
                write!(f, "Cloudinary does not let us in ({status}: {message}); {where_to_look}")
            }
            Self::Refused { status, message, .. } => {
                write!(f, "Cloudinary answered {status}: {message}")
            }
            Self::Silent(cause) => write!(f, "Cloudinary does not answer: {cause}"),
            Self::Unreadable(cause) => f.write_str(cause),
        }
    }
}

impl From<&Failure> for Error {
    fn from(failure: &Failure) -> Self {
        let error = Self::unavailable(Storage::WHAT, failure);
        match failure.retry_after() {
            Some(pause) => {
                let seconds = pause.as_secs().clamp(1, 3600);
                error.retry_after(u32::try_from(seconds).unwrap_or(1))
            }
            None => error,
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::from(&failure)
    }
}

impl From<reqwest::Error> for Failure {
    /// Without the URL, whose signature lets in whoever has it.
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        Self::Silent(text)
    }
}

/// What the API answers; of each call some of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reply {
    pub(super) asset_id: Option<String>,
    pub(super) public_id: Option<String>,
    pub(super) bytes: Option<u64>,
    pub(super) format: Option<String>,
    /// Of `destroy`.
    pub(super) result: Option<String>,
    error: Option<Message>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    message: String,
}

/// Knows one cloud.
pub(super) struct Client {
    http: reqwest::Client,
    pub(super) settings: config::Cloudinary,
    signer: Signer,
}

impl Client {
    pub(super) fn new(settings: &config::Cloudinary) -> Result<Self> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("darkroom/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .redirect(Policy::none())
            .build()
            .map_err(|error| Error::internal(Failure::from(error)))?;
        let signer = Signer::new(settings.api_secret.clone(), settings.algorithm);
        Ok(Self { http, settings: settings.clone(), signer })
    }

    /// What is sent with a call, signed now: it holds for an hour.
    pub(super) fn form(&self, mut parameters: Vec<(&'static str, String)>) -> Form {
        parameters.push(("timestamp", Utc::now().timestamp().to_string()));
        let signature = self.signer.call(&parameters);
        let beside = [("api_key", self.settings.api_key.clone()), ("signature", signature)];
        let all = parameters.into_iter().chain(beside);
        all.fold(Form::new(), |form, (name, value)| form.text(name, value))
    }

    /// Calls the API. Given up once nothing moves any more, by what `moved` counts.
    pub(super) async fn call(
        &self,
        (kind, action): (Kind, &str),
        headers: HeaderMap,
        form: Form,
        moved: &AtomicU64,
    ) -> Result<Reply, Failure> {
        let config::Cloudinary { upload_prefix, cloud_name, .. } = &self.settings;
        let url = format!("{upload_prefix}/v1_1/{cloud_name}/{}/{action}", kind.as_str());
        let request = self.http.post(url).headers(headers).multipart(form);
        let mut answer = std::pin::pin!(async { self.reply(request.send().await?).await });
        let mut seen = moved.load(Ordering::Relaxed);
        loop {
            if let Ok(answer) = timeout(PATIENCE, &mut answer).await {
                return answer;
            }
            let now = moved.load(Ordering::Relaxed);
            if std::mem::replace(&mut seen, now) == now {
                return Err(silent());
            }
        }
    }

    /// Asks for a file. What is answered may still be an error.
    pub(super) async fn fetch(&self, url: &str, headers: HeaderMap) -> Result<Response, Failure> {
        let request = self.http.get(url).headers(headers);
        let answer = timeout(PATIENCE, request.send()).await.map_err(|_| silent())??;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let said = answer.headers().get("x-cld-error").and_then(|said| said.to_str().ok());
        let message = self.signer.redact(said.unwrap_or("no reason given"));
        Err(refusal(answer.status(), answer.headers(), message))
    }

    /// Where a file is fetched that is known there by `path`.
    pub(super) fn url(&self, kind: Kind, path: &str) -> String {
        let (prefix, signature) = (&self.settings.delivery_prefix, self.signer.path(path));
        format!("{prefix}/{}/authenticated/{signature}/v1/{path}", kind.as_str())
    }

    async fn reply(&self, mut answer: Response) -> Result<Reply, Failure> {
        let mut bytes = Vec::new();
        while let Some(piece) = answer.chunk().await? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > MAX_REPLY {
                return Err(Failure::Silent("its answer has no end".to_owned()));
            }
        }
        let reply = serde_json::from_slice::<Reply>(&bytes);
        let status = answer.status();
        match reply {
            Ok(Reply { error: None, .. }) | Err(_) if !status.is_success() => {
                Err(refusal(status, answer.headers(), "no reason given".to_owned()))
            }
            Ok(Reply { error: Some(error), .. }) => {
                let message = self.signer.redact(&error.message);
                Err(refusal(status, answer.headers(), message))
            }
            Ok(reply) => Ok(reply),
            Err(_) => Err(Failure::Silent("its answer is no JSON".to_owned())),
        }
    }
}

fn silent() -> Failure {
    Failure::Silent(format!("nothing was heard of it for {} s", PATIENCE.as_secs()))
}

fn refusal(status: StatusCode, headers: &HeaderMap, message: String) -> Failure {
    let said = headers.get(RETRY_AFTER).and_then(|said| said.to_str().ok());
    let retry_after = said.and_then(|said| match said.trim().parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let until = DateTime::parse_from_rfc2822(said).ok()?.with_timezone(&Utc) - Utc::now();
            Some(until.to_std().unwrap_or_default())
        }
    });
    Failure::Refused { status, message, retry_after }
}

/// What `attempt` makes of it; tried again where that may help, and not before Cloudinary wants it.
pub(super) async fn tried<T, F>(mut attempt: impl FnMut() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut left = MAX_WAIT;
    for tried in 0..TRIES - 1 {
        let failure = match attempt().await {
            Err(failure) if failure.is_passing() => failure,
            outcome => return outcome,
        };
        let pause =
            jittered(PAUSE * 2_u32.pow(tried)).max(failure.retry_after().unwrap_or_default());
        match left.checked_sub(pause) {
            Some(rest) => left = rest,
            None => return Err(failure),
        }
        tracing::debug!(%failure, ?pause, "Cloudinary is asked again");
        sleep(pause).await;
    }
    attempt().await
}
