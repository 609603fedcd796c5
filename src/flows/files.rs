//! The files that pictures are made of, fetched once for all who want one at a time, and kept for a moment: a page asks for many sizes
//! of a picture, one after the other.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use moka::{policy::EvictionPolicy, sync::Cache};

use super::flights::Flights;
use crate::{
    actors::address::Address,
    adapters::storage::{GetObject, Storage, out_of_reach},
    domain::{error::Result, object::Object},
};

/// How long a file is kept.
const KEPT: Duration = Duration::from_secs(30);

/// Files by their keys; what a key names never changes.
pub struct Files {
    kept: Cache<String, Bytes>,
    fetching: Arc<Flights<String, Result<Bytes>>>,
}

impl Files {
    /// Keeps so many bytes at most.
    pub fn new(most: u64) -> Self {
        let weight =
            |key: &String, file: &Bytes| u32::try_from(key.len() + file.len()).unwrap_or(u32::MAX);
        let kept = Cache::builder()
            .max_capacity(most)
            .weigher(weight)
            .time_to_live(KEPT)
            // What is new is what is wanted.
            .eviction_policy(EvictionPolicy::lru());
        Self { kept: kept.build(), fetching: Arc::default() }
    }

    /// The bytes of `object`.
    ///
    /// # Errors
    /// `dependency_unavailable`, also where there is none: its row is there, so it is being deleted in this moment, or out of reach.
    pub async fn get(&self, storage: &Address<Storage>, object: Object) -> Result<Bytes> {
        if let Some(file) = self.kept.get(&object.key) {
            return Ok(file);
        }
        let (storage, kept, key) = (storage.clone(), self.kept.clone(), object.key.clone());
        let work = || async move {
            let key = object.key.clone();
            let file = storage.ask(GetObject { object }).await?;
            kept.insert(key, file.clone());
            // What is too much, or too old, goes when it is asked to.
            kept.run_pending_tasks();
            tokio::spawn(async move {
                tokio::time::sleep(KEPT + Duration::from_secs(1)).await;
                kept.run_pending_tasks();
            });
            Ok(file)
        };
        self.fetching.join(key, work).await.flatten().map_err(out_of_reach)
    }
}
