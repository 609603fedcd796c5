//! Why a fetch failed, for whoever asked for it: what happened, and nothing of what was found on the way.

use std::{error::Error as StdError, io};

use super::{failed, rules::Refused};
use crate::domain::error::Error;

/// The error that `error` is told as.
pub(super) fn explained(error: reqwest::Error) -> Error {
    // URLs may be secrets, and logs are read by others.
    let error = error.without_url();
    if let Some(refused) = find::<Refused>(&error) {
        return refused.clone().into();
    }
    let why = if find::<rustls::Error>(&error).is_some() {
        "it does not speak TLS, or its certificate does not hold"
    } else if error.is_timeout() {
        "it took too long"
    } else if error.is_dns() {
        "its host was not found"
    } else if error.is_connect() {
        "its host could not be reached"
    } else if error.is_body() || error.is_decode() {
        "it broke off before its end"
    } else {
        "it was not answered as HTTP demands"
    };
    failed(why).caused_by(chain(&error))
}

/// The first `E` beneath `error`.
fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // What an `io::Error` was made of is not its source, but itself.
        let inside = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inside {
            Some(inside) => Some(inside),
            None => error.source(),
        };
    }
    None
}

/// All that is beneath `error`, for the log.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text.push_str(": ");
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}
