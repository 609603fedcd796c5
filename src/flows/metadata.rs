//! Looking up pictures and variants: in the cache, where all processes see the same one, else in the database.
//!
//! Kept is only what stays as it is until its owner acts: pictures that were looked at, variants that are ready. So jobs,
//! which change neither, need not know of this. Whoever patches or deletes leaves a mark *before* the database is asked
//! to, and while there is a mark everybody asks the database. The mark lives longer than the change can take and then
//! anything that was looked up before it: an old value is never seen once the change is. Should the mark not get
//! through, because Redis is away, others may see the old value until its time is over, 10 s after it was looked up; and
//! whatever writes looks in the database itself.
//!
//! While an engine is replaced process by process, an old process may for that time name bytes that a new one has replaced.

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use super::Services;
use crate::{
    adapters::{
        cache::{CacheGet, CachePut},
        db::{
            images::{ImageById, PatchImage},
            variants::{VariantById, VariantBySpec},
        },
    },
    domain::{
        delivery::ChangeKind,
        error::{Error, Result},
        ids::{ImageId, UserId, VariantId},
        image::{Facts, Image, ImagePatch},
        variant::{Variant, VariantStatus},
    },
    imaging,
};

/// How long a value is kept, counted from when the database was asked for it.
const KEPT: Duration = Duration::from_secs(10);
/// How long a mark is: a change may take the time that a question to the database lasts at most, 20 s, and what was
/// looked up just before its end is then kept.
const MARKED: Duration = Duration::from_secs(60);

/// A picture of the account.
///
/// # Errors
/// `not_found`.
pub async fn image(services: &Services, user_id: UserId, id: ImageId) -> Result<Image> {
    let key = format!("image:{user_id}:{id}");
    let look_up = || async { services.database.ask(ImageById { user_id, id }).await.map(Some) };
    let found = remembered(services, key, user_id, Some(id), look_up).await?;
    found.ok_or_else(|| Error::not_found("image"))
}

/// A variant of the account.
///
/// # Errors
/// `not_found`.
pub async fn variant(services: &Services, user_id: UserId, id: VariantId) -> Result<Variant> {
    let key = format!("variant:{user_id}:{id}");
    let look_up = || async { services.database.ask(VariantById { user_id, id }).await.map(Some) };
    let found = remembered(services, key, user_id, None, look_up).await?;
    found.ok_or_else(|| Error::not_found("variant"))
}

/// The variant of a picture by a spec, if there is one.
///
/// # Errors
/// When the database fails.
pub async fn variant_by_spec(services: &Services, query: VariantBySpec) -> Result<Option<Variant>> {
    let VariantBySpec { user_id, image_id, spec_hash } = &query;
    let key = format!("spec:{user_id}:{image_id}:{spec_hash}");
    let (user_id, image_id) = (*user_id, *image_id);
    remembered(services, key, user_id, Some(image_id), || services.database.ask(query)).await
}

/// Changes what the owner of a picture may change.
///
/// # Errors
/// `not_found`.
pub async fn patch_image(
    services: &Services,
    user_id: UserId,
    id: ImageId,
    patch: ImagePatch,
) -> Result<Image> {
    image_changes(services, user_id, id).await;
    let image = services.database.ask(PatchImage { user_id, id, patch }).await?;
    services.delivery.changed(user_id, Some(id), ChangeKind::Facts);
    Ok(image)
}

/// To be said before a picture, or a variant of it, is changed or deleted.
pub async fn image_changes(services: &Services, user_id: UserId, id: ImageId) {
    mark(services, image_mark(user_id, id)).await;
}

/// To be said before an account is deleted.
pub async fn account_changes(services: &Services, user_id: UserId) {
    mark(services, account_mark(user_id)).await;
}

async fn mark(services: &Services, key: String) {
    if services.metadata_cached {
        let put = CachePut { key, value: Bytes::from_static(b"changed"), ttl: MARKED };
        if let Err(error) = services.cache.ask(put).await {
            tracing::debug!(%error, "others may see what was looked up before for a few seconds");
        }
    }
}

fn image_mark(user_id: UserId, id: ImageId) -> String {
    format!("changed:{user_id}:{id}")
}

fn account_mark(user_id: UserId) -> String {
    format!("changed:{user_id}")
}

/// What can be kept.
trait Kept: Serialize + DeserializeOwned {
    /// The picture that it is, or is of.
    fn image_id(&self) -> ImageId;
    /// Whether it stays as it is until its owner acts.
    fn is_settled(&self) -> bool;
}

impl Kept for Image {
    fn image_id(&self) -> ImageId {
        self.id
    }

    fn is_settled(&self) -> bool {
        self.facts != Facts::default()
    }
}

impl Kept for Variant {
    fn image_id(&self) -> ImageId {
        self.image_id
    }

    fn is_settled(&self) -> bool {
        // What an earlier engine made is made again when it is asked for.
        self.status == VariantStatus::Ready && self.engine >= imaging::ENGINE
    }
}

/// The value under `key`, which names the account, if nothing has changed; else from `look_up`, which is then kept. A
/// cache that fails is passed by.
async fn remembered<T: Kept, F>(
    services: &Services,
    key: String,
    user_id: UserId,
    image_id: Option<ImageId>,
    look_up: impl FnOnce() -> F,
) -> Result<Option<T>>
where
    F: Future<Output = Result<Option<T>>>,
{
    if !services.metadata_cached {
        return look_up().await;
    }
    if let Some(value) = recall(services, &key, user_id, image_id).await {
        return Ok(Some(value));
    }
    let asked = Instant::now();
    let found = look_up().await?;
    // What is known is as old as the question, however long the answer took.
    let ttl = KEPT.saturating_sub(asked.elapsed());
    if let Some(value) = found.as_ref().filter(|value| value.is_settled())
        && !ttl.is_zero()
    {
        let value = Bytes::from(serde_json::to_vec(value).map_err(Error::internal)?);
        let _ = services.cache.ask(CachePut { key, value, ttl }).await;
    }
    Ok(found)
}

/// The value under `key`, unless its account or its picture is marked. What another version wrote and this one can't
/// read is not there.
async fn recall<T: Kept>(
    services: &Services,
    key: &str,
    user_id: UserId,
    image_id: Option<ImageId>,
) -> Option<T> {
    let mut keys = vec![key.to_owned(), account_mark(user_id)];
    keys.extend(image_id.map(|id| image_mark(user_id, id)));
    let mut found = services.cache.ask(CacheGet { keys }).await.ok()?.into_iter();
    let value: T = serde_json::from_slice(&found.next()??).ok()?;
    if found.flatten().next().is_some() || !value.is_settled() {
        return None;
    }
    if image_id.is_none() {
        // Only the value tells whose mark to look for.
        let keys = vec![image_mark(user_id, value.image_id())];
        let marks = services.cache.ask(CacheGet { keys }).await.ok()?;
        if marks.into_iter().flatten().next().is_some() {
            return None;
        }
    }
    Some(value)
}
