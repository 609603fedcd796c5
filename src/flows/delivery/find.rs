//! The picture of a plan: from memory, from this machine's disk, from the storage, or made now; once for all who ask at a time.

use std::{sync::Arc, time::SystemTime};

use super::plan::Plan;
use crate::{
    actors::transformer::Priority,
    adapters::{
        db::{purge::PurgesOf, variants::VariantBySpec},
        pictures::{Epoch, Picture},
        storage::GetObject,
    },
    domain::{
        error::{Code, Error, Result},
        image::Image,
        job::Cancel,
        variant::{Made, Variant, VariantStatus},
    },
    flows::{
        Services,
        transform::{Painted, keep, keep_failure, paint},
    },
    imaging::{ENGINE, Failure, Timings},
};

/// A picture, and where it was.
#[derive(Clone)]
pub struct Found {
    /// The picture.
    pub picture: Arc<Picture>,
    /// Where the time went, if it was made now.
    pub made: Option<Timings>,
}

impl Found {
    fn there(picture: Arc<Picture>) -> Self {
        Self { picture, made: None }
    }

    /// Whether an earlier engine made it: good enough until it is made anew.
    pub fn is_stale(&self) -> bool {
        self.picture.engine < ENGINE
    }
}

/// When the making of a picture began: what is given up since is not kept.
#[derive(Clone, Copy)]
struct Begun {
    /// In this process.
    epoch: Epoch,
    /// In the database.
    purges: i64,
}

impl Begun {
    async fn now(services: &Services, plan: &Plan, epoch: Epoch) -> Result<Self> {
        let Image { user_id, id: image_id, .. } = plan.image;
        Ok(Self { epoch, purges: services.database.ask(PurgesOf { user_id, image_id }).await? })
    }
}

/// The picture of `plan`.
///
/// # Errors
/// What the engine refuses, now or when it was tried before; `transform_timeout`, `overloaded`, `dependency_unavailable`.
pub(super) async fn find(services: &Arc<Services>, plan: &Arc<Plan>) -> Result<Found> {
    let delivery = &services.delivery;
    if let Some(picture) = delivery.pictures.get_hot(&plan.key) {
        let found = Found::there(picture);
        if found.is_stale() {
            renew(services, plan);
        }
        return Ok(found);
    }
    let epoch = delivery.pictures.epoch(plan.image.id);
    if let Some((since, error)) = delivery.refused.get(&plan.key)
        && since == epoch
    {
        return Err(error);
    }
    let (these, this) = (services.clone(), plan.clone());
    let work = || async move { search(&these, &this, epoch).await };
    Box::pin(delivery.searches.join((plan.key, epoch), work)).await?
}

/// Looks everywhere but in the memory, and remembers what is found.
async fn search(services: &Arc<Services>, plan: &Arc<Plan>, epoch: Epoch) -> Result<Found> {
    // Somebody may have found it while this was on its way.
    if let Some(picture) = services.delivery.pictures.get_hot(&plan.key) {
        return Ok(Found::there(picture));
    }
    match row(services, plan).await? {
        Some(variant) if variant.status == VariantStatus::Ready => {
            if let Some(made) = variant.made
                && let Some(found) = stored(services, plan, made, variant.engine, epoch).await?
            {
                if found.is_stale() {
                    renew(services, plan);
                }
                return Ok(found);
            }
        }
        Some(variant) if variant.status == VariantStatus::Failed && variant.engine >= ENGINE => {
            if let Some(failure) = variant.error {
                let error = failure.to_error();
                services.delivery.refused.insert(plan.key, (epoch, error.clone()));
                return Err(error);
            }
        }
        _ => {}
    }
    make(services, plan, epoch).await
}

/// What is known of the variant, if anything is.
async fn row(services: &Services, plan: &Plan) -> Result<Option<Variant>> {
    let Image { user_id, id: image_id, .. } = plan.image;
    let query = VariantBySpec { user_id, image_id, spec_hash: plan.spec_hash.clone() };
    services.database.ask(query).await
}

/// The picture that a row says there is, from the disk or from the storage. `None` if its bytes have gone.
async fn stored(
    services: &Arc<Services>,
    plan: &Plan,
    made: Made,
    engine: i32,
    epoch: Epoch,
) -> Result<Option<Found>> {
    let pictures = &services.delivery.pictures;
    if let Some((picture, _)) = pictures.get(&plan.key).await
        && picture.sha256 == made.sha256
    {
        return Ok(Some(Found::there(picture)));
    }
    let bytes = match services.storage.ask(GetObject { object: made.object() }).await {
        // It may be replaced in this moment, or be deleted.
        Err(error) if error.code == Code::NotFound => return Ok(None),
        bytes => bytes?,
    };
    let picture = Arc::new(Picture {
        bytes,
        format: made.format,
        sha256: made.sha256,
        width: made.width,
        height: made.height,
        engine,
        made_at: SystemTime::now().into(),
    });
    pictures.put(plan.key, picture.clone(), epoch);
    Ok(Some(Found::there(picture)))
}

/// Makes it, and has it stored beside the answer.
async fn make(services: &Arc<Services>, plan: &Arc<Plan>, epoch: Epoch) -> Result<Found> {
    let begun = Begun::now(services, plan, epoch).await?;
    let (priority, cancel) = (Priority::Interactive, Cancel::default());
    match paint(services, &plan.image, plan.spec.clone(), priority, cancel).await? {
        Ok(painted) => Ok(take_in(services, plan, painted, begun).await),
        // Only jobs are cancelled.
        Err(Failure::Cancelled) => Err(Error::internal("nobody cancelled it")),
        Err(Failure::Refused(error)) => {
            if !error.is_passing() {
                refuse(services, plan, &error, begun);
            }
            Err(error)
        }
    }
}

/// Has what was painted at hand, and stored as soon as may be. What waits to be stored is bounded, by waiting here.
async fn take_in(
    services: &Arc<Services>,
    plan: &Arc<Plan>,
    painted: Painted,
    begun: Begun,
) -> Found {
    let picture = Arc::new(Picture {
        bytes: painted.bytes.clone(),
        format: painted.format,
        sha256: painted.sha256().to_owned(),
        width: painted.width,
        height: painted.height,
        engine: ENGINE,
        made_at: SystemTime::now().into(),
    });
    services.delivery.pictures.put(plan.key, picture.clone(), begun.epoch);
    let timings = painted.timings;
    let room = services.delivery.room_to_store(painted.bytes.len()).await;
    let (these, this) = (services.clone(), plan.clone());
    services.delivery.background.spawn(async move {
        let _room = room;
        if let Err(error) = keep(&these, &this.image, &this.spec, &painted, begun.purges).await
            && error.code != Code::NotFound
        {
            tracing::warn!(%error, cause = error.cause, "a picture was delivered and not stored");
        }
    });
    Found { picture, made: Some(timings) }
}

/// Remembers that it can't be made.
fn refuse(services: &Arc<Services>, plan: &Arc<Plan>, error: &Error, begun: Begun) {
    services.delivery.refused.insert(plan.key, (begun.epoch, error.clone()));
    let (these, this, error) = (services.clone(), plan.clone(), error.clone());
    services.delivery.background.spawn(async move {
        let kept = keep_failure(&these, &this.image, &this.spec, &error, begun.purges).await;
        if let Err(error) = kept
            && error.code != Code::NotFound
        {
            tracing::warn!(%error, cause = error.cause, "a failure was not recorded");
        }
    });
}

/// Makes anew what an earlier engine made, once at a time, and beside the answers: somebody who waits goes first.
fn renew(services: &Arc<Services>, plan: &Arc<Plan>) {
    let delivery = &services.delivery;
    if delivery.renewing.contains_key(&plan.key) {
        return;
    }
    // Where others are being made anew, this one has its turn when it is asked for again.
    let Ok(turn) = delivery.renewals.clone().try_acquire_owned() else { return };
    // Also the pause before it is tried again, should it fail.
    if !delivery.renewing.entry(plan.key).or_insert(()).is_fresh() {
        return;
    }
    let (these, this) = (services.clone(), plan.clone());
    delivery.background.spawn(async move {
        let _turn = turn;
        if let Err(error) = renewed(&these, &this).await {
            tracing::debug!(%error, cause = error.cause, "a picture was not made anew");
        }
    });
}

async fn renewed(services: &Arc<Services>, plan: &Arc<Plan>) -> Result<()> {
    let epoch = services.delivery.pictures.epoch(plan.image.id);
    // Another process may have done it.
    if let Some(variant) = row(services, plan).await?
        && variant.status == VariantStatus::Ready
        && variant.engine >= ENGINE
        && let Some(made) = variant.made
    {
        stored(services, plan, made, variant.engine, epoch).await?;
        return Ok(());
    }
    let begun = Begun::now(services, plan, epoch).await?;
    let (priority, cancel) = (Priority::Background, Cancel::default());
    match paint(services, &plan.image, plan.spec.clone(), priority, cancel).await? {
        Ok(painted) => {
            take_in(services, plan, painted, begun).await;
            Ok(())
        }
        Err(Failure::Cancelled) => Ok(()),
        Err(Failure::Refused(error)) => Err(error),
    }
}
