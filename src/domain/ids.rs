//! Identifiers: UUIDv7, so that rows made later sort later.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::{Uuid, fmt::Hyphenated};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
        )]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new identifier, later in order than those made before it.
            #[allow(clippy::new_without_default)]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// Before every identifier made from `time` on, and after those made before.
            pub fn first_of(time: chrono::DateTime<chrono::Utc>) -> Self {
                let milliseconds = u128::try_from(time.timestamp_millis()).unwrap_or(0);
                Self(Uuid::from_u128((milliseconds << 80) | (7 << 76) | (0b10 << 62)))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            /// Accepts the hyphenated form only, the one that we hand out.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse::<Hyphenated>().map(|id| Self(id.into_uuid()))
            }
        }
    };
}

id! {
    /// An account.
    UserId
}
id! {
    /// An uploaded picture.
    ImageId
}
id! {
    /// A transformed picture.
    VariantId
}
id! {
    /// A piece of background work.
    JobId
}
id! {
    /// A change of a job's state.
    EventId
}
id! {
    /// A login: the chain of refresh tokens that began with one password check.
    FamilyId
}
id! {
    /// One issue of tokens within a login; the `jti` claim of the access token.
    TokenId
}
id! {
    /// A long-lived key of an account.
    ApiKeyId
}
id! {
    /// What is told to one receiver of the end of one job.
    WebhookId
}
id! {
    /// The receipt of a deletion.
    DeletionId
}
id! {
    /// News that something delivery shows has changed.
    ChangeId
}
