//! What has changed, also by other processes: read from the database, so that nobody has to be told.
//!
//! A request that trusts what is in memory first makes sure that everything which was committed until a few seconds ago has
//! been heard of. While requests come, the feed is read in the background about once a second; after a pause the first
//! request waits for it. If it can't be read, nothing is trusted.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::{
    actors::address::Address,
    adapters::{
        Resource,
        db::{Db, changes::ChangesSince, now},
    },
    domain::{
        delivery::Change,
        error::{Error, Result},
        ids::ChangeId,
    },
};

/// How old what was heard may be before it is looked at again, beside the request.
const SOON: Duration = Duration::from_secs(1);
/// How old it may be and still be trusted: with what an answer takes to arrive this keeps to 5 s.
const TRUSTED: Duration = Duration::from_secs(4);
/// How long is waited for it.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long it is not read again after it could not be.
const PAUSE: Duration = Duration::from_millis(500);
/// How far back is looked: a transaction may end this much later than its change says, by the clock of its process.
const OVERLAP: TimeDelta = TimeDelta::seconds(60);
/// Changes are kept for an hour; who has not looked for nearly as long has missed some.
const LOST: TimeDelta = TimeDelta::minutes(50);
/// Changes that are read at a time.
const TOGETHER: i64 = 2_000;
/// New changes that are listened to one by one.
const MOST: usize = 50_000;

/// What was heard from the feed.
#[derive(Debug)]
pub enum Heard {
    /// These changes, for the first time.
    Changes(Vec<Change>),
    /// So much that not all of it was listened to: anything may have changed.
    Anything,
}

/// Reads the feed. Cheap to clone.
#[derive(Clone)]
pub struct Feed(Arc<Inner>);

struct Inner {
    born: Instant,
    /// When what was heard was asked for, in milliseconds since `born`, plus one; 0 is never.
    fresh: AtomicU64,
    /// When it could not be read last, in the same way.
    failed: AtomicU64,
    /// Held by whoever is reading.
    position: Arc<Mutex<Position>>,
}

#[derive(Default)]
struct Position {
    /// Up to here all was heard but what is late.
    heard: Option<DateTime<Utc>>,
    /// What was heard from a little before.
    seen: HashSet<ChangeId>,
}

impl Default for Feed {
    fn default() -> Self {
        Self(Arc::new(Inner {
            born: Instant::now(),
            fresh: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            position: Arc::default(),
        }))
    }
}

impl Feed {
    /// Makes sure that `apply` has been told of everything that was committed 4 s ago.
    ///
    /// # Errors
    /// `dependency_unavailable` if that can't be known.
    pub async fn caught_up(
        &self,
        database: &Address<Db>,
        apply: impl Fn(Heard) + Send + Sync + 'static,
    ) -> Result<()> {
        let age = self.since(&self.0.fresh);
        if age < SOON {
            return Ok(());
        }
        if age < TRUSTED {
            // Unless somebody is at it already.
            if let Ok(position) = self.0.position.clone().try_lock_owned() {
                let (this, database) = (self.clone(), database.clone());
                tokio::spawn(async move {
                    if let Err(error) = this.listen(position, &database, &apply).await {
                        tracing::debug!(%error, cause = error.cause, "changes could not be read");
                    }
                });
            }
            return Ok(());
        }
        let position = self.0.position.clone().lock_owned().await;
        if self.since(&self.0.fresh) < TRUSTED {
            return Ok(());
        }
        // Those who stand in line for it don't all try it again.
        if self.since(&self.0.failed) < PAUSE {
            return Err(Error::unavailable(Db::WHAT, "changes could not be read a moment ago"));
        }
        let heard = Box::pin(self.listen(position, database, &apply)).await;
        if heard.is_err() {
            self.0.failed.store(Self::at(self.0.born.elapsed()), Ordering::Release);
        }
        heard
    }

    fn since(&self, time: &AtomicU64) -> Duration {
        match time.load(Ordering::Acquire) {
            0 => Duration::MAX,
            time => self.0.born.elapsed().saturating_sub(Duration::from_millis(time - 1)),
        }
    }

    fn at(elapsed: Duration) -> u64 {
        u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    async fn listen(
        &self,
        mut position: OwnedMutexGuard<Position>,
        database: &Address<Db>,
        apply: &(impl Fn(Heard) + Sync),
    ) -> Result<()> {
        let (begun, at) = (self.0.born.elapsed(), now());
        let heard = position.heard.filter(|heard| at - *heard < LOST);
        let first = ChangeId::first_of(heard.unwrap_or(at) - OVERLAP);
        let reading = read(database, first, &position.seen);
        let late = |_| Error::unavailable(Db::WHAT, "changes could not be read in time");
        let (new, seen) = tokio::time::timeout(PATIENCE, reading).await.map_err(late)??;
        if heard.is_none() || new.len() > MOST {
            apply(Heard::Anything);
        } else if !new.is_empty() {
            apply(Heard::Changes(new));
        }
        *position = Position { heard: Some(at), seen };
        self.0.fresh.store(Self::at(begun), Ordering::Release);
        Ok(())
    }
}

/// What was written down behind `after`: those changes that were not `seen` yet, as many as can matter, and the ids of all.
async fn read(
    database: &Address<Db>,
    mut after: ChangeId,
    seen: &HashSet<ChangeId>,
) -> Result<(Vec<Change>, HashSet<ChangeId>)> {
    let (mut new, mut all) = (Vec::new(), HashSet::new());
    loop {
        let (changes, more) = database.ask(ChangesSince { after, limit: TOGETHER }).await?;
        after = changes.last().map_or(after, |last| last.id);
        all.extend(changes.iter().map(|change| change.id));
        new.extend(changes.into_iter().filter(|change| !seen.contains(&change.id)));
        if !more || new.len() > MOST {
            return Ok((new, all));
        }
    }
}
