//! Looks at pictures that nobody has looked at yet, one at a time and behind all other work: placeholders, colours, what EXIF
//! says. What is to be done stands in the database, so that nothing is lost with a process.

use std::time::Duration;

use chrono::TimeDelta;

use super::{address::Address, doorbell::Doorbell, rounds::Chore, transformer::Transformer};
use crate::{
    adapters::{
        db::{
            Db,
            facts::{Describe, TakeUndescribed, Undescribed},
            now,
        },
        storage::{GetObject, Storage, out_of_reach},
    },
    domain::{
        error::{Error, Result},
        image::Facts,
        job::Cancel,
    },
    imaging::Failure,
};

/// How long a picture that was taken is left to whoever took it: longer than any picture takes.
const TAKEN: TimeDelta = TimeDelta::seconds(120);
/// How often a picture is tried before it is left alone.
const MAX_ATTEMPTS: i32 = 5;

/// What the describer works with.
#[derive(Clone)]
pub struct Describer {
    /// Knows which pictures.
    pub database: Address<Db>,
    /// Has their bytes.
    pub storage: Address<Storage>,
    /// Has the threads.
    pub transformer: Transformer,
    /// Rung when a picture was uploaded.
    pub doorbell: Doorbell,
}

impl Chore for Describer {
    const NAME: &'static str = "describer";
    const EVERY: Duration = Duration::from_secs(10);

    fn doorbell(&self) -> Doorbell {
        self.doorbell.clone()
    }

    /// Looks at pictures until there is none left to look at.
    async fn round(&self, cancel: &Cancel) -> Result<()> {
        loop {
            let taking = TakeUndescribed { limit: 1, now: now(), until: now() + TAKEN };
            let taken = self.database.ask(taking).await?;
            if taken.is_empty() {
                return Ok(());
            }
            for image in taken {
                let id = image.id;
                let facts = match self.look_at(&image, cancel).await {
                    Ok(facts) => facts,
                    // It will be tried again, once it is free.
                    Err(error) if error.is_passing() && image.attempts < MAX_ATTEMPTS => {
                        return Err(error);
                    }
                    Err(error) => {
                        tracing::debug!(%id, %error, "a picture can't be described");
                        Facts::default()
                    }
                };
                self.database.ask(Describe { id, facts }).await?;
            }
        }
    }
}

impl Describer {
    async fn look_at(&self, image: &Undescribed, cancel: &Cancel) -> Result<Facts> {
        let place = self.transformer.admit_job(&[image.object.size]).await?;
        let object = image.object.clone();
        let input = self.storage.ask(GetObject { object }).await.map_err(out_of_reach)?;
        let described = self.transformer.describe(place, input, cancel.clone()).await;
        described.map_err(|failure| match failure {
            Failure::Refused(error) => error,
            Failure::Cancelled => Error::overloaded("the process is stopping"),
        })
    }
}
