//! What can be told of a picture without decoding it: what its file says, and what a spec would make of it. The original is read for
//! that, within the room that originals have in memory.

use std::{collections::BTreeMap, io::Cursor};

use super::{Services, overlays};
use crate::{
    domain::{
        error::{Error, Result},
        ids::UserId,
        image::Image,
        limits::Limits,
        transform::Spec,
    },
    imaging::{self, Details, Foretold, Probe},
};

/// What the original of `image` says; where it was taken only if `placed`.
///
/// # Errors
/// `overloaded` when there is no room for it; `dependency_unavailable`; as [`imaging::inspect`].
pub async fn details(services: &Services, image: &Image, placed: bool) -> Result<Details> {
    look(services, image, move |input, limits| imaging::inspect(input, placed, limits)).await
}

/// What the original of `image` is.
///
/// # Errors
/// As [`details`].
pub async fn probe(services: &Services, image: &Image) -> Result<Probe> {
    look(services, image, |input, limits| imaging::probe(Cursor::new(input), limits)).await
}

/// What `spec`, resolved for a picture of the account that is `probe`, would make of it.
///
/// # Errors
/// What the engine would refuse before it decodes; of the pictures that watermarks show, as [`details`].
pub async fn foretell(
    services: &Services,
    user_id: UserId,
    probe: &Probe,
    spec: &Spec,
) -> Result<Foretold> {
    let mut marks = BTreeMap::new();
    for mark in overlays::find(services, user_id, spec).await? {
        marks.insert(mark.id, self::probe(services, &mark).await?);
    }
    imaging::foretell(spec, probe, &marks, &services.limits)
}

/// Looks at the headers of an original, off the threads that serve requests.
async fn look<T: Send + 'static>(
    services: &Services,
    image: &Image,
    look: impl FnOnce(&[u8], &Limits) -> Result<T> + Send + 'static,
) -> Result<T> {
    let limits = services.limits.clone();
    let size = u64::try_from(image.size).unwrap_or(0);
    let room = services.transformer.look(image.user_id, size).await?;
    let input = services.files.get(&services.storage, image.object()).await?;
    let looking = move || {
        let _room = room;
        look(&input, &limits)
    };
    tokio::task::spawn_blocking(looking).await.map_err(Error::internal)?
}
