//! Objects at Cloudinary, as authenticated assets: none is public by its URL.
//!
//! Over HTTP by hand: the crate `cloudinary` (0.8) knows no chunked upload, no signed delivery, no raw files, no SHA-256, no host but
//! Cloudinary's own, and does not try again.

use std::{
    ops::Range,
    sync::{Arc, atomic::AtomicU64},
};

use futures_util::future::try_join_all;
use reqwest::header::HeaderMap;

use super::{Answer, Backend, Body, ByteStream, Stored};
use crate::{
    config,
    domain::{error::Result, object::Object},
};

mod client;
mod delivery;
mod name;
mod signature;
mod upload;

use self::{
    client::{Client, Failure, tried},
    name::Name,
};

/// A folder of a cloud.
pub(super) struct Cloudinary {
    client: Arc<Client>,
}

impl Cloudinary {
    pub(super) fn new(settings: &config::Cloudinary) -> Result<Self> {
        Ok(Self { client: Arc::new(Client::new(settings)?) })
    }
}

impl Backend for Cloudinary {
    fn name(&self) -> &'static str {
        "Cloudinary"
    }

    fn put<'a>(&'a self, key: &'a str, body: Body) -> Answer<'a, Stored> {
        Box::pin(upload::put(&self.client, key, body))
    }

    fn open<'a>(&'a self, object: &'a Object, part: Range<u64>) -> Answer<'a, ByteStream> {
        Box::pin(delivery::open(self.client.clone(), object, part))
    }

    fn delete<'a>(&'a self, key: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            // Nobody remembers as what it was kept, and both may be there.
            let names = Name::all(&self.client.settings.folder, key);
            try_join_all(names.iter().map(|name| remove(&self.client, name))).await.map(drop)
        })
    }

    /// Removes what never was: that counts nowhere, unlike a question to the Admin API.
    fn ping(&self) -> Answer<'_, ()> {
        Box::pin(async {
            let nothing = Name::raw(&self.client.settings.folder, "ping");
            match destroy(&self.client, &nothing).await {
                // It is there, and knows us.
                Err(failure) if failure.is_rate_limit() => Ok(()),
                answer => Ok(answer?),
            }
        })
    }
}

/// Removes an asset that may not be there.
async fn remove(client: &Client, name: &Name) -> Result<()> {
    Ok(tried(|| destroy(client, name)).await?)
}

async fn destroy(client: &Client, name: &Name) -> Result<(), Failure> {
    let form = client.form(vec![
        ("public_id", name.public_id.clone()),
        ("type", "authenticated".to_owned()),
        ("invalidate", "true".to_owned()),
    ]);
    let call = (name.kind, "destroy");
    let reply = client.call(call, HeaderMap::new(), form, &AtomicU64::new(0)).await?;
    match reply.result.as_deref() {
        Some("ok" | "not found") => Ok(()),
        result => Err(Failure::Silent(format!("it removes an object with {result:?}"))),
    }
}
