//! What is wrong with what was said, or looks so.

use std::fmt;

/// Something that keeps the service from starting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The variable, or the file.
    pub name: String,
    /// What is wrong, and what is accepted. Never a secret.
    pub detail: String,
}

/// Something that is probably not meant so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The variable.
    pub name: String,
    /// What is odd about it. Never a secret.
    pub detail: String,
}

impl Fault {
    /// A fault of `name`.
    pub fn new(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { name: name.into(), detail: detail.into() }
    }
}

impl Warning {
    /// A warning about `name`.
    pub fn new(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { name: name.into(), detail: detail.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.detail)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.detail)
    }
}

/// Everything that keeps the service from starting, and what else was noticed on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    /// At least one.
    pub faults: Vec<Fault>,
    /// Often the explanation: a name misspelt.
    pub warnings: Vec<Warning>,
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration has {}:", count(self.faults.len(), "fault"))?;
        for fault in &self.faults {
            write!(f, "\n  {fault}")?;
        }
        for warning in &self.warnings {
            write!(f, "\n  warning: {warning}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("a {noun}") } else { format!("{number} {noun}s") }
}
