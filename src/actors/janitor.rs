//! Cleans up by the clock: what has expired, the stored objects of what was deleted, jobs whose workers vanished.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::{StreamExt, stream};

use super::{
    address::Address,
    doorbell::Doorbell,
    notifier::{News, Notifier},
    rounds::Chore,
};
use crate::{
    adapters::{
        Query,
        db::{
            Db,
            cdn::PurgeCdnPurges,
            changes::PurgeChanges,
            deletions::{ObjectsDeleted, PendingDeletions},
            events::PurgeEvents,
            idempotency::PurgeKeys,
            now,
            objects::SweepObjects,
            queue::RescueJobs,
            tokens::PurgeTokens,
            webhooks::PurgeWebhooks,
        },
        storage::{CheckStorage, DeleteObject, Storage, SweepSpool},
    },
    domain::{error::Result, ids::DeletionId, job::Cancel},
};

/// Objects looked up at a time.
const BATCH: i64 = 100;

/// Objects removed at a time: a storage across the network takes its time for each.
const AT_ONCE: usize = 8;

/// How long an object that no row names may be one that is just being stored.
const STORING: TimeDelta = TimeDelta::days(1);

/// How long it can be asked what happened to a job.
const EVENTS_KEPT: TimeDelta = TimeDelta::days(1);
/// How long it can be asked what became of a webhook.
const WEBHOOKS_KEPT: TimeDelta = TimeDelta::days(30);
/// For how long a process may hear of what delivery has to look up again.
const CHANGES_KEPT: TimeDelta = TimeDelta::hours(1);
/// For how long a CDN is told what it has to forget.
const CDN_PURGES_KEPT: TimeDelta = TimeDelta::days(1);
/// Rows forgotten in one transaction.
const FORGOTTEN_AT_ONCE: i64 = 5000;

/// Removes the objects of what was deleted.
#[derive(Clone)]
pub struct RemoveObjects {
    /// Knows what is to go.
    pub database: Address<Db>,
    /// Has what is to go.
    pub storage: Address<Storage>,
    /// Rung when something was deleted.
    pub doorbell: Doorbell,
}

impl Chore for RemoveObjects {
    const NAME: &'static str = "janitor of objects";
    const EVERY: Duration = Duration::from_secs(10);

    fn doorbell(&self) -> Doorbell {
        self.doorbell.clone()
    }

    /// Once through the list. What can't be removed now stands there the next time.
    async fn round(&self, _: &Cancel) -> Result<()> {
        let (mut after, mut refused) = (None, Ok(()));
        loop {
            let query = PendingDeletions { after, limit: BATCH };
            let page = self.database.ask(query).await?;
            let Some(last) = page.last().cloned() else { return refused };
            // One finds out for all of them whether it is back.
            self.storage.ask(CheckStorage).await?;
            after = Some(last);
            let removals = stream::iter(page).map(|(id, key)| self.remove(id, key));
            let removals: Vec<_> = removals.buffer_unordered(AT_ONCE).collect().await;
            // What can't be removed does not hold up the others.
            refused = refused.and(removals.into_iter().collect());
        }
    }
}

impl RemoveObjects {
    async fn remove(&self, deletion_id: DeletionId, key: String) -> Result<()> {
        if let Err(error) = self.storage.ask(DeleteObject { key: key.clone() }).await {
            let cause = error.cause.as_deref();
            tracing::warn!(%error, cause, "an object can't be removed; will be tried again");
            return Err(error);
        }
        let done = ObjectsDeleted { deletion_id, keys: vec![key], now: now() };
        self.database.ask(done).await
    }
}

/// Puts the jobs of workers that vanished back.
#[derive(Clone)]
pub struct RescueLost {
    /// Has the jobs.
    pub database: Address<Db>,
    /// To be rung when there is something to hand over.
    pub doorbell: Doorbell,
    /// To be rung when somebody may be to be told of the end of one.
    pub webhooks: Doorbell,
    /// To be told.
    pub notifier: Notifier,
}

impl Chore for RescueLost {
    const NAME: &'static str = "janitor of jobs";
    const EVERY: Duration = Duration::from_secs(2);

    async fn round(&self, _: &Cancel) -> Result<()> {
        loop {
            let now = now();
            let lost = self.database.ask(RescueJobs { now, ended: now }).await?;
            if lost.is_empty() {
                return Ok(());
            }
            tracing::warn!(jobs = lost.len(), "workers vanished; their jobs are put back");
            for (user_id, job_id) in lost {
                self.notifier.tell(News { user_id, job_id });
            }
            self.doorbell.ring();
            self.webhooks.ring();
        }
    }
}

/// Removes what has expired: tokens, idempotency keys, news of jobs and of delivery, webhooks of long ago, uploads that were broken off.
#[derive(Clone)]
pub struct RemoveExpired {
    /// Has the tokens and the keys.
    pub database: Address<Db>,
    /// Has the uploads.
    pub storage: Address<Storage>,
    /// To be rung when objects are to be removed.
    pub deletions: Doorbell,
}

impl RemoveExpired {
    /// Piece by piece until nothing is left, so that what is made faster than rounds come does not grow for ever.
    async fn forget<Q: Query<Db, Output = u64>>(&self, some: impl Fn() -> Q) -> Result<()> {
        while self.database.ask(some()).await? >= FORGOTTEN_AT_ONCE.unsigned_abs() {}
        Ok(())
    }

    /// Has removed what crashes have left in the storage.
    async fn sweep_objects(&self) -> Result<()> {
        loop {
            let (now, limit) = (now(), BATCH);
            let sweep = SweepObjects { before: now - STORING, limit, now };
            match self.database.ask(sweep).await? {
                0 => return Ok(()),
                objects => tracing::info!(objects, "objects that nothing names are removed"),
            }
            self.deletions.ring();
        }
    }
}

impl Chore for RemoveExpired {
    const NAME: &'static str = "janitor of what expires";
    const EVERY: Duration = Duration::from_secs(10 * 60);

    async fn round(&self, _: &Cancel) -> Result<()> {
        self.database.ask(PurgeTokens { now: now() }).await?;
        self.database.ask(PurgeKeys { now: now() }).await?;
        self.database.ask(PurgeEvents { before: now() - EVENTS_KEPT }).await?;
        let limit = FORGOTTEN_AT_ONCE;
        self.forget(|| {
            let now = now();
            PurgeWebhooks { before: now - WEBHOOKS_KEPT, limit, now }
        })
        .await?;
        self.forget(|| PurgeChanges { before: now() - CHANGES_KEPT, limit }).await?;
        self.forget(|| PurgeCdnPurges { before: now() - CDN_PURGES_KEPT, limit }).await?;
        self.sweep_objects().await?;
        self.storage.ask(SweepSpool).await?;
        Ok(())
    }
}
