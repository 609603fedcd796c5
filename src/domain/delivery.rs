//! What accounts say about pictures by URL, and what has changed of it.

use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::ids::{ChangeId, ImageId, UserId};

/// Presets of one account.
pub const MAX_PRESETS: usize = 1000;
/// Bytes of a preset's canonical spec as JSON.
pub const MAX_PRESET: usize = 8 << 10;
/// What the specs of all presets of one account take together: whoever serves its pictures has them in memory.
pub const MAX_PRESETS_TOGETHER: usize = 256 << 10;
/// Transformations of one account that may be asked for unsigned, beside presets.
pub const MAX_ALLOWED: usize = 100;
/// Bytes of a transformation in the URL form, where one is kept or signed.
pub const MAX_TRANSFORMATION: usize = 2000;
/// Signing keys of one account.
pub const MAX_SIGNING_KEYS: usize = 10;

/// A transformation with a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Preset {
    /// Unique in the account.
    pub name: String,
    /// Canonical, but for `auto`, which only a request resolves.
    pub spec: Value,
    /// When the name was first given.
    pub created_at: DateTime<Utc>,
    /// When its spec was last put.
    pub updated_at: DateTime<Utc>,
}

/// What an account lets be shown unsigned, and what in the place of what can't be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether only presets and what is allowed may be asked for unsigned.
    pub strict: bool,
    /// Transformations in the URL form, as they were put.
    pub allowed: Vec<String>,
    /// A picture of the account.
    pub fallback_image_id: Option<ImageId>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { strict: true, allowed: Vec::new(), fallback_image_id: None }
    }
}

/// What serving has to know of an account.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Account {
    /// An operator has shut it: nothing of it is served.
    pub disabled: bool,
    /// What it lets be shown.
    pub settings: Settings,
    /// The name and the spec of each preset, by name.
    pub presets: Vec<(String, Value)>,
}

/// What URLs are signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// Stands in the URLs that it signs.
    pub id: String,
    /// The account.
    pub user_id: UserId,
    /// What its owner calls it.
    pub name: String,
    /// The key itself, as text.
    pub secret: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl fmt::Debug for SigningKey {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id)
            .field("user_id", &self.user_id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What of delivery has changed, for those who have looked it up before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Its identity.
    pub id: ChangeId,
    /// The account.
    pub user_id: UserId,
    /// The picture; `None` is all of the account.
    pub image_id: Option<ImageId>,
    /// What it makes void.
    pub kind: ChangeKind,
}

/// What a change makes void.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// What is known of it must be looked up again.
    Facts,
    /// That, and nothing that was made of it may be shown any more.
    Pictures,
}

impl ChangeKind {
    /// Its name in a row.
    pub const fn as_str(self) -> &'static str {
        match self {
            ChangeKind::Facts => "facts",
            ChangeKind::Pictures => "pictures",
        }
    }
}

/// What is wrong with the canonical spec of a preset, if anything.
pub fn check_preset_spec(spec: &Value) -> Option<String> {
    let size = spec.to_string().len();
    (size > MAX_PRESET)
        .then(|| format!("is {size} bytes as canonical JSON; a preset has at most {MAX_PRESET}"))
}

/// What is wrong with the name of a preset, if anything.
pub fn check_preset_name(name: &str) -> Option<&'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let good = (1..=64).contains(&name.len()) && name.chars().all(allowed);
    (!good).then_some("must be 1 to 64 of A-Z a-z 0-9 _ -")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_preset_stands_in_a_url_as_it_is() {
        for name in ["a", "Card_2-x", &"z".repeat(64)] {
            assert_eq!(check_preset_name(name), None, "{name}");
        }
        for name in ["", "a b", "a,b", "a/b", "a.b", "a:b", "ü", "a%20", &"z".repeat(65)] {
            assert!(check_preset_name(name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_secret_is_not_shown_by_accident() {
        let key = SigningKey {
            id: "k".to_owned(),
            user_id: UserId::new(),
            name: "name".to_owned(),
            secret: "whisper".to_owned(),
            created_at: Utc::now(),
        };
        assert!(!format!("{key:?}").contains("whisper"));
    }
}
