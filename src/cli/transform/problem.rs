//! Why something was not done.

use super::exit;
use crate::domain::error::{Code, Error};

/// Why something was not done.
#[derive(Debug)]
pub(super) struct Problem {
    /// The exit code.
    pub(super) code: u8,
    /// The error's code as in the API, or what comes nearest.
    pub(super) name: &'static str,
    /// For people.
    pub(super) message: String,
}

impl Problem {
    pub(super) fn new(code: u8, message: impl std::fmt::Display) -> Self {
        let name = match code {
            exit::USAGE => "usage",
            exit::NO_INPUT => "no_input",
            exit::CANT_CREATE => "cant_create",
            exit::DATA => "validation_failed",
            exit::CONFIG => "config",
            _ => "internal",
        };
        Self { code, name, message: message.to_string() }
    }

    /// The same of `what`.
    pub(super) fn of(self, what: impl std::fmt::Display) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let code = if error.code == Code::Internal { exit::SOFTWARE } else { exit::DATA };
        Self { code, name: error.code.as_str(), message: error.detail }
    }
}
