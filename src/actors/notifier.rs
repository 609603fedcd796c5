//! Tells those who watch that a job has changed. What it has become they read in the database, so news that is lost or
//! comes twice only costs time.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::broadcast;

use super::{address::Address, rounds::Chore};
use crate::{
    adapters::db::{Db, events::ChangedSince, now},
    domain::{
        error::Result,
        ids::{EventId, JobId, UserId},
        job::Cancel,
    },
};

/// News that a slow watcher may have before it; one that has missed some looks at everything.
const BACKLOG: usize = 4096;
/// How far back the rounds look: a transaction may end this much later than the event in it began.
const OVERLAP: TimeDelta = TimeDelta::seconds(10);

/// A job has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct News {
    /// Whose job.
    pub user_id: UserId,
    /// Which.
    pub job_id: JobId,
}

/// Where news is told and heard. Cheap to clone.
#[derive(Clone)]
pub struct Notifier {
    told: broadcast::Sender<News>,
    watchers: Arc<()>,
}

impl Default for Notifier {
    fn default() -> Self {
        Self { told: broadcast::channel(BACKLOG).0, watchers: Arc::default() }
    }
}

impl Notifier {
    /// Tells everybody in this process.
    pub fn tell(&self, news: News) {
        // Nobody listening is nobody to tell.
        let _ = self.told.send(news);
    }

    /// Hears what is told from now on.
    pub fn listen(&self) -> broadcast::Receiver<News> {
        self.told.subscribe()
    }

    /// The same, for somebody who must also hear of what other processes do.
    pub fn watch(&self) -> Watch {
        Watch { news: self.listen(), _counted: self.watchers.clone() }
    }

    fn is_watched(&self) -> bool {
        Arc::strong_count(&self.watchers) > 1
    }
}

/// Somebody who watches.
pub struct Watch {
    news: broadcast::Receiver<News>,
    /// While there are any, the database is looked at.
    _counted: Arc<()>,
}

impl Watch {
    /// The next news; `None` if some was missed.
    pub async fn next(&mut self) -> Option<News> {
        self.news.recv().await.ok()
    }
}

/// Looks in the database for what other processes did, as long as anybody watches.
#[derive(Clone)]
pub struct LookAround {
    /// Has the events.
    pub database: Address<Db>,
    /// Tells.
    pub notifier: Notifier,
    /// What was told already.
    pub told: Arc<Mutex<Told>>,
}

/// The events of the last few seconds that were told.
#[derive(Default)]
pub struct Told {
    since: Option<DateTime<Utc>>,
    events: HashSet<EventId>,
}

impl Chore for LookAround {
    const NAME: &'static str = "notifier";
    const EVERY: Duration = Duration::from_secs(1);

    async fn round(&self, _: &Cancel) -> Result<()> {
        let at = now();
        let since = {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if !self.notifier.is_watched() {
                *told = Told::default();
                return Ok(());
            }
            *told.since.get_or_insert(at - OVERLAP)
        };
        let changed = self.database.ask(ChangedSince { after: EventId::first_of(since) }).await?;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut events = HashSet::with_capacity(changed.len());
        for (event, user_id, job_id) in changed {
            events.insert(event);
            if !told.events.contains(&event) {
                self.notifier.tell(News { user_id, job_id });
            }
        }
        *told = Told { since: Some(at - OVERLAP), events };
        Ok(())
    }
}
