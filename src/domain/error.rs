//! What can go wrong, as the client is told of it: a closed list of codes, each with its HTTP status.
//!
//! One error type runs through every floor, so that a failure is described where it is understood
//! and only rendered at the edge (`http/problem.rs`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $status:literal;)*) => {
        /// The stable, documented name of an error.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code.
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// The code as it stands in an answer.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)* }
            }

            /// The HTTP status that goes with it.
            pub const fn status(self) -> u16 {
                match self { $(Code::$name => $status,)* }
            }
        }
    };
}

codes! {
    /// JSON, multipart or query that can't be read.
    MalformedRequest = "malformed_request", 400;
    /// Fields that can be read and are wrong; each is named.
    ValidationFailed = "validation_failed", 400;
    /// No credentials, or ones that don't hold.
    Unauthenticated = "unauthenticated", 401;
    /// Wrong username or password.
    InvalidCredentials = "invalid_credentials", 401;
    /// The token was good once.
    TokenExpired = "token_expired", 401;
    /// The account was disabled.
    AccountDisabled = "account_disabled", 403;
    /// A delivery URL whose signature is wrong or missing.
    SignatureInvalid = "signature_invalid", 403;
    /// A delivery URL past its `exp`.
    SignatureExpired = "signature_expired", 403;
    /// No such thing, or it is another account's.
    NotFound = "not_found", 404;
    /// The path exists, the method doesn't.
    MethodNotAllowed = "method_not_allowed", 405;
    /// The client took too long to send its request.
    RequestTimeout = "request_timeout", 408;
    /// Somebody has that name.
    UsernameTaken = "username_taken", 409;
    /// The job has finished.
    JobNotCancellable = "job_not_cancellable", 409;
    /// The key is in use, or was used for something else.
    IdempotencyConflict = "idempotency_conflict", 409;
    /// The picture is still being made.
    VariantNotReady = "variant_not_ready", 409;
    /// The file or body passes its limit.
    PayloadTooLarge = "payload_too_large", 413;
    /// The bytes are no picture that we read.
    UnsupportedMediaType = "unsupported_media_type", 415;
    /// No such part of the content.
    RangeNotSatisfiable = "range_not_satisfiable", 416;
    /// The picture ends too early or contradicts itself.
    ImageCorrupt = "image_corrupt", 422;
    /// The picture, or one that the transformation would make, has too many pixels.
    ImageTooLarge = "image_too_large", 422;
    /// The animation is too long.
    TooManyFrames = "too_many_frames", 422;
    /// The spec can't be applied to this picture.
    TransformImpossible = "transform_impossible", 422;
    /// The work took longer than `TRANSFORM_TIMEOUT`.
    TransformTimeout = "transform_timeout", 422;
    /// The URL may not be fetched.
    FetchRefused = "fetch_refused", 422;
    /// The URL could not be fetched.
    FetchFailed = "fetch_failed", 422;
    /// The workers that tried it vanished; of a job.
    WorkerLost = "worker_lost", 422;
    /// Too many requests.
    RateLimited = "rate_limited", 429;
    /// The account is full.
    QuotaExceeded = "quota_exceeded", 429;
    /// Ours.
    Internal = "internal", 500;
    /// More work than can be queued.
    Overloaded = "overloaded", 503;
    /// The database or the storage doesn't answer.
    DependencyUnavailable = "dependency_unavailable", 503;
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Fault {
    /// JSON pointer (RFC 6901) to the field.
    pub pointer: String,
    /// What is accepted there.
    pub detail: String,
}

impl Fault {
    /// A fault at `pointer`.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

/// The most faults that are told at once, so that an answer never grows with what was sent.
const MAX_FAULTS: usize = 100;

/// A failure, ready to be told.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Error {
    /// Which of the documented errors this is.
    pub code: Code,
    /// The HTTP status: the code's, but for a failure of then that is told now.
    pub status: u16,
    /// For the reader: what happened, and what would be accepted. Never anything internal.
    pub detail: String,
    /// The fields at fault.
    pub faults: Vec<Fault>,
    /// Seconds after which a retry makes sense.
    pub retry_after: Option<u32>,
    /// For the log alone: what really happened.
    pub cause: Option<String>,
}

/// What nearly everything returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `code`.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let status = code.status();
        let detail = detail.into();
        Self { code, status, detail, faults: Vec::new(), retry_after: None, cause: None }
    }

    /// `validation_failed` with every fault; the first one is the summary.
    pub fn invalid(mut faults: Vec<Fault>) -> Self {
        faults.truncate(MAX_FAULTS);
        let detail = match faults.first() {
            Some(first) if first.pointer.is_empty() => first.detail.clone(),
            Some(first) => {
                format!(
                    "{}: {}",
                    first.pointer.trim_start_matches('/').replace('/', "."),
                    first.detail
                )
            }
            None => "the request is not valid".to_owned(),
        };
        Self { faults, ..Self::new(Code::ValidationFailed, detail) }
    }

    /// `validation_failed` for one field.
    pub fn field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::invalid(vec![Fault::new(pointer, detail)])
    }

    /// `not_found` for a `what` ("image", "job") of this account.
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("no such {what}"))
    }

    /// `internal`: the client learns nothing, the log everything.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        Self::new(Code::Internal, "something went wrong on our side").caused_by(cause)
    }

    /// `dependency_unavailable`: `what` ("the database", "the storage") does not answer.
    pub fn unavailable(what: &str, cause: impl std::fmt::Display) -> Self {
        Self::new(Code::DependencyUnavailable, format!("{what} is not available right now"))
            .caused_by(cause)
            .retry_after(2)
    }

    /// `overloaded`.
    pub fn overloaded(cause: impl std::fmt::Display) -> Self {
        Self::new(Code::Overloaded, "too much work at once; try again shortly")
            .caused_by(cause)
            .retry_after(1)
    }

    /// Adds what only the log shall see.
    pub fn caused_by(mut self, cause: impl std::fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// Adds after how many seconds to try again.
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Whether the same work might succeed later.
    pub fn is_passing(&self) -> bool {
        matches!(
            self.code,
            Code::Internal
                | Code::Overloaded
                | Code::DependencyUnavailable
                | Code::TransformTimeout
        )
    }
}
