//! Taking a picture in: spooled as it arrives, probed, stored, and only then recorded, so that a
//! crash leaves at worst an object without a row, never a row without its object.

use std::io::BufReader;

use super::{
    Services,
    enqueue::job_for,
    jobs::changed,
    objects,
    transform::{plan, source},
};
use crate::{
    adapters::{
        db::{images::InsertImage, now},
        storage::{OpenSpool, Spool, Spooled},
    },
    domain::{
        error::{Code, Error, Result},
        ids::{ImageId, UserId},
        image::{Facts, Image},
        job::Job,
        transform::Spec,
    },
    imaging,
};

/// A file being received.
pub struct Receiving {
    spool: Spool,
    limit: u64,
}

impl Receiving {
    /// Begins a file.
    ///
    /// # Errors
    /// `dependency_unavailable` when it can't be stored.
    pub async fn begin(services: &Services) -> Result<Self> {
        let spool = services.storage.ask(OpenSpool).await?;
        Ok(Self { spool, limit: services.limits.upload_size })
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// `payload_too_large` past `MAX_UPLOAD_SIZE`.
    pub async fn write(&mut self, piece: &[u8]) -> Result<()> {
        if self.spool.size() + piece.len() as u64 > self.limit {
            return Err(too_large(self.limit));
        }
        self.spool.write(piece).await
    }

    /// The file has arrived whole.
    ///
    /// # Errors
    /// `dependency_unavailable` when it can't be stored.
    pub async fn finish(self) -> Result<Spooled> {
        self.spool.finish().await
    }
}

/// `payload_too_large` for a file.
pub fn too_large(limit: u64) -> Error {
    Error::new(Code::PayloadTooLarge, format!("the file is larger than {limit} bytes"))
}

/// What the client says of the file.
#[derive(Debug, Clone)]
pub struct Description {
    /// Its name, made harmless already.
    pub filename: String,
    /// Its labels.
    pub tags: Vec<String>,
    /// What to make of it at once, as jobs.
    pub eager: Vec<Spec>,
}

/// Stores a file that has arrived, if it is a picture.
///
/// # Errors
/// `unsupported_media_type`, `image_corrupt`, `image_too_large`, `too_many_frames`.
pub async fn store(
    services: &Services,
    user_id: UserId,
    spooled: Spooled,
    description: Description,
) -> Result<Image> {
    let limits = services.limits.clone();
    let probing = move |file| imaging::probe(BufReader::new(file), &limits);
    let (spooled, probe) = spooled.read(probing).await?;
    let id = ImageId::new();
    let mut image = Image {
        id,
        user_id,
        filename: description.filename,
        format: probe.format,
        size: i64::try_from(spooled.size).unwrap_or(i64::MAX),
        width: probe.width,
        height: probe.height,
        frames: probe.frames,
        has_alpha: probe.has_alpha,
        sha256: spooled.sha256.clone(),
        public: false,
        tags: description.tags,
        focus: None,
        facts: Facts::default(),
        object_key: String::new(),
        created_at: now(),
    };
    let jobs: Vec<_> = description
        .eager
        .iter()
        .map(|spec| {
            let variant = plan(&image, &spec.resolved(source(&image), None));
            let job = job_for(&variant);
            (variant, job)
        })
        .collect();
    let accepted: Vec<Job> = jobs.iter().map(|(_, job)| job.clone()).collect();
    let known = (spooled.size, spooled.sha256.clone());
    let mut body = Some(spooled.into_body());
    loop {
        let bytes = (known.0, known.1.as_str());
        let (key, is_stored) =
            objects::store_once(services, user_id, image.format, &mut body, bytes).await?;
        image.object_key = key;
        let insert = InsertImage { image: image.clone(), is_stored, jobs: jobs.clone() };
        match services.database.ask(insert).await {
            Ok(Some(key)) => {
                if key != image.object_key {
                    // Somebody else has stored the same bytes at the same time: these are to go.
                    services.deletions.ring();
                    image.object_key = key;
                }
                break;
            }
            // It went between the two: once more.
            Ok(None) => {}
            Err(error) => {
                // `unavailable` may mean that the row is there all the same: then the object must stay.
                if error.code == Code::NotFound && !is_stored {
                    objects::abandon(services, user_id, image.object_key).await?;
                }
                return Err(error);
            }
        }
    }
    services.uploads.ring();
    for job in &accepted {
        changed(services, job);
    }
    Ok(image)
}
