//! Floor 4: what the service does, each said once. HTTP and the consumer call the same flows.

use std::{sync::Arc, time::Duration};

use crate::{
    actors::{address::Address, doorbell::Doorbell, notifier::Notifier, transformer::Transformer},
    adapters::{
        cache::Cache, db::Db, fetch::Fetcher, password::Passwords, queue::Publisher,
        storage::Storage, token::Tokens,
    },
    domain::{limits::Limits, transform::Profile},
};

pub mod accounts;
pub mod delete;
pub mod delivery;
pub mod enqueue;
pub mod events;
pub mod files;
pub mod flights;
pub mod import;
pub mod inspect;
pub mod jobs;
pub mod metadata;
mod objects;
pub mod overlays;
pub mod presets;
pub mod purge;
pub mod sessions;
pub mod signing;
pub mod transform;
pub mod upload;

/// What flows work with: addresses of actors, never the actors.
pub struct Services {
    /// Rows.
    pub database: Address<Db>,
    /// Objects.
    pub storage: Address<Storage>,
    /// What was looked up and counted lately.
    pub cache: Address<Cache>,
    /// The queue, where jobs go in.
    pub publisher: Address<Publisher>,
    /// Whether all processes see the same cache, so that what one of them changes no other takes for what it was.
    pub metadata_cached: bool,
    /// The files that pictures are made of.
    pub files: Arc<files::Files>,
    /// Pixels.
    pub transformer: Transformer,
    /// Access tokens.
    pub tokens: Tokens,
    /// How long a refresh token is good for.
    pub refresh_lifetime: Duration,
    /// Password hashes.
    pub passwords: Passwords,
    /// What is refused.
    pub limits: Limits,
    /// What a spec means that names no profile.
    pub profile: Profile,
    /// Rung when a job was put into the outbox.
    pub jobs: Doorbell,
    /// Told when a job has changed.
    pub notifier: Notifier,
    /// Rung when a picture was uploaded that is to be looked at.
    pub uploads: Doorbell,
    /// Rung when somebody may be to be told of a job's end.
    pub webhooks: Doorbell,
    /// What clients have fetched from elsewhere.
    pub fetcher: Fetcher,
    /// How many of those fetches are under way.
    pub imports: import::Imports,
    /// Rung when objects are to be removed.
    pub deletions: Doorbell,
    /// Pictures by URL: what is known and at hand.
    pub delivery: delivery::Delivery,
    /// Variants being made in this process.
    pub work: transform::Work,
}
