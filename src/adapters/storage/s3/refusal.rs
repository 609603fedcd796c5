//! What a server that speaks S3 says when it refuses, short and without what was signed.

use std::error::Error as _;

use object_store::Error as S3Error;

use super::super::{Resource, Storage};
use crate::domain::error::Error;

/// Longer than any cause that helps.
const LONGEST: usize = 400;

/// An error of ours for one of theirs. Who stores something misses no object: 404 is then of a bucket, an upload, or a proxy.
pub(super) fn refused(error: &S3Error) -> Error {
    Error::unavailable(Storage::WHAT, cause(error))
}

/// The same for who asks for an object, which may be what is not there.
pub(super) fn not_given(error: &S3Error) -> Error {
    if is_absence(error) {
        return Error::not_found("object").caused_by(cause(error));
    }
    refused(error)
}

/// Whether the bucket says that it has no such object; whatever else answers 404 is no bucket.
pub(super) fn is_absence(error: &S3Error) -> bool {
    says(error, "NoSuchKey")
}

/// Whether it says that it has no such upload in parts: it was completed before, or aborted.
pub(super) fn is_over(error: &S3Error) -> bool {
    says(error, "NoSuchUpload")
}

/// Whether something is missing, and it is S3 itself that says so.
fn says(error: &S3Error, what: &str) -> bool {
    matches!(error, S3Error::NotFound { .. }) && code(&error.to_string()) == Some(what)
}

/// What is wrong, for the log and the operator. Of an answer only its code and message: the rest may repeat the request, its key
/// and signature too.
pub(super) fn cause(error: &S3Error) -> String {
    let told = error.to_string();
    if let Some(code) = code(&told) {
        let message = element(&told, "Message").unwrap_or_default().trim();
        let said = if message.is_empty() { String::new() } else { format!(": {message}") };
        let hint = hint(code).map(|hint| format!(" ({hint})")).unwrap_or_default();
        return shortened(format!("{code}{said}{hint}"));
    }
    // What really happened is said last.
    let mut last = error.source();
    while let Some(deeper) = last.and_then(|error| error.source()) {
        last = Some(deeper);
    }
    match last.map(ToString::to_string) {
        Some(root) if !told.contains(&root) => format!("{root}: {}", shortened(told)),
        _ => shortened(told),
    }
}

/// The code of an answer.
fn code(told: &str) -> Option<&str> {
    element(told, "Code")
}

/// The text of an element of the answer's XML.
fn element<'t>(told: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = told.split_once(&format!("<{name}>"))?;
    let (inside, _) = rest.split_once(&format!("</{name}>"))?;
    Some(inside)
}

/// What to look at.
fn hint(code: &str) -> Option<&'static str> {
    match code {
        "NoSuchBucket" => Some("see S3_BUCKET, S3_ENDPOINT and S3_REGION"),
        "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "NotSignedUp"
        | "InvalidToken"
        | "ExpiredToken" => Some("see S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY"),
        "AuthorizationHeaderMalformed"
        | "PermanentRedirect"
        | "IllegalLocationConstraintException" => Some("see S3_REGION and S3_ENDPOINT"),
        "AccessDenied" => Some("the key must be allowed to get, put, delete and list"),
        _ => None,
    }
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::error::Code;

    fn absent(body: &str) -> S3Error {
        S3Error::NotFound { path: "a".to_owned(), source: body.to_owned().into() }
    }

    #[test]
    fn an_object_is_missing_only_in_a_bucket_that_is_there() {
        let no_key = absent("<Error><Code>NoSuchKey</Code><Message>none</Message></Error>");
        assert_eq!(not_given(&no_key).code, Code::NotFound);
        assert_eq!(refused(&no_key).code, Code::DependencyUnavailable, "nobody asked for it");
        assert!(is_absence(&no_key) && !is_over(&no_key));
        let no_bucket = absent("<Error><Code>NoSuchBucket</Code><Message>none</Message></Error>");
        let told = not_given(&no_bucket);
        assert_eq!(told.code, Code::DependencyUnavailable);
        assert!(told.cause.unwrap().contains("S3_BUCKET"));
        let no_upload = absent("<Error><Code>NoSuchUpload</Code></Error>");
        assert!(is_over(&no_upload));
        for other in [no_bucket, no_upload, absent("<h1>nginx</h1>"), absent("")] {
            assert!(!is_absence(&other), "{other}");
            assert_eq!(not_given(&other).code, Code::DependencyUnavailable, "{other}");
        }
    }

    #[test]
    fn a_cause_says_nothing_of_what_was_signed() {
        let body = "403: <Error><Code>SignatureDoesNotMatch</Code><Message>It does not match.</Message>\
                    <AWSAccessKeyId>AKIA0123</AWSAccessKeyId><StringToSign>AWS4</StringToSign></Error>";
        let told = cause(&S3Error::Generic { store: "S3", source: body.into() });
        assert!(
            told.starts_with("SignatureDoesNotMatch: It does not match. (see S3_ACCESS"),
            "{told}"
        );
        assert!(!told.contains("AKIA") && !told.contains("AWS4"), "{told}");
        let page = "x".repeat(10_000);
        assert!(cause(&S3Error::Generic { store: "S3", source: page.into() }).len() < 500);
    }
}
