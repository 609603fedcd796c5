//! Making a variant: at once for somebody who waits, or as a job. Both make it the same way.

use std::{collections::BTreeMap, future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;

use super::{Services, flights::Flights, metadata, objects, overlays};
use crate::{
    actors::{address::Address, consumer::backoff, transformer::Priority},
    adapters::{
        db::{
            Db,
            images::ImageById,
            now,
            purge::KeepVariant,
            variants::{CompleteVariant, FailVariant, ReserveVariant, VariantBySpec},
        },
        storage::{Body, Storage},
    },
    domain::{
        error::{Code, Error, Result},
        format::Format,
        ids::{UserId, VariantId},
        image::Image,
        job::{Cancel, Job, Outcome, Runner},
        object::Object,
        transform::{Source, Spec},
        variant::{self, Failure, Variant, VariantKey, VariantStatus},
    },
    imaging::{self, Overlays, Probe},
};

/// A picture that was painted, and is not stored yet.
#[derive(Clone)]
pub struct Painted {
    /// What the bytes are.
    pub format: Format,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// The file.
    pub bytes: Bytes,
    /// The same, to be stored.
    body: Body,
    /// Where the time went.
    pub timings: imaging::Timings,
}

impl Painted {
    fn new(output: imaging::Output) -> Self {
        let imaging::Output { format, width, height, timings, .. } = output;
        let bytes = Bytes::from(output.bytes);
        Self { format, width, height, body: Body::bytes(bytes.clone()), bytes, timings }
    }

    /// SHA-256 of the file, hex.
    pub fn sha256(&self) -> &str {
        self.body.sha256()
    }
}

/// The work under way in this process, each piece of it once.
#[derive(Default)]
pub struct Work {
    /// By who waits as well: somebody's picture never stands behind a job, which waits as long as it takes.
    painting: Arc<Flights<(VariantKey, Priority), Result<Painted, imaging::Failure>>>,
    storing: Arc<Flights<VariantKey, Result<variant::Made>>>,
    /// What was made for an answer, and how often its image had been purged before.
    keeping: Arc<Flights<(VariantKey, i64), Result<()>>>,
}

/// The variant of `image` by `spec`, as a row to be.
pub fn plan(image: &Image, spec: &Spec) -> Variant {
    Variant {
        id: VariantId::new(),
        image_id: image.id,
        user_id: image.user_id,
        spec: spec.canonical(),
        spec_hash: spec.hash(),
        engine: imaging::ENGINE,
        status: VariantStatus::Pending,
        made: None,
        error: None,
        created_at: now(),
    }
}

/// What of `image` decides how a spec's defaults are meant.
pub fn source(image: &Image) -> Source {
    Source {
        format: image.format,
        has_alpha: image.has_alpha,
        is_animated: image.frames > 1,
        focus: image.focus,
    }
}

/// The variant of `image` by `spec`, made now if it was not there; whether it was.
///
/// # Errors
/// `not_found` if the image has gone; what the engine refuses; `transform_timeout`; `overloaded`.
pub async fn transform_now(
    services: &Services,
    image: Image,
    spec: Spec,
) -> Result<(Variant, bool)> {
    let plan = plan(&image, &spec);
    if let Some(ready) = look_up(services, &plan).await? {
        return Ok((ready, true));
    }
    let variant = services.database.ask(ReserveVariant { variant: plan }).await?;
    if variant.status == VariantStatus::Ready {
        return Ok((variant, true));
    }
    let (id, spec) = (variant.id, Arc::new(spec));
    match paint(services, &image, spec, Priority::Interactive, Cancel::default()).await? {
        Ok(painted) => {
            let made = store(services, &variant, &painted).await?;
            Ok((complete(services, variant, made).await?, false))
        }
        // Only jobs are cancelled.
        Err(imaging::Failure::Cancelled) => Err(Error::internal("nobody cancelled it")),
        Err(imaging::Failure::Refused(error)) => {
            if !error.is_passing() {
                let failure = Failure::from(&error);
                services.database.ask(FailVariant { id, failure }).await?;
            }
            Err(error)
        }
    }
}

/// The variant, if it was made before by this engine. Looking is cheaper than reserving, which
/// writes.
async fn look_up(services: &Services, plan: &Variant) -> Result<Option<Variant>> {
    let Variant { user_id, image_id, .. } = *plan;
    let query = VariantBySpec { user_id, image_id, spec_hash: plan.spec_hash.clone() };
    let found = metadata::variant_by_spec(services, query).await?;
    Ok(found.filter(is_current))
}

/// Whether it was made by this engine, or a later one.
fn is_current(variant: &Variant) -> bool {
    variant.status == VariantStatus::Ready && variant.engine >= imaging::ENGINE
}

/// Stores what was painted and records it as the variant of `image` by `spec`, once for all who do so at this moment, unless all that
/// was made of the image was given up since; `purges` was read before the painting began.
///
/// # Errors
/// `not_found` if the image has gone meanwhile; `dependency_unavailable`.
pub async fn keep(
    services: &Arc<Services>,
    image: &Image,
    spec: &Spec,
    painted: &Painted,
    purges: i64,
) -> Result<()> {
    let (these, variant, painted) = (services.clone(), plan(image, spec), painted.clone());
    let key = (variant.key(), purges);
    let work = || async move { keep_alone(&these, variant, &painted, purges).await };
    services.work.keeping.join(key, work).await?
}

async fn keep_alone(
    services: &Services,
    variant: Variant,
    painted: &Painted,
    purges: i64,
) -> Result<()> {
    let (user_id, VariantKey { image_id, spec_hash }) = (variant.user_id, variant.key());
    let query = VariantBySpec { user_id, image_id, spec_hash };
    if services.database.ask(query).await?.is_some_and(|there| is_current(&there)) {
        return Ok(());
    }
    // Under a key of its own: it may be given up where others who have the same keep theirs.
    let made = put((&services.database, &services.storage), user_id, painted).await?;
    let key = made.object_key.clone();
    let query = KeepVariant { variant, outcome: Ok(made), purges, now: now() };
    let kept = services.database.ask(query).await;
    let is_unwanted = match &kept {
        Ok(is_kept) => !is_kept,
        Err(error) => error.code == Code::NotFound,
    };
    if is_unwanted {
        objects::abandon(services, user_id, key).await?;
    }
    kept.map(|_| ())
}

/// Records that there is no variant of `image` by `spec`, unless all that was made of the image was given up since; `purges` was read
/// before it was tried.
///
/// # Errors
/// `not_found` if the image has gone meanwhile; `dependency_unavailable`.
pub async fn keep_failure(
    services: &Services,
    image: &Image,
    spec: &Spec,
    error: &Error,
    purges: i64,
) -> Result<()> {
    let (variant, outcome) = (plan(image, spec), Err(Failure::from(error)));
    services.database.ask(KeepVariant { variant, outcome, purges, now: now() }).await.map(|_| ())
}

/// Records a variant as ready. If its image has gone meanwhile, its object goes too.
async fn complete(
    services: &Services,
    Variant { id, user_id, .. }: Variant,
    made: variant::Made,
) -> Result<Variant> {
    let key = made.object_key.clone();
    let query = CompleteVariant { id, made, engine: imaging::ENGINE, now: now() };
    let completed = services.database.ask(query).await;
    if completed.as_ref().is_err_and(|error| error.code == Code::NotFound) {
        objects::abandon(services, user_id, key).await?;
    }
    completed
}

/// Stores what was painted, once for all who do so at this moment.
async fn store(services: &Services, variant: &Variant, painted: &Painted) -> Result<variant::Made> {
    let (database, storage) = (services.database.clone(), services.storage.clone());
    let (user_id, painted) = (variant.user_id, painted.clone());
    let work = || async move { put((&database, &storage), user_id, &painted).await };
    services.work.storing.join(variant.key(), work).await?
}

async fn put(
    there: (&Address<Db>, &Address<Storage>),
    user_id: UserId,
    painted: &Painted,
) -> Result<variant::Made> {
    let object_key = objects::store(there, user_id, painted.format, painted.body.clone()).await?;
    Ok(variant::Made {
        format: painted.format,
        size: i64::try_from(painted.body.size()).unwrap_or(i64::MAX),
        width: painted.width,
        height: painted.height,
        sha256: painted.sha256().to_owned(),
        object_key,
    })
}

/// Paints the picture, once for all who wait for it at this moment, and once for all jobs; a job takes what is made for somebody who
/// waits. Whoever waits does not do so past the time that a picture may take.
///
/// # Errors
/// `transform_impossible` if one that is laid over it has gone; `transform_timeout`.
pub async fn paint(
    services: &Services,
    image: &Image,
    spec: Arc<Spec>,
    priority: Priority,
    cancel: Cancel,
) -> Result<Result<Painted, imaging::Failure>> {
    let (storage, transformer) = (services.storage.clone(), services.transformer.clone());
    let files = services.files.clone();
    let original = image.object();
    let user_id = image.user_id;
    // The room in memory is that of all files.
    let mut sizes = vec![bytes(image.size)];
    let mut marks = Vec::new();
    for mark in overlays::find(services, user_id, &spec).await? {
        sizes.push(bytes(mark.size));
        marks.push((mark.id, mark.object()));
    }
    let (extent, limits) = ((image.width, image.height), &services.limits);
    let cost = Probe::imagined(image.format, extent, image.frames, image.has_alpha, limits)
        .and_then(|probe| imaging::predict(&spec, &probe, &BTreeMap::new(), limits));
    let key = VariantKey { image_id: image.id, spec_hash: spec.hash() };
    let work = || async move {
        let place = match priority {
            Priority::Interactive => transformer.admit(user_id, &sizes, cost?).await?,
            Priority::Background => transformer.admit_job(&sizes).await?,
        };
        let fetch = async |object: Object| {
            files.get(&storage, object).await.map_err(imaging::Failure::Refused)
        };
        let input = fetch(original).await?;
        let mut overlays = Overlays::new();
        for (id, object) in marks {
            overlays.insert(id, fetch(object).await?);
        }
        transformer.transform(place, input, overlays, spec, cancel).await.map(Painted::new)
    };
    let painting = &services.work.painting;
    match priority {
        Priority::Interactive => {
            let flight = painting.join((key, priority), work);
            services.transformer.in_time(flight).await
        }
        Priority::Background => {
            let interactive = (key.clone(), Priority::Interactive);
            if let Some(flight) = painting.under_way(&interactive) {
                let painted = flight.await?;
                // A job has more time than whoever waits, and is not refused for want of it.
                if !matches!(&painted, Err(imaging::Failure::Refused(error)) if error.is_passing())
                {
                    return Ok(painted);
                }
            }
            painting.join((key, priority), work).await
        }
    }
}

/// A size of a row, in which sizes have a sign.
fn bytes(size: i64) -> u64 {
    u64::try_from(size).unwrap_or(0)
}

/// Runs the jobs that the consumer leases.
pub struct TransformRunner(pub Arc<Services>);

impl Runner for TransformRunner {
    fn run(&self, job: Job, cancel: Cancel) -> Pin<Box<dyn Future<Output = Outcome> + Send + '_>> {
        Box::pin(async move {
            let attempt = job.attempts;
            match transform_job(&self.0, job, cancel).await {
                Ok(outcome) => outcome,
                Err(error) if error.code == Code::NotFound => Outcome::Gone,
                Err(error) if error.is_passing() => Outcome::Retry(error, backoff(attempt)),
                Err(error) => Outcome::Fail(error),
            }
        })
    }
}

async fn transform_job(services: &Services, job: Job, cancel: Cancel) -> Result<Outcome> {
    let query = ImageById { user_id: job.user_id, id: job.image_id };
    let image = services.database.ask(query).await?;
    let spec = Spec::parse(&job.spec).map_err(Error::invalid)?;
    let variant = services.database.ask(ReserveVariant { variant: plan(&image, &spec) }).await?;
    if let (VariantStatus::Ready, Some(made)) = (variant.status, variant.made.clone()) {
        return Ok(Outcome::Done(made));
    }
    let spec = Arc::new(spec);
    loop {
        let cancel = cancel.clone();
        let priority = Priority::Background;
        match paint(services, &image, spec.clone(), priority, cancel.clone()).await? {
            Ok(painted) => return Ok(Outcome::Done(store(services, &variant, &painted).await?)),
            Err(imaging::Failure::Refused(error)) => return Err(error),
            Err(imaging::Failure::Cancelled) if cancel.is_cancelled() => {
                return Ok(Outcome::Cancelled);
            }
            // It was another job's flight that was cancelled.
            Err(imaging::Failure::Cancelled) => {}
        }
    }
}
