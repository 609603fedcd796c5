//! Which parts of the service this process is.

use std::str::FromStr;

/// A part of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Answers HTTP.
    Api,
    /// Runs jobs; listens on no port.
    Worker,
}

/// The parts that one process plays: one of them or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    /// Answers HTTP.
    pub api: bool,
    /// Runs jobs.
    pub worker: bool,
}

impl Roles {
    /// Both: what `serve` is when nothing is said.
    pub const BOTH: Roles = Roles { api: true, worker: true };
    /// Every spelling that is understood, for messages.
    pub const ACCEPTED: &'static str = "api, worker or both";

    /// Whether this process plays `role`.
    pub const fn has(self, role: Role) -> bool {
        match role {
            Role::Api => self.api,
            Role::Worker => self.worker,
        }
    }
}

impl FromStr for Roles {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim().to_ascii_lowercase().as_str() {
            "api" => Ok(Roles { api: true, worker: false }),
            "worker" => Ok(Roles { api: false, worker: true }),
            "both" | "all" | "api,worker" | "worker,api" => Ok(Roles::BOTH),
            _ => Err(format!("must be {}", Roles::ACCEPTED)),
        }
    }
}

impl std::fmt::Display for Roles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match (self.api, self.worker) {
            (true, false) => "api",
            (false, true) => "worker",
            _ => "both",
        })
    }
}
