//! Making a variant: at once for somebody who waits, or as a job. Both make it the same way.

use std::{future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::Services;
use crate::{
    actors::{consumer::backoff, transformer::Priority},
    adapters::{
        db::{
            images::ImageById,
            now,
            variants::{CompleteVariant, FailVariant, ReserveVariant},
        },
        storage::{DeleteObject, GetObject, PutObject, hex},
    },
    domain::{
        error::{Code, Error, Result},
        ids::{UserId, VariantId},
        image::Image,
        job::{Cancel, Job, Outcome, Runner},
        transform::{Source, Spec},
        variant::{self, Failure, Variant, VariantStatus},
    },
    imaging,
};

/// What came of making a variant.
pub type Made = Result<variant::Made, imaging::Failure>;

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
    Source { format: image.format, has_alpha: image.has_alpha }
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
    let variant = services.database.ask(ReserveVariant { variant: plan(&image, &spec) }).await?;
    if variant.status == VariantStatus::Ready {
        return Ok((variant, true));
    }
    let (id, spec) = (variant.id, Arc::new(spec));
    loop {
        let cancel = Cancel::default();
        match make(services, &image, &variant, spec.clone(), Priority::Interactive, cancel).await? {
            Ok(made) => return Ok((complete(services, id, made).await?, false)),
            // It was a job's, and the job was cancelled: that is not for us.
            Err(imaging::Failure::Cancelled) => {}
            Err(imaging::Failure::Refused(error)) => {
                if !error.is_passing() {
                    let failure = Failure::from(&error);
                    services.database.ask(FailVariant { id, failure }).await?;
                }
                return Err(error);
            }
        }
    }
}

/// Records a variant as ready. If its image has gone meanwhile, its object goes too.
async fn complete(services: &Services, id: VariantId, made: variant::Made) -> Result<Variant> {
    let key = made.object_key.clone();
    let query = CompleteVariant { id, made, engine: imaging::ENGINE, now: now() };
    let completed = services.database.ask(query).await;
    if completed.as_ref().is_err_and(|error| error.code == Code::NotFound) {
        services.storage.ask(DeleteObject { key }).await?;
    }
    completed
}

/// Makes the picture and stores it, once for all who want it at this moment.
async fn make(
    services: &Services,
    image: &Image,
    variant: &Variant,
    spec: Arc<Spec>,
    priority: Priority,
    cancel: Cancel,
) -> Result<Made> {
    let (storage, transformer) = (services.storage.clone(), services.transformer.clone());
    let original = GetObject { key: image.object_key.clone() };
    let object_key = format!("variants/{}/{}-{}", image.id, variant.spec_hash, imaging::ENGINE);
    let work = || async move {
        let input = storage.ask(original).await.map_err(imaging::Failure::Refused)?;
        let output = transformer.transform(input, spec, priority, cancel).await?;
        let bytes = Bytes::from(output.bytes);
        let made = variant::Made {
            format: output.format,
            size: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
            width: output.width,
            height: output.height,
            sha256: hex(&Sha256::digest(&bytes)),
            object_key: object_key.clone(),
        };
        let put = PutObject { key: object_key, bytes };
        storage.ask(put).await.map_err(imaging::Failure::Refused)?;
        Ok(made)
    };
    services.flights.join(variant.id, work).await
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
    let image = image_of(services, job.user_id, &job).await?;
    let spec = Spec::parse(&job.spec).map_err(Error::invalid)?;
    let variant = services.database.ask(ReserveVariant { variant: plan(&image, &spec) }).await?;
    if let (VariantStatus::Ready, Some(made)) = (variant.status, variant.made.clone()) {
        return Ok(Outcome::Done(made));
    }
    let spec = Arc::new(spec);
    loop {
        let cancel = cancel.clone();
        let priority = Priority::Background;
        match make(services, &image, &variant, spec.clone(), priority, cancel.clone()).await? {
            Ok(made) => return Ok(Outcome::Done(made)),
            Err(imaging::Failure::Refused(error)) => return Err(error),
            Err(imaging::Failure::Cancelled) if cancel.is_cancelled() => {
                return Ok(Outcome::Cancelled);
            }
            // It was another job's flight that was cancelled.
            Err(imaging::Failure::Cancelled) => {}
        }
    }
}

async fn image_of(services: &Services, user_id: UserId, job: &Job) -> Result<Image> {
    services.database.ask(ImageById { user_id, id: job.image_id }).await
}
